#include "hesse/optim/second_order/lbfgs.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>

namespace hesse {

void visit_options(LbfgsOptions& o, OptionVisitor& v) {
  v.option("memory", o.memory, Interval::closed(1, 1000), "m, curvature pairs kept");
  v.option("curvature", o.curvature, Interval::half_open(0, 1), "least s'y / |s||y| of a pair that is kept");
}

void Lbfgs::prepare(Objective& f, const Point&) {
  size_ = f.size();
  pairs_.reserve(size_);
}

DirectionReport Lbfgs::direction(const Point& at, Vector& q) {
  q = -at.g;
  inverse_.apply(pairs_, InitialScale::newest, q);
  return {};
}

double Lbfgs::first_step(const Point& at, const Vector&) const {
  return pairs_.count() == 0 ? std::min(1.0, 1 / at.gradient_norm) : 1.0;
}

const LinearOperator* Lbfgs::matrix() {
  double gamma = 1;
  if (pairs_.count() > 0) gamma = pairs_.yy(pairs_.column(0)) / pairs_.sy(pairs_.column(0));
  matrix_.bind(pairs_, size_, gamma);
  return &matrix_;
}

const LinearOperator* Lbfgs::inverse_matrix() {
  pairs_.reserve(pairs_.size());
  return &inverse_matrix_;
}

void Lbfgs::update(const Vector& s, const Vector& y) {
  if (dot(s, y) > options_.curvature * norm(s) * norm(y)) pairs_.add(s, y);
}

void Lbfgs::InverseMatrix::apply(ConstMatrixView X, MatrixView Y) const {
  for (Index j = 0; j < X.cols(); ++j) {
    column_ = X.col(j);
    two_loop_.apply(method_.pairs_, InitialScale::newest, column_);
    Y.col(j) = column_;
  }
}

DirectionEntry lbfgs_entry() {
  return direction_entry<Lbfgs, LbfgsOptions>("lbfgs", "Limited-memory BFGS", "Nocedal (1980); Liu and Nocedal (1989)",
                                              "more-thuente");
}

}  // namespace hesse
