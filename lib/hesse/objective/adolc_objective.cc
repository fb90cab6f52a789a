#include "hesse/objective/adolc_objective.h"

#include <adolc/interfaces.h>
#include <adolc/taping.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>

namespace hesse {
namespace {

std::mutex tags_mutex;
std::vector<short> free_tags;
short next_tag = 0;

short take_tag() {
  const std::lock_guard lock(tags_mutex);
  if (!free_tags.empty()) {
    const short tag = free_tags.back();
    free_tags.pop_back();
    return tag;
  }
  if (next_tag == std::numeric_limits<short>::max()) fail("ADOL-C has no tape left; let some objectives go");
  return next_tag++;
}

}  // namespace

AdolcTape::AdolcTape(Index n, std::function<adouble(const adouble*)> formula)
    : n_(n), formula_(std::move(formula)), tag_(0) {
  if (n < 1) fail("objective: {} variables are not possible; give at least 1", n);
  // Room for some ten operations a variable, so that most formulas fit at once; see record().
  const auto room = static_cast<unsigned>(std::clamp<Index>(32 * n, Index{1} << 19, Index{1} << 30));
  buffers_ = {room, room, room, room};
  tag_ = take_tag();
}

AdolcTape::~AdolcTape() {
  const std::lock_guard lock(tags_mutex);
  if (recorded_) ::removeTape(tag_, ADOLC_REMOVE_COMPLETELY);
  free_tags.push_back(tag_);
}

void AdolcTape::trace(const Vector& x) {
  if (recorded_) ::removeTape(tag_, ADOLC_REMOVE_COMPLETELY);
  recorded_ = false;
  trace_on(tag_, 0, buffers_.operations, buffers_.locations, buffers_.values, buffers_.taylors);
  try {
    for (Index i = 0; i < n_; ++i) active_[static_cast<std::size_t>(i)] <<= x[i];
    adouble y = formula_(active_.data());
    double f = 0;
    y >>= f;
  } catch (...) {
    // Left on, tracing would go on recording whatever touches an adouble next.
    trace_off();
    ::removeTape(tag_, ADOLC_REMOVE_COMPLETELY);
    throw;
  }
  trace_off();
  recorded_ = true;
}

/// A tape longer than its buffers goes to files of fixed names in the working directory, where another
/// process would overwrite them; so one that did not fit is traced again with room for all of it.
void AdolcTape::record(const Vector& x) {
  if (active_.empty()) active_.resize(static_cast<std::size_t>(n_));
  trace(x);
  std::array<std::size_t, STAT_SIZE> stats{};
  ::tapestats(tag_, stats.data());
  // Every block ends in a few filler entries; a second-order sweep keeps two values for each first-order one.
  constexpr std::size_t kSlack = 1024;
  bool fits = true;
  const auto provide = [&](unsigned& buffer, std::size_t needed) {
    if (needed + kSlack <= buffer) return;
    if (needed > std::numeric_limits<unsigned>::max() / 2) {
      fail("ADOL-C: the formula takes {} tape entries, more than a tape can hold; split it into a sum", needed);
    }
    buffer = static_cast<unsigned>(needed + needed / 8 + kSlack);
    fits = false;
  };
  provide(buffers_.operations, stats[NUM_OPERATIONS]);
  provide(buffers_.locations, stats[NUM_LOCATIONS]);
  provide(buffers_.values, stats[NUM_VALUES]);
  provide(buffers_.taylors, 2 * (stats[TAY_STACK_SIZE] + stats[NUM_MAX_LIVES]));
  if (!fits) trace(x);
}

template <class Forward>
bool AdolcTape::forward(const Vector& x, const Forward& sweep) {
  if (x.size() != n_) fail("objective: a point of {} variables for a formula of {}", x.size(), n_);
  if (!recorded_) record(x);
  // A negative return tells that a comparison on the tape comes out otherwise at x.
  if (sweep() >= 0) return true;
  record(x);
  return sweep() >= 0;
}

double AdolcTape::value_and_gradient(const Vector& x, Vector& g) {
  g.resize(n_);
  double f = std::numeric_limits<double>::quiet_NaN();
  double one = 1;
  if (!forward(x, [&] { return ::zos_forward(tag_, 1, static_cast<int>(n_), 1, x.data(), &f); }) ||
      ::fos_reverse(tag_, 1, static_cast<int>(n_), &one, g.data()) < 0) {
    g.setConstant(std::numeric_limits<double>::quiet_NaN());
  }
  return f;
}

void AdolcTape::hessian_product(const Vector& x, ConstVectorView v, VectorView y) {
  const int n = static_cast<int>(n_);
  if (adjoints_.cols() != n_) {
    adjoints_.resize(2, n_);
    adjoint_columns_.resize(static_cast<std::size_t>(n_));
    for (Index i = 0; i < n_; ++i) adjoint_columns_[static_cast<std::size_t>(i)] = adjoints_.col(i).data();
  }
  double f = 0;
  double slope = 0;
  double one = 1;
  // ADOL-C takes the direction without const and leaves it as it is.
  double* const direction = const_cast<double*>(v.data());
  if (forward(x, [&] { return ::fos_forward(tag_, 1, n, 2, x.data(), direction, &f, &slope); }) &&
      ::hos_reverse(tag_, 1, n, 1, &one, adjoint_columns_.data()) >= 0) {
    y = adjoints_.row(1).transpose();
  } else {
    y.setConstant(std::numeric_limits<double>::quiet_NaN());
  }
}

}  // namespace hesse
