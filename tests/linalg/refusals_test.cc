#include "core/refusal.h"

#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/cg.h"
#include "hesse/linalg/dogleg.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/inertia.h"
#include "hesse/linalg/inverse_operators.h"
#include "hesse/linalg/inverse_root.h"
#include "hesse/linalg/krylov_model.h"
#include "hesse/linalg/lanczos.h"
#include "hesse/linalg/minres.h"
#include "hesse/linalg/modified_cholesky.h"
#include "hesse/linalg/operators.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/linalg/spd_inverse.h"
#include "hesse/linalg/spectral_model.h"
#include "hesse/linalg/steihaug.h"
#include "hesse/linalg/tall_products.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace hesse;
using Catch::Contains;

namespace {

const Matrix kWide = Matrix::Ones(2, 3);
const OperatorPtr kThree = scaled_identity(3, 2.0);

}  // namespace

TEST_CASE("operators refuse parts that are missing and sizes that do not fit") {
  CHECK_THAT(refusal([] { scaled(2.0, nullptr); }), Contains("a part is missing"));
  CHECK_THAT(refusal([] { dense_operator(kWide); }), Contains("a 2 x 3 matrix is not square"));
  CHECK_THAT(refusal([] { scaled_identity(-1, 1.0); }), Contains("size -1 is negative"));
  CHECK_THAT(refusal([] { sum({}); }), Contains("a sum needs at least one term"));
  CHECK_THAT(refusal([] { sum({{1.0, kThree}, {1.0, scaled_identity(2, 1.0)}}); }), Contains("a sum of sizes 3 and 2"));
  CHECK_THAT(refusal([] { low_rank(kWide, Vector::Ones(2)); }), Contains("3 columns with 2 weights"));
  CHECK_THAT(refusal([] { sub_block(kThree, {0, 3}); }), Contains("index 3 of an operator of size 3"));
  CHECK_THAT(refusal([] { sub_block(kThree, {1, 1}); }), Contains("index 1 twice"));
  CHECK_THAT(refusal([] { projected_off(kThree, Matrix::Identity(2, 1)); }), Contains("a basis of 2 rows for size 3"));
  CHECK_THAT(refusal([] { projected_off(kThree, Matrix::Ones(3, 1)); }), Contains("not orthonormal"));
  CHECK_THAT(refusal([] { congruence(kThree, kWide); }), Contains("B has 2 rows, but A has size 3"));
  CHECK_THAT(refusal([] { scaled_coordinates(kThree, Vector::Ones(2)); }), Contains("2 scales for size 3"));
  CHECK_THAT(refusal([] { block_diagonal_part(kThree, {3, -1, 1}); }), Contains("a diagonal block of size -1"));
  CHECK_THAT(refusal([] {
               block_diagonal_part(kThree, {1, 1});
             }),
             Contains("diagonal blocks of 2 rows in all for size 3"));
  CHECK_THAT(refusal([] { function_operator(3, nullptr); }), Contains("the function is empty"));
}

TEST_CASE("inverses refuse what has none and bounds that are never reached") {
  CHECK_THAT(refusal([] { cg_inverse(nullptr); }), Contains("the operator is missing"));
  CHECK_THAT(refusal([] { cg_inverse(kThree, {.tolerance = 0}); }), Contains("a tolerance of 0 is not possible"));
  CHECK_THAT(refusal([] { neumann_inverse(nullptr, 0.1, 3); }), Contains("the operator is missing"));
  CHECK_THAT(refusal([] { neumann_inverse(kThree, 0.0, 3); }), Contains("a scale of 0 is not possible"));
  CHECK_THAT(refusal([] { neumann_inverse(kThree, 0.1, -1); }), Contains("-1 terms"));
  CHECK_THAT(refusal([] { low_rank_shift_inverse(Matrix::Identity(3, 2), Vector::Ones(1), 1.0); }),
             Contains("2 columns with 1 weights"));
  CHECK_THAT(refusal([] { low_rank_shift_inverse(Matrix::Ones(3, 1), Vector::Ones(1), 1.0); }),
             Contains("the columns of U are not orthonormal"));
  CHECK_THAT(refusal([] { low_rank_shift_inverse(Matrix::Identity(3, 1), Vector::Ones(1), 0.0); }),
             Contains("an eigenvalue is 0"));
  Matrix inverse;
  InverseWorkspace workspace;
  CHECK_THAT(refusal([&] { spd_inverse(kWide, 1.0, inverse, workspace); }), Contains("a 2 x 3 matrix is not square"));
}

TEST_CASE("inverse roots refuse other than square matrices and exponents that are not positive") {
  Matrix X = Matrix::Zero(2, 2);
  InverseRootWorkspace workspace;
  const InverseRootOptions by_eigen;
  CHECK_THAT(refusal([&] { inverse_root(kWide, 2, by_eigen, X, workspace); }),
             Contains("the matrix is 2 x 3, not square"));
  CHECK_THAT(refusal([&] { inverse_root(Matrix::Identity(3, 3), 2, by_eigen, MatrixView(X), workspace); }),
             Contains("room for 2 x 2, but A has 3 rows"));
  CHECK_THAT(refusal([&] { inverse_root(Matrix::Identity(2, 2), 0, by_eigen, X); }), Contains("p = 0 is not possible"));
  InverseRootOptions by_newton;
  by_newton.method = RootMethod::newton;
  CHECK_THAT(refusal([&] { inverse_root(Matrix::Identity(2, 2), 1.5, by_newton, X); }),
             Contains("Newton's iteration needs a whole p up to 64, not 1.5"));
}

