#include "hesse/objective/kronecker_structure.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/nn/image_layers.h"
#include "hesse/nn/models.h"
#include "nn/network_cases.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>
#include <span>
#include <utility>
#include <vector>

using namespace hesse;

namespace {

/// dL/dW (and dL/db as the last column) of a layer from a flat gradient.
Matrix layer_gradient(const KroneckerFactors& k, const Vector& g) {
  Matrix out(k.outputs, k.columns());
  for (Index o = 0; o < k.outputs; ++o) {
    for (Index i = 0; i < k.inputs; ++i) out(o, i) = g[k.begin + o * k.inputs + i];
    if (k.bias) out(o, k.inputs) = g[k.begin + k.inputs * k.outputs + o];
  }
  return out;
}

/// The largest error of G (x) A as the block of F for the layer, relative to the largest entry of the block.
double misfit(const KroneckerFactors& k, const Matrix& F) {
  // Entry (o, i) of W is at o * inputs + i, the bias of o after all of W: what stands for input `inputs`.
  const auto place = [&](Index o, Index in) {
    return k.begin + (in < k.inputs ? o * k.inputs + in : k.inputs * k.outputs + o);
  };
  double error = 0;
  double size = 0;
  for (Index o = 0; o < k.outputs; ++o)
    for (Index p = 0; p < k.outputs; ++p)
      for (Index a = 0; a <= k.inputs; ++a)
        for (Index b = 0; b <= k.inputs; ++b) {
          error = std::max(error, std::abs(k.G(o, p) * k.A(a, b) - F(place(o, a), place(p, b))));
          size = std::max(size, std::abs(F(place(o, a), place(p, b))));
        }
  return error / size;
}

}  // namespace

TEST_CASE("Kronecker factors: the product is the Fisher block of a single sample, and factors are means over samples") {
  for (const Case& c : {Case{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy},
                        Case{{3, 2, 4, 2}, Activation::softplus, Loss::squared_error},
                        Case{{3, 4, 2}, Activation::tanh, Loss::binary_cross_entropy}}) {
    const auto data = make_data(c.sizes.front(), c.sizes.back(), 7, c.loss);
    NetworkOptions options;
    options.pass_size = 3;  // three passes
    const auto f = make_objective(c, data, options);
    const Vector x = test_point(f->size());
    f->set_label_draw(5);
    for (const Curvature kind : {Curvature::fisher_sampled, Curvature::fisher_empirical}) {
      std::vector<KroneckerFactors> whole, one, sum;
      find<KroneckerStructure>(*f)->kronecker_factors(x, {.kind = kind, .draw = 5}, whole);
      REQUIRE(whole.size() == c.sizes.size() - 1);
      for (KroneckerFactors& k : whole) complete(k);
      for (Index i = 0; i < 7; ++i) {
        f->select(std::vector<Index>{i});
        f->kronecker_factors(x, {.kind = kind, .draw = 5}, one);
        for (KroneckerFactors& k : one) complete(k);
        const Matrix F = dense(*f->curvature(x, kind));
        for (std::size_t l = 0; l < one.size(); ++l) {
          CHECK(misfit(one[l], F) <= 100 * kEps);
        }
        if (i == 0) {
          sum = one;
        } else {
          for (std::size_t l = 0; l < sum.size(); ++l) {
            sum[l].A += one[l].A;
            sum[l].G += one[l].G;
          }
        }
      }
      for (std::size_t l = 0; l < sum.size(); ++l) {
        CHECK((sum[l].A / 7 - whole[l].A).norm() <= 100 * kEps * whole[l].A.norm());
        CHECK((sum[l].G / 7 - whole[l].G).norm() <= 100 * kEps * whole[l].G.norm());
      }
      f->select_all();
    }
    std::vector<KroneckerFactors> none;
    CHECK_THROWS_AS(f->kronecker_factors(x, {.kind = Curvature::hessian}, none), Error);
    CHECK_THROWS_AS(f->kronecker_factors(x, {.share = 0}, none), Error);
    CHECK_THROWS_AS(f->kronecker_factors(x, {.decay = 1}, none), Error);
  }
}

/// Networks of linear layers on 6 pixels: two 1 x 1 convolutions, and for one loss an image a mean over the pixels with
/// a dense layer behind it.
Network deep_linear_network(bool pooled) {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(convolution_layer({3, 2, 3}, 4, {1, 1, 1, 0}));
  layers.push_back(convolution_layer({4, 2, 3}, 2, {1, 1, 1, 0}));
  if (pooled) {
    layers.push_back(average_pooling_layer({2, 2, 3}, {2, 3, 1, 0}));
    layers.push_back(dense_layer(2, 2));
  }
  return Network(std::move(layers));
}

