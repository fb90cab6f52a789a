#include "hesse/linalg/eigen.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/inertia.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/linalg/tall_products.h"

#include <Spectra/SymEigsSolver.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace hesse {
namespace {

/// Products that are formed at once where there are many.
constexpr Index kColumns = 32;

/// Throws Error where `copies` matrices of n x n are more than the memory that there is.
void require_room(Index n, double copies) {
  const double bytes = 8.0 * copies * static_cast<double>(n) * static_cast<double>(n);
  // What is small needs no look at the system.
  constexpr double kSmall = 64 * kMebibyte;
  if (!(bytes > kSmall)) return;
  const double there = available_memory();
  if (!(bytes > there)) return;
  fail("dense matrix: size {} needs {:.1f} GiB{}, and {:.1f} GiB are free; use products, as Lanczos and CG do", n,
       bytes / kGibibyte, copies > 1 ? " with its factors" : "", there / kGibibyte);
}

/// Thrown out of Spectra when a product is not finite, and caught here.
struct NonFiniteProduct {};
/// Thrown where Spectra asks for a product with a vector that is not finite: its iteration has broken down, as in a
/// space that is invariant from the start.
struct Breakdown {};

/// sign (A - origin I) / scale, with the pairs found so far moved to the origin and the wanted end upwards.
/// Spectra multiplies its start by the operator and so loses the eigenvectors at 0: the origin has to lie where no
/// wanted eigenvalue does, and that of A itself often is one. Its tolerances have an absolute part, so that the scale
/// has to bring eigenvalues to the size of 1.
class Deflated final : public LinearOperator {
 public:
  using Scalar = double;

  Deflated(const LinearOperator& A, double sign, double scale) : A_(A), sign_(sign), scale_(scale) {}

  void set_origin(double origin) { origin_ = origin; }
  void deflate(const EigenPairs& found) {
    V_ = found.vectors;
    offsets_ = found.values.array() - origin_;
  }

  Index size() const override { return A_.size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    A_.apply(X, Y);
    products += X.cols();
    Y -= origin_ * X;
    if (V_.cols() > 0) Y -= V_ * (offsets_.asDiagonal() * (V_.transpose() * X));
    Y *= sign_ / scale_;
  }

  Index rows() const { return A_.size(); }
  Index cols() const { return A_.size(); }
  void perform_op(const double* x_in, double* y_out) const {
    const Eigen::Map<const Vector> x(x_in, rows());
    Eigen::Map<Vector> y(y_out, rows());
    if (!all_finite(x)) throw Breakdown{};
    apply(x, y);
    if (!all_finite(y)) throw NonFiniteProduct{};
  }

  mutable Index products = 0;

