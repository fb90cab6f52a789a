/// \file
/// Mode connectivity: a curve of low loss between two points (Garipov, Izmailov, Podoprikhin, Vetrov and Wilson 2018;
/// Draxler et al. 2018).
///
/// The bend theta of a path phi(t; theta) is found by minimising the mean loss along it (Garipov et al., eq. 2),
///
///     F(theta) = E_{t ~ U(0,1)} f(phi(t; theta)),   grad F = E c(t) f'(phi(t)),   Hess F = E c(t)^2 f''(phi(t))
///
/// with c(t) the weight of theta in phi. F is an Objective like any other, so every optimizer minimises it.
#pragma once

#include "hesse/landscape/path.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/minimize.h"

#include <cstdint>
#include <memory>
#include <string>

namespace hesse {

/// F with the mean over t taken at K nodes, one in each K-th part of [0, 1]. On all samples they are the middles of the
/// parts (the midpoint rule, whose error is of order K^-2), so that F is one smooth function; where f is a finite sum
/// and a batch is selected, each is uniform in its part, as a function of (seed, batch): then gradients are unbiased.
/// The objective is then a finite sum too, over the samples of f. Its curvature holds K linearisations of f. A call
/// costs K calls of f, and prices and samples are those of f: costs are in units of a gradient of F. `f` must outlive
/// it.
///
/// Throws Error on a segment, which has no bend, on ends of the wrong size, and unless nodes is even (so that no part
/// holds the kink of a polygon) and >= 2.
std::unique_ptr<Objective> make_curve_objective(Objective& f, const Path& path, Index nodes, std::uint64_t seed);

/// How a curve between two points is trained.
struct ConnectOptions {
  PathKind kind = PathKind::bezier;
  Index nodes = 16;                 ///< K above
  std::string optimizer = "lbfgs";  ///< as optim/registry.h has it
  Stopping stopping = {.max_steps = 100};
  Batches batches = {};  ///< for optimizers that are to see batches
  /// Theta starts at the middle of the segment, moved by this share of |B - A| in a random direction: by symmetry the
  /// middle itself can be a stationary point from which no gradient leads away. >= 0.
  double perturbation = 0.01;
  std::uint64_t seed = 0;
  ProfileOptions profile = {.points = 61};
};

/// The curve between two points, and what the loss does along it.
struct Connection {
  Path path;            ///< with the bend that was found
  Summary training;     ///< of F
  PathProfile segment;  ///< f along the straight line between the ends
  PathProfile curve;    ///< f along the path
  double distance = 0;  ///< |B - A|
  double length = 0;    ///< of the path
};

/// Trains a path from A to B and measures it beside the segment, both on all samples, which it leaves selected. F is a
/// mean, so that its minimum need not have the least possible highest point. Throws Error as make_curve_objective and
/// make_optimizer do.
Connection connect(Objective& f, const Vector& A, const Vector& B, const ConnectOptions& options = {});

}  // namespace hesse
