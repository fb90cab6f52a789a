/// \file
/// Saddle-free Newton (Dauphin et al. 2014): d = -|H|^-1 g with |H| = Q |Lambda| Q', so that f falls along directions
/// of negative curvature, fast where these are flat. Exact by the Hessian's entries, or, with `subspace` k, in the
/// Krylov space of k Lanczos vectors from g (ibid., section 5): |T| of the tridiagonal T inside it, the gradient
/// outside.
///
/// Exact: n products and 9 n^3 flops. Subspace: k products, 4 n k^2 flops, n k memory.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/lanczos.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/optim/second_order/dense_hessian.h"
#include "hesse/optim/second_order/direction.h"

namespace hesse {

/// Settings of saddle-free Newton.
struct SaddleFreeOptions {
  double damping = 1e-6;  ///< least |eigenvalue| that is inverted, relative to the greatest, > 0
  Index subspace = 0;     ///< k, dimension of the Lanczos subspace; 0: all of R^n, by entries
};
void visit_options(SaddleFreeOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class SaddleFree final : public Direction {
 public:
  explicit SaddleFree(const SaddleFreeOptions& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;

 private:
  SaddleFreeOptions options_;
  std::shared_ptr<const LinearOperator> products_;
  DenseHessian hessian_;
  bool finite_ = true;
  SpectralModel spectral_;
  Lanczos lanczos_;
  Matrix projected_;
  Vector reduced_;
  Vector step_;
};

}  // namespace hesse
