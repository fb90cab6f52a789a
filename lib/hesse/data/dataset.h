/// \file
/// A data set in memory: samples are columns, so that one sample is contiguous.
#pragma once

#include "hesse/core/types.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace hesse {

/// Inputs with class labels, or with real targets, or with neither (an autoencoder's data).
/// Immutable once shared.
struct Dataset {
  std::string name;
  Matrix inputs;  ///< features x samples
  /// Class of each sample in [0, class_count); empty if none. `places` of them a sample where there are several.
  std::vector<std::int32_t> labels;
  Index places = 1;                        ///< targets of a sample: the positions of a text
  Index class_count = 0;                   ///< 0 if there are no labels
  Matrix targets;                          ///< outputs x samples; empty if none
  std::vector<std::string> feature_names;  ///< empty, or one for each feature

  Index sample_count() const { return inputs.cols(); }
  Index feature_count() const { return inputs.rows(); }

  /// The inputs rounded to float, made at the first call and kept. Safe from several threads.
  const Eigen::MatrixXf& inputs_in_float() const;

 private:
  mutable std::once_flag float_once_;
  mutable Eigen::MatrixXf float_inputs_;
};

/// Training and test samples that went through the same transformation, fitted on the training
/// samples alone.
struct DataSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;  ///< null when there is no test set
};

}  // namespace hesse
