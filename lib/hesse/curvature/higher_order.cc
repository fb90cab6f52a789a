#include "hesse/curvature/higher_order.h"

#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace hesse {
namespace {

/// Steps from max(1, |x|) / 8 down to a hundred-thousandth of max(1, |x|): wide enough for the V of truncation and
/// rounding.
constexpr int kSteps = 14;
/// Linearisations of higher_order_terms.
constexpr Index kProducts = 1 + 2 * kSteps;

/// What a trigonometric polynomial that 5 equidistant angles determine may exceed the largest of its values there by:
/// the Lebesgue constant of 5 points is 1.99, and that of 10 for the cubic 2.43 (Rivlin 1974, section 2).
constexpr double kFormFactor = 2.5;

/// A derivative at one step length, and the last ones to compare it with.
class Refinement {
 public:
  void add(double figure, double rounding) {
    const double difference = std::abs(figure - last_);
    if (count_ >= 1) {
      // A figure may agree with the one before it by chance; a quarter of the difference before that is what a
      // truncation of second order leaves.
      const double error = std::max(difference, count_ >= 2 ? difference_ / 4 : 0.0) + rounding;
      if (error < error_) {
        error_ = error;
        best_ = figure;
      }
    }
    difference_ = difference;
    last_ = figure;
    ++count_;
  }
  /// After a product that was not finite: the next figure has none to be compared with.
  void interrupt() { count_ = 0; }

  double value() const { return best_; }
  double error() const { return error_; }

 private:
  double best_ = 0;
  double error_ = std::numeric_limits<double>::infinity();
  double last_ = 0;
  double difference_ = 0;
  int count_ = 0;
};

bool falls_beyond_error(const HigherOrderTerms& t) { return t.fourth < -t.fourth_error; }
bool rises_beyond_error(const HigherOrderTerms& t) { return t.fourth > t.fourth_error; }
bool odd_beyond_error(const HigherOrderTerms& t) { return std::abs(t.third) > t.third_error; }

/// How far a direction is from being flat, in units of its errors.
double evidence(const HigherOrderTerms& t) {
  const auto share = [](double value, double error) {
    return error > 0 ? std::abs(value) / error : value != 0 ? 1e300 : 0.0;
  };
  return std::max(share(t.third, t.third_error), share(t.fourth, t.fourth_error));
}

/// The even form of degree 4 in two variables that has these values at the angles j pi / 5.
class QuarticForm {
 public:
  explicit QuarticForm(const std::array<double, 5>& values) {
    // In phi = 2 theta: a trigonometric polynomial of degree 2, from its discrete Fourier coefficients.
    for (std::size_t j = 0; j < 5; ++j) {
      const double phi = 2 * std::numbers::pi * static_cast<double>(j) / 5;
      mean_ += values[j] / 5;
      for (std::size_t k = 0; k < 2; ++k) {
        a_[k] += 2 * values[j] * std::cos(static_cast<double>(k + 1) * phi) / 5;
        b_[k] += 2 * values[j] * std::sin(static_cast<double>(k + 1) * phi) / 5;
      }
    }
  }
  double operator()(double theta) const {
    const double phi = 2 * theta;
    return mean_ + a_[0] * std::cos(phi) + b_[0] * std::sin(phi) + a_[1] * std::cos(2 * phi) +
           b_[1] * std::sin(2 * phi);
  }
  /// The angle on a grid of so many where sign times the form is least.
  double least_angle(double sign) const {
    double at = 0;
    for (int i = 1; i < kGrid; ++i) {
      const double theta = std::numbers::pi * i / kGrid;
      if (sign * (*this)(theta) < sign * (*this)(at)) at = theta;
    }
    return at;
  }
  /// The least value on a grid may exceed the least of all by this: Taylor around the minimum, where the first
  /// derivative is 0.
  double grid_error() const {
    const double second = 4 * std::hypot(a_[0], b_[0]) + 16 * std::hypot(a_[1], b_[1]);
    const double half_step = std::numbers::pi / kGrid / 2;
    return 0.5 * second * half_step * half_step;
  }

