#include "hesse/optim/around/modifier.h"

#include "hesse/core/error.h"

namespace hesse {

StateView Modifier::state() {
  StateView all = own_state();
  for (StateEntry& entry : all) entry.name = name_ + "." + entry.name;
  for (StateEntry& entry : inner_->state()) all.push_back(std::move(entry));
  return all;
}

/// f with the gradient of the modifier.
class GradientModifier::Seen final : public Objective {
 public:
  explicit Seen(GradientModifier& modifier) : modifier_(modifier) {}
  void bind(Objective& f) {
    f_ = &f;
    norm_ = StepReport::kUnknown;
  }
  double gradient_norm() const { return norm_; }

  const ParameterLayout& layout() const override { return f_->layout(); }
  double value(const Vector& x) override { return f_->value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override { return modifier_.evaluate(*f_, x, g, norm_); }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return f_->curvature(x, kind);
  }
  Index samples() const override { return f_->samples(); }
  Index total_samples() const override { return f_->total_samples(); }
  CostWeights cost_weights() const override { return f_->cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override { return f_->linearisation_cost(x, kind); }
  std::uint64_t revision() const override { return f_->revision(); }
  Precision precision() const override { return f_->precision(); }
  double value_noise() const override { return f_->value_noise(); }
  std::string explain_non_finite(const Vector& x) override { return f_->explain_non_finite(x); }
  Objective* decorated() override { return f_; }

 private:
  GradientModifier& modifier_;
  Objective* f_ = nullptr;
  double norm_ = StepReport::kUnknown;
};

GradientModifier::GradientModifier(std::string name, std::unique_ptr<Optimizer> inner)
    : Modifier(std::move(name), std::move(inner)), seen_(std::make_shared<Seen>(*this)) {
  if (inner_->learning_rate() == nullptr) {
    fail("{}: this method has no learning rate; its steps compare values with gradients, which {} would set at odds",
         name_, name_);
  }
}

StepReport GradientModifier::step(Objective& f, Vector& x) {
  seen_->bind(f);
  StepReport report = inner_->step(*seen_, x);
  report.gradient_norm = seen_->gradient_norm();
  this->report(report);
  return report;
}

}  // namespace hesse
