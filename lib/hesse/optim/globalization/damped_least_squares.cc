#include "hesse/optim/globalization/damped_least_squares.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/cg.h"
#include "hesse/linalg/householder_qr.h"
#include "hesse/linalg/schur_complement.h"

#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

class DenseQr final : public DampedLeastSquares {
 public:
  void bind(const LeastSquaresModel& model, Vector& column_norms) override {
    J_ = model.jacobian;
    r_ = &model.residuals;
    column_norms.resize(J_->cols());
    for (Index j = 0; j < J_->cols(); ++j) column_norms[j] = norm(J_->col(j));
  }

  void scale_by(const Vector& scale) override {
    scale_ = scale;
    lambda_ = -1;
    const Index n = J_->cols();
    // r beside J D^-1: its column becomes Q'r.
    scaled_.resize(J_->rows(), n + 1);
    scaled_.leftCols(n) = *J_ * scale_.cwiseInverse().asDiagonal();
    scaled_.col(n) = *r_;
    qr_.compute(scaled_);
    const Index k = std::min(J_->rows(), n);
    Qr_ = qr_.factors().col(n).head(k);
    R_.setZero(k, n);
    R_.triangularView<Eigen::Upper>() = qr_.factors().topLeftCorner(k, n);
    const auto pivots = R_.diagonal().cwiseAbs();
    const double eps = std::numeric_limits<double>::epsilon();
    // Without pivoting the least pivot may be above the least singular value.
    full_rank_ = k == n && pivots.minCoeff() > 100 * static_cast<double>(J_->rows() + n) * eps * pivots.maxCoeff();
    if (full_rank_) return;
    svd_.compute(R_, Eigen::ComputeThinU | Eigen::ComputeThinV);
    coefficients_.noalias() = svd_.matrixU().transpose() * Qr_.head(k);
  }

  bool solve(double lambda, double /*forcing*/, Vector& s) override {
    at_multiplier(lambda);
    s = p_.cwiseQuotient(scale_);
    return all_finite(s);
  }

  bool solve_for(const Vector& b, double lambda, double /*forcing*/, Vector& s) override {
    Qb_ = b;
    qr_.apply_transposed(Qb_);
    minimiser(lambda, Qb_, s);
    s.array() /= scale_.array();
    return all_finite(s);
  }

  void multiply(const Vector& s, Vector& Js) const override { Js.noalias() = *J_ * s; }
  bool finds_multipliers() const override { return true; }

  double multiplier(double radius) override {
    at_multiplier(0);
    if (p_.norm() <= 1.1 * radius) return 0;
    double low = 0;
    if (full_rank_) {
      w_.noalias() = R_.transpose() * Qr_;
    } else {
      w_ = svd_.singularValues().cwiseProduct(coefficients_);
    }
    double high = w_.norm() / radius;
    double lambda = 1e-3 * high;
    for (int i = 0; i < 100; ++i) {
      const auto [length, slope] = length_and_slope(lambda);
      if (std::abs(length - radius) <= 0.1 * radius) break;
      (length > radius ? low : high) = lambda;
      // Newton on 1 / |p| - 1 / radius, which is almost linear in lambda.
      lambda += (length * length / slope) * (length - radius) / radius;
      if (!(lambda > low && lambda < high)) lambda = std::max(1e-3 * high, std::sqrt(low * high));
    }
    return lambda;
  }

 private:
  /// Singular values below it are rounding: the rank is not there, and steps are those of least norm.
  double rank_floor() const {
    const auto& sigma = svd_.singularValues();
    const double eps = std::numeric_limits<double>::epsilon();
    return sigma.size() > 0 ? static_cast<double>(J_->rows() + J_->cols()) * eps * sigma[0] : 0;
  }

