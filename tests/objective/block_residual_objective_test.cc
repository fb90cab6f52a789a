#include "hesse/objective/block_residual_objective.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/problems/reprojection.h"

#include <ceres/jet.h>
#include <Eigen/Geometry>
#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

constexpr Index kCameras = 4;
constexpr Index kPoints = 9;

/// All residuals at once, for ResidualObjective: a dense route, on which R is the exponential of the matrix of w x.
struct WholeReprojection {
  Reprojection each;
  template <class T>
  static Eigen::Matrix<T, 3, 3> rotation(const T* w) {
    // Squared five times; then |w| / 32 < 1 / 4 leaves less than 1e-25 to the terms after 16.
    Eigen::Matrix<T, 3, 3> K;
    K << T(0.0), -w[2], w[1], w[2], T(0.0), -w[0], -w[1], w[0], T(0.0);
    K = K * T(1.0 / 32);
    Eigen::Matrix<T, 3, 3> R = Eigen::Matrix<T, 3, 3>::Identity();
    for (int n = 16; n > 0; --n) R = Eigen::Matrix<T, 3, 3>::Identity() + K * R * T(1.0 / n);
    for (int i = 0; i < 5; ++i) R = R * R;
    return R;
  }
  template <class T>
  void operator()(const T* x, T* r) const {
    for (std::size_t k = 0; k < each.observations.size(); ++k) {
      const Observation& seen = each.observations[k];
      const T* const camera = x + 9 * seen.camera;
      const Eigen::Map<const Eigen::Matrix<T, 3, 1>> X(x + 9 * kCameras + 3 * seen.point);
      const Eigen::Matrix<T, 3, 1> P = rotation(camera) * X + Eigen::Map<const Eigen::Matrix<T, 3, 1>>(camera + 3);
      const T px = -P[0] / P[2];
      const T py = -P[1] / P[2];
      const T square = px * px + py * py;
      const T scale = camera[6] * (1.0 + camera[7] * square + camera[8] * square * square);
      r[2 * k] = scale * px - seen.x;
      r[2 * k + 1] = scale * py - seen.y;
    }
  }
};

/// Every point is seen by two or three cameras, one of them twice.
Reprojection small_scene() {
  Reprojection scene;
  for (Index p = 0; p < kPoints; ++p) {
    for (Index c = 0; c < kCameras; ++c) {
      if ((p + c) % 3 != 0)
        scene.observations.push_back({c, p, 3.0 * static_cast<double>(p - c), 7.0 - static_cast<double>(p)});
    }
  }
  scene.observations.push_back({1, 0, 0.5, -0.25});
  return scene;
}

BlockResidualObjective<Reprojection> small_problem() {
  Reprojection scene = small_scene();
  std::vector<Index> variables = {0};
  for (Index c = 0; c < kCameras; ++c) variables.push_back(variables.back() + 9);
  for (Index p = 0; p < kPoints; ++p) variables.push_back(variables.back() + 3);
  std::vector<BlockResidualObjective<Reprojection>::Uses> uses;
  for (const Observation& seen : scene.observations) uses.push_back({seen.camera, kCameras + seen.point});
  return {std::move(scene), std::move(variables), uses, kCameras};
}

/// Cameras that turn by about 1, at a distance of 5 from the points, with focal lengths near 50.
Vector scene_at(std::uint64_t seed) {
  Vector x(9 * kCameras + 3 * kPoints);
  RandomStream(seed, Purpose::test).fill_normal(x);
  for (Index c = 0; c < kCameras; ++c) {
    x[9 * c + 5] -= 10;
    x[9 * c + 6] = 50 + x[9 * c + 6];
    x[9 * c + 7] *= 0.01;
    x[9 * c + 8] *= 0.001;
  }
  return x;
}

}  // namespace

TEST_CASE("a reprojection is rotation, translation, division and distortion, one after the other") {
  const Reprojection scene = small_scene();
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Vector x = scene_at(seed);
    for (std::size_t k = 0; k < scene.observations.size(); ++k) {
      const Observation& seen = scene.observations[k];
      const double* const blocks[] = {x.data() + 9 * seen.camera, x.data() + 9 * kCameras + 3 * seen.point};
      const Eigen::Map<const Eigen::Matrix<double, 9, 1>> camera(blocks[0]);
      const Eigen::Vector3d w = camera.head<3>();
      const Eigen::Vector3d P =
          Eigen::AngleAxisd(w.norm(), w.normalized()) * Eigen::Map<const Eigen::Vector3d>(blocks[1]) +
          camera.segment<3>(3);
      const Eigen::Vector2d p = -P.head<2>() / P[2];
      const Eigen::Vector2d image =
          camera[6] * (1 + camera[7] * p.squaredNorm() + camera[8] * std::pow(p.squaredNorm(), 2)) * p;
      double r[2];
      scene(static_cast<Index>(k), blocks, r);
      CHECK(r[0] == Approx(image[0] - seen.x).epsilon(1e-12));
      CHECK(r[1] == Approx(image[1] - seen.y).epsilon(1e-12));
    }
  }
}

