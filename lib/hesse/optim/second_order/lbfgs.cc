#include "hesse/optim/second_order/lbfgs.h"

#include "hesse/core/vector_ops.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hesse {

void visit_options(LbfgsOptions& o, OptionVisitor& v) {
  v.option("memory", o.memory, Interval::closed(1, 1000), "m, curvature pairs kept");
  v.option("curvature", o.curvature, Interval::half_open(0, 1), "least s'y / |s||y| of a pair that is kept");
  v.option("ftol", o.ftol, Interval::open(0, 0.5), "c1, sufficient decrease");
  v.option("gtol", o.gtol, Interval::open(0, 1), "c2, curvature condition");
  v.option("max_evaluations", o.max_evaluations, Interval::closed(1, 1000), "trial steps of one line search");
}

Lbfgs::Lbfgs(const LbfgsOptions& options) : options_(options) {
  search_.ftol = options.ftol;
  search_.gtol = std::max(options.gtol, options.ftol);
  search_.max_evaluations = options.max_evaluations;
}

StateView Lbfgs::state() {
  return {{"S", &S_},         {"Y", &Y_},       {"rho", &rho_},
          {"pairs", &pairs_}, {"next", &next_}, {"x", &x_},
          {"g", &g_},         {"f", &f_},       {"on_all_samples", &on_all_samples_}};
}

void Lbfgs::reserve(Index n) {
  const Index columns = options_.memory + 1;
  if (alpha_.size() != columns) alpha_.resize(columns);
  if (direction_.size() != n) {
    direction_.resize(n);
    x_new_.resize(n);
    g_new_.resize(n);
  }
  if (S_.rows() == n && S_.cols() == columns) return;
  // Zeros, not garbage, in the columns that hold no pair yet: checkpoints carry them.
  S_ = Matrix::Zero(n, columns);
  Y_ = Matrix::Zero(n, columns);
  rho_ = Vector::Zero(columns);
  pairs_ = 0;
  next_ = 0;
}

void Lbfgs::compute_direction() {
  Vector& q = direction_;
  q = -g_;
  if (pairs_ == 0) return;
  const auto column = [&](std::int64_t age) { return (next_ - 1 - age + S_.cols()) % S_.cols(); };
  for (std::int64_t age = 0; age < pairs_; ++age) {
    const Index i = column(age);
    alpha_[i] = rho_[i] * dot(S_.col(i), q);
    q -= alpha_[i] * Y_.col(i);
  }
  const Index newest = column(0);
  q *= 1 / (rho_[newest] * dot(Y_.col(newest), Y_.col(newest)));
  for (std::int64_t age = pairs_ - 1; age >= 0; --age) {
    const Index i = column(age);
    const double beta = rho_[i] * dot(Y_.col(i), q);
    q += (alpha_[i] - beta) * S_.col(i);
  }
}

void Lbfgs::keep_pair() {
  auto s = S_.col(next_);
  auto y = Y_.col(next_);
  s = x_new_ - x_;
  y = g_new_ - g_;
  const double sy = dot(s, y);
  if (!(sy > options_.curvature * norm(s) * norm(y))) return;
  rho_[next_] = 1 / sy;
  next_ = (next_ + 1) % S_.cols();
  pairs_ = std::min<std::int64_t>(pairs_ + 1, options_.memory);
}

StepReport Lbfgs::step(Objective& f, Vector& x) {
  StepReport report;
  reserve(x.size());
  // On all samples f is one function for ever; on batches it is one as long as its revision stands.
  const bool all_samples = f.samples() == f.total_samples();
  const bool same_function = (all_samples && on_all_samples_ != 0) || revision_ == f.revision();
  if (!same_function || x_.size() != x.size() || x_ != x) {
    x_ = x;
    f_ = f.value_and_gradient(x, g_);
  }
  revision_ = f.revision();
  on_all_samples_ = all_samples ? 1 : 0;
  report.value = f_;
  report.gradient_norm = norm(g_);
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.status = StepStatus::non_finite;
    return report;
  }
  if (report.gradient_norm == 0) {
    report.value_after = report.value;
    report.gradient_norm_after = 0;
    report.step_norm = 0;
    return report;
  }

  LineSearchResult found;
  for (int attempt = 0; attempt < 2; ++attempt) {
    compute_direction();
    double slope = dot(g_, direction_);
    if (!(slope < 0)) {
      pairs_ = 0;
      compute_direction();
      slope = dot(g_, direction_);
    }
    const bool steepest = pairs_ == 0;
    const double first = steepest ? std::min(1.0, 1 / report.gradient_norm) : 1.0;
    found = line_search(f, x_, direction_, f_, slope, first, search_, x_new_, g_new_);
    report.inner_iterations += found.evaluations;
    if (found.accepted() || steepest) break;
    pairs_ = 0;
  }
  if (!found.accepted()) {
    switch (found.status) {
      case LineSearchStatus::at_rounding: report.status = StepStatus::line_search_at_rounding; break;
      case LineSearchStatus::non_finite: report.status = StepStatus::non_finite; break;
      default: report.status = StepStatus::line_search_failed; break;
    }
    return report;
  }

  keep_pair();
  report.step_size = found.step;
  report.step_norm = distance(x_new_, x_);
  f_ = found.value;
  std::swap(x_, x_new_);
  std::swap(g_, g_new_);
  x = x_;
  report.value_after = f_;
  report.gradient_norm_after = norm(g_);
  report.tell("pairs", static_cast<double>(pairs_));
  return report;
}

OptimizerEntry lbfgs_entry() {
  return optimizer_entry<Lbfgs, LbfgsOptions>("lbfgs", "Limited-memory BFGS with a strong Wolfe line search",
                                              "Nocedal (1980); Liu and Nocedal (1989)");
}

}  // namespace hesse
