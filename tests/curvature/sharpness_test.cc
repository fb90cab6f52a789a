#include "hesse/curvature/sharpness.h"

#include "curvature/skewed_quadratic.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/curvature/rescaling.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

const Measure& at(const SharpnessReport& report, const std::string& key) {
  for (const Measure& m : report.measures) {
    if (m.key == key) return m;
  }
  fail("no measure {}", key);
}

Measure invariant_measure(const char* key, double lower, double upper) {
  Measure m{key, key, NumberKind::estimate, true};
  m.number.value = 0.5 * (lower + upper);
  m.number.standard_error = upper - lower;
  m.number.lower = lower;
  m.number.upper = upper;
  return m;
}

/// The square root of x, not finite below 0.
struct Root {
  template <class T>
  T operator()(const T* x) const {
    using std::sqrt;
    return sqrt(x[0]);
  }
};

}  // namespace

TEST_CASE("Every measure of a quadratic at its minimum is that of the closed form") {
  const Index n = GENERATE(30, 150);  // all eigenvalues, and estimates from 100 products
  const Vector h = linear_spectrum(n, 20);
  Quadratic f(h, Vector::Zero(n));
  const Vector x = Vector::Zero(n);
  SharpnessOptions options;
  options.ascent.iterations = 200;
  options.steps = 80;
  options.gamma = 10;
  const SharpnessReport report = measure_sharpness(f, x, options);
  CHECK(report.is_finite);
  CHECK(report.value == 0);
  const auto check = [&](const char* key, double exact) {
    const Measure& m = at(report, key);
    CAPTURE(key, n, m.number.value, m.number.standard_error, exact);
    // Student's five, as probes are few; and what steps of ascent and bisection leave.
    CHECK(std::abs(m.number.value - exact) <= 6 * m.number.standard_error + 1e-3 * std::abs(exact));
  };
  check("eigenvalue", 1);
  check("trace", h.sum());
  check("frobenius", h.norm());
  check("log-volume", -0.5 * (h.array() + options.delta).log().sum());
  // |x_i| + 1 = 1, and a convex function is largest in a corner.
  check("keskar", 100 * 0.5 * options.epsilon * options.epsilon * h.sum());
  check("sam", 0.5 * options.rho * options.rho);
  check("expected", 0.5 * options.sigma * options.sigma * h.sum());
  check("expected-second-order", 0.5 * options.sigma * options.sigma * h.sum());
  check("pac-bayes", std::sqrt(2 * options.rise / h.sum()));
  check("local-entropy", -0.5 * (1 + h.array() / options.gamma).log().sum());
  // In units of parameters that are all 0 there is no noise, and nothing rises.
  CHECK(at(report, "adaptive").number.value == 0);
  CHECK(std::isinf(at(report, "pac-bayes-adaptive").number.value));
  const bool exact = n <= options.max_products;
  CHECK((at(report, "trace").kind == NumberKind::exact) == exact);
  CHECK(at(report, "eigenvalue").kind == NumberKind::exact);
  CHECK(at(report, "sam").kind == NumberKind::lower_bound);
  CHECK(at(report, "expected").kind == NumberKind::estimate);

  std::vector<std::string> left_out;
  for (const LeftOut& left : report.left_out) left_out.push_back(left.name);
  CHECK(left_out == std::vector<std::string>{"m-sharpness", "relative-flatness"});
}

