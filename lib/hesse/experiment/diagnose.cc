#include "hesse/experiment/diagnose.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/experiment/find_lr.h"
#include "hesse/experiment/run.h"
#include "hesse/optim/registry.h"
#include "hesse/validation/derivative_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace hesse {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void select_first(FiniteSum& sum, Index count) {
  std::vector<Index> first(static_cast<std::size_t>(std::min(count, sum.sample_count())));
  std::iota(first.begin(), first.end(), Index{0});
  sum.select(first);
}

/// Good within [low, high], suspicious within [worst_low, worst_high], bad beyond.
Finding judge(double figure, double low, double high, double worst_low, double worst_high) {
  if (figure >= low && figure <= high) return Finding::good;
  return figure >= worst_low && figure <= worst_high ? Finding::suspicious : Finding::bad;
}

double median(std::vector<double> values) {
  if (values.empty()) return kNaN;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The entropy of targets in [0, 1] is the least binary cross-entropy.
double entropy(double t) {
  const auto term = [](double p) { return p > 0 ? -p * std::log(p) : 0.0; };
  return term(t) + term(1 - t);
}

/// The least loss of any outputs on the selected samples whose inputs all differ.
double least_loss(const NetworkObjective& f, std::span<const Index> samples) {
  if (f.loss() != Loss::binary_cross_entropy) return 0;
  if (!f.reconstructs() && !f.data().labels.empty()) return 0;
  const Matrix& targets = f.reconstructs() ? f.data().inputs : f.data().targets;
  double sum = 0;
  for (const Index i : samples) sum += targets.col(i).unaryExpr(&entropy).sum();
  return sum / static_cast<double>(samples.size());
}

/// The loss of outputs that are all 0.
double loss_of_zero(const NetworkObjective& f) {
  const auto outputs = static_cast<double>(f.network().output_size());
  switch (f.loss()) {
    case Loss::softmax_cross_entropy: return std::log(outputs);
    case Loss::binary_cross_entropy: return outputs * std::log(2.0);
    case Loss::squared_error: break;
  }
  const Matrix& targets = f.reconstructs() ? f.data().inputs : f.data().targets;
  if (targets.size() > 0) return 0.5 * targets.squaredNorm() / static_cast<double>(targets.cols());
  // Unit vectors of the classes, or the classes themselves.
  if (f.network().output_size() > 1) return 0.5;
  double sum = 0;
  for (const std::int32_t label : f.data().labels) sum += 0.5 * label * label;
  return sum / static_cast<double>(f.data().labels.size());
}

/// The value after `steps` of a method on what is selected; NaN when it diverges.
double trained_value(Objective& f, Vector x, const OptimizerSpec& method, const DiagnoseOptions& options, Index steps) {
  const auto optimizer = make_optimizer(method, {f, options.seed});
  for (Index step = 0; step < steps; ++step) {
    optimizer->set_budget_share(static_cast<double>(step) / static_cast<double>(steps));
    const StepStatus status = optimizer->step(f, x).status;
    if (status == StepStatus::non_finite) return kNaN;
    if (status != StepStatus::ok) break;
  }
  return f.value(x);
}

}  // namespace

const char* to_string(Finding finding) {
  switch (finding) {
    case Finding::good: return "good";
    case Finding::suspicious: return "suspicious";
    case Finding::bad: return "bad";
    case Finding::skipped: return "skipped";
  }
  return "unknown";
}

Finding Diagnosis::finding() const {
  Finding worst = Finding::good;
  for (const Check& check : checks) {
    if (check.finding == Finding::bad) return Finding::bad;
    if (check.finding == Finding::suspicious) worst = Finding::suspicious;
  }
  return worst;
}

