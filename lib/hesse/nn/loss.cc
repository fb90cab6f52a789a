#include "hesse/nn/loss.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_math.h"

#include <cmath>

namespace hesse {
namespace {

template <class T>
T target_of(const Targets<T>& targets, Index sample, Index output) {
  if (targets.labels == nullptr) return targets.values[sample * targets.outputs + output];
  const std::int32_t label = targets.labels[sample];
  if (targets.outputs == 1) return static_cast<T>(label);
  return output == label ? T(1) : T(0);
}

/// dz = scale (cache - t): common to the losses whose targets are values.
template <class T>
void subtract_targets(ConstColumns<T> cache, const Targets<T>& targets, const Index* samples, T scale, Columns<T> dz) {
  for (Index j = 0; j < cache.cols(); ++j) {
    for (Index i = 0; i < cache.rows(); ++i) dz(i, j) = scale * (cache(i, j) - target_of(targets, samples[j], i));
  }
}

/// Position in a sample's own stretch of draws.
std::uint64_t draw_position(Index sample, Index output, Index outputs) {
  return static_cast<std::uint64_t>(sample * outputs + output);
}

/// Every place of a sample is a column of logits by itself.
template <class T>
class SoftmaxCrossEntropy final : public LossMaps<T> {
 public:
  explicit SoftmaxCrossEntropy(Index places) : places_(places) {}

  double value(ConstColumns<T> outputs, const Targets<T>& targets, const Index* samples,
               Columns<T> means) const override {
    const ConstColumns<T> z = by_place(outputs);
    Columns<T> cache = by_place(means);
    double sum = 0;
    for (Index j = 0; j < z.cols(); ++j) {
      // Shifted by its largest entry, no exponential overflows and the sum is at least 1.
      const T largest = z.col(j).template maxCoeff<Eigen::PropagateNaN>();
      cache.col(j) = z.col(j).array() - largest;
      sum -= static_cast<double>(cache(label(targets, samples, j), j));
    }
    vector_exp(cache.size(), cache.data(), cache.data());
    for (Index j = 0; j < z.cols(); ++j) {
      const T total = cache.col(j).sum();
      sum += std::log(static_cast<double>(total));
      cache.col(j) /= total;
    }
    return sum / static_cast<double>(places_);
  }

  void adjoint(ConstColumns<T> means, const Targets<T>& targets, const Index* samples, T scale,
               Columns<T> adjoints) const override {
    const ConstColumns<T> cache = by_place(means);
    Columns<T> dz = by_place(adjoints);
    const T each = scale / static_cast<T>(places_);
    dz = each * cache;
    for (Index j = 0; j < cache.cols(); ++j) dz(label(targets, samples, j), j) -= each;
  }

  /// H = diag(p) - p p'.
  void hessian_product(ConstColumns<T> means, ConstColumns<T> vectors, T scale, Columns<T> products) const override {
    const ConstColumns<T> cache = by_place(means);
    const ConstColumns<T> u = by_place(vectors);
    Columns<T> out = by_place(products);
    const T each = scale / static_cast<T>(places_);
    for (Index j = 0; j < u.cols(); ++j) {
      const T mean = cache.col(j).dot(u.col(j));
      out.col(j) = each * cache.col(j).array() * (u.col(j).array() - mean);
    }
  }

  void sampled_score(ConstColumns<T> means, const RandomStream& stream, const Index* samples,
                     Columns<T> scores) const override {
    const ConstColumns<T> cache = by_place(means);
    Columns<T> s = by_place(scores);
    const T each = T(1) / std::sqrt(static_cast<T>(places_));
    s = each * cache;
    for (Index j = 0; j < cache.cols(); ++j) {
      const double u = stream.uniform(draw_position(samples[j / places_], j % places_, places_));
      double cumulated = 0;
      Index drawn = cache.rows() - 1;
      for (Index i = 0; i + 1 < cache.rows(); ++i) {
        cumulated += static_cast<double>(cache(i, j));
        if (u < cumulated) {
          drawn = i;
          break;
        }
      }
      s(drawn, j) -= each;
    }
  }

 private:
  template <class C>
  C by_place(C columns) const {
    return C(columns.data(), columns.rows() / places_, columns.cols() * places_);
  }
  Index label(const Targets<T>& targets, const Index* samples, Index j) const {
    return targets.labels[samples[j / places_] * places_ + j % places_];
  }

