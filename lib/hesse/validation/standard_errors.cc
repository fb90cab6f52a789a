#include "hesse/validation/standard_errors.h"

#include "hesse/objective/least_squares.h"

#include <Eigen/QR>

#include <cmath>
#include <limits>

namespace hesse {

Vector standard_errors(Objective& f, const Vector& x) {
  auto* const problem = find_whole<LeastSquares>(f);
  if (problem == nullptr) return {};
  Vector r;
  Matrix J;
  problem->residuals_and_jacobian(x, r, J);
  const Index m = J.rows();
  const Index n = J.cols();
  if (m <= n || n == 0 || !J.allFinite() || !r.allFinite()) return {};
  const Vector scale = J.colwise().norm();
  if (!(scale.minCoeff() > 0)) return {};
  for (Index j = 0; j < n; ++j) J.col(j) /= scale[j];
  const Eigen::HouseholderQR<Matrix> qr(J);
  const Matrix R = qr.matrixQR().topRows(n).triangularView<Eigen::Upper>();
  if (!(R.diagonal().cwiseAbs().minCoeff() > static_cast<double>(n) * std::numeric_limits<double>::epsilon()))
    return {};
  const Matrix inverse = R.triangularView<Eigen::Upper>().solve(Matrix::Identity(n, n));
  const double s = r.norm() / std::sqrt(static_cast<double>(m - n));
  // (J'J)^-1 = R^-1 R^-T: its diagonal holds the squared norms of the rows of R^-1.
  return s * inverse.rowwise().norm().cwiseQuotient(scale);
}

}  // namespace hesse
