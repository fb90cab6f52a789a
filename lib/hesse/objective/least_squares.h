/// \file
/// The structure of a nonlinear least-squares problem
///
///     f(x) = 1/2 |r(x)|^2,   r : R^n -> R^m
///
/// for methods that use residuals and their Jacobian: Gauss-Newton, Levenberg-Marquardt, and the bridge to Ceres, which
/// has the same factor 1/2.
#pragma once

#include "hesse/core/types.h"
#include "hesse/linalg/block_jacobian.h"

namespace hesse {

/// Residuals without their Jacobian: what LeastSquares and BlockLeastSquares share. Implemented beside Objective;
/// find_whole<Residuals>(f) looks for it, and finds none behind a penalty. Calls through this interface are not seen by
/// CountingObjective: who makes them charges them (see charge() in counting_objective.h).
class Residuals {
 public:
  virtual ~Residuals() = default;

  /// m.
  virtual Index residual_count() const = 0;

  /// Writes r(x) into r, which is resized to m. Costs a value of f.
  virtual void residuals(const Vector& x, Vector& r) = 0;

  /// Writes the second directional derivative d^2 r(x + t v) / dt^2 at t = 0 into rvv, resized to m: what geodesic
  /// acceleration needs (Transtrum and Sethna 2012, eq. (11)). Costs about two values of f.
  virtual void second_derivative_along(const Vector& x, const Vector& v, Vector& rvv) = 0;
};

/// With a dense Jacobian.
class LeastSquares : public Residuals {
 public:
  /// Writes r(x) and the Jacobian J, m x n with J(i, j) = dr_i / dx_j. Costs a gradient of f.
  virtual void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) = 0;
};

/// With a Jacobian of small blocks, for problems of many variables of which each residual sees a few.
class BlockLeastSquares : public Residuals {
 public:
  /// The same for the life of the objective.
  virtual const BlockStructure& block_structure() const = 0;

  /// Writes r(x) and the Jacobian, and binds J to the structure. Costs a gradient of f.
  virtual void residuals_and_jacobian(const Vector& x, Vector& r, BlockJacobian& J) = 0;
};

}  // namespace hesse
