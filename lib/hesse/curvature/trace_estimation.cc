#include "hesse/curvature/trace_estimation.h"

#include "hesse/core/vector_ops.h"
#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/linalg/columns.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/linalg/tall_products.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace hesse {
namespace {

constexpr double kLeaveOneOutDependence = 1.3;  // measured: see the header

/// `offset` + the mean, with its interval, after some products.
Estimate estimate_of(double offset, const Mean& mean, Index products, const EstimateOptions& options,
                     double dependence = 1) {
  Estimate estimate = interval_of(mean, offset, 1, dependence);
  estimate.products = products;
  const double half = 0.5 * (estimate.upper - estimate.lower);
  estimate.reached = half <= std::max(options.absolute_tolerance, options.tolerance * std::abs(estimate.value));
  return estimate;
}

Estimate exactly(double value, Index products) {
  Estimate estimate;
  estimate.value = estimate.lower = estimate.upper = value;
  estimate.products = products;
  estimate.reached = true;
  estimate.is_exact = true;
  return estimate;
}

Estimate exact_trace(const LinearOperator& A, Index block) {
  const double trace = exact_diagonal(A, block).values.sum();
  return std::isfinite(trace) ? exactly(trace, A.size()) : without_value(A.size());
}

/// Adds figure(z, A z) of random signs z to a mean, after `products` products and on top of `offset`, until the
/// tolerance or the products end it. `project` may move z before the product.
template <class Project, class Figure>
Estimate average(const LinearOperator& A, const EstimateOptions& options, Index first, Index products, double offset,
                 const Project& project, const Figure& figure) {
  const Index n = A.size();
  const Index width = std::min(options.block, options.max_products - products);
  Matrix Z(n, width);
  Matrix AZ(n, width);
  Mean mean;
  Index look = kFirstLook;
  while (products < options.max_products) {
    const Index k = std::min({width, options.max_products - products, look - mean.count()});
    draw_signs(options.seed, first + mean.count(), Z.leftCols(k));
    project(Z.leftCols(k));
    A.apply(Z.leftCols(k), AZ.leftCols(k));
    products += k;
    for (Index j = 0; j < k; ++j) {
      const double one = figure(Z.col(j), AZ.col(j));
      if (!std::isfinite(one)) return without_value(products);
      mean.add(one);
    }
    if (mean.count() < look) continue;
    look *= 2;
    const Estimate estimate = estimate_of(offset, mean, products, options);
    if (estimate.reached) return estimate;
  }
  return estimate_of(offset, mean, products, options);
}

Estimate hutch_pp(const LinearOperator& A, const TraceOptions& options) {
  const Index n = A.size();
  const Index k = options.max_products / 3;
  Matrix S(n, k);
  Matrix Q(n, k);
  draw_signs(options.seed, 0, S);
  A.apply(S, Q);
  OrthonormalizeWorkspace<double> workspace;
  if (!orthonormalize(Q, workspace)) return without_value(k);
  A.apply(Q, S);
  const double inside = Q.cwiseProduct(S).sum();
  if (!std::isfinite(inside)) return without_value(2 * k);
  Matrix coefficients;
  TallWorkspace tall;
  return average(
      A, options, k, 2 * k, inside,
      [&](MatrixView Z) {
        coefficients.resize(k, Z.cols());
        tall_gram(Q, Z, coefficients, tall);
        tall_subtract(Q, coefficients, Z);
      },
      [](const auto& u, const auto& Au) { return dot(u, Au); });
}

/// The k leave-one-out figures. With Y = A W = Q R and s_i = R^-T e_i / |R^-T e_i|, the basis without vector i is that
/// of Q (I - s_i s_i'), so that u_i = w_i - Q x_i with x_i = (I - s_i s_i') Q'w_i, and all that is needed are k x k
/// matrices. False when A W has not full rank: then Q holds the range of A.
bool leave_one_out(ConstMatrixView W, ConstMatrixView Y, ConstMatrixView Q, ConstMatrixView AQ, Mean& mean,
                   TallWorkspace& workspace) {
  const Index n = W.rows();
  const Index k = W.cols();
  Matrix R(k, k), H(k, k), QW(k, k);
  tall_gram(Q, Y, R, workspace);
  tall_gram(Q, AQ, H, workspace);
  tall_gram(Q, W, QW, workspace);
  const Vector pivots = R.diagonal().cwiseAbs();
  if (!(pivots.minCoeff() > static_cast<double>(n) * std::numeric_limits<double>::epsilon() * pivots.maxCoeff())) {
    return false;
  }
  // R is triangular but for rounding.
  Matrix S = Matrix::Identity(k, k);
  R.triangularView<Eigen::Upper>().transpose().solveInPlace(S);
  const double all = H.trace();
  for (Index i = 0; i < k; ++i) {
    const Vector s = S.col(i).stableNormalized();  // R may be of any size
    const Vector x = QW.col(i) - s.dot(QW.col(i)) * s;
    const double curvature = dot(W.col(i), Y.col(i)) - 2 * x.dot(R.col(i)) + x.dot(H * x);
    const double square = W.col(i).squaredNorm() - x.squaredNorm();
    mean.add(all - s.dot(H * s) + static_cast<double>(n - k + 1) * curvature / square);
  }
  return true;
}

Estimate xtrace(const LinearOperator& A, const TraceOptions& options) {
  const Index n = A.size();
  const Index most = options.max_products / 2;
  Matrix W(n, most), Y(n, most), Q(n, most), AQ(n, most);
  OrthonormalizeWorkspace<double> workspace;
  TallWorkspace tall;
  Matrix coefficients;
  Index k = 0;
  Index look = kFirstLook;
  Estimate estimate;
  while (k < most) {
    const Index wanted = std::min(look, most);
    while (k < wanted) {
      const Index more = std::min(options.block, wanted - k);
      draw_normals(options.seed, k, W.middleCols(k, more));
      A.apply(W.middleCols(k, more), Y.middleCols(k, more));
      auto fresh = Q.middleCols(k, more);
      fresh = Y.middleCols(k, more);
      // Off what is there, twice, and among themselves: the basis only grows.
      for (int pass = 0; pass < 2; ++pass) {
        if (k > 0) {
          coefficients.resize(k, more);
          tall_gram(Q.leftCols(k), fresh, coefficients, tall);
          tall_subtract(Q.leftCols(k), coefficients, fresh);
        }
        if (!orthonormalize<double>(fresh, workspace)) return without_value(2 * k + more);
      }
      A.apply(fresh, AQ.middleCols(k, more));
      k += more;
    }
    look *= 2;
    Mean mean;
    if (!leave_one_out(W.leftCols(k), Y.leftCols(k), Q.leftCols(k), AQ.leftCols(k), mean, tall)) {
      const double trace = Q.leftCols(k).cwiseProduct(AQ.leftCols(k)).sum();
      return std::isfinite(trace) ? exactly(trace, 2 * k) : without_value(2 * k);
    }
    if (!std::isfinite(mean.value())) return without_value(2 * k);
    estimate = estimate_of(0, mean, 2 * k, options, kLeaveOneOutDependence);
    if (estimate.reached) break;
  }
  return estimate;
}

}  // namespace

Estimate estimate_trace(const LinearOperator& A, const TraceOptions& options) {
  check(options);
  if (A.size() <= options.max_products) return exact_trace(A, options.block);
  switch (options.method) {
    case TraceMethod::hutch_pp: return hutch_pp(A, options);
    case TraceMethod::xtrace: return xtrace(A, options);
    case TraceMethod::hutchinson: break;
  }
  return average(
      A, options, 0, 0, 0, [](MatrixView) {}, [](const auto& z, const auto& Az) { return dot(z, Az); });
}

Estimate estimate_frobenius_square(const LinearOperator& A, const EstimateOptions& options) {
  check(options);
  const Index n = A.size();
  if (n > options.max_products) {
    return average(
        A, options, 0, 0, 0, [](MatrixView) {}, [](const auto&, const auto& Az) { return dot(Az, Az); });
  }
  double square = 0;
  each_column(A, options.block, [&](Index, const auto& column) { square += dot(column, column); });
  return std::isfinite(square) ? exactly(square, n) : without_value(n);
}

}  // namespace hesse
