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
///     4 |H(x + p) - H(x)|  with p the Newton step from x to the stationary point nearby, which lies within 2 |p|
///                          (Kantorovich's theorem; Nocedal and Wright 2006, section 11.1), and twice that: beside a
///                          degenerate point such as that of x^3 an eigenvalue is 2 |H(x + p) - H(x)| to first order
///
/// The gradient itself cannot be smaller than what rounding x to double precision changes in it, and no method that
/// compares values of f comes nearer to the stationary point than f can tell. So a point counts as stationary when
///
///     |g| <= max(gradient_tolerance, 100 eps | |H| |x| |_2)      with |H| |x| taken entry by entry, or
///     1/2 g'|H|^-1 g <= 100 noise |f|                            what Newton's step would change in f
///
/// (a method that converges linearly stops with many steps left that each change f by less than its noise), where along
/// eigenvectors whose eigenvalues are 0 within their error the first has to hold.
///
/// What is certified is the kind of the stationary point that Newton's step p leads to. With beta = 1 / min |lambda|
/// and L = |H(x + p) - H(x)| / |p|, h = beta L |p| <= 1/2 makes Kantorovich's theorem hold: there is one such point
/// within (1 - sqrt(1 - 2h)) / h |p| of x, and eigenvalues beyond the error above keep their signs on the way. L is
/// measured along p, not bounded over the ball: that the Hessian changes no faster elsewhere in it is the one
/// assumption made.
#pragma once

#include "hesse/curvature/higher_order.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <limits>
#include <string>

namespace hesse {

/// The kind of a point, as far as eigenvalues beyond their errors tell.
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

/// What counts as stationary, and how far the Hessian is looked at.
struct ClassifyOptions {
  /// On |g|_2, >= 0; raised to what the rounding of x explains.
  double gradient_tolerance = 1e-8;
  /// Up to this many variables the Hessian is formed and factorised, which certifies the kind. n products and 9 n^3
  /// flops, and once more for the Hessian at x + p.
  Index dense_limit = 2000;
  /// Beyond, up to this many variables, the Hessian is formed and its inertia counted (linalg/inertia.h), which
  /// certifies the kind too: n products, and n once more at x + p, and n^3 flops.
  Index inertia_limit = 0;
  /// Eigenpairs that are sought at the lower end of a larger Hessian, >= 1.
  Index negative_directions = 4;
  double eigen_tolerance = 1e-6;  ///< of those, relative to |H|; at most 1e-10 counts where H is formed
  Index max_restarts = 30;        ///< of the search for them, >= 1; where it does not converge the kind is undecided
  std::uint64_t seed = 0;         ///< of their start vectors
  /// Looks at third and fourth order where a certified point is degenerate (curvature/higher_order.h).
  bool higher_order = false;
  HigherOrderOptions higher_order_options;
};

/// Where the error of an eigenvalue comes from.
struct EigenvalueError {
  double rounding = 0;   ///< factorisation, products and noise of f
  double residual = 0;   ///< |H v - lambda v|, the largest; 0 where the matrix was factorised
  double asymmetry = 0;  ///< |H - H'|_2
  double drift = 0;      ///< 4 |H(x + p) - H(x)|
  double total() const { return rounding + residual + asymmetry + drift; }
};

/// The kind of a point with the figures that it follows from.
struct CriticalPoint {
  CriticalKind kind = CriticalKind::non_finite;
  /// Eigenvalues below minus their error: all of them when certified, else those that were found.
  Index index = 0;
  double least_eigenvalue = std::numeric_limits<double>::quiet_NaN();    ///< NaN where it is not known
  double largest_eigenvalue = std::numeric_limits<double>::quiet_NaN();  ///< likewise
  double eigenvalue_error = 0;  ///< bound on the error of both: what counts as 0
  EigenvalueError error;        ///< its parts
  bool drift_known = true;      ///< false where H is not finite at x + p: then all is said of x itself
  bool certified = false;       ///< the signs of all eigenvalues are known, or that they are 0 within the error
  Index positive = 0;           ///< eigenvalues beyond the error above 0, as many as are known
  Index flat = 0;               ///< eigenvalues within the error of 0, as many as are known
  /// Unit vectors v with v'Hv < 0 and g'v <= 0, the steepest first: up to options.negative_directions eigenvectors,
  /// none when the index is 0.
  Matrix escape_directions;
  HigherOrderTest higher_order;  ///< where it was asked for and the point is degenerate
  /// Kantorovich's h and the radius of the ball around x that holds the stationary point and no other; NaN where x is
  /// not certified, where an eigenvalue is 0 within the error, and where h > 1/2.
  double kantorovich = 0;
  double ball_radius = 0;
  double value = 0;               ///< f at the point
  double gradient_norm = 0;       ///< |g|_2
  double gradient_tolerance = 0;  ///< what |g|_2 was held against
  double newton_change = 0;       ///< 1/2 g'|H|^-1 g; NaN when not certified, since it takes all eigenvalues
  Index products = 0;             ///< Hessian products spent
  std::string message;            ///< one sentence with the numbers

  /// A minimum, or a degenerate point along no known direction of which f falls.
  bool may_be_minimum() const {
    return kind == CriticalKind::minimum || (kind == CriticalKind::degenerate && index == 0 && !higher_order.falls);
  }
  /// Share of the eigenvalues whose sign is known: those beyond the error, of n.
  double resolved_share(Index n) const {
    return n > 0 ? static_cast<double>(index + positive) / static_cast<double>(n) : 1.0;
  }
};

/// Classifies x by the exact Hessian of f on its selected samples. A point that is not stationary still has its
/// eigenvalues reported. Throws Error when f has no Hessian or x has the wrong size.
CriticalPoint classify(Objective& f, const Vector& x, const ClassifyOptions& options = {});

}  // namespace hesse