TEST_CASE("On deep linear networks expand is exact for a loss at every place, and reduce for one of the mean") {
  // Eschenhagen et al. (2023), sections 3.1 and 3.2. Residuals whose second moment is the identity stand for the
  // expectation over the model's targets.
  constexpr Index kSamples = 4;
  constexpr Index kPixels = 6;
  const bool pooled = GENERATE(false, true);
  const auto given = make_data(3 * kPixels, 2 * (pooled ? 1 : kPixels), kSamples, Loss::squared_error);
  const auto network = std::make_shared<const Network>(deep_linear_network(pooled));
  const Vector x = test_point(network->layout().size());
  const Matrix z = make_network_objective(network, Loss::squared_error, given, {})->outputs(x);
  Matrix residuals(z.rows(), z.cols());
  // Pairs (1, 1) and (1, -1) at the places in turn; pixels of one channel lie together.
  for (Index s = 0; s < kSamples; ++s) {
    for (Index p = 0; p < (pooled ? 1 : kPixels); ++p) {
      residuals(p, s) = 1;
      residuals((pooled ? 1 : kPixels) + p, s) = (s + p) % 2 == 0 ? 1 : -1;
    }
  }
  const auto data = std::make_shared<Dataset>();
  data->name = "drawn";
  data->inputs = given->inputs;
  data->targets = z - residuals;
  const auto f = make_network_objective(network, Loss::squared_error, data, {});
  const Matrix B = dense(*f->curvature(x, Curvature::gauss_newton));
  for (const WeightSharing sharing : {WeightSharing::expand, WeightSharing::reduce}) {
    std::vector<KroneckerFactors> factors;
    f->kronecker_factors(x, {.kind = Curvature::fisher_empirical, .sharing = sharing}, factors);
    for (std::size_t l = 0; l < 2; ++l) {
      KroneckerFactors& k = factors[l];
      complete(k);
      const bool exact = (sharing == WeightSharing::reduce) == pooled;
      CAPTURE(pooled, l);
      if (exact) {
        CHECK(misfit(k, B) <= 100 * kEps);
      } else {
        CHECK(misfit(k, B) > 1e-3);
      }
    }
  }
}

TEST_CASE("Kronecker factors are the same bits on any number of threads, and agree in float") {
  const Case c{{70, 130, 10}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(70, 10, 300, c.loss);
  const int before = threads();
  std::vector<KroneckerFactors> first;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    const auto f = make_objective(c, data);
    std::vector<KroneckerFactors> factors;
    f->kronecker_factors(0.2 * test_point(f->size()), {.kind = Curvature::fisher_sampled}, factors);
    if (n == 1) first = factors;
    for (std::size_t l = 0; l < factors.size(); ++l) {
      CHECK(factors[l].A == first[l].A);
      CHECK(factors[l].G == first[l].G);
    }
  }
  set_threads(before);
  NetworkOptions options;
  options.precision = Precision::float32;
  const auto f = make_objective(c, data, options);
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(0.2 * test_point(f->size()), {.kind = Curvature::fisher_empirical}, factors);
  const auto exact = make_objective(c, data);
  exact->kronecker_factors(0.2 * test_point(f->size()), {.kind = Curvature::fisher_empirical}, first);
  for (std::size_t l = 0; l < factors.size(); ++l) {
    CHECK((factors[l].A - first[l].A).norm() <= 1e-5 * first[l].A.norm());
    CHECK((factors[l].G - first[l].G).norm() <= 1e-5 * first[l].G.norm());
  }
}

namespace {

/// The samples that a share of a selection takes, by the rule that the interface promises.
std::vector<Index> drawn_samples(std::span<const Index> selection, Index count, std::uint64_t seed,
                                 std::uint64_t draw) {
  SubsetSampler sampler;
  std::vector<Index> samples;
  for (const Index position :
       sampler.draw(std::ssize(selection), count, RandomStream(seed, Purpose::curvature_samples, draw))) {
    samples.push_back(selection[static_cast<std::size_t>(position)]);
  }
  return samples;
}

}  // namespace

