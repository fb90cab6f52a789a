#include "hesse/core/error.h"
#include "hesse/data/data_cache.h"
#include "hesse/objective/block_residual_objective.h"
#include "hesse/problems/problem.h"
#include "hesse/problems/reprojection.h"

#include <memory>
#include <utility>

namespace hesse {
namespace {

struct BundleOptions {
  std::string file;
};

void visit_options(BundleOptions& o, OptionVisitor& v) {
  v.option("file", o.file, "in the format of bundle adjustment in the large; default the fetched problem-16-22106-pre");
}

Problem make_bundle_adjustment(const BundleOptions& o, const ProblemContext&) {
  const std::string path = o.file.empty() ? fetched_file("bundle-adjustment", "problem-16-22106-pre.txt") : o.file;
  BundleAdjustment data = read_bundle_adjustment(path);
  using Objective = BlockResidualObjective<Reprojection>;
  const Index cameras = data.cameras.cols();
  const Index points = data.points.cols();
  const auto observations = static_cast<Index>(data.observations.size());
  std::vector<Index> variables = {0};
  for (Index c = 0; c < cameras; ++c) variables.push_back(variables.back() + 9);
  for (Index p = 0; p < points; ++p) variables.push_back(variables.back() + 3);
  std::vector<Objective::Uses> uses;
  uses.reserve(data.observations.size());
  for (const Observation& seen : data.observations) uses.push_back({seen.camera, cameras + seen.point});
  Vector start(variables.back());
  start << data.cameras.reshaped(), data.points.reshaped();

  Problem problem;
  problem.objective =
      std::make_unique<Objective>(Reprojection{std::move(data.observations)}, std::move(variables), uses, cameras);
  problem.value = [f = problem.objective.get()](const Vector& x) { return f->value(x); };
  problem.start = [start = std::move(start)](std::uint64_t) { return start; };
  // The minimum to which Ceres comes too, by its own reckoning and by ours.
  if (o.file.empty()) problem.local_minima = {18033.90347877143};
  problem.description =
      fmt::format("bundle adjustment of {} cameras and {} points in {} observations", cameras, points, observations);
  return problem;
}

}  // namespace

ProblemEntry bundle_adjustment_entry() {
  return registry_entry<BundleOptions, Problem, const ProblemContext&>(
      "bundle-adjustment", "cameras and points that explain images best, least squares of reprojection errors",
      "Agarwal, Snavely, Seitz and Szeliski (2010)", make_bundle_adjustment);
}

}  // namespace hesse