Check check_inputs(const Dataset& data) {
  Check check{.name = "inputs"};
  const Matrix& X = data.inputs;
  if (!X.allFinite()) {
    check.finding = Finding::bad;
    check.message = "some inputs are NaN or infinite; clean the data";
    return check;
  }
  const Vector mean = X.rowwise().mean();
  const Vector deviation = ((X.colwise() - mean).rowwise().squaredNorm() / static_cast<double>(X.cols())).cwiseSqrt();
  const Vector size = mean.cwiseAbs() + deviation;
  const double largest = size.size() > 0 ? size.maxCoeff() : 0.0;
  const Index constant = (deviation.array() == 0).count();
  check.figure = largest;
  // Standardised features and pixels in [0, 1] have |mean| + deviation of about 1.
  check.finding = largest == 0 ? Finding::bad : judge(largest, 0.05, 20, 0, 1e4);
  check.message =
      fmt::format("features reach |mean| + deviation {:.3g}, {} of {} are constant", largest, constant, X.rows());
  if (largest > 20) check.message += "; scale them to about 1";
  if (largest < 0.05) check.message += "; they are all but zero";
  if (2 * constant > X.rows()) {
    check.finding = std::max(check.finding, Finding::suspicious);
    check.message += "; more than half say nothing";
  }
  return check;
}

Check check_labels(const Dataset& data) {
  Check check{.name = "labels"};
  if (data.labels.empty()) {
    check.finding = Finding::skipped;
    check.message = "there are no classes";
    return check;
  }
  std::vector<Index> counts(static_cast<std::size_t>(data.class_count), 0);
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const std::int32_t label = data.labels[i];
    if (label < 0 || label >= data.class_count) {
      check.finding = Finding::bad;
      check.figure = label;
      check.message =
          fmt::format("sample {} has label {}, and the classes are 0 to {}", i, label, data.class_count - 1);
      return check;
    }
    ++counts[static_cast<std::size_t>(label)];
  }
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  // Equal inputs are neighbours when samples are sorted by their features.
  std::vector<Index> order(data.labels.size());
  std::iota(order.begin(), order.end(), Index{0});
  const auto column = [&](Index i) { return data.inputs.col(i); };
  const auto differ = [&](Index a, Index b) {
    return std::lexicographical_compare(column(a).begin(), column(a).end(), column(b).begin(), column(b).end());
  };
  std::sort(order.begin(), order.end(), differ);
  Index contradictory = 0;
  for (std::size_t i = 1; i < order.size(); ++i) {
    const bool same = !differ(order[i - 1], order[i]);
    if (same &&
        data.labels[static_cast<std::size_t>(order[i - 1])] != data.labels[static_cast<std::size_t>(order[i])]) {
      ++contradictory;
    }
  }
  const auto samples = static_cast<double>(data.labels.size());
  check.figure =
      *least > 0 ? static_cast<double>(*most) / static_cast<double>(*least) : std::numeric_limits<double>::infinity();
  check.message = fmt::format("{} classes of {} to {} samples, {} with the input of another class", counts.size(),
                              *least, *most, contradictory);
  if (*least == 0) {
    check.finding = Finding::bad;
    check.message += "; a class has no samples";
  } else if (static_cast<double>(contradictory) > 0.05 * samples) {
    check.finding = Finding::bad;
    check.message += "; no model can tell these apart";
  } else if (check.figure > 20 || static_cast<double>(contradictory) > 0.001 * samples) {
    check.finding = Finding::suspicious;
  }
  return check;
}

Check check_initial_loss(NetworkObjective& f, const Vector& x) {
  Check check{.name = "initial loss"};
  f.select_all();
  const double loss = f.value(x);
  const double expected = loss_of_zero(f);
  if (!(expected > 0)) {
    check.finding = Finding::skipped;
    check.message = "all targets are 0";
    return check;
  }
  check.figure = loss / expected;
  // Outputs of unit variance add about half of it to the loss; those of an exploding start add many times as much.
  check.finding = std::isfinite(loss) ? judge(check.figure, 0.7, 1.6, 0.2, 4) : Finding::bad;
  check.message = fmt::format("{:.4g} against {:.4g} for outputs of 0", loss, expected);
  if (check.figure > 1.6) check.message += "; the initial weights are too large, or the targets are off";
  if (check.figure < 0.7) check.message += "; lower than guessing: do the inputs hold the targets?";
  return check;
}

