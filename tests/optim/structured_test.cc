#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/linalg/newton_schulz.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/structured/tensor_modes.h"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

using namespace hesse;

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Gives out gradients from a list, whatever x is; its value is 0.
class Given final : public Objective {
 public:
  Given(ParameterLayout layout, std::vector<Vector> gradients, Precision precision = Precision::float64)
      : layout_(std::move(layout)), gradients_(std::move(gradients)), precision_(precision) {}
  Precision precision() const override { return precision_; }
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector&) override { return 0; }
  double value_and_gradient(const Vector&, Vector& g) override {
    g = gradients_[at_++ % gradients_.size()];
    return 0;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("given: no curvature"); }

 private:
  ParameterLayout layout_;
  std::vector<Vector> gradients_;
  Precision precision_;
  std::size_t at_ = 0;
};

Vector random_vector(Index n, std::uint64_t step) {
  Vector v(n);
  RandomStream(8, Purpose::test, step).fill_normal(v);
  return v;
}

std::vector<Vector> random_gradients(Index n, int count) {
  std::vector<Vector> all;
  for (int i = 0; i < count; ++i) all.push_back(random_vector(n, 100 + static_cast<std::uint64_t>(i)));
  return all;
}

ParameterLayout one_block(std::vector<Index> shape, const std::string& name = "weight") {
  ParameterLayout layout;
  layout.add(name, std::move(shape));
  return layout;
}

/// The points after each step.
std::vector<Vector> path(const std::string& method, const ParameterLayout& layout, const std::vector<Vector>& gradients,
                         Vector x, Precision precision = Precision::float64) {
  Given f(layout, gradients, precision);
  auto optimizer = make_optimizer(method, {f, 0});
  std::vector<Vector> points;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Vector before = x;
    const StepReport report = optimizer->step(f, x);
    REQUIRE(report.status == StepStatus::ok);
    // The difference of the points has the rounding of the points.
    CHECK(report.step_norm == Approx((x - before).norm()).epsilon(1e-10).margin(1e-14));
    points.push_back(x);
  }
  return points;
}

/// x after one step for each gradient.
Vector after(const std::string& method, const ParameterLayout& layout, const std::vector<Vector>& gradients,
             const Vector& x, Precision precision = Precision::float64) {
  return path(method, layout, gradients, x, precision).back();
}

Eigen::Map<const RowMajor> as_matrix(const Vector& v, Index rows, Index columns) { return {v.data(), rows, columns}; }

Vector flat(const Matrix& M) {
  const RowMajor R = M;
  return Eigen::Map<const Vector>(R.data(), R.size());
}

Matrix polar_factor(const Matrix& G) {
  const Eigen::JacobiSVD<Matrix> svd(G, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return svd.matrixU() * svd.matrixV().transpose();
}

/// (A + ridge I)^power by Eigen's decomposition.
Matrix power_of(const Matrix& A, double power, double ridge) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(A);
  return eigen.eigenvectors() * (eigen.eigenvalues().array() + ridge).pow(power).matrix().asDiagonal() *
         eigen.eigenvectors().transpose();
}

double figure(const StepReport& report, const std::string& name) {
  for (std::size_t i = 0; i < report.telemetry_count; ++i) {
    if (report.telemetry[i].name == name) return report.telemetry[i].value;
  }
  FAIL("no telemetry called " << name);
  return 0;
}

bool same_bits(const Vector& a, const Vector& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(double)) == 0;
}

template <class T>
T& entry(Optimizer& optimizer, const std::string& name) {
  for (StateEntry& each : optimizer.state()) {
    if (each.name == name) return *std::get<T*>(each.data);
  }
  throw std::runtime_error("no state called " + name);
}

void copy_state(Optimizer& from, Optimizer& to) {
  const StateView source = from.state();
  const StateView target = to.state();
  for (std::size_t i = 0; i < source.size(); ++i) {
    std::visit([&](auto* data) { *std::get<decltype(data)>(target[i].data) = *data; }, source[i].data);
  }
}

const std::string kPlainShampoo = "shampoo:graft=none,beta1=0,lr=1,period=1,merge=1";

}  // namespace

TEST_CASE("Merged shapes keep two modes, leave out extents of 1, and keep products within the limit") {
  using Shape = std::vector<Index>;
  CHECK(merged_shape({64, 32, 3, 3}, 1024) == Shape{64, 288});
  CHECK(merged_shape({8, 3, 3, 3}, 1024) == Shape{8, 27});
  CHECK(merged_shape({64, 32, 3, 3}, 100) == Shape{64, 32, 9});
  CHECK(merged_shape({64, 32, 3, 3}, 1) == Shape{64, 32, 3, 3});
  CHECK(merged_shape({2, 4, 500, 3}, 1024) == Shape{8, 500, 3});
  CHECK(merged_shape({10, 20}, 1024) == Shape{10, 20});
  CHECK(merged_shape({1, 7, 1}, 1024) == Shape{7});
  CHECK(merged_shape({1, 1}, 1024) == Shape{1});
  CHECK(merged_shape({}, 1024) == Shape{1});
}

TEST_CASE("Products along a mode and Gram matrices of a mode are those of the entries") {
  const TensorShape shape = {3, 4, 2, 5};
  const std::size_t mode = GENERATE(0, 1, 2, 3);
  const Index d = shape[mode];
  const Index n = 120;
  const Vector T = random_vector(n, 1);
  const Vector P = random_vector(d * d, 2);
  Index after = 1;
  for (std::size_t i = mode + 1; i < shape.size(); ++i) after *= shape[i];
  const auto index_here = [&](Index i) { return i / after % d; };
  const auto with_index = [&](Index i, Index here) { return i + (here - index_here(i)) * after; };
  Vector product(n);
  Vector transposed(n);
  mode_product(shape, mode, T.data(), Transpose::no, P.data(), product.data());
  mode_product(shape, mode, T.data(), Transpose::yes, P.data(), transposed.data());
  Matrix gram = Matrix::Constant(d, d, 3);
  mode_gram(shape, mode, T.data(), 0.5, 2, gram.data());
  Matrix expected_gram = Matrix::Constant(d, d, 6);
  for (Index i = 0; i < n; ++i) {
    double sum = 0;
    double sum_transposed = 0;
    for (Index j = 0; j < d; ++j) {
      sum += P[index_here(i) + j * d] * T[with_index(i, j)];
      sum_transposed += P[j + index_here(i) * d] * T[with_index(i, j)];
      expected_gram(index_here(i), j) += 0.5 * T[i] * T[with_index(i, j)];
    }
    CHECK(product[i] == Approx(sum).margin(1e-13));
    CHECK(transposed[i] == Approx(sum_transposed).margin(1e-13));
  }
  CHECK((gram - expected_gram).cwiseAbs().maxCoeff() <= 1e-12);
  CHECK(gram == gram.transpose());
  // U^-T undoes U', diagonals are matrices, and squares are the diagonal of the Gram matrix.
  Matrix U = Matrix::Identity(d, d) * 2;
  U.triangularView<Eigen::StrictlyUpper>() = Eigen::Map<const Matrix>(P.data(), d, d);
  mode_product(shape, mode, T.data(), Transpose::yes, U.data(), product.data());
  mode_solve_transposed(shape, mode, U.data(), product.data());
  CHECK((product - T).cwiseAbs().maxCoeff() <= 1e-12);
  const Matrix diagonal = P.head(d).asDiagonal();
  mode_product(shape, mode, T.data(), Transpose::no, diagonal.data(), product.data());
  Vector scaled = T;
  mode_scale(shape, mode, P.data(), scaled.data());
  CHECK((product - scaled).cwiseAbs().maxCoeff() <= 1e-14);
  Vector squares = Vector::Constant(d, 3);
  mode_squares(shape, mode, T.data(), 0.5, 2, squares.data());
  CHECK((squares - expected_gram.diagonal()).cwiseAbs().maxCoeff() <= 1e-12);
  std::vector<Index> order(static_cast<std::size_t>(d));
  std::iota(order.rbegin(), order.rend(), Index{0});
  Vector permuted(n);
  mode_permute(shape, mode, T.data(), order.data(), permuted.data());
  for (Index i = 0; i < n; ++i) CHECK(permuted[i] == T[with_index(i, d - 1 - index_here(i))]);
}

