#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/data/datasets.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/constrained/kkt.h"
#include "hesse/optim/constrained/projected.h"
#include "hesse/optim/constrained/projection.h"
#include "hesse/optim/constrained/solvers.h"
#include "hesse/problems/constrained_problems.h"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace hesse;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Vector random_vector(Index n, std::uint64_t step) {
  Vector v(n);
  RandomStream(11, Purpose::test, step).fill_normal(v);
  return v;
}
Matrix random_matrix(Index rows, Index columns, std::uint64_t step) {
  Matrix A(rows, columns);
  RandomStream(11, Purpose::test, step).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  return A;
}

template <class Functor>
std::unique_ptr<Objective> formula(Index n, Functor functor) {
  return std::make_unique<FunctorObjective<Functor>>(functor, n);
}

ConstrainedProblem unbounded(std::unique_ptr<Objective> f, Vector start) {
  ConstrainedProblem p;
  p.lower = Vector::Constant(start.size(), -kInfinity);
  p.upper = Vector::Constant(start.size(), kInfinity);
  p.objective = std::move(f);
  p.start = std::move(start);
  return p;
}

ConstrainedProblem problem(const std::string& name) { return constrained_problems().make(parse_spec(name), {}); }

double largest_multiplier(const Multipliers& y) {
  double most = 0;
  for (const Vector* each : {&y.equality, &y.inequality}) {
    if (each->size() > 0) most = std::max(most, each->cwiseAbs().sum());
  }
  return most;
}

}  // namespace

TEST_CASE("Projections give points of the set, move none of its points, and no point of the set is nearer") {
  const Index n = 12;
  const Vector low = random_vector(n, 1).cwiseMin(0.0);
  const Vector high = low + random_vector(n, 2).cwiseAbs();
  const Vector centre = random_vector(n, 3);
  const auto inside = [](const Projection& project, std::uint64_t seed, Index size) {
    Vector y = 3 * random_vector(size, seed);
    project(y);
    return y;
  };
  for (const Projection& project : {box_projection(low, high), ball_projection(centre, 0.7), simplex_projection(2.5),
                                    simplex_product_projection(4)}) {
    for (std::uint64_t seed = 20; seed < 40; ++seed) {
      const Vector x = 3 * random_vector(n, seed);
      Vector p = x;
      project(p);
      Vector again = p;
      project(again);
      CHECK((again - p).norm() <= 1e-14 * (1 + p.norm()));
      // The angle between what is left and any way into the set is obtuse.
      for (std::uint64_t other = 50; other < 60; ++other) {
        const Vector y = inside(project, other, n);
        CHECK((x - p).dot(y - p) <= 1e-12 * (1 + x.norm()) * (1 + y.norm()));
      }
    }
  }
  Vector x = 5 * random_vector(n, 4);
  simplex_projection(2.5)(x);
  CHECK(x.sum() == Approx(2.5).epsilon(1e-14));
  CHECK(x.minCoeff() >= 0);
  CHECK_THROWS_AS(box_projection(high + Vector::Ones(n), low), Error);
  CHECK_THROWS_AS(ball_projection(centre, 0), Error);
  Vector odd = Vector::Ones(5);
  CHECK_THROWS_AS(simplex_product_projection(2)(odd), Error);
}

TEST_CASE("Least squares with signs satisfy their own optimality conditions") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Matrix A = random_matrix(7, 5, 100 + seed);
    const Vector b = random_vector(7, 200 + seed);
    std::vector<bool> signs(5);
    for (std::size_t i = 0; i < 5; ++i) signs[i] = RandomStream(seed, Purpose::test).bits(i) % 3 != 0;
    const Vector y = nonnegative_least_squares(A, b, signs);
    const Vector gradient = A.transpose() * (A * y - b);
    for (Index i = 0; i < 5; ++i) {
      const bool is_signed = signs[static_cast<std::size_t>(i)];
      if (is_signed) CHECK(y[i] >= 0);
      if (is_signed && y[i] == 0) {
        CHECK(gradient[i] >= -1e-10);
      } else {
        CHECK(std::abs(gradient[i]) <= 1e-10);
      }
    }
  }
}