Check check_gradient(Objective& f, const Vector& x, const DiagnoseOptions& options) {
  Check check{.name = "gradient"};
  FiniteSum* const sum = find<FiniteSum>(f);
  if (sum != nullptr) select_first(*sum, 50);
  DerivativeCheckOptions o;
  o.seed = options.seed;
  if (options.precision == Precision::float32 && sum != nullptr) {
    // The best central difference of a function known to eps is off by about eps^(2/3).
    o.gradient_threshold = 1e-3;
    o.product_threshold = 1e-2;
    o.symmetry_threshold = 1e-4;
  }
  const DerivativeCheck result = check_derivatives(f, x, o);
  if (sum != nullptr) sum->select_all();
  check.figure = result.gradient_error;
  check.finding = result.good() ? Finding::good : Finding::bad;
  check.message = fmt::format("relative error {:.1e} (at most {:.0e}), of Hessian products {:.1e} (at most {:.0e})",
                              result.gradient_error, o.gradient_threshold, result.product_error, o.product_threshold);
  if (!result.good()) {
    check.message += fmt::format("; look at {}, or at a kink such as that of relu", result.worst_block);
  }
  return check;
}

Check check_overfit(NetworkObjective& f, const Vector& x, const DiagnoseOptions& options) {
  Check check{.name = "overfit ten"};
  select_first(f, 10);
  const double start = f.value(x);
  const double floor = least_loss(f, f.selection());
  const auto left = [&](const OptimizerSpec& method, Index steps) {
    return std::max(0.0, (trained_value(f, x, method, options, steps) - floor) / (start - floor));
  };
  const double own = left(parse_method(options.method).optimizer, options.overfit_steps);
  check.figure = own;
  check.message = fmt::format("{:.2g} of the loss on ten samples is left after {} steps", own, options.overfit_steps);
  if (!(own <= 0.01)) {
    // L-BFGS tells what the model could do from what the method does.
    const double reference = left(parse_optimizer("lbfgs"), std::min<Index>(options.overfit_steps, 300));
    check.finding = reference <= 0.01 && own <= 0.5 ? Finding::suspicious : Finding::bad;
    check.message +=
        reference <= 0.01
            ? fmt::format("; L-BFGS leaves {:.2g}, so the model can and the method or its rate cannot", reference)
            : fmt::format("; L-BFGS leaves {:.2g} too: too small a model, or targets that contradict each other",
                          reference);
  }
  f.select_all();
  return check;
}

std::vector<BlockNorms> observe_training(Objective& f, Vector& x, const DiagnoseOptions& options, bool& finite) {
  finite = true;
  const Method method = parse_method(options.method);
  const auto optimizer = make_optimizer(method.optimizer, {f, options.seed});
  FiniteSum* const sum = find<FiniteSum>(f);
  const Index batch = method.batch >= 0 ? method.batch : optimizer->prefers_full_batch() ? 0 : options.batch_size;
  std::optional<BatchSequence> batches;
  if (sum != nullptr && batch > 0 && batch < sum->sample_count()) {
    batches.emplace(sum->sample_count(), batch, options.seed);
  }
  if (sum != nullptr) sum->select_all();
  std::vector<BlockNorms> all;
  Vector g;
  f.value_and_gradient(x, g);
  const auto& blocks = f.layout().blocks();
  for (const ParameterBlock& block : blocks) {
    const auto part = g.segment(block.offset, block.size);
    all.push_back(
        {block.name, std::sqrt(part.squaredNorm() / static_cast<double>(std::max<Index>(1, block.size))), kNaN});
  }
  std::vector<std::vector<double>> ratios(blocks.size());
  for (Index step = 0; step < options.steps; ++step) {
    if (batches) sum->select(batches->batch(step));
    optimizer->set_budget_share(static_cast<double>(step) / static_cast<double>(options.steps));
    const Vector before = x;
    const StepStatus status = optimizer->step(f, x).status;
    if (status == StepStatus::non_finite || !all_finite(x)) {
      finite = false;
      x = before;
      break;
    }
    // On all samples the method has arrived or is stuck, and stands still from here on.
    if (!batches && (status != StepStatus::ok || (step > 0 && x == before))) break;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const auto old = before.segment(blocks[b].offset, blocks[b].size);
      const double size = old.norm();
      if (size > 0) ratios[b].push_back((x.segment(blocks[b].offset, blocks[b].size) - old).norm() / size);
    }
  }
  for (std::size_t b = 0; b < blocks.size(); ++b) all[b].relative_step = median(ratios[b]);
  if (sum != nullptr) sum->select_all();
  return all;
}

