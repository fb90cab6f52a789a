#include "hesse/objective/quadratic.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "optim/methods.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>

// The C library's allocator, counted: Eigen calls it directly and operator new through it. Sanitizers
// bring their own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HESSE_COUNTS_ALLOCATIONS 1

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

using namespace hesse;

TEST_CASE("No optimizer allocates after its first steps") {
  const std::string name = GENERATE(from_range(every_method(false)));
  if (has_growing_subspace(name)) return;
  const Index n = needs_entries(name) ? 80 : 3000;
  Quadratic f(logarithmic_spectrum(n, 1e4), Vector::Ones(n));
  auto optimizer = make_optimizer(name, {f, 0});
  Vector x = Vector::Zero(n);
  // Three, since L-BFGS and truncated Newton reach all their branches only then.
  for (int i = 0; i < 3; ++i) optimizer->step(f, x);
  const long before = allocations;
  for (int i = 0; i < 15; ++i) optimizer->step(f, x);
  const long after = allocations;
  CAPTURE(name);
  CHECK(after - before == 0);
}

namespace {

/// A quadratic whose parameters are matrices and a kernel.
class Blocks final : public Objective {
 public:
  Blocks() {
    layout_.add("a.weight", {70, 40});
    layout_.add("a.bias", {70});
    layout_.add("b.kernel", {6, 4, 3, 3});
    layout_.add("c.weight", {150, 130});
  }
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * x.squaredNorm(); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = x;
    return value(x);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { return nullptr; }

 private:
  ParameterLayout layout_;
};

}  // namespace

TEST_CASE("No matrix method allocates after its first steps, renewals included") {
  const std::string name = GENERATE("shampoo:period=2,block=64", "shampoo:period=2,staleness=0.01,merge=1",
                                    "shampoo:period=3,root=newton,block=32,graft=none,momentum=0.9", "soap:period=2",
                                    "soap:period=1,staleness=0.01,merge=20", "muon", "psgd", "adafactor");
  Blocks f;
  auto optimizer = make_optimizer(name, {f, 0});
  Vector x = Vector::LinSpaced(f.layout().size(), -1, 2).array().sin();
  // Each thread brings the workspace of its products along when it first takes part.
  for (int i = 0; i < 6; ++i) optimizer->step(f, x);
  const long before = allocations;
  for (int i = 0; i < 12; ++i) optimizer->step(f, x);
  const long after = allocations;
  CAPTURE(name);
  CHECK(after - before == 0);
}

TEST_CASE("The loop allocates the same for 20 steps as for 60") {
  const std::string name = GENERATE(from_range(every_method(false)));
  if (has_growing_subspace(name)) return;
  const auto count = [&](std::int64_t steps) {
    const Index n = needs_entries(name) ? 60 : 2000;
    Quadratic f(logarithmic_spectrum(n, 1e8), Vector::Ones(n));
    auto optimizer = make_optimizer(
        name == "newton-cg" ? "newton-cg+trust-region:trust_radius=1e-3,max_trust_radius=1e-3" : name, {f, 0});
    Vector x = Vector::Zero(n);
    Stopping stopping;
    stopping.max_steps = steps;
    const long before = allocations;
    const Summary s = minimize(*optimizer, f, x, stopping);
    const long after = allocations;
    // Newton's method arrives at once; the others do not here.
    if (!needs_entries(name)) CHECK(s.progress.step == steps);
    return s.progress.step == steps ? after - before : -1;
  };
  count(20);
  CAPTURE(name);
  const long longer = count(60);
  if (longer >= 0) CHECK(count(20) == longer);
}

#endif
