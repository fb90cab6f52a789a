#include "hesse/validation/peers.h"

#include "hesse/core/error.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace hesse;

namespace {

/// Throws at the k-th call.
class Throwing final : public Objective {
 public:
  explicit Throwing(int at) : at_(at) {}
  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override { return inner_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    if (++calls_ == at_) fail("thrown on purpose");
    return inner_.value_and_gradient(x, g);
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return inner_.curvature(x, kind);
  }

 private:
  FunctorObjective<ChainedRosenbrock> inner_{{5}, 5};
  int at_;
  int calls_ = 0;
};

}  // namespace

TEST_CASE("every quasi-Newton peer finds the end of the valley, for sizes that do not fill its vectors") {
  for (const std::string& name : peers()) {
    if (name != "lbfgspp" && name != "liblbfgs" && name != "ceres-bfgs" && name != "ceres-lbfgs") continue;
    for (const Index n : {2, 3, 5, 8, 11}) {
      FunctorObjective<ChainedRosenbrock> f({n}, n);
      const Vector x0 = Vector::Constant(n, 0.5);
      const PeerResult r = run_peer(name, f, x0);
      CAPTURE(name, n, r.status);
      CHECK(r.x.size() == n);
      CHECK_FALSE(r.status.empty());
      // Where it stops f differs from its minimum 0 by rounding of its terms, and g is about its square root.
      CHECK((r.x - Vector::Ones(n)).norm() <= 1e-5);
    }
  }
}

TEST_CASE("a peer that throws or is thrown through leaves a status or the error") {
  for (const std::string& name : peers()) {
    if (name == "ceres-lm" || name == "ceres-dogleg" || name == "ceres-subspace-dogleg") continue;
    for (const int at : {1, 2, 7}) {
      Throwing f(at);
      CHECK_THROWS_WITH(run_peer(name, f, Vector::Constant(5, 0.5)), "thrown on purpose");
    }
  }
}

TEST_CASE("peers are known by name, whether they are built in or not") {
  CHECK(is_peer("lbfgspp"));
  CHECK(is_peer("liblbfgs"));
  CHECK(is_peer("ceres-lm"));
  CHECK_FALSE(is_peer("lbfgs"));
  FunctorObjective<Rosenbrock> f({}, 2);
  CHECK_THROWS_WITH(run_peer("ceres-lbgfs", f, Vector::Ones(2)), Catch::Contains("did you mean 'ceres-lbfgs'?"));
  CHECK_THROWS_WITH(run_peer("ceres-lm", f, Vector::Ones(2)), Catch::Contains("needs residuals"));
  CHECK_THROWS_AS(run_peer("ceres-lbfgs", f, Vector::Ones(3)), Error);
  CHECK_THROWS_AS(run_peer("ceres-lbfgs", f, Vector::Ones(2), {0, 1}), Error);
  for (const char* name : {"lbfgspp", "liblbfgs"}) {
    if (std::count(peers().begin(), peers().end(), name) > 0) continue;
    CHECK_THROWS_WITH(run_peer(name, f, Vector::Ones(2)), Catch::Contains("build again"));
  }
}
