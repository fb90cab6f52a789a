/// \file
/// What goes around the step of any optimizer: an optimizer that holds another one and changes the gradient that it
/// sees, its rate, or what becomes of its iterates.
#pragma once

#include "hesse/optim/optimizer.h"

#include <memory>
#include <string>
#include <utility>

namespace hesse {

/// Passes everything on; `name` stands before its own entries in checkpoints.
class Modifier : public Optimizer {
 public:
  StateView state() final;
  double* learning_rate() override { return inner_->learning_rate(); }
  double* momentum() override { return inner_->momentum(); }
  Vector diagonal_preconditioner() const override { return inner_->diagonal_preconditioner(); }
  std::vector<PreconditionerReport> preconditioners() const override { return inner_->preconditioners(); }
  void set_budget_share(double share) override { inner_->set_budget_share(share); }
  bool prefers_full_batch() const override { return inner_->prefers_full_batch(); }

 protected:
  Modifier(std::string name, std::unique_ptr<Optimizer> inner) : name_(std::move(name)), inner_(std::move(inner)) {}
  /// What the next steps depend on beside the inner optimizer.
  virtual StateView own_state() { return {}; }

  std::string name_;
  std::unique_ptr<Optimizer> inner_;
};

/// Lets the inner optimizer see another gradient. The value that it sees is that of f, so this is for methods that take
/// their steps from the gradient alone.
class GradientModifier : public Modifier {
 public:
  /// Reports the norm of the gradient of f itself.
  StepReport step(Objective& f, Vector& x) final;

 protected:
  /// Throws Error when `inner` has no learning rate: such methods search along lines or in regions, and would find
  /// that values and gradients disagree.
  GradientModifier(std::string name, std::unique_ptr<Optimizer> inner);

  /// Returns f(x), writes the gradient that the inner optimizer shall see into g, and the norm of that of f into
  /// `norm`.
  virtual double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) = 0;
  /// After a step, with room for telemetry.
  virtual void report(StepReport& /*report*/) {}

 private:
  class Seen;
  std::shared_ptr<Seen> seen_;
};

}  // namespace hesse
