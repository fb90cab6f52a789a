#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/optim/around/modifier.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/registry.h"

namespace hesse {

void visit_options(SamOptions& o, OptionVisitor& v) {
  v.option("rho", o.rho, Interval::positive(), "radius of the ball");
}
void visit_options(AsamOptions& o, OptionVisitor& v) {
  v.option("rho", o.rho, Interval::positive(), "radius in units of the parameters");
  v.option("eta", o.eta, Interval::non_negative(), "added to the size of each parameter");
}

namespace {

/// The gradient at x + e, where e is the step of length rho that raises f most to first order. In the plain ball
/// e = rho g / |g|; in the adaptive one, with T = diag(|x| + eta), e = rho T^2 g / |T g|. Biases have T = 1.
class SharpnessAware final : public GradientModifier {
 public:
  SharpnessAware(std::unique_ptr<Optimizer> inner, const SamOptions& options)
      : GradientModifier("sam", std::move(inner)), rho_(options.rho) {}
  SharpnessAware(std::unique_ptr<Optimizer> inner, const AsamOptions& options)
      : GradientModifier("asam", std::move(inner)), rho_(options.rho), eta_(options.eta), adaptive_(true) {}

 protected:
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    const double value = f.value_and_gradient(x, g);
    norm = hesse::norm(g);
    if (perturbed_.size() != x.size()) perturbed_.resize(x.size());
    double length = norm;
    if (adaptive_) {
      // T g, then T^2 g.
      scale(f, x, g);
      length = hesse::norm(g);
      scale(f, x, g);
    }
    // 1e-12 as in the authors' code: at a stationary point there is no direction to perturb in.
    perturbed_.noalias() = x + (rho_ / (length + 1e-12)) * g;
    const double perturbed_value = f.value_and_gradient(perturbed_, g);
    rise_ = perturbed_value - value;
    return value;
  }
  void report(StepReport& report) override { report.tell("sharpness", rise_); }

 private:
  void scale(Objective& f, const Vector& x, Vector& g) const {
    for (const ParameterBlock& block : f.layout().blocks()) {
      if (block.name.ends_with("bias")) continue;
      g.segment(block.offset, block.size).array() *= x.segment(block.offset, block.size).array().abs() + eta_;
    }
  }

  double rho_;
  double eta_ = 0;
  bool adaptive_ = false;
  double rise_ = 0;
  Vector perturbed_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sam(const SamOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<SharpnessAware>(std::move(inner), options);
}
std::unique_ptr<Optimizer> make_asam(const AsamOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<SharpnessAware>(std::move(inner), options);
}

ModifierEntry sam_entry() {
  return modifier_entry<SamOptions>(
      ModifierPlace::gradient, "sam", "Sharpness-aware minimisation: the gradient where f is worst nearby",
      "Foret et al. (2021), Algorithm 1",
      [](const SamOptions& o, ModifierContext& c) { return make_sam(o, std::move(c.inner)); });
}
ModifierEntry asam_entry() {
  return modifier_entry<AsamOptions>(
      ModifierPlace::gradient, "asam", "Sharpness-aware minimisation in units of the parameters",
      "Kwon et al. (2021), Algorithm 1",
      [](const AsamOptions& o, ModifierContext& c) { return make_asam(o, std::move(c.inner)); });
}

}  // namespace hesse