TEST_CASE("One step of Shampoo without a ridge is the polar factor of the gradient, whatever its sides") {
  const auto [rows, columns] = GENERATE(std::pair<Index, Index>{5, 3}, std::pair<Index, Index>{3, 5},
                                        std::pair<Index, Index>{4, 4}, std::pair<Index, Index>{30, 40});
  const std::string accumulation = GENERATE("sum", "mean");
  const Vector g = 1e-3 * random_vector(rows * columns, 3);
  const Vector x0 = random_vector(rows * columns, 4);
  const Vector x =
      after(kPlainShampoo + ",eps=1e-14,accumulation=" + accumulation, one_block({rows, columns}), {g}, x0);
  // The ridge of 1e-14 |L| changes a singular value s by s 1e-14 (s_1 / s)^2, and the square of the condition of G, at
  // most 1e4 here, multiplies the rounding of L.
  CHECK((as_matrix(x0 - x, rows, columns) - polar_factor(as_matrix(g, rows, columns))).cwiseAbs().maxCoeff() <= 1e-9);
}

TEST_CASE("Shampoo turns diag(2, 3) into the identity, where exponents of -1/k would make it diag(1/2, 1/3)") {
  const Vector g = flat(Eigen::Vector2d(2, 3).asDiagonal().toDenseMatrix());
  const Vector zero = Vector::Zero(4);
  const Vector x = after(kPlainShampoo + ",eps=1e-14", one_block({2, 2}), {g}, zero);
  CHECK((x + flat(Matrix::Identity(2, 2))).cwiseAbs().maxCoeff() <= 1e-12);
  const Vector wrong = after(kPlainShampoo + ",eps=1e-14,exponent=0.5", one_block({2, 2}), {g}, zero);
  CHECK((wrong + flat(Eigen::Vector2d(0.5, 1.0 / 3).asDiagonal().toDenseMatrix())).cwiseAbs().maxCoeff() <= 1e-12);
}

TEST_CASE("Three steps of Shampoo on a matrix are those of Algorithm 1 written out, as sums and as means") {
  const Index r = 4;
  const Index c = 3;
  const auto g = random_gradients(r * c, 3);
  const Vector x0 = random_vector(r * c, 5);
  const std::string root = GENERATE("eigen", "newton");
  for (const bool sum : {true, false}) {
    Matrix X = as_matrix(x0, r, c);
    Matrix L = Matrix::Zero(r, r);
    Matrix R = Matrix::Zero(c, c);
    Matrix W = Matrix::Zero(r, c);
    for (int t = 1; t <= 3; ++t) {
      const Matrix G = as_matrix(g[static_cast<std::size_t>(t - 1)], r, c);
      L = (sum ? 1 : 0.8) * L + (sum ? 1 : 0.2) * G * G.transpose();
      R = (sum ? 1 : 0.8) * R + (sum ? 1 : 0.2) * G.transpose() * G;
      const double unbiased = sum ? 1 : 1 / (1 - std::pow(0.8, t));
      const Matrix P = power_of(unbiased * L, -0.25, 0.1) * G * power_of(unbiased * R, -0.25, 0.1);
      W = 0.7 * W + P;
      X -= 0.05 * (P + 0.7 * W) + 0.05 * 0.2 * X;
    }
    const std::string method =
        "shampoo:graft=none,beta1=0,lr=0.05,period=1,eps=0.1,eps_relative=false,beta2=0.8,"
        "momentum=0.7,nesterov=true,weight_decay=0.2,root=" +
        root + ",accumulation=" + (sum ? "sum" : "mean");
    // Roots are good to about 1e-15 times a condition of some 100.
    CHECK((as_matrix(after(method, one_block({r, c}), g, x0), r, c) - X).cwiseAbs().maxCoeff() <= 1e-11);
  }
}

TEST_CASE("Shampoo preconditions each index of a tensor of order 3 by the power -1/6, and a full vector by -1/2") {
  const auto g = random_gradients(24, 2);
  const Vector x0 = Vector::Zero(24);
  // Unfolded by hand: T(i, j, k) is entry (i * 4 + j) * 2 + k.
  std::vector<Matrix> A = {Matrix::Zero(3, 3), Matrix::Zero(4, 4), Matrix::Zero(2, 2)};
  Vector x = x0;
  for (const Vector& gradient : g) {
    const auto T = [&](Index i, Index j, Index k) { return gradient[(i * 4 + j) * 2 + k]; };
    for (Index i = 0; i < 3; ++i) {
      for (Index j = 0; j < 4; ++j) {
        for (Index k = 0; k < 2; ++k) {
          for (Index o = 0; o < 3; ++o) A[0](i, o) += T(i, j, k) * T(o, j, k);
          for (Index o = 0; o < 4; ++o) A[1](j, o) += T(i, j, k) * T(i, o, k);
          for (Index o = 0; o < 2; ++o) A[2](k, o) += T(i, j, k) * T(i, j, o);
        }
      }
    }
    std::vector<Matrix> root;
    for (const Matrix& each : A) root.push_back(power_of(each, -1.0 / 6, 0.01));
    for (Index i = 0; i < 3; ++i) {
      for (Index j = 0; j < 4; ++j) {
        for (Index k = 0; k < 2; ++k) {
          double sum = 0;
          for (Index a = 0; a < 3; ++a) {
            for (Index b = 0; b < 4; ++b) {
              for (Index e = 0; e < 2; ++e) sum += root[0](i, a) * root[1](j, b) * root[2](k, e) * T(a, b, e);
            }
          }
          x[(i * 4 + j) * 2 + k] -= sum;
        }
      }
    }
  }
  const std::string method = kPlainShampoo + ",accumulation=sum,eps=0.01,eps_relative=false";
  CHECK((after(method, one_block({3, 4, 2}), g, x0) - x).cwiseAbs().maxCoeff() <= 1e-12);
  // g g' has the one eigenvalue |g|^2 along g.
  const Vector full = after(kPlainShampoo + ",vectors=full,eps=1e-12", one_block({24}), {g[0]}, x0);
  // The ridge multiplies what rounding leaves across g by 1e6.
  CHECK((full + g[0] / g[0].norm()).cwiseAbs().maxCoeff() <= 1e-8);
  // By default a vector's preconditioner is AdaGrad's.
  const Vector diagonal = after(kPlainShampoo + ",eps=1e-14", one_block({24}), {g[0]}, x0);
  CHECK((diagonal + g[0].cwiseSign()).cwiseAbs().maxCoeff() <= 1e-8);
}

