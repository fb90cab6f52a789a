#include "hesse/core/error.h"
#include "hesse/core/vector_math.h"
#include "hesse/nn/layer.h"

#include <algorithm>

namespace hesse {
namespace {

// Each activation gives phi, phi' and phi'' of an array, the derivatives from whichever of x and
// y = phi(x) needs least work.

struct Identity {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    for (Index i = 0; i < n; ++i) y[i] = x[i];
  }
  template <class T>
  static T first(T, T) {
    return T(1);
  }
  template <class T>
  static T second(T, T) {
    return T(0);
  }
};

struct Tanh {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    vector_tanh(n, x, y);
  }
  template <class T>
  static T first(T, T y) {
    return (T(1) - y) * (T(1) + y);
  }
  template <class T>
  static T second(T, T y) {
    return T(-2) * y * (T(1) - y) * (T(1) + y);
  }
};

struct Sigmoid {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    vector_sigmoid(n, x, y);
  }
  template <class T>
  static T first(T, T y) {
    return y * (T(1) - y);
  }
  template <class T>
  static T second(T, T y) {
    return y * (T(1) - y) * (T(1) - T(2) * y);
  }
};

struct Relu {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    // Written so that NaN passes through.
    for (Index i = 0; i < n; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];
  }
  template <class T>
  static T first(T x, T) {
    return x > T(0) ? T(1) : T(0);
  }
  template <class T>
  static T second(T, T) {
    return T(0);
  }
};

struct Softplus {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    vector_softplus(n, x, y);
  }
  template <class T>
  static void first(Index n, const T* x, T* first) {
    vector_sigmoid(n, x, first);
  }
  // phi'' = sigmoid(x) sigmoid(-x): 1 - sigmoid(x) would lose its digits.
  template <class T>
  static void both(Index n, const T* x, T* first, T* second) {
    for (Index i = 0; i < n; ++i) second[i] = -x[i];
    vector_sigmoid(n, second, second);
    vector_sigmoid(n, x, first);
    for (Index i = 0; i < n; ++i) second[i] *= first[i];
  }
};

/// Entries whose derivatives are worked out together, in buffers on the stack.
constexpr Index kBuffer = 256;

struct Gelu {
  template <class T>
  static void apply(Index n, const T* x, T* y) {
    T distribution[kBuffer];
    T density[kBuffer];
    for (Index begin = 0; begin < n; begin += kBuffer) {
      const Index count = std::min(kBuffer, n - begin);
      vector_normal(count, x + begin, distribution, density);
      for (Index i = 0; i < count; ++i) y[begin + i] = x[begin + i] * distribution[i];
    }
  }
  // At most kBuffer entries. phi' = P(X <= x) + x density, phi'' = (2 - x^2) density.
  template <class T>
  static void first(Index n, const T* x, T* first) {
    T density[kBuffer];
    vector_normal(n, x, first, density);
    for (Index i = 0; i < n; ++i) first[i] += x[i] * density[i];
  }
  template <class T>
  static void both(Index n, const T* x, T* first, T* second) {
    vector_normal(n, x, first, second);
    for (Index i = 0; i < n; ++i) {
      first[i] += x[i] * second[i];
      second[i] *= T(2) - x[i] * x[i];
    }
  }
};

/// Activations whose derivatives are functions of arrays and not of single entries.
template <class Phi, class T>
concept DerivativesOfArrays = requires(const T* x, T* out) {
  Phi::first(Index{}, x, out);
};

template <class Phi, class T>
class ActivationMaps final : public LayerMaps<T> {
 public:
  void forward(const T*, ConstColumns<T> x, Columns<T> y) const override { Phi::apply(x.size(), x.data(), y.data()); }

  void backward(const T*, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy, Columns<T> dx) const override {
    scale(x.size(), x.data(), y.data(), dy.data(), dx.data());
  }

