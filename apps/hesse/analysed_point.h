/// \file
/// The point that an analysis is about: a problem, and where.
#pragma once

#include "hesse/core/options.h"
#include "hesse/problems/problem.h"

#include <span>
#include <string>

namespace hesse::app {

struct PointOptions {
  std::string problem;
  std::string at;
  std::string weights;
  Index seed = 1;
  Index subset = 0;
  Precision precision = Precision::float64;
};

/// Visits --problem, --at, --weights, --seed, --subset and --precision.
void visit_point_options(PointOptions& options, OptionVisitor& visitor);

struct AnalysedPoint {
  Problem problem;
  std::string specification;  ///< of the problem
  Vector x;
  std::string at;  ///< "start of seed 1", or the file that x was read from
};

/// Builds the problem and reads the point. `at` is a run's folder, whose newest checkpoint is read, or the one before
/// it with a warning where the newest is damaged; a safetensors file with a tensor for each block of the parameters; or
/// empty for the start of the seed. A problem that is not given is the run's own. `weights` are those of a network
/// trained elsewhere (report/weights.h); where its tensors have other names than the blocks, which became which is said
/// on stderr. Throws Error.
AnalysedPoint load_point(const PointOptions& options);

/// A point, and the file that it was read from.
struct ReadPoint {
  Vector x;
  std::string at;
};

/// Another point of the same problem: a run's folder, or a file or folder of weights as above, with the blocks' own
/// names or with others. Throws Error.
ReadPoint load_point_of(const Problem& problem, const std::string& at);

/// The problem of the first run among the points: each a run's folder, or a file in one. Empty where there is none.
std::string recorded_problem(std::span<const std::string> points);

}  // namespace hesse::app
