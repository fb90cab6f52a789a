#include "core/refusal.h"
#include "nn/network_cases.h"

#include "hesse/nn/image_layers.h"
#include "hesse/nn/loss.h"
#include "hesse/nn/models.h"
#include "hesse/nn/network_objective.h"
#include "hesse/nn/sequence_layers.h"

#include <catch2/catch.hpp>

#include <array>
#include <functional>

using namespace hesse;
using Catch::Contains;

TEST_CASE("layers refuse extents below one and windows without one") {
  CHECK_THAT(refusal([] { dense_layer(0, 2); }), Contains("0 inputs and 2 outputs; both must be >= 1"));
  CHECK_THAT(refusal([] { positionwise_dense_layer(2, 2, 0); }), Contains("0 positions; at least 1 is needed"));
  CHECK_THAT(refusal([] { causal_attention_layer(4, 0, 3); }), Contains("0 heads and 3 positions; all must be >= 1"));
  CHECK_THAT(refusal([] { convolution_layer({1, 0, 4}, 2, {3, 3}); }), Contains("every extent must be >= 1"));
  CHECK_THAT(refusal([] { max_pooling_layer({1, 4, 4}, {2, 2, 0}); }), Contains("extents and stride must be >= 1"));
  const Index one[] = {3};
  CHECK_THAT(refusal([&] { multilayer_perceptron(one, Activation::tanh); }), Contains("give at least the numbers"));
  CHECK_THAT(refusal([&] { normalised_perceptron(one, Activation::tanh); }), Contains("give at least the numbers"));
  CHECK_THAT(refusal([] { residual_network({1, 4, 4}, 0, 1, 1, 2); }), Contains("width 0, 1 stages of 1 blocks"));
}

TEST_CASE("numbers that stand for no activation and no loss are refused") {
  CHECK_THAT(refusal([] { activation_layer(static_cast<Activation>(99), 3); }), Contains("no activation of number 99"));
  CHECK_THAT(refusal([] { make_loss_maps<double>(static_cast<Loss>(99)); }), Contains("no loss of number 99"));
  CHECK_THAT(refusal([] { make_loss_maps<double>(Loss::squared_error, 2); }),
             Contains("only softmax cross-entropy has several places"));
}

TEST_CASE("a network refuses data that do not fit its inputs and outputs and loss") {
  const std::array<Index, 2> sizes = {2, 3};
  const auto network = std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh));
  // The sound set, changed.
  const auto made = [](const std::function<void(Dataset&)>& change) {
    auto data = std::make_shared<Dataset>();
    data->name = "set";
    data->inputs = Matrix::Constant(2, 4, 0.5);
    data->class_count = 3;
    data->labels = {0, 1, 2, 0};
    change(*data);
    return data;
  };
  const auto said = [&](Loss loss, const std::function<void(Dataset&)>& change, const NetworkOptions& options = {}) {
    return refusal([&] { make_network_objective(network, loss, made(change), options); });
  };
  const auto as_it_is = [](Dataset&) {};
  REQUIRE(said(Loss::softmax_cross_entropy, as_it_is) == "(nothing was refused)");

  CHECK_THAT(said(Loss::softmax_cross_entropy, [](Dataset& data) { data.inputs.resize(2, 0); }),
             Contains("data set 'set' has no samples"));
  NetworkOptions no_pass;
  no_pass.pass_size = 0;
  CHECK_THAT(said(Loss::softmax_cross_entropy, as_it_is, no_pass), Contains("pass_size 0 is not possible"));
  NetworkOptions reconstructing;
  reconstructing.targets_are_inputs = true;
  CHECK_THAT(said(Loss::squared_error, as_it_is, reconstructing),
             Contains("as many outputs as inputs, but has 3 and 2"));
  CHECK_THAT(said(Loss::softmax_cross_entropy, [](Dataset& data) { data.labels.pop_back(); }),
             Contains("3 labels for 4 samples of 1 places"));
  CHECK_THAT(said(Loss::softmax_cross_entropy, [](Dataset& data) { data.labels[1] = 3; }),
             Contains("the class 3 of sample 1 lies outside 0 to 2"));
  CHECK_THAT(said(Loss::squared_error, [](Dataset& data) { data.labels.clear(); }),
             Contains("has neither classes nor targets"));
  const auto real = [](Dataset& data) {
    data.labels.clear();
    data.targets = Matrix::Constant(3, 4, 1.5);
  };
  REQUIRE(said(Loss::squared_error, real) == "(nothing was refused)");
  CHECK_THAT(said(Loss::binary_cross_entropy, real), Contains("needs targets in [0, 1]"));

  const std::array<Index, 2> square = {2, 2};
  const auto coder = std::make_shared<const Network>(multilayer_perceptron(square, Activation::tanh));
  CHECK_THAT(
      refusal([&] { make_network_objective(coder, Loss::softmax_cross_entropy, made(as_it_is), reconstructing); }),
      Contains("needs classes, not reconstructed inputs"));
}

TEST_CASE("products and moments of a network refuse shapes that are not its own") {
  const Case c{{3, 4, 2}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 2, 10, c.loss));
  const Vector x = Vector::Constant(f->size(), 0.1);
  const auto A = f->curvature(x, Curvature::hessian);
  Matrix Y(f->size(), 2);
  CHECK_THAT(refusal([&] { A->apply(Matrix::Ones(f->size(), 1), Y); }), Contains("but the operator has size"));
  std::vector<Matrix> moments;
  CHECK_THAT(refusal([&] { f->kronecker_moments(x, {}, {}, moments); }), Contains("0 bases for 2 layers"));
  std::vector<KroneckerBasis> bases(2);
  bases[1] = {Matrix::Identity(4, 4), Matrix::Identity(2, 2)};
  CHECK_THAT(refusal([&] { f->kronecker_moments(x, {}, bases, moments); }),
             Contains("the bases of layer 2 are 4 x 4 and 2 x 2; they must be 5 and 2 square"));
}
