#include "hesse/curvature/class_structure.h"

#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/subspace.h"
#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/tall_products.h"
#include "hesse/nn/network_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// p of each column, by the logits less their largest.
Matrix softmax(const Matrix& logits) {
  Matrix p = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
  p.array().rowwise() /= p.colwise().sum().array().eval();
  return p;
}

/// The samples of one class, with targets that make the squared error's adjoints what is wanted.
class Backward {
 public:
  Backward(const NetworkObjective& of, const std::vector<Index>& samples)
      // The network outlives what is built on it here.
      : network_(std::shared_ptr<const void>(), &of.network()), data_(std::make_shared<Dataset>()) {
    data_->name = of.data().name;
    data_->inputs = of.data().inputs(Eigen::all, samples);
    options_.precision = of.precision();
  }

  /// g = (1 / samples) sum_i J_i' U_i, U outputs x samples, with z the outputs at x.
  void operator()(const Vector& x, const Matrix& z, const Matrix& U, Vector& g) {
    data_->targets = z - U;
    make_network_objective(network_, Loss::squared_error, data_, options_)->value_and_gradient(x, g);
  }

 private:
  std::shared_ptr<const Network> network_;
  std::shared_ptr<Dataset> data_;  ///< shared with one objective at a time
  NetworkOptions options_;
};

/// Y = M B (B' (M' X)).
OperatorPtr gram_operator(std::shared_ptr<const CrossClassMeans> means, Matrix B) {
  const Index n = means->means.rows();
  return function_operator(n, [means = std::move(means), B = std::move(B), workspace = TallWorkspace(),
                               inner = Matrix()](ConstMatrixView X, MatrixView Y) mutable {
    inner.resize(means->means.cols(), X.cols());
    tall_gram(means->means, X, inner, workspace);
    const Matrix combined = B * (B.transpose() * inner);
    tall_combine(means->means, combined, Y);
  });
}

/// (I - QQ') A (I - QQ') with Q = M W.
OperatorPtr off_span(OperatorPtr A, std::shared_ptr<const CrossClassMeans> means, Matrix W) {
  const Index n = A->size();
  return function_operator(
      n, [A = std::move(A), means = std::move(means), W = std::move(W), workspace = TallWorkspace(), inner = Matrix(),
          PX = Matrix()](ConstMatrixView X, MatrixView Y) mutable {
        inner.resize(means->means.cols(), X.cols());
        const auto project = [&](MatrixView V) {
          tall_gram(means->means, V, inner, workspace);
          const Matrix along = W * (W.transpose() * inner);
          tall_subtract(means->means, along, V);
        };
        PX = X;
        project(PX);
        A->apply(PX, Y);
        project(Y);
      });
}

/// W with (M W)'(M W) = I that spans the columns of M B, from the Gram matrix M'M.
Matrix orthonormal_span(const Matrix& gram, Matrix B) {
  Vector lengths = (B.transpose() * gram * B).diagonal().cwiseMax(0).cwiseSqrt();
  const double longest = lengths.size() > 0 ? lengths.maxCoeff() : 0.0;
  for (Index j = 0; j < B.cols(); ++j) B.col(j) *= lengths[j] > 1e-12 * longest ? 1 / lengths[j] : 0.0;
  Vector values;
  Matrix vectors;
  if (B.cols() == 0 || !symmetric_eigen(B.transpose() * gram * B, values, vectors)) return Matrix(B.rows(), 0);
  const double least = 1e-10 * values.tail(1)[0];
  const Index kept = (values.array() > std::max(least, 0.0)).count();
  Matrix W = B * vectors.rightCols(kept);
  for (Index j = 0; j < kept; ++j) W.col(j) /= std::sqrt(values[values.size() - kept + j]);
  return W;
}

/// Unit vectors of the means with a weight.
Matrix weighted_columns(const Matrix& weights) {
  const Index K = weights.rows();
  Matrix B = Matrix::Zero(K * K, K * K);
  for (Index j = 0; j < K * K; ++j) B(j, j) = weights(j / K, j % K) > 0 ? 1 : 0;
  return B;
}

Index beyond(const Vector& values, double edge) { return (values.array() > edge).count(); }

}  // namespace

double cross_class_bytes(Index rows, Index classes) {
  const auto means = static_cast<double>(classes * classes);
  // Beside the means their Gram matrix, a factor, their product, and eigenvectors with LAPACK's workspace.
  return sizeof(double) * (means * static_cast<double>(rows) + 8 * means * means);
}

