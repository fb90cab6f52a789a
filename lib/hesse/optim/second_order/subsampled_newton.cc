#include "hesse/optim/second_order/subsampled_newton.h"

namespace hesse {

void visit_options(SubsampledNewtonOptions& o, OptionVisitor& v) {
  v.option("fraction", o.fraction, {0, 1, true, false}, "|S|, share of the step's samples that the matrix is over");
  v.choice("curvature", o.curvature,
           {{"hessian", Curvature::hessian}, {"gauss-newton", Curvature::gauss_newton}, {"fisher", Curvature::fisher}},
           "matrix of the quadratic model");
  v.option("forcing", o.forcing, Interval::open(0, 1), "upper bound of the forcing term");
  v.option("max_cg", o.max_cg, Interval::closed(1, 1000000), "products of one subproblem");
}

void SubsampledNewton::prepare(Objective& f, const Point& at) {
  FiniteSum& sum = finite_sum_of(f, "subsampled-newton");
  const auto draw = static_cast<std::uint64_t>(draws_++);
  const ShareSelection part(sum, fraction_, RandomStream(seed_, Purpose::curvature_samples, draw), room_);
  newton_cg_.prepare(f, at);
}

DirectionEntry subsampled_newton_entry() {
  return {
      registry_entry<SubsampledNewtonOptions, std::unique_ptr<Direction>, const DirectionContext&>(
          "subsampled-newton", "Truncated Newton whose matrix is the mean over a fresh part of the samples",
          "Byrd, Chin, Neveitt and Nocedal (2011); Bollapragada, Byrd and Nocedal (2019); Roosta-Khorasani and "
          "Mahoney (2019)",
          [](const SubsampledNewtonOptions& options, const DirectionContext& context) -> std::unique_ptr<Direction> {
            finite_sum_of(context.objective, "subsampled-newton");
            return std::make_unique<SubsampledNewton>(options, context.seed);
          }),
      "backtracking"};
}

}  // namespace hesse