  Index places_;
};

template <class T>
class BinaryCrossEntropy final : public LossMaps<T> {
 public:
  double value(ConstColumns<T> z, const Targets<T>& targets, const Index* samples, Columns<T> cache) const override {
    vector_softplus(z.size(), z.data(), cache.data());
    double sum = 0;
    for (Index j = 0; j < z.cols(); ++j) {
      double column = 0;
      for (Index i = 0; i < z.rows(); ++i) {
        column += static_cast<double>(cache(i, j) - target_of(targets, samples[j], i) * z(i, j));
      }
      sum += column;
    }
    vector_sigmoid(z.size(), z.data(), cache.data());
    return sum;
  }

  void adjoint(ConstColumns<T> cache, const Targets<T>& targets, const Index* samples, T scale,
               Columns<T> dz) const override {
    subtract_targets(cache, targets, samples, scale, dz);
  }

  /// H = diag(p (1 - p)).
  void hessian_product(ConstColumns<T> cache, ConstColumns<T> u, T scale, Columns<T> out) const override {
    out = scale * cache.array() * (T(1) - cache.array()) * u.array();
  }

  void sampled_score(ConstColumns<T> cache, const RandomStream& stream, const Index* samples,
                     Columns<T> s) const override {
    for (Index j = 0; j < cache.cols(); ++j) {
      for (Index i = 0; i < cache.rows(); ++i) {
        const bool one = stream.uniform(draw_position(samples[j], i, cache.rows())) < static_cast<double>(cache(i, j));
        s(i, j) = cache(i, j) - (one ? T(1) : T(0));
      }
    }
  }
};

template <class T>
class SquaredError final : public LossMaps<T> {
 public:
  double value(ConstColumns<T> z, const Targets<T>& targets, const Index* samples, Columns<T> cache) const override {
    double sum = 0;
    for (Index j = 0; j < z.cols(); ++j) {
      double column = 0;
      for (Index i = 0; i < z.rows(); ++i) {
        const double residual = static_cast<double>(z(i, j) - target_of(targets, samples[j], i));
        column += residual * residual;
      }
      sum += 0.5 * column;
    }
    cache = z;
    return sum;
  }

  void adjoint(ConstColumns<T> cache, const Targets<T>& targets, const Index* samples, T scale,
               Columns<T> dz) const override {
    subtract_targets(cache, targets, samples, scale, dz);
  }

  void hessian_product(ConstColumns<T>, ConstColumns<T> u, T scale, Columns<T> out) const override { out = scale * u; }

  /// The model is a normal distribution of unit variance around z.
  void sampled_score(ConstColumns<T> cache, const RandomStream& stream, const Index* samples,
                     Columns<T> s) const override {
    for (Index j = 0; j < cache.cols(); ++j) {
      for (Index i = 0; i < cache.rows(); ++i) {
        s(i, j) = static_cast<T>(-stream.normal(draw_position(samples[j], i, cache.rows())));
      }
    }
  }
};

}  // namespace

const char* to_string(Loss loss) {
  switch (loss) {
    case Loss::softmax_cross_entropy: return "softmax-cross-entropy";
    case Loss::binary_cross_entropy: return "binary-cross-entropy";
    case Loss::squared_error: return "squared-error";
  }
  return "unknown";
}

template <class T>
std::shared_ptr<const LossMaps<T>> make_loss_maps(Loss loss, Index places) {
  if (places != 1 && loss != Loss::softmax_cross_entropy) {
    fail("the {} loss: {} targets a sample; only softmax cross-entropy has several places", to_string(loss), places);
  }
  switch (loss) {
    case Loss::softmax_cross_entropy: return std::make_shared<SoftmaxCrossEntropy<T>>(places);
    case Loss::binary_cross_entropy: return std::make_shared<BinaryCrossEntropy<T>>();
    case Loss::squared_error: return std::make_shared<SquaredError<T>>();
  }
  fail("there is no loss of number {}", static_cast<int>(loss));
}

template std::shared_ptr<const LossMaps<float>> make_loss_maps<float>(Loss, Index);
template std::shared_ptr<const LossMaps<double>> make_loss_maps<double>(Loss, Index);

}  // namespace hesse