 private:
  const LinearOperator& A_;
  double sign_;
  double scale_;
  double origin_ = 0;
  Matrix V_;
  Vector offsets_;
};

/// The k largest eigenpairs of `op` that Spectra finds from a random start; fewer, or none, where it does not converge
/// or breaks down.
void spectra(Deflated& op, Index k, Index basis, const EigenOptions& options, const Vector& first, Matrix& vectors,
             bool& converged) {
  try {
    Spectra::SymEigsSolver<Deflated> solver(op, k, basis);
    solver.init(first.data());
    solver.compute(Spectra::SortRule::LargestAlge, options.max_restarts, 0.1 * options.tolerance,
                   Spectra::SortRule::LargestAlge);
    converged = solver.info() == Spectra::CompInfo::Successful;
    vectors = solver.eigenvectors();
  } catch (const NonFiniteProduct&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const Breakdown&) {
    converged = false;
  } catch (const std::exception&) {
    // Its own eigensolver on a small matrix gives up now and then.
    converged = false;
  }
}

/// The k largest eigenpairs of `op`: by Spectra, or where that fails by block Lanczos, which begins with what there is,
/// goes through invariant spaces and returns the best that it has, converged or not.
void lanczos(Deflated& op, Index k, const EigenOptions& options, std::uint64_t start, Matrix& vectors,
             bool& converged) {
  const Index n = op.rows();
  const Index basis = search_basis(n, k);
  Vector first(n);
  RandomStream(options.seed, Purpose::krylov_start, start).fill_normal(first);
  spectra(op, k, basis, options, first, vectors, converged);
  if (converged) return;
  BlockLanczosOptions block;
  block.pairs = k;
  block.guard = std::min<Index>(2, n - k);
  block.depth = std::max<Index>(4, basis / (k + block.guard));
  block.tolerance = 0.1 * options.tolerance;
  block.max_products = options.max_restarts * (basis - k);
  block.seed = options.seed + start;
  const BlockLanczosResult result = block_lanczos(op, vectors, block);
  if (result.status == EigenStatus::non_finite) throw NonFiniteProduct{};
  vectors = result.pairs.vectors;
  converged = result.status == EigenStatus::converged;
}

/// Rayleigh-Ritz on the orthonormalised columns of V: values descending, residuals recomputed.
EigenPairs rayleigh_ritz(const LinearOperator& A, Matrix V, Index& products) {
  EigenPairs pairs;
  const Index k = V.cols();
  if (k == 0) return pairs;
  {
    OrthonormalizeWorkspace<double> workspace;
    if (!orthonormalize(V, workspace)) throw NonFiniteProduct{};
  }
  Matrix AV(V.rows(), k);
  A.apply(V, AV);
  products += k;
  TallWorkspace workspace;
  Matrix T(k, k);
  tall_gram(V, AV, T, workspace);
  T = 0.5 * (T + T.transpose()).eval();
  Matrix W;
  if (!symmetric_eigen(T, pairs.values, W)) throw NonFiniteProduct{};
  pairs.values.reverseInPlace();
  W = W.rowwise().reverse().eval();
  pairs.vectors.resize(V.rows(), k);
  tall_combine(V, W, pairs.vectors);
  tall_combine(AV, W, V);
  pairs.residuals.resize(k);
  for (Index j = 0; j < k; ++j) {
    V.col(j) -= pairs.values[j] * pairs.vectors.col(j);
    pairs.residuals[j] = norm(V.col(j));
  }
  return pairs;
}

EigenPairs head(const EigenPairs& pairs, Index k) {
  k = std::min(k, pairs.values.size());
  return {pairs.values.head(k), pairs.vectors.leftCols(k), pairs.residuals.head(k)};
}

EigenPairs tail(const EigenPairs& pairs, Index k) {
  k = std::min(k, pairs.values.size());
  return {pairs.values.tail(k), pairs.vectors.rightCols(k), pairs.residuals.tail(k)};
}

struct EndResult {
  EigenPairs pairs;
  bool converged = true;
  bool certified = false;
  double norm = 0;  ///< a lower bound of |A|
};

double largest_magnitude(const EigenPairs& pairs) {
  return pairs.values.size() > 0 ? pairs.values.cwiseAbs().maxCoeff() : 0.0;
}

/// The k eigenpairs at one end (sign +1: upper), searched again with those found moved to the middle
/// until nothing new appears above the k-th.
EndResult one_end(const LinearOperator& A, Index k, double sign, const EigenOptions& options, Index& products) {
  EndResult result;
  if (k == 0) {
    result.certified = true;
    return result;
  }
  Vector u(A.size());
  Vector Au(A.size());
  RandomStream(options.seed, Purpose::krylov_start, 1000).fill_normal(u);
  A.apply(u, Au);
  ++products;
  const double middle = dot(u, Au) / dot(u, u);
  const double spread = norm(Au) / norm(u);
  result.norm = spread;
  // Beyond the middle of the spectrum, seen from the wanted end, by a random amount: at no eigenvalue.
  const double away = spread > 0 ? 2 * spread + std::abs(middle) : 1;
  Deflated op(A, sign, away);
  op.set_origin(middle - sign * away);
  Matrix V;
  lanczos(op, k, options, 0, V, result.converged);
  result.pairs = rayleigh_ritz(A, std::move(V), products);
  constexpr int kSearches = 12;  // copies of one eigenvalue come back one a search
  for (int search = 1; result.converged && search <= kSearches && result.pairs.values.size() > 0; ++search) {
    const EigenPairs& found = result.pairs;
    const double scale = std::max(spread, largest_magnitude(found));
    // Beyond the last of them too, or they would themselves be the extreme ones of the rest.
    const double last = sign > 0 ? found.values.minCoeff() : -found.values.maxCoeff();
    op.set_origin(sign * (std::min(last, sign * middle) - away));
    op.deflate(found);
    Matrix more;
    bool searched = false;
    lanczos(op, std::min<Index>(2, A.size() - 1), options, static_cast<std::uint64_t>(search), more, searched);
    Matrix together(A.size(), found.vectors.cols() + more.cols());
    together << found.vectors, more;
    // Directions that a failed search brings in again must not break the basis.
    const EigenPairs all = rayleigh_ritz(A, std::move(together), products);
    const EigenPairs best = sign > 0 ? head(all, k) : tail(all, k);
    const bool complete = found.values.size() == std::min(k, A.size());
    const double change = complete ? (best.values - found.values).cwiseAbs().maxCoeff() : scale;
    result.pairs = best;
    if (complete && searched && change <= options.tolerance * scale) {
      result.certified = true;
      break;
    }
  }
  products += op.products;
  result.converged = result.converged || result.certified;
  return result;
}

/// The k eigenpairs at one end (sign +1: upper) from one search, which certifies nothing. `skew` grows to what it shows
/// of asymmetry.
EndResult one_search(const LinearOperator& A, Index k, double sign, const EigenOptions& options, Index& products,
                     double& skew) {
  EndResult result;
  if (k == 0) return result;
  const Deflated reversed(A, -1, 1);
  BlockLanczosResult found = block_lanczos(sign > 0 ? A : reversed, Matrix(), single_search(k, options));
  products += found.products;
  if (found.status == EigenStatus::non_finite) throw NonFiniteProduct{};
  skew = std::max(skew, found.asymmetry);
  result.norm = found.norm;
  result.converged = found.status == EigenStatus::converged;
  result.pairs = rayleigh_ritz(A, std::move(found.pairs.vectors), products);
  return result;
}

/// Forms A and holds what was found at either end against its inertia.
void certify_by_inertia(const LinearOperator& A, const EigenOptions& options, EigenResult& result) {
  const Matrix raw = to_dense(A, 4);
  result.products += A.size();
  const Matrix D = 0.5 * (raw + raw.transpose());
  if (!D.allFinite()) return;
  // Residuals are of A, counts of D.
  const double rounding = inertia_error(D) + (raw - D).norm();
  InertiaWorkspace workspace;
  result.proved = true;
  for (const auto& [pairs, wanted, sign] :
       {std::tuple(&result.largest, options.largest, 1.0), std::tuple(&result.smallest, options.smallest, -1.0)}) {
    if (wanted == 0) continue;
    if (pairs->values.size() < wanted) {
      result.proved = false;
      continue;
    }
    const Vector values = sign * pairs->values;
    const double error = norm(pairs->residuals) + rounding;  // |R|_2 <= |R|_F
    const double bound = values.minCoeff() + error;
    const Inertia count = inertia(D, sign * bound, workspace);
    const Index beyond = sign > 0 ? count.positive : count.negative;
    const Index surely_above = (values.array() > bound + error).count();
    const Index perhaps_above = (values.array() > bound - error).count();
    if (beyond <= surely_above) continue;
    result.proved = false;
    if (const Index missing = beyond - perhaps_above; missing > 0) {
      result.multiplicity_certified = false;
      result.message +=
          fmt::format("{}{} eigenvalue{} beyond those found at the {} end {} missing, as the inertia shows",
                      result.message.empty() ? "" : "; ", missing, missing == 1 ? "" : "s",
                      sign > 0 ? "upper" : "lower", missing == 1 ? "is" : "are");
    }
  }
  result.multiplicity_certified = result.multiplicity_certified || result.proved;
}

std::string describe_failure(const EigenResult& result, const EigenOptions& options) {
  Index bad = 0;
  double worst = 0;
  for (const EigenPairs* pairs : {&result.largest, &result.smallest}) {
    for (const double r : pairs->residuals) {
      if (!(r <= options.tolerance * result.norm)) ++bad;
      worst = std::max(worst, r);
    }
  }
  const Index missing =
      options.largest + options.smallest - result.largest.values.size() - result.smallest.values.size();
  if (bad == 0 && missing == 0) return {};
  return fmt::format(
      "{} of {} eigenpairs are missing and {} have a residual above {:g} |A| (the largest is {:.3g}, |A| = {:.6g})",
      missing, options.largest + options.smallest, bad, options.tolerance, worst, result.norm);
}

}  // namespace