  void forward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T> y, const T* rx,
                       Columns<T> ry) const override {
    if (rx == nullptr) {
      ry.setZero();
    } else {
      scale(x.size(), x.data(), y.data(), rx, ry.data());
    }
  }

  /// Rdx = phi''(x) Rx dy + phi'(x) Rdy.
  void backward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T> y, ConstColumns<T> dy,
                        ConstColumns<T> rx, ConstColumns<T> rdy, Columns<T> rdx) const override {
    combine(x.size(), x.data(), y.data(), dy.data(), rx.data(), rdy.data(), rdx.data());
  }

 private:
  static void scale(Index n, const T* x, const T* y, const T* in, T* out) {
    if constexpr (DerivativesOfArrays<Phi, T>) {
      T first[kBuffer];
      for (Index begin = 0; begin < n; begin += kBuffer) {
        const Index count = std::min(kBuffer, n - begin);
        Phi::first(count, x + begin, first);
        for (Index i = 0; i < count; ++i) out[begin + i] = first[i] * in[begin + i];
      }
    } else {
      for (Index i = 0; i < n; ++i) out[i] = Phi::first(x[i], y[i]) * in[i];
    }
  }
  static void combine(Index n, const T* x, const T* y, const T* dy, const T* rx, const T* rdy, T* rdx) {
    if constexpr (DerivativesOfArrays<Phi, T>) {
      T first[kBuffer];
      T second[kBuffer];
      for (Index begin = 0; begin < n; begin += kBuffer) {
        const Index count = std::min(kBuffer, n - begin);
        Phi::both(count, x + begin, first, second);
        for (Index i = begin; i < begin + count; ++i) {
          rdx[i] = second[i - begin] * rx[i] * dy[i] + first[i - begin] * rdy[i];
        }
      }
    } else {
      for (Index i = 0; i < n; ++i) {
        rdx[i] = Phi::second(x[i], y[i]) * rx[i] * dy[i] + Phi::first(x[i], y[i]) * rdy[i];
      }
    }
  }
};

template <class Phi>
class ActivationLayer : public Layer {
 public:
  ActivationLayer(std::string name, Index size) : name_(std::move(name)), size_(size) {}

  std::string name() const override { return name_; }
  Index input_size() const override { return size_; }
  Index output_size() const override { return size_; }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  std::string name_;
  Index size_;
  ActivationMaps<Phi, float> in_float_;
  ActivationMaps<Phi, double> in_double_;
};

/// Its maps are those of the identity, and the objective multiplies what they give by the mask.
class DropoutLayer final : public ActivationLayer<Identity> {
 public:
  DropoutLayer(Index size, double rate) : ActivationLayer(fmt::format("dropout({:g})", rate), size), rate_(rate) {}
  double dropout_rate() const override { return rate_; }

 private:
  double rate_;
};

}  // namespace

const char* to_string(Activation activation) {
  switch (activation) {
    case Activation::identity: return "identity";
    case Activation::tanh: return "tanh";
    case Activation::sigmoid: return "sigmoid";
    case Activation::relu: return "relu";
    case Activation::gelu: return "gelu";
    case Activation::softplus: return "softplus";
  }
  return "unknown";
}

std::unique_ptr<Layer> activation_layer(Activation activation, Index size) {
  const std::string name = to_string(activation);
  switch (activation) {
    case Activation::identity: return std::make_unique<ActivationLayer<Identity>>(name, size);
    case Activation::tanh: return std::make_unique<ActivationLayer<Tanh>>(name, size);
    case Activation::sigmoid: return std::make_unique<ActivationLayer<Sigmoid>>(name, size);
    case Activation::relu: return std::make_unique<ActivationLayer<Relu>>(name, size);
    case Activation::gelu: return std::make_unique<ActivationLayer<Gelu>>(name, size);
    case Activation::softplus: return std::make_unique<ActivationLayer<Softplus>>(name, size);
  }
  fail("there is no activation of number {}", static_cast<int>(activation));
}

std::unique_ptr<Layer> dropout_layer(Index size, double rate) {
  // Masks are drawn with sixteen bits.
  if (!(rate >= 0 && rate <= 1 - 0x1p-16)) fail("dropout: rate {} lies outside [0, 1)", rate);
  return std::make_unique<DropoutLayer>(size, rate);
}

std::unique_ptr<Layer> sum_layer(Index size) { return std::make_unique<ActivationLayer<Identity>>(kSumLayer, size); }

}  // namespace hesse
