// Trains a network from its parts, without a name of the registry, and asks where training has ended.
//
// Adam brings it near; a trust-region Newton method takes it to where the gradient is zero to rounding; the certificate
// says of what kind the point is, and how far around it there is no other.
#include "hesse/curvature/critical_point.h"
#include "hesse/data/synthetic.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/optim/first_order/adam.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/second_order/globalized.h"
#include "hesse/optim/second_order/newton.h"

#include <cstdio>

int main() {
  const hesse::DataSplit moons = hesse::two_moons({.samples = 200, .test = 100, .noise = 0.1, .seed = 1});
  const hesse::Index sizes[] = {2, 6, 2};
  const auto network =
      std::make_shared<const hesse::Network>(hesse::multilayer_perceptron(sizes, hesse::Activation::tanh));
  // The penalty on all parameters leaves no direction flat.
  hesse::L2Objective f(hesse::make_network_objective(network, hesse::Loss::softmax_cross_entropy, moons.train), 1e-3,
                       true);

  hesse::Vector x = network->initial_parameters(hesse::Initialisation::glorot_uniform, 1);
  hesse::Adam adam({.lr = 0.02});
  const hesse::Summary near = hesse::minimize(adam, f, x, {.max_epochs = 100}, {.size = 32, .seed = 1});
  std::printf("Adam: %s\n", near.message.c_str());
  std::printf("not there yet: %s\n", hesse::to_string(hesse::classify(f, x).kind));

  hesse::Globalized newton(
      std::make_unique<hesse::Newton>(hesse::NewtonOptions{.indefinite = hesse::IndefiniteHessian::keep}),
      hesse::make_trust_region());
  hesse::minimize(newton, f, x, {.gradient_tolerance = 1e-10, .max_steps = 500});
  const hesse::CriticalPoint point = hesse::classify(f, x);
  std::printf("Newton: %s, index %td, certified: %s\n", hesse::to_string(point.kind), point.index,
              point.certified ? "yes" : "no");
  std::printf("least eigenvalue beyond its error: %s\n",
              point.least_eigenvalue > point.eigenvalue_error ? "yes" : "no");

  const auto test = hesse::make_network_objective(network, hesse::Loss::softmax_cross_entropy, moons.test);
  std::printf("test accuracy above 0.95: %s\n", test->evaluate(x).accuracy > 0.95 ? "yes" : "no");
}
