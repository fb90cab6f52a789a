#include "hesse/core/random.h"
#include "hesse/objective/adolc_objective.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/gaussian_field.h"
#include "hesse/objective/quadratic.h"
#include "hesse/problems/problem.h"

#include <cmath>

namespace hesse {
namespace {

enum class Start { standard, random };
enum class Spacing { linear, logarithmic };

struct AnalyticOptions {
  Start start = Start::standard;
};
void visit_start(Start& start, OptionVisitor& v) {
  v.choice("start", start, {{"standard", Start::standard}, {"random", Start::random}},
           "the classical starting point, or one drawn from the domain by the seed");
}
void visit_options(AnalyticOptions& o, OptionVisitor& v) { visit_start(o.start, v); }

struct RosenbrockOptions {
  Index n = 2;
  double a = 1;
  double b = 100;
  Start start = Start::standard;
};
void visit_options(RosenbrockOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(2, 1e6), "variables");
  v.option("a", o.a, Interval::any(), "a in (a - x)^2 + b (y - x^2)^2");
  v.option("b", o.b, Interval::positive(), "b, curvature across the valley");
  visit_start(o.start, v);
}

struct StyblinskiTangOptions {
  Index n = 2;
  Start start = Start::standard;
};
void visit_options(StyblinskiTangOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(1, 1e6), "variables");
  visit_start(o.start, v);
}

struct QuadraticOptions {
  Index n = 100;
  double condition = 100;
  Spacing spacing = Spacing::logarithmic;
  bool rotated = true;
  Index seed = 0;
  Start start = Start::standard;
};
void visit_options(QuadraticOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(1, 1e8), "variables");
  v.option("condition", o.condition, Interval::at_least(1), "largest over smallest eigenvalue; the largest is 1");
  v.choice("spacing", o.spacing, {{"logarithmic", Spacing::logarithmic}, {"linear", Spacing::linear}},
           "how eigenvalues lie between the two");
  v.option("rotated", o.rotated, "eigenvectors from four random reflections instead of the axes");
  v.option("seed", o.seed, Interval::non_negative(), "of the reflections");
  visit_start(o.start, v);
}

struct GaussianFieldOptions {
  Index n = 10;
  Index waves = 1000;
  Index seed = 0;
};
void visit_options(GaussianFieldOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(1, 1e5), "variables");
  v.option("waves", o.waves, Interval::closed(1, 1e7), "m, random waves; the more, the more nearly Gaussian");
  v.option("seed", o.seed, Interval::non_negative(), "of the waves");
}

/// A problem whose box [low, high]^n holds the random starts.
Problem problem_of(std::unique_ptr<Objective> objective, Vector standard, Start start, double low, double high,
                   std::string description) {
  Problem problem;
  Objective* const f = objective.get();
  problem.objective = std::move(objective);
  problem.value = [f](const Vector& x) { return f->value(x); };
  problem.start = [standard = std::move(standard), start, low, high](std::uint64_t seed) {
    if (start == Start::standard) return standard;
    Vector x(standard.size());
    RandomStream(seed, Purpose::initialisation).fill_uniform(x, low, high);
    return x;
  };
  problem.description = std::move(description);
  return problem;
}

template <class Functor>
std::unique_ptr<Objective> formula(Functor functor, Index n) {
  // From here on a reverse sweep over a tape is cheaper than n / 8 forward passes.
  constexpr Index kTapeFrom = 65;
  if (n >= kTapeFrom) return std::make_unique<AdolcObjective<Functor>>(functor, n);
  return std::make_unique<FunctorObjective<Functor>>(functor, n);
}

Vector alternating(Index n, double odd, double even) {
  Vector x(n);
  for (Index i = 0; i < n; ++i) x[i] = i % 2 == 0 ? odd : even;
  return x;
}

Problem make_rosenbrock(const RosenbrockOptions& o) {
  auto f = o.n == 2 ? formula(Rosenbrock{o.a, o.b}, 2) : formula(ChainedRosenbrock{o.n, o.a, o.b}, o.n);
  Problem problem = problem_of(std::move(f), alternating(o.n, -1.2, 1), o.start, -2, 2,
                               fmt::format("Rosenbrock's valley in {} variables", o.n));
  if (o.n == 2 || o.a == 1) {
    problem.minimum_value = 0;
    problem.minimisers = {o.n == 2 ? Vector(Eigen::Vector2d(o.a, o.a * o.a)) : Vector(Vector::Ones(o.n))};
  }
  return problem;
}

