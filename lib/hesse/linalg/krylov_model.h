/// \file
/// A quadratic model g's + 1/2 s'A s with A known by products, minimised in the Krylov space of g under a bound (GLTR;
/// Gould, Lucidi, Roma and Toint 1999) or with a cubic term (Cartis, Gould and Toint 2011a, section 6.2). In the basis
/// of k Lanczos vectors the problem is the same with the tridiagonal T and |g| e_1, which spectral_model.h solves
/// exactly; the step is good when the part of (A + lambda I) s + g outside the space,
///
///     residual = |A Q - Q T| |h_k|,   h the solution in the basis,
///
/// is small. In exact arithmetic the space holds the global minimiser except in the hard case, of which a Krylov method
/// sees nothing. k products, 4 n k^2 flops, n k memory.
#pragma once

#include "hesse/linalg/lanczos.h"
#include "hesse/linalg/linear_operator.h"
#include "hesse/linalg/spectral_model.h"

namespace hesse {

/// How exactly the model is minimised.
struct KrylovModelOptions {
  double tolerance = 0;      ///< on the residual
  Index max_products = 250;  ///< k at most, >= 1; memory is n times this
};

/// A step in the Krylov space, and what the model promises of it.
struct KrylovStep {
  bool finite = true;               ///< false: a product was not
  bool converged = false;           ///< residual <= tolerance, or the space is invariant
  bool negative_curvature = false;  ///< T has a negative eigenvalue
  Index products = 0;
  double lambda = 0;
  double decrease = 0;  ///< m(0) - m(s) >= 0
  double residual = 0;
};

/// Keeps its space between calls at one point, so that another radius or sigma costs products only where it needs a
/// larger space.
class KrylovModel {
 public:
  /// A new point: forgets the space. g not 0.
  void start(const Vector& g, const KrylovModelOptions& options);
  KrylovStep in_ball(const LinearOperator& A, double radius, Vector& s);
  KrylovStep with_cubic(const LinearOperator& A, double sigma, Vector& s);

 private:
  template <class Solve>
  KrylovStep solve(const LinearOperator& A, const Solve& in_space, Vector& s);

  KrylovModelOptions options_;
  Lanczos lanczos_;
  SpectralModel model_;
  Matrix projected_;
  Vector gradient_;  // |g| e_1
  Vector h_;
  double g_norm_ = 0;
};

}  // namespace hesse
