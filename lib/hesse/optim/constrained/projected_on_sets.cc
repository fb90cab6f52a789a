#include "hesse/linalg/linear_operator.h"
#include "hesse/optim/constrained/projected.h"

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace hesse {
namespace {

using Product = std::function<Vector(const Vector&)>;

/// g'(y - x) + (y - x)'(B + shift I)(y - x) / 2.
class Model final : public Objective {
 public:
  Model(const Vector& x, const Vector& g, const Product& B, double shift)
      : layout_(x.size()), x_(x), g_(g), B_(B), shift_(shift) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& y) override {
    const Vector d = y - x_;
    return g_.dot(d) + 0.5 * d.dot(curved(d));
  }
  double value_and_gradient(const Vector& y, Vector& gradient) override {
    const Vector d = y - x_;
    const Vector bent = curved(d);
    gradient = g_ + bent;
    return g_.dot(d) + 0.5 * d.dot(bent);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { return nullptr; }
  Vector curved(const Vector& d) const { return B_(d) + shift_ * d; }

 private:
  ParameterLayout layout_;
  const Vector& x_;
  const Vector& g_;
  const Product& B_;
  double shift_;
};

/// B = sigma I - [sigma S, Y] M^-1 [sigma S, Y]' with M = [sigma S'S, L; L', -D], L the part of S'Y below its diagonal
/// D (Byrd, Nocedal and Schnabel 1994, eq. (2.17)); the identity times `scale` without pairs.
class CompactLbfgs {
 public:
  CompactLbfgs(const std::deque<std::pair<Vector, Vector>>& pairs, double scale) : sigma_(scale) {
    if (pairs.empty()) return;
    const Index n = pairs.front().first.size();
    const auto k = static_cast<Index>(pairs.size());
    Matrix S(n, k);
    Matrix Y(n, k);
    for (Index i = 0; i < k; ++i) {
      S.col(i) = pairs[static_cast<std::size_t>(i)].first;
      Y.col(i) = pairs[static_cast<std::size_t>(i)].second;
    }
    sigma_ = Y.col(k - 1).squaredNorm() / S.col(k - 1).dot(Y.col(k - 1));
    const Matrix SY = S.transpose() * Y;
    const Matrix L = SY.triangularView<Eigen::StrictlyLower>();
    Matrix M(2 * k, 2 * k);
    M.topLeftCorner(k, k) = sigma_ * S.transpose() * S;
    M.topRightCorner(k, k) = L;
    M.bottomLeftCorner(k, k) = L.transpose();
    M.bottomRightCorner(k, k) = -Matrix(SY.diagonal().asDiagonal());
    W_.resize(n, 2 * k);
    W_ << sigma_ * S, Y;
    middle_ = Eigen::PartialPivLU<Matrix>(M);
  }
  Vector operator()(const Vector& d) const {
    Vector product = sigma_ * d;
    if (W_.size() > 0) product -= W_ * middle_.solve(W_.transpose() * d);
    return product;
  }

 private:
  double sigma_;
  Matrix W_;
  Eigen::PartialPivLU<Matrix> middle_;
};

/// A feasible direction of descent: to the point of the set where the model is about least.
Vector model_step(const Vector& x, const Vector& g, const Product& B, const Projection& project, double optimality,
                  const ProjectedOptions& options) {
  ProjectedOptions inner;
  // Newton's rate wants steps that are the more exact the nearer the end is (Dembo, Eisenstat and Steihaug 1982).
  inner.tolerance = std::max(0.1 * std::min(1.0, optimality) * optimality, 0.01 * options.tolerance);
  inner.max_iterations = 500;
  double shift = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    Model model(x, g, B, shift);
    Vector y = x;
    const ProjectedResult result = projected_gradient(model, project, y, inner);
    const Vector d = y - x;
    const double squared = d.squaredNorm();
    const double bend = d.dot(model.curved(d));
    if (d.allFinite() && std::isfinite(bend) && result.value < 0 && bend >= 0) return d;
    if (d.allFinite() && squared > 0 && std::isfinite(bend) && bend < 0) {
      // By its own curvature along d the model has no reason to end anywhere; more than that is added.
      shift = std::max(2 * shift, shift - 1.5 * bend / squared);
    } else if (d.allFinite() && squared == 0) {
      break;
    } else {
      shift = std::max(10 * shift, 1e-3 * std::max(1.0, g.norm()));
    }
  }
  Vector steepest = x - g;
  project(steepest);
  return steepest - x;
}

}  // namespace

ProjectedResult projected_newton(Objective& f, const Projection& project, Vector& x, const ProjectedOptions& options) {
  constexpr double kDecrease = 1e-4;
  ProjectedResult result;
  project(x);
  Vector g;
  double value = f.value_and_gradient(x, g);
  result.evaluations = 1;
  std::deque<std::pair<Vector, Vector>> pairs;
  const auto optimality_at = [&] {
    Vector p = x - g;
    project(p);
    return (p - x).cwiseAbs().maxCoeff();
  };
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    if (!std::isfinite(value) || !g.allFinite()) {
      result.status = ConstrainedStatus::failed;
      result.message = "the value or the gradient is not finite";
      break;
    }
    result.optimality = optimality_at();
    if (result.optimality <= options.tolerance) {
      result.status = ConstrainedStatus::converged;
      break;
    }
    Product B;
    if (options.quasi_newton) {
      // The first step is as long as that of the projected gradient at rate 1 / optimality.
      B = CompactLbfgs(pairs, result.optimality);
    } else {
      B = [&, H = f.curvature(x, Curvature::hessian)](const Vector& d) {
        Vector product(d.size());
        H->apply(d, product);
        ++result.products;
        return product;
      };
    }
    const Vector d = model_step(x, g, B, project, result.optimality, options);
    const double slope = g.dot(d);
    double alpha = 1;
    double trial = 0;
    Vector candidate;
    Vector next_gradient;
    bool accepted = false;
    for (int search = 0; search < 60 && !accepted; ++search, alpha *= 0.5) {
      candidate = x + alpha * d;
      trial = f.value_and_gradient(candidate, next_gradient);
      ++result.evaluations;
      accepted = trial <= value + kDecrease * alpha * slope + f.value_noise() * std::abs(value);
    }
    if (!accepted || candidate == x) {
      result.status = ConstrainedStatus::rounding;
      result.message = "no decrease can be told from rounding";
      break;
    }
    const Vector s = candidate - x;
    const Vector y = next_gradient - g;
    if (options.quasi_newton && s.dot(y) > 1e-10 * s.norm() * y.norm()) {
      pairs.emplace_back(s, y);
      if (static_cast<Index>(pairs.size()) > std::max<Index>(1, options.memory)) pairs.pop_front();
    }
    x = candidate;
    value = trial;
    std::swap(g, next_gradient);
  }
  result.value = value;
  result.optimality = optimality_at();
  return result;
}

}  // namespace hesse
