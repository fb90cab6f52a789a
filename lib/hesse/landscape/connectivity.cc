#include "hesse/landscape/connectivity.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/landscape/directions.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/registry.h"

#include <vector>

namespace hesse {
namespace {

class CurveObjective : public Objective {
 public:
  CurveObjective(Objective& f, Path path, Index nodes, std::uint64_t seed)
      : f_(f), path_(std::move(path)), seed_(seed), nodes_(nodes) {
    place_in_the_middle();
  }

  const ParameterLayout& layout() const override { return f_.layout(); }

  double value(const Vector& theta) override {
    path_.theta = theta;
    double sum = 0;
    for (Index i = 0; i < nodes_.size(); ++i) {
      path_.point(nodes_[i], point_);
      sum += f_.value(point_);
    }
    return sum / static_cast<double>(nodes_.size());
  }

  double value_and_gradient(const Vector& theta, Vector& g) override {
    path_.theta = theta;
    g.setZero(theta.size());
    double sum = 0;
    for (Index i = 0; i < nodes_.size(); ++i) {
      path_.point(nodes_[i], point_);
      sum += f_.value_and_gradient(point_, gradient_);
      g += path_weights(path_.kind, nodes_[i]).bend * gradient_;
    }
    g /= static_cast<double>(nodes_.size());
    return sum / static_cast<double>(nodes_.size());
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& theta, Curvature kind) override {
    path_.theta = theta;
    std::vector<Term> terms;
    for (Index i = 0; i < nodes_.size(); ++i) {
      path_.point(nodes_[i], point_);
      const double c = path_weights(path_.kind, nodes_[i]).bend;
      terms.push_back({c * c / static_cast<double>(nodes_.size()), f_.curvature(point_, kind)});
    }
    return sum(std::move(terms));
  }

  Index samples() const override { return f_.samples(); }
  Index total_samples() const override { return f_.total_samples(); }
  CostWeights cost_weights() const override { return f_.cost_weights(); }
  std::uint64_t revision() const override { return f_.revision(); }
  Precision precision() const override { return f_.precision(); }
  double value_noise() const override { return f_.value_noise(); }

  std::string explain_non_finite(const Vector& theta) override {
    path_.theta = theta;
    for (Index i = 0; i < nodes_.size(); ++i) {
      path_.point(nodes_[i], point_);
      const std::string why = f_.explain_non_finite(point_);
      if (!why.empty()) return fmt::format("at t = {:.4g} of the path: {}", nodes_[i], why);
    }
    return {};
  }

 protected:
  void place_in_the_middle() {
    const auto count = static_cast<double>(nodes_.size());
    for (Index i = 0; i < nodes_.size(); ++i) nodes_[i] = (static_cast<double>(i) + 0.5) / count;
  }
  void place_at_random(std::uint64_t draw) {
    const RandomStream stream(seed_, Purpose::noise, draw);
    const auto count = static_cast<double>(nodes_.size());
    for (Index i = 0; i < nodes_.size(); ++i) {
      nodes_[i] = (static_cast<double>(i) + stream.uniform(static_cast<std::uint64_t>(i))) / count;
    }
  }

 private:
  Objective& f_;
  Path path_;
  std::uint64_t seed_;
  Vector nodes_;
  Vector point_;
  Vector gradient_;
};

/// The samples are those of f, whose selection this one's is; a new selection moves the nodes.
class SampledCurveObjective final : public CurveObjective, public FiniteSum {
 public:
  SampledCurveObjective(Objective& f, Path path, Index nodes, std::uint64_t seed, FiniteSum& sum)
      : CurveObjective(f, std::move(path), nodes, seed), sum_(sum) {
    if (f.samples() != f.total_samples()) place_by_selection();
  }

  Index sample_count() const override { return sum_.sample_count(); }
  std::span<const Index> selection() const override { return sum_.selection(); }
  void select(std::span<const Index> samples) override {
    sum_.select(samples);
    place_by_selection();
  }
  void select_all() override {
    sum_.select_all();
    place_in_the_middle();
  }

 private:
  /// A function of the selection alone, so that whoever puts one back finds the same objective again.
  void place_by_selection() {
    const std::span<const Index> samples = sum_.selection();
    // Fowler, Noll and Vo's hash, folded to the 32 bits of a stream's step.
    std::uint64_t hash = 14695981039346656037ULL;
    for (const Index sample : samples) hash = (hash ^ static_cast<std::uint64_t>(sample)) * 1099511628211ULL;
    place_at_random((hash >> 32) ^ (hash & 0xFFFFFFFFULL));
  }

  FiniteSum& sum_;
};

}  // namespace

std::unique_ptr<Objective> make_curve_objective(Objective& f, const Path& path, Index nodes, std::uint64_t seed) {
  if (path.kind == PathKind::segment) fail("curve objective: a segment has no bend; choose bezier or polygon");
  if (path.A.size() != f.size() || path.B.size() != f.size()) {
    fail("curve objective: the ends have {} and {} entries, but the objective has {} variables", path.A.size(),
         path.B.size(), f.size());
  }
  if (nodes < 2 || nodes % 2 != 0) fail("curve objective: {} nodes are not possible; give an even number >= 2", nodes);
  if (FiniteSum* const sum = find<FiniteSum>(f)) {
    return std::make_unique<SampledCurveObjective>(f, path, nodes, seed, *sum);
  }
  return std::make_unique<CurveObjective>(f, path, nodes, seed);
}

Connection connect(Objective& f, const Vector& A, const Vector& B, const ConnectOptions& options) {
  if (!(options.perturbation >= 0)) {
    fail("connect: a perturbation of {} is not possible; give a number >= 0", options.perturbation);
  }
  Connection out;
  out.path = {options.kind, A, B, Vector()};
  const auto F = make_curve_objective(f, out.path, options.nodes, options.seed);
  const auto optimizer = make_optimizer(options.optimizer, {*F, options.seed});
  out.distance = distance(A, B);
  Vector theta = 0.5 * (A + B) + options.perturbation * out.distance * random_direction(A.size(), options.seed, 0);
  out.training = minimize(*optimizer, *F, theta, options.stopping, options.batches);
  out.path.theta = std::move(theta);
  // The loop leaves f on all samples, so that both are of the same function.
  out.segment = profile(f, {PathKind::segment, A, B, Vector()}, options.profile);
  out.curve = profile(f, out.path, options.profile);
  out.length = out.path.length();
  return out;
}

}  // namespace hesse
