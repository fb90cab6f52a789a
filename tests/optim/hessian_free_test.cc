#include "hesse/optim/second_order/hessian_free.h"

#include "hesse/nn/normalisation.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/optim/registry.h"
#include "nn/network_cases.h"
#include "optim/telemetry.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

using namespace hesse;

TEST_CASE("With CG run to its end, a Hessian-free step is the damped Gauss-Newton step") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 60, c.loss));
  const Vector start = 0.3 * test_point(f->size());
  Vector g;
  f->value_and_gradient(start, g);
  Matrix B = dense(*f->curvature(start, Curvature::gauss_newton));
  B.diagonal().array() += 1;
  const Vector expected = start - B.llt().solve(g);
  const std::string preconditioner = GENERATE("none", "gradient-squares");
  // A tolerance below rounding keeps CG going; 400 iterations for 43 unknowns.
  const auto optimizer =
      make_optimizer("hessian-free:tolerance=1e-18,max_iterations=400,preconditioner=" + preconditioner, {*f, 0});
  Vector x = start;
  const StepReport report = optimizer->step(*f, x);
  CHECK(report.step_size == 1);
  // The condition of B is at most |B| / 1; backtracking may take an iterate that is as good to rounding.
  CHECK((x - expected).norm() <= 1e-7 * (expected - start).norm());
  const Vector d = x - start;
  CHECK(told(report, "predicted_decrease") == Approx(-(g.dot(d) + 0.5 * d.dot(B * d))).epsilon(1e-8));
  CHECK(told(report, "actual_decrease") == Approx(f->value(start) - f->value(x)).epsilon(1e-12));
  CHECK(told(report, "actual_decrease") ==
        Approx(told(report, "reduction_ratio") * told(report, "predicted_decrease")).epsilon(1e-12));
}

TEST_CASE(
    "With a share of the samples for curvature, the step solves the system of those samples with the gradient of all") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 60, c.loss));
  const Vector start = 0.3 * test_point(f->size());
  const auto optimizer = make_optimizer(
      "hessian-free:tolerance=1e-18,max_iterations=400,preconditioner=none,curvature_share=0.25", {*f, 7});
  Vector x = start;
  const StepReport report = optimizer->step(*f, x);
  CHECK(static_cast<Index>(f->selection().size()) == 60);
  Vector g;
  f->value_and_gradient(start, g);
  SubsetSampler sampler;
  const auto drawn = sampler.draw(60, 15, RandomStream(7, Purpose::curvature_samples, 0));
  f->select(drawn);
  Matrix B = dense(*f->curvature(start, Curvature::gauss_newton));
  f->select_all();
  B.diagonal().array() += 1;
  const Vector expected = -report.step_size * B.llt().solve(g);
  CHECK((x - start - expected).norm() <= 1e-7 * expected.norm());
  CHECK(report.gradient_norm == Approx(g.norm()).epsilon(1e-12));
}

TEST_CASE(
    "Gains of a normalisation are preconditioned by the squares of the batch's gradient, whatever curvature is over") {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(4, 5));
  layers.push_back(layer_normalisation_layer(5, 1));
  layers.push_back(activation_layer(Activation::tanh, 5));
  layers.push_back(dense_layer(5, 3));
  const auto network = std::make_shared<const Network>(std::move(layers));
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy,
                                        make_data(4, 3, 60, Loss::softmax_cross_entropy), {});
  const Vector start = 0.3 * test_point(f->size());
  Vector g;
  f->value_and_gradient(start, g);
  const std::string share = GENERATE("1", "0.25");
  const auto optimizer =
      make_optimizer("hessian-free:max_iterations=1,damping=0.001,curvature_share=" + share, {*f, 3});
  Vector x = start;
  optimizer->step(*f, x);
  // One iteration from nothing goes along g over the preconditioner.
  const Vector d = x - start;
  REQUIRE(d.norm() > 0);
  const Index gains = network->offset(1);
  const auto expected = [&](Index i) { return g[i] / std::pow(60 * g[i] * g[i] + 0.001, 0.75); };
  for (Index i = gains + 1; i < gains + 5; ++i) {
    CHECK(d[i] / d[gains] == Approx(expected(i) / expected(gains)).epsilon(1e-9));
  }
}

