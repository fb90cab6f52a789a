#include "hesse/validation/ceres_bridge.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"
#include "hesse/validation/ceres_autodiff.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdio>
#include <limits>

using namespace hesse;

namespace {

/// Exponential decay a exp(-b t) fitted to itself at a = 2, b = 0.7: the residuals vanish there.
struct Decay {
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (int i = 0; i < 12; ++i) {
      const double t = 0.5 * i;
      r[i] = x[0] * exp(-x[1] * t) - 2.0 * std::exp(-0.7 * t);
    }
  }
};

/// Rosenbrock's function as residuals: 1/2 |r|^2 is half of it.
struct RosenbrockResiduals {
  template <class T>
  void operator()(const T* x, T* r) const {
    r[0] = 1.0 - x[0];
    r[1] = 10.0 * (x[1] - x[0] * x[0]);
  }
};

/// What makes every elementary function of the derivatives' two routes differ from a polynomial.
struct Elementary {
  template <class T>
  T operator()(const T* x) const {
    using std::atan, std::cos, std::erf, std::exp, std::log, std::pow, std::sin, std::sqrt, std::tanh;
    return exp(0.3 * x[0]) * sin(x[1]) + log(1.0 + x[2] * x[2]) / sqrt(2.0 + x[3] * x[3]) + tanh(x[4] * x[0]) -
           atan(x[1] / (1.5 + cos(x[2]))) + pow(2.0 + sin(x[3]), 2.5) * erf(x[4]);
  }
};

enum class Fault { nan_value, nan_everywhere, infinite_value, throws };

/// |x - 1|^2 / 2 with a fault from some call on.
class Faulty final : public Objective, public LeastSquares {
 public:
  Faulty(Fault fault, int from) : fault_(fault), from_(from), layout_(2) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return faulty(0.5 * (x - Vector::Ones(2)).squaredNorm()); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = x - Vector::Ones(2);
    const double f = faulty(0.5 * g.squaredNorm());
    if (fault_ == Fault::nan_everywhere && !std::isfinite(f)) g.setConstant(f);
    return f;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { return nullptr; }
  Index residual_count() const override { return 2; }
  void residuals(const Vector& x, Vector& r) override {
    r = x - Vector::Ones(2);
    r[0] = faulty(r[0]);
  }
  void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) override {
    residuals(x, r);
    J = Matrix::Identity(2, 2);
  }
  void second_derivative_along(const Vector&, const Vector&, Vector& rvv) override { rvv = Vector::Zero(2); }

 private:
  double faulty(double f) {
    if (++calls_ < from_) return f;
    if (fault_ == Fault::throws) fail("faulty: call {}", calls_);
    return fault_ == Fault::infinite_value ? std::numeric_limits<double>::infinity() : std::nan("");
  }

  Fault fault_;
  int from_;
  int calls_ = 0;
  ParameterLayout layout_;
};

CeresOptions with(CeresMethod method, CeresLineSearch search = CeresLineSearch::wolfe) {
  CeresOptions options;
  options.method = method;
  options.line_search = search;
  return options;
}

const Vector kValley = Eigen::Vector2d(-1.2, 1);

}  // namespace

TEST_CASE("every line-search method of Ceres goes downhill on our gradients, and quasi-Newton to the minimum") {
  FunctorObjective<Rosenbrock> f({}, 2);
  const double start = f.value(kValley);
  for (const auto& [name, method] : ceres_methods()) {
    if (needs_least_squares(method)) continue;
    CeresOptions options = with(method);
    options.max_iterations = 200;
    const CeresResult r = ceres_minimise(f, kValley, options);
    CAPTURE(name, r.message, r.value);
    CHECK(r.finite);
    CHECK(r.value_agrees);
    CHECK_FALSE(r.claim_is_false());
    CHECK(r.value < 0.2 * start);
    CHECK(r.cost.gradients + r.cost.values >= r.iterations);
    CHECK(r.cost.products == 0);
    Vector g;
    CHECK(f.value_and_gradient(r.x, g) == r.value);
    CHECK(g.norm() == r.gradient_norm);
    if (method == CeresMethod::bfgs || method == CeresMethod::lbfgs) {
      CHECK(r.gradient_norm <= 1e-6);
      CHECK((r.x - Vector::Ones(2)).norm() <= 1e-6);
    }
  }
  const CeresResult armijo = ceres_minimise(f, kValley, with(CeresMethod::polak_ribiere, CeresLineSearch::armijo));
  CHECK(armijo.value < 0.2 * start);
  CHECK_THROWS_AS(ceres_minimise(f, kValley, with(CeresMethod::lbfgs, CeresLineSearch::armijo)), Error);
}

