#include "core/refusal.h"
#include "nn/network_cases.h"

#include "hesse/curvature/curvature_operator.h"
#include "hesse/curvature/perturbation.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/subspace.h"
#include "hesse/curvature/worst_case.h"
#include "hesse/linalg/operators.h"
#include "hesse/nn/models.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

using namespace hesse;
using Catch::Contains;

TEST_CASE("Kronecker operators refuse layers that lie outside of the parameters") {
  KroneckerFactors layer;
  layer.begin = 3;
  layer.inputs = 2;
  layer.outputs = 2;
  layer.bias = false;
  CHECK_THAT(refusal([&] { kronecker_operator(6, {layer}); }), Contains("a layer of parameters 3 to 7 of 6"));
  CHECK_THAT(refusal([&] { eigenbasis_operator(7, {layer}, {}, {}); }),
             Contains("1 layers with 0 bases and 0 moments"));
}

TEST_CASE("measures of sharpness refuse numbers outside of their ranges") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  const Vector x = Vector::Ones(3);
  SharpnessOptions options;
  options.eta = -1;
  CHECK_THAT(refusal([&] { measure_sharpness(f, x, options); }), Contains("eta = -1 is not possible; give at least 0"));
  CHECK_THAT(refusal([] { in_units(scaled_identity(3, 1.0), Vector::Ones(2)); }),
             Contains("2 scales for a matrix of size 3"));
  CHECK_THAT(refusal([] { chebyshev_moments(*scaled_identity(3, 1.0), -1, 1, {.degree = 0}); }),
             Contains("degree 0 is not possible"));
  BallOptions ball;
  ball.ascent.random_starts = -1;
  CHECK_THAT(refusal([&] { worst_in_ball(f, x, ball); }), Contains("-1 random starts are not possible"));
  const Case c{{3, 2}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto network = make_objective(c, make_data(3, 2, 10, c.loss));
  const Vector p = Vector::Constant(network->size(), 0.1);
  BatchOptions batches;
  batches.m = 0;
  CHECK_THAT(refusal([&] { worst_in_batches(*network, p, batches); }), Contains("m = 0 samples are not possible"));
  batches.m = 2;
  batches.batches = 1;
  CHECK_THAT(refusal([&] { worst_in_batches(*network, p, batches); }), Contains("1 batches give no error"));
}

TEST_CASE("Keskar's measure refuses a loss that it would divide by zero at") {
  // f = x'x / 2 - 1 at 0.
  struct Shifted final : Objective {
    Quadratic f{Vector::Ones(3), Vector::Zero(3)};
    const ParameterLayout& layout() const override { return f.layout(); }
    double value(const Vector& x) override { return f.value(x) - 1; }
    double value_and_gradient(const Vector& x, Vector& g) override { return f.value_and_gradient(x, g) - 1; }
    std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
      return f.curvature(x, kind);
    }
  } shifted;
  SharpnessOptions options;
  options.measures = {"keskar"};
  CHECK_THAT(refusal([&] { measure_sharpness(shifted, Vector::Zero(3), options); }), Contains("take a loss > -1"));
}

TEST_CASE("class means need a network with one class a sample and layers that keep samples apart") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  CHECK_THAT(refusal([&] { class_mean_gradients(f, Vector::Ones(3)); }), Contains("no network with one class label"));
  const std::array<Index, 3> sizes = {3, 4, 2};
  const auto network = std::make_shared<const Network>(normalised_perceptron(sizes, Activation::tanh).training);
  const auto g =
      make_network_objective(network, Loss::softmax_cross_entropy, make_data(3, 2, 10, Loss::softmax_cross_entropy));
  const Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  CHECK_THAT(refusal([&] { class_mean_gradients(*g, x); }), Contains("no class has a gradient of its own"));
}
