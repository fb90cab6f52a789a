#include "hesse/optim/structured/sophia.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/nn/image_layers.h"
#include "hesse/nn/normalisation.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/structured/adahessian.h"
#include "nn/network_cases.h"
#include "optim/telemetry.h"

#include <Eigen/Cholesky>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <variant>
#include <vector>

using namespace hesse;

namespace {

/// Mean over draws of what `draw` gives, and the standard error of each entry.
template <class Draw>
void mean_of(Index draws, const Draw& draw, Vector& mean, Vector& error) {
  Vector sum, squares;
  for (Index i = 0; i < draws; ++i) {
    const Vector h = draw(static_cast<std::uint64_t>(i));
    if (i == 0) {
      sum = Vector::Zero(h.size());
      squares = Vector::Zero(h.size());
    }
    sum += h;
    squares += h.cwiseAbs2();
  }
  const auto n = static_cast<double>(draws);
  mean = sum / n;
  error = ((squares / n - mean.cwiseAbs2()) / n).cwiseSqrt();
}

}  // namespace

TEST_CASE("Hutchinson's diagonal and Gauss-Newton-Bartlett's are unbiased, within four standard errors an entry") {
  const Case c{{3, 4, 3}, Activation::tanh, GENERATE(Loss::softmax_cross_entropy, Loss::squared_error)};
  const auto f = make_objective(c, make_data(3, 3, 12, c.loss));
  const Vector x = test_point(f->size());
  const Index n = x.size();
  const Matrix H = dense(*f->curvature(x, Curvature::hessian));
  const Matrix G = dense(*f->curvature(x, Curvature::gauss_newton));
  const auto op = f->curvature(x, Curvature::hessian);
  Vector mean, error;
  mean_of(
      4000,
      [&](std::uint64_t i) {
        Vector u(n), Hu(n);
        RandomStream(3, Purpose::probe, i).fill_normal(u);
        op->apply(u, Hu);
        return Vector(u.cwiseProduct(Hu));
      },
      mean, error);
  // Four standard errors are exceeded by one of 30 entries with a probability of 2e-3; the draws are fixed.
  for (Index i = 0; i < n; ++i) CHECK(std::abs(mean[i] - H(i, i)) <= 4 * error[i]);
  mean_of(
      4000,
      [&](std::uint64_t i) {
        Vector g;
        f->sampled_gradient(x, 5, i, 1, g);
        return Vector(12 * g.cwiseAbs2());
      },
      mean, error);
  for (Index i = 0; i < n; ++i) CHECK(std::abs(mean[i] - G(i, i)) <= 4 * error[i]);
  // The gradient for drawn targets has mean 0 itself.
  mean_of(
      4000,
      [&](std::uint64_t i) {
        Vector g;
        f->sampled_gradient(x, 5, i, 1, g);
        return g;
      },
      mean, error);
  for (Index i = 0; i < n; ++i) CHECK(std::abs(mean[i]) <= 4 * error[i]);
}

TEST_CASE(
    "Sophia's own estimates of the diagonal are unbiased in every entry of a convolution, whose weights are shared") {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(convolution_layer({1, 3, 3}, 2, {2, 2, 1, 0}));
  layers.push_back(activation_layer(Activation::tanh, 8));
  layers.push_back(dense_layer(8, 3));
  const auto f = make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::softmax_cross_entropy,
                                        make_data(9, 3, 10, Loss::softmax_cross_entropy));
  const Vector x = test_point(f->size());
  const bool gauss_newton = GENERATE(false, true);
  const Vector exact = dense(*f->curvature(x, gauss_newton ? Curvature::gauss_newton : Curvature::hessian)).diagonal();
  // With beta2 = 0 the state h is the estimate of the last step; each step draws anew.
  const auto optimizer =
      make_optimizer(std::string(gauss_newton ? "sophia-g" : "sophia-h") + ":beta2=0,period=1,lr=1e-9", {*f, 3});
  Vector mean, error;
  mean_of(
      6000,
      [&](std::uint64_t) {
        Vector y = x;
        optimizer->step(*f, y);
        for (const StateEntry& entry : optimizer->state()) {
          if (entry.name == "h") return Vector(*std::get<Vector*>(entry.data));
        }
        return Vector();
      },
      mean, error);
  // Four and a half standard errors are exceeded by one of 37 entries with a probability of 3e-4; the draws are fixed.
  for (Index i = 0; i < x.size(); ++i) CHECK(std::abs(mean[i] - exact[i]) <= 4.5 * error[i]);
}

TEST_CASE("AdaHessian's spatial mean is over the kernel of a convolution and over stretches of other tensors") {
  ParameterLayout layout;
  layout.add("conv.weight", {2, 2, 2, 3});
  layout.add("dense.weight", {2, 5});
  layout.add("dense.bias", {3});
  Vector d = Vector::LinSpaced(37, 1, 37).array().square();
  Vector expected = d;
  const Index block = GENERATE(1, 2, 4);
  const auto average = [&](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += d[i];
    for (Index i = begin; i < end; ++i) expected[i] = sum / static_cast<double>(end - begin);
  };
  for (Index kernel = 0; kernel < 4; ++kernel) average(6 * kernel, 6 * kernel + 6);
  for (Index i = 24; i < 34; i += block) average(i, std::min<Index>(i + block, 34));
  for (Index i = 34; i < 37; i += block) average(i, std::min<Index>(i + block, 37));
  average_over_space(layout, block, d);
  CHECK((d - expected).norm() <= 10 * kEps * expected.norm());
}

