/// \file
/// Two-sided products with the matrices of all layers of a network at once.
#pragma once

#include "hesse/core/blas.h"
#include "hesse/core/parallel.h"
#include "hesse/core/types.h"
#include "hesse/objective/kronecker_structure.h"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace hesse {

/// The gradients of layers as matrices V' (columns x outputs, column-major): W as it is stored, and a last row for the
/// bias. Work is cut into tiles of outputs, over all layers together, so that bits do not depend on the threads.
template <class T>
class LayerProducts {
 public:
  using Buffer = Eigen::Matrix<T, Eigen::Dynamic, 1>;

  explicit LayerProducts(const std::vector<KroneckerFactors>& layers) {
    Index begin = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const KroneckerFactors& f = layers[l];
      shapes_.push_back({f.begin, f.inputs, f.outputs, f.columns(), begin});
      begin += f.columns() * f.outputs;
      for (Index tile = 0; tile < block_count(f.outputs, kTile); ++tile) tiles_.push_back({l, tile});
    }
    size_ = begin;
  }

  std::size_t layers() const { return shapes_.size(); }
  Index outputs(std::size_t l) const { return shapes_[l].outputs; }
  Index columns(std::size_t l) const { return shapes_[l].columns; }
  /// Room for the matrices of all layers.
  void shape(Buffer& buffer) const {
    if (buffer.size() != size_) buffer.resize(size_);
  }
  T* matrix(Buffer& buffer, std::size_t l) const { return buffer.data() + shapes_[l].at; }
  const T* matrix(const Buffer& buffer, std::size_t l) const { return buffer.data() + shapes_[l].at; }

  void pack(const Vector& v, Buffer& out) const {
    shape(out);
    each_tile([&](const Shape& s, std::size_t l, Range r) {
      for (Index o = r.begin; o < r.end; ++o) {
        T* const column = matrix(out, l) + o * s.columns;
        const double* const weights = v.data() + s.begin + o * s.inputs;
        for (Index i = 0; i < s.inputs; ++i) column[i] = static_cast<T>(weights[i]);
        if (s.columns > s.inputs) column[s.inputs] = static_cast<T>(v[s.begin + s.inputs * s.outputs + o]);
      }
    });
  }

  void unpack(const Buffer& in, Vector& out) const {
    each_tile([&](const Shape& s, std::size_t l, Range r) {
      for (Index o = r.begin; o < r.end; ++o) {
        const T* const column = matrix(in, l) + o * s.columns;
        double* const weights = out.data() + s.begin + o * s.inputs;
        for (Index i = 0; i < s.inputs; ++i) weights[i] = static_cast<double>(column[i]);
        if (s.columns > s.inputs) out[s.begin + s.inputs * s.outputs + o] = static_cast<double>(column[s.inputs]);
      }
    });
  }

  /// out_l = op(M_l) in_l for all layers, M_l columns x columns.
  void left(Transpose op, const std::vector<const T*>& M, const Buffer& in, Buffer& out) const {
    shape(out);
    each_tile([&](const Shape& s, std::size_t l, Range r) {
      gemm(op, Transpose::no, s.columns, r.size(), s.columns, T(1), M[l], s.columns,
           matrix(in, l) + r.begin * s.columns, s.columns, T(0), matrix(out, l) + r.begin * s.columns, s.columns);
    });
  }

  /// out_l = in_l op(M_l) for all layers, M_l outputs x outputs.
  void right(Transpose op, const std::vector<const T*>& M, const Buffer& in, Buffer& out) const {
    shape(out);
    each_tile([&](const Shape& s, std::size_t l, Range r) {
      const T* const first = op == Transpose::no ? M[l] + r.begin * s.outputs : M[l] + r.begin;
      gemm(Transpose::no, op, s.columns, r.size(), s.outputs, T(1), matrix(in, l), s.columns, first, s.outputs, T(0),
           matrix(out, l) + r.begin * s.columns, s.columns);
    });
  }

  /// Calls visit(layer, outputs, column-major columns x outputs part of `buffer`) for every tile.
  template <class Visit>
  void tiles(Buffer& buffer, const Visit& visit) const {
    each_tile([&](const Shape& s, std::size_t l, Range r) {
      visit(l, r,
            Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>(matrix(buffer, l) + r.begin * s.columns,
                                                                         s.columns, r.size()));
    });
  }

 private:
  /// Each tile's product packs the layer's matrix anew, which at 128 outputs is a tenth of its time.
  static constexpr Index kTile = 256;
  struct Shape {
    Index begin;
    Index inputs;
    Index outputs;
    Index columns;
    Index at;
  };
  struct Tile {
    std::size_t layer;
    Index tile;
  };

  template <class Visit>
  void each_tile(const Visit& visit) const {
    parallel_for(static_cast<Index>(tiles_.size()), [&](Index task) {
      const Tile& t = tiles_[static_cast<std::size_t>(task)];
      const Shape& s = shapes_[t.layer];
      visit(s, t.layer, block_range(s.outputs, kTile, t.tile));
    });
  }

  std::vector<Shape> shapes_;
  std::vector<Tile> tiles_;
  Index size_ = 0;
};

/// Matrices in double, and in T for products: the same memory where T is double. The copies follow the originals when
/// update() is called, or when there are none yet, as after the originals came from a checkpoint.
template <class T>
class TypedMatrices {
 public:
  void update(const std::vector<Matrix>& originals) {
    pointers_.resize(originals.size());
    if constexpr (std::is_same_v<T, double>) {
      for (std::size_t i = 0; i < originals.size(); ++i) pointers_[i] = originals[i].data();
    } else {
      copies_.resize(originals.size());
      parallel_for(static_cast<Index>(originals.size()), [&](Index task) {
        const auto i = static_cast<std::size_t>(task);
        copies_[i] = originals[i].template cast<T>();
        pointers_[i] = copies_[i].data();
      });
    }
  }
  const std::vector<const T*>& of(const std::vector<Matrix>& originals) {
    if (pointers_.empty()) update(originals);
    return pointers_;
  }

 private:
  std::vector<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>> copies_;
  std::vector<const T*> pointers_;
};

}  // namespace hesse
