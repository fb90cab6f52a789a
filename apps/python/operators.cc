#include "operators.h"

#include "hesse/linalg/eigen.h"

#include <algorithm>
#include <optional>

namespace hesse::python {
namespace {

/// A symmetric array of doubles, in place: column-major and row-major are the same to it.
class ArrayOperator final : public LinearOperator {
 public:
  explicit ArrayOperator(py::array_t<double> entries)
      : n_(entries.shape(0)),
        data_(entries.data()),
        stride_(std::max(entries.strides(0), entries.strides(1)) / static_cast<Index>(sizeof(double))),
        entries_(std::move(entries)) {}

  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    Y.noalias() = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>(data_, n_, n_, Eigen::OuterStride<>(stride_)) * X;
  }

 private:
  Index n_;
  const double* data_;
  Index stride_;
  Owned<py::array_t<double>> entries_;
};

/// X -> f(X), or column by column.
class CallableOperator final : public LinearOperator {
 public:
  CallableOperator(Index n, py::object f, bool block) : n_(n), block_(block), call_(Call{std::move(f), {}}) {}

  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    with_python([&] {
      Call& call = *call_;
      if (block_) {
        read_block(call.f(call.handed.block(X)), Y, "operator: what the callable returned for a block");
        return;
      }
      for (Index j = 0; j < X.cols(); ++j) {
        read_vector(call.f(call.handed.vector(X.col(j))), Y.col(j), "operator: what the callable returned");
      }
    });
  }

 private:
  struct Call {
    py::object f;
    Handed handed;
  };
  Index n_;
  bool block_;
  Owned<Call> call_;
};

class Watched final : public LinearOperator {
 public:
  Watched(OperatorPtr A, std::shared_ptr<const void> keeps) : keeps_(std::move(keeps)), A_(std::move(A)) {}
  Index size() const override { return A_->size(); }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    poll_signals();
    A_->apply(X, Y);
  }

 private:
  std::shared_ptr<const void> keeps_;
  OperatorPtr A_;
};

OperatorPtr of_array(const py::handle& object) {
  auto entries = real_array(object, "operator: the matrix");
  if (entries.ndim() != 2 || entries.shape(0) != entries.shape(1)) {
    fail("operator: a matrix of shape {} is not square", shape_text(entries));
  }
  const Index n = entries.shape(0);
  const auto size = static_cast<Index>(sizeof(double));
  const bool in_columns = entries.strides(0) == size && entries.strides(1) >= n * size;
  const bool in_rows = entries.strides(1) == size && entries.strides(0) >= n * size;
  if (n > 0 && !in_columns && !in_rows) entries = py::array_t<double, py::array::c_style>(entries);
  const Eigen::Map<const Matrix, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> A(
      entries.data(), n, n, {entries.strides(1) / size, entries.strides(0) / size});
  // Rounding of how it was formed passes; a matrix that means something else does not.
  const double skew = n > 0 ? (A - A.transpose()).cwiseAbs().maxCoeff() : 0;
  const double largest = n > 0 ? A.cwiseAbs().maxCoeff() : 0;
  if (skew > 1e-8 * largest) {
    fail(
        "operator: the matrix is not symmetric: an entry and its mirror image differ by {:.3g}, the largest entry is "
        "{:.3g}; give (A + A.T) / 2 if that is meant",
        skew, largest);
  }
  return watched(std::make_shared<ArrayOperator>(std::move(entries)));
}

OperatorPtr of_callable(py::object f, const std::optional<Index>& size, bool block) {
  if (!size) fail("operator: the size of a callable is not known; give Operator(f, size)");
  if (*size < 1) fail("operator: the size {} is not possible; give at least 1", *size);
  return std::make_shared<CallableOperator>(*size, std::move(f), block);
}

/// A @ x for a vector, A @ X for a block.
py::object product(const Operator& self, const py::object& x) {
  const auto array = real_array(x, "operator: what is multiplied");
  const Index n = self.A->size();
  if (array.ndim() == 1) {
    const Vector v = vector_of(array, n, "operator: the vector");
    Vector y(n);
    work([&] { self.A->apply(v, y); });
    return py::cast(std::move(y));
  }
  Matrix X(n, array.ndim() == 2 ? array.shape(1) : 0);
  read_block(array, X, "operator: the block");
  Matrix Y(n, X.cols());
  work([&] { self.A->apply(X, Y); });
  return py::cast(std::move(Y));
}

}  // namespace

