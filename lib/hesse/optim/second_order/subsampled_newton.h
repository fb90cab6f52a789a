/// \file
/// Truncated Newton with a subsampled Hessian (Byrd, Chin, Neveitt and Nocedal 2011, Algorithm 2.1; Bollapragada, Byrd
/// and Nocedal 2019; Roosta-Khorasani and Mahoney 2019): for a mean over samples the value and the gradient are those
/// of the samples of the step, all of them or a batch, and the matrix is the mean over a part of them that is drawn
/// afresh,
///
///     d = -(1/|S| sum_{i in S} Hess f_i(x))^-1 g,   |S| = fraction times the samples of the step,
///
/// by a few conjugate gradient iterations, which end as newton-cg's do, on negative curvature too. A product costs
/// `fraction` of a full one, and no more is known of the Hessian than a sample of its terms: the bound on the
/// iterations is what keeps the direction from following its noise. S is a function of (seed, step); what the
/// globalisation sees is the function of the step itself. With fraction = 1 it is newton-cg.
#pragma once

#include "hesse/core/options.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/second_order/newton_cg.h"

#include <cstdint>
#include <vector>

namespace hesse {

/// The share of samples, and how exactly the equations are solved.
struct SubsampledNewtonOptions {
  double fraction = 0.1;  ///< |S| / |samples of the step|, (0, 1]; at least one sample
  Curvature curvature = Curvature::hessian;
  double forcing = 0.5;  ///< upper bound of the forcing term, (0, 1)
  Index max_cg = 10;     ///< products of one subproblem, >= 1
};
void visit_options(SubsampledNewtonOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class SubsampledNewton final : public Direction {
 public:
  SubsampledNewton(const SubsampledNewtonOptions& options, std::uint64_t seed)
      : newton_cg_({options.curvature, options.forcing, options.max_cg}), fraction_(options.fraction), seed_(seed) {}

  /// Throws Error when f is no mean over samples.
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override { return newton_cg_.direction(at, d); }
  ModelMatrix matrix_form() const override { return ModelMatrix::products; }
  const LinearOperator* matrix() override { return newton_cg_.matrix(); }
  InnerLimits inner_limits(const Point& at) const override { return newton_cg_.inner_limits(at); }
  StateView state() override { return {{"draws", &draws_}}; }

 private:
  NewtonCg newton_cg_;
  double fraction_;
  std::uint64_t seed_;
  std::int64_t draws_ = 0;
  ShareSelection::Room room_;
};

}  // namespace hesse
