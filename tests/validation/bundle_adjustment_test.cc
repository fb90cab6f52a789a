#include "hesse/data/bundle_adjustment.h"
#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/block_residual_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"
#include "hesse/problems/reprojection.h"
#include "hesse/validation/ceres_bridge.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <string>

using namespace hesse;
using namespace hesse::test;
using Catch::Matchers::Contains;

namespace {

constexpr Index kCameras = 3;
constexpr Index kPoints = 25;

/// A scene whose images are exact up to `noise` pixels, in the format of the collection, with its true cameras and
/// points moved by `moved`.
std::string scene(double noise, double moved) {
  Matrix cameras(9, kCameras);
  Matrix points(3, kPoints);
  RandomStream(1, Purpose::test).fill_normal(cameras.reshaped());
  RandomStream(2, Purpose::test).fill_normal(points.reshaped());
  for (Index c = 0; c < kCameras; ++c) {
    cameras.col(c).head(6) *= 0.3;
    cameras(5, c) -= 10;
    cameras(6, c) = 500 + 10 * static_cast<double>(c);
    cameras(7, c) *= 0.01;
    cameras(8, c) *= 0.001;
  }
  Vector errors(2 * kCameras * kPoints);
  RandomStream(3, Purpose::test).fill_normal(errors);
  std::string text = fmt::format("{} {} {}\n", kCameras, kPoints, kCameras * kPoints);
  for (Index p = 0; p < kPoints; ++p) {
    for (Index c = 0; c < kCameras; ++c) {
      const Reprojection at_origin{{{c, p, 0, 0}}};
      const double* const blocks[] = {cameras.col(c).data(), points.col(p).data()};
      double image[2];
      at_origin(0, blocks, image);
      const Index k = 2 * (p * kCameras + c);
      text += fmt::format("{} {}     {} {}\n", c, p, image[0] + noise * errors[k], image[1] + noise * errors[k + 1]);
    }
  }
  Vector shifts(9 * kCameras + 3 * kPoints);
  RandomStream(4, Purpose::test).fill_normal(shifts);
  Index i = 0;
  // Focal length and distortion keep their digits: a step of their kind is of another size.
  for (Index j = 0; j < cameras.size(); ++j, ++i) {
    text += fmt::format("{}\n", cameras(j) + (j % 9 < 6 ? moved * shifts[i] : 0));
  }
  for (Index j = 0; j < points.size(); ++j, ++i) text += fmt::format("{}\n", points(j) + moved * shifts[i]);
  return text;
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("Levenberg-Marquardt by either solver finds the scene behind exact images again") {
  const TemporaryFolder folder;
  const std::string path = folder.write("scene.txt", scene(0, 0.02));
  const std::string method = GENERATE("gauss-newton", "gauss-newton+levenberg-marquardt:solver=schur,geodesic=true",
                                      "gauss-newton+levenberg-marquardt:solver=cg", "gauss-newton+trust-region");
  Problem problem = problems().make(parse_spec("bundle-adjustment:file=" + path), {});
  Vector x = problem.start(1);
  REQUIRE(problem.value(x) > 100);
  const auto optimizer = make_optimizer(method, {*problem.objective, 1});
  Stopping stopping;
  stopping.max_steps = 300;
  stopping.target_value = 1e-16;
  const Summary summary = minimize(*optimizer, *problem.objective, x, stopping);
  CAPTURE(method, summary.message);
  // Coordinates near 500 are known to 1e-13: 150 residuals of that size. Conjugate gradients in a trust region, without
  // the scaling of the columns, are far slower on variables of such different units.
  CHECK(summary.value <= (method == "gauss-newton+trust-region" ? 1e-6 * summary.initial_value : 1e-16));
}

TEST_CASE("on noisy images our minimum is that of Ceres, by Schur complement and by conjugate gradients") {
  const TemporaryFolder folder;
  const std::string path = folder.write("scene.txt", scene(1, 0.02));
  Problem problem = problems().make(parse_spec("bundle-adjustment:file=" + path), {});
  const Vector x0 = problem.start(1);
  const CeresResult ceres = ceres_least_squares(*problem.objective, x0);
  CHECK(ceres.claim == CeresClaim::convergence);
  CHECK(ceres.value_agrees);
  CHECK(ceres.cost.gradients > 0);
  for (const char* method : {"gauss-newton", "gauss-newton+levenberg-marquardt:solver=cg"}) {
    Vector x = x0;
    const auto optimizer = make_optimizer(method, {*problem.objective, 1});
    Stopping stopping;
    stopping.max_steps = 1000;
    const Summary summary = minimize(*optimizer, *problem.objective, x, stopping);
    CAPTURE(method, summary.message, summary.gradient_norm);
    CHECK(converged(summary.termination));
    CHECK(summary.value == Approx(ceres.value).epsilon(1e-10));
  }
}

TEST_CASE("a method that takes a dense Jacobian is refused on blocks") {
  const TemporaryFolder folder;
  const std::string path = folder.write("scene.txt", scene(0, 0));
  const Problem problem = problems().make(parse_spec("bundle-adjustment:file=" + path), {});
  CHECK_THROWS_WITH(make_optimizer("gauss-newton+levenberg-marquardt:solver=qr", {*problem.objective, 1}),
                    Contains("use schur or cg"));
}

TEST_CASE("schur is refused where no blocks are declared to be free of each other") {
  Reprojection one;
  one.observations.push_back({0, 0, 1.0, 2.0});
  BlockResidualObjective<Reprojection> f(std::move(one), {0, 9, 12}, {{0, 1}}, 2);
  CHECK_THROWS_WITH(make_optimizer("gauss-newton+levenberg-marquardt:solver=schur", {f, 1}),
                    Contains("this problem declares none; use cg"));
  CHECK_NOTHROW(make_optimizer("gauss-newton+levenberg-marquardt:solver=cg", {f, 1}));
}

TEST_CASE("a bundle adjustment file with a fault is refused with its line") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& why) {
    const std::string path = folder.write("bad.txt", text);
    CHECK_THROWS_WITH(read_bundle_adjustment(path), Contains(path) && Contains(why));
  };
  const std::string good = scene(0, 0);
  CHECK(read_bundle_adjustment(folder.write("good.txt", good)).points.cols() == kPoints);
  refused(changed(good, "3 25 75", "3 25 76"), "line 77:");
  refused(changed(good, "3 25 75", "3 25 74"), "comes after the last number");
  refused(changed(good, "3 25 75", "3 9999999 75"), "no number of points");
  refused(changed(good, "3 25 75", "0 25 75"), "no number of cameras");
  refused(changed(good, "\n2 0 ", "\n3 0 "), "line 4: 3 is no camera of an observation");
  refused(changed(good, "\n2 0 ", "\n1.5 0 "), "line 4: 1.5 is no camera");
  refused(changed(good, "\n2 0 ", "\n2 x "), "line 4: 'x' is no finite number");
  refused(good + "1\n", "comes after the last number");
  refused(good.substr(0, good.size() / 2), "the file ends where");
}
