/// \file
/// Layers on images. A sample is a column that holds channels x height x width, the last index fastest (PyTorch's
/// layout), so that parameters and outputs compare with torch.nn.functional entry by entry.
#pragma once

#include "hesse/nn/layer.h"

#include <memory>

namespace hesse {

/// Channels, height and width of an image.
struct ImageShape {
  Index channels = 1;
  Index height = 1;
  Index width = 1;
  Index size() const { return channels * height * width; }
};

/// The window that moves over an image.
struct Window {
  Index height = 1;
  Index width = 1;
  Index stride = 1;
  Index padding = 0;  ///< zeros on every side

  /// Places of the window on an image: floor((extent + 2 padding - window) / stride) + 1 either way.
  Index rows(const ImageShape& image) const { return (image.height + 2 * padding - height) / stride + 1; }
  Index columns(const ImageShape& image) const { return (image.width + 2 * padding - width) / stride + 1; }
};

/// y_o = sum_c w_oc * x_c + b_o, a correlation as deep learning has it, with w outputs x channels x height x width.
/// Each image is unrolled into its patches (places x channels height width) in a workspace, and every map is a matrix
/// product with them. As a LinearMap its places are the output's pixels and its inputs the patches (Grosse and Martens
/// 2016). Throws Error when the window is larger than the padded image.
std::unique_ptr<Layer> convolution_layer(const ImageShape& image, Index outputs, const Window& window,
                                         bool bias = true);

/// The largest entry under the window, in each channel by itself; of equal ones the first. Padding never wins.
std::unique_ptr<Layer> max_pooling_layer(const ImageShape& image, const Window& window);
/// The mean under the window, padding counted as zeros.
std::unique_ptr<Layer> average_pooling_layer(const ImageShape& image, const Window& window);

/// What convolution_layer and the pooling layers give.
ImageShape convolved(const ImageShape& image, Index outputs, const Window& window);

}  // namespace hesse
