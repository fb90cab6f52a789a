/// \file
/// A problem by name: an objective, where to start, and how its points are judged.
#pragma once

#include "hesse/core/precision.h"
#include "hesse/core/registry.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hesse {

class NetworkObjective;

/// Makes a network's objective, as often as it is called, whose curvature remembers at most so many bytes.
using MakeNetwork = std::function<std::unique_ptr<NetworkObjective>(double memory_budget)>;
/// Makes one of such objectives that takes only a share of the samples in hand, with others elsewhere
/// (distributed/distributed_objective.h).
using ShareNetwork = std::function<std::unique_ptr<NetworkObjective>(const MakeNetwork&)>;

/// A figure of merit at a point, on data that training does not see or in other units than the
/// objective's: test loss, test accuracy, reconstruction error. Its cost is not counted.
struct Metric {
  std::string name;  ///< "test_loss", "test_accuracy": a column of the trace
  bool higher_is_better = false;
  std::function<double(const Vector&)> evaluate;
};

/// Everything that a comparison needs to know of a problem.
struct Problem {
  std::unique_ptr<Objective> objective;
  /// The objective on all training samples, evaluated apart from `objective` so that neither its
  /// batch nor its state is disturbed.
  std::function<double(const Vector&)> value;
  /// The starting point of a seed; the same for every optimizer.
  std::function<Vector(std::uint64_t seed)> start;
  std::vector<Metric> metrics;
  /// The global minimum and the points where it is attained, where known.
  std::optional<double> minimum_value;
  std::vector<Vector> minimisers;
  /// Values of documented local minima that are not global.
  std::vector<double> local_minima;
  /// mu > 0 with every eigenvalue of the Hessian at least mu everywhere, so that there is one minimum and
  /// f(x) - min f <= |g|^2 / (2 mu) (Nesterov 2004, (2.1.19)); 0 where none is known.
  double strong_convexity = 0;
  /// Certified standard errors of the parameters at the minimiser, where a reference gives them (least squares).
  Vector standard_errors;
  /// How its sums over samples are shared; empty where every process computes all of them.
  ShareNetwork share;
  /// What a person should know: data set, samples, parameters.
  std::string description;
};

/// What building a problem needs besides its options.
struct ProblemContext {
  Precision precision = Precision::float32;
  ShareNetwork share = {};  ///< for networks whose loss is a sum over samples; empty: they are not shared
};

using ProblemRegistry = Registry<Problem, const ProblemContext&>;
using ProblemEntry = ProblemRegistry::Entry;

/// Every problem by name. A new one is one file and one line in registry.cc.
const ProblemRegistry& problems();

}  // namespace hesse
