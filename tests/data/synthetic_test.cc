#include "hesse/data/synthetic.h"

#include "hesse/core/error.h"

#include <catch2/catch.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace hesse;

TEST_CASE("linear regression data have exactly the condition number asked for") {
  for (const Index d : {1, 2, 3, 10, 50}) {
    for (const double condition : {1.0, 100.0, 1e6}) {
      LinearRegressionOptions options;
      options.features = d;
      options.samples = 2 * d;
      options.condition = condition;
      const auto train = linear_regression(options).train;
      const Matrix moment = train->inputs * train->inputs.transpose() / static_cast<double>(2 * d);
      const Vector eigenvalues = Eigen::SelfAdjointEigenSolver<Matrix>(moment).eigenvalues();
      // X is off by d eps ||X|| for the two orthogonal factors, the moment by about 4 d eps ||X||^2 / n = 4 d eps.
      const double tolerance = 16 * static_cast<double>(d) * 2.3e-16;
      for (Index i = 0; i < d; ++i) {
        const double power = d == 1 ? 0.0 : static_cast<double>(d - 1 - i) / static_cast<double>(d - 1);
        CHECK(std::abs(eigenvalues[i] - std::pow(condition, -power)) < tolerance);
      }
    }
  }
  LinearRegressionOptions short_of_samples;
  short_of_samples.samples = 19;
  CHECK_THROWS_AS(linear_regression(short_of_samples), Error);
}

TEST_CASE("noiseless linear regression targets are one linear function on training and test samples") {
  LinearRegressionOptions options;
  options.noise = 0;
  options.features = 5;
  const DataSplit split = linear_regression(options);
  const Matrix& x = split.train->inputs;
  const Vector w = (x * x.transpose()).ldlt().solve(x * split.train->targets.transpose());
  // Condition 100 costs two digits of sixteen; targets are of order 1.
  CHECK((w.transpose() * split.test->inputs - split.test->targets).cwiseAbs().maxCoeff() < 1e-12);
  options.noise = 0.5;
  const DataSplit noisy = linear_regression(options);
  const double variance = (noisy.train->targets - split.train->targets).squaredNorm() / 1000;
  // The variance of 1000 normals is within 5 deviations, 5 sqrt(2 / 1000) = 0.22, of 1.
  CHECK(std::abs(variance / 0.25 - 1) < 0.23);
}

TEST_CASE("separable classes are a margin apart along some direction, overlapping ones are not") {
  LogisticOptions options;
  options.separable = true;
  options.margin = 0.5;
  const DataSplit split = logistic(options);
  // An independent witness: a perceptron with unit steps ends on separable data, and its direction separates.
  Vector w = Vector::Zero(options.features + 1);
  const auto mistakes = [&](const Dataset& data, bool learn) {
    Index count = 0;
    for (Index i = 0; i < data.sample_count(); ++i) {
      Vector x(options.features + 1);
      x << data.inputs.col(i), 1.0;
      const double sign = data.labels[static_cast<std::size_t>(i)] == 1 ? 1.0 : -1.0;
      if (sign * w.dot(x) <= 0) {
        ++count;
        if (learn) w += sign * x;
      }
    }
    return count;
  };
  Index epochs = 0;
  while (mistakes(*split.train, true) > 0 && epochs < 2000) ++epochs;
  CHECK(mistakes(*split.train, false) == 0);
  options.separable = false;
  const DataSplit overlapping = logistic(options);
  w.setZero();
  for (Index epoch = 0; epoch < 200; ++epoch) mistakes(*overlapping.train, true);
  CHECK(mistakes(*overlapping.train, false) > 0);
}

TEST_CASE("without noise, moons and spirals lie on their curves and blobs on their centres") {
  TwoMoonsOptions moons;
  moons.noise = 0;
  const auto m = two_moons(moons).train;
  for (Index i = 0; i < m->sample_count(); ++i) {
    const double x = m->inputs(0, i);
    const double y = m->inputs(1, i);
    const bool lower = m->labels[static_cast<std::size_t>(i)] == 1;
    CHECK(std::abs(lower ? std::hypot(1 - x, 0.5 - y) - 1 : std::hypot(x, y) - 1) < 1e-15 * 8);
    CHECK((lower ? 0.5 - y : y) >= 0);
  }
  SpiralsOptions arms;
  arms.noise = 0;
  arms.classes = 3;
  const auto s = spirals(arms).train;
  for (Index i = 0; i < s->sample_count(); ++i) {
    const double r = s->inputs.col(i).norm();
    const double angle = std::atan2(s->inputs(1, i), s->inputs(0, i)) / (2 * std::numbers::pi);
    const double arm = angle - arms.turns * r - s->labels[static_cast<std::size_t>(i)] / 3.0;
    // The angle loses r's relative precision near the centre; 1e-9 turns is far above that for r > 1e-6.
    CHECK(std::abs(arm - std::round(arm)) < 1e-9);
  }
  GaussianBlobsOptions blobs;
  blobs.deviation = 0;
  blobs.features = 7;
  const DataSplit b = gaussian_blobs(blobs);
  for (Index i = 0; i < 6; ++i) {
    CHECK(std::abs(b.train->inputs.col(i).norm() - blobs.separation) < 1e-14);
    CHECK(b.train->inputs.col(i) == b.test->inputs.col(i % 3));
  }
}

TEST_CASE("the same seed draws the same bits, another seed and the test samples draw others") {
  GaussianBlobsOptions options;
  const DataSplit a = gaussian_blobs(options);
  CHECK(a.train->inputs == gaussian_blobs(options).train->inputs);
  CHECK(a.train->inputs.leftCols(250) != a.test->inputs);
  options.seed = 1;
  CHECK(a.train->inputs != gaussian_blobs(options).train->inputs);
  options.test = 0;
  CHECK(gaussian_blobs(options).test == nullptr);
  // A shorter data set is the beginning of a longer one.
  options.samples = 10;
  const Matrix head = gaussian_blobs(options).train->inputs;
  options.samples = 20;
  CHECK(gaussian_blobs(options).train->inputs.leftCols(10) == head);
  const auto train = gaussian_blobs(options).train;
  CHECK(std::count(train->labels.begin(), train->labels.end(), 0) == 7);
}
