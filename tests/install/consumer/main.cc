// Uses the library as a stranger would: an objective of one's own, with its curvature, and the parts that are compiled
// into the library (layouts, random streams, threads, option parsing).
#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/objective.h"
#include "hesse/validation/peers.h"
#include "hesse/validation/validate.h"

#include <cmath>
#include <cstdio>
#include <memory>

namespace {

using hesse::Index;
using hesse::Vector;

/// f(x) = 1/2 sum_i i x_i^2, i = 1..n.
class Bowl final : public hesse::Objective {
 public:
  explicit Bowl(Index n) : layout_(n), weights_(Vector::LinSpaced(n, 1.0, static_cast<double>(n))) {}

  const hesse::ParameterLayout& layout() const override { return layout_; }
  double value(const Vector& x) override { return 0.5 * x.dot(weights_.cwiseProduct(x)); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    g = weights_.cwiseProduct(x);
    return 0.5 * x.dot(g);
  }
  std::shared_ptr<const hesse::LinearOperator> curvature(const Vector&, hesse::Curvature) override {
    return std::make_shared<Diagonal>(weights_);
  }

 private:
  struct Diagonal final : hesse::LinearOperator {
    explicit Diagonal(Vector weights) : d(std::move(weights)) {}
    Index size() const override { return d.size(); }
    void apply(hesse::ConstMatrixView X, hesse::MatrixView Y) const override { Y = d.asDiagonal() * X; }
    Vector d;
  };

  hesse::ParameterLayout layout_;
  Vector weights_;
};

int check(bool holds, const char* what) {
  if (!holds) std::fprintf(stderr, "wrong: %s\n", what);
  return holds ? 0 : 1;
}

}  // namespace

int main() {
  int wrong = 0;
  hesse::set_threads(2);

  Bowl f(10);
  Vector x(f.size());
  hesse::RandomStream(1, hesse::Purpose::initialisation).fill_normal(x);
  Vector g;
  const double before = f.value_and_gradient(x, g);
  hesse::Matrix hg(f.size(), 1);
  f.curvature(x, hesse::Curvature::hessian)->apply(g, hg);
  // One exact step of steepest descent: f falls by (g'g)^2 / (2 g'Hg).
  const double gg = g.squaredNorm();
  const double ghg = g.dot(hg.col(0));
  x -= gg / ghg * g;
  wrong += check(std::abs(before - f.value(x) - 0.5 * gg * gg / ghg) <= 1e-12 * before, "the fall of an exact step");

  wrong += check(f.layout().describe_entry(3) == "x[3]", "the name of an entry");
  hesse::BatchSequence batches(10, 4, 1);
  wrong += check(batches.batches_per_epoch() == 3 && batches.batch(2).size() == 2, "the batches of an epoch");
  try {
    hesse::parse_spec("adam:lr");
    wrong += check(false, "a specification without '=' is refused");
  } catch (const hesse::Error&) {
  }
  // What the library links to beyond its headers: Ceres, and the peers that it was built with.
  const hesse::CeresResult ceres = hesse::ceres_minimise(f, x);
  wrong += check(ceres.finite && ceres.value_agrees && ceres.x.norm() <= 1e-6, "the minimum that Ceres finds");
  for (const std::string& peer : hesse::peers()) {
    if (!peer.ends_with("lbfgs")) continue;
    wrong += check(hesse::run_peer(peer, f, x).x.norm() <= 1e-6, "the minimum that a peer finds");
  }
  wrong += check(hesse::classify(f, ceres.x).kind == hesse::CriticalKind::minimum, "the kind of the minimum");
  std::printf(wrong == 0 ? "the installed library works\n" : "the installed library is broken\n");
  return wrong;
}
