#include "hesse/optim/second_order/saddle_free.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(SaddleFreeOptions& o, OptionVisitor& v) {
  v.option("damping", o.damping, Interval::open(0, 1), "least |eigenvalue| that is inverted, relative to the greatest");
  v.option("subspace", o.subspace, Interval::closed(0, 2000),
           "k, dimension of the Lanczos subspace; 0: all, by entries");
}

void SaddleFree::prepare(Objective& f, const Point& at) {
  products_ = f.curvature(at.x, Curvature::hessian);
  if (options_.subspace == 0) finite_ = hessian_.form(*products_);
}

DirectionReport SaddleFree::direction(const Point& at, Vector& d) {
  DirectionReport report;
  const auto floor = [&] {
    const Vector& values = spectral_.values();
    const double largest = std::max(std::abs(values[0]), std::abs(values[values.size() - 1]));
    report.negative_curvature = values[0] < 0;
    return largest > 0 ? options_.damping * largest : 1.0;
  };
  if (options_.subspace == 0) {
    report.finite = finite_ && spectral_.decompose(hessian_.matrix());
    if (!report.finite) return report;
    report.inner_iterations = 1;
    spectral_.absolute(at.g, floor(), d);
    return report;
  }
  lanczos_.start(at.g, options_.subspace);
  while (!lanczos_.complete()) {
    report.finite = lanczos_.extend(*products_);
    if (!report.finite) return report;
  }
  const Index k = lanczos_.steps();
  projected_ = lanczos_.projected();
  report.finite = spectral_.decompose(projected_);
  if (!report.finite) return report;
  report.inner_iterations = k;
  // g is the first basis vector times its norm: none of it lies outside the subspace.
  reduced_.setZero(k);
  reduced_[0] = at.gradient_norm;
  spectral_.absolute(reduced_, floor(), step_);
  d.resize(at.g.size());
  d.noalias() = lanczos_.basis() * step_;
  return report;
}

DirectionEntry saddle_free_entry() {
  return {registry_entry<SaddleFreeOptions, std::unique_ptr<Direction>, const DirectionContext&>(
              "saddle-free", "Newton with the absolute values of the Hessian's eigenvalues",
              "Dauphin, Pascanu, Gulcehre, Cho, Ganguli and Bengio (2014), Algorithm 1",
              [](const SaddleFreeOptions& options, const DirectionContext& context) -> std::unique_ptr<Direction> {
                if (options.subspace == 0) DenseHessian::check_size("saddle-free", context.objective.size());
                return std::make_unique<SaddleFree>(options);
              }),
          "backtracking"};
}

}  // namespace hesse
