#include "hesse/experiment/run.h"

#include "hesse/core/error.h"
#include "hesse/core/failure_text.h"
#include "hesse/core/parallel.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/critical_point.h"
#include "hesse/curvature/escape.h"
#include "hesse/distributed/ranks.h"
#include "hesse/experiment/budget.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/registry.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/comparison.h"
#include "hesse/report/curvature_trace.h"
#include "hesse/report/preconditioner_trace.h"
#include "hesse/report/trace.h"
#include "hesse/report/trajectory.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace hesse {
namespace {

/// Stops the loop when the caller says so.
class Interrupt final : public Observer {
 public:
  explicit Interrupt(const std::function<bool()>& asked) : asked_(asked) {}
  bool after_step(const Iterate&) override { return seen_ = seen_ || asked_(); }
  std::string stop_reason() const override { return "interrupted"; }
  bool seen() const { return seen_; }

 private:
  const std::function<bool()>& asked_;
  bool seen_ = false;
};

const char* precision_name(Precision precision) { return precision == Precision::float32 ? "float32" : "float64"; }

Precision precision_named(const std::string& name) {
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    if (name == precision_name(precision)) return precision;
  }
  fail("precision: there is no '{}'; choose float32 or float64", name);
}

Stopping stopping_of(const RunSettings& settings) {
  Stopping stopping;
  apply_budget(settings.budget, stopping);
  stopping.target_value = settings.target;
  stopping.gradient_tolerance = settings.gradient_tolerance;
  return stopping;
}

std::unique_ptr<Optimizer> make_optimizer(const Method& method, Problem& problem, std::uint64_t seed) {
  return hesse::make_optimizer(method.optimizer, {*problem.objective, seed});
}

/// Samples of a step: the method's own choice, or all for methods that want all, or the run's.
Index batch_of(const Method& method, const Optimizer& optimizer, const RunSettings& settings) {
  if (method.batch >= 0) return method.batch;
  return optimizer.prefers_full_batch() ? 0 : settings.batch_size;
}

/// Batches can only grow where they are a part of the samples at first.
void check_growth(const Method& method, Problem& problem, Index batch) {
  if (method.full_batch_at == 0) return;
  const FiniteSum* const sum = find<FiniteSum>(*problem.objective);
  if (sum == nullptr || batch == 0 || batch >= sum->sample_count()) {
    fail("{}: full_batch_at={} has nothing to grow from, since the first step is on all samples; give batch=N",
         method.text, method.full_batch_at);
  }
}

/// Those of a modifier under its name: "clip-norm.max".
NamedTexts used_options(const OptimizerSpec& spec) {
  NamedTexts all = hesse::used_options(spec.method, optimizers().at(spec.method.name).options);
  for (const Spec& modifier : spec.modifiers) {
    for (auto& [name, text] : hesse::used_options(modifier, link_options(modifier.name))) {
      all.emplace_back(modifier.name + "." + name, std::move(text));
    }
  }
  return all;
}

/// What kind of point a run has arrived at. It is stationary for the rule that says so: what that left of the gradient
/// is the tolerance.
CriticalPoint arrival(Objective& f, const Vector& x, const RunSettings& settings) {
  Vector g;
  f.value_and_gradient(x, g);
  ClassifyOptions options;
  options.gradient_tolerance = std::max(settings.gradient_tolerance, norm(g));
  options.seed = settings.seed;
  return classify(f, x, options);
}

