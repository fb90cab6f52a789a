#include "hesse/data/synthetic.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <utility>

namespace hesse {
namespace {

/// What a stream draws: its step. Test samples use the number after the training samples'.
enum Draw : std::uint64_t { kModel = 0, kInputs = 1, kNoise = 3, kBasis = 5 };

RandomStream stream(Index seed, std::uint64_t draw) {
  return {static_cast<std::uint64_t>(seed), Purpose::synthetic_data, draw};
}

Matrix normal_matrix(const RandomStream& random, Index rows, Index cols) {
  Matrix out(rows, cols);
  random.fill_normal(out.reshaped());
  return out;
}

/// Random orthonormal columns, by QR of a normal matrix with rows >= cols.
Matrix orthonormal(const RandomStream& random, Index rows, Index cols) {
  const Eigen::HouseholderQR<Matrix> qr(normal_matrix(random, rows, cols));
  return qr.householderQ() * Matrix::Identity(rows, cols);
}

void visit_sizes(Index& samples, Index& test, Index& seed, OptionVisitor& visitor) {
  visitor.option("samples", samples, Interval::at_least(1), "number of training samples");
  visitor.option("test", test, Interval::at_least(0), "number of test samples, 0 for none");
  visitor.option("seed", seed, Interval::at_least(0), "seed of the random streams");
}

/// Training samples by make(samples, 0), test samples by make(test, 1); the second argument is added to a stream's
/// step.
template <class Make>
DataSplit split_of(const char* name, Index samples, Index test, Make make) {
  const auto named = [&](Index n, std::uint64_t which) {
    std::shared_ptr<Dataset> dataset = make(n, which);
    dataset->name = name;
    return dataset;
  };
  return {named(samples, 0), test > 0 ? named(test, 1) : nullptr};
}

std::shared_ptr<Dataset> labelled(Index features, Index samples, Index classes) {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs.resize(features, samples);
  dataset->labels.resize(static_cast<std::size_t>(samples));
  dataset->class_count = classes;
  for (Index i = 0; i < samples; ++i)
    dataset->labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % classes);
  return dataset;
}

}  // namespace

void visit_options(GaussianBlobsOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
  visitor.option("classes", options.classes, Interval::closed(2, 65536), "number of classes");
  visitor.option("features", options.features, Interval::at_least(1), "number of features");
  visitor.option("separation", options.separation, Interval::non_negative(), "distance of the centres from the origin");
  visitor.option("deviation", options.deviation, Interval::non_negative(), "standard deviation within a class");
}

DataSplit gaussian_blobs(const GaussianBlobsOptions& options) {
  Matrix centres = normal_matrix(stream(options.seed, kModel), options.features, options.classes);
  centres.colwise().normalize();
  centres *= options.separation;
  return split_of("gaussian-blobs", options.samples, options.test, [&](Index n, std::uint64_t which) {
    auto dataset = labelled(options.features, n, options.classes);
    dataset->inputs = options.deviation * normal_matrix(stream(options.seed, kInputs + which), options.features, n);
    for (Index i = 0; i < n; ++i) dataset->inputs.col(i) += centres.col(i % options.classes);
    return dataset;
  });
}

void visit_options(TwoMoonsOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
  visitor.option("noise", options.noise, Interval::non_negative(),
                 "standard deviation of the noise on each coordinate");
}

DataSplit two_moons(const TwoMoonsOptions& options) {
  return split_of("two-moons", options.samples, options.test, [&](Index n, std::uint64_t which) {
    const RandomStream angle = stream(options.seed, kInputs + which);
    auto dataset = labelled(2, n, 2);
    dataset->inputs = options.noise * normal_matrix(stream(options.seed, kNoise + which), 2, n);
    for (Index i = 0; i < n; ++i) {
      const double t = std::numbers::pi * angle.uniform(static_cast<std::uint64_t>(i));
      const bool lower = i % 2 == 1;
      dataset->inputs(0, i) += lower ? 1 - std::cos(t) : std::cos(t);
      dataset->inputs(1, i) += lower ? 0.5 - std::sin(t) : std::sin(t);
    }
    return dataset;
  });
}

void visit_options(SpiralsOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
  visitor.option("classes", options.classes, Interval::closed(2, 65536), "number of classes, one arm each");
  visitor.option("turns", options.turns, Interval::positive(), "turns of each arm");
  visitor.option("noise", options.noise, Interval::non_negative(),
                 "standard deviation of the noise on each coordinate");
}

DataSplit spirals(const SpiralsOptions& options) {
  return split_of("spirals", options.samples, options.test, [&](Index n, std::uint64_t which) {
    const RandomStream radius = stream(options.seed, kInputs + which);
    auto dataset = labelled(2, n, options.classes);
    dataset->inputs = options.noise * normal_matrix(stream(options.seed, kNoise + which), 2, n);
    for (Index i = 0; i < n; ++i) {
      const double r = radius.uniform(static_cast<std::uint64_t>(i));
      const double arm = static_cast<double>(i % options.classes) / static_cast<double>(options.classes);
      const double a = 2 * std::numbers::pi * (options.turns * r + arm);
      dataset->inputs(0, i) += r * std::cos(a);
      dataset->inputs(1, i) += r * std::sin(a);
    }
    return dataset;
  });
}

