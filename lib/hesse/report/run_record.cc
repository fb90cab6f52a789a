#include "hesse/report/run_record.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>

namespace hesse {

namespace {

Json json_of(const NamedTexts& texts) {
  Json out = Json::object();
  for (const auto& [name, text] : texts) {
    if (out.contains(name)) fail("run record: '{}' is given twice", name);
    out[name] = text;
  }
  return out;
}

NamedTexts named_texts(const JsonView& view) {
  NamedTexts out;
  for (const auto& [name, value] : view.members()) out.emplace_back(name, value.text());
  return out;
}

Json json_of(const RecordedSpec& spec) { return {{"text", spec.text}, {"used", json_of(spec.used)}}; }

RecordedSpec recorded_spec(const JsonView& view) {
  view.allow_only({"text", "used"});
  return {view.at("text").text(), named_texts(view.at("used"))};
}

Json json_of(const Cost& cost) {
  return {{"values", cost.values},
          {"gradients", cost.gradients},
          {"linearisations", cost.linearisations},
          {"products", cost.products},
          {"value_samples", json_number(cost.value_samples)},
          {"gradient_samples", json_number(cost.gradient_samples)},
          {"product_samples", json_number(cost.product_samples)},
          {"gradient_equivalents", json_number(cost.gradient_equivalents)}};
}

Cost cost_of(const JsonView& view) {
  view.allow_only({"values", "gradients", "linearisations", "products", "value_samples", "gradient_samples",
                   "product_samples", "gradient_equivalents"});
  Cost cost;
  cost.values = view.at("values").integer();
  cost.gradients = view.at("gradients").integer();
  cost.linearisations = view.at("linearisations").integer();
  cost.products = view.at("products").integer();
  cost.value_samples = view.at("value_samples").number();
  cost.gradient_samples = view.at("gradient_samples").number();
  cost.product_samples = view.at("product_samples").number();
  cost.gradient_equivalents = view.at("gradient_equivalents").number();
  return cost;
}

Json json_of(const Verdict& verdict) {
  Json metrics = Json::object();
  for (const auto& [name, value] : verdict.metrics) metrics[name] = json_number(value);
  return {{"termination", verdict.termination},
          {"message", verdict.message},
          {"initial_value", json_number(verdict.initial_value)},
          {"value", json_number(verdict.value)},
          {"gradient_norm", json_number(verdict.gradient_norm)},
          {"metrics", std::move(metrics)},
          {"steps", verdict.progress.step},
          {"epochs", json_number(verdict.progress.epochs)},
          {"seconds", json_number(verdict.progress.seconds)},
          {"best_value", json_number(verdict.progress.best_value)},
          {"escapes", verdict.progress.escapes},
          {"kind", verdict.kind},
          {"classification", verdict.classification},
          {"cost", json_of(verdict.progress.cost)}};
}

Verdict verdict_from(const JsonView& view) {
  view.allow_only({"termination", "message", "initial_value", "value", "gradient_norm", "metrics", "steps", "epochs",
                   "seconds", "best_value", "escapes", "kind", "classification", "cost"});
  Verdict verdict;
  verdict.termination = view.at("termination").text();
  verdict.message = view.at("message").text();
  verdict.initial_value = view.at("initial_value").number();
  verdict.value = view.at("value").number();
  verdict.gradient_norm = view.at("gradient_norm").number();
  for (const auto& [name, value] : view.at("metrics").members()) verdict.metrics.emplace_back(name, value.number());
  verdict.progress.step = view.at("steps").integer();
  verdict.progress.epochs = view.at("epochs").number();
  verdict.progress.seconds = view.at("seconds").number();
  verdict.progress.best_value = view.at("best_value").number();
  verdict.progress.escapes = view.at("escapes").integer();
  verdict.kind = view.at("kind").text();
  verdict.classification = view.at("classification").text();
  verdict.progress.cost = cost_of(view.at("cost"));
  return verdict;
}

}  // namespace

Software this_software() {
  Software out;
  out.hesse = HESSE_VERSION;
#if defined(__clang__)
  out.compiler = fmt::format("Clang {}", __clang_version__);
#elif defined(__GNUC__)
  out.compiler = fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
#ifdef NDEBUG
  out.build = "optimized";
#else
  out.build = "debug";
#endif
  out.eigen = fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  out.blas = blas_description();
  return out;
}

Machine this_machine() {
  Machine out;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; out.processor.empty() && std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) out.processor = line.substr(colon + 2);
  }
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) out.cores = CPU_COUNT(&allowed);
  return out;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

