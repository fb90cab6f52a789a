#include "hesse/curvature/rescaling.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/linalg/eigen.h"
#include "hesse/oracles/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

/// A perceptron with one hidden layer of tanh units and softmax outputs, by plain loops.
struct ByHand {
  Matrix W1, W2;
  Vector b1, b2;

  ByHand(const Vector& x, Index inputs, Index hidden, Index classes) {
    W1 = x.head(hidden * inputs).reshaped<Eigen::RowMajor>(hidden, inputs);
    b1 = x.segment(hidden * inputs, hidden);
    W2 = x.segment(hidden * (inputs + 1), classes * hidden).reshaped<Eigen::RowMajor>(classes, hidden);
    b2 = x.tail(classes);
  }
  Vector hidden(const Vector& input) const { return (W1 * input + b1).array().tanh(); }
  Vector probabilities(const Vector& a) const {
    const Vector z = W2 * a + b2;
    const Vector e = (z.array() - z.maxCoeff()).exp();
    return e / e.sum();
  }
  /// dL/dz of the loss for a label.
  static Vector output_adjoint(const Vector& p, Index label) {
    Vector d = p;
    d[label] -= 1;
    return d;
  }
  Vector hidden_adjoint(const Vector& a, const Vector& d) const {
    return (W2.transpose() * d).array() * (1 - a.array().square());
  }
  /// The gradient for one input and label, as the parameters are laid out.
  Vector gradient(const Vector& input, Index label) const {
    const Vector a = hidden(input);
    const Vector d = output_adjoint(probabilities(a), label);
    const Vector e = hidden_adjoint(a, d);
    Vector g(W1.size() + b1.size() + W2.size() + b2.size());
    g.head(W1.size()).reshaped<Eigen::RowMajor>(W1.rows(), W1.cols()) = e * input.transpose();
    g.segment(W1.size(), b1.size()) = e;
    g.segment(W1.size() + b1.size(), W2.size()).reshaped<Eigen::RowMajor>(W2.rows(), W2.cols()) = d * a.transpose();
    g.tail(b2.size()) = d;
    return g;
  }
};

Vector with_one(const Vector& a) {
  Vector out(a.size() + 1);
  out << a, 1.0;
  return out;
}

std::vector<OracleFinding> kronecker_fisher(const OracleContext& context) {
  constexpr Index kInputs = 3;
  constexpr Index kHidden = 4;
  constexpr Index kClasses = 3;
  constexpr Index kSamples = 7;
  const auto data = planted_classes(kInputs, kClasses, kSamples, 21);
  const auto f = planted_perceptron({kInputs, kHidden, kClasses}, Activation::tanh, data);
  const Index n = f->size();
  const Vector x = 0.7 * planted_point(n, 22);
  const ByHand hand(x, kInputs, kHidden, kClasses);
  // The planted fault: adjoints of a mean, where those of one sample are meant, as published code has had it.
  const double scale = context.planted ? 1.0 / kSamples : 1.0;

  // A and G of both layers over all samples, and the Fisher matrix with its expectation over the labels taken exactly.
  std::vector<Matrix> A = {Matrix::Zero(kInputs + 1, kInputs + 1), Matrix::Zero(kHidden + 1, kHidden + 1)};
  std::vector<Matrix> G = {Matrix::Zero(kHidden, kHidden), Matrix::Zero(kClasses, kClasses)};
  Matrix fisher = Matrix::Zero(n, n);
  Matrix empirical = Matrix::Zero(n, n);
  for (Index i = 0; i < kSamples; ++i) {
    const Vector input = data->inputs.col(i);
    const Index label = data->labels[static_cast<std::size_t>(i)];
    const Vector a = hand.hidden(input);
    const Vector p = hand.probabilities(a);
    const Vector d = scale * ByHand::output_adjoint(p, label);
    const Vector e = hand.hidden_adjoint(a, d);
    A[0] += with_one(input) * with_one(input).transpose() / kSamples;
    A[1] += with_one(a) * with_one(a).transpose() / kSamples;
    G[0] += e * e.transpose() / kSamples;
    G[1] += d * d.transpose() / kSamples;
    for (Index y = 0; y < kClasses; ++y) {
      const Vector g = scale * hand.gradient(input, y);
      fisher += p[y] * g * g.transpose() / kSamples;
      if (y == label) empirical += g * g.transpose() / kSamples;
    }
  }

  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical}, factors);
  double factor_error = factors.size() == 2 ? 0.0 : std::nan("");
  for (std::size_t l = 0; l < factors.size() && l < 2; ++l) {
    complete(factors[l]);
    factor_error = std::max(
        {factor_error, (factors[l].A - A[l]).norm() / A[l].norm(), (factors[l].G - G[l]).norm() / G[l].norm()});
  }

  // For one datum the block of a layer is G (x) A itself.
  const std::vector<Index> first = {0};
  f->select(first);
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical}, factors);
  const Vector g = scale * hand.gradient(data->inputs.col(0), data->labels[0]);
  double block_error = 0;
  for (KroneckerFactors& k : factors) {
    complete(k);
    double error = 0;
    double size = 0;
    const auto place = [&](Index o, Index in) {
      return k.begin + (in < k.inputs ? o * k.inputs + in : k.inputs * k.outputs + o);
    };
    for (Index o = 0; o < k.outputs; ++o)
      for (Index p = 0; p < k.outputs; ++p)
        for (Index a = 0; a <= k.inputs; ++a)
          for (Index b = 0; b <= k.inputs; ++b) {
            const double exact = g[place(o, a)] * g[place(p, b)];
            error = std::max(error, std::abs(k.G(o, p) * k.A(a, b) - exact));
            size = std::max(size, std::abs(exact));
          }
    block_error = std::max(block_error, error / size);
  }
  f->select_all();

  const auto distance = [&](Curvature kind, const Matrix& exact) {
    return (to_dense(*f->curvature(x, kind)) - exact).norm() / exact.norm();
  };
  const double bound = 200 * kEps;
  const char* const why = "200 eps: sums of 7 samples, 3 classes and 4 units, a few roundings a term";
  return {at_most("K-FAC's A and G of both layers against sums by hand, relative", factor_error, bound, why),
          at_most("G (x) A of one datum against its block of the Fisher matrix", block_error, bound, why),
          at_most("Fisher matrix against the sum over samples and labels by hand", distance(Curvature::fisher, fisher),
                  bound, why),
          at_most("Gauss-Newton matrix against the same, equal for cross-entropy",
                  distance(Curvature::gauss_newton, fisher), bound, why),
          at_most("empirical Fisher matrix against the sum over samples by hand",
                  distance(Curvature::fisher_empirical, empirical), bound, why)};
}

