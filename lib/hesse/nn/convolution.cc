#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/workspaces.h"
#include "hesse/nn/image_layers.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hesse {
namespace {

void check_window(const char* what, const ImageShape& image, const Window& window) {
  if (image.channels < 1 || image.height < 1 || image.width < 1) {
    fail("{}: an image of {} x {} x {}; every extent must be >= 1", what, image.channels, image.height, image.width);
  }
  if (window.height < 1 || window.width < 1 || window.stride < 1 || window.padding < 0) {
    fail("{}: a window of {} x {} with stride {} and padding {}; extents and stride must be >= 1, padding >= 0", what,
         window.height, window.width, window.stride, window.padding);
  }
  if (window.height > image.height + 2 * window.padding || window.width > image.width + 2 * window.padding) {
    fail("{}: a window of {} x {} is larger than the image of {} x {} with padding {}", what, window.height,
         window.width, image.height, image.width, window.padding);
  }
}

/// The part [first, last) of the window's places along one axis whose entry at `offset` lies inside the image.
std::pair<Index, Index> inside(Index places, Index extent, Index stride, Index padding, Index offset) {
  const Index start = padding - offset;  // place * stride >= start
  const Index first = start > 0 ? (start + stride - 1) / stride : 0;
  const Index end = extent + padding - offset;  // place * stride < end
  const Index last = end > 0 ? std::min(places, (end + stride - 1) / stride) : 0;
  return {std::min(first, last), last};
}

template <class T>
using Workspace = Eigen::Matrix<T, Eigen::Dynamic, 1>;

template <class T>
T* room(Workspace<T>& workspace, Index size) {
  grow(workspace, size);
  return workspace.data();
}

template <class T>
class ConvolutionMaps final : public LayerMaps<T> {
 public:
  ConvolutionMaps(const ImageShape& image, Index outputs, const Window& window, bool bias)
      : image_(image),
        window_(window),
        outputs_(outputs),
        rows_(window.rows(image)),
        columns_(window.columns(image)),
        places_(rows_ * columns_),
        patch_(image.channels * window.height * window.width),
        bias_(bias),
        tile_outputs_((block_count(outputs, 4) + 7) / 8 * 8) {}

  void forward(const T* p, ConstColumns<T> x, Columns<T> y) const override {
    for (Index j = 0; j < x.cols(); ++j) {
      start_with_bias(p, y.col(j).data());
      T* const patches = unroll(x.col(j).data(), first());
      add_product(patches, p, y.col(j).data());
    }
  }

  void backward(const T* p, ConstColumns<T>, ConstColumns<T>, ConstColumns<T> dy, Columns<T> dx) const override {
    T* const patches = room(first(), places_ * patch_);
    for (Index j = 0; j < dy.cols(); ++j) {
      back_product(dy.col(j).data(), p, T(0), patches);
      roll(patches, dx.col(j).data());
    }
  }

  void forward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T>, const T* rx,
                       Columns<T> ry) const override {
    for (Index j = 0; j < x.cols(); ++j) {
      start_with_bias(v, ry.col(j).data());
      add_product(unroll(x.col(j).data(), first()), v, ry.col(j).data());
      if (rx != nullptr) add_product(unroll(rx + j * x.rows(), first()), p, ry.col(j).data());
    }
  }

  void backward_tangent(const T* p, const T* v, ConstColumns<T>, ConstColumns<T>, ConstColumns<T> dy, ConstColumns<T>,
                        ConstColumns<T> rdy, Columns<T> rdx) const override {
    T* const patches = room(first(), places_ * patch_);
    for (Index j = 0; j < dy.cols(); ++j) {
      back_product(rdy.col(j).data(), p, T(0), patches);
      back_product(dy.col(j).data(), v, T(1), patches);
      roll(patches, rdx.col(j).data());
    }
  }

  /// Tiles are groups of output channels; the last one is the bias.
  Index tiles() const override { return block_count(outputs_, tile_outputs_) + (bias_ ? 1 : 0); }
  ParameterTile tile(Index index) const override {
    if (is_bias(index)) return {patch_ * outputs_, outputs_};
    const Range r = block_range(outputs_, tile_outputs_, index);
    return {r.begin * patch_, r.size() * patch_};
  }

