/// \file
/// The border between C++ and Python: who holds the interpreter's lock, how exceptions cross, and how arrays do.
///
/// All work of the library runs without the interpreter's lock, one piece at a time (`work`). A callable is called with
/// the lock (`with_python`), on the thread that asked, and what it raises passes through the library as `Raised`, which
/// is no std::exception and so is taken by nobody on the way for an error of a numerical library.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/types.h"

#include <pybind11/eigen.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse::python {

namespace py = pybind11;
using namespace pybind11::literals;

/// A Python exception on its way through C++.
struct Raised {
  py::error_already_set error;
};

/// Calls body() with the interpreter's lock. What Python raises is thrown as Raised.
template <class Body>
auto with_python(const Body& body) {
  const py::gil_scoped_acquire lock;
  try {
    return body();
  } catch (py::error_already_set& error) {
    throw Raised{std::move(error)};
  }
}

/// Held while the library works: its objects own workspace and so serve one thread. Recursive, since a callable may
/// itself use the library.
std::recursive_mutex& one_at_a_time();

/// Returns body(), which runs without the interpreter's lock and touches no Python object.
template <class Body>
auto work(const Body& body) {
  const py::gil_scoped_release released;
  const std::lock_guard alone(one_at_a_time());
  return body();
}

/// Lets Python handle signals, at most twenty times a second; called by work that would else not return to Python for
/// long. Throws Raised when a handler raised, as Ctrl-C's does.
void poll_signals();

/// A Python object that C++ owns and may let go of without the interpreter's lock.
template <class Object>
class Owned {
 public:
  explicit Owned(Object object)
      : object_(new Object(std::move(object)), [](Object* held) {
          const py::gil_scoped_acquire lock;
          delete held;
        }) {}
  /// With the lock alone.
  Object& operator*() const { return *object_; }
  Object* operator->() const { return object_.get(); }

 private:
  std::shared_ptr<Object> object_;
};

/// Arrays that a callable is handed, n or n x k, written anew for each call. Where the callable has kept the last one,
/// another takes its place. Used with the interpreter's lock.
class Handed {
 public:
  /// x as an array of shape (n,).
  py::object vector(ConstVectorView x);
  /// X as an array of shape (n, k), its columns contiguous.
  py::object block(ConstMatrixView X);

 private:
  double* room(std::vector<py::ssize_t> shape);

  py::array_t<double, py::array::f_style> array_;
};

/// Any array-like of real numbers as an array of doubles, not copied where it is one. Throws Error, which `what`
/// begins, when it is none. With the lock.
py::array_t<double> real_array(const py::handle& object, std::string_view what);

/// Writes what a callable returned into `out`. Throws Error, which `what` begins, when it has not the shape (n,) or
/// (n, k) of `out`.
void read_vector(const py::handle& returned, VectorView out, std::string_view what);
void read_block(const py::handle& returned, MatrixView out, std::string_view what);
/// A number that a callable returned: a float or an array of one entry.
double read_number(const py::handle& returned, std::string_view what);

/// A vector that Python gave. Throws Error, which `what` begins, unless it has the shape (n,).
Vector vector_of(const py::handle& object, Index n, std::string_view what);

/// "(3, 2)".
std::string shape_text(const py::array& array);

/// hesse.Result(**fields): named values, as attributes and as entries.
py::object result(const py::dict& fields);

}  // namespace hesse::python
