// The spectrum of an operator of one's own that no matrix is formed of: the Laplacian on a square grid.
//
// Its eigenvalues are known, 4 - 2 cos(pi i / (m + 1)) - 2 cos(pi j / (m + 1)), so every figure has a truth beside it.
// The greatest ones come in pairs: a Krylov method that stops when it has converged may return one of two.
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/linear_operator.h"

#include <cmath>
#include <cstdio>
#include <numbers>

class Laplacian final : public hesse::LinearOperator {
 public:
  explicit Laplacian(hesse::Index m) : m_(m) {}
  hesse::Index size() const override { return m_ * m_; }
  void apply(hesse::ConstMatrixView X, hesse::MatrixView Y) const override {
    for (hesse::Index column = 0; column < X.cols(); ++column) {
      for (hesse::Index i = 0; i < m_; ++i) {
        for (hesse::Index j = 0; j < m_; ++j) {
          const auto at = [&](hesse::Index k, hesse::Index l) {
            return k < 0 || l < 0 || k == m_ || l == m_ ? 0.0 : X(k * m_ + l, column);
          };
          Y(i * m_ + j, column) = 4 * at(i, j) - at(i - 1, j) - at(i + 1, j) - at(i, j - 1) - at(i, j + 1);
        }
      }
    }
  }

 private:
  hesse::Index m_;
};

double eigenvalue(int i, int j, int m) {
  return 4 - 2 * std::cos(std::numbers::pi * i / (m + 1)) - 2 * std::cos(std::numbers::pi * j / (m + 1));
}

int main() {
  constexpr int m = 40;
  const Laplacian A(m);

  hesse::EigenOptions options;
  options.largest = 3;
  options.smallest = 1;
  options.tolerance = 1e-10;
  const hesse::EigenResult found = hesse::extreme_eigenpairs(A, options);
  const double truth[] = {eigenvalue(m, m, m), eigenvalue(m, m - 1, m), eigenvalue(m - 1, m, m)};
  for (int k = 0; k < 3; ++k) std::printf("%.8f, exactly %.8f\n", found.largest.values[k], truth[k]);
  std::printf("%.8f, exactly %.8f\n", found.smallest.values[0], eigenvalue(1, 1, m));
  std::printf("residuals below 1e-9: %s\n", found.largest.residuals.maxCoeff() < 1e-9 ? "yes" : "no");

  hesse::TraceOptions trace;
  trace.method = hesse::TraceMethod::xtrace;
  const hesse::Estimate t = hesse::estimate_trace(A, trace);
  std::printf("trace %.0f, in the interval of the estimate: %s\n", 4.0 * m * m,
              t.lower <= 4.0 * m * m && 4.0 * m * m <= t.upper ? "yes" : "no");

  double exact = 0;
  for (int i = 1; i <= m; ++i) {
    for (int j = 1; j <= m; ++j) exact += std::log(eigenvalue(i, j, m));
  }
  const hesse::SpectralDensity density = hesse::spectral_density(A, {.probes = 20, .steps = 60});
  const hesse::Estimate logdet = hesse::spectral_sum(density, [](double lambda) { return std::log(lambda); });
  std::printf("log-determinant %.4f, within 3 standard errors of the estimate: %s\n", exact,
              std::abs(logdet.value - exact) <= 3 * logdet.standard_error ? "yes" : "no");
}
