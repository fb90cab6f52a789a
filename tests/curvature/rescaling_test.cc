#include "hesse/curvature/rescaling.h"

#include "hesse/core/error.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/linalg/operators.h"
#include "hesse/nn/image_layers.h"
#include "hesse/nn/models.h"
#include "nn/network_cases.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

using namespace hesse;

namespace {

std::vector<std::pair<std::size_t, std::size_t>> pairs_of(const Network& network) {
  std::vector<std::pair<std::size_t, std::size_t>> list;
  for (const RescalablePair& pair : rescalable_pairs(network)) list.emplace_back(pair.first, pair.next);
  return list;
}

Matrix block(const Matrix& H, Index begin, Index end) { return H.block(begin, begin, end - begin, end - begin); }

double largest(const Matrix& H) { return Eigen::SelfAdjointEigenSolver<Matrix>(H).eigenvalues().tail(1)[0]; }

}  // namespace

TEST_CASE("Layers around relu and pooling can be rescaled and those around other activations cannot") {
  using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
  const std::vector<Index> sizes = {4, 5, 6, 3};
  CHECK(pairs_of(multilayer_perceptron(sizes, Activation::relu)) == Pairs{{0, 2}, {2, 4}});
  CHECK(pairs_of(multilayer_perceptron(sizes, Activation::relu, 0, 0.5)) == Pairs{{0, 3}, {3, 6}});
  for (const Activation smooth : {Activation::tanh, Activation::gelu, Activation::softplus}) {
    CHECK_THROWS_AS(rescalable_pairs(multilayer_perceptron(sizes, smooth)), Error);
  }
  const std::vector<Index> single = {4, 3};
  CHECK_THROWS_AS(rescalable_pairs(multilayer_perceptron(single, Activation::relu)), Error);
  // convolution relu pooling convolution relu pooling dense relu dense
  const std::vector<Index> channels = {2, 3};
  const std::vector<Index> hidden = {5};
  CHECK(pairs_of(convolutional_network({1, 8, 8}, channels, 3, hidden, 3, Activation::relu)) ==
        Pairs{{0, 3}, {3, 6}, {6, 8}});
  // Batch normalisation stands between.
  CHECK_THROWS_AS(rescalable_pairs(residual_network({1, 8, 8}, 2, 1, 1, 3).training), Error);
  // The first activation is read by a layer and by a sum.
  std::vector<Node> nodes;
  nodes.push_back({dense_layer(4, 4)});
  nodes.push_back({activation_layer(Activation::relu, 4)});
  nodes.push_back({dense_layer(4, 4)});
  nodes.push_back({sum_layer(4), {.addend = 2}});
  nodes.push_back({activation_layer(Activation::relu, 4)});
  nodes.push_back({dense_layer(4, 2)});
  CHECK_THROWS_AS(rescalable_pairs(Network(std::move(nodes))), Error);
  // Two layers read the relu: only what stands behind their sum can be rescaled.
  std::vector<Node> branches;
  branches.push_back({dense_layer(4, 4)});                      // activation 1
  branches.push_back({activation_layer(Activation::relu, 4)});  // 2
  branches.push_back({dense_layer(4, 3)});                      // 3
  branches.push_back({dense_layer(4, 3), {.input = 2}});        // 4
  branches.push_back({sum_layer(3), {.addend = 3}});            // 5
  branches.push_back({dense_layer(3, 3)});                      // 6
  branches.push_back({activation_layer(Activation::relu, 3)});  // 7
  branches.push_back({dense_layer(3, 2)});                      // 8
  CHECK(pairs_of(Network(std::move(branches))) == Pairs{{5, 7}});
}

TEST_CASE("A rescaled convolutional network computes what it did") {
  const std::vector<Index> channels = {2, 3};
  const std::vector<Index> hidden = {5};
  const auto network =
      std::make_shared<const Network>(convolutional_network({1, 8, 8}, channels, 3, hidden, 3, Activation::relu));
  const auto f =
      make_network_objective(network, Loss::softmax_cross_entropy, make_data(64, 3, 10, Loss::softmax_cross_entropy));
  const Vector x = test_point(f->size());
  for (const RescalablePair& pair : rescalable_pairs(*network)) {
    const Vector y = rescaled(*network, x, pair, 3);
    CHECK((y - x).norm() > 0.1 * x.norm());
    // One rounding a parameter, and sums of up to 75 terms.
    CHECK(output_change(*f, x, y) <= 100 * kEps);
    CHECK((rescaled(*network, y, pair, 1.0 / 3) - x).norm() <= 4 * kEps * x.norm());
    // A power of two is exact.
    CHECK(output_change(*f, x, rescaled(*network, x, pair, 4)) == 0);
  }
  CHECK(output_change(*f, x, 1.01 * x) > 1e-3);
  CHECK_THROWS_AS(rescaled(*network, x, {0, 3}, -1), Error);
  CHECK_THROWS_AS(rescaled(*network, Vector(3), {0, 3}, 2), Error);
}

TEST_CASE("A network of zeros whose outputs are all 0 changes none when it is rescaled") {
  const Case c{{3, 5, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 10, c.loss));
  const Vector zero = Vector::Zero(f->size());
  CHECK(output_change(*f, zero, rescaled(f->network(), zero, rescalable_pairs(f->network())[0], 3)) == 0);
  CHECK(std::isinf(output_change(*f, zero, test_point(f->size()))));
}

