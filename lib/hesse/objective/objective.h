/// \file
/// A loss, seen through three products at a point: its value, its gradient, and a curvature matrix
/// times a vector. Everything in Hesse is written against these three.
#pragma once

#include "hesse/core/cost.h"
#include "hesse/core/parameter_layout.h"
#include "hesse/core/precision.h"
#include "hesse/core/types.h"
#include "hesse/linalg/linear_operator.h"

#include <cstdint>
#include <memory>
#include <string>

namespace hesse {

/// Which curvature matrix. For a loss that is the negative log-likelihood of an exponential family
/// in its natural parameters (cross-entropy on logits, squared error) `fisher` equals
/// `gauss_newton` (Martens 2020, section 9.2).
enum class Curvature {
  hessian,           ///< exact second derivatives
  gauss_newton,      ///< generalised Gauss-Newton: J' H_L J (Schraudolph 2002)
  fisher,            ///< J' E_{y ~ model}[s s'] J, expectation taken exactly
  fisher_sampled,    ///< the same with one target drawn from the model for each sample
  fisher_empirical,  ///< J' s s' J with the targets of the data
  jacobian_gram,  ///< J'J of the outputs alone, whatever the loss: the tangent kernel J J' (Jacot et al. 2018) has its
                  ///< eigenvalues, those beyond the smaller size being 0
};

/// f : R^n -> R, twice differentiable almost everywhere.
///
/// Methods are not const because an objective owns its workspace; one objective serves one thread.
/// A non-finite result is returned as it is: whoever asked decides what it means.
class Objective {
 public:
  virtual ~Objective() = default;

  /// n, and the named blocks that x is made of. Fixed for the life of the objective.
  virtual const ParameterLayout& layout() const = 0;

  /// f(x).
  virtual double value(const Vector& x) = 0;

  /// Returns f(x) and writes the gradient into g, which is resized to n.
  virtual double value_and_gradient(const Vector& x, Vector& g) = 0;

  /// The curvature at x, linearised once: whatever the products share (activations, adjoints, a
  /// factorisation) is computed here, so that each product costs only itself. The operator stays
  /// valid for as long as it is held, whatever is asked of the objective meanwhile; one that is let
  /// go is recycled by the next call, which then allocates nothing. Throws Error when the objective
  /// has no such curvature.
  virtual std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) = 0;

  /// Samples that one call touches now, and in all; both 1 for a plain function.
  virtual Index samples() const { return 1; }
  virtual Index total_samples() const { return 1; }

  /// Price of each kind of call on the same samples.
  virtual CostWeights cost_weights() const { return {}; }

  /// Price of curvature(x, kind) itself, before any product: 0 when what it shares with the gradient at
  /// x is already there, else about a gradient.
  virtual double linearisation_cost(const Vector& /*x*/, Curvature /*kind*/) const { return 1.0; }

  /// Changes whenever f becomes another function (another batch): evaluations at one x under one
  /// revision agree.
  virtual std::uint64_t revision() const { return 0; }

  /// In what it computes its matrix products; a method computes its own in the same, unless they need more.
  virtual Precision precision() const { return Precision::float64; }

  /// Relative error to expect in a value from rounding alone: differences below it mean nothing.
  virtual double value_noise() const { return 1e-15; }

  /// Says what is not finite at x, in words for a person ("the loss of sample 17: logits of layer 2
  /// are infinite"); empty when everything is finite. Called after a failure, so it may be slow.
  virtual std::string explain_non_finite(const Vector& x);

  /// The objective that this one decorates, or null. See find().
  virtual Objective* decorated() { return nullptr; }
  /// True for a decorator whose value is another than that of the objective it decorates (a penalty added), false for
  /// one that looks on. Structure that stands for the whole of f is not found through the former: see find_whole().
  virtual bool changes_value() const { return false; }

  Index size() const { return layout().size(); }
};

/// Structure that only some objectives have (a finite sum, least squares, Kronecker factors) is a
/// separate interface that an objective also implements. Returns the first in the chain of
/// decorators that does, or null.
template <class Structure>
Structure* find(Objective& f) {
  for (Objective* at = &f; at != nullptr; at = at->decorated()) {
    if (auto* found = dynamic_cast<Structure*>(at)) return found;
  }
  return nullptr;
}

/// The same for structure that determines the whole of f, such as residuals: null also where a decorator on the way has
/// added to it.
template <class Structure>
Structure* find_whole(Objective& f) {
  for (Objective* at = &f; at != nullptr; at = at->decorated()) {
    if (auto* found = dynamic_cast<Structure*>(at)) return found;
    if (at->changes_value()) return nullptr;
  }
  return nullptr;
}

/// "hessian", "gauss-newton", "fisher", "fisher-sampled", "fisher-empirical".
const char* to_string(Curvature kind);

}  // namespace hesse
