#include "hesse/experiment/diagnose.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/data/datasets.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace hesse;

namespace {

/// 300 samples of three classes in 6 dimensions.
std::shared_ptr<Dataset> blobs() {
  auto data = std::make_shared<Dataset>();
  data->name = "blobs";
  data->inputs.resize(6, 300);
  const RandomStream stream(5, Purpose::test);
  stream.fill_normal(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()));
  data->class_count = 3;
  for (Index i = 0; i < 300; ++i) {
    data->labels.push_back(static_cast<std::int32_t>(i % 3));
    data->inputs(i % 3, i) += 3;
  }
  return data;
}

struct Built {
  std::shared_ptr<const Network> network;
  std::unique_ptr<NetworkObjective> f;
  Vector x;
};
Built built(const std::function<void(Dataset&)>& change, std::vector<Index> hidden = {16, 16},
            Activation activation = Activation::tanh) {
  const auto data = blobs();
  change(*data);
  hidden.insert(hidden.begin(), data->feature_count());
  hidden.push_back(data->class_count);
  Built b;
  b.network = std::make_shared<const Network>(multilayer_perceptron(hidden, activation));
  b.f = make_network_objective(b.network, Loss::softmax_cross_entropy, data);
  b.x = b.network->initial_parameters(Initialisation::glorot_uniform, 1);
  return b;
}
Built sound(std::vector<Index> hidden = {16, 16}, Activation activation = Activation::tanh) {
  return built([](Dataset&) {}, std::move(hidden), activation);
}

/// Scales the weights of one block, or of all.
void scale(Built& b, double factor, const std::string& block = {}) {
  for (const ParameterBlock& each : b.f->layout().blocks()) {
    if (block.empty() ? !each.name.ends_with("bias") : each.name == block) {
      b.x.segment(each.offset, each.size) *= factor;
    }
  }
}

DiagnoseOptions with(const std::string& method) {
  DiagnoseOptions options;
  options.method = method;
  options.batch_size = 32;
  return options;
}

std::vector<BlockNorms> norms(Built& b, const std::string& method, Index steps = 100) {
  bool finite = true;
  Vector x = b.x;
  DiagnoseOptions options = with(method);
  options.steps = steps;
  return observe_training(*b.f, x, options, finite);
}

/// The gradient of the first layer is off by a tenth.
class WrongGradient final : public Objective {
 public:
  explicit WrongGradient(Objective& inner) : inner_(inner) {}
  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override { return inner_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override {
    const double value = inner_.value_and_gradient(x, g);
    g.head(layout().blocks().front().size) *= 1.1;
    return value;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return inner_.curvature(x, kind);
  }

 private:
  Objective& inner_;
};

}  // namespace

TEST_CASE("A sound problem with a sound method is found good by every check") {
  Built b = sound();
  CHECK(check_inputs(b.f->data()).finding == Finding::good);
  CHECK(check_labels(b.f->data()).finding == Finding::good);
  CHECK(check_initial_loss(*b.f, b.x).finding == Finding::good);
  CHECK(check_gradient(*b.f, b.x, with("adam")).finding == Finding::good);
  for (const char* method : {"momentum:lr=0.05", "adam:lr=3e-3"}) {
    CAPTURE(method);
    const Check overfit = check_overfit(*b.f, b.x, with(method));
    CAPTURE(overfit.message);
    CHECK(overfit.finding == Finding::good);
    CHECK(overfit.figure <= 0.01);
    const auto blocks = norms(b, method);
    CHECK(check_gradient_flow(blocks).finding == Finding::good);
    CHECK(check_updates(blocks).finding == Finding::good);
    const Check rate = check_learning_rate(*b.f, b.x, with(method));
    CAPTURE(rate.message);
    CHECK(rate.finding == Finding::good);
  }
  CHECK(check_units(count_units(*b.f, b.x)).finding == Finding::good);
  CHECK(b.f->samples() == 300);
}

