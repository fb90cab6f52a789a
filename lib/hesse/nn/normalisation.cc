#include "hesse/nn/normalisation.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

namespace hesse {
namespace {

/// Groups of a batch normalisation: entry i of group c is place i % places of sample i / places. A group has one gain.
struct ByChannel {
  static constexpr bool kCouples = true;
  Index channels;
  Index places;

  Index gains() const { return channels; }
  Index rows() const { return channels * places; }
  Index groups(Index /*columns*/) const { return channels; }
  Index entries(Index columns) const { return places * columns; }
  Index at(Index group, Index i) const { return (i / places) * rows() + group * places + i % places; }
  Index gain(Index group, Index /*i*/) const { return group; }
};

/// The same with statistics from elsewhere.
struct ByFrozenChannel : ByChannel {
  static constexpr bool kCouples = false;
  std::shared_ptr<const ChannelStatistics> statistics;
};

/// Groups of a layer normalisation: `features` entries next to each other, each with its gain.
struct ByPosition {
  static constexpr bool kCouples = false;
  Index features;
  Index positions;

  Index gains() const { return features; }
  Index rows() const { return features * positions; }
  Index groups(Index columns) const { return positions * columns; }
  Index entries(Index /*columns*/) const { return features; }
  Index at(Index group, Index i) const { return group * features + i; }
  Index gain(Index /*group*/, Index i) const { return i; }
};

/// Parameters are the gains, then the biases. Statistics are summed in double.
template <class T, class Groups>
class NormalisationMaps final : public LayerMaps<T> {
 public:
  NormalisationMaps(const Groups& groups, double eps) : groups_(groups), eps_(eps) {}

  void forward(const T* p, ConstColumns<T> x, Columns<T> y) const override {
    each_group(x.cols(), [&](Index g, Index m) {
      const Statistics s = statistics(x.data(), g, m);
      for (Index i = 0; i < m; ++i) {
        const Index at = groups_.at(g, i);
        const Index k = groups_.gain(g, i);
        y.data()[at] = static_cast<T>(static_cast<double>(p[k]) * s.normalised(x.data()[at]) +
                                      static_cast<double>(p[groups_.gains() + k]));
      }
    });
  }

  void backward(const T* p, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T> dy, Columns<T> dx) const override {
    each_group(x.cols(), [&](Index g, Index m) {
      const Statistics s = statistics(x.data(), g, m);
      const Moments u = moments(p, x.data(), dy.data(), s, g, m);
      for (Index i = 0; i < m; ++i) {
        const Index at = groups_.at(g, i);
        dx.data()[at] =
            static_cast<T>((gained(p, dy.data(), g, i) - u.mean - s.normalised(x.data()[at]) * u.with_z) / s.deviation);
      }
    });
  }

  void forward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T>, const T* rx,
                       Columns<T> ry) const override {
    each_group(x.cols(), [&](Index g, Index m) {
      const Statistics s = statistics(x.data(), g, m);
      const Tangent r = tangent(x.data(), rx, s, g, m);
      for (Index i = 0; i < m; ++i) {
        const Index at = groups_.at(g, i);
        const Index k = groups_.gain(g, i);
        const double z = s.normalised(x.data()[at]);
        ry.data()[at] =
            static_cast<T>(static_cast<double>(v[k]) * z + static_cast<double>(p[k]) * r.of_z(rx, at, z, s) +
                           static_cast<double>(v[groups_.gains() + k]));
      }
    });
  }

  void backward_tangent(const T* p, const T* v, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T> dy,
                        ConstColumns<T> rx, ConstColumns<T> rdy, Columns<T> rdx) const override {
    each_group(x.cols(), [&](Index g, Index m) {
      const Statistics s = statistics(x.data(), g, m);
      const Tangent r = tangent(x.data(), rx.data(), s, g, m);
      const Moments u = moments(p, x.data(), dy.data(), s, g, m);
      // Ru = v dy + gain Rdy; its mean, and mean(Ru z + u Rz).
      double mean = 0;
      double with_z = 0;
      const auto tangent_of_u = [&](Index i) { return gained(v, dy.data(), g, i) + gained(p, rdy.data(), g, i); };
      for (Index i = 0; i < m; ++i) {
        const Index at = groups_.at(g, i);
        const double z = s.normalised(x.data()[at]);
        const double ru = tangent_of_u(i);
        mean += ru;
        with_z += ru * z + gained(p, dy.data(), g, i) * r.of_z(rx.data(), at, z, s);
      }
      mean = kFrozen ? 0.0 : mean / static_cast<double>(m);
      with_z = kFrozen ? 0.0 : with_z / static_cast<double>(m);
      for (Index i = 0; i < m; ++i) {
        const Index at = groups_.at(g, i);
        const double z = s.normalised(x.data()[at]);
        const double q = gained(p, dy.data(), g, i) - u.mean - z * u.with_z;
        const double rq = tangent_of_u(i) - mean - r.of_z(rx.data(), at, z, s) * u.with_z - z * with_z;
        rdx.data()[at] = static_cast<T>((rq - q * r.of_deviation / s.deviation) / s.deviation);
      }
    });
  }