TEST_CASE("Every problem of Hock and Schittkowski ends at its published optimum, with its conditions shown") {
  for (const auto& entry : constrained_problems().entries()) {
    if (!entry.name.starts_with("hs")) continue;
    ConstrainedProblem p = problem(entry.name);
    const ConstrainedResult r = solve(p);
    CAPTURE(entry.name, r.message, r.kkt.stationarity, r.kkt.primal_infeasibility, r.kkt.complementarity);
    CHECK(r.status == ConstrainedStatus::converged);
    CHECK(r.kkt.stationary(1e-8));
    // A violation of 1e-8 is worth the multipliers times it; ten digits are published.
    const double tolerance = 1e-8 * (1 + largest_multiplier(r.multipliers)) + 1e-9 * std::abs(*p.minimum_value);
    CHECK(std::abs(r.kkt.value - *p.minimum_value) <= tolerance);
    // Of a fourth power there is no curvature to show.
    if (entry.name != "hs26") CHECK(r.kkt.second_order == SecondOrder::strict_minimum);
    if (!p.minimisers.empty() && r.kkt.least_curvature > 0.01) {
      double nearest = kInfinity;
      for (const Vector& x : p.minimisers) nearest = std::min(nearest, (x - r.x).norm());
      CHECK(nearest <= 1e-5);
    }
    // With the multipliers that fit best, too.
    CHECK(kkt_report(p, r.x).stationary(1e-6));
    for (const Vector& x : p.minimisers) {
      const KktReport exact = kkt_report(p, x);
      CHECK(exact.stationary(1e-8));
      CHECK(exact.value == Approx(*p.minimum_value).margin(1e-9).epsilon(1e-9));
      CHECK(exact.second_order != SecondOrder::violated);
    }
  }
}

TEST_CASE("Newton on the conditions and the augmented Lagrangian, with Hessians and without, agree") {
  for (const char* name : {"hs6", "hs7", "hs27", "hs28", "hs39", "hs40", "hs42", "hs48", "hs51", "hs52"}) {
    ConstrainedProblem p = problem(name);
    const ConstrainedResult newton = newton_kkt(p);
    for (const bool quasi_newton : {false, true}) {
      ConstrainedOptions options;
      options.quasi_newton = quasi_newton;
      const ConstrainedResult other = augmented_lagrangian(p, options);
      CAPTURE(name, quasi_newton, other.message);
      CHECK(other.status == ConstrainedStatus::converged);
      CHECK(std::abs(newton.kkt.value - other.kkt.value) <= 1e-7);
      CHECK((newton.multipliers.equality - other.multipliers.equality).norm() <=
            1e-5 * (1 + newton.multipliers.equality.norm()));
    }
  }
  ConstrainedProblem bounded = problem("hs71");
  CHECK_THROWS_WITH(newton_kkt(bounded), Catch::Contains("inequalities or bounds"));
}

TEST_CASE("A multiplier is the derivative of the least value by its constraint") {
  const auto least = [](double shift_equality, double shift_inequality) {
    ConstrainedProblem p = problem("hs71");
    p.equalities[0] = formula(4, [shift_equality](const auto* x) {
      return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3] - (40.0 + shift_equality);
    });
    p.inequalities[0] =
        formula(4, [shift_inequality](const auto* x) { return x[0] * x[1] * x[2] * x[3] - (25.0 + shift_inequality); });
    ConstrainedOptions options;
    options.tolerance = 1e-10;
    return solve(p, options);
  };
  const ConstrainedResult r = least(0, 0);
  // Central differences: O(h^2) = 1e-6 of second derivatives of order 1, and 1e-10 / h from the solver's tolerance.
  const double h = 1e-3;
  CHECK((least(h, 0).kkt.value - least(-h, 0).kkt.value) / (2 * h) == Approx(r.multipliers.equality[0]).margin(1e-5));
  CHECK((least(0, h).kkt.value - least(0, -h).kkt.value) / (2 * h) == Approx(r.multipliers.inequality[0]).margin(1e-5));
}

