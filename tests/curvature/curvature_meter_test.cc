#include "hesse/curvature/curvature_meter.h"

#include "nn/network_cases.h"

#include "hesse/core/error.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/quadratic.h"

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace hesse;

namespace {

const std::string kAll =
    "top,alignment,preconditioned,bottom,trace,frobenius,diagonal,log-determinant,negative,density,layers,overlap";

CurvatureMeterOptions options_for(const std::string& measures) {
  CurvatureMeterOptions options;
  options.measures = parse_curvature_measures(measures);
  options.top = 2;
  options.tolerance = 1e-9;
  options.seed = 3;
  return options;
}

double at(const CurvatureMeter& meter, const CurvatureReading& reading, const std::string& column) {
  const auto found = std::find(meter.columns().begin(), meter.columns().end(), column);
  REQUIRE(found != meter.columns().end());
  return reading.figures[static_cast<std::size_t>(found - meter.columns().begin())];
}

double log_determinant(const Vector& spectrum) { return (spectrum.array().max(0) + 1e-3).log().sum(); }

}  // namespace

TEST_CASE("The figures of a matrix that is formed are those of its eigenvalues") {
  constexpr Index n = 12;
  Vector spectrum = Vector::LinSpaced(n, -1, 4.5);
  Quadratic f(spectrum, Vector::Zero(n), 5, 8);
  CurvatureMeter meter(n, options_for(kAll));
  const Vector x = Vector::LinSpaced(n, -1, 1);
  const CurvatureReading reading = meter.read(f, x, {});
  const auto figure = [&](const char* column) { return at(meter, reading, column); };
  // LAPACK's eigenvalues are off by about n eps |H| = 1.2e-14; those of block Lanczos by the square of 1e-9.
  CHECK(figure("sharpness") == Approx(4.5).epsilon(1e-12));
  CHECK(figure("eigenvalue_2") == Approx(4).epsilon(1e-12));
  CHECK(figure("converged") == 1);
  CHECK(figure("bottom") == Approx(-1).epsilon(1e-12));
  CHECK(figure("trace") == Approx(spectrum.sum()).epsilon(1e-12));
  CHECK(figure("trace_lower") == figure("trace_upper"));
  CHECK(figure("frobenius") == Approx(spectrum.norm()).epsilon(1e-12));
  CHECK(figure("log_determinant") == Approx(log_determinant(spectrum)).margin(1e-9));
  CHECK(figure("negative") == 2);
  const Matrix H = to_dense(*f.curvature(x, Curvature::hessian));
  CHECK(figure("diagonal") == Approx(H.diagonal().norm()).epsilon(1e-12));
  CHECK(figure("diagonal_error") == 0);
  CHECK(std::isnan(figure("preconditioned")));
  REQUIRE(reading.density.probes.size() == 1);
  CHECK((reading.density.probes[0].nodes - spectrum).norm() <= 1e-12);
  CHECK(reading.density.probes[0].weights == Vector::Constant(n, 1.0 / n));

  // P^-1/2 H P^-1/2 from the dense matrix.
  const Vector P = Vector::LinSpaced(n, 0.5, 2);
  const Vector root = P.cwiseSqrt().cwiseInverse();
  const double largest =
      Eigen::SelfAdjointEigenSolver<Matrix>(root.asDiagonal() * H * root.asDiagonal()).eigenvalues()[n - 1];
  CHECK(at(meter, meter.read(f, x, P), "preconditioned") == Approx(largest).epsilon(1e-12));
}

TEST_CASE("Estimates of a matrix that is not formed hold the exact figures in their intervals") {
  constexpr Index n = 400;
  Vector spectrum(n);
  for (Index i = 0; i < n; ++i)
    spectrum[i] = i < 60 ? -0.2 - 0.001 * static_cast<double>(i) : 3 * std::pow(0.98, i - 60);
  Quadratic f(spectrum, Vector::Zero(n), 6, 8);
  const Vector x = Vector::Ones(n);
  int missed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CurvatureMeterOptions options = options_for("trace,frobenius,log-determinant,negative");
    options.seed = seed;
    options.estimate_products = 120;
    CurvatureMeter meter(n, options);
    const CurvatureReading reading = meter.read(f, x, {});
    const auto misses = [&](const std::string& column, double exact) {
      const double lower = at(meter, reading, column + "_lower");
      const double upper = at(meter, reading, column + "_upper");
      CHECK(lower <= upper);
      return exact < lower || exact > upper;
    };
    missed += misses("trace", spectrum.sum()) + misses("frobenius", spectrum.norm()) +
              misses("log_determinant", log_determinant(spectrum)) +
              misses("negative", static_cast<double>((spectrum.array() < -3e-3).count()));
    CHECK(at(meter, reading, "products") <= 3 * 120);
  }
  // Of 80 intervals four are expected to miss; more than 12 has a probability below 1e-3 were they independent.
  CHECK(missed <= 12);
}