  Index tiles() const override { return 1; }
  ParameterTile tile(Index) const override { return {0, 2 * groups_.gains()}; }

  void gradient(Index, ConstColumns<T> x, ConstColumns<T> dy, T beta, T* g) const override {
    sums(
        [&](Index group, Index m, Vector& of_gain, Vector& of_bias) {
          const Statistics s = statistics(x.data(), group, m);
          for (Index i = 0; i < m; ++i) {
            const Index at = groups_.at(group, i);
            const Index k = groups_.gain(group, i);
            of_gain[k] += static_cast<double>(dy.data()[at]) * s.normalised(x.data()[at]);
            of_bias[k] += static_cast<double>(dy.data()[at]);
          }
        },
        x.cols(), beta, g);
  }

  void gradient_tangent(Index, ConstColumns<T> x, ConstColumns<T> dy, const T* rx, ConstColumns<T> rdy, T beta,
                        T* g) const override {
    sums(
        [&](Index group, Index m, Vector& of_gain, Vector& of_bias) {
          const Statistics s = statistics(x.data(), group, m);
          const Tangent r = tangent(x.data(), rx, s, group, m);
          for (Index i = 0; i < m; ++i) {
            const Index at = groups_.at(group, i);
            const Index k = groups_.gain(group, i);
            const double z = s.normalised(x.data()[at]);
            of_gain[k] +=
                static_cast<double>(rdy.data()[at]) * z + static_cast<double>(dy.data()[at]) * r.of_z(rx, at, z, s);
            of_bias[k] += static_cast<double>(rdy.data()[at]);
          }
        },
        x.cols(), beta, g);
  }

 private:
  struct Statistics {
    double mean = 0;
    double deviation = 1;
    double normalised(T x) const { return (static_cast<double>(x) - mean) / deviation; }
  };
  /// Of u = gain dy.
  struct Moments {
    double mean = 0;
    double with_z = 0;
  };
  struct Tangent {
    double of_mean = 0;
    double of_deviation = 0;
    double of_z(const T* rx, Index at, double z, const Statistics& s) const {
      return rx == nullptr ? 0.0 : (static_cast<double>(rx[at]) - of_mean - z * of_deviation) / s.deviation;
    }
  };

  double gained(const T* p, const T* dy, Index g, Index i) const {
    return static_cast<double>(p[groups_.gain(g, i)]) * static_cast<double>(dy[groups_.at(g, i)]);
  }

  static constexpr bool kFrozen = std::is_same_v<Groups, ByFrozenChannel>;

  Statistics statistics(const T* x, Index g, Index m) const {
    Statistics s;
    if constexpr (kFrozen) {
      s.mean = groups_.statistics->mean[g];
      s.deviation = std::sqrt(groups_.statistics->variance[g] + eps_);
      return s;
    }
    for (Index i = 0; i < m; ++i) s.mean += static_cast<double>(x[groups_.at(g, i)]);
    s.mean /= static_cast<double>(m);
    double squares = 0;
    for (Index i = 0; i < m; ++i) {
      const double d = static_cast<double>(x[groups_.at(g, i)]) - s.mean;
      squares += d * d;
    }
    s.deviation = std::sqrt(squares / static_cast<double>(m) + eps_);
    return s;
  }

  Moments moments(const T* p, const T* x, const T* dy, const Statistics& s, Index g, Index m) const {
    Moments u;
    if (kFrozen) return u;
    for (Index i = 0; i < m; ++i) {
      const double each = gained(p, dy, g, i);
      u.mean += each;
      u.with_z += each * s.normalised(x[groups_.at(g, i)]);
    }
    u.mean /= static_cast<double>(m);
    u.with_z /= static_cast<double>(m);
    return u;
  }

