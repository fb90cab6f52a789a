/// \file
/// Truncated Newton in a trust region: each step minimises the quadratic model of f within
/// |s| <= Delta by truncated conjugate gradients (linalg/steihaug.h), stopped at
///
///     |g + A s| <= min(1/2, sqrt|g|) |g|        (Nocedal and Wright 2006, Algorithm 7.2)
///
/// and Delta follows the ratio rho of actual to predicted decrease (ibid., Algorithm 4.1). A is the
/// Hessian, whose negative curvature the model follows to the boundary, or the Gauss-Newton or Fisher
/// matrix. A step tries radii until one is accepted, all on one linearisation: no curvature is
/// evaluated at a rejected point.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/steihaug.h"
#include "hesse/optim/optimizer.h"

namespace hesse {

struct NewtonCgOptions {
  Curvature curvature = Curvature::hessian;
  double trust_radius = 1;         ///< Delta_0 > 0
  double max_trust_radius = 1000;  ///< > 0
  double eta = 0.15;               ///< accept when rho > eta, [0, 1/4)
  double forcing = 0.5;            ///< upper bound of the forcing term, (0, 1)
  Index max_cg = 250;              ///< products of one subproblem, >= 1
};
void visit_options(NewtonCgOptions& options, OptionVisitor& visitor);

/// State: the trust radius. Telemetry: trust_radius, rho, rejected steps, negative curvature.
class NewtonCg final : public Optimizer {
 public:
  explicit NewtonCg(const NewtonCgOptions& options) : options_(options), trust_radius_(options.trust_radius) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override {
    return {{"trust_radius", &trust_radius_}, {"unresolved_gradient", &unresolved_gradient_}};
  }
  bool prefers_full_batch() const override { return true; }

 private:
  NewtonCgOptions options_;
  double trust_radius_;
  double unresolved_gradient_ = 0;  ///< gradient norm before a step whose decrease drowned in rounding; else 0
  Vector gradient_;
  Vector s_;
  Vector trial_;
  SteihaugWorkspace workspace_;
};

}  // namespace hesse