TEST_CASE("A meter with the state of another goes on to the same bits and from its vectors with fewer products") {
  constexpr Index n = 300;
  Vector spectrum(n);
  for (Index i = 0; i < n; ++i) spectrum[i] = (i % 2 == 0 ? 1 : -0.5) * std::pow(0.99, static_cast<double>(i));
  Quadratic f(spectrum, Vector::Zero(n), 6, 8);
  const Vector x = Vector::Ones(n);
  const Vector P = Vector::LinSpaced(n, 1, 2);
  const CurvatureMeterOptions options = options_for(kAll);
  CurvatureMeter first(n, options);
  const double cold = at(first, first.read(f, x, P), "products");
  CurvatureMeter second(n, options);
  const StateView from = first.state();
  const StateView to = second.state();
  for (std::size_t i = 0; i < from.size(); ++i) *std::get<Matrix*>(to[i].data) = *std::get<Matrix*>(from[i].data);
  const CurvatureReading here = first.read(f, x, P);
  const CurvatureReading there = second.read(f, x, P);
  CHECK(here.figures == there.figures);
  REQUIRE(here.layers.size() == 1);
  CHECK(here.layers[0].largest == there.layers[0].largest);
  CHECK(here.layers[0].smallest == there.layers[0].smallest);
  CHECK(here.layers[0].trace.value == there.layers[0].trace.value);
  CHECK(at(first, here, "products") < cold);
}

namespace {

const Case kNetwork{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};

Eigen::SelfAdjointEigenSolver<Matrix> eigen_of(Objective& f, const Vector& x) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(dense(*f.curvature(x, Curvature::hessian)));
}

/// The eigenvectors of the largest eigenvalues, by Eigen's solver on the dense Hessian.
Matrix top_space(Objective& f, const Vector& x, Index k) { return eigen_of(f, x).eigenvectors().rightCols(k); }

}  // namespace

TEST_CASE("Each layer has the ends and the trace of its diagonal block of the dense Hessian") {
  const auto f = make_objective(kNetwork, make_data(4, 3, 20, kNetwork.loss));
  const Vector x = test_point(f->size());
  const Matrix H = dense(*f->curvature(x, Curvature::hessian));
  // All from the formed matrix, each block formed, and the first of 25 parameters by Lanczos and Hutch++.
  for (const Index products : {200, 30, 20}) {
    CAPTURE(products);
    CurvatureMeterOptions options = options_for("layers");
    options.estimate_products = products;
    CurvatureMeter meter(f->size(), options);
    const CurvatureReading reading = meter.read(*f, x, {});
    REQUIRE(reading.layers.size() == 2);
    Index begin = 0;
    for (const LayerCurvature& layer : reading.layers) {
      const Matrix block = H.block(begin, begin, layer.parameters, layer.parameters);
      const Vector values = Eigen::SelfAdjointEigenSolver<Matrix>(block).eigenvalues();
      // An eigenvalue lies within the residual, and LAPACK's own are off by n eps |A|.
      const double rounding = 100 * kEps * block.norm();
      CHECK(layer.converged);
      CHECK(std::abs(layer.largest - values.tail(1)[0]) <= layer.largest_residual + rounding);
      CHECK(std::abs(layer.smallest - values[0]) <= layer.smallest_residual + rounding);
      CHECK(layer.largest_residual <= 1e-9 * block.norm() + rounding);
      CHECK(layer.trace.lower <= layer.trace.value);
      if (layer.parameters <= products) {
        CHECK(std::abs(layer.trace.value - block.trace()) <= rounding);
        CHECK(layer.trace.lower == layer.trace.upper);
      } else {
        // Ten half-widths of a 95 % interval: what holds for all but one in a thousand of any distribution of one mode.
        CHECK(std::abs(layer.trace.value - block.trace()) <= 10 * (layer.trace.upper - layer.trace.value));
      }
      begin += layer.parameters;
    }
    CHECK(reading.layers[0].name == "layer1");
    CHECK(reading.layers[0].parameters == 25);
    CHECK(begin == f->size());
  }
}