TEST_CASE("Extents above max_dim have the diagonal of their matrix") {
  const Vector g = random_vector(15, 6);
  const Matrix G = as_matrix(g, 5, 3);
  const Vector x = after(kPlainShampoo + ",accumulation=sum,eps=0.01,eps_relative=false,max_dim=4", one_block({5, 3}),
                         {g}, Vector::Zero(15));
  const Vector left = (G.rowwise().squaredNorm().array() + 0.01).pow(-0.25);
  const Matrix P = left.asDiagonal() * G * power_of(G.transpose() * G, -0.25, 0.01);
  CHECK((as_matrix(x, 5, 3) + P).cwiseAbs().maxCoeff() <= 1e-13);
}

TEST_CASE("A grafted step of Shampoo has in every block the length of the graft's step to 1e-12") {
  ParameterLayout layout;
  layout.add("a.weight", {7, 4});
  layout.add("a.bias", {7});
  layout.add("b.kernel", {3, 2, 2, 2});
  const auto g = random_gradients(layout.size(), 6);
  const Vector x0 = Vector::Zero(layout.size());
  const auto [graft, alone] =
      GENERATE(std::pair<std::string, std::string>{"sgd", "sgd:lr=0.1"},
               std::pair<std::string, std::string>{"adagrad", "adagrad:lr=0.1,initial=0,eps=1e-8"},
               std::pair<std::string, std::string>{"rmsprop", "rmsprop:lr=0.1,rho=0.9,eps=1e-8"},
               std::pair<std::string, std::string>{"adam", "adam:lr=0.1,beta1=0,beta2=0.9,eps=1e-8"},
               std::pair<std::string, std::string>{"adam,beta1=0.8", "adam:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-8"});
  const std::string beta1 = graft.find("beta1") == std::string::npos ? ",beta1=0" : "";
  const std::string block = GENERATE("256", "2");
  const auto grafted =
      path("shampoo:lr=0.1,graft_beta2=0.9,period=2,block=" + block + ",graft=" + graft + beta1, layout, g, x0);
  const auto of_graft = path(alone, layout, g, x0);
  for (std::size_t t = 1; t < g.size(); ++t) {
    const Vector step = grafted[t] - grafted[t - 1];
    const Vector expected = of_graft[t] - of_graft[t - 1];
    for (const ParameterBlock& each : layout.blocks()) {
      CAPTURE(graft, t, each.name);
      // Differences of points near 1 have lost some digits of steps of 0.1 a coordinate.
      CHECK(step.segment(each.offset, each.size).norm() ==
            Approx(expected.segment(each.offset, each.size).norm()).epsilon(1e-12));
      if (t == 1 && each.shape.size() > 1) {
        CHECK((step - expected).segment(each.offset, each.size).norm() >
              1e-2 * expected.segment(each.offset, each.size).norm());
      }
    }
  }
}

TEST_CASE("Shampoo in pieces is Shampoo whole where the statistics are block-diagonal along the cuts") {
  const auto halves = random_gradients(12, 6);
  std::vector<Vector> g;
  for (std::size_t t = 0; t < 3; ++t) {
    Matrix G = Matrix::Zero(6, 4);
    G.topLeftCorner(3, 2) = as_matrix(halves[2 * t], 3, 2);
    G.bottomRightCorner(3, 2) = as_matrix(halves[2 * t + 1], 3, 2);
    g.push_back(flat(G));
  }
  const Vector x0 = random_vector(24, 7);
  const std::string method = "shampoo:lr=0.1,period=1,eps=1e-3,eps_relative=false,graft=";
  for (const std::string graft : {"none", "adagrad"}) {
    const Vector whole = after(method + graft, one_block({6, 4}), g, x0);
    CHECK((after(method + graft + ",block=3", one_block({6, 4}), g, x0) - whole).cwiseAbs().maxCoeff() <= 1e-12);
    // With other cuts it is another method.
    CHECK((after(method + graft + ",block=2", one_block({6, 4}), g, x0) - whole).cwiseAbs().maxCoeff() >= 1e-4);
  }
}

TEST_CASE("Before its start Shampoo takes the graft's steps, and between renewals it keeps its roots") {
  const Index n = 20;
  const auto layout = one_block({5, 4});
  const auto g = random_gradients(n, 6);
  const Vector x0 = Vector::Zero(n);
  const auto with_start = path("shampoo:lr=0.1,start=3,beta1=0.9", layout, g, x0);
  const auto adam = path("adam:lr=0.1,beta1=0.9,beta2=0.999,eps=1e-8", layout, g, x0);
  CHECK((with_start[1] - adam[1]).cwiseAbs().maxCoeff() <= 1e-15);
  CHECK((with_start[2] - adam[2]).cwiseAbs().maxCoeff() >= 1e-3);
  // P = L^-1/4 G R^-1/4 with roots of step 1 at step 2 and of step 3 at step 3.
  const auto points =
      path("shampoo:graft=none,beta1=0,lr=1,period=2,accumulation=sum,eps=0.1,eps_relative=false", layout, g, x0);
  Matrix L = Matrix::Zero(5, 5);
  Matrix R = Matrix::Zero(4, 4);
  Matrix left;
  Matrix right;
  for (std::size_t t = 0; t < 4; ++t) {
    const Matrix G = as_matrix(g[t], 5, 4);
    L += G * G.transpose();
    R += G.transpose() * G;
    if (t % 2 == 0) {
      left = power_of(L, -0.25, 0.1);
      right = power_of(R, -0.25, 0.1);
    }
    const Vector step = t == 0 ? points[0] : (points[t] - points[t - 1]).eval();
    CHECK((as_matrix(step, 5, 4) + left * G * right).cwiseAbs().maxCoeff() <= 1e-13);
  }
}

