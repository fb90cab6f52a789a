/// \file
/// What f does along the directions that its Hessian leaves flat: the terms of third and fourth order at a critical
/// point x with eigenvectors V of eigenvalue 0 and Q of the others, H Q = Q Lambda.
///
/// Moving by t v, v = V a of length 1, and letting the other coordinates follow to where they are stationary (Lyapunov
/// and Schmidt's reduction), f changes by
///
///     c(v) t^3 + q(v) t^4 + ...,     c = D^3 f[v,v,v] / 6,   q = D^4 f[v,v,v,v] / 24 - 1/8 w' Q Lambda^-1 Q' w,
///
/// with w = D^3 f[v,v,.]. Where c(v) is not 0, f rises and falls along v and x is no extremum. Where c is 0 on the
/// whole flat space and the other eigenvalues are positive, q < 0 for some v makes x no minimum and q > 0 for all v
/// makes it a strict one; with the signs turned, a maximum (Golubitsky and Schaeffer 1985, chapters I and VII).
///
/// The derivatives are central differences of Hessian products over steps halved again and again; what two in a row
/// differ by, which bounds the truncation, and the rounding are the error, and the step with the least of it counts.
/// And x is only near the critical point: if c is 0 there, x is within s = (gamma / 4|q|)^1/3 of it, gamma the gradient
/// along v, and c at x is at most 4|q| s; twice that is added to the error of c.
///
/// v'H v is held against what such an x allows, 12|q| s^2 + 6|c| s and rounding, likewise: where it is more, the
/// eigenvalue is small but not 0, and nothing is said of v. That c is 0 and not merely less than its error no finite
/// precision tells: a minimum is said to be one on that condition.
///
/// On two flat directions c and q are forms that five angles determine, and decided everywhere; on more, directions are
/// tried for one that decides, since whether a quartic form is positive is NP-hard (Murty and Kabadi 1987).
#pragma once

#include "hesse/objective/objective.h"

#include <cstdint>

namespace hesse {

/// What third and fourth order say of a degenerate point.
enum class HigherOrder {
  not_tested,   ///< nothing is flat, or nobody asked
  minimum,      ///< strict, by the fourth order, if no cubic term hides in its error
  maximum,      ///< likewise
  no_extremum,  ///< f falls one way and rises another
  flat,         ///< c and q are 0 within their errors wherever they were tried: a valley, as far as four orders tell
  undecided,
};
/// "minimum", "no extremum", ...
const char* to_string(HigherOrder verdict);

/// Which directions of a flat space are tried.
struct HigherOrderOptions {
  /// Of a flat space of more than two dimensions, as many basis vectors (or all) and as many random ones are tried.
  Index directions = 8;
  std::uint64_t seed = 0;  ///< of the random ones
};

/// The eigenvectors of the Hessian, by whether their eigenvalues are 0 within their error.
struct SplitSpectrum {
  Matrix flat;                ///< V, n x d
  Matrix curved;              ///< Q, n x (n - d)
  Vector curvatures;          ///< Lambda
  double error = 0;           ///< of a product with the Hessian and a unit vector: rounding and noise
  double gradient_error = 0;  ///< of the gradient: what the rounding of x makes of it
};

/// c and q along one direction.
struct HigherOrderTerms {
  double second = 0;        ///< v'H v
  double second_error = 0;  ///< what a degenerate point as near as the gradient says allows for it
  double third = 0;         ///< c
  double third_error = 0;
  double fourth = 0;  ///< q
  double fourth_error = 0;
  bool may_be_flat = true;  ///< second is within its error, and, where the cubic term is, of the sign of q
};

/// The verdict of third and fourth order, with the direction that decided.
struct HigherOrderTest {
  HigherOrder verdict = HigherOrder::not_tested;
  bool falls = false;    ///< f falls along some direction
  bool rises = false;    ///< f rises along some direction
  Index directions = 0;  ///< tried
  Vector direction;  ///< of unit length: the one that decided, else the one where |c| or |q| is most beyond its error
  HigherOrderTerms terms;  ///< along it
  Index products = 0;      ///< Hessian products spent, each with a linearisation of its own
};

/// c and q along the unit vector v = V a at x, where the gradient is g. Costs 29 linearisations with a product each. An
/// error is infinite where no two steps in a row gave finite products.
HigherOrderTerms higher_order_terms(Objective& f, const Vector& x, const Vector& g, const SplitSpectrum& spectrum,
                                    const Vector& v);

/// The test at x, where the gradient is g: one direction for one flat dimension, five for two.
HigherOrderTest higher_order_test(Objective& f, const Vector& x, const Vector& g, const SplitSpectrum& spectrum,
                                  const HigherOrderOptions& options = {});

}  // namespace hesse
