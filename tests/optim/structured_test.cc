#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/registry.h"

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <variant>
#include <vector>

using namespace hesse;

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

/// f = sum of G_k . x, whose gradient at step k is the k-th of a list: what a method makes of gradients alone.
class GradientList final : public Objective {
 public:
  GradientList(ParameterLayout layout, std::vector<Vector> gradients)
      : layout_(std::move(layout)), gradients_(std::move(gradients)) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return gradients_[next_].dot(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = gradients_[next_];
    next_ = (next_ + 1) % gradients_.size();
    return g.dot(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("no curvature"); }

 private:
  ParameterLayout layout_;
  std::vector<Vector> gradients_;
  std::size_t next_ = 0;
};

Vector draw(Index n, std::uint64_t step) {
  Vector v(n);
  RandomStream(17, Purpose::test, step).fill_normal(v);
  return v;
}

ParameterLayout layout_of(const std::vector<std::vector<Index>>& shapes) {
  ParameterLayout layout;
  for (std::size_t i = 0; i < shapes.size(); ++i) layout.add("block" + std::to_string(i), shapes[i]);
  return layout;
}

/// Where a method goes from 0 in `steps` steps.
Vector walk(const std::string& method, const std::vector<std::vector<Index>>& shapes,
            const std::vector<Vector>& gradients, int steps) {
  GradientList f(layout_of(shapes), gradients);
  const auto optimizer = make_optimizer(method, {f, 1});
  Vector x = Vector::Zero(f.size());
  for (int k = 0; k < steps; ++k) REQUIRE(optimizer->step(f, x).status == StepStatus::ok);
  return x;
}

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
Matrix as_matrix(const Vector& v, Index rows, Index columns) {
  return Eigen::Map<const RowMajor>(v.data(), rows, columns);
}
Vector flat(const Matrix& M) {
  const RowMajor r = M;
  return Eigen::Map<const Vector>(r.data(), r.size());
}
Matrix polar(const Matrix& G) {
  const Eigen::JacobiSVD<Matrix> svd(G, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return svd.matrixU() * svd.matrixV().transpose();
}
Matrix power(const Matrix& A, double exponent) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(A);
  return eigen.eigenvectors() * eigen.eigenvalues().array().pow(exponent).matrix().asDiagonal() *
         eigen.eigenvectors().transpose();
}

const char* const kBareShampoo = "shampoo:lr=1,beta1=0,accumulation=sum,graft=none,period=1,merge=1";

}  // namespace

TEST_CASE("One step of Shampoo from nothing is the polar factor, for wide, tall and square gradients") {
  // METHODS' oracle for the exponent: -1/2 each in place of -1/4 would give U S^-1 V'.
  const auto [rows, columns] =
      GENERATE(std::pair<Index, Index>{3, 5}, std::pair<Index, Index>{6, 2}, std::pair<Index, Index>{4, 4});
  const std::string root = GENERATE("eigen", "newton");
  const Vector g = draw(rows * columns, 1);
  const Vector x = walk(std::string(kBareShampoo) + ",eps=1e-12,root=" + root, {{rows, columns}}, {g}, 1);
  const Matrix expected = -polar(as_matrix(g, rows, columns));
  // The ridge changes a root by eps cond / 4, and its rounding allows eps cond^(1/2); conditions of G G' reach 1e3.
  CHECK((as_matrix(x, rows, columns) - expected).norm() <= 1e-7);
}

TEST_CASE("Shampoo of diag(2, 3) is the identity after one step") {
  const Vector g = flat(Eigen::Vector2d(2, 3).asDiagonal().toDenseMatrix());
  const Vector x = walk(std::string(kBareShampoo) + ",eps=1e-14", {{2, 2}}, {g}, 1);
  CHECK((as_matrix(x, 2, 2) + Matrix::Identity(2, 2)).norm() <= 1e-12);
}

TEST_CASE("Two steps of Shampoo by hand: sums of G G' and G'G to the power -1/4") {
  const Vector g1 = draw(12, 2), g2 = draw(12, 3);
  const Matrix G1 = as_matrix(g1, 3, 4), G2 = as_matrix(g2, 3, 4);
  const Vector x = walk(std::string(kBareShampoo) + ",eps=0.01,eps_relative=false", {{3, 4}}, {g1, g2}, 2);
  const Matrix I3 = 0.01 * Matrix::Identity(3, 3), I4 = 0.01 * Matrix::Identity(4, 4);
  const Matrix L = G1 * G1.transpose() + G2 * G2.transpose() + I3;
  const Matrix R = G1.transpose() * G1 + G2.transpose() * G2 + I4;
  const Matrix first = power(G1 * G1.transpose() + I3, -0.25) * G1 * power(G1.transpose() * G1 + I4, -0.25);
  const Matrix second = power(L, -0.25) * G2 * power(R, -0.25);
  // The root of a matrix of condition 1e3 is right to eps cond^(1/4) times a few.
  CHECK((as_matrix(x, 3, 4) + first + second).norm() <= 1e-12 * (first + second).norm());
}

