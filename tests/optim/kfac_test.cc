#include "hesse/optim/structured/kfac.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/structured/kfac_fixed.h"
#include "nn/network_cases.h"
#include "optim/telemetry.h"

#include <Eigen/LU>
#include <catch2/catch.hpp>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace hesse;

TEST_CASE("K-FAC's step is the minimiser of the exact damped model over its proposal and its last step") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const double eta = GENERATE(0.0, 0.1);
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss)), eta, false);
  KfacOptions options;
  options.damping = 0.5;
  options.stats_share = 1;
  options.model_share = 1;
  options.reject = false;
  Kfac kfac(f, options, 3);
  Vector x = test_point(f.size());
  Vector last = Vector::Zero(x.size());
  double damping = options.damping;
  for (int k = 1; k <= 8; ++k) {
    Vector g;
    f.value_and_gradient(x, g);
    const Matrix B = dense(*f.curvature(x, Curvature::gauss_newton)) + damping * Matrix::Identity(x.size(), x.size());
    const Vector before = x;
    const StepReport report = kfac.step(f, x);
    REQUIRE(report.status == StepStatus::ok);
    const Vector step = x - before;
    const double model = g.dot(step) + 0.5 * step.dot(B * step);
    CHECK(-model == Approx(told(report, "predicted_decrease")).epsilon(1e-9));
    // Optimal over the span of the step itself and the last one: the model's slope along both vanishes.
    const Vector slope = g + B * step;
    CHECK(std::abs(slope.dot(step)) <= 1e-10 * std::abs(g.dot(step)));
    CHECK(std::abs(slope.dot(last)) <= 1e-10 * g.norm() * std::max(last.norm(), 1e-300));
    if (k % 5 == 0) {
      // The reduction ratio, and the damping that it leads to.
      const double rho = (f.value(x) - report.value) / model;
      CHECK(told(report, "reduction_ratio") == Approx(rho).epsilon(1e-9));
      const double omega = std::pow(19.0 / 20, 5);
      damping = rho > 0.75 ? damping * omega : (rho < 0.25 ? damping / omega : damping);
    }
    CHECK(told(report, "damping") == Approx(damping).epsilon(1e-14));
    last = step;
  }
}

TEST_CASE("On a linear layer with squared error and one sample the Kronecker model is the Fisher matrix itself") {
  const Case c{{3, 2}, Activation::identity, Loss::squared_error};
  const auto f = make_objective(c, make_data(3, 2, 1, c.loss));
  KfacFixedOptions options;
  options.lr = 1;
  options.momentum = 0;
  options.damping = 1e-3;
  options.kl_clip = INFINITY;
  options.form = KroneckerForm::eigenvalues;
  options.targets = FisherTargets::empirical;
  options.stats_share = 1;
  KfacFixed kfac(*f, options, 0);
  Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  const Matrix F = dense(*f->curvature(x, Curvature::fisher_empirical)) + 1e-3 * Matrix::Identity(x.size(), x.size());
  const Vector expected = x - F.lu().solve(g);
  kfac.step(*f, x);
  // The condition of F is its largest eigenvalue over 1e-3.
  CHECK((x - expected).norm() <= 100 * kEps * F.norm() / 1e-3 * expected.norm());
}

