#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/operators.h"
#include "hesse/nn/models.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/oracles/tables.h"
#include "hesse/validation/derivative_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

/// An objective whose gradient and Hessian products are off by one part in a thousand in one entry.
class SpoiledDerivatives final : public Objective {
 public:
  explicit SpoiledDerivatives(Objective& f) : f_(f) {}
  const ParameterLayout& layout() const override { return f_.layout(); }
  double value(const Vector& x) override { return f_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    const double value = f_.value_and_gradient(x, g);
    spoil(g);
    return value;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    const auto H = f_.curvature(x, kind);
    return function_operator(f_.size(), [H](ConstMatrixView X, MatrixView Y) {
      H->apply(X, Y);
      for (Index j = 0; j < Y.cols(); ++j) spoil(Y.col(j));
    });
  }

 private:
  /// The largest entry, so that it counts.
  static void spoil(VectorView y) {
    Index at = 0;
    y.cwiseAbs().maxCoeff(&at);
    y[at] *= 1.001;
  }
  Objective& f_;
};

struct Kind {
  const char* name;
  std::unique_ptr<Objective> f;
  Vector x;
};

/// One problem of every kind, at a point that is special in no way.
std::vector<Kind> every_kind() {
  std::vector<Kind> kinds;
  const auto add = [&](const char* name, std::unique_ptr<Objective> f, double size) {
    const Vector x = size * planted_point(f->size(), 11);
    kinds.push_back({name, std::move(f), x});
  };
  const auto network = [](Network shape, std::shared_ptr<const Dataset> data) {
    return make_network_objective(std::make_shared<const Network>(std::move(shape)), Loss::softmax_cross_entropy,
                                  std::move(data));
  };
  add("formula", std::make_unique<FunctorObjective<ChainedRosenbrock>>(ChainedRosenbrock{6}, 6), 1);
  add("regression", planted_perceptron({5, 3}, Activation::identity, planted_classes(5, 3, 40, 12)), 0.7);
  add("perceptron", planted_perceptron({5, 6, 4, 3}, Activation::tanh, planted_classes(5, 3, 40, 12)), 0.7);
  const std::vector<Index> channels = {3};
  const std::vector<Index> hidden = {5};
  add("convolutions",
      network(convolutional_network({1, 6, 6}, channels, 3, hidden, 3, Activation::gelu),
              planted_classes(36, 3, 20, 13)),
      0.5);
  constexpr Index kVocabulary = 7;
  constexpr Index kPlaces = 5;
  auto texts = std::make_shared<Dataset>();
  texts->name = "planted";
  texts->places = kPlaces;
  texts->class_count = kVocabulary;
  texts->inputs.resize(kPlaces, 8);
  const RandomStream tokens(14, Purpose::test);
  for (Index i = 0; i < texts->inputs.size(); ++i) {
    texts->inputs.reshaped()[i] = static_cast<double>(tokens.below(kVocabulary, static_cast<std::uint64_t>(2 * i)));
    texts->labels.push_back(
        static_cast<std::int32_t>(tokens.below(kVocabulary, static_cast<std::uint64_t>(2 * i + 1))));
  }
  add("transformer", network(transformer(kVocabulary, kPlaces, 8, 2, 1), texts), 0.5);
  return kinds;
}

std::vector<OracleFinding> differences(const OracleContext& context) {
  std::vector<OracleFinding> findings;
  double rise = std::numeric_limits<double>::infinity();
  for (Kind& kind : every_kind()) {
    SpoiledDerivatives spoiled(*kind.f);
    Objective& f = context.planted ? static_cast<Objective&>(spoiled) : *kind.f;
    const DerivativeCheckOptions options;
    const DerivativeCheck check = check_derivatives(f, kind.x, options);
    findings.push_back(at_most(fmt::format("{}: gradient, the least error over steps 1e-1 to 1e-13", kind.name),
                               check.gradient_error, options.gradient_threshold,
                               "about eps^(2/3), with a margin of 300"));
    findings.push_back(at_most(fmt::format("{}: Hessian product, likewise", kind.name), check.product_error,
                               options.product_threshold, "the same for differences of gradients"));
    findings.push_back(at_most(fmt::format("{}: |u'Hv - v'Hu| / (|u||v||H|)", kind.name), check.asymmetry,
                               options.symmetry_threshold, "rounding, with a margin"));
    for (double SweepPoint::*error : {&SweepPoint::gradient_error, &SweepPoint::product_error}) {
      double least = std::numeric_limits<double>::infinity();
      for (const SweepPoint& point : check.sweep) least = std::min(least, point.*error);
      rise = std::min({rise, check.sweep.front().*error / least, check.sweep.back().*error / least});
    }
  }
  findings.push_back(at_least("the V of the error over the step: its lower end over its bottom, the flattest of all",
                              rise, 100, "h^2 |f'''| and eps / h both lie far above; a wrong derivative is flat"));
  return findings;
}