  /// p = argmin |R p + c|^2 + lambda |p|^2 for c = Q'b; leaves S in S_ where the rank is full.
  void minimiser(double lambda, const Vector& Qb, Vector& p) {
    if (!full_rank_) {
      projected_.noalias() = svd_.matrixU().transpose() * Qb.head(svd_.matrixU().rows());
      least_norm(lambda, projected_, p);
      return;
    }
    const Index n = R_.cols();
    S_ = R_;
    p = -Qb.head(n);
    if (lambda > 0) {
      const double root = std::sqrt(lambda);
      extra_.resize(n);
      for (Index row = 0; row < n; ++row) {
        // The row sqrt(lambda) e_row of the damping, rotated away against the rows of S from there on.
        extra_.tail(n - row).setZero();
        extra_[row] = root;
        double extra_p = 0;
        for (Index k = row; k < n; ++k) {
          if (extra_[k] == 0) continue;
          const double length = std::hypot(S_(k, k), extra_[k]);
          const double cosine = S_(k, k) / length;
          const double sine = extra_[k] / length;
          S_(k, k) = length;
          for (Index j = k + 1; j < n; ++j) {
            const double upper = S_(k, j);
            S_(k, j) = cosine * upper + sine * extra_[j];
            extra_[j] = cosine * extra_[j] - sine * upper;
          }
          const double upper = p[k];
          p[k] = cosine * upper + sine * extra_p;
          extra_p = cosine * extra_p - sine * upper;
        }
      }
    }
    S_.triangularView<Eigen::Upper>().solveInPlace(p);
  }

  /// -V (Sigma^2 + lambda)^-1 Sigma c without the singular values that are rounding.
  void least_norm(double lambda, const Vector& c, Vector& p) {
    const auto& sigma = svd_.singularValues();
    weights_.resize(sigma.size());
    const double floor = rank_floor();
    for (Index i = 0; i < sigma.size(); ++i) {
      weights_[i] = sigma[i] > floor ? -c[i] * sigma[i] / (sigma[i] * sigma[i] + lambda) : 0;
    }
    p.noalias() = svd_.matrixV() * weights_;
  }

  /// p_ = argmin |R p + Q'r|^2 + lambda |p|^2, which may be there already.
  void at_multiplier(double lambda) {
    if (lambda == lambda_) return;
    minimiser(lambda, Qr_, p_);
    lambda_ = lambda;
  }

  /// |p(lambda)|, and p'(R'R + lambda)^-1 p = -|p| d|p|/dlambda.
  std::pair<double, double> length_and_slope(double lambda) {
    double slope = 0;
    if (full_rank_) {
      at_multiplier(lambda);
      w_ = p_;
      S_.triangularView<Eigen::Upper>().transpose().solveInPlace(w_);
      return {p_.norm(), w_.squaredNorm()};
    }
    const auto& sigma = svd_.singularValues();
    const double floor = rank_floor();
    double square = 0;
    for (Index i = 0; i < sigma.size(); ++i) {
      if (!(sigma[i] > floor)) continue;
      const double d = sigma[i] * sigma[i] + lambda;
      const double p = coefficients_[i] * sigma[i] / d;
      square += p * p;
      slope += p * p / d;
    }
    return {std::sqrt(square), slope};
  }

  const Matrix* J_ = nullptr;
  const Vector* r_ = nullptr;
  Vector scale_;
  Matrix scaled_;
  Matrix R_;
  HouseholderQr qr_;
  Eigen::JacobiSVD<Matrix> svd_;
  bool full_rank_ = false;
  Vector Qr_;
  Vector Qb_;
  Matrix S_;            // the triangle of the last lambda
  Vector extra_;        // a row that is being rotated into it
  double lambda_ = -1;  // of p_; < 0: of none yet at this point
  Vector p_;            // D s
  Vector w_;
  Vector coefficients_;  // U'Q'r, where the rank is not full
  Vector projected_;
  Vector weights_;
};

class Schur final : public DampedLeastSquares {
 public:
  void bind(const LeastSquaresModel& model, Vector& column_norms) override {
    J_ = model.blocks;
    r_ = &model.residuals;
    complement_.bind(*J_);
    J_->column_norms(column_norms);
  }
  void scale_by(const Vector& scale) override { scale_ = scale; }
  bool solve(double lambda, double forcing, Vector& s) override { return solve_for(*r_, lambda, forcing, s); }
  bool solve_for(const Vector& b, double lambda, double /*forcing*/, Vector& s) override {
    return complement_.solve(b, lambda, scale_, s);
  }
  void multiply(const Vector& s, Vector& Js) const override { J_->multiply(s, Js); }

 private:
  const BlockJacobian* J_ = nullptr;
  const Vector* r_ = nullptr;
  Vector scale_;
  SchurComplement complement_;
};

