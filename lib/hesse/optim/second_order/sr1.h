/// \file
/// The symmetric rank-one update: B <- B + v v' / v's with v = y - B s (Nocedal and Wright 2006, eq. (6.24)), skipped
/// when |v's| < skip |v||s|, ibid. (6.26). B need not be definite, so it shows negative curvature; it wants a trust
/// region, and learns from rejected trial points too (ibid., Algorithm 6.2). On a quadratic it is the Hessian after n
/// independent steps whatever the searches. O(n^2) flops a step, n^2 memory.
///
/// L-SR1 is its limited-memory form, from the last m pairs in compact form (compact_matrix.h).
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/matrix_reference.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/optim/second_order/compact_matrix.h"
#include "hesse/optim/second_order/direction.h"

#include <cstdint>

namespace hesse {

/// Settings of SR1.
struct Sr1Options {
  double skip = 1e-8;  ///< r, least |v's| / |v||s| of a pair that is used, (0, 1)
};
void visit_options(Sr1Options& options, OptionVisitor& visitor);

/// SR1 with its matrix by entries.
class Sr1 final : public Direction {
 public:
  explicit Sr1(const Sr1Options& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;
  double first_step(const Point& at, const Vector& d) const override;
  ModelMatrix matrix_form() const override { return ModelMatrix::entries; }
  const LinearOperator* matrix() override { return &operator_; }
  const Matrix* dense_matrix() override { return &B_; }
  void update(const Vector& s, const Vector& y) override;
  bool learns_from_rejected() const override { return true; }
  bool forget() override;
  StateView state() override { return {{"B", &B_}, {"updates", &updates_}}; }

 private:
  Sr1Options options_;
  Matrix B_;
  std::int64_t updates_ = 0;
  Vector v_;
  SpectralModel spectral_;
  MatrixReference operator_{B_};
};

/// Settings of limited-memory SR1.
struct LimitedSr1Options {
  Index memory = 10;   ///< m, pairs kept, >= 1
  double skip = 1e-8;  ///< r, as above
};
void visit_options(LimitedSr1Options& options, OptionVisitor& visitor);

/// SR1 from the last pairs, with its matrix by products.
class LimitedSr1 final : public Direction {
 public:
  explicit LimitedSr1(const LimitedSr1Options& options) : options_(options), pairs_(options.memory) {}
  void prepare(Objective& f, const Point& at) override;
  bool suits_line_search() const override { return false; }
  /// Along the gradient.
  DirectionReport direction(const Point& at, Vector& d) override;
  double first_step(const Point& at, const Vector& d) const override;
  ModelMatrix matrix_form() const override { return ModelMatrix::products; }
  const LinearOperator* matrix() override;
  void update(const Vector& s, const Vector& y) override;
  bool learns_from_rejected() const override { return true; }
  bool forget() override { return pairs_.clear(); }
  StateView state() override { return pairs_.state(); }

 private:
  LimitedSr1Options options_;
  CurvaturePairs pairs_;
  CompactMatrix matrix_{CompactForm::sr1};
  Index size_ = 0;
  Vector v_;
};

}  // namespace hesse