TEST_CASE("A measure that was named and is not to be had is refused as impossible options are") {
  DenseQuadratic f(Matrix::Identity(3, 3), Vector::Zero(3));
  const Vector x = Vector::Ones(3);
  SharpnessOptions options;
  options.measures = {"fisher-rao"};
  CHECK_THROWS_AS(measure_sharpness(f, x, options), Error);
  options.measures = {"m-sharpness"};
  CHECK_THROWS_AS(measure_sharpness(f, x, options), Error);
  options.measures = {"trase"};
  CHECK_THROWS_WITH(measure_sharpness(f, x, options), Contains("trace"));
  options.measures = {"trace"};
  CHECK(measure_sharpness(f, x, options).measures.size() == 1);
  CHECK_THROWS_AS(measure_sharpness(f, Vector::Ones(4), options), Error);
  for (double SharpnessOptions::*field :
       {&SharpnessOptions::rho, &SharpnessOptions::sigma, &SharpnessOptions::delta, &SharpnessOptions::gamma,
        &SharpnessOptions::rise, &SharpnessOptions::epsilon}) {
    SharpnessOptions bad = options;
    bad.*field = 0;
    CHECK_THROWS_AS(measure_sharpness(f, x, bad), Error);
  }
}

TEST_CASE("A point that is not finite has no measures and is named") {
  FunctorObjective<Root> f({}, 1);
  const SharpnessReport report = measure_sharpness(f, -Vector::Ones(1), {});
  CHECK(!report.is_finite);
  CHECK(report.measures.empty());
  CHECK(!report.message.empty());
  // Finite here, and not within the neighbourhoods.
  SharpnessOptions options;
  options.measures = {"sam", "expected"};
  options.rho = 2;
  options.sigma = 2;
  const SharpnessReport near = measure_sharpness(f, Vector::Ones(1), options);
  CHECK(near.is_finite);
  CHECK(!at(near, "sam").number.is_finite);
  CHECK(!at(near, "expected").number.is_finite);
}

TEST_CASE("With a penalty on the parameters only measures of the loss beneath it are invariant") {
  const Case c{{3, 4, 2}, Activation::relu, Loss::softmax_cross_entropy};
  const auto data = make_data(3, 2, 30, c.loss);
  const Vector x = test_point(26);
  SharpnessOptions options;
  options.measures = {"fisher-rao", "relative-flatness", "adaptive"};
  const auto loss = make_objective(c, data);
  const SharpnessReport without = measure_sharpness(*loss, x, options);
  for (const double lambda : {0.0, 0.1}) {
    L2Objective f(make_objective(c, data), lambda, true);
    const SharpnessReport report = measure_sharpness(f, x, options);
    for (const Measure& m : report.measures) {
      const bool of_loss = m.key == "fisher-rao" || m.key == "relative-flatness";
      CAPTURE(m.key, lambda);
      CHECK(m.invariant == (of_loss || lambda == 0));
      if (of_loss) CHECK(m.number.value == at(without, m.key).number.value);
    }
    CHECK(report.message.empty() == (lambda == 0));
  }
}

TEST_CASE("What the measures evaluate is known beforehand") {
  const Index n = GENERATE(30, 150);  // all eigenvalues, and estimates from 100 products
  // Not diagonal: the squared norm of a diagonal matrix times signs has no spread, and one block of them tells it.
  Matrix A = linear_spectrum(n, 20).asDiagonal();
  A.array() += 0.01;
  DenseQuadratic quadratic(A, Vector::Zero(n));
  CountingObjective f(quadratic);
  const Vector x = Vector::LinSpaced(n, 1, 2);
  for (const std::string& name : sharpness_measures()) {
    SharpnessOptions options;
    options.measures = {name};
    CAPTURE(n, name);
    if (name == "m-sharpness" || name == "fisher-rao" || name == "relative-flatness") {
      CHECK_THROWS_AS(sharpness_work(f, x, options), Error);
      continue;
    }
    const SharpnessWork work = sharpness_work(f, x, options);
    const Cost before = f.cost();
    measure_sharpness(f, x, options);
    const auto values = static_cast<double>(f.cost().values - before.values);
    const auto gradients = static_cast<double>(f.cost().gradients - before.gradients);
    const auto products = static_cast<double>(f.cost().products - before.products);
    if (work.guessed_products == 0) CHECK(products == work.products);
    if (name == "pac-bayes") {
      // About 15 means of 100 values at either units.
      CHECK(values >= 0.5 * work.values);
      CHECK(values <= 2 * work.values);
    } else {
      CHECK(values == work.values);
    }
    // A convex quadratic over a ball or box: ascents that arrive end early, and no step is halved.
    CHECK(gradients <= work.gradients);
    CHECK(gradients >= (work.gradients == 1 ? 1 : 4));
  }
}