TEST_CASE("The diagonal in AdaHessian's state is one number for each kernel of a convolution") {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(convolution_layer({2, 3, 3}, 2, {2, 2, 1, 0}));
  layers.push_back(activation_layer(Activation::tanh, 8));
  layers.push_back(dense_layer(8, 3));
  const auto f = make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::softmax_cross_entropy,
                                        make_data(18, 3, 10, Loss::softmax_cross_entropy));
  Vector x = test_point(f->size());
  Vector z(x.size()), Hz(x.size());
  RandomStream(3, Purpose::probe, 0).fill_rademacher(z);
  f->curvature(x, Curvature::hessian)->apply(z, Hz);
  const Vector D = z.cwiseProduct(Hz);
  const auto optimizer = make_optimizer("adahessian:beta2=0", {*f, 3});
  optimizer->step(*f, x);
  for (const StateEntry& entry : optimizer->state()) {
    if (entry.name != "v") continue;
    const Vector& v = *std::get<Vector*>(entry.data);
    for (Index kernel = 0; kernel < 4; ++kernel) {
      for (Index i = 4 * kernel; i < 4 * kernel + 4; ++i) {
        CHECK(v[i] == Approx(std::pow(D.segment(4 * kernel, 4).mean(), 2)).epsilon(1e-12));
      }
    }
    for (Index i = 16; i < x.size(); ++i) CHECK(v[i] == Approx(D[i] * D[i]).epsilon(1e-12).margin(1e-300));
  }
}

TEST_CASE("AdaHessian tells the mean of its diagonal and the share of it that is not positive") {
  const Vector a = Eigen::Vector4d(-1, 2, 8, 0);
  Quadratic f(a, Vector::Zero(4));
  Vector x = Vector::Ones(4);
  const auto optimizer = make_optimizer("adahessian:period=2", {f, 7});
  for (int k = 0; k < 3; ++k) {
    const StepReport report = optimizer->step(f, x);
    CHECK(told(report, "mean_curvature") == Approx(9.0 / 4).epsilon(1e-14));
    CHECK(told(report, "not_positive") == 0.5);
  }
}

TEST_CASE("The sampled gradient of a share is that of drawn samples, whatever the passes") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, 20, c.loss);
  NetworkOptions options;
  options.pass_size = GENERATE(3, 2048);
  const auto f = make_objective(c, data, options);
  const auto part = make_objective(c, data);
  SubsetSampler sampler;
  part->select(sampler.draw(20, 7, RandomStream(1, Purpose::curvature_samples, 2)));
  const Vector x = test_point(f->size());
  Vector share, own;
  CHECK(f->sampled_gradient(x, 1, 2, 7.0 / 20, share).samples == 7);
  CHECK(part->sampled_gradient(x, 1, 2, 1, own).samples == 7);
  CHECK((share - own).norm() <= 50 * kEps * own.norm());
}

TEST_CASE(
    "Sophia-G's first step is that of n g^ o g^, n the samples of the mean, with batch normalisation all of them") {
  const bool coupled = GENERATE(false, true);
  const auto data = make_data(4, 3, 20, Loss::softmax_cross_entropy);
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(4, 5));
  if (coupled) layers.push_back(batch_normalisation_layer(5, 1));
  layers.push_back(activation_layer(Activation::tanh, 5));
  layers.push_back(dense_layer(5, 3));
  const auto f =
      make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::softmax_cross_entropy, data, {});
  const Vector start = test_point(f->size());
  Vector g, drawn;
  // Seven of the twenty samples where layers leave samples apart, all of them where they do not.
  if (!coupled) {
    SubsetSampler sampler;
    f->select(sampler.draw(20, 7, RandomStream(5, Purpose::curvature_samples, 0)));
  }
  f->sampled_gradient(start, 5, 0, 1, drawn);
  const double n = coupled ? 20 : 7;
  f->select_all();
  f->value_and_gradient(start, g);
  Vector x = start;
  make_optimizer("sophia-g:lr=0.1,beta1=0,beta2=0,gamma=1,rho=1e6,eps=1e-4,estimate_share=0.35", {*f, 5})->step(*f, x);
  const Vector expected = -0.1 * g.cwiseQuotient((n * drawn.cwiseAbs2()).cwiseMax(1e-4));
  CHECK((x - start - expected).norm() <= 1e-12 * expected.norm());
}