class ConjugateGradients final : public DampedLeastSquares {
 public:
  void bind(const LeastSquaresModel& model, Vector& column_norms) override {
    matrix_.dense = model.jacobian;
    matrix_.blocks = model.blocks;
    r_ = &model.residuals;
    if (matrix_.blocks != nullptr) {
      matrix_.blocks->column_norms(column_norms);
      return;
    }
    column_norms.resize(matrix_.dense->cols());
    for (Index j = 0; j < column_norms.size(); ++j) column_norms[j] = norm(matrix_.dense->col(j));
  }
  void scale_by(const Vector& scale) override { matrix_.inverse_scale = scale.cwiseInverse(); }
  bool solve(double lambda, double forcing, Vector& s) override { return solve_for(*r_, lambda, forcing, s); }

  bool solve_for(const Vector& b, double lambda, double forcing, Vector& s) override {
    matrix_.lambda = lambda;
    matrix_.multiply_transposed(b, right_);
    right_.array() *= -matrix_.inverse_scale.array();
    s.setZero(matrix_.size());
    CgOptions options;
    options.relative_tolerance = forcing;
    const CgResult result = cg(matrix_, right_, s, options, workspace_);
    iterations_ = result.iterations;
    s.array() *= matrix_.inverse_scale.array();
    // Where it ended for another reason it has still minimised the model over a Krylov space.
    return result.exit != CgExit::non_finite && all_finite(s);
  }

  void multiply(const Vector& s, Vector& Js) const override { matrix_.multiply(s, Js); }
  bool is_direct() const override { return false; }
  Index iterations() const override { return iterations_; }

 private:
  /// D^-1 J'J D^-1 + lambda I.
  class NormalMatrix final : public LinearOperator {
   public:
    Index size() const override { return inverse_scale.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) {
        s_ = X.col(j).cwiseProduct(inverse_scale);
        multiply(s_, Js_);
        multiply_transposed(Js_, s_);
        Y.col(j) = s_.cwiseProduct(inverse_scale) + lambda * X.col(j);
      }
    }
    void multiply(const Vector& s, Vector& Js) const {
      if (blocks != nullptr) {
        blocks->multiply(s, Js);
      } else {
        Js.noalias() = *dense * s;
      }
    }
    void multiply_transposed(const Vector& u, Vector& g) const {
      if (blocks != nullptr) {
        blocks->multiply_transposed(u, g);
      } else {
        g.noalias() = dense->transpose() * u;
      }
    }

    const Matrix* dense = nullptr;
    const BlockJacobian* blocks = nullptr;
    Vector inverse_scale;
    double lambda = 0;

   private:
    mutable Vector s_;
    mutable Vector Js_;
  };

  NormalMatrix matrix_;
  const Vector* r_ = nullptr;
  Vector right_;
  CgWorkspace workspace_;
  Index iterations_ = 0;
};

}  // namespace

LeastSquaresSolver solver_for(const LeastSquaresModel& model, LeastSquaresSolver asked) {
  if (asked != LeastSquaresSolver::automatic) return asked;
  if (model.structure == nullptr) return LeastSquaresSolver::qr;
  return model.structure->eliminated < model.structure->variable_blocks() ? LeastSquaresSolver::schur
                                                                          : LeastSquaresSolver::cg;
}

std::string solver_misfit(const LeastSquaresModel& model, LeastSquaresSolver solver) {
  if (solver == LeastSquaresSolver::qr && model.structure != nullptr) {
    return "levenberg-marquardt: solver=qr takes a dense Jacobian, and this problem's comes in blocks; use schur or cg";
  }
  if (solver == LeastSquaresSolver::schur && model.structure == nullptr) {
    return "levenberg-marquardt: solver=schur eliminates blocks of variables, and this problem has none; use qr or cg";
  }
  if (solver == LeastSquaresSolver::schur && model.structure->eliminated == model.structure->variable_blocks()) {
    return "levenberg-marquardt: solver=schur eliminates blocks of variables that share no residual with their like, "
           "and this problem declares none; use cg";
  }
  return {};
}

std::unique_ptr<DampedLeastSquares> make_damped_least_squares(LeastSquaresSolver solver) {
  switch (solver) {
    case LeastSquaresSolver::schur: return std::make_unique<Schur>();
    case LeastSquaresSolver::cg: return std::make_unique<ConjugateGradients>();
    default: return std::make_unique<DenseQr>();
  }
}

}  // namespace hesse
