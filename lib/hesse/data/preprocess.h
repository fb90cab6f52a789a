/// \file
/// What is done to data before training: standardisation by the training samples, subsets and stratified splits.
#pragma once

#include "hesse/data/dataset.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace hesse {

/// x -> (x - mean) * inverse_deviation for each feature.
struct Standardisation {
  Vector mean;
  Vector inverse_deviation;  ///< 1 / population deviation; 0 for a feature that is constant
};

/// Mean and deviation of each feature over the samples (columns), in two passes, parallel over features. A feature
/// whose deviation is no more than rounding, 8 eps times its largest magnitude, counts as constant.
Standardisation fit_standardisation(ConstMatrixView inputs);

/// In place; constant features become 0. Throws Error when the number of features differs.
void apply(const Standardisation& standardisation, MatrixView inputs);

/// A new data set of the chosen samples, in the order given.
std::shared_ptr<Dataset> take_samples(const Dataset& dataset, const std::vector<Index>& samples);

/// Which samples go where; each list ascending.
struct SplitIndices {
  std::vector<Index> train;
  std::vector<Index> test;
};

/// Draws a test set of `fraction` in [0, 1) of the samples at random (Purpose::split). With labels it is stratified:
/// the share of class c in the test set is floor(fraction n_c + 1/2), and every class with a sample keeps one for
/// training. Throws Error when the fraction is out of range or no training sample is left.
SplitIndices stratified_split(const Dataset& dataset, double fraction, std::uint64_t seed);

}  // namespace hesse