TEST_CASE("The report tells minima, points that are none, degenerate ones and points that are not stationary") {
  // x^2 - y^2 on the unit circle: minima at (0, +-1), maxima at (+-1, 0).
  ConstrainedProblem circle =
      unbounded(formula(2, [](const auto* x) { return x[0] * x[0] - x[1] * x[1]; }), Vector::Ones(2));
  circle.equalities.push_back(formula(2, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] - 1.0; }));
  const KktReport minimum = kkt_report(circle, Eigen::Vector2d(0, 1));
  CHECK(minimum.second_order == SecondOrder::strict_minimum);
  CHECK(minimum.multipliers.equality[0] == Approx(-1).epsilon(1e-14));
  CHECK(minimum.least_curvature == Approx(4).epsilon(1e-12));
  const KktReport maximum = kkt_report(circle, Eigen::Vector2d(1, 0));
  CHECK(maximum.stationary(1e-12));
  CHECK(maximum.second_order == SecondOrder::violated);
  CHECK(maximum.least_curvature == Approx(-4).epsilon(1e-12));
  const KktReport neither = kkt_report(circle, Eigen::Vector2d(std::sqrt(0.5), std::sqrt(0.5)));
  CHECK(neither.second_order == SecondOrder::not_stationary);
  CHECK(neither.stationarity > 0.1);
  CHECK(kkt_report(circle, Eigen::Vector2d(0, 2)).primal_infeasibility == Approx(3));
  // The gradient of a sum pushes out of the corner x >= 0: no multiplier of the right sign.
  ConstrainedProblem corner = unbounded(formula(2, [](const auto* x) { return -x[0] + x[1]; }), Vector::Ones(2));
  corner.lower.setZero();
  CHECK(kkt_report(corner, Vector::Zero(2)).stationarity == Approx(1));
  const KktReport wrong =
      kkt_report(corner, Vector::Zero(2), Multipliers{{}, {}, Eigen::Vector2d(-1, 1), Vector::Zero(2)});
  CHECK(wrong.stationarity == 0);
  CHECK(wrong.dual_infeasibility == 1);
  // -x^2 + y at x >= 0, y >= 0: both bounds hold at 0, that of x without a multiplier: a cone that is half a line,
  // along which f falls. The subspace says nothing of it.
  ConstrainedProblem half = unbounded(formula(2, [](const auto* x) { return -x[0] * x[0] + x[1]; }), Vector::Ones(2));
  half.lower.setZero();
  CHECK(kkt_report(half, Vector::Zero(2)).second_order == SecondOrder::undecided);
  // The same constraint twice.
  circle.equalities.push_back(formula(2, [](const auto* x) { return 2.0 * (x[0] * x[0] + x[1] * x[1] - 1.0); }));
  const KktReport twice = kkt_report(circle, Eigen::Vector2d(0, 1));
  CHECK_FALSE(twice.independent);
  CHECK(twice.second_order == SecondOrder::strict_minimum);
}

TEST_CASE("Projected gradient, Newton and quasi-Newton steps agree on convex quadratics in a box") {
  for (const Index n : {1, 5, 40, 120}) {
    const Matrix R = random_matrix(n + 3, n, 300 + static_cast<std::uint64_t>(n));
    const Matrix A = R.transpose() * R / static_cast<double>(n) + 0.1 * Matrix::Identity(n, n);
    DenseQuadratic f(A, -random_vector(n, 301));
    const Vector low = Vector::Constant(n, -0.2);
    const Vector high = Vector::Constant(n, 0.3);
    Vector newton = Vector::Zero(n);
    const ProjectedResult exact = projected_newton(f, low, high, newton);
    CHECK(exact.status == ConstrainedStatus::converged);
    Vector quasi = Vector::Zero(n);
    ProjectedOptions options;
    options.quasi_newton = true;
    CHECK(projected_newton(f, low, high, quasi, options).status == ConstrainedStatus::converged);
    Vector gradient = Vector::Zero(n);
    CHECK(projected_gradient(f, box_projection(low, high), gradient).status == ConstrainedStatus::converged);
    // |x - P(x - g)| <= 1e-8 and curvature >= 0.1: within (1 + L) / mu times it of the minimiser.
    const double tolerance = 1e-8 * std::sqrt(static_cast<double>(n)) * (1 + A.norm()) / 0.1;
    CHECK((newton - quasi).norm() <= 2 * tolerance);
    CHECK((newton - gradient).norm() <= 2 * tolerance);
    CHECK((newton.array() >= low.array()).all());
    CHECK((newton.array() <= high.array()).all());
  }
}