  void gradient(Index tile, ConstColumns<T> x, ConstColumns<T> dy, T beta, T* g) const override {
    if (is_bias(tile)) return bias_gradient(dy, beta, g);
    add_outer(tile, x.data(), dy, beta, g);
  }

  void gradient_tangent(Index tile, ConstColumns<T> x, ConstColumns<T> dy, const T* rx, ConstColumns<T> rdy, T beta,
                        T* g) const override {
    gradient(tile, x, rdy, beta, g);
    if (rx != nullptr && !is_bias(tile)) add_outer(tile, rx, dy, T(1), g);
  }

  void inputs_at_places(ConstColumns<T> x, Columns<T> a) const override {
    for (Index j = 0; j < x.cols(); ++j) {
      const T* const patches = unroll(x.col(j).data(), first());
      a.middleCols(j * places_, places_) = ConstColumns<T>(patches, places_, patch_).transpose();
    }
  }
  void adjoints_at_places(ConstColumns<T> dy, Columns<T> g) const override {
    for (Index j = 0; j < dy.cols(); ++j) {
      g.middleCols(j * places_, places_) = ConstColumns<T>(dy.col(j).data(), places_, outputs_).transpose();
    }
  }

 private:
  static Workspace<T>& first() {
    thread_local Workspace<T> own;
    return own;
  }

  bool is_bias(Index tile) const { return bias_ && tile + 1 == tiles(); }

  void start_with_bias(const T* p, T* y) const {
    for (Index o = 0; o < outputs_; ++o) {
      std::fill_n(y + o * places_, places_, bias_ ? p[patch_ * outputs_ + o] : T(0));
    }
  }

  /// Patches of an image, places x patch, column-major: one column for each entry of the window, along which places of
  /// a row lie next to each other as in the image.
  T* unroll(const T* x, Workspace<T>& workspace) const {
    T* const patches = room(workspace, places_ * patch_);
    each_entry([&](Index column, Index plane, Index dy, Index dx) {
      T* const out = patches + column * places_;
      const auto [r0, r1] = inside(rows_, image_.height, window_.stride, window_.padding, dy);
      const auto [c0, c1] = inside(columns_, image_.width, window_.stride, window_.padding, dx);
      std::fill_n(out, r0 * columns_, T(0));
      std::fill_n(out + r1 * columns_, (rows_ - r1) * columns_, T(0));
      for (Index r = r0; r < r1; ++r) {
        T* const row = out + r * columns_;
        const T* const from =
            x + plane + (r * window_.stride + dy - window_.padding) * image_.width + dx - window_.padding;
        std::fill_n(row, c0, T(0));
        std::fill_n(row + c1, columns_ - c1, T(0));
        if (window_.stride == 1) {
          std::memcpy(row + c0, from + c0, static_cast<std::size_t>(c1 - c0) * sizeof(T));
        } else {
          for (Index c = c0; c < c1; ++c) row[c] = from[c * window_.stride];
        }
      }
    });
    return patches;
  }

  /// The transposed map: every entry of an image gathers from the patches that hold it.
  void roll(const T* patches, T* x) const {
    std::fill_n(x, image_.size(), T(0));
    each_entry([&](Index column, Index plane, Index dy, Index dx) {
      const T* const in = patches + column * places_;
      const auto [r0, r1] = inside(rows_, image_.height, window_.stride, window_.padding, dy);
      const auto [c0, c1] = inside(columns_, image_.width, window_.stride, window_.padding, dx);
      for (Index r = r0; r < r1; ++r) {
        const T* const row = in + r * columns_;
        T* const to = x + plane + (r * window_.stride + dy - window_.padding) * image_.width + dx - window_.padding;
        for (Index c = c0; c < c1; ++c) to[c * window_.stride] += row[c];
      }
    });
  }

  template <class Visit>
  void each_entry(const Visit& visit) const {
    Index column = 0;
    for (Index c = 0; c < image_.channels; ++c) {
      for (Index dy = 0; dy < window_.height; ++dy) {
        for (Index dx = 0; dx < window_.width; ++dx) {
          visit(column++, c * image_.height * image_.width, dy, dx);
        }
      }
    }
  }