TEST_CASE("residuals in blocks have the derivatives of the same residuals written as one function") {
  auto blocks = small_problem();
  ResidualObjective<WholeReprojection> whole({small_scene()}, blocks.size(), blocks.residual_count());
  // Lengths of w: none, one whose square is no double, small ones, both sides of where the formulas change, a long one.
  const std::vector<double> angles = {0, 1e-155, 1e-9, 1e-4, 0.05, 0.999, 1.001, 6};
  for (std::uint64_t seed = 0; seed < angles.size(); ++seed) {
    CAPTURE(seed);
    Vector x = scene_at(seed);
    const Vector direction = x.head<3>().normalized();
    x.head<3>() = angles[seed] * direction;
    Vector v(x.size());
    RandomStream(seed + 100, Purpose::test).fill_normal(v);
    Vector r, s, g, h, rvv, svv;
    BlockJacobian J;
    Matrix K;
    blocks.residuals_and_jacobian(x, r, J);
    whole.residuals_and_jacobian(x, s, K);
    CHECK((r - s).norm() <= 1e-14 * s.norm());
    blocks.residuals(x, s);
    CHECK((r - s).norm() <= 1e-14 * s.norm());
    Vector got;
    J.multiply(v, got);
    CHECK((got - K * v).norm() <= 1e-13 * K.norm() * v.norm());
    J.multiply_transposed(r, got);
    CHECK((got - K.transpose() * r).norm() <= 1e-13 * K.norm() * r.norm());
    J.column_norms(got);
    CHECK((got - K.colwise().norm().transpose()).norm() <= 1e-13 * K.norm());
    CHECK(blocks.value_and_gradient(x, g) == Approx(whole.value_and_gradient(x, h)).epsilon(1e-14));
    CHECK((g - h).norm() <= 1e-13 * K.norm() * r.norm());
    CHECK(blocks.value(x) == Approx(whole.value(x)).epsilon(1e-14));
    blocks.second_derivative_along(x, v, rvv);
    whole.second_derivative_along(x, v, svv);
    CHECK((rvv - svv).norm() <= 1e-12 * svv.norm());
    for (const Curvature kind : {Curvature::hessian, Curvature::gauss_newton}) {
      Matrix V(x.size(), 2);
      V.col(0) = v;
      V.col(1) = g;
      Matrix ours(x.size(), 2);
      Matrix theirs(x.size(), 2);
      blocks.curvature(x, kind)->apply(V, ours);
      whole.curvature(x, kind)->apply(V, theirs);
      CHECK((ours - theirs).norm() <= 1e-12 * theirs.norm());
    }
  }
}

/// r_k = c_k x.
struct Slopes {
  static constexpr int kResiduals = 1;
  static constexpr std::array<int, 1> kVariables = {1};
  std::vector<double> c;
  template <class T>
  void operator()(Index k, const T* const* x, T* r) const {
    r[0] = c[static_cast<std::size_t>(k)] * x[0][0];
  }
};

TEST_CASE("column norms survive squares out of range, and what is not finite shows") {
  const double nan = std::nan("");
  const double inf = std::numeric_limits<double>::infinity();
  const auto norm_of = [](const std::vector<double>& c) {
    BlockResidualObjective<Slopes> f({c}, {0, 1}, std::vector<BlockResidualObjective<Slopes>::Uses>(c.size(), {0}), 1);
    Vector r, norms;
    BlockJacobian J;
    f.residuals_and_jacobian(Vector::Ones(1), r, J);
    J.column_norms(norms);
    return norms[0];
  };
  CHECK(norm_of({3, 4}) == Approx(5).epsilon(1e-15));
  CHECK(norm_of({3e-200, 4e-200}) == Approx(5e-200).epsilon(1e-14));
  CHECK(norm_of({3e200, 4e200}) == Approx(5e200).epsilon(1e-14));
  CHECK(norm_of({0, 0}) == 0);
  CHECK(std::isnan(norm_of({5, nan, 0})));
  CHECK(std::isnan(norm_of({nan, 0, 0})));
  CHECK(std::isnan(norm_of({inf, nan})));
  CHECK(norm_of({5, inf, 1}) == inf);
}

TEST_CASE("the Jacobian of a residual block is that of ceres::Jet on the same functor") {
  auto problem = small_problem();
  const BlockStructure& structure = problem.block_structure();
  const Vector x = scene_at(3);
  Vector r;
  BlockJacobian J;
  problem.residuals_and_jacobian(x, r, J);
  using Jet = ceres::Jet<double, 12>;
  for (Index k = 0; k < structure.residual_blocks(); ++k) {
    const auto uses = structure.uses_of(k);
    std::array<Jet, 12> jets;
    for (int i = 0; i < 12; ++i) {
      const Index first = structure.first_variable(uses[i < 9 ? 0 : 1]);
      jets[static_cast<std::size_t>(i)] = Jet(x[first + (i < 9 ? i : i - 9)], i);
    }
    const Jet* const arguments[] = {jets.data(), jets.data() + 9};
    Jet residuals[2];
    problem.functor()(k, arguments, residuals);
    for (int i = 0; i < 2; ++i) {
      CHECK(r[2 * k + i] == Approx(residuals[i].a).epsilon(1e-14));
      const Eigen::Map<const Eigen::Matrix<double, 12, 1>> row(J.rows(k) + 12 * i);
      CHECK((row - residuals[i].v).norm() <= 1e-13 * residuals[i].v.norm());
    }
  }
}