TEST_CASE("Undamped K-FAC takes the same path whatever affine map the inputs go through") {
  // Martens and Grosse (2015), Theorem 1, for the inputs of the network and those of a linear hidden layer.
  const Index samples = 60;
  const Case c{{3, 4, 2}, Activation::tanh, Loss::squared_error};
  const auto data = make_data(3, 2, samples, c.loss);
  Matrix M(3, 3);
  M << 2, 0.5, -0.3, 0, 1.5, 0.4, 0.2, 0, 0.7;
  const Vector shift = Eigen::Vector3d(0.3, -1, 2);
  auto mapped = std::make_shared<Dataset>();
  mapped->name = "mapped";
  mapped->inputs = (M * data->inputs).colwise() + shift;
  mapped->targets = data->targets;
  const auto f = make_objective(c, data);
  const auto g = make_objective(c, mapped);
  // W' = W M^-1 and b' = b - W' shift give the same function.
  const Vector x0 = test_point(f->size());
  const auto transform = [&](const Vector& x) {
    Vector y = x;
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Matrix W = Eigen::Map<const RowMajor>(x.data(), 4, 3) * M.inverse();
    Eigen::Map<RowMajor>(y.data(), 4, 3) = W;
    y.segment(12, 4) -= W * shift;
    return y;
  };
  KfacOptions options;
  options.adapt_damping = false;
  options.damping = 1e-24;
  options.stats_share = 1;
  options.model_share = 1;
  options.inverse_period = 1;
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::tridiagonal);
  Kfac first(*f, options, 5);
  Kfac second(*g, options, 5);
  Vector x = x0;
  Vector y = transform(x0);
  REQUIRE(f->value(x) == Approx(g->value(y)).epsilon(1e-13));
  const double start = f->value(x);
  for (int k = 0; k < 10; ++k) {
    first.step(*f, x);
    second.step(*g, y);
    // Damping enters with gamma = 1e-12; rounding with the conditions of two factors, of order 1e2 each, in ten steps.
    CHECK((transform(x) - y).norm() <= 1e-8 * y.norm());
    CHECK(f->value(x) == Approx(g->value(y)).epsilon(1e-8));
  }
  CHECK(f->value(x) < start);
}

TEST_CASE("K-FAC with a damping that is next to nothing never steps to NaN") {
  // The factors of 3 samples are singular, and damping below 1e-15 of them is not seen in their entries.
  const Case c{{6, 5, 4}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(6, 4, 3, c.loss));
  const std::string form = GENERATE("factored", "eigenvalues", "ekfac", "tridiagonal");
  for (const char* damping : {"1e-15", "1e-30", "1e-300"}) {
    for (const std::string method : {"kfac:adapt_damping=false,", "kfac-fixed:"}) {
      if (method != "kfac:adapt_damping=false," && form == "tridiagonal") continue;
      const auto optimizer = make_optimizer(fmt::format("{}form={},damping={}", method, form, damping), {*f, 1});
      Vector x = test_point(f->size());
      for (int k = 0; k < 10; ++k) {
        const StepReport report = optimizer->step(*f, x);
        CAPTURE(form, damping, method, k);
        REQUIRE(x.allFinite());
        if (report.status != StepStatus::ok) break;
      }
    }
  }
}

TEST_CASE("K-FAC with a large damping is gradient descent, and its KL bound holds") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacFixedOptions options;
  options.damping = 1e8;
  options.lr = 1e7;
  options.momentum = 0;
  options.kl_clip = INFINITY;
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::eigenvalues, KroneckerForm::ekfac);
  Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  Vector y = x;
  KfacFixed(*f, options, 0).step(*f, y);
  // Factors of order one beside gamma = 1e4 on either side.
  CHECK((y - (x - 0.1 * g)).norm() <= 1e-3 * 0.1 * g.norm());

  options.damping = 1e-2;
  options.lr = 1;
  options.kl_clip = 1e-4;
  Vector z = x;
  const StepReport clipped = KfacFixed(*f, options, 0).step(*f, z);
  // nu d'g = kappa / (lr^2 nu): the quadratic form of the step in the damped model is kappa.
  CHECK(told(clipped, "kl_scale") < 1);
  CHECK(std::abs(g.dot(z - x)) * told(clipped, "kl_scale") == Approx(1e-4).epsilon(1e-9));
}

TEST_CASE("A rejected step leaves the point and raises the damping") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacOptions options;
  options.damping = 1e-9;
  options.min_damping = 1e-9;
  options.reject = true;
  options.stats_share = 0.1;
  options.model_share = 0.05;  // two samples: a model that promises too much
  Kfac kfac(*f, options, 0);
  Vector x = 3 * test_point(f->size());
  bool rejected = false;
  for (int k = 0; k < 30; ++k) {
    const Vector before = x;
    const double value = f->value(x);
    const StepReport report = kfac.step(*f, x);
    CHECK(f->value(x) <= value);
    if (told(report, "accepted") == 0) {
      rejected = true;
      CHECK(x == before);
      CHECK(report.step_norm == 0);
      CHECK(told(report, "damping") > 1e-9);
    }
  }
  CHECK(rejected);
}

