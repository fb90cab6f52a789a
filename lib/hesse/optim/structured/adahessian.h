/// \file
/// AdaHessian (Yao et al. 2021, Algorithm 1): Adam whose second moment is that of the Hessian's diagonal, estimated by
/// Hutchinson's method and averaged over space.
///
///     D = z o (H z), z of -1 and +1               D^(s): D replaced by its mean over blocks of entries (eq. (10))
///     m <- beta1 m + (1 - beta1) g                v <- beta2 v + (1 - beta2) (D^(s))^2
///     x <- x - lr m^ / ((v^)^(p/2) + eps) - lr lambda x
///
/// A convolution's kernel of h x w entries is a block; elsewhere a block has `block` consecutive entries of a tensor.
#pragma once

#include "hesse/core/options.h"
#include "hesse/core/parameter_layout.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// Settings of AdaHessian.
struct AdaHessianOptions {
  double lr = 0.15;         ///< eta, > 0
  double beta1 = 0.9;       ///< [0, 1)
  double beta2 = 0.999;     ///< [0, 1)
  double eps = 1e-4;        ///< > 0
  double power = 1;         ///< p, the Hessian's power, in [0, 1]
  double weight_decay = 0;  ///< lambda >= 0, decoupled
  Index block = 1;          ///< b, entries that share a mean, >= 1
  Index period = 1;         ///< steps between estimates, >= 1
};
void visit_options(AdaHessianOptions& options, OptionVisitor& visitor);

/// A gradient a step and a Hessian product every `period` steps. State: m, v, the number of estimates, and t. Tells, as
/// of the last estimate, the mean of its entries, which estimates tr H / n, and the share of them that are not
/// positive.
class AdaHessian final : public Optimizer {
 public:
  AdaHessian(const AdaHessianOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override {
    return {{"m", &m_},
            {"v", &v_},
            {"mean_curvature", &mean_curvature_},
            {"not_positive", &not_positive_},
            {"estimates", &estimates_},
            {"t", &t_}};
  }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  AdaHessianOptions options_;
  std::uint64_t seed_;
  Vector gradient_;
  Vector probe_;
  Vector diagonal_;
  Vector m_;
  Vector v_;
  double mean_curvature_ = 0;
  double not_positive_ = 0;
  std::int64_t estimates_ = 0;
  std::int64_t t_ = 0;
};

/// Replaces the entries of each block of a layout's tensors by their mean: the trailing extents of a tensor of three or
/// more (a convolution's kernel), `block` consecutive entries of any other.
void average_over_space(const ParameterLayout& layout, Index block, Vector& diagonal);

}  // namespace hesse