EigenResult extreme_eigenpairs(const LinearOperator& A, const EigenOptions& options) {
  const Index n = A.size();
  if (options.largest < 0 || options.smallest < 0 || options.largest > n || options.smallest > n) {
    fail("eigenpairs: {} largest and {} smallest of an operator of size {} are not possible", options.largest,
         options.smallest, n);
  }
  EigenResult result;
  if (n == 0) {
    result.multiplicity_certified = result.proved = true;
    return result;
  }
  const auto require_symmetry = [&](double skew) {
    if (!(skew > options.asymmetry_tolerance)) return;
    fail("eigenpairs: the operator is not symmetric: |u'Av - v'Au| = {:.3g} |u||v||A|; Lanczos needs a symmetric one",
         skew);
  };
  const bool dense = solved_densely(n, options);
  // The matrix, its eigenvectors and LAPACK's two, or its symmetric part, its factors and what is between: refused
  // before any product.
  if (dense || n <= options.inertia_limit) require_room(n, 4);
  if (dense || !options.single_search) {
    const double skew = asymmetry(A, options.seed);
    result.products += 6;
    if (!std::isfinite(skew)) {
      result.status = EigenStatus::non_finite;
      result.message = "a product with the operator is not finite";
      return result;
    }
    require_symmetry(skew);
  }
  if (options.largest + options.smallest == 0) return result;
  if (dense) {
    Matrix D = to_dense(A, 4);
    result.products += n;
    D = 0.5 * (D + D.transpose()).eval();
    EigenPairs all;
    if (!symmetric_eigen(D, all.values, all.vectors)) {
      result.status = EigenStatus::non_finite;
      result.message = "the operator's matrix is not finite";
      return result;
    }
    all.values.reverseInPlace();
    all.vectors = all.vectors.rowwise().reverse().eval();
    // A few products at a time, since an operator may need more room for each than n.
    all.residuals.resize(n);
    Matrix AV(n, std::min(kColumns, n));
    for (Index first = 0; first < n; first += kColumns) {
      const Index k = std::min(kColumns, n - first);
      A.apply(all.vectors.middleCols(first, k), AV.leftCols(k));
      for (Index j = 0; j < k; ++j) {
        AV.col(j) -= all.values[first + j] * all.vectors.col(first + j);
        all.residuals[first + j] = norm(AV.col(j));
      }
    }
    result.products += n;
    result.largest = head(all, options.largest);
    result.smallest = tail(all, options.smallest);
    result.norm = all.values.cwiseAbs().maxCoeff();
    result.multiplicity_certified = result.proved = true;
  } else {
    try {
      double skew = 0;
      const auto end = [&](Index k, double sign) {
        return options.single_search ? one_search(A, k, sign, options, result.products, skew)
                                     : one_end(A, k, sign, options, result.products);
      };
      const EndResult upper = end(options.largest, 1);
      const EndResult lower = end(options.smallest, -1);
      require_symmetry(skew);
      result.largest = upper.pairs;
      result.smallest = lower.pairs;
      result.multiplicity_certified = upper.certified && lower.certified;
      result.norm =
          std::max({upper.norm, lower.norm, largest_magnitude(result.largest), largest_magnitude(result.smallest)});
    } catch (const NonFiniteProduct&) {
      result.status = EigenStatus::non_finite;
      result.message = "a product with the operator is not finite";
      return result;
    }
  }
  if (!dense && n <= options.inertia_limit) certify_by_inertia(A, options, result);
  if (result.message.empty()) result.message = describe_failure(result, options);
  if (!result.message.empty()) result.status = EigenStatus::not_converged;
  return result;
}

