#include "hesse/report/checkpoint.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/safetensors.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

/// An optimizer with state of every kind. A step doubles everything.
class Stateful final : public Optimizer {
 public:
  StepReport step(Objective&, Vector&) override { return {}; }
  StateView state() override {
    return {{"momentum", &momentum}, {"factor", &factor}, {"damping", &damping}, {"count", &count}};
  }
  Vector momentum;
  Matrix factor;
  double damping = 0;
  std::int64_t count = 0;
};

ParameterLayout small_layout() {
  ParameterLayout layout;
  layout.add("layer1.weight", {3, 2});
  layout.add("layer1.bias", {3});
  layout.add("scale", {});
  return layout;
}

const CheckpointIdentity kIdentity = {"mlp:data=digits", "adam:lr=0.1", 18446744073709551615u, "float64"};

struct Fixture {
  ScratchFolder scratch;
  ParameterLayout layout = small_layout();
  Vector x{layout.size()};
  Stateful optimizer;
  Progress progress;

  Fixture() {
    const RandomStream stream(3, Purpose::test);
    stream.fill_normal(x);
    x[1] = -0.0;
    x[2] = std::bit_cast<double>(std::uint64_t{0x7FF8DEADBEEF0001});  // a NaN with a payload
    optimizer.momentum = Vector::LinSpaced(10, 0, 1);
    optimizer.factor = Matrix::Random(3, 4);
    optimizer.damping = 0.1;
    optimizer.count = std::numeric_limits<std::int64_t>::min();
    progress.step = 12345;
    progress.epochs = 1.0 / 3;
    progress.seconds = 0.1;
    progress.cost = {1, 2, 3, (std::int64_t{1} << 60) + 1, 0.5, 1.0 / 7, 1e300, 2.0 / 3};
    progress.small_steps = 3;
    progress.plateau_value = 0.7;
    progress.plateau_step = 12340;
    // best_value stays infinite.
  }
  void save() { save_checkpoint(scratch.path(), kIdentity, layout, x, optimizer.state(), progress); }
};

template <class A, class B>
bool same_bits(const A& a, const B& b) {
  return a.size() == b.size() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), sizeof(double) * static_cast<std::size_t>(a.size())) == 0);
}

}  // namespace

TEST_CASE("a checkpoint restores the point, every kind of state and all counters bit for bit") {
  Fixture f;
  const bool empty = GENERATE(false, true);
  if (empty) {
    f.optimizer.momentum.resize(0);
    f.optimizer.factor.resize(0, 4);
  }
  f.save();
  Vector x;
  Stateful other;
  const LoadedCheckpoint loaded = load_checkpoint(f.scratch.path(), kIdentity, f.layout, x, other.state());
  CHECK(loaded.warning.empty());
  CHECK(loaded.file == f.scratch / kCheckpointFile);
  CHECK(same_bits(x, f.x));
  CHECK(same_bits(other.momentum, f.optimizer.momentum));
  CHECK(other.factor.rows() == f.optimizer.factor.rows());
  CHECK(other.factor.cols() == f.optimizer.factor.cols());
  CHECK(same_bits(other.factor, f.optimizer.factor));
  CHECK(other.damping == f.optimizer.damping);
  CHECK(other.count == f.optimizer.count);
  const Progress& p = loaded.progress;
  CHECK(p.step == f.progress.step);
  CHECK(p.epochs == f.progress.epochs);
  CHECK(p.seconds == f.progress.seconds);
  CHECK(p.best_value == f.progress.best_value);
  CHECK(p.small_steps == 3);
  CHECK(p.plateau_value == 0.7);
  CHECK(p.plateau_step == 12340);
  CHECK(p.cost.values == 1);
  CHECK(p.cost.gradients == 2);
  CHECK(p.cost.linearisations == 3);
  CHECK(p.cost.products == (std::int64_t{1} << 60) + 1);
  CHECK(p.cost.value_samples == 0.5);
  CHECK(p.cost.gradient_samples == 1.0 / 7);
  CHECK(p.cost.product_samples == 1e300);
  CHECK(p.cost.gradient_equivalents == 2.0 / 3);
}

TEST_CASE("the weights lie in the file under their own names and shapes, matrices of the state row-major") {
  Fixture f;
  f.save();
  const SafetensorsFile file(f.scratch / kCheckpointFile);
  CHECK(file.at("layer1.weight").shape == std::vector<Index>{3, 2});
  CHECK(same_bits(file.numbers(file.at("layer1.bias")), f.x.segment(6, 3).eval()));
  CHECK(file.numbers(file.at("optimizer.factor"))[1] == f.optimizer.factor(0, 1));
  CHECK(*file.find_metadata("problem") == "mlp:data=digits");
  CHECK(same_bits(load_parameters(f.scratch / kCheckpointFile, f.layout), f.x));
}