TEST_CASE("The damping of Hessian-free optimization follows the reduction ratio, and no step raises f") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 60, c.loss));
  const auto optimizer = make_optimizer("hessian-free:damping=0.01", {*f, 0});
  Vector x = test_point(f->size());
  double damping = 0.01;
  for (int k = 0; k < 25; ++k) {
    const double before = f->value(x);
    const StepReport report = optimizer->step(*f, x);
    const double rho = told(report, "reduction_ratio");
    if (rho < 0.25) damping *= 1.5;
    if (rho > 0.75) damping = std::max(damping * 2 / 3, 1e-8);
    CHECK(told(report, "damping") == Approx(damping).epsilon(1e-14));
    CHECK(f->value(x) <= before);
  }
  CHECK(f->value(x) < 0.5 * f->value(test_point(f->size())));
}

TEST_CASE(
    "CG starts from 0.95 of its last solution and stops by progress, and the step goes back over iterates at 1.3^j") {
  // Martens (2010), sections 4.4 to 4.6, written out with a dense matrix.
  const Case c{{6, 9, 5}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(6, 5, 60, c.loss));
  double lambda = 0.003;
  const auto optimizer = make_optimizer("hessian-free:preconditioner=none,damping=0.003", {*f, 0});
  Vector x = test_point(f->size());
  const auto solution = [&] {
    const StateView state = optimizer->state();
    return *std::get<Vector*>(state[0].data);
  };
  bool warm = false, back = false, early = false;
  int compared = 0;
  for (int step = 0; step < 6; ++step) {
    Vector g;
    const double value = f->value_and_gradient(x, g);
    Matrix B = dense(*f->curvature(x, Curvature::gauss_newton));
    B.diagonal().array() += lambda;
    const auto phi = [&](const Vector& d) { return g.dot(d) + 0.5 * d.dot(B * d); };
    // From its own last solution, so that rounding does not pile up.
    Vector d = step == 0 ? Vector::Zero(x.size()) : Vector(0.95 * solution());
    warm = warm || d.norm() > 0;
    Vector r = -g - B * d;
    Vector p = r;
    std::vector<double> progress = {phi(d)};
    std::vector<Vector> saved;
    double next = 1;
    int i = 0;
    while (i < 250) {
      const Vector Bp = B * p;
      const double alpha = r.squaredNorm() / p.dot(Bp);
      d += alpha * p;
      const Vector before = r;
      r -= alpha * Bp;
      p = r + r.squaredNorm() / before.squaredNorm() * p;
      progress.push_back(phi(d));
      ++i;
      bool kept = false;
      if (i >= next) {
        saved.push_back(d);
        kept = true;
        while (next <= i) next = std::ceil(1.3 * next);
      }
      const int k = std::max(10, i / 10);
      const bool stop = i > k && progress.back() < 0 &&
                        (progress.back() - progress[static_cast<std::size_t>(i - k)]) / progress.back() < k * 5e-4;
      if (stop || i == 250) {
        if (!kept) saved.push_back(d);
        early = early || stop;
        break;
      }
    }
    const Vector last = d;
    std::size_t best = saved.size() - 1;
    // Where two values differ by less than rounding in CG moves them (1e-4), the processor says which one is less.
    bool clear = true;
    double gap = 1;
    for (; best > 0; --best) {
      const double here = f->value(x + saved[best]);
      const double before = f->value(x + saved[best - 1]);
      gap = std::min(gap, std::abs(before - here) / std::abs(here));
      clear = clear && gap > 1e-4;
      if (!(before < here)) break;
    }
    back = back || best + 1 < saved.size();
    const double at_best = f->value(x + saved[best]);
    const double rho = (at_best - value) / phi(saved[best]);
    lambda *= rho < 0.25 ? 1.5 : (rho > 0.75 ? 2.0 / 3 : 1.0);
    double multiple = 1;
    while (f->value(x + multiple * saved[best]) > value + 1e-2 * multiple * g.dot(saved[best])) multiple *= 0.8;
    const Vector expected = x + multiple * saved[best];
    const StepReport report = optimizer->step(*f, x);
    CAPTURE(step, i, best, saved.size(), gap);
    CHECK(report.inner_iterations == i);
    if (clear) {
      CHECK(told(report, "taken_of_saved") ==
            Approx(static_cast<double>(best + 1) / static_cast<double>(saved.size())).epsilon(1e-14));
      CHECK(told(report, "damping") == Approx(lambda).epsilon(1e-14));
      // CG multiplies rounding as its directions lose their orthogonality, up to 1e-4 here; a rule missed shows in the
      // count.
      CHECK((x - expected).norm() <= 1e-4 * saved[best].norm());
      ++compared;
    }
    lambda = told(report, "damping");
    CHECK((solution() - last).norm() <= 1e-3 * last.norm());
  }
  CHECK(warm);
  CHECK(back);
  CHECK(early);
  CHECK(compared >= 3);
}

