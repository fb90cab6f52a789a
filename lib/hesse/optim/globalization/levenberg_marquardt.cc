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
/// J D^-1 = Q R once a point. Each lambda then takes n (n + 1) / 2 plane rotations, which bring [R; sqrt(lambda) I] to
/// triangular form S (More 1978, section 3), O(n^3). Where the rank is not full, the singular values of R give the
/// steps of least norm.
#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/least_squares.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/globalization/rounding_watch.h"

#include <Eigen/QR>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

enum class DampingUpdate { nielsen, more };

struct LevenbergMarquardtOptions {
  DampingUpdate update = DampingUpdate::more;
  bool scaled = true;     ///< D from the columns of J instead of I
  double tau = 1e-3;      ///< first lambda over max_j |J_j / D_j|^2, > 0 (nielsen)
  double factor = 1;      ///< first Delta over |D x|, > 0; More (1978) advises 0.1 to 100 (more)
  double eta = 1e-4;      ///< least rho of an accepted step, [0, 1/4)
  bool geodesic = false;  ///< geodesic acceleration
  double alpha = 0.75;    ///< greatest 2 |a| / |v| at which it is used, > 0
};

void visit_options(LevenbergMarquardtOptions& o, OptionVisitor& v) {
  v.choice("update", o.update, {{"more", DampingUpdate::more}, {"nielsen", DampingUpdate::nielsen}},
           "how the damping is chosen");
  v.option("scaled", o.scaled, "measure steps in the norms of the Jacobian's columns");
  v.option("tau", o.tau, Interval::positive(), "nielsen: first damping, relative to the greatest |J_j / D_j|^2");
  v.option("factor", o.factor, Interval::positive(), "more: first radius, relative to |D x|");
  v.option("eta", o.eta, Interval::half_open(0, 0.25), "least rho of an accepted step");
  v.option("geodesic", o.geodesic, "add half of the geodesic acceleration to each step");
  v.option("alpha", o.alpha, Interval::positive(), "greatest ratio of acceleration to velocity at which it is used");
}

class LevenbergMarquardt final : public Globalization {
 public:
  explicit LevenbergMarquardt(const LevenbergMarquardtOptions& options) : options_(options) {}

  std::string misfit(const Direction& direction) const override {
    return direction.least_squares() != nullptr
               ? std::string()
               : "levenberg-marquardt: it needs residuals and their Jacobian; use gauss-newton+levenberg-marquardt";
  }

  StateView state() override {
    StateView all = watch_.state();
    all.insert(all.end(), {{"scale", &scale_}, {"damping", &damping_}, {"growth", &growth_}, {"radius", &radius_}});
    return all;
  }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    LeastSquares& squares = *find_whole<LeastSquares>(f);
    const LeastSquaresModel& model = *direction.least_squares();
    const Matrix& J = model.jacobian;
    const Vector& r = model.residuals;
    if (!all_finite(Eigen::Map<const Vector>(J.data(), J.size()))) return StepStatus::non_finite;
    factorise(J, r);
    if (damping_ == 0) start(at.x);
    if (watch_.ended(at.value)) return StepStatus::line_search_at_rounding;

