#include "hesse/optim/second_order/two_loop.h"

#include "hesse/core/vector_ops.h"

namespace hesse {

void TwoLoop::apply(const CurvaturePairs& pairs, InitialScale scale, Vector& q) {
  if (pairs.count() == 0) return;
  const Matrix& S = pairs.S();
  const Matrix& Y = pairs.Y();
  alpha_.resize(S.cols());
  rho_.resize(S.cols());
  for (Index age = 0; age < pairs.count(); ++age) {
    const Index i = pairs.column(age);
    rho_[i] = 1 / dot(S.col(i), Y.col(i));
    alpha_[i] = rho_[i] * dot(S.col(i), q);
    q -= alpha_[i] * Y.col(i);
  }
  const auto scale_of = [&](Index age) {
    const Index i = pairs.column(age);
    return 1 / (rho_[i] * dot(Y.col(i), Y.col(i)));
  };
  double gamma = scale_of(0);
  if (scale == InitialScale::mean) {
    for (Index age = 1; age < pairs.count(); ++age) gamma += scale_of(age);
    gamma /= static_cast<double>(pairs.count());
  }
  q *= gamma;
  for (Index age = pairs.count() - 1; age >= 0; --age) {
    const Index i = pairs.column(age);
    const double beta = rho_[i] * dot(Y.col(i), q);
    q += (alpha_[i] - beta) * S.col(i);
  }
}

}  // namespace hesse