std::vector<OracleFinding> permutation(const OracleContext& context) {
  constexpr Index kInputs = 4;
  constexpr Index kHidden = 6;
  constexpr Index kClasses = 3;
  const auto f =
      planted_perceptron({kInputs, kHidden, kClasses}, Activation::tanh, planted_classes(kInputs, kClasses, 30, 23));
  const Vector x = 0.7 * planted_point(f->size(), 24);
  // order[i]: the entry of x that stands at i once the hidden units are turned round by two.
  std::vector<Index> order;
  const auto unit = [](Index h) { return (h + 2) % kHidden; };
  for (Index h = 0; h < kHidden; ++h)
    for (Index k = 0; k < kInputs; ++k) order.push_back(unit(h) * kInputs + k);
  for (Index h = 0; h < kHidden; ++h) order.push_back(kHidden * kInputs + unit(h));
  const Index second = kHidden * (kInputs + 1);
  for (Index c = 0; c < kClasses; ++c)
    for (Index h = 0; h < kHidden; ++h)
      order.push_back(second + c * kHidden +
                      (context.planted ? h : unit(h)));  // planted: units that keep their outputs
  for (Index c = 0; c < kClasses; ++c) order.push_back(second + kClasses * kHidden + c);
  const Vector y = x(order);
  Vector gx;
  Vector gy;
  const double fx = f->value_and_gradient(x, gx);
  const double fy = f->value_and_gradient(y, gy);
  const Matrix Hx = to_dense(*f->curvature(x, Curvature::hessian));
  const Matrix Hy = to_dense(*f->curvature(y, Curvature::hessian));
  const double bound = 200 * kEps;
  const char* const why = "200 eps: the same sums in another order";
  return {
      at_most("change of the value under a permutation of hidden units, relative", std::abs(fy - fx) / fx, bound, why),
      at_most("gradient there against the permuted gradient, relative", (gy - gx(order)).norm() / gx.norm(), bound,
              why),
      at_most("Hessian there against the permuted Hessian, relative", (Hy - Hx(order, order)).norm() / Hx.norm(), bound,
              why)};
}

std::vector<OracleFinding> rescaling(const OracleContext& context) {
  constexpr double kAlpha = 10;
  const auto f = planted_perceptron({6, 8, 3}, Activation::relu, planted_classes(6, 3, 60, 25));
  const Vector x = f->network().initial_parameters(Initialisation::he_normal, 1);
  const RescalablePair pair = rescalable_pairs(f->network()).at(0);
  Vector y = rescaled(f->network(), x, pair, kAlpha);
  // Planted: the first layer is scaled up and the next is left as it was.
  if (context.planted) y.tail(3 * 8 + 3) = x.tail(3 * 8 + 3);
  SharpnessOptions options;
  options.samples = 40;
  options.m = 20;
  options.subspace = 10;
  options.ascent.iterations = 5;
  const SharpnessReport at_x = measure_sharpness(*f, x, options);
  const SharpnessReport at_y = measure_sharpness(*f, y, options);
  Index invariant = 0;
  Index moved = 0;
  Index others = 0;
  Index others_moved = 0;
  for (const Measure& a : at_x.measures) {
    for (const Measure& b : at_y.measures) {
      if (a.key != b.key) continue;
      const bool changed = has_moved(a, b, at_x.tolerance);
      (a.invariant ? invariant : others) += 1;
      (a.invariant ? moved : others_moved) += changed ? 1 : 0;
    }
  }
  return {at_most("change of the outputs when a relu layer is scaled by 10 and the next by 1/10",
                  output_change(*f, x, y), 100 * kEps, "100 eps: one rounding a parameter, and sums of 8 terms"),
          at_least("measures of sharpness that are called invariant", static_cast<double>(invariant), 4,
                   "else nothing was compared"),
          equal_to("those that moved", static_cast<double>(moved), 0, "by more than 1e-8 and their rounding"),
          equal_to("other measures that moved", static_cast<double>(others_moved), static_cast<double>(others),
                   "all of them")};
}

}  // namespace

std::vector<Oracle> network_oracles() {
  return {
      {"kronecker-fisher", "K-FAC's factors and Fisher matrices are the sums that define them",
       "adjoints divided by the number of samples once too often", kronecker_fisher},
      {"permutation", "hidden units may be exchanged", "units that take their inputs along and not their outputs",
       permutation},
      {"rescaling", "what is called invariant survives a rescaling of relu layers, and nothing else does",
       "only the first of the two layers scaled", rescaling},
  };
}

}  // namespace hesse