TEST_CASE("every method of Ceres solves a least-squares problem on our Jacobian") {
  JetResiduals<Decay> f({}, 2, 12);
  const Vector x0 = Eigen::Vector2d(1, 1);
  for (const CeresMethod method : {CeresMethod::levenberg_marquardt, CeresMethod::dogleg, CeresMethod::subspace_dogleg,
                                   CeresMethod::lbfgs, CeresMethod::bfgs}) {
    const CeresResult r = ceres_least_squares(f, x0, with(method));
    CAPTURE(to_string(method), r.message);
    CHECK(r.finite);
    CHECK(r.value_agrees);
    CHECK(r.value <= 1e-16);
    CHECK((r.x - Eigen::Vector2d(2, 0.7)).norm() <= 1e-7);
    CHECK(r.cost.gradients > 0);
  }
}

TEST_CASE("what Ceres asked for is what the objective was asked for") {
  FunctorObjective<Rosenbrock> rosenbrock({}, 2);
  CountingObjective counted(rosenbrock);
  const CeresResult r = ceres_minimise(counted, kValley, {});
  // One value with gradient and one value more, for the check of the answer.
  CHECK(counted.cost().gradients == r.cost.gradients + 1);
  CHECK(counted.cost().values == r.cost.values + 1);

  JetResiduals<RosenbrockResiduals> residuals({}, 2, 2);
  CountingObjective charged(residuals);
  const CeresResult s = ceres_least_squares(charged, kValley);
  CHECK(s.cost.gradients > 0);
  CHECK(s.cost.values > 0);
  CHECK(charged.cost().gradients == s.cost.gradients + 1);
  // The check that the residuals are the whole objective asks for one value besides.
  CHECK(charged.cost().values == s.cost.values + 2);
}

TEST_CASE("tolerances and budgets end a run of Ceres where they say") {
  FunctorObjective<Rosenbrock> f({}, 2);
  CeresOptions options;
  options.gradient_tolerance = 1e-3;
  const CeresResult loose = ceres_minimise(f, kValley, options);
  CHECK(loose.claim == CeresClaim::convergence);
  // Ceres measures the largest entry, which is within a factor sqrt(2) of the norm.
  CHECK(loose.gradient_norm <= std::sqrt(2.0) * 1e-3);
  options = {};
  options.max_iterations = 3;
  const CeresResult three = ceres_minimise(f, kValley, options);
  CHECK(three.claim == CeresClaim::no_convergence);
  CHECK(three.iterations == 3);
  CHECK(three.gradient_norm > 1e-3);
  for (const auto& change : std::vector<void (*)(CeresOptions&)>{
           [](CeresOptions& o) { o.lbfgs_rank = 0; }, [](CeresOptions& o) { o.max_iterations = -1; },
           [](CeresOptions& o) { o.initial_trust_radius = 0; }, [](CeresOptions& o) { o.max_seconds = 0; },
           [](CeresOptions& o) { o.function_tolerance = -1; },
           [](CeresOptions& o) { o.gradient_tolerance = std::nan(""); }}) {
    CeresOptions bad;
    change(bad);
    CHECK_THROWS_AS(ceres_minimise(f, kValley, bad), Error);
  }
  CHECK_THROWS_AS(ceres_minimise(f, Vector::Ones(3), {}), Error);
}

