#include "hesse/optim/structured/kronecker_preconditioner.h"

#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "nn/network_cases.h"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

namespace {

/// Factors of three layers as they come from samples: the joint covariances are positive semidefinite.
std::vector<KroneckerFactors> sampled_factors(Index samples) {
  const Case c{{3, 4, 2, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 3, samples, c.loss));
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(test_point(f->size()), {.neighbours = true}, factors);
  return factors;
}

Index size_of(const std::vector<KroneckerFactors>& layers) {
  return layers.back().begin + layers.back().outputs * layers.back().columns();
}

/// Entry (o, i) of a layer's matrix in the flat vector.
Index place(const KroneckerFactors& k, Index o, Index i) {
  return k.begin + (i < k.inputs ? o * k.inputs + i : k.inputs * k.outputs + o);
}

/// G (x) A as a block between the parameters of two layers.
void add_kronecker(const KroneckerFactors& row, const KroneckerFactors& column, const Matrix& G, const Matrix& A,
                   double scale, Matrix& F) {
  for (Index o = 0; o < row.outputs; ++o)
    for (Index i = 0; i < row.columns(); ++i)
      for (Index p = 0; p < column.outputs; ++p)
        for (Index j = 0; j < column.columns(); ++j)
          F(place(row, o, i), place(column, p, j)) += scale * G(o, p) * A(i, j);
}

Matrix inverse_of(KroneckerPreconditioner& preconditioner, Index n) {
  Matrix inverse(n, n);
  for (Index i = 0; i < n; ++i) {
    Vector out = Vector::Zero(n);
    preconditioner.apply(Vector::Unit(n, i), out);
    inverse.col(i) = out;
  }
  return inverse;
}

struct Damped {
  Matrix A;
  Matrix G;
};
Damped damped(KroneckerFactors k, double gamma) {
  complete(k);
  const double pi = damping_split(k);
  return {k.A + pi * gamma * Matrix::Identity(k.A.rows(), k.A.rows()),
          k.G + gamma / pi * Matrix::Identity(k.G.rows(), k.G.rows())};
}

}  // namespace

TEST_CASE("The factored preconditioner is the inverse of (G + gamma / pi I) (x) (A + pi gamma I)") {
  const auto factors = sampled_factors(40);
  const std::vector<double> gamma = {0.3, 0.1, 0.7};
  const auto preconditioner = make_kronecker_preconditioner(KroneckerForm::factored, factors, Precision::float64);
  const RefreshReport report = preconditioner->refresh(factors, gamma);
  CHECK(report.non_finite == 0);
  const Index n = size_of(factors);
  Matrix F = Matrix::Zero(n, n);
  for (std::size_t l = 0; l < factors.size(); ++l) {
    const Damped d = damped(factors[l], gamma[l]);
    add_kronecker(factors[l], factors[l], d.G, d.A, 1, F);
  }
  // Residuals of two inverses, each n eps times its condition.
  CHECK((F * inverse_of(*preconditioner, n) - Matrix::Identity(n, n)).norm() <=
        100 * kEps * report.condition * report.condition);
}

