#include "hesse/nn/network_objective.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "nn/network_cases.h"
#include "nn/reference_network.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace hesse;

namespace {

Vector target_of(const Dataset& data, Index sample) {
  if (!data.labels.empty()) return Vector::Constant(1, data.labels[static_cast<std::size_t>(sample)]);
  return data.targets.col(sample);
}

/// Gradient and dense Hessian of the mean loss by nested forward differentiation.
double differentiate(const Case& c, const Dataset& data, const Vector& x, Vector& g, Matrix& H) {
  using D = reference::Tangent<reference::Tangent<double>>;
  const Index n = x.size();
  g = Vector::Zero(n);
  H = Matrix::Zero(n, n);
  double f = 0;
  for (Index s = 0; s < data.sample_count(); ++s) {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j <= i; ++j) {
        std::vector<D> p;
        for (Index k = 0; k < n; ++k) p.push_back(D({x[k], k == j ? 1.0 : 0.0}, {k == i ? 1.0 : 0.0, 0.0}));
        const D loss = reference::sample_loss(c.sizes, c.activation, c.loss, p, data.inputs.col(s), target_of(data, s));
        H(i, j) += loss.d.d;
        if (i == j) g[i] += loss.d.v;
        if (i == 0) f += loss.v.v;
      }
    }
  }
  const auto count = static_cast<double>(data.sample_count());
  g /= count;
  H /= count;
  H.triangularView<Eigen::StrictlyUpper>() = H.transpose();
  return f / count;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    for (const Loss loss : {Loss::softmax_cross_entropy, Loss::binary_cross_entropy, Loss::squared_error}) {
      for (const Activation a : {Activation::identity, Activation::tanh, Activation::sigmoid, Activation::relu,
                                 Activation::gelu, Activation::softplus}) {
        list.push_back({{4, 5, 3, 2}, a, loss});
      }
      list.push_back({{3, 2}, Activation::tanh, loss});
    }
    return list;
  }();
  return all;
}

}  // namespace

TEST_CASE("value, gradient and Hessian of a network equal nested differentiation of the written-out formula") {
  for (const Case& c : cases()) {
    CAPTURE(to_string(c.loss), to_string(c.activation), c.sizes.size());
    const auto data = make_data(c.sizes.front(), c.sizes.back(), 5, c.loss);
    auto f = make_objective(c, data);
    const Vector x = test_point(f->size());
    Vector g_reference;
    Matrix H_reference;
    const double value = differentiate(c, *data, x, g_reference, H_reference);
    Vector g;
    // Sums of at most a few hundred terms, each with a few roundings of the largest intermediate.
    CHECK(std::abs(f->value_and_gradient(x, g) - value) <= 1e-13 * std::max(1.0, std::abs(value)));
    CHECK(f->value(x) == f->value_and_gradient(x, g));
    CHECK((g - g_reference).norm() <= 1e-13 * std::max(1.0, g_reference.norm()));
    const Matrix H = dense(*f->curvature(x, Curvature::hessian));
    CHECK((H - H_reference).norm() <= 1e-12 * std::max(1.0, H_reference.norm()));
  }
}

TEST_CASE("the error of central differences against gradient and Hessian product has its V shape") {
  for (const Case& c : cases()) {
    if (c.activation == Activation::relu) continue;  // not differentiable where a difference may straddle
    CAPTURE(to_string(c.loss), to_string(c.activation));
    const auto data = make_data(c.sizes.front(), c.sizes.back(), 7, c.loss);
    auto f = make_objective(c, data);
    const Vector x = test_point(f->size());
    const Vector v = test_point(f->size(), 1).normalized();
    const DifferenceSweep sweep = sweep_differences(*f, x, v);
    CHECK(sweep.gradient <= 1e-8);
    CHECK(sweep.product <= 1e-6);
    // Truncation on the left arm, cancellation on the right. A quadratic has no truncation error.
    if (c.sizes.size() > 2) CHECK(sweep.first_product > 10 * sweep.product);
    CHECK(sweep.last_product > 10 * sweep.product);
  }
}

