/// \file
/// The step of Levenberg and Marquardt,
///
///     s(lambda) = argmin |J s + r|^2 + lambda |D s|^2,
///
/// for several lambda at one point. Three ways:
///
///     qr      J D^-1 = Q R once a point. Each lambda then takes n (n + 1) / 2 plane rotations, which bring
///             [R; sqrt(lambda) I] to triangular form S (More 1978, section 3), O(n^3). Where the rank is not full, the
///             singular values of R give the steps of least norm.
///     schur   elimination of the variables that share no residual (linalg/schur_complement.h)
///     cg      conjugate gradients on the normal equations in the variables D s, with nothing formed but products
#pragma once

#include "hesse/optim/second_order/direction.h"

#include <memory>
#include <string>

namespace hesse {

enum class LeastSquaresSolver { automatic, qr, schur, cg };

/// One of the three ways, bound to a point at a time.
class DampedLeastSquares {
 public:
  virtual ~DampedLeastSquares() = default;

  /// Binds J and r of the model as they are now; norms of the columns of J.
  virtual void bind(const LeastSquaresModel& model, Vector& column_norms) = 0;
  /// D, its diagonal > 0. After bind(), once a point.
  virtual void scale_by(const Vector& scale) = 0;

  /// s(lambda). `forcing` bounds the residual of the scaled normal equations relative to that at s = 0; direct methods
  /// ignore it. False when there is no finite one.
  virtual bool solve(double lambda, double forcing, Vector& s) = 0;
  /// The same with b in place of r.
  virtual bool solve_for(const Vector& b, double lambda, double forcing, Vector& s) = 0;
  /// J s.
  virtual void multiply(const Vector& s, Vector& Js) const = 0;

  /// lambda >= 0 with |D s(lambda)| = radius within 10 %, or 0 where s(0) is inside (More 1978, section 5). Only where
  /// finds_multipliers().
  virtual double multiplier(double /*radius*/) { return 0; }
  virtual bool finds_multipliers() const { return false; }
  /// True when solve() gives the minimiser to working precision.
  virtual bool is_direct() const { return true; }
  /// Of the last solution: iterations, or 1.
  virtual Index iterations() const { return 1; }
};

/// What the solver is for a model, when it is left to choose: qr for a dense Jacobian, schur for blocks of which some
/// can be eliminated, cg for others.
LeastSquaresSolver solver_for(const LeastSquaresModel& model, LeastSquaresSolver asked);

/// Why this solver does not go with such a model, or empty.
std::string solver_misfit(const LeastSquaresModel& model, LeastSquaresSolver solver);

std::unique_ptr<DampedLeastSquares> make_damped_least_squares(LeastSquaresSolver solver);

}  // namespace hesse
