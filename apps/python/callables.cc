#include "callables.h"

#include "hesse/core/vector_ops.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/least_squares.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace hesse::python {
namespace {

/// The cube root of the unit roundoff: where truncation, O(h^2), and rounding, O(eps / h), of a central difference
/// balance.
const double kStep = std::cbrt(std::numeric_limits<double>::epsilon());

/// The functions with the arrays that they are handed.
struct Call {
  Functions functions;
  Handed x;
  Handed v;
};

/// Value and derivatives by callables, or by central differences of what there is.
class CallableObjective : public Objective {
 public:
  CallableObjective(Functions functions, Index n, const FunctionOptions& options)
      : joint_(functions.grad.ptr() == Py_True),
        has_gradient_(!functions.grad.is_none()),
        has_products_(!functions.hvp.is_none()),
        has_hessian_(!functions.hess.is_none()),
        differences_(options.differences),
        noise_(options.noise),
        layout_(n),
        call_(Call{std::move(functions), {}, {}}),
        samples_(py::none()) {}

  const ParameterLayout& layout() const override { return layout_; }
  double value_noise() const override { return noise_; }

  double value(const Vector& x) override {
    return with_python([&] {
      if (joint_) return joint(x).first;
      return read_number(ask(call_->functions.fun, call_->x.vector(x)), "objective: what fun returned");
    });
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    g.resize(size());
    if (!has_gradient_) return by_differences(x, g);
    return with_python([&] {
      if (joint_) {
        const auto [value, gradient] = joint(x);
        read_vector(gradient, g, "objective: the gradient that fun returned");
        return value;
      }
      Call& call = *call_;
      const double value = read_number(ask(call.functions.fun, call.x.vector(x)), "objective: what fun returned");
      read_vector(ask(call.functions.grad, call.x.vector(x)), g, "objective: what grad returned");
      return value;
    });
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::hessian) {
      fail(
          "objective: callables give a Hessian but no {} matrix; use what takes the Hessian, or LeastSquares for its "
          "Gauss-Newton matrix",
          to_string(kind));
    }
    if (has_hessian_) {
      Matrix H(size(), size());
      with_python(
          [&] { read_block(ask(call_->functions.hess, call_->x.vector(x)), H, "objective: what hess returned"); });
      return dense_operator(std::move(H));
    }
    if (!has_products_ && !differences_) {
      fail(
          "objective: products with the Hessian are wanted here, and it has none; give hvp or hess, or "
          "finite_differences=True for central differences of gradients");
    }
    if (!has_products_ && !has_gradient_) {
      fail(
          "objective: products with the Hessian by differences need a gradient; differences of differences have lost "
          "too many digits");
    }
    return std::make_shared<Hessian>(x, *this);
  }

 protected:
  /// f(x...), or f(x..., samples). With the interpreter's lock.
  template <class... Arguments>
  py::object ask(const py::object& f, Arguments&&... arguments) const {
    if (samples_->is_none()) return f(std::forward<Arguments>(arguments)...);
    return f(std::forward<Arguments>(arguments)..., *samples_);
  }

  Owned<py::object>& selected() { return samples_; }

 private:
  /// Products at a point on the samples that were selected there, which a copy of the objective keeps.
  class Hessian final : public LinearOperator {
   public:
    Hessian(const Vector& x, const CallableObjective& f) : x_(x), f_(std::make_unique<CallableObjective>(f)) {}
    Index size() const override { return x_.size(); }
    void apply(ConstMatrixView X, MatrixView Y) const override {
      for (Index j = 0; j < X.cols(); ++j) f_->product(x_, X.col(j), Y.col(j));
    }

   private:
    Vector x_;
    std::unique_ptr<CallableObjective> f_;
  };

