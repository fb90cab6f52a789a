#include "hesse/validation/ceres_bridge.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/least_squares.h"

#include <ceres/ceres.h>
#include <glog/logging.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

namespace hesse {
namespace {

using Row = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Ceres logs what goes wrong through glog, which writes to standard error; a library is silent.
class SilentLog {
 public:
  SilentLog() : level_(FLAGS_minloglevel) { FLAGS_minloglevel = google::GLOG_FATAL; }
  ~SilentLog() { FLAGS_minloglevel = level_; }
  SilentLog(const SilentLog&) = delete;
  SilentLog& operator=(const SilentLog&) = delete;

 private:
  int level_;
};

/// Runs an evaluation for Ceres, which cannot be thrown through: an exception is kept, and Ceres is told that the
/// evaluation failed, so that it comes back.
class Evaluator {
 public:
  explicit Evaluator(Objective& f) : counted_(f) {}

  template <class Evaluation>
  bool guarded(const Evaluation& evaluation) const {
    if (thrown_) return false;
    try {
      evaluation();
      return true;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }
  CountingObjective& objective() const { return counted_; }

 private:
  mutable CountingObjective counted_;
  mutable std::exception_ptr thrown_;
};

class FirstOrder final : public ceres::FirstOrderFunction {
 public:
  explicit FirstOrder(const Evaluator& evaluator) : evaluator_(evaluator) {}

  bool Evaluate(const double* x, double* cost, double* gradient) const override {
    return evaluator_.guarded([&] {
      x_ = Eigen::Map<const Vector>(x, NumParameters());
      if (gradient == nullptr) {
        *cost = evaluator_.objective().value(x_);
      } else {
        *cost = evaluator_.objective().value_and_gradient(x_, g_);
        Eigen::Map<Vector>(gradient, NumParameters()) = g_;
      }
    });
  }
  int NumParameters() const override { return static_cast<int>(evaluator_.objective().size()); }

 private:
  const Evaluator& evaluator_;
  mutable Vector x_;
  mutable Vector g_;
};

class DenseResiduals final : public ceres::CostFunction {
 public:
  DenseResiduals(const Evaluator& evaluator, LeastSquares& squares, Objective& f)
      : evaluator_(evaluator), squares_(squares), f_(f) {
    set_num_residuals(static_cast<int>(squares.residual_count()));
    mutable_parameter_block_sizes()->push_back(static_cast<int>(f.size()));
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    return evaluator_.guarded([&] {
      x_ = Eigen::Map<const Vector>(parameters[0], f_.size());
      const Index m = num_residuals();
      // Whoever counts around f counts this too.
      if (jacobians == nullptr || jacobians[0] == nullptr) {
        evaluator_.objective().count_value();
        charge_value(f_);
        squares_.residuals(x_, r_);
      } else {
        evaluator_.objective().count_gradient();
        charge_gradient(f_);
        squares_.residuals_and_jacobian(x_, r_, J_);
        Eigen::Map<Row>(jacobians[0], m, f_.size()) = J_;
      }
      Eigen::Map<Vector>(residuals, m) = r_;
    });
  }

 private:
  const Evaluator& evaluator_;
  LeastSquares& squares_;
  Objective& f_;
  mutable Vector x_;
  mutable Vector r_;
  mutable Matrix J_;
};

/// Residuals and Jacobian of an objective that has them in blocks, formed whole each time that Ceres begins to
/// evaluate, by the threads of Hesse and with its bits.
class WholeEvaluation final : public ceres::EvaluationCallback {
 public:
  /// Ceres leaves the point in x before each call.
  WholeEvaluation(const Evaluator& evaluator, BlockLeastSquares& squares, Objective& f, const Vector& x)
      : evaluator_(evaluator), squares_(squares), f_(f), x_(x) {}

  void PrepareForEvaluation(bool jacobians, bool new_point) override {
    if (!jacobians && !new_point) return;
    available_ = evaluator_.guarded([&] {
      // Whoever counts around f counts this too.
      if (jacobians) {
        evaluator_.objective().count_gradient();
        charge_gradient(f_);
        squares_.residuals_and_jacobian(x_, r_, J_);
      } else {
        evaluator_.objective().count_value();
        charge_value(f_);
        squares_.residuals(x_, r_);
      }
    });
  }
  bool available() const { return available_; }
  const BlockStructure& structure() const { return squares_.block_structure(); }
  const Vector& residuals() const { return r_; }
  const BlockJacobian& jacobian() const { return J_; }

