/// \file
/// Powell's dogleg (1970) for the model g's + 1/2 s'B s with B positive definite: along the gradient to the Cauchy
/// point, and from there towards Newton's step, as far as |s| <= Delta allows. The double dogleg of Dennis and Mei
/// (1979) turns towards eta times Newton's step, eta = 0.8 |g|^4 / (g'Bg g'B^-1 g) + 0.2. n^3 / 3 flops for the
/// factorisation, then 4 n^2 a radius.
#pragma once

#include "hesse/core/types.h"

#include <Eigen/Cholesky>

namespace hesse {

/// The dogleg path of one model, for one radius after another.
class Dogleg {
 public:
  /// Factorises B, which must outlive the steps, and finds both ends of the path. True when B is positive definite;
  /// where it is not, the path is the steepest descent alone, to the Cauchy point, or to the boundary where B shows no
  /// positive curvature along it.
  bool start(const Matrix& B, const Vector& g, bool twice = false);

  /// Writes the step into s and returns the model's decrease.
  double step(double radius, Vector& s);

 private:
  Eigen::LLT<Matrix> cholesky_;
  bool definite_ = false;
  double bias_ = 1;  // eta
  double g_norm_ = 0;
  double curvature_ = 0;  // g'Bg / g'g
  const Matrix* B_ = nullptr;
  Vector g_;
  Vector newton_;
  Vector Bs_;
};

}  // namespace hesse