OperatorPtr watched(OperatorPtr A, std::shared_ptr<const void> keeps) {
  return std::make_shared<Watched>(std::move(A), std::move(keeps));
}

Operator operator_of(const py::object& object) {
  if (py::isinstance<Operator>(object)) return object.cast<Operator>();
  if (py::isinstance<py::array>(object) || py::isinstance<py::list>(object)) return {of_array(object)};
  if (py::hasattr(object, "shape") && py::hasattr(object, "__matmul__")) {
    const auto shape = object.attr("shape").cast<std::vector<Index>>();
    if (shape.size() != 2 || shape[0] != shape[1]) {
      fail("operator: a '{}' of shape {} is not square", Py_TYPE(object.ptr())->tp_name,
           std::string(py::str(object.attr("shape"))));
    }
    return {of_callable(object.attr("__matmul__"), shape[0], true)};
  }
  fail(
      "operator: a '{}' is no operator; give a hesse.Operator, a symmetric array, or what has a shape and multiplies "
      "by @",
      Py_TYPE(object.ptr())->tp_name);
}

void add_operators(py::module_& module) {
  py::class_<Operator>(module, "Operator", R"(A symmetric matrix A, n x n, known by its products.

Operator(matrix)               a symmetric array (n, n); float64 arrays are not copied, so changes to them show
Operator(S)                    what has a shape and multiplies by @: a SciPy sparse matrix or LinearOperator
Operator(f, size)              f: array (n, k) -> array (n, k), which has to be linear and symmetric
Operator(f, size, block=False) f: array (n,) -> array (n,)

A @ x multiplies vectors (n,) and blocks (n, k). A + B, A - B, -A, s * A and A.shifted(s) are operators again. An
exception that f raises ends the analysis that asked for the product and arrives as it was raised.)")
      .def(py::init([](py::object what, const std::optional<Index>& size, bool block) {
             const bool array_like = py::hasattr(what, "shape") || py::isinstance<py::list>(what);
             if (!array_like && PyCallable_Check(what.ptr()) != 0) return Operator{of_callable(what, size, block)};
             return operator_of(what);
           }),
           "matrix_or_callable"_a, "size"_a = py::none(), "block"_a = true)
      .def_property_readonly(
          "size", [](const Operator& self) { return self.A->size(); }, "n")
      .def_property_readonly(
          "shape", [](const Operator& self) { return std::pair(self.A->size(), self.A->size()); }, "(n, n)")
      .def_property_readonly("dtype", [](const Operator&) { return py::dtype::of<double>(); })
      .def("__matmul__", &product, "x"_a, "A x for a vector (n,), A X for a block (n, k): an array of the same shape.")
      .def("matvec", &product, "x"_a, "A @ x, as scipy.sparse.linalg.aslinearoperator asks for it.")
      .def("matmat", &product, "X"_a, "A @ X.")
      .def(
          "dense",
          [](const Operator& self) {
            Matrix A;
            work([&] { A = to_dense(*self.A); });
            return A;
          },
          "The matrix (n, n), by n products.")
      .def(
          "shifted", [](const Operator& self, double s) { return Operator{shifted(self.A, s)}; }, "s"_a, "A + s I.")
      .def(
          "block",
          [](const Operator& self, std::vector<Index> indices) {
            return Operator{sub_block(self.A, std::move(indices))};
          },
          "indices"_a, "The rows and columns of A at these indices.")
      .def("__add__",
           [](const Operator& a, const Operator& b) {
             return Operator{sum({{1, a.A}, {1, b.A}})};
           })
      .def("__sub__",
           [](const Operator& a, const Operator& b) {
             return Operator{sum({{1, a.A}, {-1, b.A}})};
           })
      .def("__neg__", [](const Operator& self) { return Operator{scaled(-1, self.A)}; })
      .def("__mul__", [](const Operator& self, double s) { return Operator{scaled(s, self.A)}; })
      .def("__rmul__", [](const Operator& self, double s) { return Operator{scaled(s, self.A)}; })
      .def("__repr__", [](const Operator& self) { return fmt::format("hesse.Operator(size={})", self.A->size()); })
      // NumPy would else take a @ A for itself, entry by entry.
      .attr("__array_ufunc__") = py::none();
}

}  // namespace hesse::python
