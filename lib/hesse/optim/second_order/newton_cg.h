/// \file
/// Truncated Newton: the direction solves B d = -g by conjugate gradients (Dembo and Steihaug 1983), stopped at
///
///     |g + B d| <= min(forcing, sqrt|g|) |g|      (Nocedal and Wright 2006, Algorithm 7.1)
///
/// or where p'Bp <= 0 shows negative curvature: then d is what had been reached, or -g at the first product. B is the
/// Hessian, the Gauss-Newton or the Fisher matrix, known by its products. In a trust region the region's own solver
/// takes the place of conjugate gradients.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/cg.h"
#include "hesse/optim/second_order/direction.h"

namespace hesse {

/// Which matrix, and how exactly its equations are solved.
struct NewtonCgOptions {
  Curvature curvature = Curvature::hessian;
  double forcing = 0.5;  ///< upper bound of the forcing term, (0, 1)
  Index max_cg = 250;    ///< products of one subproblem, >= 1
};
void visit_options(NewtonCgOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class NewtonCg final : public Direction {
 public:
  explicit NewtonCg(const NewtonCgOptions& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override { matrix_ = f.curvature(at.x, options_.curvature); }
  DirectionReport direction(const Point& at, Vector& d) override;
  ModelMatrix matrix_form() const override { return ModelMatrix::products; }
  const LinearOperator* matrix() override { return matrix_.get(); }
  InnerLimits inner_limits(const Point& at) const override;

 private:
  NewtonCgOptions options_;
  std::shared_ptr<const LinearOperator> matrix_;
  Vector right_side_;
  CgWorkspace workspace_;
};

}  // namespace hesse
