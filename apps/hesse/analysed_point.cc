#include "analysed_point.h"

#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/run_record.h"

#include <cstdio>
#include <filesystem>
#include <tuple>
#include <utility>

namespace hesse::app {
namespace {

namespace fs = std::filesystem;

/// The parameters and the file that they were read from.
std::pair<Vector, std::string> read_point(const fs::path& at, const ParameterLayout& layout) {
  if (!fs::is_directory(at)) return {load_parameters(at, layout), at.string()};
  const fs::path newest = at / kCheckpointFile;
  const fs::path previous = at / kPreviousCheckpointFile;
  try {
    return {load_parameters(newest, layout), newest.string()};
  } catch (const Error& e) {
    if (!fs::exists(previous)) throw;
    Vector x = load_parameters(previous, layout);
    fmt::print(stderr, "hesse: warning: {}; the checkpoint before it is used\n", e.what());
    return {std::move(x), previous.string()};
  }
}

}  // namespace

void visit_point_options(PointOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...; taken from the run when --at names one");
  v.option("at", o.at, "point: a run's folder or a safetensors file; the start of the seed when left out");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of all random vectors");
  visit_precision(o.precision, v);
}

AnalysedPoint load_point(const PointOptions& options) {
  AnalysedPoint point;
  point.specification = options.problem;
  const fs::path at = options.at;
  if (point.specification.empty() && !options.at.empty() && fs::exists(at / kRunFile)) {
    point.specification = read_run_record(at / kRunFile).problem.text;
  }
  point.problem = make_problem(point.specification, options.precision);
  if (options.at.empty()) {
    point.x = point.problem.start(static_cast<std::uint64_t>(options.seed));
    point.at = fmt::format("start of seed {}", options.seed);
  } else {
    std::tie(point.x, point.at) = read_point(at, point.problem.objective->layout());
  }
  return point;
}

Vector load_point_of(const Problem& problem, const std::string& at) {
  return read_point(at, problem.objective->layout()).first;
}

}  // namespace hesse::app
