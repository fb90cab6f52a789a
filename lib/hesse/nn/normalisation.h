/// \file
/// Normalisation layers: y = gain (x - mean) / sqrt(variance + eps) + bias over groups of entries,
///
///     batch normalisation (Ioffe and Szegedy 2015)   a group is a channel, over all places and all samples at hand
///     layer normalisation (Ba, Kiros and Hinton 2016)  a group is a position of a sample, over its features
///
/// with all derivatives taken through mean and variance. With u = gain dy, s the deviation and z the normalised
/// entries,
///
///     dx = (u - mean(u) - z mean(u z)) / s
///     Rz = (Rx - mean(Rx) - z mean(z Rx)) / s,   Rs = mean(z Rx)
///
/// and the tangent of dx by the product rule.
#pragma once

#include "hesse/core/types.h"
#include "hesse/nn/layer.h"

#include <memory>

namespace hesse {

/// In training: statistics of the samples of the pass, which it couples. Inputs are channels x places. Gain and bias a
/// channel. Throws Error on sizes below 1 or eps <= 0.
std::unique_ptr<Layer> batch_normalisation_layer(Index channels, Index places, double eps = 1e-5);

/// What a batch normalisation uses in place of the statistics of its pass: those of the training data at the parameters
/// that are judged (Wu and Johnson 2021, "precise" statistics), so that no running mean has to be kept.
struct ChannelStatistics {
  Vector mean;
  Vector variance;
};

/// The mean and the variance of each channel of `inputs`, channels x places by samples.
ChannelStatistics channel_statistics(const Matrix& inputs, Index channels);

/// For judging: the same layer with the statistics that `statistics` holds when it is applied; it couples no samples.
/// Its derivatives take them as constants.
std::unique_ptr<Layer> frozen_batch_normalisation_layer(Index channels, Index places,
                                                        std::shared_ptr<const ChannelStatistics> statistics,
                                                        double eps = 1e-5);

/// Inputs are positions x features, features fastest. Gain and bias a feature.
std::unique_ptr<Layer> layer_normalisation_layer(Index features, Index positions, double eps = 1e-5);

}  // namespace hesse
