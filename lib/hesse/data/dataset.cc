#include "hesse/data/dataset.h"

namespace hesse {

const Eigen::MatrixXf& Dataset::inputs_in_float() const {
  std::call_once(float_once_, [this] { float_inputs_ = inputs.cast<float>(); });
  return float_inputs_;
}

}  // namespace hesse