TEST_CASE("Planted in the inputs, a scale of 255 squared, a NaN, and zeros are found") {
  const Built scaled = built([](Dataset& d) { d.inputs *= 255.0 * 255; });
  CHECK(check_inputs(scaled.f->data()).finding == Finding::bad);
  const Built bytes = built([](Dataset& d) { d.inputs *= 255.0; });
  CHECK(check_inputs(bytes.f->data()).finding == Finding::suspicious);
  CHECK_THAT(check_inputs(bytes.f->data()).message, Catch::Contains("scale"));
  const Built nan = built([](Dataset& d) { d.inputs(2, 3) = std::nan(""); });
  CHECK(check_inputs(nan.f->data()).finding == Finding::bad);
  const Built zero = built([](Dataset& d) { d.inputs.setZero(); });
  CHECK(check_inputs(zero.f->data()).finding == Finding::bad);
  const Built constant = built([](Dataset& d) { d.inputs.topRows(4).setConstant(1); });
  CHECK(check_inputs(constant.f->data()).finding == Finding::suspicious);
  CHECK_THAT(check_inputs(constant.f->data()).message, Catch::Contains("4 of 6"));
}

TEST_CASE("Planted in the labels, a class without samples, a rare class, and contradictions are found") {
  const Built missing = built([](Dataset& d) { d.class_count = 4; });
  CHECK(check_labels(missing.f->data()).finding == Finding::bad);
  const Built rare = built([](Dataset& d) {
    for (std::size_t i = 9; i < d.labels.size(); ++i) d.labels[i] = d.labels[i] == 2 ? 1 : d.labels[i];
  });
  CHECK(check_labels(rare.f->data()).finding == Finding::suspicious);
  const auto repeat = [](Index count) {
    return built([count](Dataset& d) {
      for (Index i = 0; i < count; ++i) d.inputs.col(3 * i + 1) = d.inputs.col(3 * i);
    });
  };
  CHECK(check_labels(repeat(1).f->data()).finding == Finding::suspicious);
  const Check many = check_labels(repeat(60).f->data());
  CHECK(many.finding == Finding::bad);
  CHECK_THAT(many.message, Catch::Contains("60 with the input of another class"));
  const auto stray = blobs();
  stray->labels[7] = 3;
  CHECK(check_labels(*stray).finding == Finding::bad);
  CHECK_THAT(check_labels(*stray).message, Catch::Contains("sample 7 has label 3"));
  stray->labels[7] = -1;
  CHECK(check_labels(*stray).finding == Finding::bad);
  Dataset none;
  none.inputs = Matrix::Ones(2, 3);
  CHECK(check_labels(none).finding == Finding::skipped);
}

TEST_CASE("The initial loss is log K where outputs are 0, and weights that start too large are found") {
  Built b = sound();
  scale(b, 0);
  const Check zero = check_initial_loss(*b.f, b.x);
  CHECK(zero.figure == Approx(1).epsilon(1e-13));
  CHECK(zero.finding == Finding::good);
  // At outputs of 0 the squared error of classes is a half, their distance to a unit vector.
  const auto squared = make_network_objective(b.network, Loss::squared_error, blobs());
  CHECK(check_initial_loss(*squared, b.x).figure == 1);
  Built large = sound();
  scale(large, 30);
  CHECK(check_initial_loss(*large.f, large.x).finding == Finding::bad);
  Built steep = sound();
  scale(steep, 100, "layer3.weight");
  CHECK(check_initial_loss(*steep.f, steep.x).finding != Finding::good);
}

TEST_CASE("A gradient that is off by a tenth in one layer is found, and the layer is named") {
  Built b = sound();
  WrongGradient wrong(*b.f);
  const Check check = check_gradient(wrong, b.x, with("adam"));
  CHECK(check.finding == Finding::bad);
  // Half a tenth at least of a random direction's derivative is left in it.
  CHECK(check.figure > 1e-3);
  CHECK_THAT(check.message, Catch::Contains("layer1.weight"));
}

TEST_CASE("Ten samples that cannot be learned, for the rate or for their labels, are told apart") {
  Built b = sound();
  const Check slow = check_overfit(*b.f, b.x, with("sgd:lr=1e-7"));
  CHECK(slow.finding == Finding::bad);
  CHECK_THAT(slow.message, Catch::Contains("the model can"));
  Built twins = built([](Dataset& d) { d.inputs.colwise() = Vector::Ones(6); });
  const Check contradictory = check_overfit(*twins.f, twins.x, with("adam:lr=1e-2"));
  CHECK(contradictory.finding == Finding::bad);
  CHECK_THAT(contradictory.message, Catch::Contains("contradict"));
}