RunRecord record_of(const RunSettings& settings, const Method& method, const Problem& problem, Index batch) {
  const Spec spec = parse_spec(settings.problem);
  RunRecord record;
  record.problem = {settings.problem, used_options(spec, problems().at(spec.name).options)};
  record.optimizer = {settings.method, used_options(method.optimizer)};
  record.seed = settings.seed;
  record.precision = precision_name(settings.precision);
  record.threads = threads();
  record.batch_size = batch;
  record.budget = settings.budget;
  record.settings = {{"batch_size", fmt::format("{}", settings.batch_size)},
                     {"target", fmt::format("{}", settings.target)},
                     {"gradient_tolerance", fmt::format("{}", settings.gradient_tolerance)},
                     {"escape", settings.escape ? "true" : "false"},
                     {"checkpoint_seconds", fmt::format("{}", settings.checkpoint_seconds)},
                     {"trace_rows", fmt::format("{}", settings.trace_rows)},
                     {"save_every", fmt::format("{}", settings.save_every)},
                     {"curvature_every", fmt::format("{}", settings.curvature_every)},
                     {"curvature_top", fmt::format("{}", settings.curvature_top)},
                     {"curvature_measures", settings.curvature_measures}};
  if (settings.chunks > 0) {
    record.settings.emplace_back("chunks", fmt::format("{}", settings.chunks));
    record.settings.emplace_back("ranks", fmt::format("{}", settings.ranks));
  }
  record.description = problem.description;
  record.parameters = problem.objective->size();
  record.higher_is_better.emplace();
  for (const Metric& metric : problem.metrics) {
    if (metric.higher_is_better) record.higher_is_better->push_back(metric.name);
  }
  record.software = this_software();
  record.machine = this_machine();
  record.started = utc_now();
  return record;
}

CurvatureTraceOptions curvature_options(const RunSettings& settings) {
  CurvatureTraceOptions options;
  options.every_steps = settings.curvature_every;
  options.top = settings.curvature_top;
  options.measures = parse_curvature_measures(settings.curvature_measures);
  options.seed = settings.seed;
  return options;
}

/// What the command line checks too, for settings that come from a record or from code.
void check_settings(const RunSettings& settings) {
  if (settings.batch_size < 0) {
    fail("batch_size: {} is out of range; give a whole number >= 0, 0 for all samples", settings.batch_size);
  }
  if (!(settings.gradient_tolerance >= 0)) {
    fail("gradient_tolerance: {} is out of range; give a number >= 0", settings.gradient_tolerance);
  }
  if (std::isnan(settings.target)) fail("target: NaN is no target; give a number");
  if (!(settings.checkpoint_seconds >= 0)) {
    fail("checkpoint_seconds: {} is out of range; give a number >= 0, 0 for none but the last",
         settings.checkpoint_seconds);
  }
  if (settings.trace_rows < 1) {
    fail("trace_rows: {} is out of range; give a whole number >= 1, of rows an epoch", settings.trace_rows);
  }
  if (settings.save_every < 0) {
    fail("save_every: {} is out of range; give a whole number >= 0, of steps, 0 for no trajectory",
         settings.save_every);
  }
  if (settings.curvature_every < 0 || settings.curvature_top < 1) {
    fail("curvature_every: {} and curvature_top: {} are out of range; give whole numbers >= 0 (0 for none) and >= 1",
         settings.curvature_every, settings.curvature_top);
  }
  parse_curvature_measures(settings.curvature_measures);
}

}  // namespace

Method parse_method(std::string_view text) {
  Method method{std::string(text), parse_optimizer(text), -1};
  const std::string& name = method.optimizer.method.name;
  std::erase_if(method.optimizer.method.arguments, [&](const auto& argument) {
    if (argument.first == "full_batch_at") {
      method.full_batch_at = parse_whole_number(fmt::format("{}: option full_batch_at", name), argument.second);
      if (method.full_batch_at < 2) {
        fail("{}: option full_batch_at: {} is out of range; give a step >= 2", name, method.full_batch_at);
      }
      return true;
    }
    if (argument.first != "batch") return false;
    method.batch = parse_whole_number(fmt::format("{}: option batch", name), argument.second);
    if (method.batch < 0) {
      fail("{}: option batch: {} is out of range; give a whole number >= 0, 0 for all samples", name, method.batch);
    }
    return true;
  });
  return method;
}

