#include "hesse/optim/first_order/adafactor.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"

#include <algorithm>

namespace hesse {
namespace {

/// A block as Adafactor sees it.
struct Shape {
  Index rows;
  Index columns;
  bool factored() const { return rows > 1 && columns > 1; }
  Index moments() const { return factored() ? rows + columns : rows * columns; }
};

Shape shape_of(const ParameterBlock& block) {
  if (block.shape.size() < 2 || block.size == 0) return {block.size, 1};
  return {block.shape.front(), block.size / block.shape.front()};
}

/// Adds weight V to the columns and returns the sum of V, for one row V = g^2 + eps.
HESSE_MULTIVERSION double add_row(Index n, const double* __restrict g, double eps, double weight,
                                  double* __restrict columns) {
  double sums[StepBuffer::kLanes] = {};
  Index i = 0;
  for (; i + StepBuffer::kLanes <= n; i += StepBuffer::kLanes) {
    for (Index l = 0; l < StepBuffer::kLanes; ++l) {
      const double square = g[i + l] * g[i + l] + eps;
      columns[i + l] += weight * square;
      sums[l] += square;
    }
  }
  for (; i < n; ++i) {
    const double square = g[i] * g[i] + eps;
    columns[i] += weight * square;
    sums[0] += square;
  }
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

/// g <- g row columns.
HESSE_MULTIVERSION void scale_row(Index n, double* __restrict g, double row, const double* __restrict columns) {
  for (Index i = 0; i < n; ++i) g[i] *= row * columns[i];
}

HESSE_MULTIVERSION void whole_update(Index n, double* __restrict g, double* __restrict v, double beta, double eps) {
  for (Index i = 0; i < n; ++i) {
    v[i] = beta * v[i] + (1 - beta) * (g[i] * g[i] + eps);
    g[i] /= std::sqrt(v[i]);
  }
}

double root_mean_square(ConstVectorView x) {
  return x.size() > 0 ? norm(x) / std::sqrt(static_cast<double>(x.size())) : 0.0;
}

}  // namespace

void visit_options(AdafactorOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr),
           "bound of the relative step rho_t = min(lr, 1 / sqrt(t))");
  v.option("decay", o.decay, Interval::positive(), "gamma in beta2_t = 1 - t^-gamma");
  v.option("eps1", o.eps1, Interval::positive(), "epsilon_1, added to squared gradients");
  v.option("eps2", o.eps2, Interval::positive(), "epsilon_2, least scale of a block");
  v.option("clip", o.clip, Interval::positive(), "d, greatest root mean square of an update");
  v.option("relative", o.relative, "steps relative to the block and falling as 1 / sqrt(t); else the rate is lr");
}

StepReport Adafactor::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  const auto& blocks = f.layout().blocks();
  Index total = 0;
  Index widest = 0;
  for (const ParameterBlock& block : blocks) {
    const Shape shape = shape_of(block);
    total += shape.moments();
    if (shape.factored()) widest = std::max(widest, shape.columns);
  }
  if (moments_.size() != total) moments_ = Vector::Zero(total);
  if (inverse_roots_.size() != widest) inverse_roots_.resize(widest);
  ++t_;
  const auto t = static_cast<double>(t_);
  const double beta = 1 - std::pow(t, -options_.decay);
  const double rho = options_.relative ? std::min(options_.lr, 1 / std::sqrt(t)) : options_.lr;
  double squares = 0;
  double* moments = moments_.data();
  for (const ParameterBlock& block : blocks) {
    if (block.size == 0) continue;
    const Shape shape = shape_of(block);
    auto update = gradient_.segment(block.offset, block.size);
    double* u = update.data();
    if (shape.factored()) {
      double* rows = moments;
      double* columns = moments + shape.rows;
      for (Index j = 0; j < shape.columns; ++j) columns[j] *= beta;
      double sum = 0;
      for (Index i = 0; i < shape.rows; ++i) {
        rows[i] = beta * rows[i] +
                  (1 - beta) * add_row(shape.columns, u + i * shape.columns, options_.eps1, 1 - beta, columns);
        sum += rows[i];
      }
      // 1 / sqrt(r_i c_j / sum) in two factors, neither of which leaves the range of doubles.
      for (Index j = 0; j < shape.columns; ++j) inverse_roots_[j] = std::sqrt(sum) / std::sqrt(columns[j]);
      for (Index i = 0; i < shape.rows; ++i) {
        scale_row(shape.columns, u + i * shape.columns, 1 / std::sqrt(rows[i]), inverse_roots_.data());
      }
    } else {
      whole_update(block.size, u, moments, beta, options_.eps1);
    }
    moments += shape.moments();
    auto weights = x.segment(block.offset, block.size);
    const double scale = options_.relative ? std::max(options_.eps2, root_mean_square(weights)) : 1.0;
    const double rate = scale * rho / std::max(1.0, root_mean_square(update) / options_.clip);
    weights -= rate * update;
    squares += rate * rate * update.squaredNorm();
  }
  report.step_size = rho;
  report.step_norm = std::sqrt(squares);
  return report;
}

OptimizerEntry adafactor_entry() {
  return optimizer_entry<Adafactor, AdafactorOptions>("adafactor",
                                                      "Second moments of a matrix kept as a row and a column",
                                                      "Shazeer and Stern (2018), Algorithms 4 and 5");
}

}  // namespace hesse