    double rejected = 0;
    const double rounding = 10 * f.value_noise() * at.value;
    for (;;) {
      const double lambda = options_.update == DampingUpdate::more ? multiplier(radius_) : damping_;
      at_multiplier(lambda);
      v_.array() = p_.array() / scale_.array();
      ++report.inner_iterations;
      if (!all_finite(v_)) return StepStatus::non_finite;
      const double scaled_norm = (scale_.array() * v_.array()).matrix().norm();
      s_ = v_;
      if (options_.geodesic) accelerate(squares, f, at.x, lambda);

      // m(0) - m(v) = 1/2 |J v|^2 + lambda |D v|^2: no cancellation (More 1978, eq. (4.4)).
      Jv_.noalias() = J * v_;
      const double decrease = 0.5 * Jv_.squaredNorm() + lambda * scaled_norm * scaled_norm;
      trial.x = at.x + s_;
      squares.residuals(trial.x, r_new_);
      charge_value(f);
      // 1/2 (|r|^2 - |r_new|^2) as a product, in which nothing cancels but what is in r itself.
      double actual = 0.5 * (r - r_new_).dot(r + r_new_);
      const bool unresolved = decrease <= rounding && std::abs(actual) <= rounding;
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

  void factorise(const Matrix& J, const Vector& r) {
    const Index n = J.cols();
    if (scale_.size() != n) scale_ = Vector::Zero(n);
    for (Index j = 0; j < n; ++j) {
      scale_[j] = options_.scaled ? std::max(scale_[j], norm(J.col(j))) : 1;
      if (scale_[j] == 0) scale_[j] = 1;
    }
    lambda_ = -1;
    scaled_.noalias() = J * scale_.cwiseInverse().asDiagonal();
    qr_.compute(scaled_);
    Qr_ = r;
    Qr_.applyOnTheLeft(qr_.householderQ().adjoint());
    const Index k = std::min(J.rows(), n);
    R_ = qr_.matrixQR().topRows(k).triangularView<Eigen::Upper>();
    const auto pivots = R_.diagonal().cwiseAbs();
    const double eps = std::numeric_limits<double>::epsilon();
    // Without pivoting the least pivot may be above the least singular value.
    full_rank_ = k == n && pivots.minCoeff() > 100 * static_cast<double>(J.rows() + n) * eps * pivots.maxCoeff();
    if (full_rank_) return;
    svd_.compute(R_, Eigen::ComputeThinU | Eigen::ComputeThinV);
    coefficients_.noalias() = svd_.matrixU().transpose() * Qr_.head(k);
  }

  void start(const Vector& x) {
    growth_ = 2;
    damping_ = options_.tau * std::pow(scaled_.colwise().norm().maxCoeff(), 2);
    const double length = (scale_.array() * x.array()).matrix().norm();
    radius_ = options_.factor * (length > 0 ? length : 1);
  }

  /// Singular values below it are rounding: the rank is not there, and steps are those of least norm.
  double rank_floor() const {
    const auto& sigma = svd_.singularValues();
    const double eps = std::numeric_limits<double>::epsilon();
    return sigma.size() > 0 ? static_cast<double>(scaled_.rows() + scaled_.cols()) * eps * sigma[0] : 0;
  }

  /// p = argmin |R p + c|^2 + lambda |p|^2 for c = Q'b; leaves S in S_ where the rank is full.
  void minimiser(double lambda, const Vector& Qb, Vector& p) {
    if (!full_rank_) {
      projected_.noalias() = svd_.matrixU().transpose() * Qb.head(svd_.matrixU().rows());
      least_norm(lambda, projected_, p);
      return;
    }
    const Index n = R_.cols();
    S_ = R_;
    p = -Qb.head(n);
    if (lambda > 0) {
      const double root = std::sqrt(lambda);
      extra_.resize(n);
      for (Index row = 0; row < n; ++row) {
        // The row sqrt(lambda) e_row of the damping, rotated away against the rows of S from there on.
        extra_.tail(n - row).setZero();
        extra_[row] = root;
        double extra_p = 0;
        for (Index k = row; k < n; ++k) {
          if (extra_[k] == 0) continue;
          const double length = std::hypot(S_(k, k), extra_[k]);
          const double cosine = S_(k, k) / length;
          const double sine = extra_[k] / length;
          S_(k, k) = length;
          for (Index j = k + 1; j < n; ++j) {
            const double upper = S_(k, j);
            S_(k, j) = cosine * upper + sine * extra_[j];
            extra_[j] = cosine * extra_[j] - sine * upper;
          }
          const double upper = p[k];
          p[k] = cosine * upper + sine * extra_p;
          extra_p = cosine * extra_p - sine * upper;
        }
      }
    }
    S_.triangularView<Eigen::Upper>().solveInPlace(p);
  }

  /// -V (Sigma^2 + lambda)^-1 Sigma c without the singular values that are rounding.
  void least_norm(double lambda, const Vector& c, Vector& p) {
    const auto& sigma = svd_.singularValues();
    weights_.resize(sigma.size());
    const double floor = rank_floor();
    for (Index i = 0; i < sigma.size(); ++i) {
      weights_[i] = sigma[i] > floor ? -c[i] * sigma[i] / (sigma[i] * sigma[i] + lambda) : 0;
    }
    p.noalias() = svd_.matrixV() * weights_;
  }

  /// p_ = argmin |R p + Q'r|^2 + lambda |p|^2, which may be there already.
  void at_multiplier(double lambda) {
    if (lambda == lambda_) return;
    minimiser(lambda, Qr_, p_);
    lambda_ = lambda;
  }

  /// |p(lambda)|, and p'(R'R + lambda)^-1 p = -|p| d|p|/dlambda.
  std::pair<double, double> length_and_slope(double lambda) {
    double slope = 0;
    if (full_rank_) {
      at_multiplier(lambda);
      w_ = p_;
      S_.triangularView<Eigen::Upper>().transpose().solveInPlace(w_);
      return {p_.norm(), w_.squaredNorm()};
    }
    const auto& sigma = svd_.singularValues();
    const double floor = rank_floor();
    double square = 0;
    for (Index i = 0; i < sigma.size(); ++i) {
      if (!(sigma[i] > floor)) continue;
      const double d = sigma[i] * sigma[i] + lambda;
      const double p = coefficients_[i] * sigma[i] / d;
      square += p * p;
      slope += p * p / d;
    }
    return {std::sqrt(square), slope};
  }

  /// lambda >= 0 with |D s| = radius within 10 %, or 0 where the Gauss-Newton step is inside (More 1978, section 5).
  double multiplier(double radius) {
    at_multiplier(0);
    if (p_.norm() <= 1.1 * radius) return 0;
    double low = 0;
    double high = (full_rank_ ? (R_.transpose() * Qr_.head(R_.cols())).norm()
                              : (svd_.singularValues().array() * coefficients_.array()).matrix().norm()) /
                  radius;
    double lambda = 1e-3 * high;
    for (int i = 0; i < 100; ++i) {
      const auto [length, slope] = length_and_slope(lambda);
      if (std::abs(length - radius) <= 0.1 * radius) break;
      (length > radius ? low : high) = lambda;
      // Newton on 1 / |p| - 1 / radius, which is almost linear in lambda.
      lambda += (length * length / slope) * (length - radius) / radius;
      if (!(lambda > low && lambda < high)) lambda = std::max(1e-3 * high, std::sqrt(low * high));
    }
    return lambda;
  }

  void accelerate(LeastSquares& squares, Objective& f, const Vector& x, double lambda) {
    squares.second_derivative_along(x, v_, rvv_);
    charge_value(f);
    charge_value(f);
    if (!all_finite(rvv_)) return;
    rvv_.applyOnTheLeft(qr_.householderQ().adjoint());
    minimiser(lambda, rvv_, a_);
    a_.array() /= scale_.array();
    const double bend = (scale_.array() * a_.array()).matrix().norm();
    const double speed = (scale_.array() * v_.array()).matrix().norm();
    if (all_finite(a_) && 2 * bend <= options_.alpha * speed) s_ += 0.5 * a_;
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
  Matrix scaled_;
  Matrix R_;
  Eigen::HouseholderQR<Matrix> qr_;
  Eigen::JacobiSVD<Matrix> svd_;
  bool full_rank_ = false;
  Vector Qr_;
  Matrix S_;            // the triangle of the last lambda
  Vector extra_;        // a row that is being rotated into it
  double lambda_ = -1;  // of p_; < 0: of none yet at this point
  Vector p_;
  Vector w_;
  Vector coefficients_;  // U'Q'r, where the rank is not full
  Vector projected_;
  Vector weights_;
  Vector v_;
  Vector a_;
  Vector s_;
  Vector Jv_;
  Vector rvv_;
  Vector r_new_;
};

}  // namespace

GlobalizationEntry levenberg_marquardt_entry() {
  return globalization_entry<LevenbergMarquardt, LevenbergMarquardtOptions>(
      "levenberg-marquardt", "Damped least squares, by Nielsen's or by More's choice of the damping",
      "Levenberg (1944); Marquardt (1963); More (1978); Madsen, Nielsen and Tingleff (2004), Algorithm 3.16");
}

}  // namespace hesse
