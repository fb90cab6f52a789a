#include "core/refusal.h"

#include "hesse/objective/quadratic.h"
#include "hesse/optim/constrained/projection.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/second_order/dense_hessian.h"

#include <catch2/catch.hpp>

using namespace hesse;
using Catch::Contains;

TEST_CASE("projections refuse sets that are empty and blocks that do not divide the point") {
  CHECK_THAT(refusal([] { simplex_projection(0); }), Contains("simplex: total 0 is not positive"));
  CHECK_THAT(refusal([] { simplex_product_projection(0); }), Contains("blocks of 0 are not possible"));
  const Projection onto = simplex_product_projection(2);
  Vector x = Vector::Ones(3);
  CHECK_THAT(refusal([&] { onto(x); }), Contains("3 entries are no blocks of 2"));
}

TEST_CASE("methods refuse what they need a matrix for and modifiers what has no learning rate") {
  CHECK_NOTHROW(DenseHessian::check_size("newton", 10'000));
  CHECK_THAT(refusal([] { DenseHessian::check_size("newton", 1'000'000); }),
             Contains("newton: a matrix of 1000000 x 1000000 needs 7.45e+03 GiB and 4 GiB are allowed"));
  Quadratic large(Vector::Ones(8193), Vector::Zero(8193));
  CHECK_THAT(refusal([&] { make_optimizer("natural-gradient", {large, 0}); }), Contains("8193 parameters"));
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  CHECK_THAT(refusal([&] { make_optimizer("lbfgs+weight-decay", {f, 0}); }), Contains("no learning rate to go by"));
}
