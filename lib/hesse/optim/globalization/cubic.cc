/// \file
/// Adaptive regularisation by cubics (ARC; Cartis, Gould and Toint 2011a, Algorithm 2.1): the step minimises
///
///     m(s) = g's + s'B s / 2 + sigma/3 |s|^3
///
/// exactly where B has entries, else in a Lanczos subspace (ibid., section 6), and sigma follows the ratio of actual to
/// predicted decrease: max(min(sigma, |g|), eps) where the model was very good (ibid., section 7), twice as large where
/// it was bad. It reaches |g| <= epsilon within O(epsilon^-3/2) evaluations (Cartis, Gould and Toint 2011b).
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/krylov_model.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/globalization/model_step.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

void visit_options(CubicOptions& o, OptionVisitor& v) {
  v.option("sigma", o.sigma, Interval::positive(), "sigma_0, first weight of the cubic term");
  v.option("eta1", o.eta1, Interval::open(0, 1), "least rho of an accepted step");
  v.option("eta2", o.eta2, Interval::open(0, 1), "rho above which sigma is lowered");
  v.option("gamma", o.gamma, Interval::closed(1.1, 100), "growth of sigma after a rejected step");
  v.option("memory", o.memory, Interval::closed(1, 1000), "M, values that f may rise to; 1: it never rises");
}

namespace {

class Cubic final : public Globalization {
 public:
  explicit Cubic(const CubicOptions& options)
      : options_(options), sigma_(options.sigma), judge_(options.eta1, options.memory) {}

  std::string misfit(const Direction& direction) const override {
    return direction.matrix_form() != ModelMatrix::none
               ? std::string()
               : "cubic: the direction has no matrix; use a line search, such as hager-zhang";
  }

  StateView state() override {
    StateView all = judge_.state();
    all.push_back({"sigma", &sigma_});
    return all;
  }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    if (judge_.at_rounding(at)) return StepStatus::line_search_at_rounding;
    y_.resize(at.x.size());
    double rejected = 0;
    decomposed_ = false;
    for (;;) {
      double decrease = 0;
      if (!minimise(direction, at, decrease, report)) return StepStatus::non_finite;
      const Judgement judged = judge_.judge(f, at, s_, decrease, trial);
      if (judged.rho > options_.eta2) {
        sigma_ = std::max(std::min(sigma_, at.gradient_norm), std::numeric_limits<double>::epsilon());
      } else if (!judged.accepted) {
        sigma_ *= options_.gamma;
      }
      if (judged.accepted) {
        report.step_size = 1;
        report.tell("sigma", sigma_);
        report.tell("rho", judged.rho);
        report.tell("rejected", rejected);
        return StepStatus::ok;
      }
      ++rejected;
      if (trial.x == at.x || !(sigma_ < 1e200)) {
        sigma_ = options_.sigma;  // for the next batch, on which the model may hold again
        return judged.unresolved ? StepStatus::line_search_at_rounding : StepStatus::trust_region_collapsed;
      }
      if (direction.learns_from_rejected() && std::isfinite(trial.value) && all_finite(trial.g)) {
        y_ = trial.g - at.g;
        direction.update(s_, y_);
        decomposed_ = false;
      }
    }
  }

 private:
  /// False when the model is not finite.
  bool minimise(Direction& direction, const Point& at, double& decrease, StepReport& report) {
    if (const Matrix* B = direction.dense_matrix()) {
      if (!decomposed_) {
        ++report.inner_iterations;
        if (!spectral_.decompose(*B)) return false;
      }
      decomposed_ = true;
      decrease = spectral_.with_cubic(at.g, sigma_, s_).decrease;
      return true;
    }
    if (!decomposed_) {
      const InnerLimits limits = direction.inner_limits(at);
      krylov_.start(at.g, {limits.tolerance, limits.max_iterations > 0 ? limits.max_iterations : 250});
    }
    decomposed_ = true;
    const KrylovStep found = krylov_.with_cubic(*direction.matrix(), sigma_, s_);
    report.inner_iterations += found.products;
    decrease = found.decrease;
    return found.finite;
  }

  CubicOptions options_;
  double sigma_;
  StepJudge judge_;
  // What belongs to the model at this point, whatever sigma is.
  bool decomposed_ = false;
  SpectralModel spectral_;
  KrylovModel krylov_;
  Vector s_;
  Vector y_;
};

}  // namespace

std::unique_ptr<Globalization> make_cubic(const CubicOptions& options) { return std::make_unique<Cubic>(options); }

GlobalizationEntry cubic_entry() {
  return globalization_entry<Cubic, CubicOptions>("cubic", "Minimises the model with an adaptive cubic term added",
                                                  "Cartis, Gould and Toint (2011), Algorithm 2.1");
}

}  // namespace hesse