TEST_CASE("Kronecker factors over a share of the samples are those of drawn samples alone, others at every draw") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, 30, c.loss);
  NetworkOptions options;
  options.pass_size = GENERATE(3, 2048);
  const auto f = make_objective(c, data, options);
  const auto head = make_objective(c, data, options);
  std::vector<Index> batch(20);
  for (Index i = 0; i < 20; ++i) batch[static_cast<std::size_t>(i)] = 29 - i;
  f->select(batch);
  const Vector x = test_point(f->size());
  Vector g;
  // How far the sweeps at the point have gone already must not matter.
  const int known = GENERATE(0, 1, 2);
  if (known == 1) f->value(x);
  if (known == 2) f->value_and_gradient(x, g);
  for (const std::uint64_t draw : {2U, 3U}) {
    const std::vector<Index> drawn = drawn_samples(batch, 7, 11, draw);
    CHECK(drawn != drawn_samples(batch, 7, 11, draw + 1));
    head->select(drawn);
    for (const Curvature kind : {Curvature::fisher_sampled, Curvature::fisher_empirical}) {
      std::vector<KroneckerFactors> share, own;
      f->kronecker_factors(x, {.kind = kind, .seed = 11, .draw = draw, .share = 7.0 / 20}, share);
      head->kronecker_factors(x, {.kind = kind, .seed = 11, .draw = draw}, own);
      for (std::size_t l = 0; l < own.size(); ++l) {
        // The same products, in other blocks of samples.
        CHECK((share[l].A - own[l].A).norm() <= 50 * kEps * own[l].A.norm());
        CHECK((share[l].G - own[l].G).norm() <= 50 * kEps * own[l].G.norm());
      }
    }
  }
  // The gradient at the point is not disturbed.
  Vector after, fresh;
  f->value_and_gradient(x, after);
  f->select(batch);
  f->value_and_gradient(x, fresh);
  CHECK(after == fresh);
}

TEST_CASE("Kronecker factors and moments of many places are the same in one pass as in several with decay too") {
  // 4096 places of 25 inputs: a pass of more than 40 samples is too many entries to be unrolled at once.
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(convolution_layer({1, 64, 64}, 2, {5, 5, 1, 2}));
  layers.push_back(average_pooling_layer({2, 64, 64}, {64, 64, 1, 0}));
  layers.push_back(dense_layer(2, 3));
  const auto network = std::make_shared<const Network>(std::move(layers));
  const auto data = make_data(4096, 3, 50, Loss::softmax_cross_entropy);
  const FactorRequest request{.kind = Curvature::fisher_empirical,
                              .decay = 0.5,
                              .sharing = GENERATE(WeightSharing::expand, WeightSharing::reduce)};
  std::vector<KroneckerFactors> factors[2];
  std::vector<Matrix> moments[2];
  for (const int several : {0, 1}) {
    NetworkOptions options;
    options.pass_size = several == 1 ? 20 : 2048;
    const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data, options);
    for (const std::uint64_t step : {0U, 1U}) {
      const Vector x = test_point(f->size(), step);
      f->kronecker_factors(x, request, factors[several]);
      f->kronecker_moments(x, request, std::vector<KroneckerBasis>(2), moments[several]);
    }
  }
  for (std::size_t l = 0; l < 2; ++l) {
    const KroneckerFactors& one = factors[0][l];
    const KroneckerFactors& more = factors[1][l];
    CHECK((one.A - more.A).norm() <= 1e-12 * more.A.norm());
    CHECK((one.G - more.G).norm() <= 1e-12 * more.G.norm());
    CHECK((moments[0][l] - moments[1][l]).norm() <= 1e-12 * moments[1][l].norm());
  }
}

TEST_CASE("Empirical Kronecker factors are the same whether the gradient at the point is known or not") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::squared_error};
  const auto data = make_data(4, 3, 20, c.loss);
  const auto f = make_objective(c, data);
  const Vector x = test_point(f->size());
  std::vector<KroneckerFactors> fresh, known;
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical, .share = 0.5}, fresh);
  Vector g;
  f->value_and_gradient(x, g);
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical, .share = 0.5}, known);
  for (std::size_t l = 0; l < known.size(); ++l) {
    CHECK(known[l].A == fresh[l].A);
    // Adjoints divided by the number of samples and multiplied again: a few roundings each.
    CHECK((known[l].G - fresh[l].G).norm() <= 20 * kEps * fresh[l].G.norm());
  }
}

