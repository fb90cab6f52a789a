#include "hesse/core/error.h"
#include "hesse/nn/sequence_layers.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

/// In the notation of sequence_layers.h, with z the scaled products of queries and keys and w_t = sum_s a_ts (dA)_ts:
///
///     dV_s = sum_t a_ts dy_t     dA_ts = dy_t . v_s     dZ = a o (dA - w)     dQ = c dZ K,  dK = c dZ' Q
///     RZ = c (RQ K' + Q RK')     RA = a o (RZ - sum_s a RZ)
///     RdZ = RA o (dA - w) + a o (RdA - Rw),   Rw_t = sum_s (RA o dA + a o RdA)
///
/// Matrices hold a position a row, of one head of one sample.
template <class T>
class AttentionMaps final : public LayerMaps<T> {
 public:
  AttentionMaps(Index features, Index heads, Index positions)
      : features_(features),
        heads_(heads),
        positions_(positions),
        depth_(features / heads),
        scale_(static_cast<T>(1 / std::sqrt(static_cast<double>(features / heads)))) {}

  void forward(const T*, ConstColumns<T> x, Columns<T> y) const override {
    Workspace& w = workspace();
    each_head(x.cols(), [&](Index j, Index h) {
      attend(x.data(), j, h, w.A);
      output(y.data(), j, h).noalias() = w.A * part(x.data(), j, h, kValue);
    });
  }

  void backward(const T*, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T> dy, Columns<T> dx) const override {
    Workspace& w = workspace();
    each_head(x.cols(), [&](Index j, Index h) {
      attend(x.data(), j, h, w.A);
      const auto dY = output(dy.data(), j, h);
      part(dx.data(), j, h, kValue).noalias() = w.A.transpose() * dY;
      adjoint_of_products(x.data(), dY, j, h, w);
      part(dx.data(), j, h, kQuery).noalias() = scale_ * (w.dZ * part(x.data(), j, h, kKey));
      part(dx.data(), j, h, kKey).noalias() = scale_ * (w.dZ.transpose() * part(x.data(), j, h, kQuery));
    });
  }

