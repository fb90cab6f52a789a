#include "hesse/optim/second_order/two_loop.h"

#include "hesse/core/vector_ops.h"

namespace hesse {

void TwoLoop::apply(const CurvaturePairs& pairs, InitialScale scale, Vector& q) {
  const Index count = pairs.count();
  if (count == 0) return;
  const Index n = q.size();
  const auto s = [&](Index i) { return pairs.S().col(i).data(); };
  const auto y = [&](Index i) { return pairs.Y().col(i).data(); };
  double gamma = 0;
  const Index meant = scale == InitialScale::mean ? count : 1;
  for (Index age = 0; age < meant; ++age) gamma += pairs.sy(pairs.column(age)) / pairs.yy(pairs.column(age));
  gamma /= static_cast<double>(meant);

  // Each change of q and the product that follows it are one sweep over q.
  alpha_.resize(pairs.S().cols());
  double product = dot(s(pairs.column(0)), q.data(), n);
  for (Index age = 0; age < count; ++age) {
    const Index i = pairs.column(age);
    alpha_[i] = product / pairs.sy(i);
    if (age + 1 < count) {
      product = add_and_dot(-alpha_[i], y(i), 1, q.data(), s(pairs.column(age + 1)), n);
    } else {
      product = add_and_dot(-alpha_[i] * gamma, y(i), gamma, q.data(), y(i), n);
    }
  }
  for (Index age = count - 1; age >= 0; --age) {
    const Index i = pairs.column(age);
    const double weight = alpha_[i] - product / pairs.sy(i);
    if (age > 0) {
      product = add_and_dot(weight, s(i), 1, q.data(), y(pairs.column(age - 1)), n);
    } else {
      q += weight * pairs.S().col(i);
    }
  }
}

}  // namespace hesse
