/// \file
/// Trust region: the step minimises the model m(s) = g's + s'B s / 2 within |D s| <= Delta, and Delta follows the ratio
/// rho of actual to predicted decrease (Nocedal and Wright 2006, Algorithm 4.1). A step tries radii until one is
/// accepted, all on one model: no curvature is evaluated at a rejected point. Subproblems:
///
///     exact      More and Sorensen (1983), the global minimiser, for a matrix given by its entries
///     dogleg     Powell (1970), two segments, likewise
///     steihaug   truncated conjugate gradients (Steihaug 1983; Toint 1981), for a matrix given by its products
///     gltr       the generalised Lanczos method (Gould, Lucidi, Roma and Toint 1999), likewise
///
/// D = I, or (for entries) the square roots of the greatest |B_jj| so far, which makes the method blind to the units of
/// x. With memory M > 1, f may rise as long as it stays below the greatest of the last M values: rho is then also
/// measured from there, and the larger of the two counts (Toint 1996).
#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/dogleg.h"
#include "hesse/linalg/krylov_model.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/linalg/steihaug.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/globalization/model_step.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(TrustRegionOptions& o, OptionVisitor& v) {
  v.choice("subproblem", o.subproblem,
           {{"auto", Subproblem::automatic},
            {"exact", Subproblem::exact},
            {"dogleg", Subproblem::dogleg},
            {"steihaug", Subproblem::steihaug},
            {"gltr", Subproblem::gltr}},
           "how the model is minimised; auto is exact where the matrix has entries, else steihaug");
  v.option("trust_radius", o.trust_radius, Interval::positive(), "Delta_0, first radius");
  v.option("max_trust_radius", o.max_trust_radius, Interval::positive(), "largest radius");
  v.option("eta", o.eta, Interval::half_open(0, 0.25), "least rho of an accepted step");
  v.option("scaled", o.scaled, "measure steps in the units of the matrix's diagonal; needs entries");
  v.option("memory", o.memory, Interval::closed(1, 1000), "M, values that f may rise to; 1: it never rises");
}

namespace {

class TrustRegion final : public Globalization {
 public:
  explicit TrustRegion(const TrustRegionOptions& options)
      : options_(options), radius_(options.trust_radius), judge_(options.eta, options.memory) {}

  std::string misfit(const Direction& direction) const override {
    if (direction.matrix_form() == ModelMatrix::none) {
      return "trust-region: the direction has no matrix; use a line search, such as hager-zhang";
    }
    const bool entries = direction.matrix_form() == ModelMatrix::entries;
    if (!entries &&
        (options_.scaled || options_.subproblem == Subproblem::exact || options_.subproblem == Subproblem::dogleg)) {
      return "trust-region: exact, dogleg and scaled need a matrix with entries, as newton, bfgs, sr1 and gauss-newton "
             "have it; use subproblem=steihaug or gltr";
    }
    return {};
  }

  StateView state() override {
    StateView all = judge_.state();
    all.insert(all.end(), {{"trust_radius", &radius_}, {"scale", &scale_}});
    return all;
  }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    if (judge_.at_rounding(at)) return StepStatus::line_search_at_rounding;
    const double x_norm = norm(at.x);
    y_.resize(at.x.size());
    double rejected = 0;
    double negative = 0;
    radius_ = std::min(radius_, options_.max_trust_radius);
    const Matrix* B = uses_entries(direction) ? direction.dense_matrix() : nullptr;
    if (B != nullptr && options_.scaled) rescale(*B, at.g);
    decomposed_ = false;
    for (;;) {
      const ModelStep model = minimise(direction, B, at, report);
      if (!model.finite) return StepStatus::non_finite;
      if (model.negative_curvature) negative = 1;
      const Judgement judged = judge_.judge(f, at, s_, model.decrease, trial);
      if (judged.rho < 0.25) {
        radius_ = 0.25 * std::min(radius_, model.length);
      } else if (judged.rho > 0.75 && model.length > 0.99 * radius_) {
        radius_ = std::min(2 * radius_, options_.max_trust_radius);
      }
      if (judged.accepted) {
        report.step_size = 1;
        report.tell("trust_radius", radius_);
        report.tell("rho", judged.rho);
        report.tell("rejected", rejected);
        report.tell("negative_curvature", negative);
        return StepStatus::ok;
      }
      ++rejected;
      if (trial.x == at.x || !(radius_ > 1e-16 * std::max(1.0, x_norm) * least_scale())) {
        radius_ = options_.trust_radius;  // for the next batch, on which the model may hold again
        return judged.unresolved ? StepStatus::line_search_at_rounding : StepStatus::trust_region_collapsed;
      }
      if (direction.learns_from_rejected() && std::isfinite(trial.value) && all_finite(trial.g)) {
        y_ = trial.g - at.g;
        direction.update(s_, y_);
        decomposed_ = false;
        if (uses_entries(direction)) B = direction.dense_matrix();
        if (B != nullptr && options_.scaled) rescale(*B, at.g);
      }
    }
  }

