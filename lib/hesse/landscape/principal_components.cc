#include "hesse/landscape/principal_components.h"

#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"

#include <Eigen/QR>

#include <algorithm>
#include <limits>

namespace hesse {

PrincipalComponents principal_components(const Matrix& differences, Index k) {
  if (k < 1) fail("principal components: {} are not possible; ask for at least 1", k);
  PrincipalComponents out;
  out.directions.resize(differences.rows(), 0);
  const Index m = differences.cols();
  Vector values;
  Matrix vectors;
  const Matrix gram = differences.transpose() * differences;
  if (m == 0 || !symmetric_eigen(gram, values, vectors) || !(values.sum() > 0)) return out;
  // Rounding leaves eigenvalues of 0 on either side of it.
  out.shares = values.reverse().cwiseMax(0.0);
  out.shares /= out.shares.sum();
  const double floor = static_cast<double>(m) * std::numeric_limits<double>::epsilon();
  const Index real = (out.shares.array() > floor).count();
  out.directions.resize(differences.rows(), std::min(k, real));
  for (Index i = 0; i < out.directions.cols(); ++i) {
    auto u = out.directions.col(i);
    u.noalias() = differences * vectors.col(m - 1 - i);
    // Orthogonal in exact arithmetic; rounding in the Gram matrix is amplified in components of small share.
    for (int pass = 0; pass < 2; ++pass) {
      const auto before = out.directions.leftCols(i);
      u -= before * (before.transpose() * u).eval();
    }
    u.normalize();
  }
  return out;
}

ProjectedPoints project(const Matrix& directions, const Matrix& differences) {
  if (directions.rows() != differences.rows()) {
    fail("projection: directions of {} entries and points of {}; both must be of one space", directions.rows(),
         differences.rows());
  }
  const Eigen::ColPivHouseholderQR<Matrix> qr(directions);
  if (qr.rank() < directions.cols()) fail("projection: the directions are parallel; give two that span a plane");
  ProjectedPoints out;
  out.coordinates = qr.solve(differences);
  out.distances = (differences - directions * out.coordinates).colwise().norm();
  return out;
}

}  // namespace hesse
