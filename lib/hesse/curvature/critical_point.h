/// \file
/// What kind of point a method has come to: a minimum, a maximum, a saddle, or none of them.
///
/// A small gradient says only that f is flat to first order. The kind is read off the eigenvalues of the Hessian, each
/// known only up to an error, and an eigenvalue within its error of 0 decides nothing: the point is then called
/// degenerate, since terms of higher order decide (x^4 and -x^4 have the same Hessian at 0).
///
/// The error of an eigenvalue (Weyl's inequality for each part) is the sum of
///
///     n eps |H|            what LAPACK's factorisation and the products round off
///     noise |H|            relative noise of the objective, which single precision makes large
///     |H - H'|_2           the asymmetry found in the products
///     2 |H(x + p) - H(x)|  with p the Newton step from x to the stationary point nearby, which lies within 2 |p|
///                          (Kantorovich's theorem; Nocedal and Wright 2006, section 11.1)
///
/// The gradient itself cannot be smaller than what rounding x to double precision changes in it, and no method that
/// compares values of f comes nearer to the stationary point than f can tell. So a point counts as stationary when
///
///     |g| <= max(gradient_tolerance, 100 eps | |H| |x| |_2)      with |H| |x| taken entry by entry, or
///     1/2 g'|H|^-1 g <= 100 noise |f|                            what Newton's step would change in f
///
/// (a method that converges linearly stops with many steps left that each change f by less than its noise), where along
/// eigenvectors whose eigenvalues are 0 within their error the first has to hold.
#pragma once

#include "hesse/linalg/eigen.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>

namespace hesse {

enum class CriticalKind {
  minimum,         ///< every eigenvalue found is positive beyond its error
  saddle,          ///< both signs were found beyond their error
  maximum,         ///< every eigenvalue is negative beyond its error
  degenerate,      ///< an eigenvalue lies within its error of 0, and those beyond have one sign
  not_stationary,  ///< the gradient is larger than its tolerance
  undecided,       ///< the eigensolver did not converge, and what it found shows no negative direction
  non_finite,      ///< x, f, g or a product is NaN or infinite
};
/// "minimum", "saddle", ..., "not stationary".
const char* to_string(CriticalKind kind);

struct ClassifyOptions {
  /// On |g|_2, >= 0; raised to what the rounding of x explains.
  double gradient_tolerance = 1e-8;
  /// Up to this many variables the Hessian is formed and factorised, which certifies the kind. n products and 9 n^3
  /// flops, and once more for the Hessian at x + p.
  Index dense_limit = 2000;
  /// Eigenpairs that are sought at the lower end of a larger Hessian, >= 1.
  Index negative_directions = 4;
  double eigen_tolerance = 1e-6;  ///< of those, relative to |H|
  Index max_restarts = 30;        ///< of the search for them, >= 1; where it does not converge the kind is undecided
  std::uint64_t seed = 0;         ///< of their start vectors
};

struct CriticalPoint {
  CriticalKind kind = CriticalKind::non_finite;
  /// Eigenvalues below minus their error: all of them when certified, else those that were found.
  Index index = 0;
  double least_eigenvalue = 0;
  double largest_eigenvalue = 0;
  double eigenvalue_error = 0;    ///< bound on the error of both
  bool certified = false;         ///< all eigenvalues are known
  Vector escape_direction;        ///< unit vector v with v'Hv < 0 and g'v <= 0; empty when the index is 0
  double value = 0;               ///< f at the point
  double gradient_norm = 0;       ///< |g|_2
  double gradient_tolerance = 0;  ///< what |g|_2 was held against
  double newton_change = 0;       ///< 1/2 g'|H|^-1 g; NaN when not certified, since it takes all eigenvalues
  Index products = 0;             ///< Hessian products spent
  std::string message;            ///< one sentence with the numbers

  /// A minimum, or a degenerate point without a direction of negative curvature.
  bool may_be_minimum() const {
    return kind == CriticalKind::minimum || (kind == CriticalKind::degenerate && index == 0);
  }
};

/// Classifies x by the exact Hessian of f on its selected samples. A point that is not stationary still has its
/// eigenvalues reported. Throws Error when f has no Hessian or x has the wrong size.
CriticalPoint classify(Objective& f, const Vector& x, const ClassifyOptions& options = {});

}  // namespace hesse
