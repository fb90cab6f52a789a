/// \file
/// Levenberg (1944) and Marquardt (1963): the step solves
///
///     min |J s + r|^2 + lambda |D s|^2,
///
/// lambda large where the model has been wrong. Two ways of choosing it:
///
///     nielsen  lambda itself is kept: times max(1/3, 1 - (2 rho - 1)^3) after a good step, times nu, nu doubling,
///     after a
///              bad one (Nielsen 1999; Madsen, Nielsen and Tingleff 2004, eq. (2.21)), first tau max_j |J_j|^2
///     more     lambda is the multiplier of the trust region |D s| <= Delta (More 1978), found to 10 %
///
/// D = I, or the greatest norms so far of the columns of J, which makes the method blind to the units of x (More 1978,
/// eq. (6.4)). With geodesic acceleration the step is v + a / 2, where a solves the same problem with the second
/// directional derivative r_vv in place of r, as long as 2 |a| <= alpha |v| (Transtrum and Sethna 2012, eq. (11),
/// (15)).
///
/// How the step is found, directly or by iteration, is damped_least_squares.h's.
#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/least_squares.h"
#include "hesse/optim/globalization/damped_least_squares.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/globalization/rounding_watch.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace hesse {

void visit_options(LevenbergMarquardtOptions& o, OptionVisitor& v) {
  v.choice("update", o.update,
           {{"auto", DampingUpdate::automatic}, {"more", DampingUpdate::more}, {"nielsen", DampingUpdate::nielsen}},
           "how the damping is chosen; auto is more with qr, else nielsen");
  v.choice(
      "solver", o.solver,
      {{"auto", LeastSquaresSolver::automatic},
       {"qr", LeastSquaresSolver::qr},
       {"schur", LeastSquaresSolver::schur},
       {"cg", LeastSquaresSolver::cg}},
      "of the damped equations; auto is qr for a dense Jacobian, schur for blocks that can be eliminated, else cg");
  v.option("scaled", o.scaled, "measure steps in the norms of the Jacobian's columns");
  v.option("tau", o.tau, Interval::positive(), "nielsen: first damping, relative to the greatest |J_j / D_j|^2");
  v.option("factor", o.factor, Interval::positive(), "more: first radius, relative to |D x|");
  v.option("eta", o.eta, Interval::half_open(0, 0.25), "least rho of an accepted step");
  v.option("geodesic", o.geodesic, "add half of the geodesic acceleration to each step");
  v.option("alpha", o.alpha, Interval::positive(), "greatest ratio of acceleration to velocity at which it is used");
}

namespace {

class LevenbergMarquardt final : public Globalization {
 public:
  explicit LevenbergMarquardt(const LevenbergMarquardtOptions& options) : options_(options) {}

  std::string misfit(const Direction& direction) const override {
    const LeastSquaresModel* const model = direction.least_squares();
    if (model == nullptr) {
      return "levenberg-marquardt: it needs residuals and their Jacobian; use gauss-newton+levenberg-marquardt";
    }
    const LeastSquaresSolver solver = solver_for(*model, options_.solver);
    if (options_.update == DampingUpdate::more && solver != LeastSquaresSolver::qr) {
      return "levenberg-marquardt: update=more needs solver=qr, which finds the damping of a radius; use "
             "update=nielsen";
    }
    return solver_misfit(*model, solver);
  }

  StateView state() override {
    StateView all = watch_.state();
    all.insert(all.end(), {{"scale", &scale_}, {"damping", &damping_}, {"growth", &growth_}, {"radius", &radius_}});
    return all;
  }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    Residuals& squares = *find_whole<Residuals>(f);
    const LeastSquaresModel& model = *direction.least_squares();
    const Vector& r = model.residuals;
    if (!model.all_finite()) return StepStatus::non_finite;
    if (solver_ == nullptr) solver_ = make_damped_least_squares(solver_for(model, options_.solver));
    solver_->bind(model, norms_);
    rescale();
    solver_->scale_by(scale_);
    if (damping_ == 0) start(at.x);
    if (watch_.ended(at.value)) return StepStatus::line_search_at_rounding;
    const bool by_radius = options_.update != DampingUpdate::nielsen && solver_->finds_multipliers();
    // For superlinear convergence the equations are solved the better the smaller g.
    const double forcing = std::min(kForcing, std::sqrt(at.gradient_norm));