 private:
  const Evaluator& evaluator_;
  BlockLeastSquares& squares_;
  Objective& f_;
  const Vector& x_;
  Vector r_;
  BlockJacobian J_;
  bool available_ = false;
};

/// One block of them.
class BlockResiduals final : public ceres::CostFunction {
 public:
  BlockResiduals(const WholeEvaluation& whole, Index block) : whole_(whole), block_(block) {
    const BlockStructure& structure = whole.structure();
    set_num_residuals(static_cast<int>(structure.height(block)));
    for (const Index use : structure.uses_of(block)) {
      mutable_parameter_block_sizes()->push_back(static_cast<int>(structure.width(use)));
    }
  }

  bool Evaluate(double const* const*, double* residuals, double** jacobians) const override {
    if (!whole_.available()) return false;
    const Index height = num_residuals();
    Eigen::Map<Vector>(residuals, height) =
        whole_.residuals().segment(whole_.structure().first_residual(block_), height);
    if (jacobians == nullptr) return true;
    const Eigen::Map<const Row> J(whole_.jacobian().rows(block_), height, whole_.jacobian().width(block_));
    Index at = 0;
    for (std::size_t b = 0; b < parameter_block_sizes().size(); ++b) {
      const int width = parameter_block_sizes()[b];
      if (jacobians[b] != nullptr) Eigen::Map<Row>(jacobians[b], height, width) = J.middleCols(at, width);
      at += width;
    }
    return true;
  }