  /// hvp(x, v), or (g(x + h v) - g(x - h v)) / 2h with |h v| a cube root of eps of the size of x.
  void product(const Vector& x, ConstVectorView v, VectorView y) {
    if (has_products_) {
      with_python([&] {
        read_vector(ask(call_->functions.hvp, call_->x.vector(x), call_->v.vector(v)), y,
                    "objective: what hvp returned");
      });
      return;
    }
    const double length = norm(v);
    if (length == 0) {
      y.setZero();
      return;
    }
    const double h = kStep * std::max(1.0, norm(x)) / length;
    Vector plus, minus;
    value_and_gradient(x + h * v, plus);
    value_and_gradient(x - h * v, minus);
    y = (plus - minus) / (2 * h);
  }

  /// Value and gradient by a fun that returns both. With the interpreter's lock.
  std::pair<double, py::object> joint(const Vector& x) const {
    const py::object returned = ask(call_->functions.fun, call_->x.vector(x));
    if (!py::isinstance<py::tuple>(returned) || py::len(returned) != 2) {
      fail("objective: with grad=True fun has to return the pair (value, gradient)");
    }
    const auto pair = py::reinterpret_borrow<py::tuple>(returned);
    return {read_number(pair[0], "objective: the value that fun returned"), pair[1]};
  }

  double by_differences(const Vector& x, Vector& g) {
    if (!differences_) {
      fail(
          "objective: a gradient is wanted here, and it has none; give grad, or finite_differences=True for central "
          "differences of values, 2 n of them each time");
    }
    Vector at = x;
    for (Index i = 0; i < size(); ++i) {
      const double h = kStep * std::max(1.0, std::abs(x[i]));
      at[i] = x[i] + h;
      const double plus = value(at);
      at[i] = x[i] - h;
      const double minus = value(at);
      at[i] = x[i];
      g[i] = (plus - minus) / (2 * h);
    }
    return value(x);
  }

  bool joint_;
  bool has_gradient_;
  bool has_products_;
  bool has_hessian_;
  bool differences_;
  double noise_;
  ParameterLayout layout_;
  Owned<Call> call_;
  Owned<py::object> samples_;  ///< the array of those selected, or None where f is no mean over samples
};

/// The mean over samples of what callables compute for those that they are handed.
class CallableSum final : public CallableObjective, public FiniteSum {
 public:
  CallableSum(Functions functions, Index n, const FunctionOptions& options)
      : CallableObjective(std::move(functions), n, options), count_(options.samples) {
    select_all();
    revision_ = 0;
  }

  Index samples() const override { return static_cast<Index>(selection_.size()); }
  Index total_samples() const override { return count_; }
  std::uint64_t revision() const override { return revision_; }
  Index sample_count() const override { return count_; }
  std::span<const Index> selection() const override { return selection_; }

  void select(std::span<const Index> samples) override {
    if (samples.empty()) fail("batch: no sample is selected; select at least one");
    for (const Index sample : samples) {
      if (sample < 0 || sample >= count_) {
        fail("batch: sample {} does not exist; there are {} (from 0)", sample, count_);
      }
    }
    selection_.assign(samples.begin(), samples.end());
    all_ = false;
    hand_over();
  }

  void select_all() override {
    if (all_) return;
    selection_.resize(static_cast<std::size_t>(count_));
    std::iota(selection_.begin(), selection_.end(), Index{0});
    all_ = true;
    hand_over();
  }

 private:
  /// A new array each time: operators hold the old one.
  void hand_over() {
    ++revision_;
    with_python([&] {
      selected() =
          Owned<py::object>(py::array_t<std::int64_t>(static_cast<py::ssize_t>(selection_.size()), selection_.data()));
    });
  }

  Index count_;
  std::vector<Index> selection_;
  bool all_ = false;
  std::uint64_t revision_ = 0;
};

/// 1/2 |r|^2 by callables.
class CallableResiduals final : public Objective, public LeastSquares {
 public:
  CallableResiduals(py::object residuals, py::object jac, Index n, Index m, bool differences)
      : has_jacobian_(!jac.is_none()),
        differences_(differences),
        layout_(n),
        count_(m),
        call_(Parts{std::move(residuals), std::move(jac), {}}) {}

  const ParameterLayout& layout() const override { return layout_; }
  Index residual_count() const override { return count_; }

