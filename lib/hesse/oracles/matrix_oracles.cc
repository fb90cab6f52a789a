#include "hesse/core/blas.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/inverse_root.h"
#include "hesse/linalg/operators.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/linalg/steihaug.h"
#include "hesse/optim/structured/shampoo.h"
#include "hesse/oracles/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

/// The largest error of C = op(A) op(B) over its bound, entry by entry: with u the unit roundoff a sum of k products,
/// in any order, is off by at most k u / (1 - k u) times the sum of their magnitudes (Higham 2002, (3.5)).
template <class T>
double product_ratio(Transpose a_op, Transpose b_op, Index m, Index n, Index k, bool planted) {
  using M = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  Vector draws(m * k + k * n);
  RandomStream(1, Purpose::test, static_cast<std::uint64_t>(m + n + k)).fill_normal(draws);
  const bool a_turned = a_op == Transpose::yes;
  const bool b_turned = b_op == Transpose::yes;
  M A = draws.head(m * k).reshaped(a_turned ? k : m, a_turned ? m : k).template cast<T>();
  const M B = draws.tail(k * n).reshaped(b_turned ? n : k, b_turned ? k : n).template cast<T>();
  M C(m, n);
  gemm(a_op, b_op, m, n, k, T(1), A.data(), A.rows(), B.data(), B.rows(), T(0), C.data(), m);
  if (planted) A(0, 0) *= T(1.001);
  const double u = 0.5 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const double gamma = static_cast<double>(k) * u / (1 - static_cast<double>(k) * u);
  double worst = 0;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      long double exact = 0;
      long double magnitude = 0;
      for (Index l = 0; l < k; ++l) {
        const long double term = static_cast<long double>(a_turned ? A(l, i) : A(i, l)) *
                                 static_cast<long double>(b_turned ? B(j, l) : B(l, j));
        exact += term;
        magnitude += std::abs(term);
      }
      const auto error = static_cast<double>(std::abs(static_cast<long double>(C(i, j)) - exact));
      const double ratio = error / (gamma * static_cast<double>(magnitude));
      if (!(ratio <= worst)) worst = ratio;
    }
  }
  return worst;
}

std::vector<OracleFinding> products(const OracleContext& context) {
  double in_double = 0;
  double in_float = 0;
  for (const Transpose a : {Transpose::no, Transpose::yes}) {
    for (const Transpose b : {Transpose::no, Transpose::yes}) {
      for (const auto& [m, n, k] : {std::tuple<Index, Index, Index>{1, 1, 1}, {5, 7, 3}, {64, 3, 120}, {130, 90, 70}}) {
        in_double = std::max(in_double, product_ratio<double>(a, b, m, n, k, context.planted));
        in_float = std::max(in_float, product_ratio<float>(a, b, m, n, k, context.planted));
      }
    }
  }
  const char* const why = "|C - AB| over k u / (1 - k u) |A||B|, Higham (3.5)";
  return {at_most("matrix products in double, against sums in long double", in_double, 1, why),
          at_most("matrix products in float, against sums in long double", in_float, 1, why)};
}

std::vector<OracleFinding> decompositions(const OracleContext& context) {
  double residual = 0;
  double orthogonality = 0;
  for (const Index n : {1, 2, 3, 5, 10, 50, 100}) {
    for (const double scale : {1.0, 1e150, 1e-150}) {
      Matrix A(n, n);
      RandomStream(2, Purpose::test, static_cast<std::uint64_t>(n)).fill_normal(A.reshaped());
      A = (scale * (A + A.transpose())).eval();
      Vector values;
      Matrix V;
      if (!symmetric_eigen(A, values, V)) return {};
      const double norm = A.cwiseAbs().rowwise().sum().maxCoeff();
      if (context.planted) A(0, 0) += 1e-10 * norm;
      const double size = static_cast<double>(n);
      residual = std::max(residual, (A / norm * V - V * (values / norm).asDiagonal()).norm() / (size * kEps));
      orthogonality = std::max(orthogonality, (V.transpose() * V - Matrix::Identity(n, n)).norm() / (size * kEps));
    }
  }
  return {at_most("|AV - V Lambda| / (n eps |A|), n = 1..100, scales 1e-150..1e150", residual, 30,
                  "LAPACK's threshold for a test ratio"),
          at_most("|V'V - I| / (n eps)", orthogonality, 30, "LAPACK's threshold for a test ratio")};
}

