#include "analysed_point.h"

#include "command_line.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/run_record.h"
#include "hesse/report/weights.h"

#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

namespace hesse::app {
namespace {

namespace fs = std::filesystem;

ReadPoint read_run(const fs::path& folder, const ParameterLayout& layout) {
  const fs::path newest = folder / kCheckpointFile;
  const fs::path previous = folder / kPreviousCheckpointFile;
  try {
    return {load_parameters(newest, layout), newest.string()};
  } catch (const Error& e) {
    if (!fs::exists(previous)) throw;
    Vector x = load_parameters(previous, layout);
    fmt::print(stderr, "hesse: warning: {}; the checkpoint before it is used\n", e.what());
    return {std::move(x), previous.string()};
  }
}

ReadPoint read_weights(const std::string& path, const ParameterLayout& layout) {
  Weights weights = load_weights(path, layout);
  std::vector<std::string> renamed;
  for (std::size_t b = 0; b < weights.names.size(); ++b) {
    const std::string& block = layout.blocks()[b].name;
    if (weights.names[b] != block) renamed.push_back(fmt::format("{} is {}", weights.names[b], block));
  }
  if (!renamed.empty() && !quiet()) fmt::print(stderr, "hesse: {}: {}\n", path, fmt::join(renamed, ", "));
  return {std::move(weights.x), path};
}

void select_samples(Objective& f, const PointOptions& options) {
  auto* const sum = find<FiniteSum>(f);
  if (sum == nullptr) fail("--subset {}: the problem is no mean over samples", options.subset);
  if (options.subset > sum->sample_count()) {
    fail("--subset {}: there are {}", options.subset, sum->sample_count());
  }
  SubsetSampler sampler;
  sum->select(sampler.draw(sum->sample_count(), options.subset,
                           RandomStream(static_cast<std::uint64_t>(options.seed), Purpose::curvature_samples)));
}

}  // namespace

void visit_point_options(PointOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...; taken from the run when a point names one");
  v.option("at", o.at, "point: a run's folder or a safetensors file; the start of the seed when left out");
  v.option("weights", o.weights,
           "point: a network trained elsewhere, as a safetensors file or a folder of NAME.npy with the problem's names "
           "or PyTorch's");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of all random vectors");
  v.option("subset", o.subset, Interval::closed(0, 9e15),
           "samples that the loss is the mean over, drawn by the seed; 0 for all");
  visit_precision(o.precision, v);
}

AnalysedPoint load_point(const PointOptions& options) {
  if (!options.at.empty() && !options.weights.empty()) fail("give --at or --weights, not both");
  if (options.problem.empty() && !options.weights.empty()) {
    fail("--weights needs the network that they are of; name it by --problem");
  }
  if (!options.at.empty() && !fs::exists(options.at)) {
    fail("--at: there is no '{}'; give a run's folder or a safetensors file", options.at);
  }
  AnalysedPoint point;
  point.specification = options.problem.empty() ? recorded_problem({&options.at, 1}) : options.problem;
  point.problem = make_problem(point.specification, options.precision);
  if (options.subset > 0) select_samples(*point.problem.objective, options);
  const ParameterLayout& layout = point.problem.objective->layout();
  ReadPoint read;
  if (!options.weights.empty()) {
    read = load_point_of(point.problem, options.weights);
  } else if (options.at.empty()) {
    read = {point.problem.start(static_cast<std::uint64_t>(options.seed)),
            fmt::format("start of seed {}", options.seed)};
  } else if (fs::is_directory(options.at)) {
    read = read_run(options.at, layout);
  } else {
    read = {load_parameters(options.at, layout), options.at};
  }
  point.x = std::move(read.x);
  point.at = std::move(read.at);
  return point;
}

ReadPoint load_point_of(const Problem& problem, const std::string& at) {
  const ParameterLayout& layout = problem.objective->layout();
  return has_checkpoint(at) ? read_run(at, layout) : read_weights(at, layout);
}

std::string recorded_problem(std::span<const std::string> points) {
  for (const std::string& point : points) {
    if (point.empty()) continue;
    const fs::path record = (fs::is_directory(point) ? fs::path(point) : fs::path(point).parent_path()) / kRunFile;
    if (fs::exists(record)) return read_run_record(record).problem.text;
  }
  return {};
}

}  // namespace hesse::app