Check check_gradient_flow(const std::vector<BlockNorms>& blocks) {
  Check check{.name = "gradient flow"};
  std::vector<const BlockNorms*> weights;
  for (const BlockNorms& block : blocks) {
    if (!block.name.ends_with("bias")) weights.push_back(&block);
  }
  if (weights.size() < 2) {
    check.finding = Finding::skipped;
    check.message = "there is one layer";
    return check;
  }
  const BlockNorms& first = *weights.front();
  const BlockNorms& last = *weights.back();
  check.figure = first.gradient_rms / last.gradient_rms;
  check.finding = std::isfinite(check.figure) ? judge(check.figure, 1e-3, 1e3, 1e-6, 1e6) : Finding::bad;
  check.message = fmt::format("gradients at {} are {:.2g} times those at {}", first.name, check.figure, last.name);
  if (check.figure < 1e-3) check.message += ": they vanish on the way";
  if (check.figure > 1e3) check.message += ": they explode on the way";
  return check;
}

Check check_updates(const std::vector<BlockNorms>& blocks) {
  Check check{.name = "updates"};
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  const BlockNorms* slowest = nullptr;
  const BlockNorms* fastest = nullptr;
  for (const BlockNorms& block : blocks) {
    if (block.name.ends_with("bias") || std::isnan(block.relative_step)) continue;
    if (block.relative_step < least) {
      least = block.relative_step;
      slowest = &block;
    }
    if (block.relative_step >= most) {
      most = block.relative_step;
      fastest = &block;
    }
  }
  if (slowest == nullptr) {
    check.finding = Finding::skipped;
    check.message = "no step was taken from weights that are not 0";
    return check;
  }
  const Finding slow = judge(least, 1e-5, 1, 1e-8, 1);
  const Finding fast = judge(most, 0, 0.1, 0, 1);
  check.finding = std::max(slow, fast);
  check.figure = fast >= slow ? most : least;
  check.message = fmt::format("a step changes {} by {:.2g}", slowest->name, least);
  if (fastest != slowest) check.message += fmt::format(" and {} by {:.2g}", fastest->name, most);
  check.message += " of itself; about 1e-3 is usual";
  return check;
}

std::vector<UnitCounts> count_units(NetworkObjective& f, const Vector& x) {
  select_first(f, 1000);
  std::vector<UnitCounts> all;
  const auto& layers = f.network().layers();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::string name = layers[l]->name();
    if (!layers[l]->parameters().empty()) continue;
    const Matrix y = f.outputs(x, l + 1);
    UnitCounts counts{fmt::format("layer {} ({})", l + 1, name), y.rows(), 0, 0};
    const bool bounded = name == "tanh" || name == "sigmoid";
    const double low = name == "sigmoid" ? 0 : -1;
    for (Index i = 0; i < y.rows(); ++i) {
      const auto row = y.row(i).array();
      const double range = row.maxCoeff() - row.minCoeff();
      const double margin = 0.01 * (1 - low);
      const Index outside = bounded ? (row < low + margin || row > 1 - margin).count() : 0;
      if (bounded && static_cast<double>(outside) >= 0.95 * static_cast<double>(y.cols())) {
        ++counts.saturated;
      } else if (!(range > 1e-6)) {
        ++counts.dead;
      }
    }
    all.push_back(counts);
  }
  f.select_all();
  return all;
}