void check_run(const RunSettings& settings, Problem& problem) {
  check_settings(settings);
  const Method method = parse_method(settings.method);
  const auto optimizer = make_optimizer(method, problem, settings.seed);
  check_growth(method, problem, batch_of(method, *optimizer, settings));
  if (settings.curvature_every > 0) {
    const CurvatureMeter possible(problem.objective->size(), curvature_options(settings));
    check_curvature_measures(*problem.objective, possible.options().measures);
  }
  stopping_of(settings);
}

RunRecord planned_record(const RunSettings& settings, Problem& problem) {
  check_run(settings, problem);
  const Method method = parse_method(settings.method);
  const auto optimizer = make_optimizer(method, problem, settings.seed);
  return record_of(settings, method, problem, batch_of(method, *optimizer, settings));
}

RunOutcome run(const RunSettings& settings, Problem& problem, const std::filesystem::path& folder,
               const RunHooks& hooks) {
  check_settings(settings);
  RunOutcome outcome;
  const auto record_file = folder / kRunFile;
  if (std::filesystem::exists(record_file)) {
    const RunRecord before = read_run_record(record_file);
    if (before.verdict) {
      outcome.verdict = *before.verdict;
      if (outcome.verdict.termination == "failed") outcome.status = RunStatus::failed;
      return outcome;
    }
  }
  create_folders(folder);
  remove_partial_files(folder);

  const Method method = parse_method(settings.method);
  auto optimizer = make_optimizer(method, problem, settings.seed);
  const Index batch = batch_of(method, *optimizer, settings);
  check_growth(method, problem, batch);
  Stopping stopping = stopping_of(settings);
  if (settings.escape) {
    stopping.escape = [&](Objective& f, Vector& at) { return escape(f, at, arrival(f, at, settings)); };
  }
  const CheckpointIdentity identity{settings.problem, method.optimizer.text(), settings.seed,
                                    precision_name(settings.precision)};
  const ParameterLayout& layout = problem.objective->layout();

  Vector x = problem.start(settings.seed);
  Progress progress;
  RunRecord record = record_of(settings, method, problem, batch);
  std::optional<CurvatureTrace> curvature;
  if (settings.curvature_every > 0) {
    // On an objective of its own, so that neither the batch nor the state of the run's is disturbed.
    std::shared_ptr<Objective> f =
        problems().make(parse_spec(settings.problem), {settings.precision, problem.share}).objective;
    curvature.emplace(folder, std::move(f), curvature_options(settings));
  }
  if (has_checkpoint(folder)) {
    const LoadedCheckpoint loaded =
        load_checkpoint(folder, identity, layout, x, optimizer->state(), curvature ? curvature->state() : StateView());
    progress = loaded.progress;
    outcome.warning = loaded.warning;
    record.started = read_run_record(record_file).started;
  }
  write_run_record(record_file, record);

  const auto finish = [&](Verdict verdict) {
    outcome.verdict = std::move(verdict);
    record.verdict = outcome.verdict;
    write_run_record(record_file, record);
  };
  try {
    const TraceSchedule schedule = find<FiniteSum>(*problem.objective) != nullptr
                                       ? TraceSchedule{TraceSchedule::Spacing::epochs, settings.trace_rows}
                                       : TraceSchedule{TraceSchedule::Spacing::steps, 1};
    TraceObserver trace(folder / kTraceFile, schedule, problem.value, problem.metrics);
    CheckpointObserver checkpoints(folder, identity, layout, {0, settings.checkpoint_seconds},
                                   [&] { return curvature ? curvature->state() : StateView(); });
    Interrupt interrupt(hooks.interrupted);
    PreconditionerTrace preconditioners(folder, schedule);
    std::vector<Observer*> observers = {&trace, &preconditioners, &interrupt};
    if (curvature) observers.push_back(&*curvature);
    std::optional<TrajectoryObserver> trajectory;
    if (settings.save_every > 0) {
      observers.push_back(&trajectory.emplace(folder / kTrajectoryFolder, layout, settings.save_every));
    }
    // After all that writes of a step: a run that goes on from its checkpoint does not come to that step again.
    observers.push_back(&checkpoints);
    observers.insert(observers.end(), hooks.observers.begin(), hooks.observers.end());
    const Summary summary = minimize(*optimizer, *problem.objective, x, stopping,
                                     {batch, settings.seed, method.full_batch_at}, observers, progress);
    std::vector<std::pair<std::string, double>> metrics;
    for (const Metric& metric : problem.metrics) metrics.emplace_back(metric.name, metric.evaluate(x));
    Verdict verdict = verdict_of(summary, std::move(metrics));
    if (converged(summary.termination) && summary.termination != Termination::target) {
      const CriticalPoint point = arrival(*problem.objective, x, settings);
      verdict.kind = to_string(point.kind);
      verdict.classification = point.message;
    }
    if (interrupt.seen() && summary.termination == Termination::user) {
      outcome.status = RunStatus::interrupted;
      outcome.verdict = std::move(verdict);
    } else {
      finish(std::move(verdict));
    }
  } catch (const WriteError&) {
    // No verdict: the method is not at fault, and the run goes on from its last checkpoint once there is room.
    throw;
  } catch (const RankFailure&) {
    // Likewise: the run goes on from its last checkpoint once there are ranks again.
    throw;
  } catch (const std::exception& e) {
    // What went wrong on one rank alone, such as its memory, ends all of them.
    if (settings.ranks > 1 && dynamic_cast<const Error*>(&e) == nullptr) throw;
    // A method that throws is a row of the comparison like any other.
    outcome.status = RunStatus::failed;
    hooks.failed(failure_text(e));
    Verdict verdict;
    verdict.termination = "failed";
    verdict.message = failure_text(e);
    verdict.value = std::nan("");
    verdict.gradient_norm = std::nan("");
    verdict.initial_value = std::nan("");
    finish(std::move(verdict));
  }
  return outcome;
}

