#include "hesse/objective/quadratic.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <cmath>

namespace hesse {

class Quadratic::Operator final : public LinearOperator {
 public:
  Operator(Vector eigenvalues, Index reflections, std::uint64_t seed)
      : eigenvalues_(std::move(eigenvalues)), reflectors_(eigenvalues_.size(), reflections) {
    for (Index j = 0; j < reflections; ++j) {
      RandomStream(seed, Purpose::synthetic_data, static_cast<std::uint64_t>(j)).fill_normal(reflectors_.col(j));
      reflectors_.col(j).normalize();
    }
  }

  const Vector& eigenvalues() const { return eigenvalues_; }
  Index size() const override { return eigenvalues_.size(); }

  /// Q diag(lambda) Q' x with Q = H_1 ... H_k, H_j = I - 2 u_j u_j'.
  void apply(ConstMatrixView X, MatrixView Y) const override {
    for (Index c = 0; c < X.cols(); ++c) {
      auto y = Y.col(c);
      y = X.col(c);
      for (Index j = 0; j < reflectors_.cols(); ++j) y -= (2 * reflectors_.col(j).dot(y)) * reflectors_.col(j);
      y.array() *= eigenvalues_.array();
      for (Index j = reflectors_.cols(); j-- > 0;) y -= (2 * reflectors_.col(j).dot(y)) * reflectors_.col(j);
    }
  }

 private:
  Vector eigenvalues_;
  Matrix reflectors_;
};

Quadratic::Quadratic(Vector eigenvalues, Vector centre, Index reflections, std::uint64_t seed)
    : layout_(eigenvalues.size()), centre_(std::move(centre)) {
  if (eigenvalues.size() == 0) fail("quadratic: there are no eigenvalues; give at least one");
  if (!eigenvalues.allFinite()) fail("quadratic: an eigenvalue is not finite");
  if (centre_.size() != eigenvalues.size()) {
    fail("quadratic: a centre of {} entries for {} eigenvalues", centre_.size(), eigenvalues.size());
  }
  if (reflections < 0) fail("quadratic: {} reflections are not possible; give at least 0", reflections);
  A_ = std::make_shared<const Operator>(std::move(eigenvalues), reflections, seed);
}

const Vector& Quadratic::eigenvalues() const { return A_->eigenvalues(); }

double Quadratic::value(const Vector& x) { return value_and_gradient(x, gradient_); }

double Quadratic::value_and_gradient(const Vector& x, Vector& g) {
  shifted_ = x - centre_;
  g.resize(size());
  A_->apply(shifted_, g);
  return 0.5 * shifted_.dot(g);
}

/// Least squares with a linear model: Gauss-Newton, Fisher and Gram matrix are the Hessian itself.
std::shared_ptr<const LinearOperator> Quadratic::curvature(const Vector&, Curvature kind) {
  if (kind == Curvature::fisher_sampled || kind == Curvature::fisher_empirical) {
    fail("a quadratic has no samples and so no {} matrix; use curvature hessian", to_string(kind));
  }
  return A_;
}

Vector linear_spectrum(Index n, double condition) {
  if (n == 1) return Vector::Ones(1);
  return Vector::LinSpaced(n, 1 / condition, 1);
}

Vector logarithmic_spectrum(Index n, double condition) {
  if (n == 1) return Vector::Ones(1);
  return Vector::LinSpaced(n, -std::log(condition), 0).array().exp();
}

}  // namespace hesse
