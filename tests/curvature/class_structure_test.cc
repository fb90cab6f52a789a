#include "hesse/curvature/class_structure.h"

#include "core/refusal.h"
#include "nn/network_cases.h"

#include "hesse/curvature/curvature_operator.h"
#include "hesse/nn/models.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <numeric>

using namespace hesse;
using Catch::Contains;

namespace {

const Case kCase{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
constexpr Index kClasses = 3;
constexpr Index kSamples = 20;

/// The parts as dense matrices, from the definitions: g_{i,c'} is the gradient of a data set of sample i alone with the
/// label c', and p_i the softmax of its logits.
struct BruteForce {
  Matrix classes, cross, own, within, G;
  Matrix class_means, cross_means;  ///< n x K, n x K^2
  Matrix weights;

  BruteForce(const Dataset& data, const Vector& x) {
    const Index n = x.size();
    const Index K = data.class_count;
    const auto N = static_cast<double>(data.sample_count());
    std::vector<Matrix> g(static_cast<std::size_t>(data.sample_count()), Matrix(n, K));
    Matrix w(data.sample_count(), K);
    for (Index i = 0; i < data.sample_count(); ++i) {
      for (Index other = 0; other < K; ++other) {
        auto one = std::make_shared<Dataset>();
        one->class_count = K;
        one->inputs = data.inputs.col(i);
        one->labels = {static_cast<std::int32_t>(other)};
        const auto f = make_objective(kCase, one);
        Vector gradient;
        // Cross-entropy is -log p.
        w(i, other) = std::exp(-f->value_and_gradient(x, gradient)) / N;
        g[static_cast<std::size_t>(i)].col(other) = gradient;
      }
    }
    classes = cross = own = within = G = Matrix::Zero(n, n);
    class_means = Matrix::Zero(n, K);
    cross_means = Matrix::Zero(n, K * K);
    weights = Matrix::Zero(K, K);
    for (Index c = 0; c < K; ++c) {
      for (Index other = 0; other < K; ++other) {
        for (Index i = 0; i < data.sample_count(); ++i) {
          if (data.labels[static_cast<std::size_t>(i)] != c) continue;
          weights(c, other) += w(i, other);
          cross_means.col(c * K + other) += w(i, other) * g[static_cast<std::size_t>(i)].col(other);
        }
        if (weights(c, other) > 0) cross_means.col(c * K + other) /= weights(c, other);
      }
      double w_c = 0;
      for (Index other = 0; other < K; ++other) {
        if (other == c) continue;
        w_c += weights(c, other);
        class_means.col(c) += weights(c, other) * cross_means.col(c * K + other);
      }
      if (w_c > 0) class_means.col(c) /= w_c;
      classes += w_c * class_means.col(c) * class_means.col(c).transpose();
      for (Index other = 0; other < K; ++other) {
        const Vector mean = cross_means.col(c * K + other);
        if (other == c) {
          own += weights(c, c) * mean * mean.transpose();
        } else {
          const Vector off = mean - class_means.col(c);
          cross += weights(c, other) * off * off.transpose();
        }
        for (Index i = 0; i < data.sample_count(); ++i) {
          if (data.labels[static_cast<std::size_t>(i)] != c) continue;
          const Vector each = g[static_cast<std::size_t>(i)].col(other);
          within += w(i, other) * (each - mean) * (each - mean).transpose();
          G += w(i, other) * each * each.transpose();
        }
      }
    }
  }
};

std::vector<Index> all_rows(Index n) {
  std::vector<Index> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

EigenPairs largest_of(const Matrix& A, Index k) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(A);
  EigenPairs pairs;
  pairs.values = solver.eigenvalues().tail(k).reverse();
  pairs.vectors = solver.eigenvectors().rightCols(k).rowwise().reverse();
  pairs.residuals = Vector::Zero(k);
  return pairs;
}

/// An orthonormal basis of the columns, by their singular values.
Matrix span_of(const Matrix& columns) {
  const Eigen::JacobiSVD<Matrix> svd(columns, Eigen::ComputeThinU);
  const Index rank = (svd.singularValues().array() > 1e-9 * svd.singularValues()[0]).count();
  return svd.matrixU().leftCols(rank);
}
double share_in_span(const Matrix& columns, const Vector& v) {
  return (span_of(columns).transpose() * v).squaredNorm();
}

/// Rounding of sums over the samples and of the targets z - u.
double rounding(const Matrix& G) { return 1000 * kEps * G.norm(); }

}  // namespace

TEST_CASE("The parts of the Gauss-Newton matrix are those of gradients sample by sample and label by label") {
  const auto data = make_data(4, kClasses, kSamples, kCase.loss);
  const auto f = make_objective(kCase, data);
  const Vector x = test_point(f->size());
  const BruteForce exact(*data, x);
  const Matrix G = dense(*f->curvature(x, Curvature::gauss_newton));
  const double tolerance = rounding(G);
  // The identities themselves.
  CHECK((exact.G - G).norm() <= tolerance);
  CHECK((exact.classes + exact.cross + exact.own + exact.within - G).norm() <= tolerance);

  const CrossClassMeans means = cross_class_means(*f, x, all_rows(f->size()));
  CHECK(means.classes() == kClasses);
  CHECK((means.weights - exact.weights).norm() <= 100 * kEps);
  CHECK((means.means - exact.cross_means).norm() <= 1000 * kEps * exact.cross_means.norm());
  CHECK(f->selection().size() == kSamples);  // as it was
  const ClassParts parts = class_parts(means);
  CHECK((dense(*parts.classes.matrix) - exact.classes).norm() <= tolerance);
  CHECK((dense(*parts.cross.matrix) - exact.cross).norm() <= tolerance);
  CHECK((dense(*parts.own.matrix) - exact.own).norm() <= tolerance);
  CHECK((dense(*parts.sum) - exact.classes - exact.cross - exact.own).norm() <= tolerance);
  for (const auto& [part, matrix] : {std::pair{&parts.classes, &exact.classes}, std::pair{&parts.cross, &exact.cross},
                                     std::pair{&parts.own, &exact.own}}) {
    CHECK(std::abs(part->trace - matrix->trace()) <= tolerance);
    const Vector values = largest_of(*matrix, part->values.size()).values;
    CHECK((part->values - values).norm() <= tolerance);
  }
  // K, K (K - 2) and K directions.
  CHECK(parts.classes.values.size() == kClasses);
  CHECK(parts.cross.values.size() == kClasses * (kClasses - 2));
  CHECK(parts.own.values.size() == kClasses);
}

TEST_CASE("The traces of the four parts add up to that of the Gauss-Newton matrix") {
  const auto f = make_objective(kCase, make_data(4, kClasses, kSamples, kCase.loss));
  const Vector x = test_point(f->size());
  const OperatorPtr G = f->curvature(x, Curvature::gauss_newton);
  const Matrix dense_G = dense(*G);
  const ClassParts parts = class_parts(cross_class_means(*f, x, all_rows(f->size())));
  ClassAttributionOptions options;
  options.is_gauss_newton = true;
  options.trace.max_products = 100;  // 43 parameters: exact
  const ClassAttribution found = attribute_to_classes(G, G, parts, largest_of(dense_G, 4), options);
  REQUIRE(found.within_trace.is_exact);
  const double total = parts.classes.trace + parts.cross.trace + parts.own.trace + found.within_trace.value;
  CHECK(std::abs(total - dense_G.trace()) <= rounding(dense_G));
  // A part that is left out, or counted twice, would show.
  for (const double part : {parts.classes.trace, parts.cross.trace, parts.own.trace, found.within_trace.value}) {
    CHECK(part > 1e-3 * dense_G.trace());
  }
}

TEST_CASE("What eigenvalues come from is the share of each dense part in them and adds up to them") {
  const auto data = make_data(4, kClasses, kSamples, kCase.loss);
  const auto f = make_objective(kCase, data);
  const Vector x = test_point(f->size());
  const BruteForce exact(*data, x);
  const ClassParts parts = class_parts(cross_class_means(*f, x, all_rows(f->size())));
  const OperatorPtr G = f->curvature(x, Curvature::gauss_newton);
  constexpr Index k = 6;
  for (const Curvature kind : {Curvature::hessian, Curvature::gauss_newton}) {
    CAPTURE(to_string(kind));
    const OperatorPtr A = f->curvature(x, kind);
    const Matrix dense_A = dense(*A);
    const EigenPairs top = largest_of(dense_A, k);
    ClassAttributionOptions options;
    options.is_gauss_newton = kind == Curvature::gauss_newton;
    options.within = 3;
    options.tolerance = 1e-9;
    const ClassAttribution found = attribute_to_classes(A, G, parts, top, options);
    REQUIRE(found.is_finite);
    CHECK(found.converged);
    const double tolerance = rounding(dense_A);
    CHECK((found.shares.rowwise().sum() - top.values).norm() <= tolerance);
    const std::array<const Matrix*, 4> matrices = {&exact.classes, &exact.cross, &exact.own, &exact.within};
    for (Index j = 0; j < k; ++j) {
      const Vector v = top.vectors.col(j);
      for (Index part = 0; part < 4; ++part) {
        CHECK(std::abs(found.shares(j, part) - v.dot(*matrices[static_cast<std::size_t>(part)] * v)) <= tolerance);
      }
      // Bases by Gram matrices are orthonormal to the root of eps over their condition.
      CHECK(found.in_class_span[j] == Approx(share_in_span(exact.class_means, v)).margin(1e-6));
      CHECK(found.in_cross_span[j] == Approx(share_in_span(exact.cross_means, v)).margin(1e-6));
      CHECK(found.in_class_span[j] <= found.in_cross_span[j] + 1e-6);
    }
    const Vector within = largest_of(exact.within, 3).values;
    CHECK((found.within.values - within).norm() <= 1e-8 * dense_A.norm());
    // Knockouts, by dense eigenvalues; none of them lies so near the edge that a residual would move it across.
    const double edge = largest_of(dense_A - exact.classes - exact.cross - exact.own, 1).values[0];
    const auto beyond = [&](const Matrix& matrix) {
      const Vector values = largest_of(matrix, k).values;
      CHECK((values.array() - edge).abs().minCoeff() > 1e-7 * dense_A.norm());
      return (values.array() > edge).count();
    };
    CHECK(std::abs(found.edge - edge) <= found.edge_residual + tolerance);
    CHECK(found.outliers == beyond(dense_A));
    CHECK(found.outliers > 0);
    CHECK(found.without_classes == beyond(dense_A - exact.classes));
    CHECK(found.without_cross == beyond(dense_A - exact.cross));
    CHECK(found.without_own == beyond(dense_A - exact.own));
    // Projections, with the spans by singular values. A basis by Gram matrices is orthonormal to 1e-6.
    for (const auto& [means, projection] :
         {std::pair{&exact.class_means, &found.off_class_span}, std::pair{&exact.cross_means, &found.off_cross_span}}) {
      const Matrix Q = span_of(*means);
      const Matrix off = Matrix::Identity(x.size(), x.size()) - Q * Q.transpose();
      const double largest = largest_of(off * dense_A * off, 1).values[0];
      CHECK(std::abs(projection->edge - largest) <= projection->edge_residual + 1e-6 * dense_A.norm());
      CHECK(projection->outliers == (top.values.array() > largest + 2e-6 * dense_A.norm()).count());
      CHECK(projection->outliers > 0);
    }
  }
}

TEST_CASE("Parts of a block of parameters are blocks of the parts and a penalty is no part of them") {
  const auto data = make_data(4, kClasses, kSamples, kCase.loss);
  L2Objective f(make_objective(kCase, data), 0.1, true);
  const Vector x = test_point(f.size());
  const BruteForce exact(*data, x);
  const std::vector<Index> rows = parameters_of(f.layout(), {"layer2"});
  const ClassParts parts = class_parts(cross_class_means(f, x, rows));
  const double tolerance = rounding(exact.G);
  CHECK((dense(*parts.classes.matrix) - exact.classes(rows, rows)).norm() <= tolerance);
  CHECK((dense(*parts.cross.matrix) - exact.cross(rows, rows)).norm() <= tolerance);
}

TEST_CASE("A class without samples has no weight and the parts still add up") {
  const auto drawn = make_data(4, kClasses, kSamples, kCase.loss);
  auto data = std::make_shared<Dataset>();
  data->inputs = drawn->inputs;
  data->class_count = kClasses;
  for (const std::int32_t label : drawn->labels) data->labels.push_back(label == 2 ? 0 : label);
  const auto f = make_objective(kCase, data);
  const Vector x = test_point(f->size());
  const BruteForce exact(*data, x);
  const CrossClassMeans means = cross_class_means(*f, x, all_rows(f->size()));
  CHECK(means.weights.row(2).isZero(0));
  CHECK(means.weights.sum() == Approx(1).epsilon(1e-14));
  const ClassParts parts = class_parts(means);
  const Matrix G = dense(*f->curvature(x, Curvature::gauss_newton));
  CHECK((dense(*parts.sum) + exact.within - G).norm() <= rounding(G));
  CHECK(parts.classes.values.size() == 2);
}

TEST_CASE("In float the parts agree with those in double to the precision of float") {
  const auto data = make_data(4, kClasses, kSamples, kCase.loss);
  NetworkOptions options;
  options.precision = Precision::float32;
  const auto f = make_objective(kCase, data, options);
  const Vector x = test_point(f->size());
  const BruteForce exact(*data, x);
  const ClassParts parts = class_parts(cross_class_means(*f, x, all_rows(f->size())));
  // Sums of a few hundred products, each rounded to 6e-8.
  CHECK((dense(*parts.sum) - exact.classes - exact.cross - exact.own).norm() <= 1e-5 * exact.G.norm());
}

TEST_CASE("Cross-class means are refused where the loss or a layer has none") {
  Quadratic quadratic(Vector::Ones(3), Vector::Zero(3));
  CHECK_THAT(refusal([&] {
               cross_class_means(quadratic, Vector::Ones(3), {0, 1, 2});
             }),
             Contains("no network with one class label"));
  const auto data = make_data(4, kClasses, kSamples, kCase.loss);
  const auto squared = make_objective({{4, 5, 3}, Activation::tanh, Loss::squared_error}, data);
  CHECK_THAT(refusal([&] { cross_class_means(*squared, test_point(squared->size()), {0}); }),
             Contains("of softmax cross-entropy, and the loss is squared-error"));
  const std::array<Index, 3> sizes = {4, 5, 3};
  const auto dropping =
      make_network_objective(std::make_shared<const Network>(multilayer_perceptron(sizes, Activation::tanh, 0, 0.5)),
                             Loss::softmax_cross_entropy, data);
  CHECK_THAT(refusal([&] { cross_class_means(*dropping, test_point(dropping->size()), {0}); }),
             Contains("drops outputs"));
  const auto f = make_objective(kCase, data);
  CHECK_THAT(obstacle_to_cross_class_means(*f, Index{1} << 50), Contains("9 cross-class means") && Contains("GiB"));
  CHECK(obstacle_to_cross_class_means(*f, f->size()).empty());
  const ClassParts parts = class_parts(cross_class_means(*f, test_point(f->size()), all_rows(f->size())));
  CHECK_THAT(
      refusal([&] { attribute_to_classes(scaled_identity(3, 1.0), scaled_identity(3, 1.0), parts, EigenPairs(), {}); }),
      Contains("do not fit"));
}