TEST_CASE("Gradients that vanish through sigmoids and explode through large weights are found") {
  Built deep = sound(std::vector<Index>(12, 16), Activation::sigmoid);
  const Check vanishing = check_gradient_flow(norms(deep, "sgd:lr=1e-3"));
  CAPTURE(vanishing.message);
  CHECK(vanishing.finding != Finding::good);
  CHECK_THAT(vanishing.message, Catch::Contains("vanish"));
  // Going back the adjoints are multiplied by every layer, going forward the inputs by a first one that is tiny.
  Built steep = sound(std::vector<Index>(6, 16));
  scale(steep, 1e-6, "layer1.weight");
  scale(steep, 1e4, "layer7.weight");
  const Check exploding = check_gradient_flow(norms(steep, "sgd:lr=1e-12"));
  CAPTURE(exploding.message);
  CHECK(exploding.finding != Finding::good);
  CHECK_THAT(exploding.message, Catch::Contains("explode"));
}

TEST_CASE("Steps that are too small and too large for their weights are found") {
  Built b = sound();
  CHECK(check_updates(norms(b, "sgd:lr=1e-9")).finding == Finding::bad);
  CHECK(check_updates(norms(b, "adam:lr=1e-6")).finding == Finding::suspicious);
  CHECK(check_updates(norms(b, "adam:lr=0.3", 8)).finding != Finding::good);
  bool finite = true;
  Built huge = sound({16, 16}, Activation::identity);
  observe_training(*huge.f, huge.x, with("sgd:lr=1e150"), finite);
  CHECK_FALSE(finite);
  CHECK(huge.x.allFinite());
}

TEST_CASE("Units that are dead or saturated are counted") {
  Built dead = sound({16, 16}, Activation::relu);
  const ParameterBlock& bias = *dead.f->layout().find("layer1.bias");
  dead.x.segment(bias.offset, 10).setConstant(-100);
  const auto units = count_units(*dead.f, dead.x);
  REQUIRE(units.size() == 2);
  CHECK(units[0].dead >= 10);
  CHECK(units[0].saturated == 0);
  CHECK(check_units(units).finding == Finding::bad);
  for (const Activation activation : {Activation::tanh, Activation::sigmoid}) {
    Built saturated = sound({16, 16}, activation);
    const ParameterBlock& second = *saturated.f->layout().find("layer2.bias");
    saturated.x.segment(second.offset, 3).setConstant(50);
    saturated.x.segment(second.offset + 3, 2).setConstant(-50);
    const auto counts = count_units(*saturated.f, saturated.x);
    CHECK(counts[1].saturated == 5);
    CHECK(counts[1].dead == 0);
    CHECK(check_units(counts).finding == Finding::suspicious);
    // A unit without weights gives one output, whatever that is, and is dead without being saturated.
    Built mute = sound({16, 16}, activation);
    const ParameterBlock& weights = *mute.f->layout().find("layer1.weight");
    mute.x.segment(weights.offset, 4 * 6).setZero();
    const auto silent = count_units(*mute.f, mute.x);
    CHECK(silent[0].dead == 4);
    CHECK(silent[0].saturated == 0);
  }
}

TEST_CASE("A learning rate beyond the range that trains, and one far below it, are found") {
  Built b = sound();
  const Check high = check_learning_rate(*b.f, b.x, with("sgd:lr=1e5"));
  CHECK(high.finding == Finding::bad);
  CHECK_THAT(high.message, Catch::Contains("too high"));
  const Check low = check_learning_rate(*b.f, b.x, with("sgd:lr=1e-9"));
  CHECK(low.finding == Finding::bad);
  CHECK_THAT(low.message, Catch::Contains("low"));
  CHECK(check_learning_rate(*b.f, b.x, with("lbfgs")).finding == Finding::skipped);
}

TEST_CASE("A whole diagnosis has one line for each check, for networks and for formulas") {
  Problem network = problems().make(parse_spec("mlp:data=gaussian-blobs,hidden=16"), {Precision::float64});
  DiagnoseOptions options = with("adam:lr=1e-2");
  const Diagnosis d = diagnose(network, options);
  CHECK(d.checks.size() == 9);
  for (const Check& check : d.checks) {
    CAPTURE(check.name, check.message);
    CHECK((check.finding == Finding::good || check.finding == Finding::suspicious));
    CHECK_THAT(check.message, !Catch::Contains("\n"));
  }
  CHECK(d.blocks.size() == 4);
  CHECK(d.units.size() == 1);
  Problem formula = problems().make(parse_spec("rosenbrock"), {});
  options.method = "lbfgs";
  const Diagnosis e = diagnose(formula, options);
  CHECK(e.checks.size() == 9);
  CHECK(e.finding() != Finding::bad);
  options.method = "adm";
  CHECK_THROWS_AS(diagnose(formula, options), Error);
}