 private:
  static constexpr int kGrid = 3600;
  double mean_ = 0;
  std::array<double, 2> a_{};
  std::array<double, 2> b_{};
};

}  // namespace

const char* to_string(HigherOrder verdict) {
  switch (verdict) {
    case HigherOrder::not_tested: return "not tested";
    case HigherOrder::minimum: return "minimum";
    case HigherOrder::maximum: return "maximum";
    case HigherOrder::no_extremum: return "no extremum";
    case HigherOrder::flat: return "flat";
    case HigherOrder::undecided: return "undecided";
  }
  return "unknown";
}

HigherOrderTerms higher_order_terms(Objective& f, const Vector& x, const Vector& g, const SplitSpectrum& spectrum,
                                    const Vector& v) {
  const Index n = x.size();
  Vector at(n), Hv(n), plus(n), minus(n);
  const auto product = [&](const Vector& point, Vector& out) {
    f.curvature(point, Curvature::hessian)->apply(v, out);
    return all_finite(out);
  };
  Refinement third;
  Refinement fourth;
  const double rounding = spectrum.error;
  if (product(x, Hv)) {
    double h = std::max(1.0, norm(x)) / 8;
    for (int step = 0; step < kSteps; ++step, h /= 2) {
      at = x + h * v;
      const bool finite = product(at, plus);
      at = x - h * v;
      if (!product(at, minus) || !finite) {
        third.interrupt();
        fourth.interrupt();
        continue;
      }
      const Vector w = (plus - minus) / (2 * h);
      const Vector along = spectrum.curved.transpose() * w;
      const Vector follow = along.cwiseQuotient(spectrum.curvatures);
      const double D4 = (dot(v, plus) - 2 * dot(v, Hv) + dot(v, minus)) / (h * h);
      third.add(dot(v, w) / 6, rounding / h / 6);
      fourth.add(D4 / 24 - dot(along, follow) / 8, rounding * (4 / (h * h) / 24 + norm(follow) / h / 4));
    }
  }
  HigherOrderTerms terms;
  terms.second = dot(v, Hv);
  terms.third = third.value();
  terms.third_error = third.error();
  terms.fourth = fourth.value();
  terms.fourth_error = fourth.error();
  const double gamma = std::abs(dot(g, v)) + spectrum.gradient_error;
  const double q = std::abs(terms.fourth) + (std::isfinite(terms.fourth_error) ? terms.fourth_error : 0);
  const double c = std::abs(terms.third) + (std::isfinite(terms.third_error) ? terms.third_error : 0);
  // How far a degenerate point may be, by the fourth order and by the third.
  const double by_fourth = q > 0 ? std::cbrt(gamma / (4 * q)) : 0;
  const double by_third = c > 0 ? std::sqrt(gamma / (3 * c)) : 0;
  terms.second_error = rounding + 2 * (12 * q * by_fourth * by_fourth + 6 * c * by_third);
  terms.third_error += 8 * q * by_fourth;
  // Beside a point where the fourth order is the first, the second has its sign.
  const bool even = std::abs(terms.third) <= terms.third_error;
  terms.may_be_flat = std::abs(terms.second) <= terms.second_error &&
                      !(even && terms.second * terms.fourth < 0 && std::abs(terms.second) > 2 * rounding);
  return terms;
}

