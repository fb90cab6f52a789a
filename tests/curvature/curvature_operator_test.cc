#include "hesse/curvature/curvature_operator.h"

#include "hesse/core/error.h"
#include "hesse/curvature/subspace.h"
#include "hesse/linalg/eigen.h"
#include "hesse/nn/models.h"
#include "hesse/objective/l2_objective.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

using namespace hesse;

namespace {

const Case kCase{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};

Matrix dense(Objective& f, const Vector& x, const CurvatureOperatorOptions& options) {
  return to_dense(*curvature_operator(f, x, options));
}

/// Gradients of single samples, one a column.
Matrix sample_gradients(NetworkObjective& f, const Vector& x) {
  Matrix G(x.size(), f.sample_count());
  Vector g;
  for (Index i = 0; i < f.sample_count(); ++i) {
    f.select(std::vector<Index>{i});
    f.value_and_gradient(x, g);
    G.col(i) = g;
  }
  f.select_all();
  return G;
}

}  // namespace

TEST_CASE("the gradient covariance is that of the gradients of single samples") {
  const auto f = make_objective(kCase, make_data(4, 3, 9, kCase.loss));
  const Vector x = test_point(f->size());
  const Matrix G = sample_gradients(*f, x);
  const Matrix centred = G.colwise() - G.rowwise().mean().eval();
  const Matrix expected = centred * centred.transpose() / static_cast<double>(G.cols());
  const Matrix C = dense(*f, x, {.matrix = CurvatureMatrix::gradient_covariance});
  CHECK((C - expected).norm() <= 1e3 * kEps * G.squaredNorm());
}

TEST_CASE("the gradient covariance of a text's loss is that of its mean over places") {
  const auto data =
      make_text(3, Matrix{{0, 2, 1}, {1, 2, 0}, {1, 2, 0}, {0, 1, 2}}, {1, 2, 1, 0, 2, 0, 1, 1, 0, 2, 2, 1});
  const auto f = make_network_objective(std::make_shared<const Network>(transformer(3, 4, 4, 2, 1)),
                                        Loss::softmax_cross_entropy, data);
  const Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1) + 0.3 * test_point(f->size());
  const Matrix G = sample_gradients(*f, x);
  const Matrix centred = G.colwise() - G.rowwise().mean().eval();
  const Matrix C = dense(*f, x, {.matrix = CurvatureMatrix::gradient_covariance});
  CHECK((C - centred * centred.transpose() / 3).norm() <= 1e3 * kEps * G.squaredNorm());
}

TEST_CASE("for one sample the K-FAC operator is the empirical Fisher matrix's block diagonal") {
  const auto f = make_objective(kCase, make_data(4, 3, 1, kCase.loss));
  const Vector x = test_point(f->size());
  const Matrix F = dense(*f, x, {.matrix = CurvatureMatrix::fisher_empirical, .block_diagonal = true});
  for (const CurvatureMatrix matrix : {CurvatureMatrix::kfac, CurvatureMatrix::ekfac}) {
    const Matrix K = dense(*f, x, {.matrix = matrix, .statistics = Curvature::fisher_empirical});
    CHECK((K - F).norm() <= 1e3 * kEps * F.norm());
  }
  // Its rank is that of its two layers.
  Vector values;
  Matrix vectors;
  REQUIRE(symmetric_eigen(F, values, vectors));
  CHECK((values.array() > 1e-10 * values.maxCoeff()).count() == 2);
}

TEST_CASE("E-KFAC has the trace of the Fisher matrix and is nearer to its block diagonal than K-FAC") {
  const auto f = make_objective(kCase, make_data(4, 3, 40, kCase.loss));
  const Vector x = test_point(f->size());
  const Matrix F = dense(*f, x, {.matrix = CurvatureMatrix::fisher_empirical, .block_diagonal = true});
  const Matrix K = dense(*f, x, {.matrix = CurvatureMatrix::kfac, .statistics = Curvature::fisher_empirical});
  const Matrix E = dense(*f, x, {.matrix = CurvatureMatrix::ekfac, .statistics = Curvature::fisher_empirical});
  CHECK(E.trace() == Approx(F.trace()).epsilon(1e-12));
  CHECK((E - F).norm() <= (K - F).norm());
  CHECK((E - F).norm() > 1e-6 * F.norm());  // an approximation it is
  CHECK((K - K.transpose()).norm() <= 100 * kEps * K.norm());
  CHECK((E - E.transpose()).norm() <= 100 * kEps * E.norm());
}

