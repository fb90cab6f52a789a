#include "interpreter.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace hesse::python {

std::recursive_mutex& one_at_a_time() {
  static std::recursive_mutex mutex;
  return mutex;
}

void poll_signals() {
  using Clock = std::chrono::steady_clock;
  thread_local Clock::time_point next;
  const Clock::time_point now = Clock::now();
  if (now < next) return;
  next = now + std::chrono::milliseconds(50);
  with_python([] {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  });
}

double* Handed::room(std::vector<py::ssize_t> shape) {
  const bool fits = array_ && std::equal(shape.begin(), shape.end(), array_.shape(), array_.shape() + array_.ndim());
  // One reference is ours; a view that the callable has kept would hold another.
  if (!fits || array_.ref_count() > 1) array_ = py::array_t<double, py::array::f_style>(std::move(shape));
  return array_.mutable_data();
}

py::object Handed::vector(ConstVectorView x) {
  std::copy(x.data(), x.data() + x.size(), room({x.size()}));
  return array_;
}

py::object Handed::block(ConstMatrixView X) {
  double* const to = room({X.rows(), X.cols()});
  Eigen::Map<Matrix>(to, X.rows(), X.cols()) = X;
  return array_;
}

std::string shape_text(const py::array& array) {
  std::string text;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", array.shape(i));
  return fmt::format("({}{})", text, array.ndim() == 1 ? "," : "");
}

py::array_t<double> real_array(const py::handle& object, std::string_view what) {
  const py::array array = py::array::ensure(object);
  if (!array) {
    fail("{} is no array but a '{}'; give an array of real numbers", what, Py_TYPE(object.ptr())->tp_name);
  }
  if (std::strchr("fiub", array.dtype().kind()) == nullptr) {
    fail("{} is an array of type '{}'; give real numbers", what,
         py::str(array.dtype().attr("name")).cast<std::string>());
  }
  auto doubles = py::array_t<double>::ensure(array);
  if (!doubles) fail("{} does not convert to an array of doubles", what);
  return doubles;
}

void read_vector(const py::handle& returned, VectorView out, std::string_view what) {
  const auto array = real_array(returned, what);
  if (array.ndim() != 1 || array.shape(0) != out.size()) {
    fail("{} has the shape {}; it has to have the shape ({},)", what, shape_text(array), out.size());
  }
  const auto entries = array.unchecked<1>();
  for (Index i = 0; i < out.size(); ++i) out[i] = entries(i);
}

void read_block(const py::handle& returned, MatrixView out, std::string_view what) {
  const auto array = real_array(returned, what);
  if (array.ndim() != 2 || array.shape(0) != out.rows() || array.shape(1) != out.cols()) {
    fail("{} has the shape {}; it has to have the shape ({}, {})", what, shape_text(array), out.rows(), out.cols());
  }
  const auto size = static_cast<Index>(sizeof(double));
  if (array.strides(0) % size != 0 || array.strides(1) % size != 0) {
    fail("{} lies in memory at a stride that is no multiple of 8 bytes; give a copy of it", what);
  }
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  out = Eigen::Map<const Matrix, 0, Strides>(array.data(), out.rows(), out.cols(),
                                             Strides(array.strides(1) / size, array.strides(0) / size));
}

double read_number(const py::handle& returned, std::string_view what) {
  const auto array = real_array(returned, what);
  if (array.size() != 1) fail("{} has the shape {}; it has to be one number", what, shape_text(array));
  return *array.data();
}

Vector vector_of(const py::handle& object, Index n, std::string_view what) {
  Vector x(n);
  read_vector(object, x, what);
  return x;
}

py::object result(const py::dict& fields) { return py::module_::import("hesse._result").attr("Result")(**fields); }

}  // namespace hesse::python
