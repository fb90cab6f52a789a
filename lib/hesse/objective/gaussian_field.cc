#include "hesse/objective/gaussian_field.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace hesse {
namespace {

class FieldHessian final : public LinearOperator {
 public:
  FieldHessian(std::shared_ptr<const Matrix> waves, Vector weights)
      : waves_(std::move(waves)), weights_(std::move(weights)) {}
  Index size() const override { return waves_->rows(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    const Matrix along = weights_.asDiagonal() * (waves_->transpose() * X);
    Y.noalias() = *waves_ * along;
  }

 private:
  std::shared_ptr<const Matrix> waves_;
  Vector weights_;
};

}  // namespace

GaussianField::GaussianField(Index n, Index m, std::uint64_t seed)
    : layout_(n), offsets_(m), scale_(std::sqrt(2.0 / static_cast<double>(m))) {
  if (n < 1 || m < 1) fail("Gaussian field: {} variables and {} waves are not possible; give at least 1 of each", n, m);
  auto waves = std::make_shared<Matrix>(n, m);
  RandomStream(seed, Purpose::synthetic_data, 0).fill_normal(waves->reshaped());
  RandomStream(seed, Purpose::synthetic_data, 1).fill_uniform(offsets_, 0, 2 * std::numbers::pi);
  waves_ = std::move(waves);
}

Vector GaussianField::phases_at(const Vector& x) const { return waves_->transpose() * x + offsets_; }

double GaussianField::value(const Vector& x) { return scale_ * phases_at(x).array().cos().sum(); }

double GaussianField::value_and_gradient(const Vector& x, Vector& g) {
  const Vector phases = phases_at(x);
  g = -scale_ * (*waves_ * phases.array().sin().matrix());
  return scale_ * phases.array().cos().sum();
}

std::shared_ptr<const LinearOperator> GaussianField::curvature(const Vector& x, Curvature kind) {
  if (kind != Curvature::hessian) fail("Gaussian field: there is a Hessian and no {} matrix", to_string(kind));
  return std::make_shared<FieldHessian>(waves_, -scale_ * phases_at(x).array().cos().matrix());
}

}  // namespace hesse
