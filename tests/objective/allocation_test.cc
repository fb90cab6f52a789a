#include "core/allocations.h"

#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/residual_objective.h"

#include <catch2/catch.hpp>

#include <cstdlib>

#ifdef HESSE_COUNTS_ALLOCATIONS

using namespace hesse;

namespace {

struct Line {
  template <class T>
  T operator()(const T* x, Index i) const {
    const T d = x[0] + x[1] * static_cast<double>(i % 7) - 1.0;
    return d * d * d * d;
  }
};

struct Products {
  Index n = 2;
  template <class T>
  void operator()(const T* x, T* r) const {
    for (Index i = 0; i < n; ++i) r[i] = x[i] * x[(i + 1) % n] - 1.0;
  }
};

/// Mallocs of the second round of gradient, curvature and product that are not of the first.
template <class Round>
long after_warm_up(const Round& round) {
  for (int i = 0; i < 3; ++i) round(i);
  const long before = allocations;
  for (int i = 3; i < 8; ++i) round(i);
  return allocations - before;
}

}  // namespace

TEST_CASE("what Eigen and new allocate is counted") {
  // Volatile, so that no pair of allocation and release is left out.
  volatile Index size = 1000;
  const long before = allocations;
  const Vector v = Vector::Zero(size);
  double* volatile n = new double[static_cast<std::size_t>(size)];
  const long after = allocations;
  CHECK(v.sum() == 0);
  CHECK(after - before == 2);
  delete[] n;
}

TEST_CASE("formulas by dual numbers allocate nothing after the first gradient, curvature and product") {
  for (const Index n : {2, 10, 64, 65, 100}) {
    FunctorObjective<ChainedRosenbrock> f({n}, n);
    Vector x = Vector::Constant(n, 0.5);
    Vector g(n), y(n);
    CHECK(after_warm_up([&](int) {
            f.value_and_gradient(x, g);
            f.curvature(x, Curvature::hessian)->apply(x, y);
          }) == 0);
  }
}

TEST_CASE("least squares by dual numbers allocates nothing after the first value, gradient, curvatures and products") {
  for (const Index n : {2, 10, 64, 65, 100}) {
    ResidualObjective<Products> f({n}, n, n);
    Vector x = Vector::Constant(n, 0.5);
    const Vector v = Vector::Ones(n);
    Vector g(n), y(n), r(n);
    Matrix J(n, n);
    CHECK(after_warm_up([&](int round) {
            x[0] = round;
            f.value(x);
            f.value_and_gradient(x, g);
            f.residuals_and_jacobian(x, r, J);
            f.second_derivative_along(x, v, r);
            f.curvature(x, Curvature::hessian)->apply(v, y);
            f.curvature(x, Curvature::gauss_newton)->apply(v, y);
          }) == 0);
  }
}

TEST_CASE("sums of formulas allocate nothing from batch to batch") {
  FunctorSum<Line> f({}, 2, 5000);
  const Vector x = Eigen::Vector2d(0.5, 0.2);
  Vector g(2), y(2);
  std::vector<Index> batch;
  CHECK(after_warm_up([&](int step) {
          batch.resize(step % 2 == 0 ? 1000 : 600);
          for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i] = static_cast<Index>((i * 7 + 13U * static_cast<unsigned>(step)) % 5000);
          f.select(batch);
          f.value(x);
          f.value_and_gradient(x, g);
          f.curvature(x, Curvature::hessian)->apply(x, y);
        }) == 0);
}

#endif
