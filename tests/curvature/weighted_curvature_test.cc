#include "hesse/curvature/weighted_curvature.h"

#include "hesse/core/error.h"
#include "hesse/curvature/log_volume.h"
#include "hesse/linalg/operators.h"
#include "hesse/nn/image_layers.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

constexpr Index kSamples = 40;

/// 5 -> 7 -> 6 -> 3 without biases: 1 x 1 convolutions of images of one pixel.
std::unique_ptr<NetworkObjective> without_biases(const std::shared_ptr<const Dataset>& data) {
  const std::vector<Index> sizes = {5, 7, 6, 3};
  std::vector<std::unique_ptr<Layer>> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    if (l > 0) layers.push_back(activation_layer(Activation::relu, sizes[l]));
    layers.push_back(convolution_layer({sizes[l], 1, 1}, sizes[l + 1], {1, 1, 1, 0}, false));
  }
  return make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::softmax_cross_entropy, data);
}

Vector softmax(const Vector& z) {
  const Vector e = (z.array() - z.maxCoeff()).exp();
  return e / e.sum();
}

/// The definition, entry by entry of the dense Hessian.
double relative_flatness_by_definition(const Matrix& H, const Vector& x, const ParameterBlock& block) {
  const Index d = block.shape.front();
  const Index m = block.size / d;
  double kappa = 0;
  for (Index s = 0; s < d; ++s) {
    for (Index r = 0; r < d; ++r) {
      double product = 0;
      double trace = 0;
      for (Index t = 0; t < m; ++t) {
        const Index at_s = block.offset + s * m + t;
        const Index at_r = block.offset + r * m + t;
        product += x[at_s] * x[at_r];
        trace += H(at_s, at_r);
      }
      kappa += product * trace;
    }
  }
  return kappa;
}

}  // namespace

TEST_CASE("The Fisher-Rao norm of a relu network without biases is L^2 E z'H z of its outputs") {
  const auto data = make_data(5, 3, kSamples, Loss::softmax_cross_entropy);
  const auto f = without_biases(data);
  const Vector x = test_point(f->size());
  const Matrix Z = f->outputs(x);
  double model = 0;
  double empirical = 0;
  for (Index i = 0; i < kSamples; ++i) {
    const Vector z = Z.col(i);
    const Vector p = softmax(z);
    model += (p.dot(z.cwiseAbs2()) - std::pow(p.dot(z), 2)) / kSamples;
    empirical += std::pow(p.dot(z) - z[data->labels[static_cast<std::size_t>(i)]], 2) / kSamples;
  }
  // Three layers: the outputs are of degree 3 in the parameters.
  CHECK(fisher_rao_square(*f, x).value == Approx(9 * model).epsilon(1e-12));
  CHECK(fisher_rao_square(*f, x, Curvature::fisher_empirical).value == Approx(9 * empirical).epsilon(1e-12));
  CHECK(fisher_rao_square(*f, x).standard_error == 0);
  CHECK(!fisher_rao_square(*f, Vector::Constant(x.size(), std::nan(""))).is_finite);
  DenseQuadratic formula(Matrix::Identity(3, 3), Vector::Zero(3));
  CHECK_THROWS_AS(fisher_rao_square(formula, Vector::Ones(3)), Error);
}

