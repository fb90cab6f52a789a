#include "hesse/optim/second_order/newton.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {

void visit_options(NewtonOptions& o, OptionVisitor& v) {
  v.choice("indefinite", o.indefinite,
           {{"shift", IndefiniteHessian::shift},
            {"modified-cholesky", IndefiniteHessian::modified_cholesky},
            {"keep", IndefiniteHessian::keep}},
           "what a line search does where the Hessian is not positive definite: add a multiple of I, a small diagonal "
           "found while it is factorised, or nothing");
  v.option("floor", o.floor, Interval::open(0, 1),
           "least eigenvalue after the shift, or least pivot of the modified factorisation, relative to |H|");
}

void Newton::prepare(Objective& f, const Point& at) { finite_ = hessian_.form(*f.curvature(at.x, Curvature::hessian)); }

DirectionReport Newton::direction(const Point& at, Vector& d) {
  DirectionReport report;
  report.finite = finite_;
  if (!finite_) return report;
  report.inner_iterations = 1;
  d.resize(at.g.size());
  cholesky_.compute(hessian_.matrix());
  const auto diagonal = cholesky_.matrixLLT().diagonal();
  const double root = std::sqrt(std::numeric_limits<double>::epsilon());
  // Pivots whose squares differ by less than 1 / eps: definite beyond rounding.
  if (cholesky_.info() == Eigen::Success && diagonal.minCoeff() > root * diagonal.maxCoeff()) {
    d = -at.g;
    cholesky_.solveInPlace(d);
    return report;
  }
  if (options_.indefinite == IndefiniteHessian::keep) {
    lu_.compute(hessian_.matrix());
    d.noalias() = lu_.solve(-at.g);
    report.negative_curvature = true;
    return report;
  }
  ++report.inner_iterations;
  if (options_.indefinite == IndefiniteHessian::modified_cholesky) {
    modified_.compute(hessian_.matrix(), options_.floor);
    // What a singular H is given is no sign of negative curvature.
    report.negative_curvature =
        modified_.largest_correction() > 2 * options_.floor * hessian_.matrix().diagonal().cwiseAbs().maxCoeff();
    d = -at.g;
    modified_.solve_in_place(d);
    return report;
  }
  if (!spectral_.decompose(hessian_.matrix())) {
    report.finite = false;
    return report;
  }
  const Vector& values = spectral_.values();
  const double norm = std::max(std::abs(values[0]), std::abs(values[values.size() - 1]));
  report.negative_curvature = values[0] < 0;
  // A Hessian of zeros leaves the gradient.
  spectral_.shifted(at.g, norm > 0 ? options_.floor * norm : 1, d);
  return report;
}

DirectionEntry newton_entry() {
  return {registry_entry<NewtonOptions, std::unique_ptr<Direction>, const DirectionContext&>(
              "newton", "Newton's method with the Hessian as a matrix",
              "Nocedal and Wright (2006), section 3.4 and Algorithm 4.1; More and Sorensen (1983); Schnabel and Eskow "
              "(1999)",
              [](const NewtonOptions& options, const DirectionContext& context) -> std::unique_ptr<Direction> {
                DenseHessian::check_size("newton", context.objective.size());
                return std::make_unique<Newton>(options);
              }),
          "trust-region"};
}

}  // namespace hesse
