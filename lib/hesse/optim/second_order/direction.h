/// \file
/// The first half of a Newton-type method: a local model of f at a point,
///
///     m(s) = f + g's + 1/2 s'B s,
///
/// and the direction that it suggests. The other half, a Globalization, decides how far to go (globalization.h), and
/// Globalized joins the two into an optimizer (globalized.h). So every direction goes with every globalisation that can
/// use it: Newton with a line search or in a trust region, BFGS likewise, Gauss-Newton by Levenberg and Marquardt.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/linalg/block_jacobian.h"
#include "hesse/linalg/linear_operator.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/optimizer.h"

#include <memory>
#include <string>

namespace hesse {

/// A point from which a step is made, with what is known there.
struct Point {
  const Vector& x;
  const Vector& g;
  double value;
  double gradient_norm;
};

/// How the search direction came about.
struct DirectionReport {
  bool finite = true;               ///< false: the model met NaN or infinity
  Index inner_iterations = 0;       ///< products or factorisations spent
  bool negative_curvature = false;  ///< the model is not convex, as far as was seen
};

/// J and r at a point, for globalisations that know least squares.
struct LeastSquaresModel {
  const Matrix* jacobian;           ///< dense, or null
  const BlockJacobian* blocks;      ///< in blocks, or null
  const BlockStructure* structure;  ///< of these blocks, or null; known before any point is
  const Vector& residuals;

  bool all_finite() const;
};

/// How exactly an iterative solution of the model's equations is wanted.
struct InnerLimits {
  double tolerance = 0;      ///< on |g + B s|
  Index max_iterations = 0;  ///< products with B; 0: no bound
};

/// How the matrix B of a model is known.
enum class ModelMatrix {
  none,      ///< not at all: the method gives directions alone
  products,  ///< by its products with vectors
  entries,   ///< by its entries too
};

/// A model and the direction it suggests. Owns its curvature pairs and its workspace; allocates nothing after the first
/// steps of a size.
class Direction {
 public:
  virtual ~Direction() = default;

  /// The objective through which trial points are evaluated: f, or one that keeps what prepare() will ask for (a
  /// Jacobian), so that nothing is computed twice at a point. Valid until the next call.
  virtual Objective& evaluator(Objective& f) { return f; }

  /// Called before anything else at each point from which a step is made: evaluates there what the model needs (a
  /// Hessian, a Jacobian, a linearisation).
  virtual void prepare(Objective& /*f*/, const Point& /*at*/) {}

  /// False for methods whose model may be indefinite and is not inverted: they want a trust region.
  virtual bool suits_line_search() const { return true; }
  /// Writes the step that a line search shall try into d. Where the model is convex it minimises m.
  virtual DirectionReport direction(const Point& at, Vector& d) = 0;

  /// The multiple of d that a line search tries first.
  virtual double first_step(const Point& /*at*/, const Vector& /*d*/) const { return 1; }

  virtual ModelMatrix matrix_form() const { return ModelMatrix::none; }
  /// B at the prepared point, which changes with update(); null where the method has no matrix.
  virtual const LinearOperator* matrix() { return nullptr; }
  /// The same as entries; null where it is not formed.
  virtual const Matrix* dense_matrix() { return nullptr; }
  /// The inverse of B where the method keeps that, else null: an estimate of the inverse Hessian at the last point,
  /// such as the covariance of an estimate is read from. Lives as long as the method and changes with it.
  virtual const LinearOperator* inverse_matrix() { return nullptr; }
  /// Null unless the model is Gauss and Newton's. Jacobian and residuals are those of the prepared point.
  virtual const LeastSquaresModel* least_squares() const { return nullptr; }

  /// What an iterative solver of the model shall reach. By default min(1/2, sqrt|g|) |g| (Nocedal and Wright 2006,
  /// Algorithm 7.1), for superlinear convergence.
  virtual InnerLimits inner_limits(const Point& at) const;

  /// Learns from a step s that was made and the change y of the gradient over it.
  virtual void update(const Vector& /*s*/, const Vector& /*y*/) {}
  /// True for methods whose matrix also learns from trial points that are not accepted.
  virtual bool learns_from_rejected() const { return false; }
  /// Drops what was learnt, so that the next direction is along the gradient. False when there was nothing to drop.
  virtual bool forget() { return false; }

  /// Names every number that the next steps depend on.
  virtual StateView state() { return {}; }
};

/// What building a direction needs besides its options.
struct DirectionContext {
  Objective& objective;
  std::uint64_t seed;
};

using DirectionRegistry = Registry<std::unique_ptr<Direction>, const DirectionContext&>;

/// A direction by name, with the globalisation that it has when none is named.
struct DirectionEntry {
  DirectionRegistry::Entry entry;
  std::string globalization;  ///< in the grammar of core/options.h: "trust-region:subproblem=steihaug"
};

/// Entry for a direction that is built from its options and the objective's size alone.
template <class Method, class Options>
DirectionEntry direction_entry(std::string name, std::string summary, std::string source, std::string globalization) {
  return {registry_entry<Options, std::unique_ptr<Direction>, const DirectionContext&>(
              std::move(name), std::move(summary), std::move(source),
              [](const Options& options, const DirectionContext&) -> std::unique_ptr<Direction> {
                return std::make_unique<Method>(options);
              }),
          std::move(globalization)};
}

/// Every direction.
const DirectionRegistry& directions();
/// The globalisation that a direction has by itself. Throws Error when there is no such direction.
const std::string& default_globalization(std::string_view direction);

}  // namespace hesse