TEST_CASE("The overlaps along a path are mean squared cosines of the top eigenspaces of the dense Hessians") {
  const auto f = make_objective(kNetwork, make_data(4, 3, 20, kNetwork.loss));
  CurvatureMeter meter(f->size(), options_for("overlap"));
  const Vector first = test_point(f->size());
  const Vector direction = test_point(f->size(), 1);
  Matrix before;
  Matrix at_first;
  for (const double t : {0.0, 0.05, 0.3}) {
    const Vector x = first + t * direction;
    const Matrix V = top_space(*f, x, 2);
    const CurvatureReading reading = meter.read(*f, x, {});
    if (before.size() == 0) {
      at_first = V;
      CHECK(std::isnan(at(meter, reading, "overlap_previous")));
    } else {
      // Residuals of 1e-9 |H| over gaps of no less than 1e-3 |H| turn the spaces by 1e-6.
      CHECK(at(meter, reading, "overlap_previous") == Approx((before.transpose() * V).squaredNorm() / 2).margin(1e-5));
    }
    CHECK(at(meter, reading, "overlap_first") == Approx((at_first.transpose() * V).squaredNorm() / 2).margin(1e-5));
    before = V;
  }
  // The path does turn the space, or equal figures would mean nothing.
  CHECK((at_first.transpose() * before).squaredNorm() / 2 < 0.99);
}

TEST_CASE("The figures of the classes are those of gradients on each class alone and the dense Hessian") {
  const auto data = make_data(4, 3, 20, kNetwork.loss);
  const auto f = make_objective(kNetwork, data);
  const Vector x = test_point(f->size());
  CurvatureMeterOptions options = options_for("classes");
  options.top = 3;
  CurvatureMeter meter(f->size(), options);
  const CurvatureReading reading = meter.read(*f, x, {});
  // The second moment as a dense matrix, each mean from a data set of one class.
  Matrix moment = Matrix::Zero(f->size(), f->size());
  for (std::int32_t c = 0; c < 3; ++c) {
    auto part = std::make_shared<Dataset>();
    part->class_count = 3;
    std::vector<Index> members;
    for (Index i = 0; i < 20; ++i) {
      if (data->labels[static_cast<std::size_t>(i)] == c) members.push_back(i);
    }
    part->inputs = data->inputs(Eigen::all, members);
    part->labels.assign(members.size(), c);
    Vector g;
    make_objective(kNetwork, part)->value_and_gradient(x, g);
    moment += static_cast<double>(members.size()) / 20 * g * g.transpose();
  }
  const Matrix V = top_space(*f, x, 3);
  const Matrix M = Eigen::SelfAdjointEigenSolver<Matrix>(moment).eigenvectors().rightCols(3);
  // Means from the small Gram matrix are orthonormal to the root of eps times their condition.
  CHECK(at(meter, reading, "class_overlap") == Approx((M.transpose() * V).squaredNorm() / 3).margin(1e-5));
  CHECK(at(meter, reading, "class_alignment") ==
        Approx((V.transpose() * moment * V).trace() / moment.trace()).margin(1e-5));
  CHECK(at(meter, reading, "class_moment") == Approx(moment.trace()).epsilon(1e-12));
}

TEST_CASE("Layers and classes along training are refused where there are none") {
  Quadratic f(Vector::Ones(4), Vector::Zero(4), 1, 1);
  CHECK_THROWS_WITH(check_curvature_measures(f, {"top", "layers"}), Catch::Contains("no more layers than one"));
  CHECK_THROWS_WITH(check_curvature_measures(f, {"classes"}), Catch::Contains("no network with one class label"));
  CHECK_NOTHROW(check_curvature_measures(f, {"top", "overlap"}));
  const auto g = make_objective(kNetwork, make_data(4, 3, 20, kNetwork.loss));
  CHECK_NOTHROW(check_curvature_measures(*g, {"layers", "classes"}));
}

TEST_CASE("A gradient that is not finite has no figures and impossible wishes of a meter are refused") {
  Quadratic f(Vector::Ones(4), Vector::Zero(4), 1, 1);
  CurvatureMeter meter(4, options_for(kAll));
  const CurvatureReading reading = meter.read(f, Vector::Constant(4, std::numeric_limits<double>::quiet_NaN()), {});
  for (const double figure : reading.figures) CHECK(std::isnan(figure));
  CHECK_THROWS_WITH(parse_curvature_measures("top,botom"), Catch::Contains("did you mean 'bottom'"));
  CHECK_THROWS_AS(parse_curvature_measures(""), Error);
  CHECK_THROWS_AS(parse_curvature_measures("top,top"), Error);
  CHECK_THROWS_AS(CurvatureMeter(1, options_for("top")), Error);
  CurvatureMeterOptions options = options_for("trace");
  options.estimate_products = 5;
  CHECK_THROWS_AS(CurvatureMeter(4, options), Error);
}
