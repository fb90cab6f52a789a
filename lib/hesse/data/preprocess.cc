#include "hesse/data/preprocess.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr Index kFeatureBlock = 64;
constexpr Index kSampleBlock = 1024;

}  // namespace

Standardisation fit_standardisation(ConstMatrixView inputs) {
  const Index features = inputs.rows();
  const Index samples = inputs.cols();
  Standardisation out = {Vector::Zero(features), Vector::Zero(features)};
  if (samples == 0) return out;
  const auto n = static_cast<double>(samples);
  parallel_for(block_count(features, kFeatureBlock), [&](Index task) {
    const Range range = block_range(features, kFeatureBlock, task);
    const auto block = inputs.middleRows(range.begin, range.size());
    auto mean = out.mean.segment(range.begin, range.size());
    Vector largest = Vector::Zero(range.size());
    for (Index j = 0; j < samples; ++j) {
      mean += block.col(j);
      largest = largest.cwiseMax(block.col(j).cwiseAbs());
    }
    mean /= n;
    Vector squares = Vector::Zero(range.size());
    for (Index j = 0; j < samples; ++j) squares += (block.col(j) - mean).cwiseAbs2();
    for (Index i = 0; i < range.size(); ++i) {
      const double deviation = std::sqrt(squares[i] / n);
      const double rounding = 8 * std::numeric_limits<double>::epsilon() * largest[i];
      out.inverse_deviation[range.begin + i] = deviation > rounding ? 1 / deviation : 0.0;
    }
  });
  return out;
}

void apply(const Standardisation& standardisation, MatrixView inputs) {
  if (standardisation.mean.size() != inputs.rows()) {
    fail("standardisation: was fitted to {} features, but the data have {}; fit it to the same features",
         standardisation.mean.size(), inputs.rows());
  }
  parallel_for(block_count(inputs.cols(), kSampleBlock), [&](Index task) {
    const Range range = block_range(inputs.cols(), kSampleBlock, task);
    for (Index j = range.begin; j < range.end; ++j) {
      inputs.col(j) = (inputs.col(j) - standardisation.mean).cwiseProduct(standardisation.inverse_deviation);
    }
  });
}

std::shared_ptr<Dataset> take_samples(const Dataset& dataset, const std::vector<Index>& samples) {
  auto out = std::make_shared<Dataset>();
  out->name = dataset.name;
  out->class_count = dataset.class_count;
  out->feature_names = dataset.feature_names;
  out->inputs = dataset.inputs(Eigen::all, samples);
  if (dataset.targets.size() > 0) out->targets = dataset.targets(Eigen::all, samples);
  if (!dataset.labels.empty()) {
    for (const Index i : samples) out->labels.push_back(dataset.labels[static_cast<std::size_t>(i)]);
  }
  return out;
}

SplitIndices stratified_split(const Dataset& dataset, double fraction, std::uint64_t seed) {
  if (!(fraction >= 0 && fraction < 1)) fail("{}: test fraction {} is not in [0, 1)", dataset.name, fraction);
  std::vector<Index> order;
  RandomStream(seed, Purpose::split).permutation(dataset.sample_count(), order);
  const auto class_of = [&](Index i) {
    return dataset.labels.empty() ? 0 : static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(i)]);
  };
  std::vector<Index> left(static_cast<std::size_t>(std::max<Index>(dataset.class_count, 1)), 0);
  for (const Index i : order) ++left[class_of(i)];
  for (Index& count : left) {
    const auto share = static_cast<Index>(std::floor(fraction * static_cast<double>(count) + 0.5));
    count = std::min(share, std::max<Index>(count - 1, 0));
  }
  SplitIndices out;
  for (const Index i : order) (left[class_of(i)]-- > 0 ? out.test : out.train).push_back(i);
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.test.begin(), out.test.end());
  if (out.train.empty()) fail("{}: holds no sample to train on; give a file with samples", dataset.name);
  return out;
}

}  // namespace hesse
