#include "hesse/curvature/memory.h"

#include "hesse/linalg/block_lanczos.h"
#include "hesse/objective/evaluation_memory.h"

#include <algorithm>

namespace hesse {
namespace {

constexpr double kNumber = sizeof(double);

double vectors(Index n, double count) { return kNumber * static_cast<double>(n) * count; }

}  // namespace

double evaluation_bytes(Objective& f, Index vectors_at_once) {
  // The point and the gradient, here and in the objective.
  double bytes = vectors(f.size(), 4);
  if (auto* const known = find<EvaluationMemory>(f)) bytes += known->operator_bytes(vectors_at_once);
  return bytes;
}

double eigenvectors_bytes(Index n, const EigenOptions& options) {
  return vectors(n, static_cast<double>(std::min(n, options.largest + options.smallest)));
}

double eigenpairs_bytes(Index n, const EigenOptions& options) {
  if (options.largest + options.smallest == 0) return 0;
  const auto all = static_cast<double>(n);
  // The matrix, its eigenvectors and LAPACK's two, in place of which the result is copied.
  if (solved_densely(n, options)) return vectors(n, 4 * all);
  const auto k = static_cast<double>(std::max(options.largest, options.smallest));
  const auto other = static_cast<double>(options.largest + options.smallest) - k;
  const double formed = n <= options.inertia_limit ? vectors(n, 4 * all) : 0;
  if (options.single_search) {
    // The basis, its products and half of it while a restart rotates it, beside two blocks and the pairs of the result.
    const BlockLanczosOptions block = single_search(static_cast<Index>(k), options);
    const Index width = std::min(n, block.pairs + block.guard);
    const auto columns = static_cast<double>(std::min(n, width * block.depth));
    const double search = vectors(n, 2.5 * columns + 2 * static_cast<double>(width) + k + other);
    return std::max(search, formed + eigenvectors_bytes(n, options));
  }
  // Spectra's basis and half of it again while a restart rotates it, beside the pairs found before, once in the result
  // and once in the operator that moves them away; or Rayleigh and Ritz on these and two more.
  const auto basis = static_cast<double>(search_basis(n, static_cast<Index>(k)));
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

double kronecker_bytes(const std::vector<KroneckerFactors>& layers, bool eigenbasis) {
  double factors = 0;
  double moments = 0;
  double largest = 0;
  for (const KroneckerFactors& layer : layers) {
    const auto columns = static_cast<double>(layer.columns());
    const auto outputs = static_cast<double>(layer.outputs);
    factors += columns * columns + outputs * outputs;
    moments += columns * outputs;
    largest = std::max({largest, columns * outputs, columns * columns, outputs * outputs});
  }
  // The factors, and two layers of a vector. Of eigenbases these too, in the precision of the network once more, the
  // moments, and LAPACK's workspace.
  return kNumber * (eigenbasis ? 3 * factors + moments + 2 * largest : factors + 2 * largest);
}

double sub_block_bytes(Index n, Index vectors_at_once) {
  constexpr double kMost = 16;
  return vectors(n, 2 * std::min(kMost, static_cast<double>(vectors_at_once)));
}

}  // namespace hesse