TEST_CASE("The mean of empirical Fisher matrices over the model's labels at all places is the Fisher matrix") {
  // All 3^3 texts of labels for one sample, each with its probability.
  const Index V = 3, T = 3;
  const auto with_labels = [&](std::vector<std::int32_t> labels) {
    return make_text(V, Matrix{{0}, {2}, {1}}, std::move(labels));
  };
  const auto network = std::make_shared<const Network>(transformer(V, T, 4, 2, 1));
  Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  x += 0.3 * test_point(x.size());
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, with_labels({0, 0, 0}));
  const Matrix B = dense(*f->curvature(x, Curvature::gauss_newton));
  Matrix p(V, T);
  const Matrix z = f->outputs(x);
  for (Index t = 0; t < T; ++t) {
    p.col(t) = z.col(0).segment(t * V, V).array().exp();
    p.col(t) /= p.col(t).sum();
  }
  const bool known = GENERATE(false, true);
  Matrix mean = Matrix::Zero(x.size(), x.size());
  Matrix G = Matrix::Zero(V, V);
  Vector moments;
  for (int text = 0; text < 27; ++text) {
    const auto labelled = with_labels({text % 3, text / 3 % 3, text / 9});
    double probability = 1;
    for (Index t = 0; t < T; ++t) probability *= p(labelled->labels[static_cast<std::size_t>(t)], t);
    const auto e = make_network_objective(network, Loss::softmax_cross_entropy, labelled);
    mean += probability * dense(*e->curvature(x, Curvature::fisher_empirical));
    Vector g;
    const auto fresh = make_network_objective(network, Loss::softmax_cross_entropy, labelled);
    if (known) fresh->value_and_gradient(x, g);
    std::vector<KroneckerFactors> factors;
    fresh->kronecker_factors(x, {.kind = Curvature::fisher_empirical}, factors);
    complete(factors.back());
    G += probability * factors.back().G;
    std::vector<Matrix> squares;
    fresh->kronecker_moments(x, {.kind = Curvature::fisher_empirical}, std::vector<KroneckerBasis>(factors.size()),
                             squares);
    if (text == 0) moments = Vector::Zero(squares.back().size());
    moments += probability * squares.back().reshaped<Eigen::RowMajor>();
  }
  CHECK((mean - B).norm() <= 500 * kEps * B.norm());
  // The last layer's factor is the mean Hessian of the loss in the logits of a place, which draw independently.
  Matrix H = Matrix::Zero(V, V);
  for (Index t = 0; t < T; ++t) {
    H += (Matrix(p.col(t).asDiagonal()) - p.col(t) * p.col(t).transpose()) / static_cast<double>(T);
  }
  CHECK((G - H).norm() <= 100 * kEps * H.norm());
  // Moments in the plain basis are the diagonal of the last layer's block: the weights, and the biases behind them.
  const KroneckerFactors last = f->kronecker_layers().back();
  for (Index o = 0; o < V; ++o) {
    for (Index i = 0; i < last.columns(); ++i) {
      const Index at = last.begin + (i < last.inputs ? o * last.inputs + i : last.inputs * V + o);
      CHECK(moments[o * last.columns() + i] == Approx(B(at, at)).epsilon(1e-12));
    }
  }
}

TEST_CASE("Kronecker factors with decay are the exponential mean of those of each call") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, 20, c.loss);
  NetworkOptions options;
  options.pass_size = 6;
  const auto f = make_objective(c, data, options);
  std::vector<KroneckerFactors> running, now;
  std::vector<Matrix> A, G;
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Vector x = test_point(f->size(), step);
    const double decay = step == 0 ? 0.0 : 0.9;
    f->kronecker_factors(x, {.draw = step, .decay = decay}, running);
    f->kronecker_factors(x, {.draw = step}, now);
    for (std::size_t l = 0; l < now.size(); ++l) {
      if (step == 0) {
        A.push_back(now[l].A);
        G.push_back(now[l].G);
      } else {
        A[l] = 0.9 * A[l] + 0.1 * now[l].A;
        G[l] = 0.9 * G[l] + 0.1 * now[l].G;
      }
      CHECK((Matrix((running[l].A - A[l]).triangularView<Eigen::Upper>())).norm() <= 50 * kEps * A[l].norm());
      CHECK((Matrix((running[l].G - G[l]).triangularView<Eigen::Upper>())).norm() <= 50 * kEps * G[l].norm());
    }
  }
}

