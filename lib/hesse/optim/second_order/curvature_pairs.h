/// \file
/// The last m curvature pairs s = x_{k+1} - x_k, y = g_{k+1} - g_k of a limited-memory method, in a ring.
#pragma once

#include "hesse/core/types.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

/// The last m pairs s, y, with their inner products.
class CurvaturePairs {
 public:
  explicit CurvaturePairs(Index memory) : memory_(memory) {}

  Index count() const { return pairs_; }
  Index size() const { return S_.rows(); }
  /// Column of the pair of an age, 0 the newest, in S() and Y().
  Index column(Index age) const { return next_ - 1 - age + (age < next_ ? 0 : memory_); }
  const Matrix& S() const { return S_; }
  const Matrix& Y() const { return Y_; }
  /// s'y and y'y of the pair in a column.
  double sy(Index column) const { return sy_[column]; }
  double yy(Index column) const { return yy_[column]; }

  /// Makes room for vectors of size n; drops all pairs when n changes. To be called before each step, since pairs may
  /// have been restored since the last.
  void reserve(Index n);
  /// Adds a pair in place of the oldest one.
  void add(const Vector& s, const Vector& y);
  /// False when there was none.
  bool clear();
  /// For checkpoints. The pairs may be changed through it until the next reserve().
  StateView state();

 private:
  /// Computes s'y and y'y of all pairs again.
  void multiply();

  Index memory_;
  Matrix S_;
  Matrix Y_;
  Vector sy_;
  Vector yy_;
  bool stale_ = false;  // whether sy_ and yy_ may not be those of S_ and Y_
  std::int64_t pairs_ = 0;
  std::int64_t next_ = 0;  // column of the next pair
};

}  // namespace hesse