/// A perceptron of one hidden layer of tanh units with softmax cross-entropy, written out for any scalar type and
/// differentiated by dual numbers: nothing of it is shared with the network.
struct PerceptronFormula {
  static constexpr int kInputs = 3;
  static constexpr int kHidden = 4;
  static constexpr int kClasses = 3;
  static constexpr Index kSize = kHidden * (kInputs + 1) + kClasses * (kHidden + 1);
  std::shared_ptr<const Dataset> data;
  bool wrong_label = false;  ///< the planted fault

  template <class T>
  T operator()(const T* x) const {
    using std::exp;
    using std::log;
    using std::tanh;
    const T* const W1 = x;
    const T* const b1 = W1 + kHidden * kInputs;
    const T* const W2 = b1 + kHidden;
    const T* const b2 = W2 + kClasses * kHidden;
    T loss = T(0.0);
    for (Index i = 0; i < data->sample_count(); ++i) {
      std::array<T, kHidden> a;
      for (int h = 0; h < kHidden; ++h) {
        T s = b1[h];
        for (int k = 0; k < kInputs; ++k) s = s + W1[h * kInputs + k] * data->inputs(k, i);
        a[static_cast<std::size_t>(h)] = tanh(s);
      }
      T partition = T(0.0);
      T wanted = T(0.0);
      int label = data->labels[static_cast<std::size_t>(i)];
      if (wrong_label && i == 0) label = (label + 1) % kClasses;
      for (int c = 0; c < kClasses; ++c) {
        T z = b2[c];
        for (int h = 0; h < kHidden; ++h) z = z + W2[c * kHidden + h] * a[static_cast<std::size_t>(h)];
        if (c == label) wanted = z;
        partition = partition + exp(z);
      }
      loss = loss + (log(partition) - wanted) / static_cast<double>(data->sample_count());
    }
    return loss;
  }
};

std::vector<OracleFinding> dense_hessian(const OracleContext& context) {
  const auto data = planted_classes(PerceptronFormula::kInputs, PerceptronFormula::kClasses, 12, 15);
  const auto network = planted_perceptron(
      {PerceptronFormula::kInputs, PerceptronFormula::kHidden, PerceptronFormula::kClasses}, Activation::tanh, data);
  FunctorObjective<PerceptronFormula> formula({data, context.planted}, PerceptronFormula::kSize);
  const Vector x = 0.7 * planted_point(network->size(), 16);
  Vector g;
  Vector exact_g;
  const double f = network->value_and_gradient(x, g);
  const double exact_f = formula.value_and_gradient(x, exact_g);
  const Matrix H = to_dense(*network->curvature(x, Curvature::hessian));
  const Matrix exact_H = to_dense(*formula.curvature(x, Curvature::hessian));
  // Sums of 12 samples, 4 units and 3 classes, with a few roundings a term.
  const double bound = 12 * (4 + 3) * 8 * kEps;
  const char* const why = "8 eps a term, 12 (4 + 3) terms";
  return {at_most("value of a perceptron against its formula, relative", std::abs(f - exact_f) / exact_f, bound, why),
          at_most("gradient against dual numbers through the formula, relative", (g - exact_g).norm() / exact_g.norm(),
                  bound, why),
          at_most("all columns of the Hessian likewise", (H - exact_H).norm() / exact_H.norm(), bound, why)};
}

}  // namespace

std::vector<Oracle> derivative_oracles() {
  return {
      {"differences", "gradients and Hessian products are those of central differences, on every kind of problem",
       "the largest entry of gradients and products wrong by 0.1 %", differences},
      {"dense-hessian", "value, gradient and Hessian of a network are those of its formula",
       "one sample's label changed in the formula", dense_hessian},
  };
}

}  // namespace hesse
