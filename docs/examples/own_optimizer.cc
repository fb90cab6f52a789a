// An optimizer of one's own, outside the library: gradient descent with Polyak's step (Polyak 1987, section 5.3),
//
//     x <- x - (f(x) - f*) / |g|^2 g,
//
// which needs the least value f* and no rate. The loop, its stopping rules and observers are the library's, and so is
// what goes around it: here the mean of the iterates with weights 0.5^(t - i).
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/optimizer.h"

#include <cmath>
#include <cstdio>

class PolyakStep final : public hesse::Optimizer {
 public:
  explicit PolyakStep(double least) : least_(least) {}

  hesse::StepReport step(hesse::Objective& f, hesse::Vector& x) override {
    hesse::StepReport report;
    report.value = f.value_and_gradient(x, g_);
    report.gradient_norm = g_.norm();
    if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
      report.status = hesse::StepStatus::non_finite;
      return report;
    }
    if (report.gradient_norm == 0) return report;
    report.step_size = (report.value - least_) / (report.gradient_norm * report.gradient_norm);
    x -= report.step_size * g_;
    report.step_norm = report.step_size * report.gradient_norm;
    return report;
  }
  hesse::StateView state() override { return {}; }  // x is all that the next step depends on
  bool prefers_full_batch() const override { return true; }

 private:
  double least_;
  hesse::Vector g_;
};

struct Bowl {  // sum_i i x_i^2 / 2 and a quartic; least value 0 at 0
  template <class T>
  T operator()(const T* x) const {
    T sum = 0.0 * x[0];
    for (int i = 0; i < 20; ++i) sum = sum + 0.5 * (i + 1.0) * x[i] * x[i] + x[i] * x[i] * x[i] * x[i];
    return sum;
  }
};

struct Steps final : hesse::Observer {
  bool after_step(const hesse::Iterate& at) override {
    if (at.progress.step == 1) std::printf("f before the first step: %.4f\n", at.report.value);
    return false;
  }
};

int main() {
  hesse::FunctorObjective<Bowl> f({}, 20);
  Steps steps;
  hesse::Observer* const observers[] = {&steps};

  hesse::Vector x = hesse::Vector::Ones(20);
  PolyakStep method(0);
  const hesse::Summary plain = hesse::minimize(method, f, x, {.gradient_tolerance = 1e-6}, {}, observers);
  std::printf("ended by: %s, f below 1e-10: %s\n", hesse::to_string(plain.termination),
              plain.value < 1e-10 ? "yes" : "no");

  x = hesse::Vector::Ones(20);
  const auto averaged = hesse::make_ema({.decay = 0.5}, std::make_unique<PolyakStep>(0));
  const hesse::Summary mean = hesse::minimize(*averaged, f, x, {.max_steps = 200});
  std::printf("averaged, ended by: %s, f below 1e-4: %s\n", hesse::to_string(mean.termination),
              mean.value < 1e-4 ? "yes" : "no");
}
