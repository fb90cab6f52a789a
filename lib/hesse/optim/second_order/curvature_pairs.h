/// \file
/// The last m curvature pairs s = x_{k+1} - x_k, y = g_{k+1} - g_k of a limited-memory method, in a ring.
#pragma once

#include "hesse/core/types.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>

namespace hesse {

class CurvaturePairs {
 public:
  explicit CurvaturePairs(Index memory) : memory_(memory) {}

  Index count() const { return pairs_; }
  Index size() const { return S_.rows(); }
  /// Column of the pair of an age, 0 the newest, in S() and Y().
  Index column(Index age) const { return (next_ - 1 - age + memory_) % memory_; }
  const Matrix& S() const { return S_; }
  const Matrix& Y() const { return Y_; }

  /// Makes room for vectors of size n; drops all pairs when n changes.
  void reserve(Index n);
  /// Adds a pair in place of the oldest one.
  void add(const Vector& s, const Vector& y);
  /// False when there was none.
  bool clear();
  /// For checkpoints.
  StateView state();

 private:
  Index memory_;
  Matrix S_;
  Matrix Y_;
  std::int64_t pairs_ = 0;
  std::int64_t next_ = 0;  // column of the next pair
};

}  // namespace hesse