std::string obstacle_to_cross_class_means(Objective& f, Index rows) {
  const NetworkObjective& network = network_with_classes(f);
  if (network.loss() != Loss::softmax_cross_entropy) {
    return fmt::format("cross-class means are of softmax cross-entropy, and the loss is {}", to_string(network.loss()));
  }
  if (network.network().output_size() != network.data().class_count) {
    return fmt::format("cross-class means: the network has {} outputs for {} classes", network.network().output_size(),
                       network.data().class_count);
  }
  for (const auto& layer : network.network().layers()) {
    if (layer->dropout_rate() > 0) return "cross-class means: a layer drops outputs, so that there is no one Jacobian";
  }
  const double bytes = cross_class_bytes(rows, network.data().class_count);
  const double there = available_memory();
  if (bytes > there) {
    return fmt::format("{} cross-class means of {} parameters take {:.1f} GiB, of which {:.1f} are free; take a block",
                       network.data().class_count * network.data().class_count, rows, bytes / kGibibyte,
                       there / kGibibyte);
  }
  return {};
}

CrossClassMeans cross_class_means(Objective& f, const Vector& x, const std::vector<Index>& rows) {
  if (const std::string why = obstacle_to_cross_class_means(f, std::ssize(rows)); !why.empty()) fail("{}", why);
  NetworkObjective& network = network_with_classes(f);
  const Dataset& data = network.data();
  const Index K = data.class_count;
  std::vector<std::vector<Index>> members(static_cast<std::size_t>(K));
  for (const Index i : network.selection()) {
    members[static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)])].push_back(i);
  }
  const auto samples = static_cast<double>(network.selection().size());
  CrossClassMeans result;
  result.means = Matrix::Zero(std::ssize(rows), K * K);
  result.weights = Matrix::Zero(K, K);
  std::vector<Index> found;
  const SelectionGuard guard(network, found);
  Vector g;
  for (Index c = 0; c < K; ++c) {
    const std::vector<Index>& own = members[static_cast<std::size_t>(c)];
    if (own.empty()) continue;
    network.select(own);
    const Matrix z = network.outputs(x);
    const Matrix p = softmax(z);
    Backward backward(network, own);
    for (Index other = 0; other < K; ++other) {
      const double sum = p.row(other).sum();
      result.weights(c, other) = sum / samples;
      if (!(sum > 0)) continue;  // underflown: without weight
      Matrix U = p;
      U.row(other).array() -= 1;
      U = (U * p.row(other).transpose().asDiagonal() * (static_cast<double>(own.size()) / sum)).eval();
      backward(x, z, U, g);
      result.means.col(c * K + other) = g(rows);
    }
  }
  return result;
}

ClassParts class_parts(CrossClassMeans means_in) {
  ClassParts parts;
  parts.means = std::make_shared<const CrossClassMeans>(std::move(means_in));
  const Matrix& M = parts.means->means;
  const Matrix& w = parts.means->weights;
  const Index K = w.rows();
  Matrix gram(K * K, K * K);
  TallWorkspace workspace;
  tall_gram(M, M, gram, workspace);

  parts.classes.factor = parts.own.factor = Matrix::Zero(K * K, K);
  parts.cross.factor = Matrix::Zero(K * K, K * K);
  for (Index c = 0; c < K; ++c) {
    double w_c = 0;
    for (Index other = 0; other < K; ++other) w_c += other == c ? 0 : w(c, other);
    parts.own.factor(c * K + c, c) = std::sqrt(w(c, c));
    if (!(w_c > 0)) continue;
    for (Index other = 0; other < K; ++other) {
      if (other == c) continue;
      const double root = std::sqrt(w(c, other));
      parts.classes.factor(c * K + other, c) = w(c, other) / std::sqrt(w_c);
      auto column = parts.cross.factor.col(c * K + other);
      for (Index each = 0; each < K; ++each) {
        if (each != c) column[c * K + each] = -root * w(c, each) / w_c;
      }
      column[c * K + other] += root;
    }
  }
  parts.class_basis = orthonormal_span(gram, parts.classes.factor);
  parts.cross_basis = orthonormal_span(gram, weighted_columns(w));
  double largest = 0;
  for (ClassPart* part : {&parts.classes, &parts.cross, &parts.own}) {
    const Matrix inner = part->factor.transpose() * gram * part->factor;
    part->trace = inner.trace();
    part->matrix = gram_operator(parts.means, part->factor);
    Vector values;
    Matrix vectors;
    if (!symmetric_eigen(inner, values, vectors)) {
      part->trace = kNone;
      continue;
    }
    part->values = values.reverse();
    largest = std::max(largest, part->values[0]);
  }
  Matrix all(K * K, 2 * K + K * K);
  all << parts.classes.factor, parts.own.factor, parts.cross.factor;
  for (ClassPart* part : {&parts.classes, &parts.cross, &parts.own}) {
    const Index kept = (part->values.array() > 1e-12 * largest).count();
    part->values = part->values.head(kept).eval();
  }
  parts.sum = gram_operator(parts.means, std::move(all));
  return parts;
}

