/// \file
/// Newton-MINRES: the direction is the least-residual solution of H d = -g in a Krylov space, which needs no positive
/// definite H (Roosta, Liu, Xu and Mahoney 2022). Where it is no descent direction, or its curvature d'Hd is not
/// positive, the model is not convex along it; then d is turned to the side on which f falls.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/minres.h"
#include "hesse/optim/second_order/direction.h"

namespace hesse {

/// How exactly the equations are solved.
struct NewtonMinresOptions {
  double forcing = 0.01;   ///< theta, on |H d + g| / |g|, (0, 1)
  Index max_minres = 250;  ///< products of one solution, >= 1
};
void visit_options(NewtonMinresOptions& options, OptionVisitor& visitor);

/// The direction; see above.
class NewtonMinres final : public Direction {
 public:
  explicit NewtonMinres(const NewtonMinresOptions& options) : options_(options) {}
  void prepare(Objective& f, const Point& at) override { matrix_ = f.curvature(at.x, Curvature::hessian); }
  DirectionReport direction(const Point& at, Vector& d) override;
  ModelMatrix matrix_form() const override { return ModelMatrix::products; }
  const LinearOperator* matrix() override { return matrix_.get(); }
  InnerLimits inner_limits(const Point& at) const override;

 private:
  NewtonMinresOptions options_;
  std::shared_ptr<const LinearOperator> matrix_;
  Vector right_side_;
  Vector product_;
  MinresWorkspace workspace_;
};

}  // namespace hesse