TEST_CASE("Shampoo preconditions a tensor of order three by three roots of exponent -1/6") {
  const Index a = 2, b = 3, c = 4;
  const Vector g = draw(a * b * c, 4);
  const Vector x = walk(std::string(kBareShampoo) + ",eps=0.1,eps_relative=false", {{a, b, c}}, {g}, 1);
  const auto at = [&](const Vector& v, Index i, Index j, Index k) { return v[(i * b + j) * c + k]; };
  Matrix A = 0.1 * Matrix::Identity(a, a), B = 0.1 * Matrix::Identity(b, b), C = 0.1 * Matrix::Identity(c, c);
  for (Index i = 0; i < a; ++i)
    for (Index j = 0; j < b; ++j)
      for (Index k = 0; k < c; ++k) {
        for (Index l = 0; l < a; ++l) A(i, l) += at(g, i, j, k) * at(g, l, j, k);
        for (Index l = 0; l < b; ++l) B(j, l) += at(g, i, j, k) * at(g, i, l, k);
        for (Index l = 0; l < c; ++l) C(k, l) += at(g, i, j, k) * at(g, i, j, l);
      }
  const Matrix P = power(A, -1.0 / 6), Q = power(B, -1.0 / 6), R = power(C, -1.0 / 6);
  for (Index i = 0; i < a; ++i)
    for (Index j = 0; j < b; ++j)
      for (Index k = 0; k < c; ++k) {
        double sum = 0;
        for (Index l = 0; l < a; ++l)
          for (Index m = 0; m < b; ++m)
            for (Index n = 0; n < c; ++n) sum += P(i, l) * Q(j, m) * R(k, n) * at(g, l, m, n);
        CHECK(std::abs(at(x, i, j, k) + sum) <= 1e-12);
      }
}

TEST_CASE("A grafted step has the norm of the step that it is grafted from, block by block") {
  const Vector g = draw(12 + 10, 5);
  const std::vector<std::vector<Index>> shapes = {{3, 4}, {2, 5}};
  const Vector x = walk("shampoo:lr=0.1,beta1=0,graft=sgd,period=1", shapes, {g}, 1);
  CHECK(x.head(12).norm() == Approx(0.1 * g.head(12).norm()).epsilon(1e-12));
  CHECK(x.tail(10).norm() == Approx(0.1 * g.tail(10).norm()).epsilon(1e-12));
  CHECK((x + 0.1 * g).norm() > 0.01 * x.norm());  // in another direction
}

TEST_CASE("Cutting blocks into pieces is exact where the statistics are block-diagonal") {
  Matrix G = Matrix::Zero(8, 8);
  G.topLeftCorner(4, 4) = as_matrix(draw(16, 6), 4, 4);
  G.bottomRightCorner(4, 4) = as_matrix(draw(16, 7), 4, 4);
  const std::string method = std::string(kBareShampoo) + ",eps=1e-3,eps_relative=false,block=";
  const Vector whole = walk(method + "8", {{8, 8}}, {flat(G)}, 1);
  const Vector pieces = walk(method + "4", {{8, 8}}, {flat(G)}, 1);
  CHECK((whole - pieces).norm() <= 1e-11 * whole.norm());
}

TEST_CASE("SOAP without bases is Adam to the bit, one step behind") {
  std::vector<Vector> gradients;
  for (std::uint64_t k = 0; k < 6; ++k) gradients.push_back(draw(12, 10 + k));
  // The first step sets up the bases and leaves x; Adam is given the others alone. A vector has no basis either.
  const std::string shape = GENERATE("matrix", "vector");
  const std::vector<std::vector<Index>> shapes =
      shape == "matrix" ? std::vector<std::vector<Index>>{{3, 4}} : std::vector<std::vector<Index>>{{12}};
  GradientList f(layout_of(shapes), gradients);
  const auto soap = make_optimizer("soap:lr=0.01,beta1=0.9,beta2=0.999,weight_decay=0,max_dim=1", {f, 1});
  Vector x = Vector::Zero(12);
  soap->step(f, x);
  const bool skips = x.isZero(0);
  std::vector<Vector> others(gradients.begin() + (skips ? 1 : 0), gradients.end());
  for (int k = 1; k < 6; ++k) soap->step(f, x);
  const Vector y = walk("adam:lr=0.01,beta1=0.9,beta2=0.999", shapes, others, static_cast<int>(others.size()));
  CHECK(x == y);
}