TEST_CASE("Each factor's condition is told beside the largest and what stays keeps the figures of its inverse") {
  const auto factors = sampled_factors(40);
  const std::vector<double> gamma = {0.3, 0.1, 0.7};
  const auto one_norm = [](const Matrix& M) { return M.cwiseAbs().colwise().sum().maxCoeff(); };
  for (const KroneckerForm form : {KroneckerForm::factored, KroneckerForm::eigenvalues, KroneckerForm::tridiagonal}) {
    const auto preconditioner = make_kronecker_preconditioner(form, factors, Precision::float64);
    CHECK(preconditioner->figures().row(kCondition) == Matrix::Ones(1, 6));
    const RefreshReport report = preconditioner->refresh(factors, gamma);
    const Matrix figures = preconditioner->figures();
    REQUIRE(figures.cols() == 6);
    for (std::size_t l = 0; l < factors.size(); ++l) {
      const Damped d = damped(factors[l], gamma[l]);
      for (const bool of_inputs : {true, false}) {
        const Matrix& M = of_inputs ? d.A : d.G;
        const Vector values = M.selfadjointView<Eigen::Lower>().eigenvalues();
        const double exact = form == KroneckerForm::eigenvalues ? values.maxCoeff() / values.minCoeff()
                                                                : one_norm(M) * one_norm(M.inverse());
        // An inverse, or eigenvalues, with the rounding of n eps times the condition.
        CHECK(figures(kCondition, 2 * static_cast<Index>(l) + (of_inputs ? 0 : 1)) ==
              Approx(exact).epsilon(100 * kEps * exact));
      }
    }
    CHECK(figures.row(kCondition).maxCoeff() == report.condition);
    CHECK(figures.row(kFailed).isZero());
    // One factor is spoiled: it keeps its inverse and that inverse's condition.
    std::vector<KroneckerFactors> spoiled = factors;
    for (KroneckerFactors& k : spoiled) k.A *= 2;
    spoiled[1].G(0, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK(preconditioner->refresh(spoiled, gamma).non_finite == 1);
    const Matrix after = preconditioner->figures();
    CHECK(after(kCondition, 3) == figures(kCondition, 3));
    CHECK(after(kFailed, 3) == 1);
    const bool all_stay = form == KroneckerForm::tridiagonal;
    CHECK((after(kCondition, 0) == figures(kCondition, 0)) == all_stay);
    CHECK(after(kFailed, 0) == (all_stay ? 1 : 0));
  }
}

TEST_CASE("The preconditioner by eigenvalues is the inverse of G (x) A + gamma^2 I") {
  const auto factors = sampled_factors(40);
  const std::vector<double> gamma = {0.3, 0.1, 0.7};
  const auto preconditioner = make_kronecker_preconditioner(KroneckerForm::eigenvalues, factors, Precision::float64);
  preconditioner->refresh(factors, gamma);
  const Index n = size_of(factors);
  Matrix F = Matrix::Zero(n, n);
  for (std::size_t l = 0; l < factors.size(); ++l) {
    KroneckerFactors k = factors[l];
    complete(k);
    add_kronecker(k, k, k.G, k.A, 1, F);
    for (Index i = k.begin; i < k.begin + k.outputs * k.columns(); ++i) F(i, i) += gamma[l] * gamma[l];
  }
  const Vector values = F.selfadjointView<Eigen::Lower>().eigenvalues();
  CHECK((F * inverse_of(*preconditioner, n) - Matrix::Identity(n, n)).norm() <=
        100 * kEps * values.maxCoeff() / values.minCoeff());
}

TEST_CASE("Damping is exact by eigenvalues and larger by factors: 4.01 and 4.41 for A = 4 I, G = I, lambda = 0.01") {
  std::vector<KroneckerFactors> factors = {
      {0, 3, 2, 1, false, 4 * Matrix::Identity(3, 3), Matrix::Identity(2, 2), {}, {}}};
  const std::vector<double> gamma = {0.1};
  const Vector v = Vector::Ones(6);
  Vector out(6);
  const auto exact = make_kronecker_preconditioner(KroneckerForm::eigenvalues, factors, Precision::float64);
  exact->refresh(factors, gamma);
  exact->apply(v, out);
  CHECK((4.01 * out - v).norm() <= 10 * kEps);
  const auto factored = make_kronecker_preconditioner(KroneckerForm::factored, factors, Precision::float64);
  factored->refresh(factors, gamma);
  factored->apply(v, out);
  // (sqrt(4 * 1) + gamma)^2.
  CHECK((4.41 * out - v).norm() <= 10 * kEps);
}

TEST_CASE("The tridiagonal preconditioner is the inverse of a matrix with the tridiagonal blocks of the Fisher model") {
  const auto factors = sampled_factors(40);
  const std::vector<double> gamma = {0.3, 0.3, 0.3};
  const auto preconditioner = make_kronecker_preconditioner(KroneckerForm::tridiagonal, factors, Precision::float64);
  REQUIRE(preconditioner->refresh(factors, gamma).non_finite == 0);
  const Index n = size_of(factors);
  const Matrix inverse = inverse_of(*preconditioner, n);
  CHECK((inverse - inverse.transpose()).norm() <= 1e-11 * inverse.norm());
  const Matrix F = inverse.inverse();
  // It has the model's own blocks on the diagonal and beside it (Martens and Grosse 2015, section 4.3), and the inverse
  // has none farther away.
  Matrix expected = Matrix::Zero(n, n);
  for (std::size_t l = 0; l < factors.size(); ++l) {
    const Damped d = damped(factors[l], gamma[l]);
    add_kronecker(factors[l], factors[l], d.G, d.A, 1, expected);
    if (l + 1 == factors.size()) continue;
    add_kronecker(factors[l], factors[l + 1], factors[l].G_next, factors[l].A_next, 1, expected);
    add_kronecker(factors[l + 1], factors[l], factors[l].G_next.transpose(), factors[l].A_next.transpose(), 1,
                  expected);
  }
  const double error_of_inverse = 1e-10 * F.norm();
  for (std::size_t l = 0; l < factors.size(); ++l) {
    for (std::size_t m = 0; m < factors.size(); ++m) {
      const KroneckerFactors& a = factors[l];
      const KroneckerFactors& b = factors[m];
      const auto block = [&](const Matrix& M) {
        return Matrix(M.block(a.begin, b.begin, a.outputs * a.columns(), b.outputs * b.columns()));
      };
      if (l > m + 1 || m > l + 1) {
        CHECK(block(inverse).norm() <= 1e-12 * inverse.norm());
      } else {
        CHECK((block(F) - block(expected)).norm() <= error_of_inverse);
      }
    }
  }
  // Without couplings it is the factored one.
  std::vector<KroneckerFactors> apart = factors;
  for (KroneckerFactors& k : apart) {
    k.A_next.setZero();
    k.G_next.setZero();
  }
  preconditioner->refresh(apart, gamma);
  const auto factored = make_kronecker_preconditioner(KroneckerForm::factored, factors, Precision::float64);
  factored->refresh(factors, gamma);
  const Matrix plain = inverse_of(*factored, n);
  CHECK((inverse_of(*preconditioner, n) - plain).norm() <= 1e-11 * plain.norm());
}

TEST_CASE("EKFAC is nearer to the Fisher matrix than KFAC, in the Frobenius norm and in every layer") {
  const Case c{{3, 4, 2, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const Index samples = 15;
  const auto f = make_objective(c, make_data(3, 3, samples, c.loss));
  const Vector x = test_point(f->size());
  const FactorRequest request{.kind = Curvature::fisher_empirical};
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, request, factors);
  for (KroneckerFactors& k : factors) complete(k);
  std::vector<KroneckerBasis> bases;
  for (const KroneckerFactors& k : factors) {
    const Eigen::SelfAdjointEigenSolver<Matrix> of_A(k.A), of_G(k.G);
    bases.push_back({of_A.eigenvectors(), of_G.eigenvectors()});
  }
  std::vector<Matrix> moments;
  f->kronecker_moments(x, request, bases, moments);
  const Matrix F = dense(*f->curvature(x, Curvature::fisher_empirical));
  const Index n = f->size();
  for (std::size_t l = 0; l < factors.size(); ++l) {
    const KroneckerFactors& k = factors[l];
    Matrix kfac = Matrix::Zero(n, n);
    add_kronecker(k, k, k.G, k.A, 1, kfac);
    Matrix ekfac = Matrix::Zero(n, n);
    for (Index o = 0; o < k.outputs; ++o) {
      for (Index i = 0; i < k.columns(); ++i) {
        const Matrix uG = bases[l].G.col(o) * bases[l].G.col(o).transpose();
        const Matrix uA = bases[l].A.col(i) * bases[l].A.col(i).transpose();
        add_kronecker(k, k, uG, uA, moments[l](o, i), ekfac);
      }
    }
    const auto block = [&](const Matrix& M) {
      return Matrix(M.block(k.begin, k.begin, k.outputs * k.columns(), k.outputs * k.columns()));
    };
    const double of_kfac = (block(F) - block(kfac)).norm();
    const double of_ekfac = (block(F) - block(ekfac)).norm();
    CHECK(of_ekfac <= of_kfac * (1 + 1e-12));
    // The moments are the best diagonal there is: not equal here, where inputs and adjoints depend on each other.
    CHECK(of_ekfac < 0.999 * of_kfac);
  }
}

TEST_CASE("A factor that is not finite leaves its inverse, and one that is singular has a finite inverse") {
  auto factors = sampled_factors(2);  // two samples: singular
  for (const KroneckerForm form :
       {KroneckerForm::factored, KroneckerForm::eigenvalues, KroneckerForm::ekfac, KroneckerForm::tridiagonal}) {
    const auto preconditioner = make_kronecker_preconditioner(form, factors, Precision::float64);
    preconditioner->refresh(factors, {1e-12, 1e-12, 1e-12});
    const Index n = size_of(factors);
    Vector out = Vector::Zero(n);
    preconditioner->apply(test_point(n), out);
    CHECK(out.allFinite());
    auto spoiled = factors;
    spoiled[1].A(0, 1) = std::nan("");
    CHECK(preconditioner->refresh(spoiled, {1e-12, 1e-12, 1e-12}).non_finite == 1);
    preconditioner->apply(test_point(n), out);
    CHECK(out.allFinite());
  }
}

TEST_CASE("Preconditioners agree in float and double, and give the same bits on any number of threads") {
  const Case c{{70, 150, 10}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(70, 10, 300, c.loss));
  const Vector v = test_point(f->size(), 1);
  const int machine = threads();
  for (const KroneckerForm form : {KroneckerForm::factored, KroneckerForm::eigenvalues, KroneckerForm::tridiagonal}) {
    std::vector<KroneckerFactors> factors;
    f->kronecker_factors(0.2 * test_point(f->size()), {.neighbours = true}, factors);
    const std::vector<double> gamma = {0.1, 0.1};
    Vector reference;
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      const auto preconditioner = make_kronecker_preconditioner(form, factors, Precision::float32);
      preconditioner->refresh(factors, gamma);
      Vector out = Vector::Zero(v.size());
      preconditioner->apply(v, out);
      if (n == 1) reference = out;
      CHECK(out == reference);
    }
    set_threads(machine);
    const auto exact = make_kronecker_preconditioner(form, factors, Precision::float64);
    const double condition = exact->refresh(factors, gamma).condition;
    Vector out = Vector::Zero(v.size());
    exact->apply(v, out);
    // Products in float of matrices of this condition.
    CHECK((out - reference).norm() <= 1e-6 * condition * out.norm());
  }
}