TEST_CASE("Gauss-Newton equals J' H_L J and the exact Fisher matrix and the Gram matrix equals J'J") {
  for (const Case& c : cases()) {
    CAPTURE(to_string(c.loss), to_string(c.activation));
    const auto data = make_data(c.sizes.front(), c.sizes.back(), 6, c.loss);
    auto f = make_objective(c, data);
    const Vector x = test_point(f->size());
    const Matrix G = dense(*f->curvature(x, Curvature::gauss_newton));
    CHECK(G == dense(*f->curvature(x, Curvature::fisher)));
    CHECK((G - G.transpose()).norm() <= 1e-13 * G.norm());
    if (c.sizes.size() == 2) {
      const Matrix H = dense(*f->curvature(x, Curvature::hessian));
      CHECK((G - H).norm() <= 1e-13 * H.norm());
    }
    // Jacobians of the outputs by the reference network, sample by sample.
    using D = reference::Tangent<double>;
    const Index outputs = c.sizes.back();
    const Matrix Z = f->outputs(x);
    Matrix expected = Matrix::Zero(x.size(), x.size());
    Matrix gram = expected;
    for (Index s = 0; s < data->sample_count(); ++s) {
      Matrix J(outputs, x.size());
      for (Index o = 0; o < outputs; ++o) {
        // With squared error and target z - e_o, the loss's derivative is that of output o plus a
        // term that vanishes: d/dp 1/2 |z - t|^2 = (z - t)' dz/dp = dz_o/dp.
        Vector t = Z.col(s);
        t[o] -= 1;
        for (Index k = 0; k < x.size(); ++k) {
          std::vector<D> p;
          for (Index m = 0; m < x.size(); ++m) p.push_back(D(x[m], m == k ? 1.0 : 0.0));
          J(o, k) = reference::sample_loss(c.sizes, c.activation, Loss::squared_error, p, data->inputs.col(s), t).d;
        }
      }
      Matrix HL = Matrix::Identity(outputs, outputs);
      if (c.loss == Loss::softmax_cross_entropy) {
        const Vector e = Z.col(s).array().exp();
        const Vector p = e / e.sum();
        HL = Matrix(p.asDiagonal()) - p * p.transpose();
      } else if (c.loss == Loss::binary_cross_entropy) {
        const Vector p = 1 / (1 + (-Z.col(s).array()).exp());
        HL = Matrix((p.array() * (1 - p.array())).matrix().asDiagonal());
      }
      expected += J.transpose() * HL * J / static_cast<double>(data->sample_count());
      gram += J.transpose() * J / static_cast<double>(data->sample_count());
    }
    CHECK((G - expected).norm() <= 1e-12 * expected.norm());
    CHECK((dense(*f->curvature(x, Curvature::jacobian_gram)) - gram).norm() <= 1e-12 * gram.norm());
  }
}

TEST_CASE("the empirical Fisher matrix is the mean of outer products of per-sample gradients") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, 8, c.loss);
  auto f = make_objective(c, data);
  const Vector x = test_point(f->size());
  Matrix expected = Matrix::Zero(x.size(), x.size());
  for (Index s = 0; s < 8; ++s) {
    f->select(std::vector<Index>{s});
    Vector g;
    f->value_and_gradient(x, g);
    expected += g * g.transpose() / 8;
  }
  f->select_all();
  const Matrix E = dense(*f->curvature(x, Curvature::fisher_empirical));
  CHECK((E - expected).norm() <= 1e-13 * expected.norm());
}