TEST_CASE("parameters alone are read from any file that holds them, in float as well") {
  const ScratchFolder scratch;
  const ParameterLayout layout(3);
  const std::vector<float> x = {1, 2, 0.5F};
  write_safetensors(scratch / "w", std::vector<TensorToWrite>{TensorToWrite::of("other", {1}, std::span(x).first(1)),
                                                              TensorToWrite::of("x", {3}, std::span(x))});
  CHECK(load_parameters(scratch / "w", layout) == Vector{{1, 2, 0.5}});
  CHECK_THROWS_WITH(load_parameters(scratch / "w", ParameterLayout(4)), Contains("'x' has the shape [3]"));
  ParameterLayout named;
  named.add("y", {3});
  CHECK_THROWS_WITH(load_parameters(scratch / "w", named), Contains("no tensor called 'y'"));
}

TEST_CASE("a change of any byte of a checkpoint, by any bit, is found and the older one is used") {
  Fixture f;
  f.save();
  f.progress.step = 20000;
  f.save();
  const auto path = f.scratch / kCheckpointFile;
  const std::string good = read_file(path);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    // Without fsync: there are a few thousand of them.
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(bad.data(), 1, bad.size(), file);
    std::fclose(file);
    Vector x;
    Stateful other;
    const LoadedCheckpoint loaded = load_checkpoint(f.scratch.path(), kIdentity, f.layout, x, other.state());
    INFO("byte " << i);
    REQUIRE(loaded.progress.step == 12345);
    REQUIRE_THAT(loaded.warning, Contains(kCheckpointFile) && Contains("continues from"));
    REQUIRE(std::count(loaded.warning.begin(), loaded.warning.end(), '\n') == 0);
  }
}

TEST_CASE("a checkpoint cut off at any length is found and the older one is used") {
  Fixture f;
  f.save();
  f.progress.step = 20000;
  f.save();
  const auto path = f.scratch / kCheckpointFile;
  const std::size_t size = read_file(path).size();
  for (std::size_t length = size; length-- > 0;) {
    std::filesystem::resize_file(path, length);
    Vector x;
    Stateful other;
    INFO("length " << length);
    const LoadedCheckpoint loaded = load_checkpoint(f.scratch.path(), kIdentity, f.layout, x, other.state());
    REQUIRE(loaded.progress.step == 12345);
    REQUIRE_THAT(loaded.warning, Contains(kCheckpointFile) && Contains("continues from"));
    REQUIRE(std::count(loaded.warning.begin(), loaded.warning.end(), '\n') == 0);
  }
}

TEST_CASE("bytes added to a checkpoint are found") {
  Fixture f;
  f.save();
  const std::string good = read_file(f.scratch / kCheckpointFile);
  for (const std::size_t extra : {1u, 8u}) {
    write_file(f.scratch / kCheckpointFile, good + std::string(extra, '\0'));
    CHECK_THROWS_WITH(load_checkpoint(f.scratch.path(), kIdentity, f.layout, f.x, f.optimizer.state()),
                      Contains("checksum") && Contains("nor can the one before it"));
  }
}

TEST_CASE("the last two checkpoints are kept, and the newest may be missing") {
  Fixture f;
  CHECK_FALSE(has_checkpoint(f.scratch.path()));
  CHECK_THROWS_WITH(load_checkpoint(f.scratch.path(), kIdentity, f.layout, f.x, f.optimizer.state()),
                    Contains("there is no checkpoint"));
  for (const std::int64_t step : {1, 2, 3}) {
    f.progress.step = step;
    f.save();
  }
  CHECK(f.scratch.count() == 2);
  const auto load = [&] { return load_checkpoint(f.scratch.path(), kIdentity, f.layout, f.x, f.optimizer.state()); };
  CHECK(load().progress.step == 3);
  std::filesystem::remove(f.scratch / kCheckpointFile);
  CHECK(has_checkpoint(f.scratch.path()));
  CHECK(load().progress.step == 2);
  CHECK_THAT(load().warning, Contains("No such file"));
  write_file(f.scratch / kPreviousCheckpointFile, "damaged");
  CHECK_THROWS_WITH(load(), Contains("does not begin as a checkpoint"));
}

