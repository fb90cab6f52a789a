/// \file
/// Newton's method with the Hessian as entries: d solves (H + E) d = -g. Where H is not positive definite it is
/// modified,
///
///     shift               E = tau I with tau just large enough (Nocedal and Wright 2006, section 3.4)
///     modified-cholesky   E diagonal, found while H is factorised (Schnabel and Eskow 1999; modified_cholesky.h)
///     keep                E = 0: the undamped iteration, which goes to saddles and maxima as readily as to minima
///
/// n products, n^3 / 3 flops, n^2 memory. Where H is not positive definite the shift takes 9 n^3 flops more, for the
/// eigenvalues, the modified factorisation n^3 / 3. In a trust region or with cubic regularisation H is taken as it is.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/modified_cholesky.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/optim/second_order/dense_hessian.h"
#include "hesse/optim/second_order/direction.h"

#include <Eigen/Cholesky>
#include <Eigen/LU>

namespace hesse {

enum class IndefiniteHessian { shift, modified_cholesky, keep };

/// What becomes of an indefinite Hessian.
struct NewtonOptions {
  IndefiniteHessian indefinite = IndefiniteHessian::shift;
  double floor = 1e-8;  ///< least eigenvalue of H + tau I, or least pivot, relative to |H|, > 0
};
void visit_options(NewtonOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class Newton final : public Direction {
 public:
  explicit Newton(const NewtonOptions& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;
  ModelMatrix matrix_form() const override { return ModelMatrix::entries; }
  const LinearOperator* matrix() override { return &hessian_; }
  const Matrix* dense_matrix() override { return &hessian_.matrix(); }

 private:
  NewtonOptions options_;
  DenseHessian hessian_;
  bool finite_ = true;
  Eigen::LLT<Matrix> cholesky_;
  Eigen::PartialPivLU<Matrix> lu_;
  ModifiedCholesky modified_;
  SpectralModel spectral_;
};

}  // namespace hesse