 private:
  const WholeEvaluation& whole_;
  Index block_;
};

void check(const Objective& f, const Vector& x0, const CeresOptions& o) {
  if (x0.size() != f.size()) fail("Ceres: a start of {} parameters for an objective of {}", x0.size(), f.size());
  if (o.lbfgs_rank < 1) fail("Ceres: {} curvature pairs are not possible; give at least 1", o.lbfgs_rank);
  if (o.max_iterations < 0 || o.max_iterations > 2000000000) {
    fail("Ceres: {} iterations are not possible; give at most 2e9", o.max_iterations);
  }
  if (!(o.initial_trust_radius > 0) || !(o.max_seconds > 0)) {
    fail("Ceres: trust radius {} and {} s; both have to be positive", o.initial_trust_radius, o.max_seconds);
  }
  for (const double tolerance : {o.function_tolerance, o.gradient_tolerance, o.parameter_tolerance}) {
    if (!(tolerance >= 0)) fail("Ceres: a tolerance of {} is not possible; give a number >= 0", tolerance);
  }
  const bool quasi_newton = o.method == CeresMethod::bfgs || o.method == CeresMethod::lbfgs;
  if (quasi_newton && o.line_search == CeresLineSearch::armijo) {
    fail("Ceres: {} needs the Wolfe line search, without which its updates may lose positive curvature",
         to_string(o.method));
  }
}

ceres::LineSearchDirectionType direction_of(CeresMethod method) {
  switch (method) {
    case CeresMethod::steepest_descent: return ceres::STEEPEST_DESCENT;
    case CeresMethod::fletcher_reeves:
    case CeresMethod::polak_ribiere:
    case CeresMethod::hestenes_stiefel: return ceres::NONLINEAR_CONJUGATE_GRADIENT;
    case CeresMethod::bfgs: return ceres::BFGS;
    default: return ceres::LBFGS;
  }
}

ceres::NonlinearConjugateGradientType conjugacy_of(CeresMethod method) {
  switch (method) {
    case CeresMethod::polak_ribiere: return ceres::POLAK_RIBIERE;
    case CeresMethod::hestenes_stiefel: return ceres::HESTENES_STIEFEL;
    default: return ceres::FLETCHER_REEVES;
  }
}

/// The settings that both solvers of Ceres have, under the same names.
template <class SolverOptions>
SolverOptions common_options(const CeresOptions& o) {
  SolverOptions options;
  options.line_search_direction_type = direction_of(o.method);
  options.nonlinear_conjugate_gradient_type = conjugacy_of(o.method);
  options.line_search_type = o.line_search == CeresLineSearch::armijo ? ceres::ARMIJO : ceres::WOLFE;
  options.max_lbfgs_rank = static_cast<int>(o.lbfgs_rank);
  options.max_num_iterations = static_cast<int>(o.max_iterations);
  options.max_solver_time_in_seconds = o.max_seconds;
  options.function_tolerance = o.function_tolerance;
  options.gradient_tolerance = o.gradient_tolerance;
  options.parameter_tolerance = o.parameter_tolerance;
  options.logging_type = ceres::SILENT;
  return options;
}

CeresClaim claim_of(ceres::TerminationType type) {
  switch (type) {
    case ceres::CONVERGENCE: return CeresClaim::convergence;
    case ceres::NO_CONVERGENCE: return CeresClaim::no_convergence;
    default: return CeresClaim::failure;
  }
}

template <class Summary>
CeresResult result_of(const Summary& summary, const Evaluator& evaluator, Objective& f, Vector x) {
  evaluator.rethrow();
  CeresResult result;
  result.x = std::move(x);
  result.claim = claim_of(summary.termination_type);
  result.message = summary.message;
  result.claimed_value = summary.final_cost;
  result.iterations = summary.iterations.empty() ? 0 : static_cast<Index>(summary.iterations.size()) - 1;
  result.seconds = summary.total_time_in_seconds;
  result.cost = evaluator.objective().cost();

  Vector g;
  result.value = f.value_and_gradient(result.x, g);
  result.gradient_norm = norm(g);
  result.finite = all_finite(result.x) && std::isfinite(result.value) && std::isfinite(result.gradient_norm);
  // The two ways in which f gives its value round differently; by as much its cost may differ from ours.
  const double rounding = std::abs(f.value(result.x) - result.value);
  const double tolerance = (1e-12 + 10 * f.value_noise()) * std::abs(result.value) + 10 * rounding;
  result.value_agrees = std::isfinite(result.value) && std::abs(result.claimed_value - result.value) <= tolerance;
  return result;
}

}  // namespace

const std::vector<std::pair<std::string, CeresMethod>>& ceres_methods() {
  static const std::vector<std::pair<std::string, CeresMethod>> methods = {
      {"lm", CeresMethod::levenberg_marquardt},
      {"dogleg", CeresMethod::dogleg},
      {"subspace-dogleg", CeresMethod::subspace_dogleg},
      {"steepest-descent", CeresMethod::steepest_descent},
      {"cg-fr", CeresMethod::fletcher_reeves},
      {"cg-pr", CeresMethod::polak_ribiere},
      {"cg-hs", CeresMethod::hestenes_stiefel},
      {"bfgs", CeresMethod::bfgs},
      {"lbfgs", CeresMethod::lbfgs},
  };
  return methods;
}

const char* to_string(CeresMethod method) {
  for (const auto& [name, value] : ceres_methods()) {
    if (value == method) return name.c_str();
  }
  return "unknown";
}

bool needs_least_squares(CeresMethod method) {
  return method == CeresMethod::levenberg_marquardt || method == CeresMethod::dogleg ||
         method == CeresMethod::subspace_dogleg;
}

const char* to_string(CeresClaim claim) {
  switch (claim) {
    case CeresClaim::convergence: return "CONVERGENCE";
    case CeresClaim::no_convergence: return "NO_CONVERGENCE";
    case CeresClaim::failure: return "FAILURE";
  }
  return "unknown";
}

CeresResult ceres_minimise(Objective& f, const Vector& x0, const CeresOptions& options) {
  check(f, x0, options);
  if (needs_least_squares(options.method)) {
    fail("Ceres: {} runs on residuals, and here is a function alone; use lbfgs, bfgs or cg-pr",
         to_string(options.method));
  }
  const SilentLog silent;
  const Evaluator evaluator(f);
  // The problem owns the function.
  const ceres::GradientProblem problem(new FirstOrder(evaluator));
  const auto solver_options = common_options<ceres::GradientProblemSolver::Options>(options);
  ceres::GradientProblemSolver::Summary summary;
  Vector x = x0;
  ceres::Solve(solver_options, problem, x.data(), &summary);
  return result_of(summary, evaluator, f, std::move(x));
}

CeresResult ceres_least_squares(Objective& f, const Vector& x0, const CeresOptions& options) {
  check(f, x0, options);
  auto* const blocks = find<BlockLeastSquares>(f);
  auto* const squares = find<LeastSquares>(f);
  if (squares == nullptr && blocks == nullptr) {
    fail("Ceres: {} needs residuals, which this objective does not have; use lbfgs, bfgs or cg-pr",
         to_string(options.method));
  }
  const SilentLog silent;
  const Evaluator evaluator(f);
  Vector x = x0;
  std::optional<WholeEvaluation> whole;
  ceres::Problem::Options problem_options;
  if (blocks != nullptr) problem_options.evaluation_callback = &whole.emplace(evaluator, *blocks, f, x);
  // The problem owns the cost functions.
  ceres::Problem problem(problem_options);
  auto ordering = std::make_shared<ceres::ParameterBlockOrdering>();
  if (blocks != nullptr) {
    const BlockStructure& structure = blocks->block_structure();
    std::vector<double*> parameters;
    for (Index k = 0; k < structure.residual_blocks(); ++k) {
      parameters.clear();
      for (const Index use : structure.uses_of(k)) parameters.push_back(x.data() + structure.first_variable(use));
      problem.AddResidualBlock(new BlockResiduals(*whole, k), nullptr, parameters);
      for (const Index use : structure.uses_of(k)) {
        ordering->AddElementToGroup(x.data() + structure.first_variable(use), use < structure.eliminated ? 1 : 0);
      }
    }
  } else {
    problem.AddResidualBlock(new DenseResiduals(evaluator, *squares, f), nullptr, x.data());
  }
  auto solver_options = common_options<ceres::Solver::Options>(options);
  solver_options.minimizer_type = needs_least_squares(options.method) ? ceres::TRUST_REGION : ceres::LINE_SEARCH;
  solver_options.trust_region_strategy_type =
      options.method == CeresMethod::levenberg_marquardt ? ceres::LEVENBERG_MARQUARDT : ceres::DOGLEG;
  solver_options.dogleg_type =
      options.method == CeresMethod::subspace_dogleg ? ceres::SUBSPACE_DOGLEG : ceres::TRADITIONAL_DOGLEG;
  solver_options.initial_trust_region_radius = options.initial_trust_radius;
  if (blocks == nullptr) {
    solver_options.linear_solver_type = ceres::DENSE_QR;
  } else if (ordering->NumGroups() > 1) {
    solver_options.linear_solver_type = ceres::DENSE_SCHUR;
    solver_options.linear_solver_ordering = ordering;
  } else {
    solver_options.linear_solver_type = ceres::SPARSE_NORMAL_CHOLESKY;
  }
  // On several threads Ceres adds up in the order in which they come.
  solver_options.num_threads = 1;
  ceres::Solver::Summary summary;
  ceres::Solve(solver_options, &problem, &summary);
  // Asked afterwards, so that whoever counts around f until a target is met counts Ceres alone.
  if (!is_least_squares(f, x0)) {
    fail(
        "Ceres: half the sum of squared residuals is not the objective at the start, {:.10g}; it has a part that is no "
        "residual, so use lbfgs, bfgs or cg-pr",
        f.value(x0));
  }
  return result_of(summary, evaluator, f, std::move(x));
}

bool is_least_squares(Objective& f, const Vector& x) {
  auto* const squares = find<Residuals>(f);
  if (squares == nullptr) return false;
  Vector r;
  squares->residuals(x, r);
  const double half_squares = 0.5 * dot(r, r);
  const double value = f.value(x);
  if (!std::isfinite(value) && !std::isfinite(half_squares)) return true;
  // Sums in two orders differ by far less; a penalty that matters, by far more.
  return std::abs(half_squares - value) <= 1e-9 * std::abs(value);
}

CeresResult ceres_solve(Objective& f, const Vector& x0, const CeresOptions& options) {
  return needs_least_squares(options.method) ? ceres_least_squares(f, x0, options) : ceres_minimise(f, x0, options);
}

const char* ceres_version() { return CERES_VERSION_STRING; }

}  // namespace hesse