TEST_CASE("a structure that is missing, or not the whole objective, is refused in one sentence") {
  FunctorObjective<Rosenbrock> plain({}, 2);
  CHECK_THROWS_WITH(ceres_least_squares(plain, kValley), Catch::Contains("needs residuals"));
  CHECK_THROWS_WITH(ceres_minimise(plain, kValley, with(CeresMethod::dogleg)), Catch::Contains("runs on residuals"));
  CHECK_FALSE(is_least_squares(plain, kValley));
  L2Objective penalised(std::make_unique<JetResiduals<RosenbrockResiduals>>(RosenbrockResiduals{}, 2, 2), 0.5, true);
  CHECK_FALSE(is_least_squares(penalised, kValley));
  CHECK_THROWS_WITH(ceres_least_squares(penalised, kValley), Catch::Contains("no residual"));
  JetResiduals<RosenbrockResiduals> residuals({}, 2, 2);
  CHECK(is_least_squares(residuals, kValley));
}

TEST_CASE("on a NaN objective Ceres claims convergence, and our check contradicts it") {
  // From the first call on, and from later ones, which come in the middle of a line search.
  bool seen_false_claim = false;
  for (int from = 1; from <= 4; ++from) {
    for (const Fault fault : {Fault::nan_value, Fault::nan_everywhere, Fault::infinite_value}) {
      for (const CeresMethod method : {CeresMethod::lbfgs, CeresMethod::bfgs, CeresMethod::polak_ribiere,
                                       CeresMethod::levenberg_marquardt, CeresMethod::dogleg}) {
        Faulty f(fault, from);
        const CeresResult r = ceres_solve(f, Eigen::Vector2d(3, -4), with(method));
        CAPTURE(from, static_cast<int>(fault), to_string(method), to_string(r.claim), r.message);
        // The check itself comes after the fault, so nothing may pass for finite.
        CHECK_FALSE(r.finite);
        CHECK_FALSE(r.value_agrees);
        CHECK(r.claim_is_false() == (r.claim == CeresClaim::convergence));
        seen_false_claim = seen_false_claim || r.claim_is_false();
      }
    }
  }
  CHECK(seen_false_claim);
}

TEST_CASE("on the same NaN objective Hesse claims nothing") {
  for (const char* method : {"lbfgs", "gd", "adam"}) {
    for (int from = 1; from <= 4; ++from) {
      Faulty f(Fault::nan_everywhere, from);
      Vector x = Eigen::Vector2d(3, -4);
      Stopping stopping;
      stopping.gradient_tolerance = 1e-8;
      stopping.max_steps = 50;
      const Summary summary = minimize(*make_optimizer(method, {f, 1}), f, x, stopping);
      CAPTURE(method, from, summary.message);
      CHECK(summary.termination == Termination::non_finite);
      CHECK(x.allFinite());
    }
  }
}

TEST_CASE("an error thrown by the objective passes through Ceres") {
  for (const CeresMethod method : {CeresMethod::lbfgs, CeresMethod::levenberg_marquardt}) {
    for (int from = 1; from <= 3; ++from) {
      Faulty f(Fault::throws, from);
      CHECK_THROWS_WITH(ceres_solve(f, Eigen::Vector2d(3, -4), with(method)), Catch::Contains("faulty: call"));
    }
  }
}

TEST_CASE("Ceres stays silent on standard error") {
  std::fflush(stderr);
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int saved = ::dup(2);
  ::dup2(::fileno(file), 2);
  // What it logs loudest: evaluations that fail, and line searches that do.
  for (const CeresMethod method : {CeresMethod::lbfgs, CeresMethod::levenberg_marquardt}) {
    for (int from = 1; from <= 3; ++from) {
      Faulty f(Fault::nan_everywhere, from);
      ceres_solve(f, Eigen::Vector2d(3, -4), with(method));
    }
  }
  std::fflush(stderr);
  ::dup2(saved, 2);
  ::close(saved);
  std::fseek(file, 0, SEEK_END);
  CHECK(std::ftell(file) == 0);
  std::fclose(file);
}