/// The relative error of each root against Q Lambda^(-1/p) Q', the largest over p = 1..8, and how many come from the
/// method asked for.
std::pair<double, Index> root_error(RootMethod method, double tolerance, double condition, bool planted) {
  const Index n = 24;
  Vector values(n);
  for (Index i = 0; i < n; ++i) {
    values[i] = std::pow(condition, -static_cast<double>(i) / static_cast<double>(n - 1));
  }
  const Matrix Q = planted_basis(n, 3);
  const Matrix A = planted_spectrum(values, 3);
  InverseRootOptions options;
  options.method = method;
  options.tolerance = tolerance;
  double worst = 0;
  Index own = 0;
  for (int p = 1; p <= 8; ++p) {
    Matrix X;
    const InverseRootReport report = inverse_root(A, planted ? 2 * p : p, options, X);
    const Matrix exact = Q * values.array().pow(-1.0 / p).matrix().asDiagonal() * Q.transpose();
    const double error = (X - exact).norm() / exact.norm();
    if (!(error <= worst)) worst = error;
    own += report.status == RootStatus::ok && report.method == method ? 1 : 0;
  }
  return {worst, own};
}

std::vector<OracleFinding> inverse_roots(const OracleContext& context) {
  constexpr double kCondition = 1e4;
  constexpr double kTolerance = 1e-10;
  const auto [eigen, own_eigen] = root_error(RootMethod::eigen, kTolerance, kCondition, context.planted);
  const auto [newton, own_newton] = root_error(RootMethod::newton, kTolerance, kCondition, context.planted);
  // Forming A and decomposing it move the least eigenvalue by n eps |A| each: by 2 n eps cond of itself, its root by
  // that over p; the other half is for Q.
  return {at_most("roots by eigenvalues, |X - A^(-1/p)| / |A^(-1/p)|, p = 1..8", eigen, 4 * 24 * kEps * kCondition,
                  "4 n eps cond, n = 24, cond = 1e4"),
          at_most("roots by the coupled Newton iteration, likewise", newton, 24 * kTolerance,
                  "n times the residual's bound, 1e-10"),
          equal_to("roots that came from the method asked for", static_cast<double>(own_eigen + own_newton), 16,
                   "none fell back")};
}

/// <G, X>, whose gradient is G everywhere.
class LinearForm final : public Objective {
 public:
  explicit LinearForm(const Matrix& G) : g_(G.rows() * G.cols()) {
    layout_.add("w", {G.rows(), G.cols()});
    for (Index i = 0; i < G.rows(); ++i) g_.segment(i * G.cols(), G.cols()) = G.row(i);
  }
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return g_.dot(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = g_;
    return g_.dot(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    return scaled_identity(g_.size(), 0);
  }

 private:
  ParameterLayout layout_;
  Vector g_;
};

std::vector<OracleFinding> shampoo_step(const OracleContext& context) {
  const Index n = 5;
  const Matrix U = planted_basis(n, 4);
  const Matrix V = planted_basis(n, 5);
  const Vector values = Vector::LinSpaced(n, 1, 3);
  LinearForm f(U * values.asDiagonal() * V.transpose());
  constexpr double kRidge = 1e-13;
  std::vector<OracleFinding> findings;
  for (const RootMethod root : {RootMethod::eigen, RootMethod::newton}) {
    ShampooOptions options;
    options.lr = 1;
    options.beta1 = 0;
    options.accumulation = Accumulation::sum;
    options.eps = kRidge;
    options.graft = Graft::none;
    options.root = root;
    options.exponent = context.planted ? 0.5 : 0;
    Vector x = Vector::Zero(n * n);
    Shampoo(options).step(f, x);
    const Matrix step = -x.reshaped<Eigen::RowMajor>(n, n);
    const bool newton = root == RootMethod::newton;
    // L and R have the squares of the singular values, 1 to 9, so that a ridge of 1e-13 |L| moves a root by at most
    // 1e-13 cond / 4 each; the residual's bound or rounding, 16 n eps cond, comes on top.
    const double bound = kRidge * 9 + 16 * static_cast<double>(n) * kEps * 9 +
                         (newton ? static_cast<double>(n) * options.tolerance : 0.0);
    findings.push_back(at_most(fmt::format("Shampoo's first step against the polar factor UV', roots by {}",
                                           newton ? "Newton" : "eigenvalues"),
                               (step - U * V.transpose()).norm() / std::sqrt(static_cast<double>(n)), bound,
                               newton ? "n times the residual's bound, 1e-8" : "(ridge + 16 n eps) cond, cond = 9"));
  }
  return findings;
}

std::vector<OracleFinding> trust_region(const OracleContext& context) {
  // g has no part along the eigenvector of -20: lambda = 20 and s = (-1/20, +-t, 1/20), t^2 = 1 - 2/400.
  const double t = std::sqrt(1 - 2.0 / 400);
  const Vector g0 = Eigen::Vector3d(1, 0, -1);
  const Matrix H0 = Eigen::Vector3d(0, -20, 0).asDiagonal();
  double lambda = 0;
  double place = 0;
  double decrease = 0;
  Index hard = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Matrix Q = seed == 0 ? Matrix(Matrix::Identity(3, 3)) : planted_basis(3, seed);
    const Matrix H = Q * H0 * Q.transpose();
    const Vector g = Q * g0;
    Vector s;
    SpectralStep step;
    if (context.planted) {
      // What a method sees that knows the span of g, H g, ... alone.
      SteihaugWorkspace workspace;
      step.decrease = steihaug(*dense_operator(H), g, {.trust_radius = 1}, s, workspace).decrease;
      step.lambda = std::sqrt(2.0);
    } else {
      SpectralModel model;
      model.decompose(0.5 * (H + H.transpose()));
      step = model.in_ball(g, 1, s);
    }
    const Vector back = Q.transpose() * s;
    const Vector exact = Eigen::Vector3d(-0.05, back[1] < 0 ? -t : t, 0.05);
    lambda = std::max(lambda, std::abs(step.lambda - 20) / 20);
    place = std::max(place, (back - exact).norm());
    decrease = std::max(decrease, std::abs(step.decrease - 10.05) / 10.05);
    hard += step.hard_case ? 1 : 0;
  }
  const double bound = 100 * kEps;
  const char* const why = "100 eps: a decomposition of order 3 and its use";
  // The eigenvector of -20 is off by eps |H| over the gap, which is |H|, and so is s.
  return {at_most("multiplier against 20, relative, in 8 bases", lambda, bound, why),
          at_most("step against (-1/20, +-0.99749..., 1/20)", place, bound, why),
          at_most("decrease against 10.05, relative", decrease, bound, why),
          // In a rotated basis rounding gives g a part of some eps along it, and the case is then nearly hard.
          at_least("found to be the hard case", static_cast<double>(hard), 1, "the diagonal one at least")};
}

