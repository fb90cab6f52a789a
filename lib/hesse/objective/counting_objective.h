/// \file
/// A decorator that counts what an objective is asked for: values, gradients and products, each
/// weighted by the samples it touches, and their sum in gradient equivalents (core/cost.h).
#pragma once

#include "hesse/objective/objective.h"

#include <vector>

namespace hesse {

class CountingOperator;

/// Passes every call on. `inner` must outlive it; operators may outlive both and keep counting.
class CountingObjective final : public Objective {
 public:
  /// Counts on from `start`, which a resumed run takes from its checkpoint.
  explicit CountingObjective(Objective& inner, const Cost& start = {});

  const Cost& cost() const { return *cost_; }
  /// Counts a value, or a value and gradient, that was had from a structure of the objective instead of from it.
  void count_value();
  void count_gradient();
  /// Counts other work that a structure of the objective did, by its price in gradients on the selected samples.
  void count_work(double gradients);

  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override;
  double value_and_gradient(const Vector& x, Vector& g) override;
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override;
  Index samples() const override { return inner_.samples(); }
  Index total_samples() const override { return inner_.total_samples(); }
  CostWeights cost_weights() const override { return inner_.cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    return inner_.linearisation_cost(x, kind);
  }
  std::uint64_t revision() const override { return inner_.revision(); }
  Precision precision() const override { return inner_.precision(); }
  double value_noise() const override { return inner_.value_noise(); }
  std::string explain_non_finite(const Vector& x) override { return inner_.explain_non_finite(x); }
  Objective* decorated() override { return &inner_; }

 private:
  /// Samples of one call, and their share of all.
  double touched() const { return static_cast<double>(inner_.samples()); }
  double share() const { return touched() / static_cast<double>(inner_.total_samples()); }

  Objective& inner_;
  std::shared_ptr<Cost> cost_;
  std::vector<std::shared_ptr<CountingOperator>> operators_;
};

/// Charges the nearest CountingObjective in the chain of f, if any, with one value, or one value and gradient.
void charge_value(Objective& f);
void charge_gradient(Objective& f);
/// Likewise with other work, by its price in gradients on the selected samples.
void charge_work(Objective& f, double gradients);

}  // namespace hesse