void draw_run(const std::filesystem::path& folder, const Problem& problem) {
  const std::vector<RecordedRun> runs = {read_run(folder)};
  const std::filesystem::path figures = folder / "figures";
  create_folders(figures);
  Palette palette;
  const auto draw = [&](const std::string& column, bool higher_is_better) {
    write_plot(figures / fmt::format("{}_by_steps.svg", column),
               comparison_plot(runs, "step", column, higher_is_better), palette);
  };
  draw("train_value", false);
  std::vector<std::string> metrics;
  for (const Metric& metric : problem.metrics) {
    metrics.push_back(metric.name);
    draw(metric.name, metric.higher_is_better);
  }
  write_telemetry_plots(figures, runs, metrics, palette);
  write_preconditioner_plots(figures, runs.front(), palette);
  if (std::filesystem::exists(folder / kCurvatureFile)) {
    write_curvature_plots(figures, with_curvature(runs), palette);
  }
}

RunSettings settings_of(const RunRecord& record) {
  RunSettings settings;
  settings.problem = record.problem.text;
  settings.method = record.optimizer.text;
  settings.seed = record.seed;
  settings.precision = precision_named(record.precision);
  settings.budget = record.budget;
  for (const auto& [name, text] : record.settings) {
    if (name == "batch_size") settings.batch_size = parse_whole_number(name, text);
    if (name == "target" && text != "-inf") settings.target = parse_number(name, text);
    if (name == "gradient_tolerance") settings.gradient_tolerance = parse_number(name, text);
    if (name == "escape") settings.escape = text == "true";
    if (name == "checkpoint_seconds") settings.checkpoint_seconds = parse_number(name, text);
    if (name == "trace_rows") settings.trace_rows = parse_whole_number(name, text);
    if (name == "save_every") settings.save_every = parse_whole_number(name, text);
    if (name == "curvature_every") settings.curvature_every = parse_whole_number(name, text);
    if (name == "curvature_top") settings.curvature_top = parse_whole_number(name, text);
    if (name == "curvature_measures") settings.curvature_measures = text;
    if (name == "chunks") settings.chunks = parse_whole_number(name, text);
  }
  return settings;
}

}  // namespace hesse