TEST_CASE("Every form of K-FAC lowers the loss of a network far faster than gradient descent") {
  const Case c{{6, 8, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(6, 3, 200, c.loss));
  const std::string form = GENERATE("factored", "eigenvalues", "ekfac", "tridiagonal");
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const auto run = [&](const std::string& method) {
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = start;
    for (int k = 0; k < 60; ++k) REQUIRE(optimizer->step(*f, x).status == StepStatus::ok);
    return f->value(x);
  };
  const double descent = run("gd:lr=1");
  CHECK(run("kfac:damping=1,stats_share=1,model_share=1,form=" + form) < 0.9 * descent);
}

TEST_CASE("K-FAC goes down samples that are sorted by class as it does down the same samples in another order") {
  // An eighth and a quarter of the first samples would be of one and of two classes of eight.
  const Case c{{6, 10, 8}, Activation::tanh, Loss::softmax_cross_entropy};
  constexpr Index kEach = 80;
  const auto sorted = std::make_shared<Dataset>();
  sorted->name = "sorted";
  sorted->class_count = 8;
  sorted->inputs.resize(6, 8 * kEach);
  RandomStream(4, Purpose::test).fill_normal(Eigen::Map<Vector>(sorted->inputs.data(), sorted->inputs.size()));
  Matrix centres(6, 8);
  RandomStream(5, Purpose::test).fill_normal(Eigen::Map<Vector>(centres.data(), centres.size()));
  for (Index i = 0; i < 8 * kEach; ++i) {
    sorted->labels.push_back(static_cast<std::int32_t>(i / kEach));
    sorted->inputs.col(i) += 2 * centres.col(i / kEach);
  }
  const auto shuffled = std::make_shared<Dataset>();
  shuffled->name = "shuffled";
  shuffled->class_count = 8;
  shuffled->inputs.resize(6, 8 * kEach);
  shuffled->labels.resize(sorted->labels.size());
  std::vector<Index> order;
  RandomStream(6, Purpose::test).permutation(8 * kEach, order);
  for (Index i = 0; i < 8 * kEach; ++i) {
    shuffled->inputs.col(i) = sorted->inputs.col(order[static_cast<std::size_t>(i)]);
    shuffled->labels[static_cast<std::size_t>(i)] =
        sorted->labels[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
  }
  const auto run = [&](const std::shared_ptr<Dataset>& data, double& rejected) {
    const auto f = make_objective(c, data);
    const auto optimizer = make_optimizer("kfac:damping=0.01", {*f, 1});
    Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
    rejected = 0;
    for (int k = 0; k < 40; ++k) rejected += 1 - told(optimizer->step(*f, x), "accepted");
    return f->value(x);
  };
  double in_order = 0, in_disorder = 0;
  const double first = run(sorted, in_order);
  const double second = run(shuffled, in_disorder);
  // Two runs of the same method on the same mean with other draws.
  CAPTURE(first, second, in_order, in_disorder);
  CHECK(first <= 1.25 * second);
  CHECK(in_order <= in_disorder + 8);
}

TEST_CASE("K-FAC on shares of a batch takes the same bits on any number of threads") {
  const Case c{{20, 30, 5}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(20, 5, 600, c.loss);
  const int before = threads();
  const std::string method = GENERATE("kfac:damping=1", "kfac-fixed:targets=empirical", "ekfac");
  Vector first;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    const auto f = make_objective(c, data);
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = 0.3 * test_point(f->size());
    for (int k = 0; k < 6; ++k) optimizer->step(*f, x);
    if (n == 1) first = x;
    CHECK(x == first);
  }
  set_threads(before);
}

TEST_CASE("K-FAC on an objective without layers says so in a line") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  for (const char* name : {"kfac", "kfac-fixed", "ekfac"}) {
    CHECK_THROWS_WITH(make_optimizer(name, {f, 0}), Catch::Contains("no layers with Kronecker factors"));
  }
}
