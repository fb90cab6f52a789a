#include "hesse/optim/second_order/sr1.h"

#include "hesse/core/vector_ops.h"
#include "hesse/optim/second_order/dense_hessian.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(Sr1Options& o, OptionVisitor& v) {
  v.option("skip", o.skip, Interval::open(0, 1), "r, least |v's| / |v||s| of a pair that is used");
}

void Sr1::prepare(Objective& f, const Point&) {
  const Index n = f.size();
  if (B_.rows() == n) return;
  DenseHessian::check_size("sr1", n);
  B_ = Matrix::Identity(n, n);
  updates_ = 0;
}

DirectionReport Sr1::direction(const Point& at, Vector& d) {
  DirectionReport report;
  report.inner_iterations = 1;
  report.finite = spectral_.decompose(B_);
  if (!report.finite) return report;
  const Vector& values = spectral_.values();
  report.negative_curvature = values[0] < 0;
  spectral_.shifted(at.g, 1e-8 * std::max(std::abs(values[0]), std::abs(values[values.size() - 1])), d);
  return report;
}

double Sr1::first_step(const Point& at, const Vector&) const {
  return updates_ == 0 ? std::min(1.0, 1 / at.gradient_norm) : 1.0;
}

void Sr1::update(const Vector& s, const Vector& y) {
  v_.resize(s.size());
  if (updates_ == 0) {
    // As for BFGS, the first pair sets the scale; where it shows negative curvature its size alone counts.
    const double sy = std::abs(dot(s, y));
    if (sy > 0) B_.diagonal().setConstant(dot(y, y) / sy);
  }
  v_.noalias() = B_ * s;
  v_ = y - v_;
  const double vs = dot(v_, s);
  if (!(std::abs(vs) >= options_.skip * norm(v_) * norm(s)) || vs == 0) return;
  for (Index j = 0; j < s.size(); ++j) B_.col(j) += (v_[j] / vs) * v_;
  ++updates_;
}

bool Sr1::forget() {
  const bool any = updates_ > 0;
  B_.setIdentity();
  updates_ = 0;
  return any;
}

DirectionEntry sr1_entry() {
  return direction_entry<Sr1, Sr1Options>("sr1", "Symmetric rank-one quasi-Newton with a dense matrix",
                                          "Nocedal and Wright (2006), Algorithm 6.2; Conn, Gould and Toint (1991)",
                                          "trust-region");
}

void visit_options(LimitedSr1Options& o, OptionVisitor& v) {
  v.option("memory", o.memory, Interval::closed(1, 1000), "m, curvature pairs kept");
  v.option("skip", o.skip, Interval::open(0, 1), "r, least |v's| / |v||s| of a pair that is used");
}

void LimitedSr1::prepare(Objective& f, const Point&) {
  size_ = f.size();
  pairs_.reserve(size_);
}

DirectionReport LimitedSr1::direction(const Point& at, Vector& d) {
  d = -at.g;
  return {};
}

double LimitedSr1::first_step(const Point& at, const Vector&) const { return std::min(1.0, 1 / at.gradient_norm); }

const LinearOperator* LimitedSr1::matrix() {
  double gamma = 1;
  if (pairs_.count() > 0) {
    const auto s = pairs_.S().col(pairs_.column(0));
    const auto y = pairs_.Y().col(pairs_.column(0));
    const double sy = std::abs(dot(s, y));
    // B - gamma I must keep its rank: gamma at y'y / s'y itself would make v's vanish for a single pair.
    if (sy > 0) gamma = 0.5 * dot(y, y) / sy;
  }
  matrix_.bind(pairs_, size_, gamma);
  return &matrix_;
}

void LimitedSr1::update(const Vector& s, const Vector& y) {
  v_.resize(s.size());
  matrix()->apply(s, v_);
  v_ = y - v_;
  if (std::abs(dot(v_, s)) >= options_.skip * norm(v_) * norm(s) && norm(v_) > 0) pairs_.add(s, y);
}

DirectionEntry limited_sr1_entry() {
  return direction_entry<LimitedSr1, LimitedSr1Options>(
      "lsr1", "Limited-memory symmetric rank-one, in compact form",
      "Byrd, Nocedal and Schnabel (1994), section 5; Nocedal and Wright (2006), section 7.2",
      "trust-region:subproblem=steihaug");
}

}  // namespace hesse
