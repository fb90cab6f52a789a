#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/around/modifier.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/registry.h"

namespace hesse {

void visit_options(WeightDecayOptions& o, OptionVisitor& v) {
  v.option("lambda", o.lambda, Interval::non_negative(), "weight decay");
  v.choice("rate", o.rate, {{"lr", DecayRate::learning_rate}, {"schedule", DecayRate::schedule}},
           "shrink by lambda times the learning rate, or times the schedule's factor alone");
}

namespace {

/// x_{k+1} <- x_{k+1} - lambda rate x_k.
class WeightDecay final : public Modifier {
 public:
  WeightDecay(std::unique_ptr<Optimizer> inner, const WeightDecayOptions& options)
      : Modifier("weight-decay", std::move(inner)), options_(options) {
    const double* const lr = learning_rate();
    if (lr == nullptr) fail("weight-decay: this method has no learning rate to go by");
    base_ = *lr;
  }

  StepReport step(Objective& f, Vector& x) override {
    before_ = x;
    StepReport report = inner_->step(f, x);
    if (report.status != StepStatus::ok) return report;
    const double rate = *learning_rate() / (options_.rate == DecayRate::schedule ? base_ : 1.0);
    x -= options_.lambda * rate * before_;
    report.step_norm = distance(x, before_);
    return report;
  }

 private:
  WeightDecayOptions options_;
  double base_ = 1;
  Vector before_;
};

}  // namespace

std::unique_ptr<Optimizer> make_weight_decay(const WeightDecayOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<WeightDecay>(std::move(inner), options);
}

ModifierEntry weight_decay_entry() {
  return modifier_entry<WeightDecayOptions>(
      ModifierPlace::step, "weight-decay", "Shrinks the parameters beside the step",
      "Loshchilov and Hutter (2019), Algorithm 1",
      [](const WeightDecayOptions& o, ModifierContext& c) { return make_weight_decay(o, std::move(c.inner)); });
}

}  // namespace hesse
