#include "hesse/core/error.h"
#include "nn/network_cases.h"
#include "nn/reference_network.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

constexpr Index kInputs = 3;
constexpr Index kHidden = 4;
constexpr Index kOutputs = 2;

/// h = tanh(W1 x + b1), u = h + W2 h + b2, v = tanh(u) + h, z = W3 (v + W4 x + b4) + b3: two residual connections from
/// one activation, and one from the input.
Network branching_network() {
  std::vector<Node> nodes;
  nodes.push_back({dense_layer(kInputs, kHidden)});                  // activation 1
  nodes.push_back({activation_layer(Activation::tanh, kHidden)});    // 2: h
  nodes.push_back({dense_layer(kHidden, kHidden)});                  // 3
  nodes.push_back({sum_layer(kHidden), {.addend = 2}});              // 4: u
  nodes.push_back({activation_layer(Activation::tanh, kHidden)});    // 5
  nodes.push_back({sum_layer(kHidden), {.addend = 2}});              // 6: v
  nodes.push_back({dense_layer(kInputs, kHidden), {.input = 0}});    // 7
  nodes.push_back({sum_layer(kHidden), {.input = 6, .addend = 7}});  // 8
  nodes.push_back({dense_layer(kHidden, kOutputs)});                 // 9
  return Network(std::move(nodes));
}

template <class T>
std::vector<T> affine(const std::vector<T>& p, std::size_t& at, Index outputs, const std::vector<T>& a) {
  std::vector<T> z(static_cast<std::size_t>(outputs), T(0.0));
  for (std::size_t o = 0; o < z.size(); ++o) {
    for (std::size_t i = 0; i < a.size(); ++i) z[o] = z[o] + p[at + o * a.size() + i] * a[i];
    z[o] = z[o] + p[at + z.size() * a.size() + o];
  }
  at += z.size() * (a.size() + 1);
  return z;
}

template <class T>
T sample_loss(const std::vector<T>& p, const Vector& input, const Vector& target) {
  std::size_t at = 0;
  std::vector<T> x;
  for (const double entry : input) x.push_back(T(entry));
  std::vector<T> h = affine(p, at, kHidden, x);
  for (T& entry : h) entry = reference::activate(Activation::tanh, entry);
  std::vector<T> v = affine(p, at, kHidden, h);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = reference::activate(Activation::tanh, v[i] + h[i]) + h[i];
  const std::vector<T> w = affine(p, at, kHidden, x);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = v[i] + w[i];
  const std::vector<T> z = affine(p, at, kOutputs, v);
  T sum(0.0);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const T r = z[i] - T(target[static_cast<Index>(i)]);
    sum = sum + T(0.5) * r * r;
  }
  return sum;
}

}  // namespace

TEST_CASE("Value, gradient and Hessian of a network that branches equal nested differentiation of its formula") {
  using D = reference::Tangent<reference::Tangent<double>>;
  const auto data = make_data(kInputs, kOutputs, 5, Loss::squared_error);
  NetworkOptions options;
  options.pass_size = GENERATE(2, 2048);
  const auto f =
      make_network_objective(std::make_shared<const Network>(branching_network()), Loss::squared_error, data, options);
  const Index n = f->size();
  const Vector x = test_point(n);
  Vector g_reference = Vector::Zero(n);
  Matrix H_reference = Matrix::Zero(n, n);
  double value = 0;
  for (Index s = 0; s < data->sample_count(); ++s) {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        std::vector<D> p;
        for (Index k = 0; k < n; ++k) p.push_back(D({x[k], k == j ? 1.0 : 0.0}, {k == i ? 1.0 : 0.0, 0.0}));
        const D loss = sample_loss(p, data->inputs.col(s), data->targets.col(s));
        H_reference(i, j) += loss.d.d / 5;
        if (j == 0) g_reference[i] += loss.d.v / 5;
        if (i + j == 0) value += loss.v.v / 5;
      }
    }
  }
  Vector g;
  // Sums of at most a few hundred terms, each with a few roundings of the largest intermediate.
  CHECK(std::abs(f->value_and_gradient(x, g) - value) <= 1e-13 * std::max(1.0, value));
  CHECK((g - g_reference).norm() <= 1e-13 * g_reference.norm());
  CHECK((dense(*f->curvature(x, Curvature::hessian)) - H_reference).norm() <= 1e-12 * H_reference.norm());
  // Squared error: the Gauss-Newton matrix is the mean of J'J, here by differences of the outputs.
  const Matrix GN = dense(*f->curvature(x, Curvature::gauss_newton));
  Matrix J(kOutputs * 5, n);
  const double h = 1e-5;
  for (Index i = 0; i < n; ++i) {
    Vector up = x, down = x;
    up[i] += h;
    down[i] -= h;
    const Matrix d = (f->outputs(up) - f->outputs(down)) / (2 * h);
    J.col(i) = Eigen::Map<const Vector>(d.data(), d.size());
  }
  // Central differences: h^2 / 6 times a third derivative of order 10, and rounding eps / h.
  CHECK((GN - J.transpose() * J / 5).norm() <= 1e-8 * GN.norm());
}

TEST_CASE("A network that branches agrees in float and double") {
  const auto data = make_data(kInputs, kOutputs, 200, Loss::squared_error);
  const auto network = std::make_shared<const Network>(branching_network());
  const auto f = make_network_objective(network, Loss::squared_error, data);
  NetworkOptions options;
  options.precision = Precision::float32;
  const auto in_float = make_network_objective(network, Loss::squared_error, data, options);
  const Vector x = test_point(f->size());
  const Vector v = test_point(f->size(), 1);
  Vector g, g_float;
  f->value_and_gradient(x, g);
  in_float->value_and_gradient(x, g_float);
  CHECK((g - g_float).norm() <= 1e-5 * g.norm());
  Vector y(x.size()), y_float(x.size());
  f->curvature(x, Curvature::hessian)->apply(v, y);
  in_float->curvature(x, Curvature::hessian)->apply(v, y_float);
  CHECK((y - y_float).norm() <= 1e-5 * y.norm());
}

TEST_CASE("A network's wiring is checked when it is made") {
  const auto two = [](Wiring second) {
    std::vector<Node> nodes;
    nodes.push_back({dense_layer(3, 4)});
    nodes.push_back({sum_layer(4), second});
    return Network(std::move(nodes));
  };
  CHECK_NOTHROW(two({.addend = 1}));
  CHECK_THROWS_AS(two({.input = 2, .addend = 1}), Error);  // reads itself
  CHECK_THROWS_AS(two({.addend = 0}), Error);              // 3 entries into 4
  CHECK_THROWS_AS(two({.input = 0}), Error);
  std::vector<Node> unread;
  unread.push_back({dense_layer(3, 3)});
  unread.push_back({dense_layer(3, 2), {.input = 0}});
  CHECK_THROWS_AS(Network(std::move(unread)), Error);
  std::vector<Node> adds;
  adds.push_back({dense_layer(3, 3)});
  adds.push_back({dense_layer(3, 3), {.addend = 1}});
  CHECK_THROWS_AS(Network(std::move(adds)), Error);
}