TEST_CASE("the mean of sampled Fisher matrices approaches the exact one as 1/sqrt(draws)") {
  for (const Loss loss : {Loss::softmax_cross_entropy, Loss::binary_cross_entropy, Loss::squared_error}) {
    const Case c{{3, 3, 2}, Activation::tanh, loss};
    auto f = make_objective(c, make_data(3, 2, 10, loss));
    const Vector x = test_point(f->size());
    const Matrix exact = dense(*f->curvature(x, Curvature::fisher));
    const int draws = 2000;
    Matrix mean = Matrix::Zero(x.size(), x.size());
    Matrix square = Matrix::Zero(x.size(), x.size());
    for (int draw = 0; draw < draws; ++draw) {
      f->set_label_draw(static_cast<std::uint64_t>(draw));
      const Matrix S = dense(*f->curvature(x, Curvature::fisher_sampled));
      mean += S / draws;
      square += S.cwiseProduct(S) / draws;
    }
    // Each entry is a mean of independent draws: its error lies within 5 standard errors, but for a
    // chance of 6e-7 an entry.
    const Matrix standard_error = ((square - mean.cwiseProduct(mean)).cwiseMax(0) / draws).cwiseSqrt();
    CHECK(((mean - exact).cwiseAbs().array() <= 5 * standard_error.array() + 1e-14).all());
  }
}

TEST_CASE("a block of vectors gives the products of its columns, in one, two or more passes, kept or repeated") {
  const Case c{{6, 8, 4}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(6, 4, 333, c.loss);
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    NetworkOptions kept;
    kept.precision = precision;
    kept.pass_size = 100;
    NetworkOptions repeated = kept;
    repeated.memory_budget = 0;
    NetworkOptions one_pass;
    one_pass.precision = precision;
    auto f = make_objective(c, data, kept);
    auto r = make_objective(c, data, repeated);
    auto o = make_objective(c, data, one_pass);
    const Vector x = test_point(f->size());
    Matrix V(f->size(), 11), Y(f->size(), 11), Z(f->size(), 11), W(f->size(), 11);
    RandomStream(5, Purpose::test).fill_normal(Eigen::Map<Vector>(V.data(), V.size()));
    for (const Curvature kind :
         {Curvature::hessian, Curvature::gauss_newton, Curvature::fisher_sampled, Curvature::fisher_empirical}) {
      const auto A = f->curvature(x, kind);
      A->apply(V, Y);
      r->curvature(x, kind)->apply(V, Z);
      CHECK(Y == Z);
      for (Index j = 0; j < 11; ++j) {
        Vector y(f->size());
        A->apply(V.col(j), y);
        CHECK(y == Y.col(j));
      }
      o->curvature(x, kind)->apply(V, W);
      // Another order of summation over 333 samples.
      const double eps = precision == Precision::float32 ? 1.2e-7 : kEps;
      CHECK((Y - W).norm() <= 20 * eps * W.norm());
    }
    Vector g, h;
    CHECK(std::abs(f->value_and_gradient(x, g) - o->value_and_gradient(x, h)) <= 1e-6);
    CHECK((g - h).norm() <= (precision == Precision::float32 ? 1e-5 : 1e-13) * h.norm());
  }
}

TEST_CASE("float agrees with double to float accuracy") {
  for (const Case& c : cases()) {
    CAPTURE(to_string(c.loss), to_string(c.activation));
    const auto data = make_data(c.sizes.front(), c.sizes.back(), 40, c.loss);
    NetworkOptions single;
    single.precision = Precision::float32;
    auto f = make_objective(c, data, single);
    auto d = make_objective(c, data);
    const Vector x = test_point(f->size());
    Vector gf, gd;
    const double vf = f->value_and_gradient(x, gf);
    const double vd = d->value_and_gradient(x, gd);
    // Rounding of data and weights to 6e-8, through a chain of three layers with sums of a few terms.
    CHECK(std::abs(vf - vd) <= 1e-5 * std::max(1.0, vd));
    CHECK((gf - gd).norm() <= 1e-5 * std::max(1.0, gd.norm()));
    const Matrix Hf = dense(*f->curvature(x, Curvature::hessian));
    const Matrix Hd = dense(*d->curvature(x, Curvature::hessian));
    CHECK((Hf - Hd).norm() <= 2e-5 * std::max(1.0, Hd.norm()));
  }
}

