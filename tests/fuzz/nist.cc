#include "formats.h"

#include "hesse/data/nist.h"

namespace hesse::fuzz {

void read_nist_bytes(const Input& input) {
  value_or_error(input.path, [&] {
    const NistReference reference = read_nist(input.path);
    const Index n = reference.parameters.size();
    require(reference.y.size() == reference.x.rows() && reference.y.size() > n, "sizes contradict each other");
    require(reference.standard_deviations.size() == n, "a parameter has no standard deviation");
    for (const Vector& start : reference.starts) require(start.size() == n, "a start has another size");
    if (reference.linear) require(design_matrix(reference).cols() == n, "the design matrix has another size");
  });
}

}  // namespace hesse::fuzz