TEST_CASE("Relative flatness is the sum over pairs of neurons of the dense Hessian") {
  // Layers with fewer, as many, and more rows than columns.
  const Case c{{4, 6, 6, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, kSamples, c.loss));
  const Vector x = test_point(f->size());
  const Matrix H = dense(*f->curvature(x, Curvature::hessian));
  RelativeFlatnessOptions options;
  for (const char* name : {"layer1.weight", "layer2.weight", "layer3.weight"}) {
    options.block = name;
    const double exact = relative_flatness_by_definition(H, x, *f->layout().find(name));
    const Estimate e = relative_flatness(*f, x, options);
    CAPTURE(name);
    CHECK(std::abs(e.value - exact) <= 1e-12 * H.norm() * x.squaredNorm());
    CHECK(e.standard_error == 0);
  }
  options.block.clear();
  CHECK(relative_flatness_block(f->layout(), "") == "layer3.weight");
  ParameterLayout single;
  single.add("first", {3, 2});
  single.add("last", {1, 1});
  single.add("bias", {1});
  CHECK(relative_flatness_block(single, "") == "last");
  const double last = relative_flatness(*f, x, options).value;
  options.block = "layer3.weight";
  CHECK(last == relative_flatness(*f, x, options).value);

  SECTION("which for the last layer is E |a|^2 tr(W'H_L W) with its inputs a") {
    const Matrix a = f->outputs(x, f->network().layers().size() - 1);
    const Matrix Z = f->outputs(x);
    const Matrix W = Eigen::Map<const Eigen::Matrix<double, 3, 6, Eigen::RowMajor>>(
        x.data() + f->layout().find("layer3.weight")->offset);
    double exact = 0;
    for (Index i = 0; i < kSamples; ++i) {
      const Vector p = softmax(Z.col(i));
      const Matrix HL = Matrix(p.asDiagonal()) - p * p.transpose();
      exact += a.col(i).squaredNorm() * (W.transpose() * HL * W).trace() / kSamples;
    }
    CHECK(last == Approx(exact).epsilon(1e-11));
  }
  SECTION("and an estimate with its interval where products are few") {
    options.block = "layer2.weight";
    options.max_products = 30;
    const double exact = relative_flatness_by_definition(H, x, *f->layout().find("layer2.weight"));
    const Estimate e = relative_flatness(*f, x, options);
    CHECK(e.products == 30);
    CHECK(e.standard_error > 0);
    CHECK(std::abs(e.value - exact) <= 5 * e.standard_error);
  }
  SECTION("and a block without rows is refused") {
    options.block = "layer2.bias";
    CHECK_THROWS_AS(relative_flatness(*f, x, options), Error);
    options.block = "layer9.weight";
    CHECK_THROWS_AS(relative_flatness(*f, x, options), Error);
    Quadratic formula(Vector::Ones(3), Vector::Zero(3));
    CHECK_THROWS_AS(relative_flatness(formula, Vector::Ones(3), {}), Error);
  }
}

TEST_CASE("The Fisher-Rao norm and relative flatness are those of the loss beneath a penalty") {
  const Case c{{4, 5, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, kSamples, c.loss);
  const auto loss = make_objective(c, data);
  const Vector x = test_point(loss->size());
  L2Objective penalised(make_objective(c, data), 0.3, true);
  CountingObjective counted(penalised);
  CHECK(fisher_rao_square(counted, x).value == fisher_rao_square(*loss, x).value);
  CHECK(relative_flatness(counted, x, {}).value == relative_flatness(*loss, x, {}).value);
  CHECK(&without_penalty(*loss) == loss.get());
  CHECK(&without_penalty(counted) == penalised.decorated());
  // One of 0 changes nothing, and what looks on from above it is kept.
  L2Objective none(make_objective(c, data), 0, true);
  CountingObjective looking_on(none);
  CHECK(&without_penalty(looking_on) == &looking_on);
}

TEST_CASE("The log-volume is minus half the log-determinant with negative curvature counted as flat") {
  Vector values(4);
  values << -2, 0, 1, 3;
  const double exact = -0.5 * (2 * std::log(0.5) + std::log(1.5) + std::log(3.5));
  CHECK(log_volume(values, 0.5).value == Approx(exact).epsilon(1e-14));
  CHECK(log_volume(values, 0.5).standard_error == 0);
  // Four steps of Lanczos end in the whole spectrum, so that only the weights are random.
  const SpectralDensity density = spectral_density(*diagonal_operator(values), {400, 4, 1});
  const Estimate e = log_volume(density, 0.5);
  CHECK(std::abs(e.value - exact) <= 4 * e.standard_error);
  CHECK(e.standard_error < 0.1);
  values[1] = std::nan("");
  CHECK(!log_volume(values, 0.5).is_finite);
  CHECK_THROWS_AS(log_volume(values, 0), Error);
}