TEST_CASE("Where the decrease drowns in rounding Hessian-free optimization goes on and its damping stays") {
  const Case c{{4, 3}, Activation::identity, Loss::softmax_cross_entropy};
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss)), 0.1, true);
  const auto optimizer = make_optimizer("hessian-free", {f, 1});
  Vector x = test_point(f.size());
  StepReport report;
  for (int k = 0; k < 200; ++k) report = optimizer->step(f, x);
  CHECK(told(report, "damping") <= 1);
  CHECK(report.step_size == 1);
  CHECK(report.gradient_norm <= 1e-11);
}

TEST_CASE("Hessian-free optimization tells the condition of its system, which CG run to its end has met") {
  const Case c{{3, 4, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 60, c.loss));
  Vector x = 0.3 * test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  Matrix B = dense(*f->curvature(x, Curvature::gauss_newton));
  B.diagonal().array() += 0.1;
  const Vector values = B.selfadjointView<Eigen::Lower>().eigenvalues();
  const auto optimizer =
      make_optimizer("hessian-free:preconditioner=none,damping=0.1,tolerance=1e-18,max_iterations=200", {*f, 0});
  const StepReport report = optimizer->step(*f, x);
  // The softmax leaves a direction out of the gradient's Krylov space, that of all logits alike, where B is the
  // damping.
  const double condition = told(report, "condition");
  CHECK(condition <= values.maxCoeff() / values.minCoeff() * 1.01);
  CHECK(condition >= 0.5 * values.maxCoeff() / values.minCoeff());
}

TEST_CASE("The mean squares of single samples' gradients are those of the samples one by one") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 11, c.loss));
  const Vector x = test_point(f->size());
  std::vector<Matrix> squares;
  const std::vector<KroneckerFactors> layers = f->kronecker_layers();
  f->kronecker_moments(x, {.kind = Curvature::fisher_empirical}, std::vector<KroneckerBasis>(layers.size()), squares);
  Vector expected = Vector::Zero(x.size());
  for (Index i = 0; i < 11; ++i) {
    f->select(std::vector<Index>{i});
    Vector g;
    f->value_and_gradient(x, g);
    expected += g.cwiseAbs2() / 11;
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (Index o = 0; o < layers[l].outputs; ++o) {
      for (Index i = 0; i < layers[l].columns(); ++i) {
        const Index at = layers[l].begin +
                         (i < layers[l].inputs ? o * layers[l].inputs + i : layers[l].inputs * layers[l].outputs + o);
        CHECK(squares[l](o, i) == Approx(expected[at]).epsilon(1e-12));
      }
    }
  }
}