bool solved_densely(Index n, const EigenOptions& options) {
  return n <= options.dense_limit || options.largest + 1 >= n || options.smallest + 1 >= n;
}

Index search_basis(Index n, Index pairs) {
  // No size of the basis suits all spectra; twice the pairs and at least twenty serve clustered ones.
  return std::min(n, std::max<Index>(2 * pairs + 10, 20));
}

double allowed_asymmetry(double noise) { return std::max(1e-10, 100 * noise); }

double asymmetry(const LinearOperator& A, std::uint64_t seed) {
  const Index n = A.size();
  Vector u(n), v(n), Au(n), Av(n);
  double worst = 0;
  for (std::uint64_t pair = 0; pair < 3; ++pair) {
    RandomStream(seed, Purpose::probe, 2 * pair).fill_normal(u);
    RandomStream(seed, Purpose::probe, 2 * pair + 1).fill_normal(v);
    A.apply(u, Au);
    A.apply(v, Av);
    const double scale = std::max(norm(Au) * norm(v), norm(Av) * norm(u));
    if (!std::isfinite(scale)) return std::nan("");
    if (scale > 0) worst = std::max(worst, std::abs(dot(u, Av) - dot(v, Au)) / scale);
  }
  return worst;
}

bool symmetric_eigen(const Matrix& A, Vector& values, Matrix& vectors) {
  SymmetricEigenWorkspace workspace;
  return symmetric_eigen(A, values, vectors, workspace);
}