 private:
  struct ModelStep {
    bool finite = true;
    bool negative_curvature = false;
    double decrease = 0;
    double length = 0;  ///< |D s|
  };

  bool uses_entries(const Direction& direction) const {
    switch (options_.subproblem) {
      case Subproblem::automatic: return direction.matrix_form() == ModelMatrix::entries;
      case Subproblem::exact:
      case Subproblem::dogleg: return true;
      default: return options_.scaled;
    }
  }

  double least_scale() const { return scale_.size() > 0 ? scale_.minCoeff() : 1; }

  /// D^-1 B D^-1 and D^-1 g, for steps D s.
  void rescale(const Matrix& B, const Vector& g) {
    if (scale_.size() != g.size()) scale_ = Vector::Zero(g.size());
    for (Index j = 0; j < g.size(); ++j) {
      scale_[j] = std::max(scale_[j], std::sqrt(std::abs(B(j, j))));
      if (!(scale_[j] > 0)) scale_[j] = 1;
    }
    inverse_ = scale_.cwiseInverse();
    scaled_matrix_ = inverse_.asDiagonal() * B * inverse_.asDiagonal();
    scaled_gradient_ = inverse_.cwiseProduct(g);
  }

  ModelStep minimise(Direction& direction, const Matrix* B, const Point& at, StepReport& report) {
    const bool scaled = B != nullptr && options_.scaled;
    const Vector& g = scaled ? scaled_gradient_ : at.g;
    const Matrix* matrix = scaled ? &scaled_matrix_ : B;
    ModelStep step;
    if (matrix != nullptr && options_.subproblem != Subproblem::dogleg) {
      if (!decomposed_) {
        decomposed_ = true;
        ++report.inner_iterations;
        step.finite = spectral_.decompose(*matrix);
        if (!step.finite) return step;
      }
      const SpectralStep found = spectral_.in_ball(g, radius_, s_);
      step.negative_curvature = spectral_.values()[0] < 0;
      step.decrease = found.decrease;
    } else if (matrix != nullptr) {
      if (!decomposed_) {
        decomposed_ = true;
        ++report.inner_iterations;
        step.negative_curvature = !dogleg_.start(*matrix, g);
      }
      step.decrease = dogleg_.step(radius_, s_);
      step.finite = std::isfinite(step.decrease);
    } else if (options_.subproblem == Subproblem::gltr) {
      if (!decomposed_) {
        decomposed_ = true;
        const InnerLimits limits = direction.inner_limits(at);
        krylov_.start(g, {limits.tolerance, limits.max_iterations > 0 ? limits.max_iterations : 250});
      }
      const KrylovStep found = krylov_.in_ball(*direction.matrix(), radius_, s_);
      report.inner_iterations += found.products;
      step.finite = found.finite;
      step.negative_curvature = found.negative_curvature;
      step.decrease = found.decrease;
    } else {
      const InnerLimits limits = direction.inner_limits(at);
      SteihaugOptions inner;
      inner.trust_radius = radius_;
      inner.tolerance = limits.tolerance;
      inner.max_iterations = limits.max_iterations;
      const SteihaugResult found = steihaug(*direction.matrix(), g, inner, s_, steihaug_workspace_);
      report.inner_iterations += found.iterations;
      step.finite = found.exit != SteihaugExit::non_finite;
      step.negative_curvature = found.exit == SteihaugExit::negative_curvature;
      step.decrease = found.decrease;
    }
    step.length = norm(s_);
    if (scaled) s_.array() *= inverse_.array();
    return step;
  }

  TrustRegionOptions options_;
  double radius_;
  StepJudge judge_;
  Vector scale_;  // D
  Vector inverse_;
  Matrix scaled_matrix_;
  Vector scaled_gradient_;
  Vector s_;
  Vector y_;
  // What belongs to the model at this point, whatever the radius.
  bool decomposed_ = false;
  SpectralModel spectral_;
  Dogleg dogleg_;
  KrylovModel krylov_;
  SteihaugWorkspace steihaug_workspace_;
};

}  // namespace

std::unique_ptr<Globalization> make_trust_region(const TrustRegionOptions& options) {
  return std::make_unique<TrustRegion>(options);
}

GlobalizationEntry trust_region_entry() {
  return globalization_entry<TrustRegion, TrustRegionOptions>(
      "trust-region", "Minimises the model where it is trusted, by one of four solvers of the subproblem",
      "Nocedal and Wright (2006), Algorithm 4.1; Conn, Gould and Toint (2000)");
}

}  // namespace hesse
