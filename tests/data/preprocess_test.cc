#include "hesse/data/preprocess.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;

TEST_CASE("standardised features have mean 0 and variance 1, and constant ones are 0") {
  for (const Index n : {2, 3, 10, 50, 3000}) {
    const Index d = 70;  // past one block of features
    Matrix x = Matrix::Random(d, n);
    for (Index i = 0; i < d; ++i)
      x.row(i) = static_cast<double>(i + 1) * x.row(i).array() + 10.0 * static_cast<double>(i);
    x.row(5).setConstant(0.1);  // its mean rounds, so its deviation is not exactly 0
    const Standardisation fitted = fit_standardisation(x);
    Matrix y = x;
    apply(fitted, y);
    CHECK(y.row(5).isZero(0));
    // Sums of n terms below 2 sqrt(n) in magnitude, each off by the rounding of x relative to its deviation: with means
    // to 700 and deviations above 0.01 (n = 2 may draw close values), 1e-9 has a factor of 10 to spare.
    for (Index i = 0; i < d; ++i) {
      if (i == 5) continue;
      CHECK(std::abs(y.row(i).mean()) < 1e-9);
      CHECK(std::abs(y.row(i).squaredNorm() / static_cast<double>(n) - 1) < 1e-9);
    }
    const int before = threads();
    set_threads(3);
    CHECK(fit_standardisation(x).mean == fitted.mean);
    set_threads(before);
  }
  CHECK(fit_standardisation(Matrix(3, 0)).mean.isZero(0));
  CHECK(fit_standardisation(Matrix::Constant(2, 1, 4.0)).inverse_deviation.isZero(0));
  Matrix other = Matrix::Zero(4, 2);
  CHECK_THROWS_AS(apply(fit_standardisation(Matrix::Zero(3, 2)), other), Error);
}

TEST_CASE("a stratified split partitions the samples and takes each class's share, rounded") {
  Dataset data;
  const Index n = 101;
  data.inputs.resize(1, n);
  data.class_count = 4;
  for (Index i = 0; i < n; ++i) {
    data.inputs(0, i) = static_cast<double>(i);
    data.labels.push_back(i == 0 ? 3 : i % 10 == 0 ? 0 : i % 3 == 0 ? 1 : 2);
  }
  const auto count = [&](const std::vector<Index>& which, int c) {
    return std::count_if(which.begin(), which.end(),
                         [&](Index i) { return data.labels[static_cast<std::size_t>(i)] == c; });
  };
  for (const double fraction : {0.0, 0.2, 0.5, 0.999}) {
    const SplitIndices split = stratified_split(data, fraction, 7);
    std::vector<Index> all = split.train;
    all.insert(all.end(), split.test.begin(), split.test.end());
    std::sort(all.begin(), all.end());
    for (Index i = 0; i < n; ++i) REQUIRE(all.at(static_cast<std::size_t>(i)) == i);
    for (int c = 0; c < 4; ++c) {
      const auto total = count(split.train, c) + count(split.test, c);
      const auto share = static_cast<Index>(std::floor(fraction * static_cast<double>(total) + 0.5));
      CHECK(count(split.test, c) == std::min<Index>(share, total - 1));
    }
  }
  CHECK(stratified_split(data, 0.3, 7).test == stratified_split(data, 0.3, 7).test);
  CHECK(stratified_split(data, 0.3, 7).test != stratified_split(data, 0.3, 8).test);
  data.labels.clear();
  CHECK(stratified_split(data, 0.2, 1).test.size() == 20);
  for (const double bad : {-0.1, 1.0, std::nan("")}) CHECK_THROWS_AS(stratified_split(data, bad, 0), Error);
  CHECK_THROWS_AS(stratified_split(Dataset{}, 0.2, 0), Error);
}

TEST_CASE("chosen samples keep their inputs, labels, targets and order") {
  Dataset data;
  data.inputs = Matrix::Random(2, 5);
  data.targets = Matrix::Random(1, 5);
  data.labels = {0, 1, 2, 1, 0};
  data.class_count = 3;
  data.feature_names = {"a", "b"};
  const auto taken = take_samples(data, {3, 0});
  CHECK(taken->inputs.col(0) == data.inputs.col(3));
  CHECK(taken->targets(0, 1) == data.targets(0, 0));
  CHECK(taken->labels == std::vector<std::int32_t>{1, 0});
  CHECK(taken->class_count == 3);
  CHECK(taken->feature_names == data.feature_names);
  CHECK(taken->inputs_in_float() == taken->inputs.cast<float>());
  CHECK(&taken->inputs_in_float() == &taken->inputs_in_float());
}
