/// \file
/// Data drawn at random with known structure. Every draw comes from the streams of (seed, Purpose::synthetic_data), so
/// the same options give the same bits on every machine and any number of threads, and the test samples follow the same
/// law as the training samples but never share a draw with them.
#pragma once

#include "hesse/core/options.h"
#include "hesse/data/dataset.h"

namespace hesse {

/// Isotropic Gaussian classes: x = separation c_k + deviation e, with c_k a random unit vector for each class k and e
/// standard normal. Classes take turns: sample i is of class i mod classes.
struct GaussianBlobsOptions {
  Index samples = 1000;     ///< training samples
  Index test = 250;         ///< test samples, 0 for none
  Index classes = 3;        ///< >= 2
  Index features = 2;       ///< >= 1
  double separation = 4.0;  ///< distance of each centre from the origin
  double deviation = 1.0;   ///< standard deviation of each feature within a class
  Index seed = 0;
};
void visit_options(GaussianBlobsOptions& options, OptionVisitor& visitor);
DataSplit gaussian_blobs(const GaussianBlobsOptions& options);

/// Two interleaved half circles: (cos t, sin t) and (1 - cos t, 1/2 - sin t), t uniform on (0, pi), plus noise.
struct TwoMoonsOptions {
  Index samples = 1000;
  Index test = 250;
  double noise = 0.1;  ///< standard deviation of the normal noise on both coordinates
  Index seed = 0;
};
void visit_options(TwoMoonsOptions& options, OptionVisitor& visitor);
DataSplit two_moons(const TwoMoonsOptions& options);

/// Archimedean spirals, one for each class k: r (cos a, sin a) with r uniform on (0, 1) and
/// a = 2 pi (turns r + k / classes), plus noise.
struct SpiralsOptions {
  Index samples = 1000;
  Index test = 250;
  Index classes = 2;  ///< >= 2
  double turns = 1.5;
  double noise = 0.02;
  Index seed = 0;
};
void visit_options(SpiralsOptions& options, OptionVisitor& visitor);
DataSplit spirals(const SpiralsOptions& options);

/// y = w^T x + noise e with w and e standard normal, and inputs X whose second moment X X^T / n over the training
/// samples has exactly the eigenvalues condition^(-i / (features - 1)), i = 0..features-1, in a random orthonormal
/// basis. Needs samples >= features. Test inputs are normal with that covariance.
struct LinearRegressionOptions {
  Index samples = 1000;
  Index test = 250;
  Index features = 20;
  double condition = 100.0;  ///< largest over smallest eigenvalue of X X^T / n, >= 1
  double noise = 0.1;        ///< standard deviation of the noise on y
  Index seed = 0;
};
void visit_options(LinearRegressionOptions& options, OptionVisitor& visitor);
DataSplit linear_regression(const LinearRegressionOptions& options);

/// Two classes for logistic regression: inputs standard normal, a random unit vector u. Overlapping: class 1 with
/// probability 1 / (1 + exp(-margin u^T x)). Separable: class 1 when u^T x > 0, and every sample moved by margin / 2
/// along u away from the plane, so that the classes are at least `margin` apart.
struct LogisticOptions {
  Index samples = 1000;
  Index test = 250;
  Index features = 20;
  bool separable = false;
  double margin = 1.0;  ///< > 0
  Index seed = 0;
};
void visit_options(LogisticOptions& options, OptionVisitor& visitor);
DataSplit logistic(const LogisticOptions& options);

/// Curves for autoencoders, after the set that Hinton and Salakhutdinov (2006, supplement) made: 28 x 28 images of a
/// smooth curve through three points, whose six coordinates are all there is to tell. Points are uniform on [5, 23]^2
/// (x from left to right), the curve is the parabola through them at t = 0, 1/2, 1, and a pixel is 1 - prod over points
/// of the curve of 1 - exp(-d^2 / (2 w^2)), d its distance and w = 0.6: in [0, 1], dark strokes of about 2 pixels.
struct CurvesOptions {
  Index samples = 20000;
  Index test = 10000;
  Index seed = 0;
};
void visit_options(CurvesOptions& options, OptionVisitor& visitor);
DataSplit curves(const CurvesOptions& options);

}  // namespace hesse