TEST_CASE("No entry of a Sophia step is longer than lr rho, and the share of those that are shorter is told") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  const std::string method = GENERATE("sophia-h:lr=0.01,gamma=1,rho=0.5,period=2", "sophia-g:lr=0.01,gamma=1,rho=0.5");
  const auto optimizer = make_optimizer(method, {*f, 1});
  Vector x = test_point(f->size());
  for (int k = 0; k < 12; ++k) {
    const Vector before = x;
    const StepReport report = optimizer->step(*f, x);
    const Vector step = x - before;
    // Rounding of x itself.
    CHECK(step.cwiseAbs().maxCoeff() <= 0.01 * 0.5 + 4 * kEps);
    const double shorter = static_cast<double>((step.array().abs() < 0.005 * (1 - 1e-9)).count());
    if (k == 0) CHECK(told(report, "unclipped") == Approx(shorter / static_cast<double>(x.size())).margin(1e-12));
  }
}

TEST_CASE("Two steps of Sophia by hand on a diagonal quadratic") {
  // f = 1/2 (a x^2 + b y^2): u o Hu = (a u1^2, b u2^2).
  Quadratic f(Eigen::Vector2d(2, 10), Vector::Zero(2));
  const auto [rho, period] = GENERATE(std::pair<double, int>{0.3, 10}, std::pair<double, int>{1e6, 1});
  const auto optimizer = make_optimizer(
      fmt::format("sophia-h:lr=0.1,beta1=0.5,beta2=0.75,gamma=0.5,rho={},weight_decay=0.1,period={}", rho, period),
      {f, 7});
  Vector x = Eigen::Vector2d(1, -0.2);
  Vector expected = x;
  Vector u(2);
  Vector h = Vector::Zero(2);
  Vector m = Vector::Zero(2);
  for (int k = 0; k < 2; ++k) {
    if (k % period == 0) {
      RandomStream(7, Purpose::probe, static_cast<std::uint64_t>(k)).fill_normal(u);
      h = 0.75 * h + 0.25 * Eigen::Vector2d(2, 10).cwiseProduct(u.cwiseAbs2());
    }
    m = 0.5 * m + 0.5 * Eigen::Vector2d(2, 10).cwiseProduct(expected);
    double longest = 0;
    for (int i = 0; i < 2; ++i) {
      const double ratio = std::clamp(m[i] / std::max(0.5 * h[i], 1e-12), -rho, rho);
      longest = std::max(longest, std::abs(ratio));
      expected[i] -= 0.1 * (ratio + 0.1 * expected[i]);
    }
    // Clipped in one case, and in the other not.
    CHECK((longest == rho) == (rho == 0.3));
    optimizer->step(f, x);
    CHECK((x - expected).norm() <= 8 * kEps * std::max(1.0, expected.norm()));
  }
}

TEST_CASE("Two steps of AdaHessian by hand on a diagonal quadratic, where Hutchinson's estimate is exact") {
  const Vector a = Eigen::Vector3d(0.5, 2, 8);
  Quadratic f(a, Vector::Zero(3));
  const double power = GENERATE(1.0, 0.5);
  const int period = GENERATE(1, 2);
  const auto optimizer = make_optimizer(
      fmt::format("adahessian:lr=0.1,beta1=0.8,beta2=0.9,eps=0.01,power={},period={}", power, period), {f, 7});
  Vector x = Eigen::Vector3d(1, -2, 0.5);
  Vector y = x;
  Vector m = Vector::Zero(3);
  for (int k = 1; k <= 2; ++k) {
    m = 0.8 * m + 0.2 * a.cwiseProduct(y);
    // v^ is the square of the diagonal at every step.
    const Vector of_m = m / (1 - std::pow(0.8, k));
    y -= 0.1 * (of_m.array() / (a.array().pow(power) + 0.01)).matrix();
    optimizer->step(f, x);
    CHECK((x - y).norm() <= 20 * kEps);
  }
}

TEST_CASE(
    "On a linear model the natural gradient is the damped Newton step, and its diagonal form that of the diagonal") {
  const Case c{{4, 3}, Activation::identity, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  const Vector start = test_point(f->size());
  Vector g;
  f->value_and_gradient(start, g);
  Matrix H = dense(*f->curvature(start, Curvature::hessian));
  H.diagonal().array() += 0.01;
  Vector x = start;
  make_optimizer("natural-gradient:damping=0.01,lr=0.5", {*f, 0})->step(*f, x);
  const Vector newton = start - 0.5 * H.llt().solve(g);
  // The condition is at most |H| / 0.01.
  CHECK((x - newton).norm() <= 100 * kEps * H.norm() / 0.01 * newton.norm());
  x = start;
  make_optimizer("natural-gradient:damping=0.01,lr=0.5,form=diagonal", {*f, 0})->step(*f, x);
  CHECK((x - (start - 0.5 * g.cwiseQuotient(H.diagonal()))).norm() <= 1e-12 * start.norm());
}

TEST_CASE("Sophia-G without a predictive distribution and Sophia-H with a share say so in a line") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  CHECK_THROWS_WITH(make_optimizer("sophia-g", {f, 0}), Catch::Contains("no predictive distribution"));
  CHECK_THROWS_WITH(make_optimizer("sophia-h:estimate_share=0.5", {f, 0}), Catch::Contains("is for sophia-g"));
}
