#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/data/datasets.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/problems/constrained_problems.h"

#include <Eigen/Cholesky>

#include <cmath>
#include <limits>
#include <vector>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Matrix normal_matrix(Index rows, Index columns, std::uint64_t seed, std::uint64_t step) {
  Matrix A(rows, columns);
  RandomStream(seed, Purpose::synthetic_data, step).fill_normal(Eigen::Map<Vector>(A.data(), A.size()));
  return A;
}

ConstrainedProblem problem_of(std::unique_ptr<Objective> objective) {
  ConstrainedProblem p;
  const Index n = objective->size();
  p.objective = std::move(objective);
  p.lower = Vector::Constant(n, -kInfinity);
  p.upper = Vector::Constant(n, kInfinity);
  p.start = Vector::Zero(n);
  return p;
}

struct SvmOptions {
  std::string data = "breast-cancer";
  double C = 1;
  Index samples = 200;
};
void visit_options(SvmOptions& o, OptionVisitor& v) {
  v.option("data", o.data, "data set of two classes");
  v.option("C", o.C, Interval::positive(), "price of a violated margin");
  v.option("samples", o.samples, Interval::closed(2, 2000), "the first of the training samples");
}
/// min 1/2 a'Qa - sum a with 0 <= a <= C, y'a = 0, Q_ij = y_i y_j x_i'x_j.
ConstrainedProblem svm_dual(const SvmOptions& o, const NoContext&) {
  const DataSplit split = load_data(o.data);
  const Dataset& data = *split.train;
  if (data.class_count != 2) fail("svm-dual needs two classes, and data set '{}' has {}", data.name, data.class_count);
  const Index n = std::min(o.samples, data.sample_count());
  Vector y(n);
  for (Index i = 0; i < n; ++i) y[i] = data.labels[static_cast<std::size_t>(i)] == 1 ? 1.0 : -1.0;
  const Matrix signed_inputs = data.inputs.leftCols(n) * y.asDiagonal();
  ConstrainedProblem p =
      problem_of(std::make_unique<DenseQuadratic>(signed_inputs.transpose() * signed_inputs, -Vector::Ones(n)));
  p.lower.setZero();
  p.upper.setConstant(o.C);
  p.equalities.push_back(std::make_unique<DenseQuadratic>(Matrix::Zero(n, n), y));
  p.description = fmt::format("dual of the support vector machine on {} samples of {}, C = {:g}", n, data.name, o.C);
  return p;
}

struct SimplexOptions {
  Index n = 10;
  Index rows = 30;
  Index seed = 0;
};
void visit_options(SimplexOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(1, 2000), "variables");
  v.option("rows", o.rows, Interval::closed(1, 100000), "equations");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the equations");
}
/// min 1/2 |Rx - b|^2 with x >= 0, sum x = 1.
ConstrainedProblem simplex_least_squares(const SimplexOptions& o, const NoContext&) {
  const auto seed = static_cast<std::uint64_t>(o.seed);
  const Matrix R = normal_matrix(o.rows, o.n, seed, 0);
  const Vector b = normal_matrix(o.rows, 1, seed, 1);
  ConstrainedProblem p =
      problem_of(std::make_unique<DenseQuadratic>(R.transpose() * R, -R.transpose() * b, 0.5 * b.squaredNorm()));
  p.lower.setZero();
  p.start.setConstant(1 / static_cast<double>(o.n));
  p.equalities.push_back(std::make_unique<DenseQuadratic>(Matrix::Zero(o.n, o.n), Vector::Ones(o.n), -1));
  p.simplex_total = 1;
  p.description = fmt::format("least squares of {} equations on the simplex of {} variables", o.rows, o.n);
  return p;
}

struct DivergenceOptions {
  Index n = 5;
  double delta = 0.01;
  Index seed = 0;
};
void visit_options(DivergenceOptions& o, OptionVisitor& v) {
  v.option("n", o.n, Interval::closed(1, 2000), "variables");
  v.option("delta", o.delta, Interval::positive(), "bound on the divergence");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of gradient and Fisher matrix");
}
/// min g's with s'Fs / 2 <= delta, attained at -sqrt(2 delta / g'F^-1 g) F^-1 g.
ConstrainedProblem divergence_step(const DivergenceOptions& o, const NoContext&) {
  const auto seed = static_cast<std::uint64_t>(o.seed);
  const Matrix R = normal_matrix(o.n + 3, o.n, seed, 0);
  const Matrix F = R.transpose() * R;
  const Vector g = normal_matrix(o.n, 1, seed, 1);
  ConstrainedProblem p = problem_of(std::make_unique<DenseQuadratic>(Matrix::Zero(o.n, o.n), g));
  p.inequalities.push_back(std::make_unique<DenseQuadratic>(-F, Vector::Zero(o.n), o.delta));
  const Vector natural = F.ldlt().solve(g);
  p.minimisers = {-std::sqrt(2 * o.delta / g.dot(natural)) * natural};
  p.minimum_value = g.dot(p.minimisers.front());
  p.description = fmt::format("the steepest step of {} variables whose divergence is at most {:g}", o.n, o.delta);
  return p;
}

template <class Options>
ConstrainedProblemRegistry::Entry entry(const char* name, const char* summary, const char* source,
                                        ConstrainedProblem (*make)(const Options&, const NoContext&)) {
  return registry_entry<Options, ConstrainedProblem, const NoContext&>(name, summary, source, make);
}

}  // namespace

std::vector<ConstrainedProblemRegistry::Entry> constrained_examples() {
  return {
      entry("svm-dual", "The dual of the support vector machine, with support vectors where the solution is not 0",
            "Cortes and Vapnik (1995), eq. (16) to (19)", svm_dual),
      entry("simplex-least-squares", "Least squares with coefficients that are shares", "Lawson and Hanson (1974)",
            simplex_least_squares),
      entry("divergence-step", "A step of a policy under a bound on the divergence, in its quadratic model",
            "Schulman et al. (2015), appendix C", divergence_step),
  };
}

}  // namespace hesse