TEST_CASE("A basis stays while its off-diagonal share is within the bound, and eigenvalues alone follow") {
  const auto layout = one_block({6, 5});
  const Vector one = random_vector(30, 8);
  const Vector x0 = Vector::Zero(30);
  // Multiples of one gradient share their eigenvectors.
  const std::vector<Vector> along = {one, 2 * one, -0.5 * one};
  const std::string method = "shampoo:lr=0.1,period=1,graft=none,beta1=0,accumulation=sum,eps=1e-3,staleness=";
  for (const char* mean : {"shampoo:accumulation=mean,eps=1e-3,staleness=",
                           "shampoo:accumulation=mean,eps=1e-3,eps_relative=false,staleness="}) {
    const std::string settings = std::string(mean) + "1e-8,lr=0.1,period=1,graft=none,beta1=0,beta2=0.9";
    const std::string always = std::string(mean) + "0,lr=0.1,period=1,graft=none,beta1=0,beta2=0.9";
    CHECK((after(settings, layout, along, x0) - after(always, layout, along, x0)).cwiseAbs().maxCoeff() <= 1e-11);
  }
  CHECK((after(method + "1e-8", layout, along, x0) - after(method + "0", layout, along, x0)).cwiseAbs().maxCoeff() <=
        1e-11);
  Given f(layout, along);
  auto optimizer = make_optimizer(method + "1e-8", {f, 0});
  Vector x = x0;
  CHECK(figure(optimizer->step(f, x), "renewed") == 1);
  const StepReport second = optimizer->step(f, x);
  CHECK(figure(second, "renewed") == 0);
  CHECK(figure(second, "staleness") <= 1e-14);

  // The off-diagonal share after a foreign gradient, by hand.
  const Vector other = random_vector(30, 9);
  Given two(layout, {one, other});
  auto again = make_optimizer(method + "1e-8", {two, 0});
  again->step(two, x);
  const StepReport moved = again->step(two, x);
  double expected = 0;
  for (const bool left : {true, false}) {
    const Matrix G = left ? Matrix(as_matrix(one, 6, 5)) : Matrix(as_matrix(one, 6, 5).transpose());
    const Matrix H = left ? Matrix(as_matrix(other, 6, 5)) : Matrix(as_matrix(other, 6, 5).transpose());
    const Matrix first = G * G.transpose();
    const Matrix both = first + H * H.transpose();
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen(first);
    Matrix rotated = eigen.eigenvectors().transpose() * both * eigen.eigenvectors();
    rotated.diagonal().setZero();
    expected = std::max(expected, rotated.norm() / both.norm());
  }
  CHECK(figure(moved, "staleness") == Approx(expected).epsilon(1e-9));
  CHECK(figure(moved, "renewed") == 1);
  CHECK(figure(moved, "root_residual") <= 1e-8);
  CHECK(figure(moved, "root_failures") == 0);
}

TEST_CASE("The residual of a root in a basis that stays is that of the root in use") {
  const auto layout = one_block({6, 5});
  Given f(layout, {random_vector(30, 8), random_vector(30, 9)});
  for (const std::string exponent : {"0", "0.3"}) {
    auto optimizer = make_optimizer(
        "shampoo:period=1,accumulation=sum,eps=0.1,eps_relative=false,staleness=0.9,exponent=" + exponent, {f, 0});
    Vector x = Vector::Zero(30);
    CHECK(figure(optimizer->step(f, x), "root_residual") <= 1e-8);
    const StepReport stayed = optimizer->step(f, x);
    REQUIRE(figure(stayed, "renewed") == 0);
    CHECK(figure(stayed, "root_failures") == 0);
    if (exponent != "0") {
      CHECK(figure(stayed, "root_residual") == figure(stayed, "staleness"));
      continue;
    }
    double worst = 0;
    Index at = 0;
    for (const Index n : {6, 5}) {
      const Matrix X = Eigen::Map<const Matrix>(entry<Vector>(*optimizer, "roots").data() + at, n, n);
      Matrix A = Eigen::Map<const Matrix>(entry<Vector>(*optimizer, "statistics").data() + at, n, n);
      A.diagonal().array() += 0.1;
      worst = std::max(worst, (X * X * X * X * A - Matrix::Identity(n, n)).cwiseAbs().maxCoeff());
      at += n * n;
    }
    CHECK(worst >= 0.01);
    CHECK(figure(stayed, "root_residual") == Approx(worst).epsilon(1e-9));
  }
}

TEST_CASE("Shampoo and SOAP tell of each of their matrices what the trace has the worst of") {
  ParameterLayout layout;
  layout.add("first.weight", {4, 6});
  layout.add("first.bias", {4});
  layout.add("second.weight", {3, 5});
  const auto names = [](const std::vector<PreconditionerReport>& all) {
    std::vector<std::string> out;
    for (const PreconditionerReport& one : all) out.push_back(fmt::format("{} {}", one.name, one.extent));
    return out;
  };
  const auto worst = [](const std::vector<PreconditionerReport>& all, PreconditionerFigure which) {
    double most = 0;
    for (const PreconditionerReport& one : all) most = std::max(most, one.figures[which]);
    return most;
  };
  Vector x = Vector::Zero(layout.size());
  {
    Given f(layout, random_gradients(layout.size(), 4));
    auto shampoo = make_optimizer("shampoo:block=4,period=2,staleness=0.3", {f, 0});
    CHECK(shampoo->preconditioners().empty());
    StepReport report;
    for (int k = 0; k < 4; ++k) report = shampoo->step(f, x);
    const auto all = shampoo->preconditioners();
    CHECK(names(all) == std::vector<std::string>{"first.weight[1]:1 4", "first.weight[1]:2 3", "first.weight[2]:1 4",
                                                 "first.weight[2]:2 3", "first.bias:1 4", "second.weight[1]:1 3",
                                                 "second.weight[1]:2 2", "second.weight[2]:1 3",
                                                 "second.weight[2]:2 3"});
    CHECK(worst(all, kCondition) == figure(report, "condition"));
    CHECK(worst(all, kRootResidual) == figure(report, "root_residual"));
    CHECK(worst(all, kStaleness) == figure(report, "staleness"));
    CHECK(worst(all, kRootResidual) > 0);
    CHECK(worst(all, kFailed) == 0);
    // Each has a figure of its own.
    CHECK(all[0].figures[kCondition] != all[1].figures[kCondition]);
  }
  {
    // Statistics of one gradient: the condition of a side is that of G G' or of G'G.
    const Vector g = random_vector(layout.size(), 5);
    Given f(layout, {g});
    auto soap = make_optimizer("soap:beta3=0", {f, 0});
    const StepReport report = soap->step(f, x);
    const auto all = soap->preconditioners();
    CHECK(names(all) ==
          std::vector<std::string>{"first.weight:1 4", "first.weight:2 6", "second.weight:1 3", "second.weight:2 5"});
    const RowMajor G = Eigen::Map<const RowMajor>(g.data(), 4, 6);
    const Vector values = (G * G.transpose()).selfadjointView<Eigen::Lower>().eigenvalues();
    const double condition = values.maxCoeff() / values.minCoeff();
    CHECK(all[0].figures[kCondition] == Approx(condition).epsilon(1e-14 * condition));
    CHECK(worst(all, kCondition) == figure(report, "condition"));
    CHECK(std::isnan(all[0].figures[kRootResidual]));
  }
}

