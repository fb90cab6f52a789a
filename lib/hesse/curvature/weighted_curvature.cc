#include "hesse/curvature/weighted_curvature.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/operators.h"

#include <Eigen/QR>

#include <cmath>

namespace hesse {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// L with L L' = W W' and min(d, m) columns: W itself, or R' of W' = Q R.
Matrix row_factor(const RowMajor& W) {
  if (W.cols() <= W.rows()) return W;
  const Eigen::HouseholderQR<Matrix> qr(W.transpose());
  return qr.matrixQR().topRows(W.rows()).triangularView<Eigen::Upper>().transpose();
}

/// (L x I)' H (L x I) on matrices of r rows and m columns, row-major in a vector.
OperatorPtr seen_by_rows(OperatorPtr H, const ParameterBlock& block, Matrix L) {
  const Index d = L.rows();
  const Index r = L.cols();
  const Index m = block.size / d;
  const Index n = H->size();
  return function_operator(r * m, [=, begin = block.offset, H = std::move(H), L = std::move(L), V = Matrix(),
                                   HV = Matrix()](ConstMatrixView X, MatrixView Y) mutable {
    V.setZero(n, X.cols());
    HV.resize(n, X.cols());
    for (Index j = 0; j < X.cols(); ++j) {
      const Eigen::Map<const RowMajor> U(X.col(j).data(), r, m);
      Eigen::Map<RowMajor>(V.col(j).data() + begin, d, m).noalias() = L * U;
    }
    H->apply(V, HV);
    for (Index j = 0; j < X.cols(); ++j) {
      const Eigen::Map<const RowMajor> B(HV.col(j).data() + begin, d, m);
      Eigen::Map<RowMajor>(Y.col(j).data(), r, m).noalias() = L.transpose() * B;
    }
  });
}

}  // namespace

Objective& without_penalty(Objective& f) {
  Objective* loss = &f;
  for (Objective* at = &f; at != nullptr; at = at->decorated()) {
    if (at->changes_value()) loss = at->decorated();
  }
  return *loss;
}

Estimate fisher_rao_square(Objective& f, const Vector& x, Curvature kind) {
  const auto F = without_penalty(f).curvature(x, kind);
  Matrix Fx(x.size(), 1);
  F->apply(x, Fx);
  Estimate estimate;
  estimate.value = estimate.lower = estimate.upper = dot(x, Fx.col(0));
  estimate.products = 1;
  return std::isfinite(estimate.value) ? estimate : without_value(1);
}

std::string relative_flatness_block(const ParameterLayout& layout, const std::string& block) {
  const auto is_matrix = [](const ParameterBlock& b) { return b.shape.size() >= 2 && b.size > 0; };
  if (!block.empty()) {
    const ParameterBlock* found = layout.find(block);
    if (found == nullptr) fail("relative flatness: there is no parameter block '{}'", block);
    if (!is_matrix(*found)) fail("relative flatness: '{}' has no rows; name a block of weights", block);
    return block;
  }
  for (auto b = layout.blocks().rbegin(); b != layout.blocks().rend(); ++b) {
    if (is_matrix(*b)) return b->name;
  }
  fail("relative flatness: no parameter block is a matrix, so that there are no neurons; take a network");
}

Estimate relative_flatness(Objective& f, const Vector& x, const RelativeFlatnessOptions& options) {
  const ParameterBlock& block = *f.layout().find(relative_flatness_block(f.layout(), options.block));
  const Index d = block.shape.front();
  const RowMajor W = Eigen::Map<const RowMajor>(x.data() + block.offset, d, block.size / d);
  TraceOptions trace;
  trace.tolerance = 0;
  trace.max_products = options.max_products;
  trace.seed = options.seed;
  const auto H = without_penalty(f).curvature(x, Curvature::hessian);
  return estimate_trace(*seen_by_rows(H, block, row_factor(W)), trace);
}

}  // namespace hesse