TEST_CASE("Measures have the same bits for any number of threads") {
  const Case c{{3, 40, 3}, Activation::relu, Loss::softmax_cross_entropy};
  const auto data = make_data(3, 3, 300, c.loss);
  SharpnessOptions options;
  options.measures = {"eigenvalue", "trace",     "log-volume",        "keskar",       "sam", "m-sharpness", "expected",
                      "fisher-rao", "pac-bayes", "relative-flatness", "local-entropy"};
  options.ascent.iterations = 2;
  options.samples = 4;
  options.batches = 2;
  options.max_products = 20;
  options.steps = 5;
  const int before = threads();
  std::vector<double> one;
  for (const int count : {1, 2}) {
    set_threads(count);
    const auto f = make_objective(c, data);
    std::vector<double> values;
    for (const Measure& m : measure_sharpness(*f, test_point(f->size()), options).measures) {
      values.push_back(m.number.value);
      values.push_back(m.number.upper);
    }
    if (count == 1) one = values;
    CHECK(values == one);
  }
  set_threads(before);
}

TEST_CASE("One minimum is flatter than another only where all invariant measures say so beyond their errors") {
  constexpr double kTolerance = 1e-8;
  const Measure low = invariant_measure("a", 1, 2);
  const Measure high = invariant_measure("a", 3, 4);
  const Measure wide = invariant_measure("a", 1.5, 3.5);
  CHECK(flatness_of(low, high, kTolerance) == Flatness::flatter);
  CHECK(flatness_of(high, low, kTolerance) == Flatness::sharper);
  CHECK(flatness_of(low, wide, kTolerance) == Flatness::undecided);
  CHECK(flatness_of(low, low, kTolerance) == Flatness::undecided);
  Measure large_low = low;
  Measure large_high = high;
  large_low.large_is_flat = large_high.large_is_flat = true;
  CHECK(flatness_of(large_low, large_high, kTolerance) == Flatness::sharper);
  Measure none = low;
  none.number = without_value(0);
  CHECK(flatness_of(none, high, kTolerance) == Flatness::undecided);

  // Apart by less than what rounding does to figures of this size.
  CHECK(flatness_of(low, invariant_measure("a", 2 + 1e-9, 3), 1e-8) == Flatness::undecided);
  CHECK(flatness_of(low, invariant_measure("a", 2 + 1e-9, 3), 1e-10) == Flatness::flatter);

  Measure moving_low = invariant_measure("moves", 1, 2);
  Measure moving_high = invariant_measure("moves", 3, 4);
  moving_low.invariant = moving_high.invariant = false;
  const Measure other_low = invariant_measure("b", 1, 2);
  const Measure other_high = invariant_measure("b", 3, 4);
  using List = std::vector<Measure>;
  // A measure that rescaling moves has no vote, whatever it says.
  CHECK(compare_flatness(List{low, other_low, moving_high}, List{high, other_high, moving_low}, kTolerance).flatness ==
        Flatness::flatter);
  CHECK(compare_flatness(List{high, other_high}, List{low, other_low}, kTolerance).flatness == Flatness::sharper);
  const FlatnessVerdict torn = compare_flatness(List{low, other_high}, List{high, other_low}, kTolerance);
  CHECK(torn.flatness == Flatness::undecided);
  CHECK(torn.message == "no verdict: flatter by a; sharper by b");
  const FlatnessVerdict open = compare_flatness(List{low, other_low}, List{wide, other_high}, kTolerance);
  CHECK(open.flatness == Flatness::undecided);
  CHECK(open.message == "no verdict: flatter by b; undecided by a");
  CHECK(compare_flatness(List{moving_low}, List{moving_high}, kTolerance).flatness == Flatness::undecided);
  Measure still_high = moving_high;
  still_high.invariant = true;
  CHECK(compare_flatness(List{moving_low}, List{still_high}, kTolerance).flatness == Flatness::undecided);
  CHECK(compare_flatness(List{still_high}, List{moving_low}, kTolerance).flatness == Flatness::undecided);
  CHECK_THAT(compare_flatness(List{}, List{}, kTolerance).message, Contains("no measure that is invariant"));
}

