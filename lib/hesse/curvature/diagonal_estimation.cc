#include "hesse/curvature/diagonal_estimation.h"

#include "hesse/linalg/columns.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/linalg/tall_products.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// Mean and sum of squared deviations of figures, entry by entry (Welford 1962).
class Entries {
 public:
  explicit Entries(Index n) : mean_(Vector::Zero(n)), squares_(Vector::Zero(n)), before_(n) {}

  template <class Figure>
  void add(const Eigen::ArrayBase<Figure>& figure) {
    ++count_;
    before_ = figure - mean_.array();
    mean_ += before_ / static_cast<double>(count_);
    squares_.array() += before_.array() * (figure - mean_.array());
  }

  Index count() const { return count_; }
  const Vector& mean() const { return mean_; }
  Vector standard_errors() const {
    const auto m = static_cast<double>(count_);
    return (squares_ / (m * (m - 1))).cwiseMax(0).cwiseSqrt();
  }

 private:
  Vector mean_, squares_, before_;
  Index count_ = 0;
};

void judge(const EstimateOptions& options, EstimatedDiagonal& estimate) {
  const double error = estimate.standard_errors.norm();
  estimate.is_finite = estimate.values.allFinite() && std::isfinite(error);
  estimate.reached = error <= std::max(options.absolute_tolerance, options.tolerance * estimate.values.norm());
}

/// The mean of offset + z * (project A project z) over random signs z, until the tolerance or the products end it.
template <class Project>
EstimatedDiagonal average(const LinearOperator& A, const DiagonalOptions& options, Index first, Index products,
                          const Vector& offset, const Project& project) {
  const Index n = A.size();
  const Index width = std::min(options.block, options.max_products - products);
  Matrix Z(n, width), U(n, width), AU(n, width);
  Entries entries(n);
  EstimatedDiagonal estimate;
  estimate.products = products;
  Index look = kFirstLook;
  while (estimate.products < options.max_products) {
    const Index k = std::min({width, options.max_products - estimate.products, look - entries.count()});
    draw_signs(options.seed, first + entries.count(), Z.leftCols(k));
    U.leftCols(k) = Z.leftCols(k);
    project(U.leftCols(k));
    A.apply(U.leftCols(k), AU.leftCols(k));
    project(AU.leftCols(k));
    estimate.products += k;
    for (Index j = 0; j < k; ++j) entries.add(offset.array() + Z.col(j).array() * AU.col(j).array());
    if (entries.count() < look && estimate.products < options.max_products) continue;
    look *= 2;
    estimate.values = entries.mean();
    estimate.standard_errors = entries.standard_errors();
    judge(options, estimate);
    if (estimate.reached || !estimate.is_finite) break;
  }
  return estimate;
}

EstimatedDiagonal diag_pp(const LinearOperator& A, const DiagonalOptions& options) {
  const Index n = A.size();
  const Index k = options.max_products / 3;
  Matrix Q(n, k), AQ(n, k);
  draw_signs(options.seed, 0, AQ);
  A.apply(AQ, Q);
  EstimatedDiagonal estimate;
  estimate.products = k;
  OrthonormalizeWorkspace<double> orthonormalization;
  if (!orthonormalize(Q, orthonormalization)) {
    estimate.is_finite = false;
    return estimate;
  }
  A.apply(Q, AQ);
  TallWorkspace workspace;
  Matrix coefficients(k, k);
  tall_gram(Q, AQ, coefficients, workspace);
  // diag(P A) = diag(A P) = rows of Q times rows of A Q, and A Q becomes 2 A Q - Q Q'A Q.
  AQ *= 2;
  tall_subtract(Q, coefficients, AQ);
  const Vector inside = Q.cwiseProduct(AQ).rowwise().sum();
  AQ.resize(0, 0);
  return average(A, options, k, 2 * k, inside, [&](MatrixView U) {
    coefficients.resize(k, U.cols());
    tall_gram(Q, U, coefficients, workspace);
    tall_subtract(Q, coefficients, U);
  });
}

}  // namespace

EstimatedDiagonal exact_diagonal(const LinearOperator& A, Index block) {
  const Index n = A.size();
  EstimatedDiagonal estimate;
  estimate.values.resize(n);
  estimate.standard_errors.setZero(n);
  each_column(A, block, [&](Index j, const auto& column) { estimate.values[j] = column[j]; });
  estimate.products = n;
  estimate.reached = estimate.is_exact = true;
  estimate.is_finite = estimate.values.allFinite();
  return estimate;
}

EstimatedDiagonal estimate_diagonal(const LinearOperator& A, const DiagonalOptions& options) {
  check(options);
  if (A.size() <= options.max_products) return exact_diagonal(A, options.block);
  if (options.method == DiagonalMethod::diag_pp) return diag_pp(A, options);
  return average(A, options, 0, 0, Vector::Zero(A.size()), [](MatrixView) {});
}

}  // namespace hesse
