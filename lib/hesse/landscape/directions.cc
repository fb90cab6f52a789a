#include "hesse/landscape/directions.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/eigen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hesse {

Vector random_direction(Index n, std::uint64_t seed, std::uint64_t which) {
  Vector d(n);
  RandomStream(seed, Purpose::probe, which).fill_normal(d);
  return d / norm(d);
}

Vector filter_normalised(const ParameterLayout& layout, const Vector& x, const Vector& d, VectorBlocks rest) {
  if (x.size() != layout.size() || d.size() != layout.size()) {
    fail("filter normalisation: {} parameters and a direction of {}, but the layout has {}; give vectors of its size",
         x.size(), d.size(), layout.size());
  }
  Vector out = Vector::Zero(d.size());
  for (const ParameterBlock& block : layout.blocks()) {
    if (block.shape.size() < 2) {
      if (rest == VectorBlocks::as_parameters) {
        out.segment(block.offset, block.size) = x.segment(block.offset, block.size);
      }
      continue;
    }
    const Index filters = block.shape.front();
    const Index size = filters > 0 ? block.size / filters : 0;
    for (Index i = 0; i < filters; ++i) {
      const Index at = block.offset + i * size;
      const double length = norm(d.segment(at, size));
      if (length > 0) out.segment(at, size) = d.segment(at, size) * (norm(x.segment(at, size)) / length);
    }
  }
  return out;
}

Directions gradient_directions(Objective& f, const Vector& x, Index count) {
  if (count < 1 || count > 2) fail("gradient directions: {} are not possible; ask for 1 or 2", count);
  Directions out;
  out.vectors.resize(x.size(), 0);
  Vector g;
  f.value_and_gradient(x, g);
  const double length = norm(g);
  if (!(length > 0 && std::isfinite(length))) {
    out.message = length == 0 ? "the gradient is 0 here, so it has no direction" : "the gradient is not finite here";
    return out;
  }
  const Vector u = g / length;
  out.vectors = -u;
  out.labels.emplace_back("steepest descent");
  if (count == 1) return out;
  Vector v(x.size());
  f.curvature(x, Curvature::hessian)->apply(u, v);
  const double product = norm(v);
  // Twice, since the first pass leaves rounding errors of |Hu|, which may be large beside what remains.
  for (int pass = 0; pass < 2; ++pass) v -= dot(u, v) * u;
  const double across = norm(v);
  // What a product rounds off; below it the direction across is noise.
  const double floor = 100 * std::max(f.value_noise(), 1e-16) * product;
  if (!(across > floor)) {
    out.message = std::isfinite(across)
                      ? "the gradient is an eigenvector of the Hessian here to rounding, so both span a line"
                      : "the product of the Hessian with the gradient is not finite here";
    return out;
  }
  out.vectors.conservativeResize(Eigen::NoChange, 2);
  out.vectors.col(1) = v / across;
  out.labels.emplace_back("Hessian times gradient, across it");
  return out;
}

Directions eigenvector_directions(Objective& f, const Vector& x, Index count, EigenvectorChoice choice,
                                  double tolerance, std::uint64_t seed) {
  if (count < 1 || count > 2 || count > x.size()) {
    fail("eigenvector directions: {} of {} variables are not possible; ask for 1 or 2, and for no more than there are",
         count, x.size());
  }
  EigenOptions options;
  options.largest = choice == EigenvectorChoice::ends ? 1 : count;
  options.smallest = count - options.largest;
  options.tolerance = tolerance;
  options.seed = seed;
  // Products in float are symmetric to their rounding only.
  options.asymmetry_tolerance = std::max(options.asymmetry_tolerance, allowed_asymmetry(f.value_noise()));
  const auto H = f.curvature(x, Curvature::hessian);
  Directions out;
  out.vectors.resize(x.size(), 0);
  EigenResult eigen;
  try {
    eigen = extreme_eigenpairs(*H, options);
  } catch (const Error& e) {
    out.message = e.what();
    return out;
  }
  out.message = eigen.message;
  if (eigen.status == EigenStatus::non_finite) return out;
  out.vectors.resize(x.size(), count);
  for (const EigenPairs* const pairs : {&eigen.largest, &eigen.smallest}) {
    for (Index i = 0; i < pairs->values.size(); ++i) {
      out.vectors.col(static_cast<Index>(out.labels.size())) = pairs->vectors.col(i);
      out.labels.push_back(fmt::format("eigenvector of {:.4g} \u00b1 {:.0e}", pairs->values[i], pairs->residuals[i]));
    }
  }
  out.vectors.conservativeResize(Eigen::NoChange, static_cast<Index>(out.labels.size()));
  return out;
}

}  // namespace hesse