TEST_CASE("the bits do not depend on the number of threads") {
  const Case c{{20, 30, 10, 5}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(20, 5, 3000, c.loss);
  for (const Precision precision : {Precision::float32, Precision::float64}) {
    NetworkOptions options;
    options.precision = precision;
    options.pass_size = 1024;
    Vector g1, Hv1(0);
    double f1 = 0;
    for (const int n : {1, 2, 3, 4}) {
      set_threads(n);
      auto f = make_objective(c, data, options);
      const Vector x = test_point(f->size());
      const Vector v = test_point(f->size(), 1);
      Vector g, Hv(f->size());
      const double value = f->value_and_gradient(x, g);
      f->curvature(x, Curvature::hessian)->apply(v, Hv);
      if (n == 1) {
        g1 = g;
        Hv1 = Hv;
        f1 = value;
      }
      CHECK(value == f1);
      CHECK(g == g1);
      CHECK(Hv == Hv1);
    }
  }
  set_threads(2);
}

TEST_CASE("the mean over all samples is the weighted mean over disjoint batches") {
  const Case c{{6, 7, 3}, Activation::sigmoid, Loss::softmax_cross_entropy};
  auto f = make_objective(c, make_data(6, 3, 50, c.loss));
  const Vector x = test_point(f->size());
  Vector g, part, sum = Vector::Zero(f->size());
  const double whole = f->value_and_gradient(x, g);
  BatchSequence batches(50, 16, 1);
  double value = 0;
  std::set<Index> seen;
  for (std::int64_t step = 0; step < batches.batches_per_epoch(); ++step) {
    const auto batch = batches.batch(step);
    seen.insert(batch.begin(), batch.end());
    f->select(batch);
    CHECK(f->samples() == static_cast<Index>(batch.size()));
    const double weight = static_cast<double>(batch.size()) / 50;
    value += weight * f->value_and_gradient(x, part);
    sum += weight * part;
  }
  CHECK(seen.size() == 50);
  CHECK(std::abs(value - whole) <= 1e-14 * whole);
  CHECK((sum - g).norm() <= 1e-14);
  f->select_all();
  CHECK(f->value(x) == whole);
}

TEST_CASE("an operator stays valid while its objective moves on") {
  const Case c{{4, 5, 2}, Activation::tanh, Loss::squared_error};
  auto f = make_objective(c, make_data(4, 2, 30, c.loss));
  const Vector x = test_point(f->size());
  const Vector y = test_point(f->size(), 1);
  const auto at_x = f->curvature(x, Curvature::hessian);
  const Matrix before = dense(*at_x);
  Vector g;
  f->value_and_gradient(y, g);
  f->select(std::vector<Index>{1, 2, 3});
  const auto at_y = f->curvature(y, Curvature::hessian);
  CHECK(dense(*at_y) != before);
  f->value(x);
  CHECK(dense(*at_x) == before);
}

TEST_CASE("extreme logits give a finite loss, and what is not finite is named") {
  const Case c{{2, 2}, Activation::tanh, Loss::softmax_cross_entropy};
  auto data = std::make_shared<Dataset>();
  data->name = "two";
  data->inputs = Matrix::Identity(2, 2);
  data->labels = {0, 1};
  data->class_count = 2;
  auto f = make_objective(c, data);
  Vector x = Vector::Zero(6);
  x[0] = 1e4;
  x[1] = -1e4;
  // Sample 0 has logits (1e4, 0) and class 0; sample 1 has (-1e4, 0) and class 1: both losses vanish.
  CHECK(f->value(x) == 0.0);
  x[0] = -1e4;
  CHECK(f->value(x) == Approx(5e3));
  x[3] = std::nan("");
  CHECK(std::isnan(f->value(x)));
  CHECK(f->explain_non_finite(x) == "parameter layer1.weight[1,1] is nan");
  x[3] = 1e308;
  data->inputs(1, 1) = 1e308;
  CHECK_THAT(f->explain_non_finite(x), Catch::Contains("layer 1 (dense)") && Catch::Contains("sample 1"));
}

TEST_CASE("losses of values take classes for unit vectors where there is an output for each") {
  const Loss loss = GENERATE(Loss::squared_error, Loss::binary_cross_entropy);
  const Case c{{4, 5, 3}, Activation::tanh, loss};
  const auto classes = make_data(4, 3, 20, Loss::softmax_cross_entropy);
  const auto values = std::make_shared<Dataset>();
  values->name = "unit vectors";
  values->inputs = classes->inputs;
  values->targets = Matrix::Zero(3, 20);
  for (Index i = 0; i < 20; ++i) values->targets(classes->labels[static_cast<std::size_t>(i)], i) = 1;
  const auto f = make_objective(c, classes);
  const auto reference = make_objective(c, values);
  const Vector x = test_point(f->size());
  Vector g(f->size());
  Vector g_reference(f->size());
  // The same arithmetic on the same numbers: equal to the last bit.
  CHECK(f->value_and_gradient(x, g) == reference->value_and_gradient(x, g_reference));
  CHECK(g == g_reference);
  // Only where there are classes is there an accuracy: that of the largest output.
  const Matrix z = f->outputs(x);
  Index right = 0;
  for (Index i = 0; i < 20; ++i) {
    Index largest = 0;
    z.col(i).maxCoeff(&largest);
    if (largest == classes->labels[static_cast<std::size_t>(i)]) ++right;
  }
  CHECK(f->evaluate(x).accuracy == static_cast<double>(right) / 20);
  CHECK(std::isnan(reference->evaluate(x).accuracy));
}

TEST_CASE("a network that does not fit its data or loss is refused") {
  const auto classes = make_data(4, 3, 5, Loss::softmax_cross_entropy);
  const auto values = make_data(4, 3, 5, Loss::squared_error);
  CHECK_THROWS_WITH(make_objective({{5, 3}, Activation::tanh, Loss::softmax_cross_entropy}, classes),
                    Catch::Contains("takes 5 inputs"));
  CHECK_THROWS_WITH(make_objective({{4, 2}, Activation::tanh, Loss::softmax_cross_entropy}, classes),
                    Catch::Contains("needs 3 outputs"));
  CHECK_THROWS_WITH(make_objective({{4, 3}, Activation::tanh, Loss::softmax_cross_entropy}, values),
                    Catch::Contains("needs classes"));
  CHECK_THROWS_WITH(make_objective({{4, 2}, Activation::tanh, Loss::squared_error}, values),
                    Catch::Contains("3 targets"));
  CHECK_THROWS_WITH(make_objective({{4, 1}, Activation::tanh, Loss::binary_cross_entropy}, classes),
                    Catch::Contains("needs 2 classes"));
  CHECK_THROWS_WITH(make_objective({{4, 2}, Activation::tanh, Loss::squared_error}, classes),
                    Catch::Contains("needs 1 or 3 outputs"));
  auto f = make_objective({{4, 3}, Activation::tanh, Loss::softmax_cross_entropy}, classes);
  CHECK_THROWS_WITH(f->select(std::vector<Index>{5}), Catch::Contains("sample 5 does not exist"));
  CHECK_THROWS_WITH(f->select(std::vector<Index>{}), Catch::Contains("no sample is selected"));
  CHECK_THROWS_WITH(f->value(Vector::Zero(3)), Catch::Contains("3 parameters"));
  CHECK_THROWS_AS(Network(std::vector<Node>{}), Error);
}

TEST_CASE("operators of several kinds and draws at one point keep to their own matrices") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(4, 3, 20, c.loss);
  const auto f = make_objective(c, data);
  const Vector x = test_point(f->size());
  const Vector v = test_point(f->size(), 1);
  const auto product = [&](const LinearOperator& A) {
    Vector y(v.size());
    A.apply(v, y);
    return y;
  };
  const auto first = f->curvature(x, Curvature::fisher_sampled);
  const Vector before = product(*first);
  f->set_label_draw(1);
  const auto second = f->curvature(x, Curvature::fisher_sampled);
  const auto empirical = f->curvature(x, Curvature::fisher_empirical);
  // The same arithmetic on the same numbers: equal to the last bit.
  CHECK((product(*first).array() == before.array()).all());
  CHECK_FALSE((product(*second).array() == before.array()).all());
  CHECK_FALSE((product(*empirical).array() == before.array()).all());
}