NamedTexts used_options(const Spec& spec, const std::vector<OptionInfo>& defaults) {
  NamedTexts out;
  for (const OptionInfo& option : defaults) {
    std::string text;
    bool given = false;
    for (const auto& [name, value] : spec.arguments) {
      if (name != option.name) continue;
      // An option that is given several times is a list.
      text += given ? "," + value : value;
      given = true;
    }
    out.emplace_back(option.name, given ? text : option.value);
  }
  return out;
}

Verdict verdict_of(const Summary& summary, std::vector<std::pair<std::string, double>> metrics) {
  return {to_string(summary.termination), summary.message,    summary.initial_value, summary.value,
          summary.gradient_norm,          std::move(metrics), summary.progress};
}

void write_run_record(const std::filesystem::path& path, const RunRecord& record) {
  Json json = {{"format", kRunRecordFormat},
               {"problem", json_of(record.problem)},
               {"optimizer", json_of(record.optimizer)},
               {"seed", record.seed},
               {"precision", record.precision},
               {"threads", record.threads},
               {"batch_size", record.batch_size},
               {"budget", record.budget},
               {"settings", json_of(record.settings)},
               {"description", record.description},
               {"parameters", record.parameters},
               {"software",
                {{"hesse", record.software.hesse},
                 {"compiler", record.software.compiler},
                 {"build", record.software.build},
                 {"eigen", record.software.eigen},
                 {"blas", record.software.blas}}},
               {"machine", {{"processor", record.machine.processor}, {"cores", record.machine.cores}}},
               {"started", record.started},
               {"verdict", record.verdict ? json_of(*record.verdict) : Json()}};
  if (record.higher_is_better) json["higher_is_better"] = *record.higher_is_better;
  write_file(path, json_text(json));
}

RunRecord read_run_record(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const JsonView view(json, path.string());
  const std::int64_t format = view.at("format").integer();
  if (format != kRunRecordFormat) {
    view.at("format").refuse(
        fmt::format("records of format {} cannot be read, only those of format {}", format, kRunRecordFormat));
  }
  view.allow_only({"format", "problem", "optimizer", "seed", "precision", "threads", "batch_size", "budget", "settings",
                   "description", "parameters", "software", "machine", "started", "verdict", "higher_is_better"});
  RunRecord record;
  record.problem = recorded_spec(view.at("problem"));
  record.optimizer = recorded_spec(view.at("optimizer"));
  record.seed = view.at("seed").unsigned_integer();
  record.precision = view.at("precision").text();
  record.threads = static_cast<int>(view.at("threads").integer());
  record.batch_size = view.at("batch_size").integer();
  record.budget = view.at("budget").text();
  record.settings = named_texts(view.at("settings"));
  record.description = view.at("description").text();
  record.parameters = view.at("parameters").integer();
  if (view.has("higher_is_better")) {
    record.higher_is_better.emplace();
    for (const JsonView& name : view.at("higher_is_better").elements()) record.higher_is_better->push_back(name.text());
  }
  const JsonView software = view.at("software");
  software.allow_only({"hesse", "compiler", "build", "eigen", "blas"});
  record.software = {software.at("hesse").text(), software.at("compiler").text(), software.at("build").text(),
                     software.at("eigen").text(), software.at("blas").text()};
  const JsonView machine = view.at("machine");
  machine.allow_only({"processor", "cores"});
  record.machine = {machine.at("processor").text(), static_cast<int>(machine.at("cores").integer())};
  record.started = view.at("started").text();
  if (const JsonView verdict = view.at("verdict"); !verdict.is_null()) record.verdict = verdict_from(verdict);
  return record;
}

RecordedRun read_run(const std::filesystem::path& folder) {
  RecordedRun run;
  run.folder = folder;
  run.record = read_run_record(folder / kRunFile);
  if (std::filesystem::exists(folder / kTraceFile)) run.trace = read_trace(folder / kTraceFile);
  return run;
}

std::vector<RecordedRun> read_runs(const std::filesystem::path& root) {
  std::error_code error;
  std::vector<std::filesystem::path> folders;
  if (std::filesystem::exists(root / kRunFile, error)) folders.push_back(root);
  for (std::filesystem::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory() && std::filesystem::exists(at->path() / kRunFile)) folders.push_back(at->path());
  }
  if (error) fail("{}: cannot read the folder: {}", root.string(), error.message());
  std::sort(folders.begin(), folders.end());
  std::vector<RecordedRun> runs;
  for (const auto& folder : folders) runs.push_back(read_run(folder));
  return runs;
}

}  // namespace hesse
