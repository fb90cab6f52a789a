#include "hesse/objective/adolc_objective.h"

#include <adolc/drivers/drivers.h>
#include <adolc/taping.h>

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
  tag_ = take_tag();
}

AdolcTape::~AdolcTape() {
  const std::lock_guard lock(tags_mutex);
  free_tags.push_back(tag_);
}

void AdolcTape::record(const Vector& x) {
  if (active_.empty()) active_.resize(static_cast<std::size_t>(n_));
  trace_on(tag_);
  for (Index i = 0; i < n_; ++i) active_[static_cast<std::size_t>(i)] <<= x[i];
  adouble y = formula_(active_.data());
  double f = 0;
  y >>= f;
  trace_off();
  recorded_ = true;
}

template <class Driver>
void AdolcTape::run(const Vector& x, const Driver& driver) {
  if (x.size() != n_) fail("objective: a point of {} variables for a formula of {}", x.size(), n_);
  if (!recorded_) record(x);
  // A negative return tells that a comparison on the tape comes out otherwise at x.
  if (driver() < 0) {
    record(x);
    driver();
  }
}

double AdolcTape::value(const Vector& x) {
  double f = 0;
  run(x, [&] { return ::function(tag_, 1, static_cast<int>(n_), const_cast<double*>(x.data()), &f); });
  return f;
}

double AdolcTape::value_and_gradient(const Vector& x, Vector& g) {
  g.resize(n_);
  const double f = value(x);
  run(x, [&] { return ::gradient(tag_, static_cast<int>(n_), x.data(), g.data()); });
  return f;
}

void AdolcTape::hessian_product(const Vector& x, ConstVectorView v, VectorView y) {
  point_ = x;
  direction_ = v;
  product_.resize(n_);
  run(x, [&] { return ::hess_vec(tag_, static_cast<int>(n_), point_.data(), direction_.data(), product_.data()); });
  y = product_;
}

}  // namespace hesse
