#include "core/refusal.h"

#include "hesse/core/random.h"
#include "hesse/objective/adolc_objective.h"
#include "hesse/objective/dense_quadratic.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/gaussian_field.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

using namespace hesse;
using Catch::Contains;

namespace {

struct Square {
  template <class T>
  T operator()(const T* x) const {
    return x[0] * x[0];
  }
};

/// (x - i)^2 of sample i.
struct Distance {
  template <class T>
  T operator()(const T* x, Index i) const {
    return (x[0] - static_cast<double>(i)) * (x[0] - static_cast<double>(i));
  }
};

}  // namespace

TEST_CASE("objectives refuse to have no variables and no samples") {
  CHECK_THAT(refusal([] { FunctorObjective<Square>(Square{}, 0); }), Contains("0 variables are not possible"));
  CHECK_THAT(refusal([] { AdolcObjective<Square>(Square{}, 0); }), Contains("0 variables are not possible"));
  CHECK_THAT(refusal([] { FunctorSum<Distance>(Distance{}, 0, 3); }), Contains("0 variables are not possible"));
  CHECK_THAT(refusal([] { FunctorSum<Distance>(Distance{}, 1, 0); }), Contains("0 samples are not possible"));
  CHECK_THAT(refusal([] { GaussianField(0, 3, 1); }), Contains("0 variables and 3 waves are not possible"));
  CHECK_THAT(refusal([] { Quadratic(Vector::Ones(2), Vector::Zero(2), -1); }),
             Contains("-1 reflections are not possible"));
  CHECK_THAT(refusal([] { DenseQuadratic(Matrix::Ones(2, 3), Vector::Ones(3)); }),
             Contains("a matrix of 2 x 3 for 3 variables"));
}

TEST_CASE("objectives refuse curvature matrices that they do not have") {
  const Vector x = Vector::Ones(2);
  Quadratic quadratic(Vector::Ones(2), Vector::Zero(2));
  CHECK_THAT(refusal([&] { quadratic.curvature(x, Curvature::fisher_sampled); }),
             Contains("a quadratic has no samples"));
  GaussianField field(2, 3, 1);
  CHECK_THAT(refusal([&] { field.curvature(x, Curvature::gauss_newton); }), Contains("there is a Hessian and no"));
  FunctorSum<Distance> sum(Distance{}, 1, 3);
  CHECK_THAT(refusal([&] { sum.curvature(Vector::Ones(1), Curvature::fisher); }),
             Contains("a sum of formulas has a Hessian but no"));
}

TEST_CASE("batches without a sample and with more samples than there are cannot be drawn") {
  FunctorSum<Distance> sum(Distance{}, 1, 3);
  CHECK_THAT(refusal([&] { sum.select({}); }), Contains("no sample is selected"));
  SubsetSampler sampler;
  CHECK_THAT(refusal([&] { sampler.draw(3, 4, RandomStream(1, Purpose::synthetic_data)); }),
             Contains("4 of 3 samples cannot be drawn"));
}