TEST_CASE("A network in float is neither flatter nor sharper than itself with one layer scaled and the next divided") {
  const Case c{{3, 8, 6, 3}, Activation::relu, Loss::softmax_cross_entropy};
  NetworkOptions single;
  single.precision = Precision::float32;
  const auto f = make_objective(c, make_data(3, 3, 60, c.loss), single);
  const Vector x = test_point(f->size());
  SharpnessOptions options;
  options.measures = {"fisher-rao", "relative-flatness"};
  const SharpnessReport at_x = measure_sharpness(*f, x, options);
  CHECK(at_x.tolerance == Approx(1e3 * f->value_noise()));
  // Not powers of two, which scale without rounding.
  for (const double alpha : {3.0, 0.3, 7.0, 0.7}) {
    const Vector y = rescaled(f->network(), x, rescalable_pairs(f->network())[0], alpha);
    const SharpnessReport at_y = measure_sharpness(*f, y, options);
    CAPTURE(alpha, at_x.measures[0].number.value, at_y.measures[0].number.value);
    CHECK(compare_flatness(at_x.measures, at_y.measures, at_x.tolerance).flatness == Flatness::undecided);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(flatness_of(at_x.measures[i], at_y.measures[i], at_x.tolerance) == Flatness::undecided);
    }
  }
  const auto in_double = make_objective(c, make_data(3, 3, 60, c.loss));
  CHECK(measure_sharpness(*in_double, x, options).tolerance == 1e-8);
}

TEST_CASE("A largest eigenvalue is had from products that are symmetric to their rounding and else has only a note") {
  constexpr Index n = 150;  // more than the products, so that the matrix is not formed
  const Vector h = linear_spectrum(n, 20);
  SharpnessOptions options;
  options.measures = {"eigenvalue", "trace"};
  for (const double skew : {1e-5, 1e-2}) {
    SkewedQuadratic f(h, skew);
    const double asymmetric = asymmetry(*f.curvature(Vector::Zero(n), Curvature::hessian), options.seed);
    // Beyond the solver's default, and below or above a hundred roundings.
    REQUIRE(asymmetric > 1e-6);
    const bool rounding = asymmetric <= 100 * f.value_noise();
    REQUIRE(rounding == (skew == 1e-5));
    const SharpnessReport report = measure_sharpness(f, Vector::Zero(n), options);
    const Measure& eigenvalue = at(report, "eigenvalue");
    CHECK(eigenvalue.number.is_finite == rounding);
    if (rounding) {
      // Off by at most the skew part's norm.
      CHECK(std::abs(eigenvalue.number.value - 1) <= skew);
    } else {
      CHECK_THAT(eigenvalue.note, Contains("not symmetric"));
    }
    CHECK(at(report, "trace").number.is_finite);
  }
}

TEST_CASE("A measure has moved where it changed by more than its tolerance and its rounding") {
  Measure a = invariant_measure("a", 1, 1);
  Measure b = invariant_measure("a", 1 + 1e-6, 1 + 1e-6);
  CHECK(has_moved(a, b, 1e-8));
  CHECK(!has_moved(a, b, 1e-5));
  a.rounding = 1e-6;
  CHECK(!has_moved(a, b, 1e-8));
  b.number.value = std::numeric_limits<double>::infinity();
  CHECK(has_moved(a, b, 1e-8));
  a.number.value = b.number.value;
  CHECK(!has_moved(a, b, 1e-8));
  b.number = without_value(0);
  CHECK(has_moved(a, b, 1e-8));
}
