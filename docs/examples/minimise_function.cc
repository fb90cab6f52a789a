// Minimises a function of one's own. The formula is written once, for any number type; derivatives follow from it.
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/second_order/globalized.h"
#include "hesse/optim/second_order/lbfgs.h"

#include <cstdio>

struct Valley {  // (1 - x)^2 + 100 (y - x^2)^2, Rosenbrock's
  template <class T>
  T operator()(const T* x) const {
    return (1.0 - x[0]) * (1.0 - x[0]) + 100.0 * (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0]);
  }
};

int main() {
  hesse::FunctorObjective<Valley> f({}, 2);
  hesse::Vector x = Eigen::Vector2d(-1.2, 1);
  hesse::Globalized lbfgs(std::make_unique<hesse::Lbfgs>(hesse::LbfgsOptions{.memory = 10}),
                          hesse::make_more_thuente());
  const hesse::Summary summary = hesse::minimize(lbfgs, f, x, {.gradient_tolerance = 1e-8});
  std::printf("ended by: %s\n", hesse::to_string(summary.termination));
  std::printf("f = %.10f at (%.6f, %.6f)\n", summary.value, x[0], x[1]);
}