  void residuals(const Vector& x, Vector& r) override {
    r.resize(count_);
    with_python(
        [&] { read_vector(call_->residuals(call_->x.vector(x)), r, "least squares: what residuals returned"); });
  }

  void residuals_and_jacobian(const Vector& x, Vector& r, Matrix& J) override {
    J.resize(count_, size());
    if (has_jacobian_) {
      with_python([&] { read_block(call_->jac(call_->x.vector(x)), J, "least squares: what jac returned"); });
    } else if (differences_) {
      Vector at = x;
      Vector plus, minus;
      for (Index i = 0; i < size(); ++i) {
        const double h = kStep * std::max(1.0, std::abs(x[i]));
        at[i] = x[i] + h;
        residuals(at, plus);
        at[i] = x[i] - h;
        residuals(at, minus);
        at[i] = x[i];
        J.col(i) = (plus - minus) / (2 * h);
      }
    } else {
      fail("least squares: a Jacobian is wanted here, and there is none; give jac, or finite_differences=True");
    }
    residuals(x, r);
  }

  void second_derivative_along(const Vector&, const Vector&, Vector&) override {
    fail("least squares: geodesic acceleration needs second derivatives, which callables do not give");
  }

  double value(const Vector& x) override {
    residuals(x, r_);
    return r_.squaredNorm() / 2;
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    residuals_and_jacobian(x, r_, J_);
    g.noalias() = J_.transpose() * r_;
    return r_.squaredNorm() / 2;
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    if (kind != Curvature::gauss_newton) {
      fail("least squares: callables give a gauss-newton but no {} matrix; use curvature gauss-newton",
           to_string(kind));
    }
    residuals_and_jacobian(x, r_, J_);
    return function_operator(size(), [J = J_](ConstMatrixView X, MatrixView Y) {
      const Matrix JX = J * X;
      Y.noalias() = J.transpose() * JX;
    });
  }

 private:
  struct Parts {
    py::object residuals;
    py::object jac;
    Handed x;
  };
  bool has_jacobian_;
  bool differences_;
  ParameterLayout layout_;
  Index count_;
  Owned<Parts> call_;
  Vector r_;
  Matrix J_;
};

void require_callable(const py::object& f, const char* name) {
  if (!f.is_none() && PyCallable_Check(f.ptr()) == 0) {
    fail("objective: {} is a '{}' and cannot be called", name, Py_TYPE(f.ptr())->tp_name);
  }
}

}  // namespace

std::shared_ptr<Objective> function_objective(Functions functions, Index n, const FunctionOptions& options) {
  if (n < 1) fail("objective: {} variables are not possible; give at least 1", n);
  if (!(options.noise > 0)) {
    fail("objective: noise {} is not possible; it is a relative error of values, > 0", options.noise);
  }
  if (options.samples < 0) {
    fail("objective: {} samples are not possible; give 0 where f is no mean over samples", options.samples);
  }
  if (functions.fun.is_none()) fail("objective: fun is None; give a function of x that returns a number");
  require_callable(functions.fun, "fun");
  require_callable(functions.hvp, "hvp");
  require_callable(functions.hess, "hess");
  if (functions.grad.ptr() != Py_True) require_callable(functions.grad, "grad");
  if (options.samples > 0) return std::make_shared<CallableSum>(std::move(functions), n, options);
  return std::make_shared<CallableObjective>(std::move(functions), n, options);
}

std::shared_ptr<Objective> residual_objective(py::object residuals, py::object jac, Index n, Index m,
                                              bool differences) {
  if (n < 1 || m < 1) fail("least squares: {} residuals of {} variables are not possible; give at least 1 each", m, n);
  if (residuals.is_none()) fail("least squares: residuals is None; give a function of x that returns an array");
  require_callable(residuals, "residuals");
  require_callable(jac, "jac");
  return std::make_shared<CallableResiduals>(std::move(residuals), std::move(jac), n, m, differences);
}

}  // namespace hesse::python