TEST_CASE("In single precision roots of statistics of low rank are no failures and those without a ridge are") {
  const auto layout = one_block({24, 20});
  std::vector<Vector> g;
  for (std::uint64_t t = 0; t < 3; ++t) {
    g.push_back(flat(random_vector(24, 40 + t) * random_vector(20, 50 + t).transpose()));
  }
  const auto failures = [&](const std::string& method, Precision precision) {
    Given f(layout, g, precision);
    auto optimizer = make_optimizer(method, {f, 0});
    Vector x = Vector::Zero(480);
    double most = 0;
    for (std::size_t t = 0; t < g.size(); ++t) {
      const StepReport report = optimizer->step(f, x);
      CHECK(figure(report, "root_residual") > 0);
      most = std::max(most, figure(report, "root_failures"));
    }
    return most;
  };
  CHECK(failures("shampoo:period=1", Precision::float64) == 0);
  CHECK(failures("shampoo:period=1", Precision::float32) == 0);
  CHECK(failures("shampoo:period=1,eps=1e-12", Precision::float32) > 0);
}

TEST_CASE("Shampoo says what it cannot do when it is built") {
  Given f(one_block({2, 2}), {Vector::Ones(4)});
  CHECK_THROWS_AS(make_optimizer("shampoo:root=newton,staleness=0.1", {f, 0}), Error);
  CHECK_THROWS_AS(make_optimizer("shampoo:nesterov=true,momentum=0", {f, 0}), Error);
  CHECK_THROWS_AS(make_optimizer("shampoo:root=newton,exponent=0.4", {f, 0}), Error);
  CHECK_NOTHROW(make_optimizer("shampoo:root=newton,exponent=0.25", {f, 0}));
}

TEST_CASE("Gradients that are zero in a block, tiny or huge leave every matrix method finite") {
  const std::string method =
      GENERATE("shampoo", "shampoo:root=newton", "shampoo:graft=none", "shampoo:graft=sgd,staleness=0.1",
               "soap:period=1,weight_decay=0", "soap:staleness=0.1,period=1,weight_decay=0", "muon", "psgd");
  ParameterLayout layout;
  layout.add("a.weight", {4, 3});
  layout.add("b.weight", {3, 3});
  layout.add("b.bias", {3});
  for (const double scale : {0.0, 1e-200, 1e-20, 1.0, 1e20, 1e140}) {
    auto g = random_gradients(24, 4);
    for (Vector& each : g) {
      each *= scale;
      each.head(12).setZero();
    }
    const Vector x0 = random_vector(24, 10);
    CAPTURE(method, scale);
    const Vector x = after(method, layout, g, x0);
    CHECK(x.allFinite());
    CHECK(x.head(12) == x0.head(12));
  }
}

TEST_CASE("SOAP with identities as bases is Adam to the bit, and so are blocks without a basis") {
  ParameterLayout layout;
  layout.add("weight", {37, 23});
  layout.add("bias", {37});
  layout.add("kernel", {5, 3, 2, 2});
  const Index n = layout.size();
  const auto g = random_gradients(n, 7);
  const Vector x0 = random_vector(n, 11);
  const std::string settings = "lr=0.01,beta1=0.9,beta2=0.95,eps=1e-8,weight_decay=0.1";
  // SOAP's first step sets up and does not move.
  const std::vector<Vector> rest(g.begin() + 1, g.end());
  const Vector adam = after("adamw:" + settings, layout, rest, x0);
  CHECK(same_bits(after("soap:max_dim=1," + settings, layout, g, x0), adam));

  Given f(layout, g);
  auto soap = make_optimizer("soap:period=1000," + settings, {f, 0});
  Vector x = x0;
  soap->step(f, x);
  CHECK(same_bits(x, x0));
  Vector& bases = entry<Vector>(*soap, "bases");
  Index at = 0;
  for (const Index side : {37, 23, 5, 3, 2, 2}) {
    Eigen::Map<Matrix>(bases.data() + at, side, side).setIdentity();
    at += side * side;
  }
  REQUIRE(at == bases.size());
  for (std::size_t t = 1; t < g.size(); ++t) soap->step(f, x);
  CHECK(same_bits(x, adam));
  // With its own bases it is not Adam, but in the bias.
  const Vector own = after("soap:" + settings, layout, g, x0);
  CHECK((own - adam).head(37 * 23).norm() > 1e-2 * (adam - x0).head(37 * 23).norm());
  CHECK(same_bits(own.segment(37 * 23, 37), adam.segment(37 * 23, 37)));
}