TEST_CASE("a checkpoint of another run is refused, naming the field, and changes nothing") {
  Fixture f;
  f.save();
  f.save();
  Vector x = Vector::Constant(2, 5.0);
  Stateful other;
  other.damping = 7;
  const auto refused = [&](const CheckpointIdentity& identity, const ParameterLayout& layout, const StateView& state,
                           const std::string& part) {
    CHECK_THROWS_WITH(load_checkpoint(f.scratch.path(), identity, layout, x, state), Contains(part));
    CHECK(x == Vector::Constant(2, 5.0));
    CHECK(other.damping == 7);
  };
  CheckpointIdentity identity = kIdentity;
  identity.problem = "mlp:data=fashion";
  refused(identity, f.layout, other.state(), "problem is 'mlp:data=digits', this run's is 'mlp:data=fashion'");
  identity = kIdentity;
  identity.optimizer = "sgd";
  refused(identity, f.layout, other.state(), "optimizer is 'adam:lr=0.1', this run's is 'sgd'");
  identity = kIdentity;
  identity.seed = 4;
  refused(identity, f.layout, other.state(), "seed is '18446744073709551615', this run's is '4'");
  identity = kIdentity;
  identity.precision = "float32";
  refused(identity, f.layout, other.state(), "precision is 'float64', this run's is 'float32'");

  ParameterLayout transposed;
  transposed.add("layer1.weight", {2, 3});
  refused(kIdentity, transposed, other.state(), "'layer1.weight' has the shape [3, 2], the problem's has [2, 3]");
  ParameterLayout more = small_layout();
  more.add("layer2.bias", {1});
  refused(kIdentity, more, other.state(), "no tensor called 'layer2.bias'");
  ParameterLayout fewer;
  fewer.add("layer1.weight", {3, 2});
  refused(kIdentity, fewer, other.state(), "'layer1.bias' belongs neither");

  StateView state = other.state();
  state.pop_back();
  refused(kIdentity, f.layout, state, "'optimizer.count' belongs neither");
  state = other.state();
  state.push_back({"variance", &other.momentum});
  refused(kIdentity, f.layout, state, "no tensor called 'optimizer.variance'");
  for (const StateEntry& entry : StateView{{"count", &other.damping},
                                           {"count", &other.momentum},
                                           {"momentum", &other.factor},
                                           {"factor", &other.momentum},
                                           {"damping", &other.count}}) {
    refused(kIdentity, f.layout, {entry}, "the state '" + entry.name + "'");
  }
}

TEST_CASE("a point of another size and a block that looks like state are refused when saving") {
  Fixture f;
  CHECK_THROWS_WITH(save_checkpoint(f.scratch.path(), kIdentity, f.layout, Vector(3), {}, {}), Contains("3 entries"));
  ParameterLayout layout;
  layout.add("optimizer.x", {1});
  CHECK_THROWS_WITH(save_checkpoint(f.scratch.path(), kIdentity, layout, Vector::Zero(1), {}, {}),
                    Contains("another name"));
  CHECK_THROWS_WITH(save_checkpoint(f.scratch / "missing", kIdentity, f.layout, f.x, {}, {}),
                    Contains("create the folder"));
}

TEST_CASE("the observer saves every k steps and at the end, but not a run that diverged") {
  Fixture f;
  CheckpointObserver observer(f.scratch.path(), kIdentity, f.layout, {.every_steps = 5});
  Progress progress;
  const StepReport report;
  const auto saved = [&] {
    Vector x;
    Stateful other;
    return load_checkpoint(f.scratch.path(), kIdentity, f.layout, x, other.state()).progress.step;
  };
  const auto run_to = [&](std::int64_t last) {
    for (++progress.step; progress.step <= last; ++progress.step) {
      CHECK_FALSE(observer.after_step({progress, report, f.x, f.optimizer}));
    }
    progress.step = last;
  };
  observer.begin(progress, f.x, f.optimizer);
  run_to(4);
  CHECK_FALSE(has_checkpoint(f.scratch.path()));
  run_to(13);
  CHECK(saved() == 10);
  Summary summary;
  summary.progress = progress;
  summary.termination = Termination::non_finite;
  observer.end(summary, f.x);
  CHECK(saved() == 10);
  summary.termination = Termination::budget;
  observer.end(summary, f.x);
  CHECK(saved() == 13);
}

TEST_CASE("the observer saves by the clock as well, and refuses a schedule that means nothing") {
  Fixture f;
  CheckpointObserver observer(f.scratch.path(), kIdentity, f.layout, {.every_seconds = 1e-9});
  observer.begin(f.progress, f.x, f.optimizer);
  CHECK_FALSE(observer.after_step({f.progress, StepReport{}, f.x, f.optimizer}));
  CHECK(has_checkpoint(f.scratch.path()));
  CHECK_THROWS_AS(CheckpointObserver(f.scratch.path(), kIdentity, f.layout, {.every_steps = -1}), Error);
  CHECK_THROWS_AS(CheckpointObserver(f.scratch.path(), kIdentity, f.layout, {.every_seconds = std::nan("")}), Error);
}