TEST_CASE("Least squares on the simplex and on a ball meet their conditions, and a projection its closed form") {
  ConstrainedProblem p = problem("simplex-least-squares");
  Objective& f = *p.objective;
  Vector x = p.start;
  REQUIRE(projected_gradient(f, simplex_projection(), x).status == ConstrainedStatus::converged);
  CHECK(x.sum() == Approx(1).epsilon(1e-12));
  Vector g;
  f.value_and_gradient(x, g);
  // Equal gradients where x is positive, no smaller ones elsewhere.
  double common = kInfinity;
  for (Index i = 0; i < 10; ++i) {
    if (x[i] > 1e-9) common = std::min(common, g[i]);
  }
  for (Index i = 0; i < 10; ++i) CHECK((x[i] > 1e-9 ? std::abs(g[i] - common) <= 1e-6 : g[i] >= common - 1e-6));
  // The same by the augmented Lagrangian.
  const ConstrainedResult r = solve(p);
  CHECK(r.status == ConstrainedStatus::converged);
  CHECK((r.x - x).norm() <= 1e-6);
  CHECK(r.multipliers.equality[0] == Approx(common).margin(1e-5));
  // The nearest point of a ball to c.
  const Vector c = 3 * random_vector(6, 402);
  DenseQuadratic distance(Matrix::Identity(6, 6), -c);
  Vector y = Vector::Zero(6);
  CHECK(projected_gradient(distance, ball_projection(Vector::Zero(6), 1), y).status == ConstrainedStatus::converged);
  CHECK((y - c / c.norm()).norm() <= 1e-7);
}

TEST_CASE("Projected Newton and quasi-Newton steps on balls, simplices and their products end where gradients do") {
  struct Set {
    const char* name;
    Index n;
    Projection project;
  };
  const std::vector<Set> sets = {{"box", 30, box_projection(Vector::Constant(30, -0.2), Vector::Constant(30, 0.3))},
                                 {"ball", 30, ball_projection(random_vector(30, 501), 0.8)},
                                 {"simplex", 30, simplex_projection(2)},
                                 {"product of simplices", 30, simplex_product_projection(5)},
                                 {"one point", 1, simplex_projection(1)}};
  for (const Set& set : sets) {
    // Condition 1e3, which the gradient feels and Newton's model does not.
    const Matrix R = random_matrix(set.n, set.n, 502);
    const Eigen::HouseholderQR<Matrix> qr(R);
    const Matrix Q = qr.householderQ();
    const Vector spectrum = set.n > 1 ? Vector(logarithmic_spectrum(set.n, 1e3)) : Vector::Ones(1);
    const Matrix A = Q * spectrum.asDiagonal() * Q.transpose();
    DenseQuadratic f(0.5 * (A + A.transpose()), random_vector(set.n, 503));
    ProjectedOptions options;
    options.max_iterations = 20000;
    Vector gradient = random_vector(set.n, 504);
    const ProjectedResult first = projected_gradient(f, set.project, gradient, options);
    Vector newton = random_vector(set.n, 504);
    const ProjectedResult second = projected_newton(f, set.project, newton, options);
    Vector quasi = random_vector(set.n, 504);
    options.quasi_newton = true;
    const ProjectedResult third = projected_newton(f, set.project, quasi, options);
    CAPTURE(set.name, first.message, second.message, third.message, first.evaluations, second.evaluations,
            third.evaluations);
    CHECK(first.status == ConstrainedStatus::converged);
    CHECK(second.status == ConstrainedStatus::converged);
    CHECK(third.status == ConstrainedStatus::converged);
    // |x - P(x - g)| <= 1e-8 and curvature of at least 1e-3: within (1 + L) / mu root n times it of the minimiser.
    const double tolerance = 1e-8 * std::sqrt(static_cast<double>(set.n)) * 2 / 1e-3;
    CHECK((newton - gradient).norm() <= 2 * tolerance);
    CHECK((quasi - gradient).norm() <= 2 * tolerance);
    // The model of a quadratic is the quadratic: what remains is how exactly it is minimised.
    CHECK(second.iterations <= 8);
    CHECK(third.products == 0);
    Vector again = newton;
    set.project(again);
    CHECK((again - newton).norm() <= 1e-14 * (1 + newton.norm()));
  }
}