TEST_CASE("SOAP goes on alike when its basis is permuted and its signs are flipped, the moments with it") {
  const Index rows = 3, columns = 4;
  std::vector<Vector> gradients;
  for (std::uint64_t k = 0; k < 12; ++k) gradients.push_back(draw(rows * columns, 30 + k));
  GradientList f(layout_of({{rows, columns}}), gradients);
  GradientList g(layout_of({{rows, columns}}), gradients);
  const auto first = make_optimizer("soap:lr=0.1,period=100", {f, 1});
  const auto second = make_optimizer("soap:lr=0.1,period=100", {g, 1});
  Vector x = Vector::Zero(rows * columns), y = x;
  for (int k = 0; k < 6; ++k) {
    first->step(f, x);
    second->step(g, y);
  }
  REQUIRE(x == y);
  const auto entry = [](Optimizer& optimizer, const std::string& name) -> Vector& {
    for (const StateEntry& e : optimizer.state()) {
      if (e.name == name) return **std::get_if<Vector*>(&e.data);
    }
    FAIL("no state called " << name);
    throw 0;
  };
  // The first basis, of the rows: columns 2, 0, 1 with the signs -, +, -. Moments are kept in it, row by row.
  Vector& bases = entry(*second, "bases");
  const Matrix Q = Eigen::Map<Matrix>(bases.data(), rows, rows);
  CHECK((Q.transpose() * Q - Matrix::Identity(rows, rows)).norm() <= 1e-13);
  const Index order[] = {2, 0, 1};
  const double sign[] = {-1, 1, -1};
  Vector& m = entry(*second, "m");
  Vector& v = entry(*second, "v");
  const Vector old_m = m, old_v = v;
  for (Index i = 0; i < rows; ++i) {
    Eigen::Map<Matrix>(bases.data(), rows, rows).col(i) = sign[i] * Q.col(order[i]);
    m.segment(i * columns, columns) = sign[i] * old_m.segment(order[i] * columns, columns);
    v.segment(i * columns, columns) = old_v.segment(order[i] * columns, columns);
  }
  for (int k = 0; k < 5; ++k) {
    first->step(f, x);
    second->step(g, y);
    CHECK((x - y).norm() <= 1e-13 * x.norm());
  }
  // With the second moments left where they were, as published code left them, it would go elsewhere.
  v = old_v;
  first->step(f, x);
  second->step(g, y);
  CHECK((x - y).norm() > 1e-6 * x.norm());
}

TEST_CASE("SOAP on a gradient that stays the same goes along its polar factor") {
  // In the bases of G G' and G'G the gradient is diagonal, and Adam's step has entries of lr where it is not zero.
  const Matrix G = as_matrix(draw(16, 50), 4, 4);
  const Vector x = walk("soap:lr=0.01,weight_decay=0,eps=1e-15", {{4, 4}}, {flat(G)}, 2);
  // Off-diagonal entries are rounding, whose sign Adam follows all the same: they are compared through the polar
  // factor's own directions.
  const Eigen::JacobiSVD<Matrix> svd(G, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Matrix rotated = svd.matrixU().transpose() * as_matrix(x, 4, 4) * svd.matrixV();
  for (Index i = 0; i < 4; ++i) CHECK(std::abs(rotated(i, i)) == Approx(0.01).epsilon(1e-6));
}

TEST_CASE(
    "Muon's step has singular values in the range that its polynomial has, and the singular vectors of its mean") {
  // 0.01 of the Frobenius norm or more: [0.6818, 1.1344] after five steps.
  const auto [rows, columns] =
      GENERATE(std::pair<Index, Index>{8, 8}, std::pair<Index, Index>{5, 12}, std::pair<Index, Index>{12, 5});
  const Vector g = draw(rows * columns, 60);
  const Matrix G = as_matrix(g, rows, columns);
  const Eigen::JacobiSVD<Matrix> svd(G, Eigen::ComputeThinU | Eigen::ComputeThinV);
  REQUIRE(svd.singularValues().minCoeff() >= 0.0101 * G.norm());
  const Vector x = walk("muon:lr=0.1,scale=none", {{rows, columns}}, {g}, 1);
  const Matrix O = -as_matrix(x, rows, columns) / 0.1;
  const Matrix inner = svd.matrixU().transpose() * O * svd.matrixV();
  const Vector values = inner.diagonal();
  CHECK(values.minCoeff() >= 0.6818 - 1e-3);
  CHECK(values.maxCoeff() <= 1.1344 + 1e-3);
  CHECK((inner - Matrix(values.asDiagonal())).norm() <= 1e-10);
  const double ratio = static_cast<double>(rows) / static_cast<double>(columns);
  const Vector original = walk("muon:lr=0.1", {{rows, columns}}, {g}, 1);
  CHECK((original - std::sqrt(std::max(1.0, ratio)) * x).norm() <= 1e-12 * x.norm());
  const Vector rms = walk("muon:lr=0.1,scale=rms", {{rows, columns}}, {g}, 1);
  CHECK((rms - 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns))) * x).norm() <= 1e-12 * x.norm());
}

TEST_CASE("What is no matrix goes by AdamW under Muon, and a kernel is the matrix of its output channels") {
  std::vector<Vector> gradients = {draw(7, 70), draw(7, 71), draw(7, 72)};
  const Vector x = walk("muon:lr=0.02,aux_ratio=0.5", {{7}}, gradients, 3);
  const Vector y = walk("adamw:lr=0.01,beta2=0.95,eps=1e-10,weight_decay=0", {{7}}, gradients, 3);
  CHECK((x - y).norm() <= 4 * kEps * y.norm() + 1e-17);
  const Vector g = draw(3 * 2 * 2 * 2, 73);
  const Vector kernel = walk("muon:lr=0.1", {{3, 2, 2, 2}}, {g}, 1);
  const Vector matrix = walk("muon:lr=0.1", {{3, 8}}, {g}, 1);
  CHECK(kernel == matrix);
}
