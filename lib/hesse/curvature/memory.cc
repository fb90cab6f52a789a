#include "hesse/curvature/memory.h"

#include "hesse/linalg/block_lanczos.h"

#include <algorithm>

namespace hesse {
namespace {

constexpr double kNumber = sizeof(double);

double vectors(Index n, double count) { return kNumber * static_cast<double>(n) * count; }

}  // namespace

double eigenvectors_bytes(Index n, const EigenOptions& options) {
  return vectors(n, static_cast<double>(std::min(n, options.largest + options.smallest)));
}

double eigenpairs_bytes(Index n, const EigenOptions& options) {
  if (options.largest + options.smallest == 0) return 0;
  const bool dense = n <= options.dense_limit || options.largest + 1 >= n || options.smallest + 1 >= n;
  const auto all = static_cast<double>(n);
  // The matrix, its eigenvectors and LAPACK's two; the products are formed when the latter are gone.
  if (dense) return vectors(n, 4 * all) + eigenvectors_bytes(n, options);
  const auto k = static_cast<double>(std::max(options.largest, options.smallest));
  const auto other = static_cast<double>(options.largest + options.smallest) - k;
  const double formed = n <= options.inertia_limit ? vectors(n, 4 * all) : 0;
  if (options.single_search) {
    // The basis, its products and half of it while a restart rotates it, beside two blocks and the pairs of the result.
    const BlockLanczosOptions block = single_search(static_cast<Index>(k), options);
    const auto width = static_cast<double>(block.pairs + block.guard);
    const double search = vectors(n, 2.5 * width * static_cast<double>(block.depth) + 2 * width + k + other);
    return std::max(search, formed + eigenvectors_bytes(n, options));
  }
  // Spectra's basis and half of it again while a restart rotates it, beside the pairs found before, once in the result
  // and once in the operator that moves them away; or Rayleigh and Ritz on these and two more.
  const double basis = std::max(2 * k + 10, 20.0);
  const double lanczos = vectors(n, std::max(1.5 * basis + 2 * k, 6 * k + 10) + other);
  return std::max(lanczos, formed + eigenvectors_bytes(n, options));
}

double trace_bytes(Index n, const TraceOptions& options) {
  if (n <= options.max_products || options.method == TraceMethod::hutchinson) {
    return vectors(n, 2 * static_cast<double>(options.block));
  }
  const auto products = static_cast<double>(options.max_products);
  // Of Hutch++ the vectors, their basis and the workspace of its decomposition, and a block with its products; of
  // XTrace the vectors, their products, the basis and its products.
  if (options.method == TraceMethod::hutch_pp) {
    return vectors(n, products + 2 * static_cast<double>(options.block));
  }
  return vectors(n, 2 * products + static_cast<double>(options.block));
}

double diagonal_bytes(Index n, const DiagonalOptions& options) {
  const auto block = static_cast<double>(options.block);
  if (n <= options.max_products || options.method == DiagonalMethod::hutchinson) return vectors(n, 3 * block + 5);
  return vectors(n, static_cast<double>(options.max_products) + 5);
}

double density_bytes(Index n, const SpectralDensityOptions& options) {
  return vectors(n, static_cast<double>(std::min(n, options.steps)) + 3);
}

}  // namespace hesse