TEST_CASE("Projected Newton converges quadratically on a ball, and leaves a saddle's neighbourhood downhill") {
  // sum exp(c_i x_i) on the unit ball, the minimum on its boundary.
  const auto exponentials = formula(4, [](const auto* x) {
    using std::exp;
    return exp(x[0]) + exp(2.0 * x[1]) + exp(0.5 * x[2]) + exp(-3.0 * x[3]);
  });
  Vector x = Vector::Zero(4);
  const ProjectedResult r = projected_newton(*exponentials, ball_projection(Vector::Zero(4), 0.5), x);
  CHECK(r.status == ConstrainedStatus::converged);
  CHECK(r.iterations <= 10);
  CHECK(x.norm() == Approx(0.5).epsilon(1e-12));
  // There the gradient points inwards along x.
  Vector g;
  exponentials->value_and_gradient(x, g);
  CHECK((g / g.norm() + x / x.norm()).norm() <= 1e-6);
  // x^2 - y^2 in the unit ball: minima at (0, 1) and (0, -1), a saddle at 0.
  const auto saddle = formula(2, [](const auto* p) { return p[0] * p[0] - p[1] * p[1]; });
  for (const bool quasi_newton : {false, true}) {
    ProjectedOptions options;
    options.quasi_newton = quasi_newton;
    Vector y = Eigen::Vector2d(0.5, 0.01);
    CHECK(projected_newton(*saddle, ball_projection(Vector::Zero(2), 1), y, options).status ==
          ConstrainedStatus::converged);
    CHECK((y - Eigen::Vector2d(0, 1)).norm() <= 1e-6);
  }
  const auto wild = formula(1, [](const auto* p) {
    using std::log;
    return log(p[0]);
  });
  Vector z = Vector::Constant(1, -1);
  CHECK(projected_newton(*wild, ball_projection(Vector::Zero(1), 2), z).status == ConstrainedStatus::failed);
}

TEST_CASE("The projected methods solve the problems that have bounds alone or a simplex, and refuse the others") {
  for (const char* name : {"hs1", "hs4", "hs5", "simplex-least-squares"}) {
    ConstrainedProblem p = problem(name);
    const ConstrainedResult reference = solve(p);
    ConstrainedOptions options;
    options.max_iterations = 5000;
    for (const bool quasi_newton : {false, true}) {
      options.quasi_newton = quasi_newton;
      const ConstrainedResult r = projected_newton(p, options);
      CAPTURE(name, quasi_newton, r.message, r.iterations);
      CHECK(r.status == ConstrainedStatus::converged);
      CHECK(std::abs(r.kkt.value - reference.kkt.value) <= 1e-7 * (1 + std::abs(reference.kkt.value)));
      CHECK(r.kkt.stationary(1e-6));
      CHECK(r.kkt.second_order == SecondOrder::strict_minimum);
    }
    const ConstrainedResult r = projected_gradient(p, options);
    CAPTURE(name, r.message, r.iterations);
    CHECK(r.status == ConstrainedStatus::converged);
    CHECK(std::abs(r.kkt.value - reference.kkt.value) <= 1e-7 * (1 + std::abs(reference.kkt.value)));
  }
  ConstrainedProblem other = problem("hs71");
  CHECK_THROWS_WITH(projected_gradient(other), Catch::Contains("augmented Lagrangian"));
  CHECK_THROWS_WITH(projected_newton(other), Catch::Contains("augmented Lagrangian"));
}

