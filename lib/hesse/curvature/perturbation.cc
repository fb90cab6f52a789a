#include "hesse/curvature/perturbation.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"

#include <utility>

namespace hesse {

const char* to_string(Units units) {
  switch (units) {
    case Units::plain: return "plain";
    case Units::elementwise: return "elementwise";
    case Units::filterwise: return "filterwise";
  }
  return "unknown";
}

Vector unit_scale(const ParameterLayout& layout, const Vector& x, Units units, double eta) {
  if (x.size() != layout.size()) fail("units: a point of {} entries, but {} parameters", x.size(), layout.size());
  if (!(eta >= 0)) fail("units: eta = {:g} is not possible; give a number >= 0", eta);
  if (units == Units::plain) return Vector::Ones(x.size());
  Vector t = x.cwiseAbs();
  if (units == Units::filterwise) {
    for (const ParameterBlock& block : layout.blocks()) {
      if (block.shape.size() < 2 || block.size == 0) continue;
      const Index length = block.size / block.shape.front();
      for (Index begin = block.offset; begin < block.offset + block.size; begin += length) {
        t.segment(begin, length).setConstant(norm(x.segment(begin, length)));
      }
    }
  }
  t.array() += eta;
  return t;
}

OperatorPtr in_units(OperatorPtr A, Vector t) {
  const Index n = A->size();
  if (t.size() != n) fail("units: {} scales for a matrix of size {}", t.size(), n);
  return function_operator(
      n, [A = std::move(A), t = std::move(t), scaled = Matrix()](ConstMatrixView X, MatrixView Y) mutable {
        scaled = t.asDiagonal() * X;
        A->apply(scaled, Y);
        Y.array().colwise() *= t.array();
      });
}

}  // namespace hesse