TEST_CASE("Blocks of the Hessian move by alpha^-2 and alpha^2 and trace and eigenvalue with them") {
  const Case c{{3, 5, 4, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 50, c.loss));
  const Vector x = test_point(f->size());
  const double alpha = 3;
  const Vector y = rescaled(f->network(), x, rescalable_pairs(f->network())[0], alpha);
  const Matrix Hx = dense(*f->curvature(x, Curvature::hessian));
  const Index first = 5 * 4;      // W and b of layer 1
  const Index next = first + 20;  // W of layer 2
  const Index n = x.size();
  SharpnessOptions options;
  options.measures = {"eigenvalue", "trace"};
  const SharpnessReport report = measure_sharpness(*f, y, options);
  const double trace =
      block(Hx, 0, first).trace() / 9 + block(Hx, first, next).trace() * 9 + block(Hx, next, n).trace();
  CHECK(report.measures[1].number.value == Approx(trace).epsilon(1e-12));
  Vector scale = Vector::Ones(n);
  scale.head(first).setConstant(1 / alpha);
  scale.segment(first, next - first).setConstant(alpha);
  CHECK(report.measures[0].number.value ==
        Approx(largest(scale.asDiagonal() * Hx * scale.asDiagonal())).epsilon(1e-12));

  // The eigenvalue of one layer's own block moves by the factor itself.
  std::vector<Index> own(static_cast<std::size_t>(first));
  std::iota(own.begin(), own.end(), Index{0});
  const auto Hy = f->curvature(y, Curvature::hessian);
  CHECK(largest(dense(*sub_block(Hy, own))) == Approx(largest(block(Hx, 0, first)) / 9).epsilon(1e-12));
}

TEST_CASE("Rescaled neurons leave elementwise units and the Fisher-Rao norm and the flatness of their own layer") {
  const Case c{{3, 6, 5, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 60, c.loss));
  const Vector x = test_point(f->size());
  // Row s of layer 2 and its bias times a_s, column s of layer 3 divided by it.
  const Vector a = Vector::LinSpaced(5, 0.3, 4);
  Vector y = x;
  const auto offset = [&](const char* name) { return f->layout().find(name)->offset; };
  for (Index s = 0; s < 5; ++s) {
    y.segment(offset("layer2.weight") + 6 * s, 6) *= a[s];
    y[offset("layer2.bias") + s] *= a[s];
    for (Index o = 0; o < 3; ++o) y[offset("layer3.weight") + 5 * o + s] /= a[s];
  }
  CHECK(output_change(*f, x, y) <= 100 * kEps);
  SharpnessOptions options;
  options.measures = {"adaptive", "expected", "fisher-rao", "relative-flatness"};
  for (const char* layer : {"layer2.weight", "layer3.weight"}) {
    options.layer = layer;
    const SharpnessReport at_x = measure_sharpness(*f, x, options);
    const SharpnessReport at_y = measure_sharpness(*f, y, options);
    for (std::size_t i = 0; i < at_x.measures.size(); ++i) {
      const std::string& key = at_x.measures[i].key;
      const bool moves = key.starts_with("adaptive-filterwise") || key == "expected" ||
                         key == "expected-second-order" ||
                         (key == "relative-flatness" && options.layer == "layer3.weight");
      CAPTURE(key, layer);
      CHECK(has_moved(at_x.measures[i], at_y.measures[i], 1e-10) == moves);
    }
  }
}

TEST_CASE("Measures that are invariant stay to 1e-10 and all others move when a relu network is rescaled") {
  const Case c{{3, 6, 5, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, 60, c.loss));
  const Vector x = test_point(f->size());
  SharpnessOptions options;
  options.m = 20;
  options.subspace = 10;
  options.ascent.iterations = 5;
  options.max_products = GENERATE(40, 100);  // estimates and exact figures
  const SharpnessReport at_x = measure_sharpness(*f, x, options);
  CHECK(at_x.left_out.empty());
  for (const RescalablePair& pair : rescalable_pairs(f->network())) {
    for (const double alpha : {3.0, 0.1}) {
      const SharpnessReport at_y = measure_sharpness(*f, rescaled(f->network(), x, pair, alpha), options);
      REQUIRE(at_y.measures.size() == at_x.measures.size());
      int invariant = 0;
      for (std::size_t i = 0; i < at_x.measures.size(); ++i) {
        const Measure& a = at_x.measures[i];
        const Measure& b = at_y.measures[i];
        CAPTURE(a.key, alpha, a.number.value, b.number.value);
        REQUIRE(a.number.is_finite);
        CHECK(has_moved(a, b, 1e-10) == !a.invariant);
        if (a.invariant) CHECK(std::abs(a.number.value - b.number.value) <= 1e-10 * std::abs(a.number.value));
        invariant += a.invariant ? 1 : 0;
      }
      CHECK(invariant == 9);
    }
  }
  // With eta the units are no longer those of the parameters.
  options.eta = 0.1;
  int invariant = 0;
  for (const Measure& m : measure_sharpness(*f, x, options).measures) invariant += m.invariant ? 1 : 0;
  CHECK(invariant == 2);
}
