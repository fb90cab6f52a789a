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
                                std::vector<T>(static_cast<std::size_t>(kDepth * kLanes<T>))};
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

/// out(lane, j) = or += sum[j][lane], with rows of `out` out_stride apart. A call, since the constants of its shuffles
/// would take registers away from the loop before it.
template <class T>
[[gnu::noinline, gnu::target("arch=x86-64-v4")]] void store_transposed(typename Vectors<T>::Lanes* sum, bool add,
                                                                       T* out, Index out_stride) {
  using Eight = typename Vectors<T>::Eight;
  exchange_all<T, 1>(sum);
  exchange_all<T, 2>(sum);
  exchange_all<T, 4>(sum);
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    const Eight row = *reinterpret_cast<const Eight*>(reinterpret_cast<const T*>(&sum[lane % 8]) + lane / 8 * 8);
    auto* at = reinterpret_cast<Eight*>(out + lane * out_stride);
    *at = add ? *at + row : row;
  }
}

/// out = or += packed panel (kVectors * kLanes rows) times kColumns streamed rows, where `out_stride`
/// separates what is not contiguous. Entry k of streamed row j lies at streamed[j * stride + k], or at
/// streamed[k * kColumns + j] of a copied group.
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
    for (int j = 0; j < kColumns; ++j) {
      const Lanes b = (kDepthIsUnit ? streamed[j * stride + k] : streamed[k * kColumns + j]) - Lanes{};
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
      Lanes rows[kColumns];
      std::copy(sum[i], sum[i] + kColumns, rows);
      store_transposed<T>(rows, add, out + i * kLanes<T> * out_stride, out_stride);
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

/// Copies a group of up to kLanes streamed rows that lie side by side, a cache line for each entry of the depth, as
/// tiles of kColumns, the last one filled up with zeros.
template <class T>
[[gnu::always_inline]] inline void copy_group(const T* rows, Index count, Index depth_stride, Index depth, T* to) {
  using Eight = typename Vectors<T>::Eight;
  constexpr Index kTiles = kLanes<T> / kColumns;
  if (count == kLanes<T>) {
    for (Index k = 0; k < depth; ++k) {
      Eight tiles[kTiles];
      for (Index t = 0; t < kTiles; ++t) {
        tiles[t] = *reinterpret_cast<const Eight*>(rows + k * depth_stride + t * kColumns);
      }
      for (Index t = 0; t < kTiles; ++t) *reinterpret_cast<Eight*>(to + (t * depth + k) * kColumns) = tiles[t];
    }
    return;
  }
  for (Index j = 0; j < count; j += kColumns) {
    const Index width = std::min<Index>(kColumns, count - j);
    for (Index k = 0; k < depth; ++k) {
      T* const at = to + j * depth + k * kColumns;
      std::fill_n(std::copy_n(rows + k * depth_stride + j, width, at), kColumns - width, T(0));
    }
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
  constexpr Index kGroup = kDepthIsUnit ? Index{kColumns} : kLanes<T>;
  for (Index k0 = 0; k0 < depth; k0 += block_depth) {
    const Index k_count = std::min(block_depth, depth - k0);
    const bool add_block = add || k0 > 0;
    for (Index p0 = 0; p0 < packed.rows; p0 += most_rows) {
      const Index p_count = std::min(most_rows, packed.rows - p0);
      pack<T>(packed.data + p0 * packed.row_stride + k0 * packed.depth_stride, p_count, packed.row_stride, k_count,
              packed.depth_stride, work.packed.data());
      for (Index g0 = 0; g0 < streamed.rows; g0 += kGroup) {
        const Index g_count = std::min(kGroup, streamed.rows - g0);
        const T* const rows = streamed.data + g0 * streamed.row_stride + k0 * streamed.depth_stride;
        if constexpr (!kDepthIsUnit) copy_group(rows, g_count, streamed.depth_stride, k_count, work.columns.data());
        for (Index s0 = 0; s0 < g_count; s0 += kColumns) {
          const Index s_count = std::min<Index>(kColumns, g_count - s0);
          const T* tile_rows = rows;
          Index stride = streamed.row_stride;
          if constexpr (!kDepthIsUnit) {
            tile_rows = work.columns.data() + s0 * k_count;
          } else if (s_count < kColumns) {
            // A full tile reads past the last row: it gets a copy filled up with zeros.
            for (Index j = 0; j < kColumns; ++j) {
              T* const to = work.columns.data() + j * k_count;
              if (j < s_count) {
                std::copy_n(rows + j * streamed.row_stride, k_count, to);
              } else {
                std::fill_n(to, k_count, T(0));
              }
            }
            tile_rows = work.columns.data();
            stride = k_count;
          }
          const T* panel = work.packed.data();
          for (Index first = 0; first < p_count; first += kRows<T>) {
            const Index count = std::min(kRows<T>, p_count - first);
            const Index vectors = block_count(count, kLanes<T>);
            const Index width = vectors * kLanes<T>;
            T* const at = C + (p0 + first) * packed_stride + (g0 + s0) * streamed_stride;
            const bool direct = count == width && s_count == kColumns;
            T* const out = direct ? at : tile.data();
            const Index between = kStore == Store::packed_contiguous ? streamed_stride : packed_stride;
            const Index tile_between = kStore == Store::packed_contiguous ? width : kColumns;
            const Index out_stride = direct ? between : tile_between;
            const bool add_tile = direct && add_block;
            if (vectors == 3) {
              multiply_tile<T, 3, kDepthIsUnit, kStore>(k_count, panel, tile_rows, stride, add_tile, out, out_stride);
            } else if (vectors == 2) {
              multiply_tile<T, 2, kDepthIsUnit, kStore>(k_count, panel, tile_rows, stride, add_tile, out, out_stride);
            } else {
              multiply_tile<T, 1, kDepthIsUnit, kStore>(k_count, panel, tile_rows, stride, add_tile, out, out_stride);
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