TEST_CASE("residuals in blocks have the same bits on any number of threads") {
  const int before = threads();
  auto problem = small_problem();
  const Vector x = scene_at(5);
  const Vector v = scene_at(6);
  Vector g1, g, Hv1(x.size()), Hv(x.size());
  set_threads(1);
  const double f1 = problem.value_and_gradient(x, g1);
  problem.curvature(x, Curvature::hessian)->apply(v, Hv1);
  set_threads(4);
  auto again = small_problem();
  CHECK(again.value_and_gradient(x, g) == f1);
  CHECK(g == g1);
  again.curvature(x, Curvature::hessian)->apply(v, Hv);
  CHECK(Hv == Hv1);
  set_threads(before);
}

TEST_CASE("a structure of blocks that is none is refused with the block") {
  using Problem = BlockResidualObjective<Reprojection>;
  const Reprojection scene{{{0, 0, 0, 0}}};
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 12}, {{0, 2}}, 1), Contains("residual block 0 uses variable block 2 of 2"));
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 12}, {{1, 0}}, 1), Contains("has 3 variables, and its formula takes 9"));
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 12}, {{0, 1}}, 0), Contains("are to be independent"));
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 12}, {{0, 1}}, 3), Contains("cannot be the first eliminated"));
  CHECK_THROWS_AS(Problem(scene, {1, 9, 12}, {{0, 1}}, 1), Error);
  CHECK_THROWS_WITH(Problem(scene, {}, {{0, 1}}, 1), Contains("a list of 0 starts"));
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 9, 12}, {{0, 2}}, 1), Contains("variable block 1 (from 0) has no variables"));
  CHECK_THROWS_WITH(Problem(scene, {0, 9, 12}, {{0, 0}}, 2), Contains("uses variable block 0 twice"));
  BlockStructure empty_rows;
  empty_rows.variables = {0, 1};
  empty_rows.residuals = {0, 2, 2};
  empty_rows.uses = {0, 0};
  empty_rows.uses_begin = {0, 1, 2};
  empty_rows.eliminated = 1;
  CHECK_THROWS_WITH(empty_rows.finish(), Contains("residual block 1 (from 0) has no residuals"));
}

TEST_CASE("norms of the columns of a Jacobian in blocks neither overflow nor vanish") {
  BlockStructure structure;
  structure.variables = {0, 2, 4};
  structure.residuals = {0, 2, 3};
  structure.uses = {0, 1};
  structure.uses_begin = {0, 1, 2};
  structure.eliminated = 2;
  structure.finish();
  BlockJacobian J;
  J.bind(structure);
  const std::vector<double> entries = {3e200, 3e-200, 4e200, -4e-200, 2, 0};
  std::copy(entries.begin(), entries.end(), J.rows(0));
  Vector norms;
  J.column_norms(norms);
  CHECK(norms[0] == Approx(5e200).epsilon(1e-15));
  CHECK(norms[1] == Approx(5e-200).epsilon(1e-15));
  CHECK(norms[2] == 2);
  CHECK(norms[3] == 0);
  J.rows(0)[2] = std::nan("");
  J.column_norms(norms);
  CHECK(std::isnan(norms[0]));
}

namespace {
/// Throws at one block while it is told to.
struct Fallible {
  static constexpr int kResiduals = 1;
  static constexpr std::array<int, 1> kVariables = {1};
  std::shared_ptr<bool> throws = std::make_shared<bool>(false);
  template <class T>
  void operator()(Index k, const T* const* x, T* r) const {
    if (*throws && k == 1) fail("block 1 has no value");
    r[0] = x[0][0] * x[0][0];
  }
};
}  // namespace

TEST_CASE("what a formula left half written when it threw is not taken for another point's") {
  const Fallible functor;
  BlockResidualObjective<Fallible> f(functor, {0, 1, 2}, {{0}, {1}}, 2);
  const Vector a = Eigen::Vector2d(1, 2);
  const Vector b = Eigen::Vector2d(3, 4);
  Vector g;
  CHECK(f.value_and_gradient(a, g) == 8.5);
  *functor.throws = true;
  CHECK_THROWS_AS(f.value_and_gradient(b, g), Error);
  *functor.throws = false;
  CHECK(f.value_and_gradient(a, g) == 8.5);
  CHECK(g == Vector(Eigen::Vector2d(2, 16)));
}