ClassAttribution attribute_to_classes(const OperatorPtr& A, const OperatorPtr& G, const ClassParts& parts,
                                      const EigenPairs& top, const ClassAttributionOptions& options) {
  const Index n = A->size();
  const Index k = top.values.size();
  if (G->size() != n || parts.sum->size() != n || top.vectors.rows() != n || k < 1) {
    fail("class attribution: {} eigenpairs of size {}, matrices of sizes {} and {} and parts of size {} do not fit", k,
         top.vectors.rows(), n, G->size(), parts.sum->size());
  }
  if (options.within < 1) fail("class attribution: {} eigenvalues are not possible; give >= 1", options.within);
  ClassAttribution result;
  const auto search = [&](const OperatorPtr& matrix, Index pairs, double tolerance) {
    BlockLanczosOptions block;
    block.pairs = std::min(pairs, n);
    block.guard = std::min<Index>(2, n - block.pairs);
    block.tolerance = tolerance;
    block.max_products = options.max_products;
    block.seed = options.trace.seed;
    BlockLanczosResult found = block_lanczos(*matrix, {}, block);
    result.products += found.products;
    result.is_finite = result.is_finite && found.status != EigenStatus::non_finite;
    result.converged = result.converged && found.status == EigenStatus::converged;
    return found.pairs;
  };
  const OperatorPtr within = sum({{1.0, G}, {-1.0, parts.sum}});
  result.within = search(within, options.within, options.tolerance);
  result.within_trace = estimate_trace(*within, options.trace);
  result.products += result.within_trace.products;
  result.is_finite = result.is_finite && result.within_trace.is_finite;
  if (!result.is_finite) return result;

  const Matrix& V = top.vectors;
  TallWorkspace workspace;
  Matrix inner(parts.means->means.cols(), k);
  tall_gram(parts.means->means, V, inner, workspace);
  Matrix GV(n, k);
  G->apply(V, GV);
  result.products += k;
  result.shares.resize(k, 5);
  for (Index j = 0; j < k; ++j) {
    double below = 0;
    Index column = 0;
    for (const ClassPart* part : {&parts.classes, &parts.cross, &parts.own}) {
      result.shares(j, column) = (part->factor.transpose() * inner.col(j)).squaredNorm();
      below += result.shares(j, column++);
    }
    const double in_G = dot(Vector(V.col(j)), Vector(GV.col(j)));
    result.shares(j, 3) = in_G - below;
    result.shares(j, 4) = options.is_gauss_newton ? 0.0 : top.values[j] - in_G;
  }
  result.in_class_span = (parts.class_basis.transpose() * inner).colwise().squaredNorm();
  result.in_cross_span = (parts.cross_basis.transpose() * inner).colwise().squaredNorm();

  const EigenPairs rest =
      options.is_gauss_newton ? result.within : search(sum({{1.0, A}, {-1.0, parts.sum}}), 1, options.tolerance);
  if (!result.is_finite) return result;
  result.edge = rest.values[0];
  result.edge_residual = rest.residuals[0];
  result.outliers = beyond(top.values, result.edge);
  const auto projected = [&](const Matrix& basis) {
    ClassAttribution::Projection projection;
    const EigenPairs off = search(off_span(A, parts.means, basis), 1, options.tolerance);
    if (!result.is_finite) return projection;
    projection.edge = off.values[0];
    projection.edge_residual = off.residuals[0];
    projection.outliers = beyond(top.values, projection.edge);
    return projection;
  };
  result.off_class_span = projected(parts.class_basis);
  result.off_cross_span = projected(parts.cross_basis);
  if (result.outliers == 0 || !result.is_finite) return result;
  const auto without = [&](const ClassPart& part) {
    const EigenPairs pairs = search(sum({{1.0, A}, {-1.0, part.matrix}}), k, options.knockout_tolerance);
    return result.is_finite ? beyond(pairs.values, result.edge) : Index{0};
  };
  result.without_classes = without(parts.classes);
  result.without_cross = without(parts.cross);
  result.without_own = without(parts.own);
  return result;
}

}  // namespace hesse
