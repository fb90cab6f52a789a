/// \file
/// Nonlinear conjugate gradients: d_k = -g_k + beta_k d_{k-1} with, for y = g_k - g_{k-1},
///
///     fletcher-reeves      |g_k|^2 / |g_{k-1}|^2                                  (Fletcher and Reeves 1964)
///     polak-ribiere        max(0, g_k'y / |g_{k-1}|^2), PR+                        (Gilbert and Nocedal 1992)
///     hestenes-stiefel     g_k'y / d_{k-1}'y                                       (Hestenes and Stiefel 1952)
///     hager-zhang          (y - 2 d |y|^2 / d'y)'g_k / d'y, at least eta_k         (Hager and Zhang 2005, eq. (1.3),
///     (1.6))
///
/// Starts again from -g where d is no descent direction, and where successive gradients are far from orthogonal:
/// |g_k'g_{k-1}| >= restart |g_k|^2 (Powell 1977). Three vectors.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/second_order/direction.h"

namespace hesse {

enum class ConjugateForm { fletcher_reeves, polak_ribiere, hestenes_stiefel, hager_zhang };

/// Which formula for beta, and when it starts anew.
struct NonlinearCgOptions {
  ConjugateForm form = ConjugateForm::hager_zhang;
  double eta = 0.01;   ///< of the lower bound -1 / (|d| min(eta, |g|)) on Hager and Zhang's beta, > 0
  double restart = 0;  ///< nu of Powell's test, 0.1 is usual for fletcher-reeves; 0: no such test
};
void visit_options(NonlinearCgOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class NonlinearCg final : public Direction {
 public:
  explicit NonlinearCg(const NonlinearCgOptions& options) : options_(options) {}
  DirectionReport direction(const Point& at, Vector& d) override;
  double first_step(const Point& at, const Vector& d) const override;
  void update(const Vector& s, const Vector& y) override;
  bool forget() override;
  StateView state() override;

 private:
  NonlinearCgOptions options_;
  std::int64_t has_past_ = 0;
  Vector d_;           // the last direction
  Vector y_;           // change of the gradient over the last step
  double slope_ = 0;   // g'd of the last direction
  double length_ = 0;  // multiple of it that was taken
};

}  // namespace hesse