TEST_CASE("Steps of SOAP are those of its algorithm written out, with the basis renewed at every second step") {
  const Index r = 4;
  const Index c = 3;
  const auto g = random_gradients(r * c, 7);
  const Vector x0 = random_vector(r * c, 12);
  const double lr = 0.05;
  const double b1 = 0.8;
  const double b2 = 0.7;
  const double b3 = 0.6;
  // One side: A, Q; `descending` and a QR whose signs do not matter, since m is kept outside of the basis here.
  struct Side {
    Matrix A;
    Matrix Q;
  };
  const auto first_basis = [](Side& side) {
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen(side.A);
    side.Q = eigen.eigenvectors().rowwise().reverse();
  };
  const auto renew = [](Side& side) {
    const Vector e = (side.Q.transpose() * side.A * side.Q).diagonal();
    std::vector<Index> order(static_cast<std::size_t>(e.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::sort(order.begin(), order.end(), [&](Index i, Index j) { return e[i] > e[j]; });
    Matrix sorted(side.Q.rows(), side.Q.cols());
    for (Index j = 0; j < e.size(); ++j) sorted.col(j) = side.Q.col(order[static_cast<std::size_t>(j)]);
    side.Q = Eigen::HouseholderQR<Matrix>(side.A * sorted).householderQ();
    return order;
  };
  Side L;
  Side R;
  Matrix X = as_matrix(x0, r, c);
  Matrix M = Matrix::Zero(r, c);
  Matrix V = Matrix::Zero(r, c);
  for (std::size_t t = 0; t < g.size(); ++t) {
    const Matrix G = as_matrix(g[t], r, c);
    if (t == 0) {
      L.A = (1 - b3) * G * G.transpose();
      R.A = (1 - b3) * G.transpose() * G;
      first_basis(L);
      // The rank of R is full; that of L is not: the basis of its null space is any, and gets the library's own below.
      first_basis(R);
      continue;
    }
    M = b1 * M + (1 - b1) * G;
    const Matrix inside = L.Q.transpose() * G * R.Q;
    V = b2 * V + (1 - b2) * inside.cwiseAbs2();
    const Matrix m = L.Q.transpose() * M * R.Q / (1 - std::pow(b1, t));
    const Matrix step = m.cwiseQuotient((V / (1 - std::pow(b2, t))).cwiseSqrt() + Matrix::Constant(r, c, 1e-8));
    X -= lr * L.Q * step * R.Q.transpose() + lr * 0.1 * X;
    L.A = b3 * L.A + (1 - b3) * G * G.transpose();
    R.A = b3 * R.A + (1 - b3) * G.transpose() * G;
    if (t % 2 == 0) {
      const auto rows = renew(L);
      const auto columns = renew(R);
      Matrix permuted(r, c);
      for (Index i = 0; i < r; ++i) {
        for (Index j = 0; j < c; ++j) {
          permuted(i, j) = V(rows[static_cast<std::size_t>(i)], columns[static_cast<std::size_t>(j)]);
        }
      }
      V = permuted;
    }
  }
  // The null space of the first L has dimension 1, so that its eigenvector too is fixed up to sign. Three renewals of
  // steps of some 0.05.
  const Vector x =
      after("soap:lr=0.05,beta1=0.8,beta2=0.7,beta3=0.6,weight_decay=0.1,period=2", one_block({r, c}), g, x0);
  CHECK((as_matrix(x, r, c) - X).cwiseAbs().maxCoeff() <= 1e-10);
}

TEST_CASE("SOAP does not see the order and the signs of its basis, as long as v has the order too") {
  const Index r = 6;
  const Index c = 4;
  const auto layout = one_block({r, c});
  const auto g = random_gradients(r * c, 14);
  const std::string method = "soap:period=5,lr=0.01";
  Given f(layout, g);
  auto straight = make_optimizer(method, {f, 0});
  Vector x = random_vector(r * c, 13);
  for (int i = 0; i < 4; ++i) straight->step(f, x);

  Given h(layout, {g.begin() + 4, g.end()});
  auto other = make_optimizer(method, {h, 0});
  copy_state(*straight, *other);
  Vector& bases = entry<Vector>(*other, "bases");
  Vector& m = entry<Vector>(*other, "m");
  Vector& v = entry<Vector>(*other, "v");
  // Rows in another order with other signs, and columns likewise: Q <- Q P S on either side.
  const std::vector<Index> rows = {3, 0, 5, 1, 4, 2};
  const std::vector<Index> columns = {2, 3, 0, 1};
  const Vector row_signs = (Vector(r) << 1, -1, -1, 1, 1, -1).finished();
  const Vector column_signs = (Vector(c) << -1, 1, -1, -1).finished();
  const Matrix QL = Eigen::Map<const Matrix>(bases.data(), r, r);
  const Matrix QR = Eigen::Map<const Matrix>(bases.data() + r * r, c, c);
  const Vector m0 = m;
  const Vector v0 = v;
  for (Index i = 0; i < r; ++i) {
    const Index from_row = rows[static_cast<std::size_t>(i)];
    Eigen::Map<Matrix>(bases.data(), r, r).col(i) = row_signs[i] * QL.col(from_row);
    for (Index j = 0; j < c; ++j) {
      const Index from = from_row * c + columns[static_cast<std::size_t>(j)];
      m[i * c + j] = row_signs[i] * column_signs[j] * m0[from];
      v[i * c + j] = v0[from];
    }
  }
  for (Index j = 0; j < c; ++j) {
    Eigen::Map<Matrix>(bases.data() + r * r, c, c).col(j) =
        column_signs[j] * QR.col(columns[static_cast<std::size_t>(j)]);
  }
  auto unsorted = make_optimizer(method, {h, 0});
  copy_state(*other, *unsorted);
  entry<Vector>(*unsorted, "v") = v0;

  Vector y = x;
  Vector z = x;
  // Through two renewals, which sort again.
  for (int i = 4; i < 14; ++i) {
    straight->step(f, x);
    other->step(h, y);
  }
  CHECK((x - y).cwiseAbs().maxCoeff() <= 1e-11);
  Given once(layout, {g.begin() + 4, g.end()});
  for (int i = 4; i < 14; ++i) unsorted->step(once, z);
  CHECK((x - z).cwiseAbs().maxCoeff() >= 1e-4);
}

TEST_CASE("SOAP on diagonal gradients is Adam, since their basis is that of the coordinates") {
  std::vector<Vector> g;
  for (int t = 0; t < 6; ++t) {
    const Vector d = random_vector(4, 20 + static_cast<std::uint64_t>(t));
    g.push_back(flat(d.asDiagonal().toDenseMatrix()));
  }
  const std::vector<Vector> rest(g.begin() + 1, g.end());
  const Vector x0 = random_vector(16, 14);
  const std::string settings = "lr=0.01,beta1=0.9,beta2=0.95,eps=1e-8,weight_decay=0.1";
  // Rounding of 1e-16 off the diagonal is divided by eps = 1e-8 where the squares are as small, and times the rate.
  CHECK((after("soap:period=2," + settings, one_block({4, 4}), g, x0) -
         after("adamw:" + settings, one_block({4, 4}), rest, x0))
            .cwiseAbs()
            .maxCoeff() <= 1e-9);
}

TEST_CASE("SOAP is one-sided where one side is too long, and does not see a rotation of the other") {
  const Index r = 7;
  const Index c = 4;
  const auto g = random_gradients(r * c, 9);
  const Matrix U = Eigen::HouseholderQR<Matrix>(Matrix(as_matrix(random_vector(c * c, 15), c, c))).householderQ();
  std::vector<Vector> turned;
  for (const Vector& each : g) turned.push_back(flat(as_matrix(each, r, c) * U));
  const Vector zero = Vector::Zero(r * c);
  const std::string method = "soap:lr=0.1,period=3,max_dim=5";
  const Vector x = after(method, one_block({r, c}), g, zero);
  const Vector y = after(method, one_block({r, c}), turned, zero);
  CHECK((as_matrix(x, r, c) * U - as_matrix(y, r, c)).cwiseAbs().maxCoeff() <= 1e-11);
  Given f(one_block({r, c}), g);
  auto soap = make_optimizer(method, {f, 0});
  Vector z = zero;
  soap->step(f, z);
  CHECK(entry<Vector>(*soap, "bases").size() == c * c);
}

TEST_CASE("A step of Muon is Newton-Schulz of the momentum, with singular values in the computed range") {
  const Index r = 9;
  const Index c = 5;
  const auto g = random_gradients(r * c, 2);
  const Vector x0 = random_vector(r * c, 16);
  for (const bool nesterov : {true, false}) {
    Matrix M = Matrix::Zero(r, c);
    Matrix X = as_matrix(x0, r, c);
    for (const Vector& each : g) {
      const Matrix G = as_matrix(each, r, c);
      M = 0.95 * M + 0.05 * G;
      const Matrix U = nesterov ? Matrix(0.05 * G + 0.95 * M) : M;
      const Eigen::JacobiSVD<Matrix> svd(U, Eigen::ComputeThinU | Eigen::ComputeThinV);
      Vector sigma = svd.singularValues() / (U.norm() + 1e-7);
      REQUIRE(sigma.minCoeff() >= 0.01);
      for (double& s : sigma) {
        for (int k = 0; k < 5; ++k) s = 3.4445 * s - 4.7750 * std::pow(s, 3) + 2.0315 * std::pow(s, 5);
      }
      CHECK(sigma.minCoeff() >= 0.6818 - 1e-4);
      CHECK(sigma.maxCoeff() <= 1.1344 + 1e-4);
      X -= 0.02 * std::sqrt(9.0 / 5) * svd.matrixU() * sigma.asDiagonal() * svd.matrixV().transpose() + 0.02 * 0.3 * X;
    }
    const Vector x =
        after(std::string("muon:weight_decay=0.3,nesterov=") + (nesterov ? "true" : "false"), one_block({r, c}), g, x0);
    CHECK((as_matrix(x, r, c) - X).cwiseAbs().maxCoeff() <= 1e-12);
  }
}

TEST_CASE(
    "The scale of Muon's step is the named function of rows and columns, a kernel being a matrix of its outputs") {
  const auto [shape, rows, columns] = GENERATE(std::tuple<std::vector<Index>, double, double>{{64, 2, 3, 3}, 64, 18},
                                               std::tuple<std::vector<Index>, double, double>{{4, 8, 3, 3}, 4, 72},
                                               std::tuple<std::vector<Index>, double, double>{{20, 50}, 20, 50},
                                               std::tuple<std::vector<Index>, double, double>{{50, 20}, 50, 20});
  const auto n = static_cast<Index>(rows * columns);
  const Vector g = random_vector(n, 17);
  const Vector zero = Vector::Zero(n);
  const std::string method = "muon:lr=1,schedule=classical,steps=40,scale=";
  // All singular values are 1 to rounding, so that the norm of the step is scale sqrt(min(rows, columns)).
  const double root = std::sqrt(std::min(rows, columns));
  const auto length = [&](const std::string& scale) {
    return after(method + scale, one_block(shape), {g}, zero).norm();
  };
  CHECK(length("none") == Approx(root).epsilon(1e-12));
  CHECK(length("original") == Approx(root * std::sqrt(std::max(1.0, rows / columns))).epsilon(1e-12));
  CHECK(length("rms") == Approx(root * 0.2 * std::sqrt(std::max(rows, columns))).epsilon(1e-12));
  // The last makes entries of root mean square 0.2, whatever the shape.
  CHECK(length("rms") / std::sqrt(rows * columns) == Approx(0.2).epsilon(1e-12));
}

TEST_CASE("Muon takes vectors and embeddings, and on request the ends, by AdamW at a share of its rate") {
  ParameterLayout layout;
  layout.add("token_embedding.weight", {10, 4});
  layout.add("first.weight", {6, 4});
  layout.add("first.bias", {6});
  layout.add("hidden.weight", {6, 6});
  layout.add("last.weight", {3, 6});
  const Index n = layout.size();
  const auto g = random_gradients(n, 3);
  const Vector x0 = random_vector(n, 18);
  const Vector adam = after("adamw:lr=0.002,beta1=0.9,beta2=0.95,eps=1e-10,weight_decay=0.1", layout, g, x0);
  const auto by_adam = [&](const std::string& method) {
    const Vector x = after(method, layout, g, x0);
    std::string names;
    for (const ParameterBlock& each : layout.blocks()) {
      const double off = (x - adam).segment(each.offset, each.size).cwiseAbs().maxCoeff();
      CHECK((off <= 1e-15 || off >= 1e-4));
      if (off <= 1e-15) names += each.name + " ";
    }
    return names;
  };
  const std::string muon = "muon:lr=0.02,aux_ratio=0.1,weight_decay=0.1";
  CHECK(by_adam(muon) == "token_embedding.weight first.bias ");
  CHECK(by_adam(muon + ",hidden_only=true") == "token_embedding.weight first.weight first.bias last.weight ");
  // The rate that a schedule sets holds for both parts.
  Given f(layout, g);
  auto optimizer = make_optimizer("muon:lr=0.02,aux_ratio=0.1", {f, 0});
  Vector x = x0;
  const StepReport full = optimizer->step(f, x);
  auto half = make_optimizer("muon:lr=0.01,aux_ratio=0.1", {f, 0});
  Given again(layout, g);
  const StepReport halved = half->step(again, x);
  CHECK(figure(halved, "adam_step") == Approx(figure(full, "adam_step") / 2).epsilon(1e-10));
  CHECK(figure(halved, "polar_step") == Approx(figure(full, "polar_step") / 2).epsilon(1e-10));
  CHECK(figure(full, "matrices") == 3);
}

TEST_CASE(
    "An update of PSGD's factors is the triangular part of A A' - B B' times Q, relative to the norm of the sum") {
  const Index r = 4;
  const Index c = 3;
  const auto g = random_gradients(r * c, 2);
  Given f(one_block({r, c}), g);
  auto psgd = make_optimizer("psgd:preconditioner_lr=0.2,damping=1e-3,momentum=0,lr=0.1,clip=1e9", {f, 0});
  Vector x = Vector::Zero(r * c);
  psgd->step(f, x);
  Vector& q = entry<Vector>(*psgd, "q");
  Matrix Q1 = Eigen::Map<const Matrix>(q.data(), r, r);
  Matrix Q2 = Eigen::Map<const Matrix>(q.data() + r * r, c, c);
  CHECK(Q1.isUpperTriangular(0));
  // P g = (Q1'Q1) G (Q2'Q2).
  const Matrix P = Q1.transpose() * Q1 * as_matrix(g[0], r, c) * Q2.transpose() * Q2;
  CHECK((as_matrix(x, r, c) + 0.1 * P).cwiseAbs().maxCoeff() <= 1e-14);

  psgd->step(f, x);
  const RandomStream stream(0, Purpose::probe, 2);
  Matrix V(r, c);
  for (Index i = 0; i < r * c; ++i) V(i / c, i % c) = stream.rademacher(static_cast<std::uint64_t>(i));
  const Matrix G = as_matrix(g[1], r, c) + 1e-3 * g[1].norm() / std::sqrt(12.0) * V;
  const Matrix A = Q1 * G * Q2.transpose();
  const Matrix B = Q1.transpose().inverse() * V * Q2.inverse();
  for (const bool left : {true, false}) {
    const Matrix first = left ? Matrix(A * A.transpose()) : Matrix(A.transpose() * A);
    const Matrix second = left ? Matrix(B * B.transpose()) : Matrix(B.transpose() * B);
    const Matrix& Q = left ? Q1 : Q2;
    const Matrix change = Matrix((first - second).triangularView<Eigen::Upper>()) * Q;
    const Matrix found = Eigen::Map<const Matrix>(q.data() + (left ? 0 : r * r), Q.rows(), Q.cols()) - Q;
    const double mu = -found.cwiseProduct(change).sum() / change.squaredNorm();
    CHECK((found + mu * change).cwiseAbs().maxCoeff() <= 1e-13 * change.norm());
    // The norm is estimated from below.
    const double exact = 0.2 / Eigen::SelfAdjointEigenSolver<Matrix>(first + second).eigenvalues().maxCoeff();
    CHECK(mu >= exact * (1 - 1e-12));
    CHECK(mu <= 1.2 * exact);
  }
}

TEST_CASE("PSGD's direction has in every block a root mean square of at most clip") {
  ParameterLayout layout;
  layout.add("a.weight", {4, 3});
  layout.add("a.bias", {4});
  const Vector g = random_vector(16, 33);
  const Vector zero = Vector::Zero(16);
  const std::string method = "psgd:momentum=0,lr=0.1,clip=";
  const Vector free = after(method + "1e9", layout, {g}, zero);
  const Vector bound = after(method + "0.01", layout, {g}, zero);
  for (const ParameterBlock& block : layout.blocks()) {
    const Vector direction = free.segment(block.offset, block.size);
    REQUIRE(direction.norm() > 0.1 * 0.01 * std::sqrt(static_cast<double>(block.size)));
    const Vector expected = 0.1 * 0.01 * std::sqrt(static_cast<double>(block.size)) / direction.norm() * direction;
    CHECK((bound.segment(block.offset, block.size) - expected).norm() <= 1e-13 * expected.norm());
  }
}

TEST_CASE(
    "PSGD's preconditioner converges to the inverse root of the second moment where that is a Kronecker product") {
  const Index r = 4;
  const Index c = 3;
  const Matrix left = as_matrix(random_vector(r * r, 30), r, r) + 2 * Matrix::Identity(r, r);
  const Matrix right = as_matrix(random_vector(c * c, 31), c, c) + 2 * Matrix::Identity(c, c);
  // E g g' = (left left') x (right right') for G = left Z right', Z of independent normal numbers.
  std::vector<Vector> g;
  for (int t = 0; t < 6000; ++t) {
    g.push_back(
        flat(left * as_matrix(random_vector(r * c, 1000 + static_cast<std::uint64_t>(t)), r, c) * right.transpose()));
  }
  Given f(one_block({r, c}), g);
  auto optimizer = make_optimizer("psgd:preconditioner_lr=0.1", {f, 0});
  Vector x = Vector::Zero(r * c);
  for (int t = 0; t < 2000; ++t) optimizer->step(f, x);
  // The fluctuations of Q have a relative size of about sqrt(mu): at 1e-3 some percent.
  auto slow = make_optimizer("psgd:preconditioner_lr=1e-3", {f, 0});
  copy_state(*optimizer, *slow);
  for (int t = 0; t < 4000; ++t) slow->step(f, x);
  const Vector& q = entry<Vector>(*slow, "q");
  const Matrix Q1 = Eigen::Map<const Matrix>(q.data(), r, r);
  const Matrix Q2 = Eigen::Map<const Matrix>(q.data() + r * r, c, c);
  const auto kronecker = [&](const Matrix& M, const Matrix& N) {
    Matrix K(r * c, r * c);
    for (Index i = 0; i < r; ++i) {
      for (Index j = 0; j < r; ++j) K.block(i * c, j * c, c, c) = M(i, j) * N;
    }
    return K;
  };
  const Matrix found = kronecker(Q1.transpose() * Q1, Q2.transpose() * Q2);
  const Matrix expected =
      kronecker(power_of(left * left.transpose(), -0.5, 0), power_of(right * right.transpose(), -0.5, 0));
  CAPTURE((found - expected).norm() / expected.norm());
  CHECK((found - expected).norm() <= 0.1 * expected.norm());
}

TEST_CASE("In single precision the matrix methods take their steps of double up to its rounding") {
  // Products of 8 terms with a rounding of 6e-8. What multiplies it: the ridge of 1e-3 under a root, |A| / gap of some
  // 100 in eigenvectors, the slope of 485.
  const std::string method = GENERATE("shampoo:period=2,eps=1e-3", "shampoo:graft=none,eps=1e-3,block=5",
                                      "shampoo:vectors=full,eps=1e-3,max_dim=6", "soap:period=2", "muon");
  ParameterLayout layout;
  layout.add("a.weight", {8, 8});
  layout.add("a.bias", {8});
  layout.add("b.weight", {7, 7});
  auto g = random_gradients(layout.size(), 5);
  // Squares of the last two are beyond the range of float.
  const double scale = GENERATE(1.0, 1e25, 1e-25);
  for (Vector& one : g) one *= scale;
  const Vector x0 = scale < 1 ? Vector(Vector::Zero(layout.size())) : random_vector(layout.size(), 20);
  const Vector in_double = after(method, layout, g, x0);
  const Vector in_float = after(method, layout, g, x0, Precision::float32);
  CAPTURE(method, scale, (in_float - in_double).norm() / (in_double - x0).norm());
  CHECK((in_float - in_double).norm() <= 1e-3 * (in_double - x0).norm());
  CHECK((in_float - in_double).norm() > 0);
}

TEST_CASE("The matrix methods take the same steps to the bit on 1, 2, 3 and 4 threads, and across a restart") {
  const std::string method =
      GENERATE("shampoo:period=2,block=100", "shampoo:period=2,root=newton,block=40,graft=sgd,momentum=0.9",
               "shampoo:period=1,staleness=0.3,graft=adagrad", "soap:period=2", "soap:period=1,staleness=0.2,merge=100",
               "muon", "psgd", "psgd:period=2,merge=1");
  const Precision precision = GENERATE(Precision::float64, Precision::float32);
  ParameterLayout layout;
  layout.add("a.weight", {230, 150});
  layout.add("a.bias", {230});
  layout.add("b.kernel", {12, 5, 3, 3});
  layout.add("c.weight", {10, 230});
  const Index n = layout.size();
  const auto g = random_gradients(n, 6);
  const Vector x0 = random_vector(n, 19);
  const int machine = threads();
  Vector reference;
  for (const int count : {1, 2, 3, 4}) {
    set_threads(count);
    const Vector x = after(method, layout, g, x0, precision);
    if (count == 1) reference = x;
    CAPTURE(method, count);
    CHECK(same_bits(x, reference));
  }
  set_threads(machine);
  for (const std::size_t cut : {1, 2, 3, 5}) {
    Given before(layout, g, precision);
    auto first = make_optimizer(method, {before, 0});
    Vector x = x0;
    for (std::size_t t = 0; t < cut; ++t) first->step(before, x);
    Given rest(layout, {g.begin() + static_cast<std::ptrdiff_t>(cut), g.end()}, precision);
    auto second = make_optimizer(method, {rest, 0});
    copy_state(*first, *second);
    for (std::size_t t = cut; t < g.size(); ++t) second->step(rest, x);
    CAPTURE(method, cut);
    CHECK(same_bits(x, reference));
  }
}
