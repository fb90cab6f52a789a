#include "hesse/optim/structured/tensor_modes.h"

#include "hesse/linalg/products.h"

#include <algorithm>

namespace hesse {
namespace {

struct Extents {
  Index before = 1;
  Index here = 1;
  Index after = 1;
};

Extents extents(const TensorShape& shape, std::size_t mode) {
  Extents e;
  for (std::size_t i = 0; i < mode; ++i) e.before *= shape[i];
  e.here = shape[mode];
  for (std::size_t i = mode + 1; i < shape.size(); ++i) e.after *= shape[i];
  return e;
}

}  // namespace

TensorShape merged_shape(const std::vector<Index>& shape, Index merge) {
  TensorShape long_extents;
  for (const Index extent : shape) {
    if (extent != 1) long_extents.push_back(extent);
  }
  if (long_extents.empty()) return {1};
  TensorShape reversed;
  for (std::size_t i = long_extents.size(); i-- > 0;) {
    const bool last_pair = i == 0 && reversed.size() == 1;
    if (!reversed.empty() && !last_pair && reversed.back() * long_extents[i] <= merge) {
      reversed.back() *= long_extents[i];
    } else {
      reversed.push_back(long_extents[i]);
    }
  }
  return {reversed.rbegin(), reversed.rend()};
}

template <class S>
void mode_gram(const TensorShape& shape, std::size_t mode, const S* T, std::type_identity_t<S> alpha,
               std::type_identity_t<S> beta, S* A) {
  const auto [before, d, after] = extents(shape, mode);
  if (after == 1) {
    // Row-major, T is d x before in columns.
    symmetric_product(Transpose::no, Transpose::yes, d, before, alpha, T, d, T, d, beta, A, d);
    return;
  }
  // Each slice is after x d in columns.
  for (Index o = 0; o < before; ++o) {
    const S* slice = T + o * d * after;
    symmetric_product(Transpose::yes, Transpose::no, d, after, alpha, slice, after, slice, after, o == 0 ? beta : S(1),
                      A, d);
  }
}

template <class S>
void mode_gram(const TensorShape& shape, std::size_t mode, const S* T, double alpha, double beta, double* A, S* spare) {
  if constexpr (std::is_same_v<S, double>) {
    mode_gram(shape, mode, T, alpha, beta, A);
  } else {
    mode_gram(shape, mode, T, 1, 0, spare);
    constexpr Index kBlock = 8192;
    const Index n = shape[mode] * shape[mode];
    parallel_for(block_count(n, kBlock), [&](Index task) {
      const Range r = block_range(n, kBlock, task);
      for (Index i = r.begin; i < r.end; ++i) A[i] = beta * A[i] + alpha * static_cast<double>(spare[i]);
    });
  }
}

template <class S>
void mode_product(const TensorShape& shape, std::size_t mode, const S* T, Transpose op, const S* P, S* out) {
  const auto [before, d, after] = extents(shape, mode);
  if (after == 1) {
    multiply(op, Transpose::no, d, before, d, 1, P, d, T, d, 0, out, d);
    return;
  }
  const Transpose other = op == Transpose::no ? Transpose::yes : Transpose::no;
  if (before == 1) {
    multiply(Transpose::no, other, after, d, d, 1, T, after, P, d, 0, out, after);
    return;
  }
  const Index rows = after;
  const Index n = d;
  parallel_for(before, [&](Index o) {
    gemm(Transpose::no, other, rows, n, n, S(1), T + o * n * rows, rows, P, n, S(0), out + o * n * rows, rows);
  });
}

void mode_solve_transposed(const TensorShape& shape, std::size_t mode, const double* U, double* T) {
  const auto [before, d, after] = extents(shape, mode);
  if (after == 1) {
    solve_upper(Side::left, Transpose::yes, d, before, U, d, T, d);
    return;
  }
  // The transpose of U^-T S', with S a slice of `after` rows.
  for (Index o = 0; o < before; ++o) solve_upper(Side::right, Transpose::no, after, d, U, d, T + o * d * after, after);
}

template <class S>
void mode_scale(const TensorShape& shape, std::size_t mode, const double* scale, S* T) {
  const auto [before, d, after] = extents(shape, mode);
  for (Index row = 0; row < before * d; ++row) {
    const double factor = scale[row % d];
    for (Index j = 0; j < after; ++j) T[row * after + j] = static_cast<S>(factor * T[row * after + j]);
  }
}

template <class S>
void mode_squares(const TensorShape& shape, std::size_t mode, const S* T, double alpha, double beta, double* a) {
  const auto [before, d, after] = extents(shape, mode);
  for (Index i = 0; i < d; ++i) a[i] *= beta;
  for (Index row = 0; row < before * d; ++row) {
    double squares = 0;
    for (Index j = 0; j < after; ++j) {
      const double entry = T[row * after + j];
      squares += entry * entry;
    }
    a[row % d] += alpha * squares;
  }
}

void mode_permute(const TensorShape& shape, std::size_t mode, const double* T, const Index* order, double* out) {
  const auto [before, d, after] = extents(shape, mode);
  for (Index o = 0; o < before; ++o) {
    for (Index i = 0; i < d; ++i) {
      const double* row = T + (o * d + order[i]) * after;
      std::copy(row, row + after, out + (o * d + i) * after);
    }
  }
}

template void mode_gram<float>(const TensorShape&, std::size_t, const float*, float, float, float*);
template void mode_gram<double>(const TensorShape&, std::size_t, const double*, double, double, double*);
template void mode_gram<float>(const TensorShape&, std::size_t, const float*, double, double, double*, float*);
template void mode_gram<double>(const TensorShape&, std::size_t, const double*, double, double, double*, double*);
template void mode_product<float>(const TensorShape&, std::size_t, const float*, Transpose, const float*, float*);
template void mode_product<double>(const TensorShape&, std::size_t, const double*, Transpose, const double*, double*);
template void mode_scale<float>(const TensorShape&, std::size_t, const double*, float*);
template void mode_scale<double>(const TensorShape&, std::size_t, const double*, double*);
template void mode_squares<float>(const TensorShape&, std::size_t, const float*, double, double, double*);
template void mode_squares<double>(const TensorShape&, std::size_t, const double*, double, double, double*);

bool same_blocks(const std::vector<ParameterBlock>& blocks, const ParameterLayout& layout) {
  return std::equal(
      blocks.begin(), blocks.end(), layout.blocks().begin(), layout.blocks().end(),
      [](const ParameterBlock& a, const ParameterBlock& b) { return a.size == b.size && a.shape == b.shape; });
}

}  // namespace hesse
