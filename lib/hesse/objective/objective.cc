#include "hesse/objective/objective.h"

#include <fmt/format.h>

#include <cmath>

namespace hesse {

std::string Objective::explain_non_finite(const Vector& x) {
  for (Index i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) return fmt::format("parameter {} is {}", layout().describe_entry(i), x[i]);
  }
  Vector g;
  const double f = value_and_gradient(x, g);
  if (!std::isfinite(f)) return fmt::format("the value is {} at a finite point", f);
  for (Index i = 0; i < g.size(); ++i) {
    if (!std::isfinite(g[i])) return fmt::format("the derivative by {} is {}", layout().describe_entry(i), g[i]);
  }
  return {};
}

const char* to_string(Curvature kind) {
  switch (kind) {
    case Curvature::hessian: return "hessian";
    case Curvature::gauss_newton: return "gauss-newton";
    case Curvature::fisher: return "fisher";
    case Curvature::fisher_sampled: return "fisher-sampled";
    case Curvature::fisher_empirical: return "fisher-empirical";
    case Curvature::jacobian_gram: return "jacobian-gram";
  }
  return "unknown";
}

}  // namespace hesse