void visit_options(LinearRegressionOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
  visitor.option("features", options.features, Interval::at_least(1), "number of features");
  visitor.option("condition", options.condition, Interval::at_least(1), "condition number of X X^T / n");
  visitor.option("noise", options.noise, Interval::non_negative(), "standard deviation of the noise on y");
}

DataSplit linear_regression(const LinearRegressionOptions& options) {
  const Index d = options.features;
  if (options.samples < d) {
    fail("linear-regression: {} samples cannot give {} features full rank; give samples >= features", options.samples,
         d);
  }
  const Vector w = normal_matrix(stream(options.seed, kModel), d, 1);
  // X = U diag(sqrt(lambda)) sqrt(n) Q^T with Q^T Q = I, so X X^T / n = U diag(lambda) U^T.
  Matrix root = orthonormal(stream(options.seed, kBasis), d, d);
  for (Index i = 1; i < d; ++i) {
    root.col(i) *= std::pow(options.condition, -0.5 * static_cast<double>(i) / static_cast<double>(d - 1));
  }
  return split_of("linear-regression", options.samples, options.test, [&](Index n, std::uint64_t which) {
    const RandomStream random = stream(options.seed, kInputs + which);
    auto dataset = std::make_shared<Dataset>();
    if (which == 0) {
      dataset->inputs.noalias() = std::sqrt(static_cast<double>(n)) * (root * orthonormal(random, n, d).transpose());
    } else {
      dataset->inputs.noalias() = root * normal_matrix(random, d, n);
    }
    dataset->targets = w.transpose() * dataset->inputs;
    dataset->targets += options.noise * normal_matrix(stream(options.seed, kNoise + which), 1, n);
    return dataset;
  });
}

void visit_options(LogisticOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
  visitor.option("features", options.features, Interval::at_least(1), "number of features");
  visitor.option("separable", options.separable, "whether a plane separates the classes");
  visitor.option("margin", options.margin, Interval::positive(), "gap between the classes, or slope of the log-odds");
}

DataSplit logistic(const LogisticOptions& options) {
  Vector u = normal_matrix(stream(options.seed, kModel), options.features, 1);
  u.normalize();
  return split_of("logistic", options.samples, options.test, [&](Index n, std::uint64_t which) {
    const RandomStream coin = stream(options.seed, kNoise + which);
    auto dataset = labelled(options.features, n, 2);
    dataset->inputs = normal_matrix(stream(options.seed, kInputs + which), options.features, n);
    for (Index i = 0; i < n; ++i) {
      const double position = u.dot(dataset->inputs.col(i));
      bool one = position > 0;
      if (options.separable) {
        dataset->inputs.col(i) += (one ? 0.5 : -0.5) * options.margin * u;
      } else {
        one = coin.uniform(static_cast<std::uint64_t>(i)) < 1 / (1 + std::exp(-options.margin * position));
      }
      dataset->labels[static_cast<std::size_t>(i)] = one ? 1 : 0;
    }
    return dataset;
  });
}

void visit_options(CurvesOptions& options, OptionVisitor& visitor) {
  visit_sizes(options.samples, options.test, options.seed, visitor);
}

DataSplit curves(const CurvesOptions& options) {
  constexpr Index kSide = 28;
  constexpr Index kSteps = 40;
  constexpr double kWidth = 0.6;
  return split_of("curves", options.samples, options.test, [&](Index n, std::uint64_t which) {
    auto dataset = std::make_shared<Dataset>();
    dataset->inputs.resize(kSide * kSide, n);
    const RandomStream random = stream(options.seed, kInputs + which);
    parallel_for(n, [&](Index sample) {
      double x[3];
      double y[3];
      for (std::uint64_t i = 0; i < 3; ++i) {
        const auto at = static_cast<std::uint64_t>(sample) * 6 + 2 * i;
        x[i] = 5 + 18 * random.uniform(at);
        y[i] = 5 + 18 * random.uniform(at + 1);
      }
      std::sort(x, x + 3);
      auto image = dataset->inputs.col(sample);
      image.setOnes();
      for (Index step = 0; step <= kSteps; ++step) {
        const double t = static_cast<double>(step) / kSteps;
        const double l[3] = {2 * (t - 0.5) * (t - 1), -4 * t * (t - 1), 2 * t * (t - 0.5)};
        const double cx = l[0] * x[0] + l[1] * x[1] + l[2] * x[2];
        const double cy = l[0] * y[0] + l[1] * y[1] + l[2] * y[2];
        const Index left = std::clamp<Index>(static_cast<Index>(cx) - 3, 0, kSide - 1);
        const Index top = std::clamp<Index>(static_cast<Index>(cy) - 3, 0, kSide - 1);
        for (Index r = top; r < std::min<Index>(top + 7, kSide); ++r) {
          for (Index c = left; c < std::min<Index>(left + 7, kSide); ++c) {
            const double square = (static_cast<double>(c) - cx) * (static_cast<double>(c) - cx) +
                                  (static_cast<double>(r) - cy) * (static_cast<double>(r) - cy);
            image[r * kSide + c] *= 1 - std::exp(-square / (2 * kWidth * kWidth));
          }
        }
      }
      image = (1 - image.array()).matrix().eval();
    });
    return dataset;
  });
}

}  // namespace hesse