TEST_CASE("linear solvers refuse right-hand sides and preconditioners of another size") {
  const Vector b2 = Vector::Ones(2);
  const Vector b3 = Vector::Ones(3);
  const OperatorPtr two = scaled_identity(2, 1.0);
  Vector x;
  CgWorkspace of_cg;
  CHECK_THAT(refusal([&] { cg(*kThree, b2, x, {}, of_cg); }), Contains("size 3, the right-hand side 2"));
  CHECK_THAT(refusal([&] { cg(*kThree, b3, x, {.preconditioner = two.get()}, of_cg); }),
             Contains("size 3, the preconditioner 2"));
  MinresWorkspace of_minres;
  CHECK_THAT(refusal([&] { minres(*kThree, b2, x, {}, of_minres); }), Contains("size 3, the right-hand side 2"));
  CHECK_THAT(refusal([&] { minres(*kThree, b3, x, {.preconditioner = two.get()}, of_minres); }),
             Contains("size 3, the preconditioner 2"));
  ModifiedCholesky factor;
  CHECK_THAT(refusal([&] { factor.compute(kWide); }), Contains("a matrix of 2 x 3 is not square"));
  CHECK_THAT(refusal([&] { factor.compute(Matrix::Identity(3, 3), 1.0); }), Contains("give a number in (0, 1)"));
  factor.compute(Matrix::Identity(3, 3));
  Vector wrong = b2;
  CHECK_THAT(refusal([&] { factor.solve_in_place(wrong); }), Contains("the matrix has size 3, the right-hand side 2"));
}

TEST_CASE("steps in a ball refuse a radius that is not positive and a gradient of another size") {
  const double radius = GENERATE(0.0, -1.0, std::numeric_limits<double>::quiet_NaN());
  const Vector g = Vector::Ones(3);
  Vector s;
  SteihaugWorkspace workspace;
  SteihaugOptions options;
  options.trust_radius = radius;
  CHECK_THAT(refusal([&] { steihaug(*kThree, g, options, s, workspace); }), Contains("give a number > 0"));
  CHECK_THAT(refusal([&] { steihaug(*kThree, Vector::Ones(2), {}, s, workspace); }),
             Contains("size 3, the gradient 2"));
  const Matrix B = Matrix::Identity(3, 3);
  Dogleg dogleg;
  REQUIRE(dogleg.start(B, g));
  CHECK_THAT(refusal([&] { dogleg.step(radius, s); }), Contains("give a number > 0"));
  SpectralModel model;
  CHECK_THAT(refusal([&] { model.decompose(kWide); }), Contains("a matrix of 2 x 3 is not square"));
  REQUIRE(model.decompose(B));
  CHECK_THAT(refusal([&] { model.in_ball(g, radius, s); }), Contains("trust-region step: radius"));
  CHECK_THAT(refusal([&] { model.with_cubic(g, radius, s); }), Contains("cubic step: sigma"));
  KrylovModel krylov;
  CHECK_THAT(refusal([&] { krylov.start(g, {.max_products = 0}); }), Contains("allow at least 1"));
  Lanczos lanczos;
  CHECK_THAT(refusal([&] { lanczos.start(Vector::Zero(3), 2); }), Contains("give at least one and a norm > 0"));
}

TEST_CASE("eigensolvers refuse more pairs than there are and matrices that are not square") {
  BlockLanczosOptions options;
  options.pairs = 4;
  CHECK_THAT(refusal([&] { block_lanczos(*kThree, Matrix(), options); }),
             Contains("4 eigenpairs of an operator of size 3 are not possible"));
  options.pairs = 1;
  options.depth = 1;
  CHECK_THAT(refusal([&] { block_lanczos(*kThree, Matrix(), options); }), Contains("depth 1"));
  options.depth = 12;
  CHECK_THAT(refusal([&] { block_lanczos(*kThree, Matrix::Ones(2, 1), options); }),
             Contains("a start of 2 rows for size 3"));
  CHECK_THAT(refusal([] { extreme_eigenpairs(*kThree, {.largest = 4}); }), Contains("4 largest"));
  Vector values;
  Matrix vectors;
  CHECK_THAT(refusal([&] { symmetric_eigen(kWide, values, vectors); }), Contains("the matrix is 2 x 3, not square"));
  Matrix A = Matrix::Identity(3, 3);
  Vector two = Vector::Zero(2);
  SymmetricEigenWorkspace room;
  CHECK_THAT(refusal([&] { symmetric_eigen_in_place(A, two, room); }), Contains("room for 2 eigenvalues of 3"));
  CHECK_THAT(refusal([] { to_dense(*scaled_identity(100'000, 1.0)); }), Contains("size 100000 needs 74.5 GiB"));
  InertiaWorkspace workspace;
  CHECK_THAT(refusal([&] { inertia(kWide, 0.0, workspace); }), Contains("the matrix is 2 x 3, not square"));
}

TEST_CASE("products with tall matrices refuse shapes that do not fit") {
  const Matrix Q = Matrix::Ones(5, 2);
  const Matrix V = Matrix::Ones(4, 1);
  Matrix C = Matrix::Zero(2, 1);
  Matrix Y = Matrix::Zero(4, 1);
  TallWorkspace workspace;
  CHECK_THAT(refusal([&] { tall_gram(Q, V, C, workspace); }), Contains("tall product: 2 x 1 = (5 x 2)' (4 x 1)"));
  CHECK_THAT(refusal([&] { tall_combine(Q, C, Y); }), Contains("tall product: 4 x 1 = (5 x 2) (2 x 1)"));
  Matrix wide = kWide;
  OrthonormalizeWorkspace<double> own;
  CHECK_THAT(refusal([&] { orthonormalize<double>(wide, own); }),
             Contains("3 columns of 2 entries cannot be orthonormal"));
}