  Tangent tangent(const T* x, const T* rx, const Statistics& s, Index g, Index m) const {
    Tangent r;
    if (kFrozen || rx == nullptr) return r;
    for (Index i = 0; i < m; ++i) {
      const Index at = groups_.at(g, i);
      r.of_mean += static_cast<double>(rx[at]);
      r.of_deviation += static_cast<double>(rx[at]) * s.normalised(x[at]);
    }
    r.of_mean /= static_cast<double>(m);
    r.of_deviation /= static_cast<double>(m);
    return r;
  }

  /// Groups over all samples share the threads; those of single samples are run by who has the samples.
  template <class Visit>
  void each_group(Index columns, const Visit& visit) const {
    const Index count = groups_.groups(columns);
    const Index m = groups_.entries(columns);
    if constexpr (Groups::kCouples) {
      parallel_for(count, [&](Index g) { visit(g, m); });
    } else {
      for (Index g = 0; g < count; ++g) visit(g, m);
    }
  }

  template <class Visit>
  void sums(const Visit& visit, Index columns, T beta, T* g) const {
    const Index k = groups_.gains();
    thread_local Vector of_gain, of_bias;
    of_gain.setZero(k);
    of_bias.setZero(k);
    for (Index group = 0; group < groups_.groups(columns); ++group) {
      visit(group, groups_.entries(columns), of_gain, of_bias);
    }
    for (Index i = 0; i < k; ++i) {
      g[i] = static_cast<T>(of_gain[i]) + (beta == T(0) ? T(0) : g[i]);
      g[k + i] = static_cast<T>(of_bias[i]) + (beta == T(0) ? T(0) : g[k + i]);
    }
  }

  Groups groups_;
  double eps_;
};

template <class Groups>
class Normalisation final : public Layer {
 public:
  Normalisation(std::string name, const Groups& groups, double eps)
      : name_(std::move(name)), groups_(groups), in_float_(groups, eps), in_double_(groups, eps) {}

  std::string name() const override { return name_; }
  Index input_size() const override { return groups_.rows(); }
  Index output_size() const override { return groups_.rows(); }
  std::vector<LayerParameter> parameters() const override {
    return {{"gain", {groups_.gains()}, 1, 1, ParameterRole::gain},
            {"bias", {groups_.gains()}, 1, 1, ParameterRole::bias}};
  }
  bool couples_samples() const override { return Groups::kCouples; }
  double multiplications() const override { return 4 * static_cast<double>(groups_.rows()); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  std::string name_;
  Groups groups_;
  NormalisationMaps<float, Groups> in_float_;
  NormalisationMaps<double, Groups> in_double_;
};

void check(const char* what, Index size, Index places, double eps) {
  if (size < 1 || places < 1) fail("{}: {} by {} entries; both must be >= 1", what, size, places);
  if (!(eps > 0)) fail("{}: eps = {} is not possible; give a number > 0", what, eps);
}

}  // namespace

std::unique_ptr<Layer> batch_normalisation_layer(Index channels, Index places, double eps) {
  check("batch normalisation", channels, places, eps);
  return std::make_unique<Normalisation<ByChannel>>("batch-normalisation", ByChannel{channels, places}, eps);
}

ChannelStatistics channel_statistics(const Matrix& inputs, Index channels) {
  const Index places = inputs.rows() / channels;
  ChannelStatistics s{Vector(channels), Vector(channels)};
  for (Index c = 0; c < channels; ++c) {
    const auto entries = inputs.middleRows(c * places, places);
    s.mean[c] = entries.mean();
    s.variance[c] = (entries.array() - s.mean[c]).square().mean();
  }
  return s;
}

std::unique_ptr<Layer> frozen_batch_normalisation_layer(Index channels, Index places,
                                                        std::shared_ptr<const ChannelStatistics> statistics,
                                                        double eps) {
  check("batch normalisation", channels, places, eps);
  return std::make_unique<Normalisation<ByFrozenChannel>>(
      "batch-normalisation", ByFrozenChannel{{channels, places}, std::move(statistics)}, eps);
}

std::unique_ptr<Layer> layer_normalisation_layer(Index features, Index positions, double eps) {
  check("layer normalisation", features, positions, eps);
  return std::make_unique<Normalisation<ByPosition>>("layer-normalisation", ByPosition{features, positions}, eps);
}

}  // namespace hesse