std::vector<OracleFinding> multiple_eigenvalues(const OracleContext& context) {
  Vector values = Vector::LinSpaced(200, 0, 5);
  values.head(5).setConstant(10);
  values[5] = 9;
  const OperatorPtr A = dense_operator(planted_spectrum(values, 6));
  EigenOptions options;
  options.largest = 6;
  options.dense_limit = 0;  // by Lanczos
  Index lost = 0;
  Index certified = 0;
  double error = 0;
  double residual = 0;
  constexpr int kStarts = 10;
  for (int start = 0; start < kStarts; ++start) {
    options.seed = static_cast<std::uint64_t>(start);
    EigenResult result = extreme_eigenpairs(*A, options);
    // A copy dropped and the next one down in its place, as Spectra 1.0.1 has returned.
    if (context.planted) result.largest.values[4] = 9;
    const auto copies = (result.largest.values.array() - 10).abs() <= 1e-6;
    if (result.multiplicity_certified) {
      ++certified;
      lost += 5 - copies.count();
    }
    for (Index i = 0; i < result.largest.values.size(); ++i) {
      const Vector v = result.largest.vectors.col(i);
      Vector Av(v.size());
      A->apply(v, Av);
      residual = std::max(residual, (Av - result.largest.values[i] * v).norm() / 10);
    }
    error = std::max(error, (result.largest.values - values.head(6)).cwiseAbs().maxCoeff() / 10);
  }
  return {equal_to("copies of a five-fold eigenvalue lost where the multiplicity is certified",
                   static_cast<double>(lost), 0, "10 starts, n = 200, six pairs by Lanczos"),
          at_least("starts that certify it", static_cast<double>(certified), 1, "else nothing was compared"),
          at_most("|Av - lambda v| / |A|, formed here", residual, 1e-8, "the tolerance asked for"),
          at_most("eigenvalues against the planted ones, over |A|", error, 1e-8, "at most the residual (Weyl)")};
}

}  // namespace

std::vector<Oracle> matrix_oracles() {
  return {
      {"products", "products of matrices are right to rounding", "an entry of a factor changed by 0.1 %", products},
      {"decompositions", "eigen-decompositions pass LAPACK's test ratio at every scale",
       "an entry of the matrix changed by 1e-10 after it", decompositions},
      {"inverse-roots", "inverse p-th roots are those of a known spectrum, by both routes",
       "the exponent -1/(2p) in place of -1/p", inverse_roots},
      {"shampoo", "a step of Shampoo has the exponents -1/4, as its polar factor shows", "the exponents -1/2",
       shampoo_step},
      {"trust-region", "the hard case of the trust region has its closed form", "the step of truncated CG in its place",
       trust_region},
      {"multiple-eigenvalues", "no copy of a multiple eigenvalue is lost and certified",
       "a copy dropped for the next eigenvalue", multiple_eigenvalues},
  };
}

}  // namespace hesse
