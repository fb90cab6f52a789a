#include "hesse/core/panel_product.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <algorithm>
#include <array>
#include <utility>
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

template <class T>
struct Vectors {
  typedef T Lanes __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  typedef T Eight __attribute__((vector_size(8 * sizeof(T)), aligned(alignof(T)), may_alias));
};

/// One of the three exchanges of an 8 x 8 transposition, between two vectors: lanes whose bit `kDistance`
/// is set in the first change places with those of the second where it is clear.
template <class T, int kDistance, std::size_t... kLane>
[[gnu::always_inline]] inline void exchange(typename Vectors<T>::Lanes& first, typename Vectors<T>::Lanes& second,
                                            std::index_sequence<kLane...>) {
  constexpr int kCount = sizeof...(kLane);
  constexpr auto kSet = [](std::size_t lane) { return (static_cast<int>(lane) & kDistance) != 0; };
  const auto low = __builtin_shufflevector(
      first, second, (kSet(kLane) ? kCount + static_cast<int>(kLane) - kDistance : static_cast<int>(kLane))...);
  second = __builtin_shufflevector(
      first, second, (kSet(kLane) ? kCount + static_cast<int>(kLane) : static_cast<int>(kLane) + kDistance)...);
  first = low;
}

template <class T, int kDistance>
[[gnu::always_inline]] inline void exchange_all(typename Vectors<T>::Lanes* v) {
  for (int i = 0; i < 8; ++i) {
    if ((i & kDistance) == 0) exchange<T, kDistance>(v[i], v[i + kDistance], std::make_index_sequence<kLanes<T>>());
  }
}

/// How a tile leaves the registers: with packed rows contiguous, or streamed rows.
enum class Store { packed_contiguous, streamed_contiguous };

/// out = or += packed panel (kVectors * kLanes rows) times kColumns streamed rows, where `out_stride`
/// separates what is not contiguous.
template <class T, int kVectors, bool kDepthIsUnit, Store kStore>
[[gnu::always_inline]] inline void multiply_tile(Index depth, const T* panel, const T* streamed, Index stride, bool add,
                                                 T* out, Index out_stride) {
  using Lanes = typename Vectors<T>::Lanes;
  Lanes sum[kVectors][kColumns];
  for (int i = 0; i < kVectors; ++i) {
    for (int j = 0; j < kColumns; ++j) sum[i][j] = Lanes{};
  }
  for (Index k = 0; k < depth; ++k) {
    Lanes a[kVectors];
    for (int i = 0; i < kVectors; ++i) a[i] = *reinterpret_cast<const Lanes*>(panel + i * kLanes<T>);
    panel += kVectors * kLanes<T>;
    // The next columns lie beside these, a page away from those of the next k: no prefetcher of the machine finds them.
    if constexpr (!kDepthIsUnit) __builtin_prefetch(streamed + k * stride + kColumns, 0, 2);
    for (int j = 0; j < kColumns; ++j) {
      const Lanes b = (kDepthIsUnit ? streamed[j * stride + k] : streamed[k * stride + j]) - Lanes{};
      for (int i = 0; i < kVectors; ++i) sum[i][j] += a[i] * b;
    }
  }
  for (int i = 0; i < kVectors; ++i) {
    if constexpr (kStore == Store::packed_contiguous) {
      for (int j = 0; j < kColumns; ++j) {
        auto* at = reinterpret_cast<Lanes*>(out + j * out_stride + i * kLanes<T>);
        *at = add ? *at + sum[i][j] : sum[i][j];
      }
    } else {
      using Eight = typename Vectors<T>::Eight;
      exchange_all<T, 1>(sum[i]);
      exchange_all<T, 2>(sum[i]);
      exchange_all<T, 4>(sum[i]);
      for (int lane = 0; lane < kLanes<T>; ++lane) {
        const Eight row = *reinterpret_cast<const Eight*>(reinterpret_cast<const T*>(&sum[i][lane % 8]) + lane / 8 * 8);
        auto* at = reinterpret_cast<Eight*>(out + (i * kLanes<T> + lane) * out_stride);
        *at = add ? *at + row : row;
      }
    }
  }
}

