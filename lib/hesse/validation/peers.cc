#include "hesse/validation/peers.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/validation/ceres_bridge.h"

#include <algorithm>
#include <exception>
#include <memory>

#if __has_include(<LBFGS.h>)
#define HESSE_WITH_LBFGSPP
#include <LBFGS.h>
#endif
#ifdef HESSE_WITH_LIBLBFGS
#include <lbfgs.h>
#endif

namespace hesse {
namespace {

constexpr std::string_view kCeres = "ceres-";
constexpr std::string_view kLbfgspp = "lbfgspp";
constexpr std::string_view kLiblbfgs = "liblbfgs";

#ifdef HESSE_WITH_LBFGSPP
PeerResult run_lbfgspp(Objective& f, const Vector& x0, const PeerOptions& options) {
  LBFGSpp::LBFGSParam<double> parameters;
  parameters.epsilon = 0;
  parameters.epsilon_rel = 0;
  parameters.max_iterations = static_cast<int>(options.max_iterations);
  // Its default stops at sufficient decrease, which leaves s'y of either sign, and its update breaks down on that.
  parameters.linesearch = LBFGSpp::LBFGS_LINESEARCH_BACKTRACKING_STRONG_WOLFE;
  // Where f no longer changes, s and y are 0, and its next step would be 0/0.
  parameters.past = 1;
  parameters.delta = 0;
  LBFGSpp::LBFGSSolver<double, LBFGSpp::LineSearchNocedalWright> solver(parameters);
  PeerResult result{x0, ""};
  double value = 0;
  try {
    auto evaluate = [&f](const Vector& x, Vector& g) { return f.value_and_gradient(x, g); };
    const int iterations = solver.minimize(evaluate, result.x, value);
    result.status = fmt::format("{} iterations", iterations);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    result.status = e.what();
  }
  return result;
}
#endif

#ifdef HESSE_WITH_LIBLBFGS
/// What its callback gets to see: exceptions must not pass through C.
struct LiblbfgsContext {
  Objective& f;
  Vector x;
  Vector g;
  std::exception_ptr thrown;
};

double liblbfgs_evaluate(void* instance, const double* x, double* g, int n, double /*step*/) {
  auto& context = *static_cast<LiblbfgsContext*>(instance);
  try {
    context.x = Eigen::Map<const Vector>(x, n);
    const double value = context.f.value_and_gradient(context.x, context.g);
    Eigen::Map<Vector>(g, n) = context.g;
    return value;
  } catch (...) {
    context.thrown = std::current_exception();
    Eigen::Map<Vector>(g, n).setZero();
    return 0;
  }
}

int liblbfgs_progress(void* instance, const double*, const double*, double, double, double, double, int, int, int) {
  return static_cast<LiblbfgsContext*>(instance)->thrown ? 1 : 0;
}

std::string liblbfgs_status(int code) {
  switch (code) {
    case LBFGS_SUCCESS: return "converged";
    case LBFGS_ALREADY_MINIMIZED: return "the start is stationary";
    case LBFGSERR_ROUNDING_ERROR: return "line search: rounding errors";
    case LBFGSERR_MINIMUMSTEP: return "line search: the least step is reached";
    case LBFGSERR_MAXIMUMSTEP: return "line search: the largest step is reached";
    case LBFGSERR_MAXIMUMLINESEARCH: return "line search: too many evaluations";
    case LBFGSERR_MAXIMUMITERATION: return "the budget of iterations is spent";
    case LBFGSERR_WIDTHTOOSMALL: return "line search: the interval is too small";
    case LBFGSERR_INCREASEGRADIENT: return "the direction is not one of descent";
    default: return fmt::format("code {}", code);
  }
}

PeerResult run_liblbfgs(Objective& f, const Vector& x0, const PeerOptions& options) {
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.epsilon = 0;
  parameters.max_iterations = static_cast<int>(options.max_iterations);
  const int n = static_cast<int>(x0.size());
  // Its vectors are padded for SIMD, so they have to come from its own allocator.
  const std::unique_ptr<double, decltype(&lbfgs_free)> x(lbfgs_malloc(n), &lbfgs_free);
  if (x == nullptr) fail("liblbfgs: cannot allocate {} numbers", n);
  Eigen::Map<Vector>(x.get(), n) = x0;
  LiblbfgsContext context{f, {}, {}, {}};
  double value = 0;
  const int code = lbfgs(n, x.get(), &value, liblbfgs_evaluate, liblbfgs_progress, &context, &parameters);
  if (context.thrown) std::rethrow_exception(context.thrown);
  return {Eigen::Map<const Vector>(x.get(), n), liblbfgs_status(code)};
}
#endif

}  // namespace

const std::vector<std::string>& peers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, method] : ceres_methods()) all.push_back(fmt::format("{}{}", kCeres, name));
#ifdef HESSE_WITH_LBFGSPP
    all.emplace_back(kLbfgspp);
#endif
#ifdef HESSE_WITH_LIBLBFGS
    all.emplace_back(kLiblbfgs);
#endif
    return all;
  }();
  return names;
}

bool is_peer(std::string_view name) { return name.starts_with(kCeres) || name == kLbfgspp || name == kLiblbfgs; }

PeerResult run_peer(std::string_view name, Objective& f, const Vector& x0, const PeerOptions& options) {
  if (options.max_iterations < 1 || options.max_iterations > 2000000000) {
    fail("{}: {} iterations are not possible; give 1 to 2e9", name, options.max_iterations);
  }
  if (x0.size() != f.size()) fail("{}: a start of {} parameters for an objective of {}", name, x0.size(), f.size());
  const auto& known = peers();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    if (name == kLbfgspp || name == kLiblbfgs) {
      fail("this build of Hesse is without {}; install {}-dev and build again", name,
           name == kLbfgspp ? "liblbfgspp" : "liblbfgs");
    }
    fail("there is no peer '{}'{}; there are {}", name, suggestion(name, known), fmt::join(known, ", "));
  }
#ifdef HESSE_WITH_LBFGSPP
  if (name == kLbfgspp) return run_lbfgspp(f, x0, options);
#endif
#ifdef HESSE_WITH_LIBLBFGS
  if (name == kLiblbfgs) return run_liblbfgs(f, x0, options);
#endif
  CeresOptions ceres;
  for (const auto& [method_name, method] : ceres_methods()) {
    if (name.substr(kCeres.size()) == method_name) ceres.method = method;
  }
  ceres.max_iterations = options.max_iterations;
  ceres.max_seconds = options.max_seconds;
  const CeresResult result = ceres_solve(f, x0, ceres);
  return {result.x, fmt::format("{}: {}", to_string(result.claim), result.message)};
}

}  // namespace hesse
