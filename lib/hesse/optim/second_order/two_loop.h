/// \file
/// The two-loop recursion (Nocedal 1980; Nocedal and Wright 2006, Algorithm 7.4): q <- H q, where H is the inverse
/// Hessian that BFGS updates from H0 = gamma I with the pairs s, y kept, each with s'y > 0. 8 m n flops, and each pair
/// is read twice.
#pragma once

#include "hesse/optim/second_order/curvature_pairs.h"

namespace hesse {

/// gamma of H0, the inverse of a Rayleigh quotient of the Hessian.
enum class InitialScale {
  newest,  ///< s'y / y'y of the newest pair
  mean,    ///< the mean over all pairs kept, for gradients that are noisy (Schraudolph, Yu and Guenter 2007, eq. (14))
};

/// The recursion with its workspace.
class TwoLoop {
 public:
  /// Without a pair q stays as it is.
  void apply(const CurvaturePairs& pairs, InitialScale scale, Vector& q);

 private:
  Vector alpha_;
};

}  // namespace hesse
