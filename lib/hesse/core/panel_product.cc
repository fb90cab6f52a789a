#include "hesse/core/panel_product.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <algorithm>
#include <array>
#include <vector>

// Target attributes are GCC's, and sanitizers see only what the general library does.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(HESSE_NO_MULTIVERSION)
#define HESSE_PANEL_PRODUCT 1
#endif

namespace hesse {

#if defined(HESSE_PANEL_PRODUCT)
namespace {

/// A tile of C is held in registers, 24 of the 32: up to three vectors of packed rows by eight
/// streamed rows.
constexpr int kVectorBytes = 64;
constexpr int kColumns = 8;
template <class T>
constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(T));
template <class T>
constexpr Index kRows = 3 * kLanes<T>;

/// Entries of the depth of one block: its streamed rows stay in the first cache.
constexpr Index kDepth = 400;
/// Bytes of one packed block, which stays in the second cache.
constexpr Index kPackedBytes = 640 * 1024;

/// Memory of one thread, taken once.
template <class T>
struct Workspace {
  std::vector<T> packed;
  std::vector<T> columns;
};

template <class T>
Workspace<T>& workspace() {
  thread_local Workspace<T> own{std::vector<T>(static_cast<std::size_t>(kPackedBytes) / sizeof(T) + 64),
                                std::vector<T>(static_cast<std::size_t>(kDepth * 8))};
  return own;
}

/// out (Vectors * lanes x kColumns, columns `stride` apart) = or += packed panel times streamed rows.
template <class T, int Vectors, bool DepthIsUnit>
[[gnu::always_inline]] inline void multiply_tile(Index depth, const T* panel, const T* streamed, Index stride, bool add,
                                                 T* out, Index out_stride) {
  typedef T Lanes __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  Lanes sum[kColumns][Vectors];
  for (int j = 0; j < kColumns; ++j) {
    for (int i = 0; i < Vectors; ++i) sum[j][i] = Lanes{};
  }
  for (Index k = 0; k < depth; ++k) {
    Lanes a[Vectors];
    for (int i = 0; i < Vectors; ++i) a[i] = *reinterpret_cast<const Lanes*>(panel + i * kLanes<T>);
    panel += Vectors * kLanes<T>;
    // The next columns lie beside these, a page away from those of the next k: no prefetcher of the machine finds them.
    if constexpr (!DepthIsUnit) __builtin_prefetch(streamed + k * stride + kColumns, 0, 2);
    for (int j = 0; j < kColumns; ++j) {
      const Lanes b = (DepthIsUnit ? streamed[j * stride + k] : streamed[k * stride + j]) - Lanes{};
      for (int i = 0; i < Vectors; ++i) sum[j][i] += a[i] * b;
    }
  }
  for (int j = 0; j < kColumns; ++j) {
    for (int i = 0; i < Vectors; ++i) {
      auto* at = reinterpret_cast<Lanes*>(out + j * out_stride + i * kLanes<T>);
      *at = add ? *at + sum[j][i] : sum[j][i];
    }
  }
}

/// Copies `rows` rows of a block into panels of kRows, the last one filled up with zeros to whole vectors.
template <class T>
[[gnu::always_inline]] inline void pack(const T* from, Index rows, Index row_stride, Index depth, Index depth_stride,
                                        T* to) {
  for (Index first = 0; first < rows; first += kRows<T>) {
    const Index count = std::min(kRows<T>, rows - first);
    const Index width = block_count(count, kLanes<T>) * kLanes<T>;
    const T* panel = from + first * row_stride;
    if (row_stride == 1) {
      for (Index k = 0; k < depth; ++k) {
        for (Index i = 0; i < count; ++i) to[k * width + i] = panel[k * depth_stride + i];
      }
    } else {
      // Strips of the depth keep the lines that are written in the first cache.
      constexpr Index kStrip = 16;
      for (Index strip = 0; strip < depth; strip += kStrip) {
        const Index end = std::min(depth, strip + kStrip);
        for (Index i = 0; i < count; ++i) {
          for (Index k = strip; k < end; ++k) to[k * width + i] = panel[i * row_stride + k * depth_stride];
        }
      }
    }
    if (count < width) {
      for (Index k = 0; k < depth; ++k) std::fill(to + k * width + count, to + (k + 1) * width, T(0));
    }
    to += depth * width;
  }
}

template <class T, bool DepthIsUnit>
[[gnu::always_inline]] inline void multiply(const ProductOperand<T>& packed, const ProductOperand<T>& streamed,
                                            Index depth, bool add, T* C, Index packed_stride, Index streamed_stride) {
  Workspace<T>& work = workspace<T>();
  const Index depth_blocks = block_count(depth, kDepth);
  const Index block_depth = block_count(depth, depth_blocks);
  const Index most_rows =
      std::max(kRows<T>, kPackedBytes / static_cast<Index>(sizeof(T)) / block_depth / kRows<T> * kRows<T>);
  alignas(64) std::array<T, static_cast<std::size_t>(kRows<T> * kColumns)> tile;
  for (Index k0 = 0; k0 < depth; k0 += block_depth) {
    const Index k_count = std::min(block_depth, depth - k0);
    const bool add_block = add || k0 > 0;
    for (Index p0 = 0; p0 < packed.rows; p0 += most_rows) {
      const Index p_count = std::min(most_rows, packed.rows - p0);
      pack<T>(packed.data + p0 * packed.row_stride + k0 * packed.depth_stride, p_count, packed.row_stride, k_count,
              packed.depth_stride, work.packed.data());
      for (Index s0 = 0; s0 < streamed.rows; s0 += kColumns) {
        const Index s_count = std::min<Index>(kColumns, streamed.rows - s0);
        const T* rows = streamed.data + s0 * streamed.row_stride + k0 * streamed.depth_stride;
        Index stride = DepthIsUnit ? streamed.row_stride : streamed.depth_stride;
        if (s_count < kColumns) {
          // A full tile reads past the last row: it gets a copy filled up with zeros.
          std::fill(work.columns.begin(), work.columns.begin() + kColumns * k_count, T(0));
          for (Index j = 0; j < s_count; ++j) {
            for (Index k = 0; k < k_count; ++k) {
              work.columns[static_cast<std::size_t>(DepthIsUnit ? j * k_count + k : k * kColumns + j)] =
                  DepthIsUnit ? rows[j * stride + k] : rows[k * stride + j];
            }
          }
          rows = work.columns.data();
          stride = DepthIsUnit ? k_count : kColumns;
        }
        const T* panel = work.packed.data();
        for (Index first = 0; first < p_count; first += kRows<T>) {
          const Index count = std::min(kRows<T>, p_count - first);
          const Index vectors = block_count(count, kLanes<T>);
          const Index width = vectors * kLanes<T>;
          T* const at = C + (p0 + first) * packed_stride + s0 * streamed_stride;
          const bool direct = packed_stride == 1 && count == width && s_count == kColumns;
          T* const out = direct ? at : tile.data();
          const Index out_stride = direct ? streamed_stride : width;
          const bool add_tile = direct && add_block;
          if (vectors == 3) {
            multiply_tile<T, 3, DepthIsUnit>(k_count, panel, rows, stride, add_tile, out, out_stride);
          } else if (vectors == 2) {
            multiply_tile<T, 2, DepthIsUnit>(k_count, panel, rows, stride, add_tile, out, out_stride);
          } else {
            multiply_tile<T, 1, DepthIsUnit>(k_count, panel, rows, stride, add_tile, out, out_stride);
          }
          if (!direct) {
            for (Index i = 0; i < count; ++i) {
              for (Index j = 0; j < s_count; ++j) {
                T& entry = at[i * packed_stride + j * streamed_stride];
                const T sum = tile[static_cast<std::size_t>(j * width + i)];
                entry = add_block ? entry + sum : sum;
              }
            }
          }
          panel += width * k_count;
        }
      }
    }
  }
}

template <class T>
[[gnu::target("arch=x86-64-v4")]] void product(const ProductOperand<T>& packed, const ProductOperand<T>& streamed,
                                               Index depth, bool add, T* C, Index packed_stride,
                                               Index streamed_stride) {
  if (streamed.depth_stride == 1) {
    multiply<T, true>(packed, streamed, depth, add, C, packed_stride, streamed_stride);
  } else {
    multiply<T, false>(packed, streamed, depth, add, C, packed_stride, streamed_stride);
  }
}

}  // namespace

bool panel_product_available() {
  static const bool available = __builtin_cpu_supports("x86-64-v4") != 0;
  return available;
}

#else
namespace {

template <class T>
void product(const ProductOperand<T>&, const ProductOperand<T>&, Index, bool, T*, Index, Index) {}

}  // namespace

bool panel_product_available() { return false; }

#endif

namespace {

void check_available() {
  if (!panel_product_available()) fail("panel product: this machine, or this build, is without AVX-512");
}

}  // namespace

void panel_product(const ProductOperand<float>& packed, const ProductOperand<float>& streamed, Index depth, bool add,
                   float* C, Index packed_stride, Index streamed_stride) {
  check_available();
  product(packed, streamed, depth, add, C, packed_stride, streamed_stride);
}

void panel_product(const ProductOperand<double>& packed, const ProductOperand<double>& streamed, Index depth, bool add,
                   double* C, Index packed_stride, Index streamed_stride) {
  check_available();
  product(packed, streamed, depth, add, C, packed_stride, streamed_stride);
}

}  // namespace hesse