TEST_CASE("A step under a bound on the divergence is the natural gradient of that length") {
  for (const char* text : {"divergence-step", "divergence-step:n=20,delta=0.3,seed=4"}) {
    ConstrainedProblem p = problem(text);
    const Vector step = p.minimisers.front();
    const ConstrainedResult r = solve(p);
    CAPTURE(text, r.message);
    CHECK(r.status == ConstrainedStatus::converged);
    CHECK((r.x - step).norm() <= 1e-6 * (1 + step.norm()));
    CHECK(r.kkt.second_order == SecondOrder::strict_minimum);
    // grad L = g + mu F s = 0, so that g's = -2 mu delta.
    const double delta = p.inequalities[0]->value(Vector::Zero(step.size()));
    CHECK(r.multipliers.inequality[0] == Approx(-*p.minimum_value / (2 * delta)).epsilon(1e-6));
  }
}

TEST_CASE("The dual of the support vector machine closes the gap to the primal hinge loss on real data") {
  ConstrainedProblem p = problem("svm-dual");
  const Index n = p.size();
  const double C = p.upper[0];
  const ConstrainedResult r = solve(p);
  CAPTURE(r.message, r.iterations, r.kkt.stationarity, r.kkt.primal_infeasibility);
  REQUIRE(r.status == ConstrainedStatus::converged);
  // The primal, from the data itself.
  const DataSplit split = load_data("breast-cancer");
  const Matrix X = split.train->inputs.leftCols(n);
  Vector y(n);
  for (Index i = 0; i < n; ++i) y[i] = split.train->labels[static_cast<std::size_t>(i)] == 1 ? 1.0 : -1.0;
  const Vector w = X * y.cwiseProduct(r.x);
  // Where neither bound holds, y w'x - 1 = lambda y: the bias is -lambda.
  const double b = -r.multipliers.equality[0];
  const Vector margins = y.cwiseProduct(X.transpose() * w + Vector::Constant(n, b));
  const double primal = 0.5 * w.squaredNorm() + C * (1 - margins.array()).max(0.0).sum();
  CHECK(std::abs(primal + r.kkt.value) <= 1e-5 * primal);
  Index support = 0;
  for (Index i = 0; i < n; ++i) {
    if (r.x[i] > 1e-6) ++support;
    if (r.x[i] > 1e-6 && r.x[i] < C - 1e-6) CHECK(margins[i] == Approx(1).margin(1e-5));
    if (r.x[i] <= 1e-9) CHECK(margins[i] >= 1 - 1e-5);
  }
  CHECK(support < n / 2);
  CHECK(support >= 2);
}

TEST_CASE("Constraints without a common point, and functions that are not finite, are no success") {
  ConstrainedProblem impossible = unbounded(formula(1, [](const auto* x) { return x[0] * x[0]; }), Vector::Ones(1));
  impossible.equalities.push_back(formula(1, [](const auto* x) { return x[0] * x[0] + 1.0; }));
  CHECK(newton_kkt(impossible).status != ConstrainedStatus::converged);
  const ConstrainedResult r = augmented_lagrangian(impossible);
  CHECK(r.status != ConstrainedStatus::converged);
  CHECK(r.kkt.primal_infeasibility >= 1);
  ConstrainedProblem wild = unbounded(formula(1,
                                              [](const auto* x) {
                                                using std::log;
                                                return log(x[0]);
                                              }),
                                      Vector::Constant(1, -1));
  wild.lower.setConstant(-2);
  wild.upper.setConstant(2);
  CHECK(augmented_lagrangian(wild).status == ConstrainedStatus::failed);
}
