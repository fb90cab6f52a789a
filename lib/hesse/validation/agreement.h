/// \file
/// How well two answers to one problem agree: in digits, in the distance of the points, and as a verdict.
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <string>
#include <vector>

namespace hesse {

/// Doubles hold fifteen digits; more agreement than that is not told apart.
inline constexpr double kMostDigits = 15;

/// Log relative error, the correct digits of `a` when `b` is right (McCullough 1998, eq. (1); NIST's StRD):
///
///     LRE = -log10(|a - b| / |b|),    -log10 |a|  when b = 0,
///
/// cut to [0, cap]; 0 when either is not finite.
double log_relative_error(double a, double b, double cap = kMostDigits);
/// The least over the entries. Throws Error when the sizes differ; `cap` for empty vectors.
double log_relative_error(ConstVectorView a, ConstVectorView b, double cap = kMostDigits);

/// Least |x - y'|_2 over the images y' of y under the symmetries that a list of equal minimisers shows: where x is next
/// to m_i and y next to m_j, y' = y - m_j + m_i. |x - y|_2 when the list is empty. NaN when x or y is not finite.
double distance_up_to_minimisers(const Vector& x, const Vector& y, const std::vector<Vector>& minimisers);

/// A network inputs -> hidden -> outputs with one hidden layer, whose parameters are stored as nn/network.h stores
/// them: W1 row-major, b1, W2 row-major, b2.
struct HiddenLayer {
  Index inputs = 0;
  Index hidden = 0;
  Index outputs = 0;
  bool odd = false;  ///< the activation is odd (tanh), so that turning all signs of a unit changes nothing
};

/// The shape of f's network, when f is one (below decorators) with dense layers, one hidden layer and an activation on
/// it; hidden = 0 otherwise.
HiddenLayer hidden_layer_of(Objective& f);

/// Least |x - y'|_2 over the permutations of the hidden units and, for an odd activation, the signs of each: the
/// symmetries of such networks (Sussmann 1992). A linear assignment problem between units, O(hidden^3). Throws Error
/// when the sizes do not fit.
double distance_up_to_units(const Vector& x, const Vector& y, const HiddenLayer& network);

/// The assignment of rows to columns of least total cost, `cost` square and finite: result[i] is the column of row i.
/// The shortest augmenting paths of Jonker and Volgenant (1987), O(n^3).
std::vector<Index> least_cost_assignment(const Matrix& cost);

/// What two answers to one problem are to each other.
enum class Agreement {
  agree,           ///< both arrived, at one minimum
  agree_in_value,  ///< both arrived, at points apart whose values agree
  hesse_better,    ///< only Hesse arrived, or it arrived at a lower minimum
  ceres_better,    ///< only Ceres arrived, or it arrived at a lower minimum
  both_failed,     ///< neither arrived
};
/// "agree", "agree in value", "hesse better", ...
const char* to_string(Agreement agreement);

/// What the verdict needs to know of one side, all of it from our own evaluation at the point it returned.
struct Answer {
  bool arrived = false;  ///< at a point that we accept as a minimum
  double value = 0;      ///< f there
  std::string kind;      ///< "a saddle", "not stationary", ...: why it has not arrived
};

/// How near is equal.
struct AgreementOptions {
  double digits = 8;           ///< of the values, for them to count as one
  double value_floor = 1e-20;  ///< values closer than this are one, as two sums of squares that vanish are
  double distance = 1e-5;      ///< |x - y|_2 / max(1, |x|_2) up to which the points are one
  /// Documented minima: values that agree with the same one agree with each other. At a minimum of 0, where two
  /// roundings share no digit, this is what tells that they are one.
  std::vector<double> documented = {};
};

/// What two answers are to each other, and why.
struct AgreementVerdict {
  Agreement agreement = Agreement::both_failed;
  /// LRE of Hesse's value against Ceres', or the lesser of those of both against a documented minimum where that is
  /// more; kMostDigits within the floor.
  double digits = 0;
  std::string message;  ///< one sentence
};

/// `distance` is |x - y| up to symmetries and relative to max(1, |x|).
AgreementVerdict judge(const Answer& hesse, const Answer& ceres, double distance, const AgreementOptions& options = {});

}  // namespace hesse