    double rejected = 0;
    double promised = 0;  // by the model, at the first trial
    const double rounding = 10 * f.value_noise() * at.value;
    for (;;) {
      const double lambda = by_radius ? solver_->multiplier(radius_) : damping_;
      const bool solved = solver_->solve(lambda, forcing, v_);
      report.inner_iterations += solver_->iterations();
      const double scaled_norm = solved ? (scale_.array() * v_.array()).matrix().norm() : 0;
      if (!solved) {
        // A matrix that is singular to working precision wants more damping; where there is enough, a number is not
        // finite.
        if (!(damping_ < 1e30) || by_radius) return StepStatus::non_finite;
        shrink(radius_);
        continue;
      }
      s_ = v_;
      if (options_.geodesic) accelerate(squares, f, at.x, lambda, forcing, report);

      solver_->multiply(v_, Jv_);
      // m(0) - m(v) = 1/2 |J v|^2 + lambda |D v|^2 at the minimiser: no cancellation (More 1978, eq. (4.4)).
      const double decrease = solver_->is_direct() ? 0.5 * Jv_.squaredNorm() + lambda * scaled_norm * scaled_norm
                                                   : -dot(r, Jv_) - 0.5 * Jv_.squaredNorm();
      trial.x = at.x + s_;
      squares.residuals(trial.x, r_new_);
      charge_value(f);
      // 1/2 (|r|^2 - |r_new|^2) as a product, in which nothing cancels but what is in r itself.
      double actual = 0.5 * (r - r_new_).dot(r + r_new_);
      const bool unresolved = decrease <= rounding && std::abs(actual) <= rounding;
      // A model that promised much and has been wrong down to steps that f does not resolve is not put right by these.
      if (unresolved && promised > kBeyondRounding * rounding) return StepStatus::trust_region_collapsed;
      bool evaluated = false;
      if (unresolved || actual > options_.eta * decrease) {
        trial.value = f.value_and_gradient(trial.x, trial.g);
        evaluated = std::isfinite(trial.value) && all_finite(trial.g);
        if (unresolved) actual = trapezoid_decrease(at.g, trial.g, s_);
      }
      double rho = actual / decrease;
      // Residuals without a Jacobian are no point to stand on.
      if (!evaluated || !std::isfinite(rho)) rho = -1;
      const bool accepted = rho > options_.eta;
      adapt(rho, lambda, scaled_norm, accepted);
      if (accepted) {
        watch_.saw(unresolved, at.gradient_norm, norm(trial.g), trial.value);
        report.step_size = 1;
        report.tell("damping", lambda);
        report.tell("radius", radius_);
        report.tell("rho", rho);
        report.tell("rejected", rejected);
        return StepStatus::ok;
      }
      if (rejected == 0) promised = decrease;
      ++rejected;
      if (trial.x == at.x) return StepStatus::line_search_at_rounding;
      if (rejected > kMostRejected) {
        damping_ = 0;
        return StepStatus::trust_region_collapsed;
      }
    }
  }

 private:
  // Each rejection shortens the step by half or more: from any scale to any other.
  static constexpr double kMostRejected = 500;
  static constexpr double kForcing = 0.1;
  static constexpr double kBeyondRounding = 1e6;

  void rescale() {
    if (scale_.size() != norms_.size()) scale_ = Vector::Zero(norms_.size());
    for (Index j = 0; j < scale_.size(); ++j) {
      scale_[j] = options_.scaled ? std::max(scale_[j], norms_[j]) : 1;
      if (scale_[j] == 0) scale_[j] = 1;
    }
  }

  void start(const Vector& x) {
    growth_ = 2;
    damping_ = options_.tau * norms_.cwiseQuotient(scale_).cwiseAbs2().maxCoeff();
    const double length = (scale_.array() * x.array()).matrix().norm();
    radius_ = options_.factor * (length > 0 ? length : 1);
  }

  void accelerate(Residuals& squares, Objective& f, const Vector& x, double lambda, double forcing,
                  StepReport& report) {
    squares.second_derivative_along(x, v_, rvv_);
    charge_value(f);
    charge_value(f);
    if (!all_finite(rvv_)) return;
    const bool solved = solver_->solve_for(rvv_, lambda, forcing, a_);
    report.inner_iterations += solver_->iterations();
    if (!solved) return;
    const double bend = (scale_.array() * a_.array()).matrix().norm();
    const double speed = (scale_.array() * v_.array()).matrix().norm();
    if (2 * bend <= options_.alpha * speed) s_ += 0.5 * a_;
  }

  void shrink(double scaled_norm) {
    damping_ *= growth_;
    growth_ *= 2;
    radius_ = 0.25 * std::min(radius_, scaled_norm);
  }

  void adapt(double rho, double lambda, double scaled_norm, bool accepted) {
    if (!accepted) {
      shrink(scaled_norm);
      return;
    }
    damping_ *= std::max(1.0 / 3, 1 - std::pow(2 * rho - 1, 3));
    growth_ = 2;
    if (rho <= 0.25) {
      radius_ = 0.5 * std::min(radius_, scaled_norm);
    } else if (lambda == 0 || rho >= 0.75) {
      radius_ = 2 * scaled_norm;
    }
  }

  LevenbergMarquardtOptions options_;
  Vector scale_;        // D
  double damping_ = 0;  // lambda of nielsen; 0 before the first step
  double growth_ = 2;   // nu
  double radius_ = 0;   // Delta of more
  RoundingWatch watch_;
  std::unique_ptr<DampedLeastSquares> solver_;
  Vector norms_;
  Vector v_;
  Vector a_;
  Vector s_;
  Vector Jv_;
  Vector rvv_;
  Vector r_new_;
};

}  // namespace

std::unique_ptr<Globalization> make_levenberg_marquardt(const LevenbergMarquardtOptions& options) {
  return std::make_unique<LevenbergMarquardt>(options);
}

GlobalizationEntry levenberg_marquardt_entry() {
  return globalization_entry<LevenbergMarquardt, LevenbergMarquardtOptions>(
      "levenberg-marquardt", "Damped least squares, by Nielsen's or by More's choice of the damping",
      "Levenberg (1944); Marquardt (1963); More (1978); Madsen, Nielsen and Tingleff (2004), Algorithm 3.16");
}

}  // namespace hesse