/// Copies eight rows that are contiguous along the depth to columns `width` apart.
template <class T>
[[gnu::always_inline]] inline void pack_eight(const T* rows, Index row_stride, Index depth, T* to, Index width) {
  using Lanes = typename Vectors<T>::Lanes;
  using Eight = typename Vectors<T>::Eight;
  Index k = 0;
  for (; k + kLanes<T> <= depth; k += kLanes<T>) {
    Lanes v[8];
    for (int r = 0; r < 8; ++r) v[r] = *reinterpret_cast<const Lanes*>(rows + r * row_stride + k);
    exchange_all<T, 1>(v);
    exchange_all<T, 2>(v);
    exchange_all<T, 4>(v);
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      *reinterpret_cast<Eight*>(to + (k + lane) * width) =
          *reinterpret_cast<const Eight*>(reinterpret_cast<const T*>(&v[lane % 8]) + lane / 8 * 8);
    }
  }
  for (; k < depth; ++k) {
    for (int r = 0; r < 8; ++r) to[k * width + r] = rows[r * row_stride + k];
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
      // Rows lie along the depth: squares of eight rows are transposed in registers.
      Index i = 0;
      for (; i + 8 <= count; i += 8) pack_eight(panel + i * row_stride, row_stride, depth, to + i, width);
      for (; i < count; ++i) {
        for (Index k = 0; k < depth; ++k) to[k * width + i] = panel[i * row_stride + k];
      }
    }
    if (count < width) {
      for (Index k = 0; k < depth; ++k) std::fill(to + k * width + count, to + (k + 1) * width, T(0));
    }
    to += depth * width;
  }
}

template <class T, bool kDepthIsUnit, Store kStore>
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
        Index stride = kDepthIsUnit ? streamed.row_stride : streamed.depth_stride;
        if (s_count < kColumns) {
          // A full tile reads past the last row: it gets a copy filled up with zeros.
          std::fill(work.columns.begin(), work.columns.begin() + kColumns * k_count, T(0));
          for (Index j = 0; j < s_count; ++j) {
            for (Index k = 0; k < k_count; ++k) {
              work.columns[static_cast<std::size_t>(kDepthIsUnit ? j * k_count + k : k * kColumns + j)] =
                  kDepthIsUnit ? rows[j * stride + k] : rows[k * stride + j];
            }
          }
          rows = work.columns.data();
          stride = kDepthIsUnit ? k_count : kColumns;
        }
        const T* panel = work.packed.data();
        for (Index first = 0; first < p_count; first += kRows<T>) {
          const Index count = std::min(kRows<T>, p_count - first);
          const Index vectors = block_count(count, kLanes<T>);
          const Index width = vectors * kLanes<T>;
          T* const at = C + (p0 + first) * packed_stride + s0 * streamed_stride;
          const bool direct = count == width && s_count == kColumns;
          T* const out = direct ? at : tile.data();
          const Index between = kStore == Store::packed_contiguous ? streamed_stride : packed_stride;
          const Index tile_between = kStore == Store::packed_contiguous ? width : kColumns;
          const Index out_stride = direct ? between : tile_between;
          const bool add_tile = direct && add_block;
          if (vectors == 3) {
            multiply_tile<T, 3, kDepthIsUnit, kStore>(k_count, panel, rows, stride, add_tile, out, out_stride);
          } else if (vectors == 2) {
            multiply_tile<T, 2, kDepthIsUnit, kStore>(k_count, panel, rows, stride, add_tile, out, out_stride);
          } else {
            multiply_tile<T, 1, kDepthIsUnit, kStore>(k_count, panel, rows, stride, add_tile, out, out_stride);
          }
          if (!direct) {
            for (Index i = 0; i < count; ++i) {
              for (Index j = 0; j < s_count; ++j) {
                T& entry = at[i * packed_stride + j * streamed_stride];
                const T sum = tile[static_cast<std::size_t>(kStore == Store::packed_contiguous ? j * width + i
                                                                                               : i * kColumns + j)];
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
  const auto run = [&]<bool kDepthIsUnit>() __attribute__((always_inline)) {
    if (packed_stride == 1) {
      multiply<T, kDepthIsUnit, Store::packed_contiguous>(packed, streamed, depth, add, C, packed_stride,
                                                          streamed_stride);
    } else {
      multiply<T, kDepthIsUnit, Store::streamed_contiguous>(packed, streamed, depth, add, C, packed_stride,
                                                            streamed_stride);
    }
  };
  if (streamed.depth_stride == 1) {
    run.template operator()<true>();
  } else {
    run.template operator()<false>();
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
