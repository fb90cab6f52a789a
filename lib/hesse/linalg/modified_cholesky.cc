#include "hesse/linalg/modified_cholesky.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace hesse {
namespace {

// Symbols and values of Schnabel and Eskow (1999), Algorithm 4.1.
const double kTau = std::cbrt(std::numeric_limits<double>::epsilon());
constexpr double kMu = 0.1;

}  // namespace

/// Exchanges rows and columns i < j of the symmetric matrix of which the lower triangle is kept, and of L.
void ModifiedCholesky::exchange(Index i, Index j) {
  if (i == j) return;
  const Index n = size();
  L_.row(i).head(i).swap(L_.row(j).head(i));
  std::swap(L_(i, i), L_(j, j));
  for (Index k = i + 1; k < j; ++k) std::swap(L_(k, i), L_(j, k));
  L_.col(i).tail(n - j - 1).swap(L_.col(j).tail(n - j - 1));
  std::swap(bounds_[i], bounds_[j]);
  std::swap(permutation_[static_cast<std::size_t>(i)], permutation_[static_cast<std::size_t>(j)]);
}

/// Column j of L, and the matrix that remains.
void ModifiedCholesky::eliminate(Index j) {
  const Index n = size();
  L_(j, j) = std::sqrt(L_(j, j));
  L_.col(j).tail(n - j - 1) /= L_(j, j);
  for (Index i = j + 1; i < n; ++i) {
    if (L_(i, j) != 0) L_.col(i).tail(n - i) -= L_(i, j) * L_.col(j).tail(n - i);
  }
}

bool ModifiedCholesky::compute(const Matrix& A, double floor) {
  if (A.rows() != A.cols()) fail("modified Cholesky: a matrix of {} x {} is not square", A.rows(), A.cols());
  if (!(floor > 0 && floor < 1)) fail("modified Cholesky: floor {}; give a number in (0, 1)", floor);
  const Index n = A.rows();
  L_ = A;
  correction_.setZero(n);
  bounds_.setZero(n);
  permutation_.resize(static_cast<std::size_t>(n));
  std::iota(permutation_.begin(), permutation_.end(), Index{0});
  plain_pivots_ = 0;
  for (Index j = 0; j < n; ++j) {
    if (!all_finite(L_.col(j).tail(n - j))) return false;
  }
  if (n == 0) return true;
  double gamma = L_.diagonal().cwiseAbs().maxCoeff();
  // A diagonal of zeros has no scale; that of the other entries takes its place, and 1 that of a matrix of zeros.
  if (gamma == 0) gamma = L_.triangularView<Eigen::StrictlyLower>().toDenseMatrix().cwiseAbs().maxCoeff();
  if (gamma == 0) gamma = 1;

  for (Index j = 0; j < n; ++j) {
    Index pivot = 0;
    const double greatest = L_.diagonal().tail(n - j).maxCoeff(&pivot);
    const double least = L_.diagonal().tail(n - j).minCoeff();
    if (greatest < floor * gamma || least < -kMu * greatest) {
      modify_from(j, floor * gamma);
      return true;
    }
    exchange(j, j + pivot);
    // The diagonal that this pivot would leave.
    for (Index i = j + 1; i < n; ++i) {
      if (L_(i, i) - L_(i, j) * (L_(i, j) / L_(j, j)) < -kMu * gamma) {
        modify_from(j, floor * gamma);
        return true;
      }
    }
    eliminate(j);
    plain_pivots_ = j + 1;
  }
  return true;
}

/// Phase two, from pivot k; pivots are at least `least`.
void ModifiedCholesky::modify_from(Index k, double least) {
  const Index n = size();
  const auto correct = [&](Index j, double delta) {
    L_(j, j) += delta;
    correction_[permutation_[static_cast<std::size_t>(j)]] += delta;
  };
  if (k == n - 1) {
    const double last = L_(k, k);
    correct(k, -last + std::max(kTau * -last / (1 - kTau), least));
    eliminate(k);
    return;
  }
  for (Index i = k; i < n; ++i) {
    bounds_[i] = L_(i, i) - L_.row(i).segment(k, i - k).cwiseAbs().sum() - L_.col(i).tail(n - i - 1).cwiseAbs().sum();
  }
  double previous = 0;  // corrections never fall from one pivot to the next
  for (Index j = k; j < n - 2; ++j) {
    Index pivot = 0;
    bounds_.tail(n - j).maxCoeff(&pivot);
    exchange(j, j + pivot);
    const double row = L_.col(j).tail(n - j - 1).cwiseAbs().sum();
    const double delta = std::max({0.0, -L_(j, j) + std::max(row, least), previous});
    if (delta > 0) {
      correct(j, delta);
      previous = delta;
    }
    if (L_(j, j) != row) {
      const double rise = 1 - row / L_(j, j);
      bounds_.tail(n - j - 1) += rise * L_.col(j).tail(n - j - 1).cwiseAbs();
    }
    eliminate(j);
  }
  const Index j = n - 2;
  const double middle = 0.5 * (L_(j, j) + L_(j + 1, j + 1));
  const double radius = std::hypot(0.5 * (L_(j, j) - L_(j + 1, j + 1)), L_(j + 1, j));
  const double low = middle - radius;
  const double delta = std::max({0.0, -low + std::max(kTau * 2 * radius / (1 - kTau), least), previous});
  if (delta > 0) {
    correct(j, delta);
    correct(j + 1, delta);
  }
  eliminate(j);
  eliminate(j + 1);
}

void ModifiedCholesky::solve_in_place(Vector& b) const {
  const Index n = size();
  if (b.size() != n) fail("modified Cholesky: the matrix has size {}, the right-hand side {}", n, b.size());
  permuted_.resize(n);
  for (Index i = 0; i < n; ++i) permuted_[i] = b[permutation_[static_cast<std::size_t>(i)]];
  L_.triangularView<Eigen::Lower>().solveInPlace(permuted_);
  L_.triangularView<Eigen::Lower>().transpose().solveInPlace(permuted_);
  for (Index i = 0; i < n; ++i) b[permutation_[static_cast<std::size_t>(i)]] = permuted_[i];
}

}  // namespace hesse