TEST_CASE("blocks of parameters are rows and columns of the whole") {
  const auto f = make_objective(kCase, make_data(4, 3, 6, kCase.loss));
  const Vector x = test_point(f->size());
  const Matrix H = dense(*f, x, {});
  const auto layers = layers_of(f->layout());
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].name == "layer1");
  CHECK(layers[0].size == 4 * 5 + 5);
  CHECK(layers[1].begin == 25);
  CHECK(layers[1].size == 5 * 3 + 3);
  const double tolerance = 100 * kEps * H.norm();
  CHECK((dense(*f, x, {.blocks = {"layer2"}}) - H.bottomRightCorner(18, 18)).norm() <= tolerance);
  CHECK((dense(*f, x, {.blocks = {"layer1.bias"}}) - H.block(20, 20, 5, 5)).norm() <= tolerance);
  CHECK((dense(*f, x, {.blocks = {"layer2", "layer1"}}) - H).norm() <= tolerance);
  Matrix blocks = H;
  blocks.topRightCorner(25, 18).setZero();
  blocks.bottomLeftCorner(18, 25).setZero();
  CHECK((dense(*f, x, {.block_diagonal = true}) - blocks).norm() <= tolerance);
  CHECK_THROWS_WITH(curvature_operator(*f, x, {.blocks = {"layr2"}}), Catch::Contains("did you mean 'layer2'"));
}

TEST_CASE("what an objective lacks is said in one sentence") {
  auto f = make_objective(kCase, make_data(4, 3, 6, kCase.loss));
  const Vector x = test_point(f->size());
  L2Objective penalised(std::move(f), 0.1, true);
  CHECK_THROWS_WITH(curvature_operator(penalised, x, {.matrix = CurvatureMatrix::kfac}),
                    Catch::Contains("no Kronecker factors"));
  CHECK_THROWS_WITH(curvature_operator(penalised, x, {.matrix = CurvatureMatrix::gradient_covariance}),
                    Catch::Contains("without a penalty"));
  L2Objective unpenalised(make_objective(kCase, make_data(4, 3, 6, kCase.loss)), 0, true);
  CHECK_NOTHROW(curvature_operator(unpenalised, x, {.matrix = CurvatureMatrix::kfac}));
}

TEST_CASE("alignment and overlap are squared cosines") {
  Matrix V = Matrix::Identity(5, 2);
  Vector g(5);
  g << 3, 0, 4, 0, 0;
  CHECK(alignment(g, V) == Approx(9.0 / 25));
  CHECK(std::isnan(alignment(Vector::Zero(5), V)));
  Matrix U(5, 2);
  const double c = std::cos(0.3), s = std::sin(0.3);
  U << c, 0, 0, 0, s, 0, 0, 1, 0, 0;
  CHECK(overlap(U, V) == Approx(c * c / 2));
  CHECK(overlap(V, V) == Approx(1));
  CHECK(overlap(V, Matrix::Identity(5, 4)) == Approx(1));
}

TEST_CASE("the classes' mean gradients add up to the gradient and their structure is its second moment") {
  const auto f = make_objective(kCase, make_data(4, 3, 20, kCase.loss));
  const Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  const ClassMeans means = class_mean_gradients(*f, x);
  CHECK(means.shares.sum() == Approx(1).epsilon(1e-15));
  CHECK((means.gradients * means.shares - g).norm() <= 100 * kEps * means.gradients.norm());
  CHECK(f->selection().size() == 20);  // as it was
  const ClassStructure structure = class_structure(means);
  const Matrix M = means.gradients * means.shares.asDiagonal() * means.gradients.transpose();
  CHECK((structure.vectors * structure.values.asDiagonal() * structure.vectors.transpose() - M).norm() <=
        1e-6 * M.norm());
  CHECK((structure.vectors.transpose() * structure.vectors)
            .isIdentity(1e-6));  // by the small Gram matrix, to the root of eps
  for (Index i = 1; i < structure.values.size(); ++i) CHECK(structure.values[i] <= structure.values[i - 1]);
}