HigherOrderTest higher_order_test(Objective& f, const Vector& x, const Vector& g, const SplitSpectrum& spectrum,
                                  const HigherOrderOptions& options) {
  HigherOrderTest test;
  const Index d = spectrum.flat.cols();
  if (d == 0) return test;
  // An error with which the fourth order could outweigh a hundredth of the second at the scale of x shows no valley.
  const double scale = std::max(1.0, norm(x));
  const double largest = spectrum.curvatures.size() > 0 ? spectrum.curvatures.cwiseAbs().maxCoeff() : 1.0;
  const double sharp = 0.01 * largest / (scale * scale);
  const Index positive = (spectrum.curvatures.array() > 0).count();
  const Index negative = spectrum.curvatures.size() - positive;
  bool odd = false;
  bool flat = true;
  bool regular = false;     // some direction is not flat where the critical point is
  bool small_third = true;  // every cubic term is known to be small
  double most_evidence = -1;
  test.direction = spectrum.flat.col(0);
  double worst_error = 0;
  const auto try_direction = [&](const Vector& a) {
    const Vector v = spectrum.flat * a;
    const HigherOrderTerms terms = higher_order_terms(f, x, g, spectrum, v);
    test.products += kProducts;
    ++test.directions;
    worst_error = std::max(worst_error, terms.fourth_error);
    if (!terms.may_be_flat) {
      regular = true;
      return terms;
    }
    small_third = small_third && terms.third_error <= sharp * scale;
    flat = flat && std::abs(terms.third) <= terms.third_error && std::abs(terms.fourth) <= terms.fourth_error &&
           terms.third_error <= sharp * scale && terms.fourth_error <= sharp;
    const bool both_ways = odd_beyond_error(terms);
    odd = odd || both_ways;
    test.falls = test.falls || both_ways || falls_beyond_error(terms);
    test.rises = test.rises || both_ways || rises_beyond_error(terms);
    // The one that shows a descent is what a reader wants; then the one that shows most.
    const double weight = evidence(terms) + (both_ways || falls_beyond_error(terms) ? 1e301 : 0.0);
    if (weight > most_evidence) {
      most_evidence = weight;
      test.terms = terms;
      test.terms.third = -std::abs(terms.third);
      test.direction = terms.third > 0 ? Vector(-v) : v;
    }
    return terms;
  };

  // The sign of q on the whole flat space, where so many directions tell it: 0 when they do not.
  int sign = 0;
  if (d == 1) {
    const HigherOrderTerms terms = try_direction(Vector::Ones(1));
    sign = rises_beyond_error(terms) ? 1 : falls_beyond_error(terms) ? -1 : 0;
  } else if (d == 2) {
    const auto at_angle = [](double theta) { return Vector(Eigen::Vector2d(std::cos(theta), std::sin(theta))); };
    std::array<double, 5> values{};
    for (std::size_t j = 0; j < 5; ++j) {
      values[j] = try_direction(at_angle(std::numbers::pi * static_cast<double>(j) / 5)).fourth;
    }
    const QuarticForm form(values);
    const double margin = kFormFactor * worst_error + form.grid_error();
    for (const int s : {1, -1}) {
      const double theta = form.least_angle(s);
      if (s * form(theta) > margin) sign = s;
      // The other sign somewhere between the five angles is seen by going there.
      if (s * form(theta) < -margin && !odd) try_direction(at_angle(theta));
    }
  } else {
    for (Index i = 0; i < std::min(d, options.directions); ++i) try_direction(Vector::Unit(d, i));
    for (Index i = 0; i < options.directions; ++i) {
      Vector a(d);
      RandomStream(options.seed, Purpose::probe, static_cast<std::uint64_t>(i)).fill_normal(a);
      try_direction(a / norm(a));
    }
  }

  test.falls = test.falls || negative > 0;
  test.rises = test.rises || positive > 0;
  if (regular || !small_third) {
    sign = 0;
    flat = false;
  }
  if (odd || (test.falls && test.rises)) {
    test.verdict = HigherOrder::no_extremum;
  } else if (sign > 0) {
    test.verdict = HigherOrder::minimum;
  } else if (sign < 0) {
    test.verdict = HigherOrder::maximum;
  } else {
    test.verdict = flat ? HigherOrder::flat : HigherOrder::undecided;
  }
  return test;
}

}  // namespace hesse