Problem make_beale(const AnalyticOptions& o) {
  Problem problem =
      problem_of(formula(Beale{}, 2), Eigen::Vector2d(1, 1), o.start, -4.5, 4.5, "Beale's function in 2 variables");
  problem.minimum_value = 0;
  problem.minimisers = {Eigen::Vector2d(3, 0.5)};
  return problem;
}

Problem make_himmelblau(const AnalyticOptions& o) {
  Problem problem = problem_of(formula(Himmelblau{}, 2), Eigen::Vector2d(0, 0), o.start, -5, 5,
                               "Himmelblau's function in 2 variables, with four minima");
  problem.minimum_value = 0;
  problem.minimisers = himmelblau_minimisers();
  return problem;
}

Problem make_double_well(const AnalyticOptions& o) {
  Problem problem = problem_of(formula(DoubleWell{}, 1), Vector::Constant(1, 2), o.start, -2.5, 2.5,
                               "x^4 - 4 x^2 + x: two minima and a maximum");
  problem.minimisers = {double_well_stationary_points().head(1)};
  problem.minimum_value = problem.objective->value(problem.minimisers[0]);
  return problem;
}

Problem make_styblinski_tang(const StyblinskiTangOptions& o) {
  Problem problem = problem_of(formula(StyblinskiTang{o.n}, o.n), Vector::Constant(o.n, -1), o.start, -5, 5,
                               fmt::format("Styblinski and Tang's function in {} variables", o.n));
  problem.minimisers = {Vector::Constant(o.n, styblinski_tang_stationary_points()[0])};
  problem.minimum_value = problem.objective->value(problem.minimisers[0]);
  return problem;
}

Problem make_quadratic(const QuadraticOptions& o) {
  const Vector spectrum =
      o.spacing == Spacing::linear ? linear_spectrum(o.n, o.condition) : logarithmic_spectrum(o.n, o.condition);
  const Vector centre = Vector::Ones(o.n);
  auto f = std::make_unique<Quadratic>(spectrum, centre, o.rotated ? 4 : 0, static_cast<std::uint64_t>(o.seed));
  Problem problem = problem_of(std::move(f), Vector::Zero(o.n), o.start, -1, 3,
                               fmt::format("a quadratic in {} variables of condition number {:g}", o.n, o.condition));
  problem.minimum_value = 0;
  problem.minimisers = {centre};
  return problem;
}

Problem make_gaussian_field(const GaussianFieldOptions& o) {
  return problem_of(std::make_unique<GaussianField>(o.n, o.waves, static_cast<std::uint64_t>(o.seed)),
                    Vector::Zero(o.n), Start::random, -3, 3,
                    fmt::format("a Gaussian random field in {} variables, by {} waves", o.n, o.waves));
}

template <class Options>
ProblemEntry entry(std::string name, std::string summary, std::string source, Problem (*make)(const Options&)) {
  return registry_entry<Options, Problem, const ProblemContext&>(
      std::move(name), std::move(summary), std::move(source),
      [make](const Options& options, const ProblemContext&) { return make(options); });
}

}  // namespace

std::vector<ProblemEntry> analytic_entries() {
  return {
      entry("rosenbrock", "Curved valley; 2 variables with a and b, or the chained form in n", "Rosenbrock (1960)",
            make_rosenbrock),
      entry("beale", "Flat valley with steep walls in 2 variables", "Beale (1958)", make_beale),
      entry("himmelblau", "Four equal minima in 2 variables", "Himmelblau (1972)", make_himmelblau),
      entry("double-well", "x^4 - 4 x^2 + x in 1 variable", "folklore", make_double_well),
      entry("styblinski-tang", "2^n minima, one of them global", "Styblinski and Tang (1990)", make_styblinski_tang),
      entry("quadratic", "Chosen condition number, known in closed form", "Nocedal and Wright (2006), chapter 3",
            make_quadratic),
      entry("gaussian-field", "A draw of a smooth random field, whose critical points are mostly saddles",
            "Bray and Dean (2007); Dauphin et al. (2014), section 2", make_gaussian_field),
  };
}

}  // namespace hesse