TEST_CASE("Neighbouring factors and Kronecker moments are means over the gradients of single samples") {
  const Case c{{3, 4, 2, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const Index n = 9;
  const auto data = make_data(3, 3, n, c.loss);
  NetworkOptions options;
  options.pass_size = GENERATE(4, 2048);
  const auto f = make_objective(c, data, options);
  const Vector x = test_point(f->size());
  const FactorRequest request{.kind = Curvature::fisher_empirical, .neighbours = true};
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, request, factors);
  REQUIRE(factors.size() == 3);
  CHECK(factors[2].A_next.size() == 0);

  std::vector<KroneckerBasis> bases;
  for (KroneckerFactors k : factors) {
    complete(k);
    const Eigen::SelfAdjointEigenSolver<Matrix> of_A(k.A), of_G(k.G);
    bases.push_back({of_A.eigenvectors(), of_G.eigenvectors()});
  }
  std::vector<Matrix> moments;
  f->kronecker_moments(x, request, bases, moments);

  std::vector<Matrix> expected_moments;
  std::vector<Matrix> A_next(2), G_next(2);
  for (Index i = 0; i < n; ++i) {
    f->select(std::vector<Index>{i});
    Vector g;
    f->value_and_gradient(x, g);
    std::vector<Vector> a, s;
    for (std::size_t l = 0; l < factors.size(); ++l) {
      const Matrix W = layer_gradient(factors[l], g);
      const Matrix rotated = (bases[l].G.transpose() * W * bases[l].A).cwiseAbs2() / static_cast<double>(n);
      if (i == 0) {
        expected_moments.push_back(rotated);
      } else {
        expected_moments[l] += rotated;
      }
      // The gradient of one sample is g (a, 1)': its last column is g, and a follows from its largest row.
      s.push_back(W.rightCols(1));
      Index row = 0;
      s.back().cwiseAbs().maxCoeff(&row);
      a.push_back(W.row(row).transpose() / s.back()[row]);
    }
    for (std::size_t l = 0; l < 2; ++l) {
      if (i == 0) {
        A_next[l].setZero(a[l].size(), a[l + 1].size());
        G_next[l].setZero(s[l].size(), s[l + 1].size());
      }
      A_next[l] += a[l] * a[l + 1].transpose() / static_cast<double>(n);
      G_next[l] += s[l] * s[l + 1].transpose() / static_cast<double>(n);
    }
  }
  for (std::size_t l = 0; l < factors.size(); ++l) {
    CHECK((moments[l] - expected_moments[l]).norm() <= 200 * kEps * expected_moments[l].norm());
    if (l == 2) continue;
    // a was had by a quotient, which repeats the relative error of two products.
    CHECK((factors[l].A_next - A_next[l]).norm() <= 500 * kEps * A_next[l].norm());
    CHECK((factors[l].G_next - G_next[l]).norm() <= 200 * kEps * G_next[l].norm());
  }
}

TEST_CASE("Curvature forms are V'B V of the operator over the same samples") {
  const Case c{{4, 5, 3}, Activation::tanh, GENERATE(Loss::softmax_cross_entropy, Loss::squared_error)};
  const auto data = make_data(4, 3, 20, c.loss);
  NetworkOptions options;
  options.pass_size = GENERATE(6, 2048);
  options.memory_budget = GENERATE(1.0, 1e9);
  const auto f = make_objective(c, data, options);
  const auto head = make_objective(c, data, options);
  head->select(drawn_samples(f->selection(), 7, 11, 4));
  const Vector x = test_point(f->size());
  if (GENERATE(false, true)) f->value(x);
  Matrix V(f->size(), 3);
  for (Index k = 0; k < 3; ++k) V.col(k) = test_point(f->size(), static_cast<std::uint64_t>(k + 1));
  for (const double share : {1.0, 7.0 / 20}) {
    Matrix BV(f->size(), 3);
    (share == 1 ? f : head)->curvature(x, Curvature::gauss_newton)->apply(V, BV);
    const Matrix expected = V.transpose() * BV;
    Matrix forms;
    f->curvature_forms(x, Curvature::gauss_newton, 11, 4, share, V, forms);
    // Sums of 20 samples' forms of about 50 roundings each.
    CHECK((forms - expected).norm() <= 200 * kEps * expected.norm());
  }
  Matrix forms;
  CHECK_THROWS_AS(f->curvature_forms(x, Curvature::hessian, 0, 0, 1, V, forms), Error);
  CHECK_THROWS_AS(f->curvature_forms(x, Curvature::gauss_newton, 0, 0, 0, V, forms), Error);
}
