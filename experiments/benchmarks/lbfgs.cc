// What L-BFGS costs an iteration beside the objective: ours and LBFGS++ in one run, from one start, on the
// strictly convex sum of c_i (sqrt(1 + x_i^2) - 1) of n variables with c_i from 1 to 100. The time inside the objective
// is taken away. Prints a line a solver and the ratios.
//
//     hesse_benchmark_lbfgs [n [memory [threads]]]        default 1000000 10 and all processors

#include "hesse/core/blas_kernels.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#if __has_include(<LBFGS.h>)
#define HESSE_WITH_LBFGSPP
#include <LBFGS.h>
#endif

using namespace hesse;

namespace {

using Clock = std::chrono::steady_clock;
constexpr Index kIterations = 60;  // of which the first ones fill the memory
constexpr int kRepetitions = 5;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Counts its calls and the seconds in them.
class Bowls final : public Objective {
 public:
  explicit Bowls(Index n)
      : layout_(n), c_(Vector::LinSpaced(n, 0, 2).unaryExpr([](double e) { return std::pow(10.0, e); })) {}

  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return value_and_gradient(x, unused_); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    const auto start = Clock::now();
    g.resize(x.size());
    const double f = blocked_sum(x.size(), 16384, [&](Index begin, Index n) {
      const auto root = (1 + x.segment(begin, n).array().square()).sqrt();
      const auto c = c_.segment(begin, n).array();
      g.segment(begin, n) = c * x.segment(begin, n).array() / root;
      return (c * (root - 1)).sum();
    });
    seconds_ += since(start);
    ++calls_;
    return f;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override {
    fail("this benchmark has no curvature");
  }
  CostWeights cost_weights() const override { return {1, 1, 1, 1}; }

  void reset() {
    seconds_ = 0;
    calls_ = 0;
  }
  double seconds() const { return seconds_; }
  Index calls() const { return calls_; }

 private:
  ParameterLayout layout_;
  Vector c_;
  Vector unused_;
  double seconds_ = 0;
  Index calls_ = 0;
};

struct Result {
  double overhead = 1e300;  // seconds an iteration, the least of the repetitions
  Index iterations = 0;
  Index calls = 0;
  double value = 0;
};

/// `solve` runs from x and returns its iterations.
Result measure(Bowls& f, const Vector& start, const std::function<Index(Vector&)>& solve) {
  Result result;
  for (int i = 0; i < kRepetitions; ++i) {
    Vector x = start;
    f.reset();
    const auto begin = Clock::now();
    result.iterations = solve(x);
    const double outside = since(begin) - f.seconds();
    result.calls = f.calls();
    result.overhead = std::min(result.overhead, outside / static_cast<double>(result.iterations));
    result.value = f.value(x);
  }
  return result;
}

void tell(const std::string& name, const Result& r) {
  fmt::print("{:<10} {:8.3f} ms an iteration beside f; {} iterations, {} evaluations, to {:.6e}\n", name,
             1e3 * r.overhead, r.iterations, r.calls, r.value);
}

}  // namespace

int main(int argc, char** argv) try {
  restart_with_better_blas_kernels(argv);
  const Index n = argc > 1 ? std::atol(argv[1]) : 1000000;
  const Index memory = argc > 2 ? std::atol(argv[2]) : 10;
  if (argc > 3) set_threads(std::atoi(argv[3]));
  if (n < 1 || memory < 1) fail("usage: hesse_benchmark_lbfgs [n [memory [threads]]], all at least 1");
  fmt::print("n = {}, memory {}, {} thread{}\n", n, memory, threads(), threads() == 1 ? "" : "s");

  Bowls f(n);
  const Vector start = Vector::LinSpaced(n, -3, 4);
  const Result ours = measure(f, start, [&](Vector& x) {
    const auto optimizer = make_optimizer(fmt::format("lbfgs:memory={}", memory), {f, 1});
    Stopping stopping;
    stopping.max_steps = kIterations;
    return static_cast<Index>(minimize(*optimizer, f, x, stopping).progress.step);
  });
  tell("hesse", ours);
#ifdef HESSE_WITH_LBFGSPP
  const Result theirs = measure(f, start, [&](Vector& x) {
    LBFGSpp::LBFGSParam<double> parameters;
    parameters.m = static_cast<int>(memory);
    parameters.epsilon = 0;
    parameters.epsilon_rel = 0;
    parameters.max_iterations = static_cast<int>(kIterations);
    parameters.linesearch = LBFGSpp::LBFGS_LINESEARCH_BACKTRACKING_STRONG_WOLFE;
    LBFGSpp::LBFGSSolver<double, LBFGSpp::LineSearchNocedalWright> solver(parameters);
    double value = 0;
    auto evaluate = [&f](const Vector& at, Vector& g) { return f.value_and_gradient(at, g); };
    return static_cast<Index>(solver.minimize(evaluate, x, value));
  });
  tell("LBFGS++", theirs);
  fmt::print("LBFGS++ / hesse = {:.2f}\n", theirs.overhead / ours.overhead);
#else
  fmt::print("built without LBFGS++ (liblbfgspp-dev)\n");
#endif
  return 0;
} catch (const Error& e) {
  fmt::print(stderr, "error: {}\n", e.what());
  return 2;
}