  /// y += patches W', with W as it is stored the matrix patch x outputs.
  void add_product(const T* patches, const T* w, T* y) const {
    gemm(Transpose::no, Transpose::no, places_, outputs_, patch_, T(1), patches, places_, w, patch_, T(1), y, places_);
  }
  /// patches = dy W + beta patches.
  void back_product(const T* dy, const T* w, T beta, T* patches) const {
    gemm(Transpose::no, Transpose::yes, places_, patch_, outputs_, T(1), dy, places_, w, patch_, beta, patches,
         places_);
  }

  void bias_gradient(ConstColumns<T> dy, T beta, T* g) const {
    for (Index o = 0; o < outputs_; ++o) {
      T sum = beta == T(0) ? T(0) : g[o];
      for (Index j = 0; j < dy.cols(); ++j) sum += dy.col(j).segment(o * places_, places_).sum();
      g[o] = sum;
    }
  }

  /// The tile's part of sum_j patches(x_j)' dy_j.
  void add_outer(Index tile, const T* x, ConstColumns<T> dy, T beta, T* g) const {
    const Range r = block_range(outputs_, tile_outputs_, tile);
    for (Index j = 0; j < dy.cols(); ++j) {
      const T* const patches = unroll(x + j * image_.size(), first());
      gemm(Transpose::yes, Transpose::no, patch_, r.size(), places_, T(1), patches, places_,
           dy.col(j).data() + r.begin * places_, places_, j == 0 ? beta : T(1), g, patch_);
    }
  }

  ImageShape image_;
  Window window_;
  Index outputs_;
  Index rows_;
  Index columns_;
  Index places_;
  Index patch_;
  bool bias_;
  Index tile_outputs_;
};

class Convolution final : public Layer {
 public:
  Convolution(const ImageShape& image, Index outputs, const Window& window, bool bias)
      : image_(image),
        window_(window),
        outputs_(outputs),
        bias_(bias),
        in_float_(image, outputs, window, bias),
        in_double_(image, outputs, window, bias) {}

  std::string name() const override { return "convolution"; }
  Index input_size() const override { return image_.size(); }
  Index output_size() const override { return outputs_ * places(); }
  std::vector<LayerParameter> parameters() const override {
    const Index patch = image_.channels * window_.height * window_.width;
    const Index fan_out = outputs_ * window_.height * window_.width;
    std::vector<LayerParameter> all = {
        {"weight", {outputs_, image_.channels, window_.height, window_.width}, patch, fan_out, ParameterRole::weight}};
    if (bias_) all.push_back({"bias", {outputs_}, patch, fan_out, ParameterRole::bias});
    return all;
  }
  std::optional<LinearMap> linear_map() const override {
    return LinearMap{image_.channels * window_.height * window_.width, outputs_, places(), bias_};
  }
  double multiplications() const override { return Layer::multiplications() * static_cast<double>(places()); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  Index places() const { return window_.rows(image_) * window_.columns(image_); }

  ImageShape image_;
  Window window_;
  Index outputs_;
  bool bias_;
  ConvolutionMaps<float> in_float_;
  ConvolutionMaps<double> in_double_;
};

/// Pooling acts on each channel alone; it is linear (mean) or piecewise linear (max), and has no parameters.
template <class T, bool kMax>
class PoolingMaps final : public LayerMaps<T> {
 public:
  PoolingMaps(const ImageShape& image, const Window& window)
      : image_(image), window_(window), rows_(window.rows(image)), columns_(window.columns(image)) {}