bool symmetric_eigen(const Matrix& A, Vector& values, Matrix& vectors, SymmetricEigenWorkspace& workspace) {
  vectors = A;
  values.resize(A.rows());
  return symmetric_eigen_in_place(vectors, values, workspace);
}

bool symmetric_eigen_in_place(MatrixView A, VectorView values, SymmetricEigenWorkspace& workspace) {
  const Index n = A.rows();
  if (A.cols() != n) fail("symmetric eigenproblem: the matrix is {} x {}, not square", n, A.cols());
  if (values.size() != n) fail("symmetric eigenproblem: room for {} eigenvalues of {}", values.size(), n);
  if (n == 0) return true;
  constexpr Index kLargest = 32766;  // 1 + 6 n + 2 n^2 < 2^31
  if (n > kLargest) {
    fail("symmetric eigenproblem: size {} is beyond the {} that LAPACK's workspace allows; ask for some eigenpairs", n,
         kLargest);
  }
  if (!A.allFinite()) return false;
  // Scaled to one, so that squares inside LAPACK stay in range whatever the units.
  const double scale = A.cwiseAbs().maxCoeff();
  if (scale > 0) A /= scale;
  keep_blas_on_calling_thread();
  workspace.reserve(n);
  // The sizes that dsyevd asks for with eigenvectors. Its blocks, and with them its bits, go by what it is told here,
  // not by the room that there is.
  const lapack_int size = static_cast<lapack_int>(n);
  const lapack_int info = LAPACKE_dsyevd_work(
      LAPACK_COL_MAJOR, 'V', 'L', size, A.data(), static_cast<lapack_int>(A.outerStride()), values.data(),
      workspace.work.data(), 1 + 6 * size + 2 * size * size, workspace.integers.data(), 3 + 5 * size);
  if (scale > 0) values *= scale;
  return info == 0;
}

void SymmetricEigenWorkspace::reserve(Index n) {
  const auto size = static_cast<std::size_t>(n);
  if (work.size() < 1 + 6 * size + 2 * size * size) work.resize(1 + 6 * size + 2 * size * size);
  if (integers.size() < 3 + 5 * size) integers.resize(3 + 5 * size);
}

Matrix to_dense(const LinearOperator& A, double copies) {
  const Index n = A.size();
  require_room(n, copies);
  Matrix D(n, n);
  Matrix E = Matrix::Zero(n, std::min(kColumns, n));
  for (Index first = 0; first < n; first += kColumns) {
    const Index k = std::min(kColumns, n - first);
    for (Index j = 0; j < k; ++j) E(first + j, j) = 1;
    A.apply(E.leftCols(k), D.middleCols(first, k));
    for (Index j = 0; j < k; ++j) E(first + j, j) = 0;
  }
  return D;
}

}  // namespace hesse
