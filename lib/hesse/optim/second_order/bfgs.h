/// \file
/// BFGS (Broyden, Fletcher, Goldfarb, Shanno 1970) with dense matrices: the inverse
///
///     H <- (I - rho s y') H (I - rho y s') + rho s s',   rho = 1 / y's      (Nocedal and Wright 2006, eq. (6.17))
///
/// and, once it is asked for, as trust regions do, B itself by eq. (6.19). Before the first update H is scaled to (y's
/// / y'y) I, ibid. (6.20). A pair is skipped when s'y <= curvature |s||y|. On a quadratic with exact searches it ends
/// after n steps with B the Hessian. O(n^2) flops a step, n^2 memory, twice that with B.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/matrix_reference.h"
#include "hesse/optim/second_order/direction.h"

#include <cstdint>

namespace hesse {

/// Settings of BFGS.
struct BfgsOptions {
  double curvature = 1e-10;  ///< least s'y / |s||y| of a pair that is used
};
void visit_options(BfgsOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class Bfgs final : public Direction {
 public:
  explicit Bfgs(const BfgsOptions& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;
  double first_step(const Point& at, const Vector& d) const override;
  ModelMatrix matrix_form() const override { return ModelMatrix::entries; }
  const LinearOperator* matrix() override;
  const Matrix* dense_matrix() override;
  const LinearOperator* inverse_matrix() override { return &inverse_; }
  void update(const Vector& s, const Vector& y) override;
  bool forget() override;
  StateView state() override { return {{"H", &H_}, {"B", &B_}, {"updates", &updates_}}; }

 private:
  BfgsOptions options_;
  Matrix H_;
  Matrix B_;  // empty until asked for
  std::int64_t updates_ = 0;
  Vector product_;
  MatrixReference operator_{B_};
  MatrixReference inverse_{H_};
};

}  // namespace hesse
