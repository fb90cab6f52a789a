/// \file
/// Curvature weighted by the parameters themselves, so that it does not change when a layer is scaled up and the next
/// one down. Both are defined for the loss of a model on data, and a penalty on the parameters is no part of that:
/// where f has one, they are those of the loss beneath it.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>

namespace hesse {

/// The objective beneath every decorator of f that changes its value: the loss without its penalty; f itself where
/// there is none.
Objective& without_penalty(Objective& f);

/// The square of the Fisher-Rao norm, x'F x (Liang, Poggio, Rakhlin and Stokes 2019, Definition 2), with F a Fisher
/// matrix: `fisher` for the model's own targets, `fisher_empirical` for those of the data. Invariant to every
/// reparametrisation y = D x of the same functions, since F(y) = D^-T F(x) D^-1. For a network of L layers with
/// outputs z of degree L in its parameters (relu, no biases) J x = L z, and it is
///
///     L^2 E z'H_L z      and      L^2 E (dl/dz'z)^2      (Liang et al. 2019, Theorem 3.1)
///
/// One product; exact. F is that of the loss without a penalty, whose Hessian is no Fisher information and would add
/// lambda |x|^2. Throws Error when f has no such curvature.
Estimate fisher_rao_square(Objective& f, const Vector& x, Curvature kind = Curvature::fisher);

/// Which layer, and the probes of its traces.
struct RelativeFlatnessOptions {
  std::string block;         ///< "layer3.weight"; empty: the last with two or more extents
  Index max_products = 100;  ///< >= 6
  std::uint64_t seed = 0;
};

/// The name of that block. Throws Error when there is none of this name, or none that is a matrix or filter.
std::string relative_flatness_block(const ParameterLayout& layout, const std::string& block);

/// Relative flatness (Petzka, Kamp, Adilova, Sminchisescu and Boley 2021, Definition 3) of one layer with the weights
/// W, rows w_s for its neurons, and H_ss' the block of the Hessian of the loss, without a penalty, that belongs to rows
/// s and s':
///
///     kappa = sum_ss' <w_s, w_s'> tr(H_ss') = tr((L x I)' H (L x I)),   W W' = L L'
///
/// with W d x m and L d x min(d, m), x Kronecker's product: the trace of an operator of size m min(d, m), formed
/// exactly where max_products allow as many, and else estimated by Hutch++. In spite of its name a small kappa is flat.
/// Invariant to the rescaling of layers, this one and others, and of single neurons of this one (rows of W), but not of
/// those of the layer before (columns). Throws Error on impossible options and when f has no Hessian.
Estimate relative_flatness(Objective& f, const Vector& x, const RelativeFlatnessOptions& options);

}  // namespace hesse