  void forward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T>, const T* rx,
                       Columns<T> ry) const override {
    if (rx == nullptr) {
      ry.setZero();
      return;
    }
    Workspace& w = workspace();
    each_head(x.cols(), [&](Index j, Index h) {
      attend(x.data(), j, h, w.A);
      attend_tangent(x.data(), rx, j, h, w);
      output(ry.data(), j, h).noalias() = w.RA * part(x.data(), j, h, kValue) + w.A * part(rx, j, h, kValue);
    });
  }

  void backward_tangent(const T*, const T*, ConstColumns<T> x, ConstColumns<T>, ConstColumns<T> dy, ConstColumns<T> rx,
                        ConstColumns<T> rdy, Columns<T> rdx) const override {
    Workspace& w = workspace();
    each_head(x.cols(), [&](Index j, Index h) {
      attend(x.data(), j, h, w.A);
      attend_tangent(x.data(), rx.data(), j, h, w);
      const auto dY = output(dy.data(), j, h);
      const auto RdY = output(rdy.data(), j, h);
      const auto Q = part(x.data(), j, h, kQuery);
      const auto K = part(x.data(), j, h, kKey);
      part(rdx.data(), j, h, kValue).noalias() = w.RA.transpose() * dY + w.A.transpose() * RdY;
      adjoint_of_products(x.data(), dY, j, h, w);
      w.RdA.noalias() = RdY * part(x.data(), j, h, kValue).transpose() + dY * part(rx.data(), j, h, kValue).transpose();
      w.Rw = (w.RA.cwiseProduct(w.dA) + w.A.cwiseProduct(w.RdA)).rowwise().sum();
      w.RdZ = w.RA.cwiseProduct(w.dA.colwise() - w.w) + w.A.cwiseProduct(w.RdA.colwise() - w.Rw);
      part(rdx.data(), j, h, kQuery).noalias() = scale_ * (w.RdZ * K + w.dZ * part(rx.data(), j, h, kKey));
      part(rdx.data(), j, h, kKey).noalias() =
          scale_ * (w.RdZ.transpose() * Q + w.dZ.transpose() * part(rx.data(), j, h, kQuery));
    });
  }

 private:
  using Square = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Column = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  template <class Pointer>
  using Part = Eigen::Map<std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const Square, Square>,
                          Eigen::Unaligned, Eigen::OuterStride<>>;
  enum Which { kQuery, kKey, kValue };
  struct Workspace {
    Square A, dA, dZ, RA, RdA, RdZ;
    Column w, Rw;
  };
  static Workspace& workspace() {
    thread_local Workspace own;
    return own;
  }

  template <class Visit>
  void each_head(Index columns, const Visit& visit) const {
    for (Index j = 0; j < columns; ++j) {
      for (Index h = 0; h < heads_; ++h) visit(j, h);
    }
  }

  /// Queries, keys or values of one head: positions x depth.
  template <class Pointer>
  Part<Pointer> part(Pointer x, Index j, Index h, Which which) const {
    return {x + j * 3 * features_ * positions_ + which * features_ + h * depth_, positions_, depth_,
            Eigen::OuterStride<>(3 * features_)};
  }
  template <class Pointer>
  Part<Pointer> output(Pointer y, Index j, Index h) const {
    return {y + j * features_ * positions_ + h * depth_, positions_, depth_, Eigen::OuterStride<>(features_)};
  }

  /// a, with zeros above the diagonal.
  void attend(const T* x, Index j, Index h, Square& A) const {
    A.noalias() = scale_ * (part(x, j, h, kQuery) * part(x, j, h, kKey).transpose());
    for (Index t = 0; t < positions_; ++t) {
      auto row = A.row(t);
      auto seen = row.head(t + 1);
      seen = (seen.array() - seen.maxCoeff()).exp();
      seen /= seen.sum();
      row.tail(positions_ - t - 1).setZero();
    }
  }

  void attend_tangent(const T* x, const T* rx, Index j, Index h, Workspace& w) const {
    w.RA.noalias() = scale_ * (part(rx, j, h, kQuery) * part(x, j, h, kKey).transpose() +
                               part(x, j, h, kQuery) * part(rx, j, h, kKey).transpose());
    for (Index t = 0; t < positions_; ++t) {
      const T mean = w.A.row(t).dot(w.RA.row(t));
      w.RA.row(t) = w.A.row(t).array() * (w.RA.row(t).array() - mean);
    }
  }

  /// dA, w and dZ.
  template <class Adjoint>
  void adjoint_of_products(const T* x, const Adjoint& dY, Index j, Index h, Workspace& w) const {
    w.dA.noalias() = dY * part(x, j, h, kValue).transpose();
    w.w = w.A.cwiseProduct(w.dA).rowwise().sum();
    w.dZ = w.A.cwiseProduct(w.dA.colwise() - w.w);
  }

  Index features_;
  Index heads_;
  Index positions_;
  Index depth_;
  T scale_;
};

class Attention final : public Layer {
 public:
  Attention(Index features, Index heads, Index positions)
      : features_(features),
        positions_(positions),
        in_float_(features, heads, positions),
        in_double_(features, heads, positions) {}

  std::string name() const override { return "causal-attention"; }
  Index input_size() const override { return 3 * features_ * positions_; }
  Index output_size() const override { return features_ * positions_; }
  double multiplications() const override { return 2 * static_cast<double>(positions_ * positions_ * features_); }
  const LayerMaps<float>& in_float() const override { return in_float_; }
  const LayerMaps<double>& in_double() const override { return in_double_; }

 private:
  Index features_;
  Index positions_;
  AttentionMaps<float> in_float_;
  AttentionMaps<double> in_double_;
};

}  // namespace

std::unique_ptr<Layer> causal_attention_layer(Index features, Index heads, Index positions) {
  if (features < 1 || heads < 1 || positions < 1) {
    fail("attention: {} features, {} heads and {} positions; all must be >= 1", features, heads, positions);
  }
  if (features % heads != 0) fail("attention: {} heads do not divide {} features", heads, features);
  return std::make_unique<Attention>(features, heads, positions);
}

}  // namespace hesse