Check check_units(const std::vector<UnitCounts>& units) {
  Check check{.name = "units"};
  double worst = -1;
  for (const UnitCounts& layer : units) {
    const double share =
        static_cast<double>(layer.dead + layer.saturated) / static_cast<double>(std::max<Index>(1, layer.units));
    if (share <= worst) continue;
    worst = share;
    check.message =
        fmt::format("{}: {} dead and {} saturated of {}", layer.name, layer.dead, layer.saturated, layer.units);
  }
  if (worst < 0) {
    check.finding = Finding::skipped;
    check.message = "there are no hidden units";
    return check;
  }
  check.figure = worst;
  check.finding = judge(worst, 0, 0.1, 0, 0.5);
  return check;
}

Check check_learning_rate(Objective& f, const Vector& x, const DiagnoseOptions& options) {
  Check check{.name = "learning rate"};
  const Method method = parse_method(options.method);
  const auto optimizer = make_optimizer(method.optimizer, {f, options.seed});
  if (optimizer->learning_rate() == nullptr) {
    check.finding = Finding::skipped;
    check.message = "the method has none";
    return check;
  }
  const double rate = *optimizer->learning_rate();
  FindLrOptions find;
  find.batch_size = method.batch >= 0 ? method.batch : optimizer->prefers_full_batch() ? 0 : options.batch_size;
  find.seed = options.seed;
  find.smoothing = 0.9;
  find.steps = 150;
  const LrSweep sweep = find_lr(*optimizer, f, x, find);
  if (!std::isfinite(sweep.least)) {
    check.finding = Finding::bad;
    check.message = sweep.message;
    return check;
  }
  check.figure = rate / sweep.least;
  check.message = fmt::format("{:.2g}; {}", rate, sweep.message);
  if (rate > sweep.least) {
    check.finding = rate > 10 * sweep.least ? Finding::bad : Finding::suspicious;
    check.message += "; it is too high";
  } else if (rate < 0.1 * sweep.begins) {
    check.finding = rate < 1e-3 * sweep.begins ? Finding::bad : Finding::suspicious;
    check.message += "; it is low";
  }
  return check;
}

Diagnosis diagnose(Problem& problem, const DiagnoseOptions& options) {
  Objective& f = *problem.objective;
  auto* const network = find<NetworkObjective>(f);
  const Vector start = problem.start(options.seed);
  Diagnosis diagnosis;
  const auto add = [&](Check check) { diagnosis.checks.push_back(std::move(check)); };
  const auto skip = [&](const char* name) {
    add({.name = name, .finding = Finding::skipped, .message = "the problem is no network"});
  };
  // Built first, so that a method that cannot be is refused before any work.
  make_optimizer(parse_method(options.method).optimizer, {f, options.seed});
  if (network != nullptr) {
    add(check_inputs(network->data()));
    add(check_labels(network->data()));
    add(check_initial_loss(*network, start));
  } else {
    for (const char* name : {"inputs", "labels", "initial loss"}) skip(name);
  }
  add(check_gradient(f, start, options));
  if (network != nullptr) {
    add(check_overfit(*network, start, options));
  } else {
    skip("overfit ten");
  }
  Vector x = start;
  bool finite = true;
  diagnosis.blocks = observe_training(f, x, options, finite);
  add(check_gradient_flow(diagnosis.blocks));
  add(check_updates(diagnosis.blocks));
  if (!finite) {
    diagnosis.checks.back().finding = Finding::bad;
    diagnosis.checks.back().message += fmt::format("; training diverged within {} steps", options.steps);
  }
  if (network != nullptr) {
    diagnosis.units = count_units(*network, x);
    add(check_units(diagnosis.units));
  } else {
    skip("units");
  }
  add(check_learning_rate(f, start, options));
  return diagnosis;
}

}  // namespace hesse
