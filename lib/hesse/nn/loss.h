/// \file
/// Losses on the outputs z of a network, per sample, with what second-order methods need of them.
///
///     softmax cross-entropy   log sum_i exp z_i - z_y           y a class
///     binary cross-entropy    sum_i log(1 + exp z_i) - t_i z_i  t in [0, 1]
///     squared error           1/2 sum_i (z_i - t_i)^2
///
/// Where a sample has several places (the positions of a text), z holds the logits of one place after the other, there
/// is a class for each, and the loss of the sample is the mean over its places.
///
/// Each is the negative log-likelihood of an exponential family in its natural parameters z, so its
/// Hessian in z does not depend on the target and equals the Fisher information of the model's own
/// predictive distribution.
#pragma once

#include "hesse/core/random.h"
#include "hesse/nn/layer.h"

#include <cstdint>
#include <memory>

namespace hesse {

enum class Loss { softmax_cross_entropy, binary_cross_entropy, squared_error };
const char* to_string(Loss loss);

/// Where the targets of a chunk's columns are: a class (one for each place, next to each other) or a column of values
/// for each sample. To a loss that wants values a class is t = class of one output, t = e_class of several.
template <class T>
struct Targets {
  const std::int32_t* labels = nullptr;
  const T* values = nullptr;  ///< outputs x samples, used when there are no labels
  Index outputs = 0;
};

/// The maps of a loss on a chunk. `samples` names the data-set sample of each column.
template <class T>
class LossMaps {
 public:
  virtual ~LossMaps() = default;

  /// Sum of the losses of the chunk, in double. `cache` (outputs x columns) is filled with what the
  /// other maps need: the model's mean (softmax, sigmoid or z itself).
  virtual double value(ConstColumns<T> z, const Targets<T>& targets, const Index* samples, Columns<T> cache) const = 0;
  /// dz = scale (mean - target).
  virtual void adjoint(ConstColumns<T> cache, const Targets<T>& targets, const Index* samples, T scale,
                       Columns<T> dz) const = 0;
  /// out = scale H u, column by column, with H the Hessian of the sample's loss in z.
  virtual void hessian_product(ConstColumns<T> cache, ConstColumns<T> u, T scale, Columns<T> out) const = 0;
  /// s = mean - t with t drawn from the model; the draw of sample i is a function of (stream, i). Over R places, which
  /// draw independently, it is divided by sqrt(R), so that the mean of s s' is the Hessian of the sample's loss.
  virtual void sampled_score(ConstColumns<T> cache, const RandomStream& stream, const Index* samples,
                             Columns<T> s) const = 0;
};

/// Throws Error on several places of another loss than softmax cross-entropy.
template <class T>
std::shared_ptr<const LossMaps<T>> make_loss_maps(Loss loss, Index places = 1);

}  // namespace hesse