  void forward(const T*, ConstColumns<T> x, Columns<T> y) const override {
    each_place(
        [&](Index j, Index plane, Index r, Index c, Index out) {
          const T* const image = x.col(j).data() + plane;
          if constexpr (kMax) {
            y(out, j) = image[winner(image, r, c)];
          } else {
            T sum = 0;
            each_under(r, c, [&](Index at) { sum += image[at]; });
            y(out, j) = sum / area();
          }
        },
        x.cols());
  }
  void backward(const T*, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T> dy, Columns<T> dx) const override {
    scatter(x, dy, dx);
  }
  void forward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T>, const T* rx,
                       Columns<T> ry) const override {
    if (rx == nullptr) {
      ry.setZero();
      return;
    }
    each_place(
        [&](Index j, Index plane, Index r, Index c, Index out) {
          const T* const tangent = rx + j * x.rows() + plane;
          if constexpr (kMax) {
            ry(out, j) = tangent[winner(x.col(j).data() + plane, r, c)];
          } else {
            T sum = 0;
            each_under(r, c, [&](Index at) { sum += tangent[at]; });
            ry(out, j) = sum / area();
          }
        },
        x.cols());
  }
  void backward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T>, ConstColumns<T>,
                        ConstColumns<T> rdy, Columns<T> rdx) const override {
    scatter(x, rdy, rdx);
  }

 private:
  T area() const { return static_cast<T>(window_.height * window_.width); }

  void scatter(ConstColumns<T> x, ConstColumns<T> dy, Columns<T> dx) const {
    dx.setZero();
    each_place(
        [&](Index j, Index plane, Index r, Index c, Index out) {
          T* const to = dx.col(j).data() + plane;
          if constexpr (kMax) {
            to[winner(x.col(j).data() + plane, r, c)] += dy(out, j);
          } else {
            const T each = dy(out, j) / area();
            each_under(r, c, [&](Index at) { to[at] += each; });
          }
        },
        x.cols());
  }

  Index winner(const T* image, Index r, Index c) const {
    Index best = -1;
    each_under(r, c, [&](Index at) {
      if (best < 0 || image[at] > image[best]) best = at;
    });
    return best;
  }

  template <class Visit>
  void each_place(const Visit& visit, Index columns) const {
    for (Index j = 0; j < columns; ++j) {
      Index out = 0;
      for (Index channel = 0; channel < image_.channels; ++channel) {
        for (Index r = 0; r < rows_; ++r) {
          for (Index c = 0; c < columns_; ++c) visit(j, channel * image_.height * image_.width, r, c, out++);
        }
      }
    }
  }
  template <class Visit>
  void each_under(Index r, Index c, const Visit& visit) const {
    const Index top = r * window_.stride - window_.padding;
    const Index left = c * window_.stride - window_.padding;
    const Index bottom = std::min(top + window_.height, image_.height);
    const Index right = std::min(left + window_.width, image_.width);
    for (Index y = std::max<Index>(top, 0); y < bottom; ++y) {
      for (Index x = std::max<Index>(left, 0); x < right; ++x) visit(y * image_.width + x);
    }
  }

  ImageShape image_;
  Window window_;
  Index rows_;
  Index columns_;
};

template <bool kMax>
class Pooling final : public Layer {
 public:
  Pooling(const ImageShape& image, const Window& window)
      : image_(image),
        output_(convolved(image, image.channels, window)),
        in_float_(image, window),
        in_double_(image, window) {}

  std::string name() const override { return kMax ? "max-pooling" : "average-pooling"; }
  Index input_size() const override { return image_.size(); }
  Index output_size() const override { return output_.size(); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  ImageShape image_;
  ImageShape output_;
  PoolingMaps<float, kMax> in_float_;
  PoolingMaps<double, kMax> in_double_;
};

}  // namespace

ImageShape convolved(const ImageShape& image, Index outputs, const Window& window) {
  return {outputs, window.rows(image), window.columns(image)};
}

std::unique_ptr<Layer> convolution_layer(const ImageShape& image, Index outputs, const Window& window, bool bias) {
  check_window("convolution", image, window);
  if (outputs < 1) fail("convolution: {} output channels; at least 1 is needed", outputs);
  return std::make_unique<Convolution>(image, outputs, window, bias);
}

std::unique_ptr<Layer> max_pooling_layer(const ImageShape& image, const Window& window) {
  check_window("max pooling", image, window);
  // Otherwise a window may lie on padding alone.
  if (window.padding >= window.height || window.padding >= window.width) {
    fail("max pooling: a padding of {} leaves windows of {} x {} outside of the image", window.padding, window.height,
         window.width);
  }
  return std::make_unique<Pooling<true>>(image, window);
}

std::unique_ptr<Layer> average_pooling_layer(const ImageShape& image, const Window& window) {
  check_window("average pooling", image, window);
  return std::make_unique<Pooling<false>>(image, window);
}

}  // namespace hesse