TEST_CASE("our gradients and those of ceres::Jet agree to 1e-12") {
  const auto compare = [](auto functor, const Vector& x) {
    using Functor = decltype(functor);
    FunctorObjective<Functor> ours(functor, x.size());
    JetObjective<Functor> theirs(functor, x.size());
    Vector g, h;
    CHECK(ours.value_and_gradient(x, g) == Approx(theirs.value_and_gradient(x, h)).epsilon(1e-14));
    CHECK(theirs.value(x) == Approx(ours.value(x)).epsilon(1e-14));
    CHECK((g - h).norm() <= 1e-12 * h.norm());
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto draw = [seed](Index n) {
      Vector x(n);
      RandomStream(seed, Purpose::test, static_cast<std::uint64_t>(n)).fill_normal(x);
      return x;
    };
    compare(Rosenbrock{}, draw(2));
    compare(Beale{}, draw(2));
    compare(Himmelblau{}, draw(2));
    compare(DoubleWell{}, draw(1));
    compare(StyblinskiTang{7}, draw(7));
    compare(ChainedRosenbrock{19}, draw(19));
    compare(Elementary{}, draw(5));
  }
  CHECK_THROWS_AS(JetObjective<Rosenbrock>({}, 0), Error);
  JetObjective<Rosenbrock> jets({}, 2);
  CHECK_THROWS_AS(jets.curvature(kValley, Curvature::hessian), Error);
}

TEST_CASE("our Jacobians and those of ceres::Jet agree to 1e-12, and so do the minima that Ceres finds on them") {
  ResidualObjective<Decay> ours({}, 2, 12);
  JetResiduals<Decay> theirs({}, 2, 12);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Vector x(2);
    RandomStream(seed, Purpose::test).fill_normal(x);
    Vector r, s;
    Matrix J, K;
    ours.residuals_and_jacobian(x, r, J);
    theirs.residuals_and_jacobian(x, s, K);
    CHECK((r - s).norm() <= 1e-12 * s.norm());
    CHECK((J - K).norm() <= 1e-12 * K.norm());
    theirs.residuals(x, s);
    CHECK((r - s).norm() <= 1e-12 * s.norm());
  }
  for (const CeresMethod method :
       {CeresMethod::levenberg_marquardt, CeresMethod::dogleg, CeresMethod::subspace_dogleg, CeresMethod::lbfgs}) {
    const CeresResult a = ceres_least_squares(ours, Eigen::Vector2d(1, 1), with(method));
    const CeresResult b = ceres_least_squares(theirs, Eigen::Vector2d(1, 1), with(method));
    CHECK(a.value_agrees);
    CHECK((a.x - b.x).norm() <= 1e-8);
  }
}

TEST_CASE("a formula solved on Ceres' own derivatives ends where ours do") {
  FunctorObjective<Rosenbrock> ours({}, 2);
  JetObjective<Rosenbrock> theirs({}, 2);
  const CeresResult a = ceres_minimise(ours, kValley);
  const CeresResult b = ceres_minimise(theirs, kValley);
  CHECK((a.x - b.x).norm() <= 1e-8);
  // The Jacobian of residuals against its formula.
  JetResiduals<Decay> decay({}, 2, 12);
  const Vector x = Eigen::Vector2d(1.3, 0.4);
  Vector r;
  Matrix J;
  decay.residuals_and_jacobian(x, r, J);
  for (int i = 0; i < 12; ++i) {
    const double t = 0.5 * i;
    CHECK(J(i, 0) == Approx(std::exp(-0.4 * t)).epsilon(1e-14));
    CHECK(J(i, 1) == Approx(-1.3 * t * std::exp(-0.4 * t)).epsilon(1e-14).margin(1e-15));
  }
  Vector g;
  CHECK(decay.value_and_gradient(x, g) == Approx(0.5 * r.squaredNorm()));
  CHECK((g - J.transpose() * r).norm() <= 1e-14);
  CHECK_THROWS_AS(decay.curvature(x, Curvature::hessian), Error);
  CHECK_THROWS_AS(decay.second_derivative_along(x, x, g), Error);
  CHECK_THROWS_AS(JetResiduals<Decay>({}, 2, 0), Error);
}

TEST_CASE("names of methods and claims are those of command lines and of Ceres") {
  for (const auto& [name, method] : ceres_methods()) CHECK(name == to_string(method));
  CHECK(ceres_methods().size() == 9);
  CHECK(std::string(to_string(CeresClaim::no_convergence)) == "NO_CONVERGENCE");
  CHECK(std::string(ceres_version()).starts_with("2."));
}
