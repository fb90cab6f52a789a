/// \file
/// Gauss and Newton's model of a least-squares problem f = 1/2 |r|^2: m(s) = 1/2 |r + J s|^2, whose minimiser
///
///     d = argmin |J s + r|
///
/// is the direction: by QR with column pivoting, the solution of least norm where J is rank deficient, 2 m n^2 flops;
/// or, where J comes in blocks, by conjugate gradients on the normal equations. As a globalisation it wants Levenberg
/// and Marquardt's (levenberg_marquardt.cc), which works on J itself; in a trust region its matrix is J'J.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/cg.h"
#include "hesse/objective/least_squares.h"
#include "hesse/optim/second_order/direction.h"

#include <Eigen/QR>

#include <optional>

namespace hesse {

struct GaussNewtonOptions {};
inline void visit_options(GaussNewtonOptions&, OptionVisitor&) {}

/// The direction; see above.
class GaussNewton final : public Direction {
 public:
  /// Throws Error when the objective is no least-squares problem.
  explicit GaussNewton(Objective& f);
  Objective& evaluator(Objective& f) override;
  void prepare(Objective& f, const Point& at) override;
  DirectionReport direction(const Point& at, Vector& d) override;
  ModelMatrix matrix_form() const override { return in_blocks_ ? ModelMatrix::products : ModelMatrix::entries; }
  const LinearOperator* matrix() override { return &operator_; }
  const Matrix* dense_matrix() override;
  const LeastSquaresModel* least_squares() const override { return &*model_; }

 private:
  /// r and J at x, in the form that the problem has.
  struct Linearisation {
    Vector x;
    Vector r;
    Matrix J;
    BlockJacobian blocks;
  };

  class Product final : public LinearOperator {
   public:
    Product(const Linearisation& at, bool in_blocks) : at_(at), in_blocks_(in_blocks) {}
    Index size() const override { return in_blocks_ ? at_.blocks.structure().size() : at_.J.cols(); }
    void apply(ConstMatrixView X, MatrixView Y) const override;

   private:
    const Linearisation& at_;
    bool in_blocks_;
    mutable Matrix JX_;
    mutable Vector x_;
    mutable Vector Jx_;
    mutable Vector y_;
  };

  /// f with its gradient J'r, which keeps r and J of the last point.
  class Evaluator final : public Objective {
   public:
    void bind(Objective& f) { f_ = &f; }
    /// Hands out r and J at x: those that are kept, or new ones.
    void take(const Vector& x, Linearisation& at);

    const ParameterLayout& layout() const override { return f_->layout(); }
    double value(const Vector& x) override { return f_->value(x); }
    double value_and_gradient(const Vector& x, Vector& g) override;
    std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
      return f_->curvature(x, kind);
    }
    Index samples() const override { return f_->samples(); }
    Index total_samples() const override { return f_->total_samples(); }
    std::uint64_t revision() const override { return f_->revision(); }
    Precision precision() const override { return f_->precision(); }
    double value_noise() const override { return f_->value_noise(); }
    Objective* decorated() override { return f_; }

   private:
    void linearise(const Vector& x);

    Objective* f_ = nullptr;
    Linearisation at_;
    bool kept_ = false;  // whether at_ is that of its x, and not one handed back
  };

  Evaluator evaluator_;
  bool in_blocks_ = false;
  Linearisation at_;  // the prepared point
  Matrix JtJ_;
  Eigen::CompleteOrthogonalDecomposition<Matrix> qr_;
  CgWorkspace workspace_;
  Vector right_;
  std::optional<LeastSquaresModel> model_;
  Product operator_;
};

}  // namespace hesse
