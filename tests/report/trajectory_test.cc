#include "hesse/report/trajectory.h"

#include "hesse/core/error.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;
using hesse::test::ScratchFolder;

TEST_CASE("a trajectory has the start and every k-th point to the bit") {
  const ScratchFolder folder;
  Quadratic f(linear_spectrum(3, 10), Vector::Ones(3));
  const auto optimizer = make_optimizer("gd:lr=0.1", {f, 1});
  TrajectoryObserver observer(folder / "trajectory", f.layout(), 4);
  Observer* const observers[] = {&observer};
  Vector x = Vector::Zero(3);
  minimize(*optimizer, f, x, {.max_steps = 10}, {}, observers);
  const auto files = trajectory_files(folder.path());
  REQUIRE(files.size() == 3);
  Vector expected = Vector::Zero(3);
  for (std::int64_t step = 0; step <= 8; ++step) {
    if (step % 4 == 0) {
      const auto& file = files[static_cast<std::size_t>(step / 4)];
      CHECK(file.step == step);
      CHECK(load_parameters(file.path, f.layout()) == expected);
    }
    Vector g;
    f.value_and_gradient(expected, g);
    expected += -0.1 * g;
  }
  CHECK(trajectory_files(folder / "trajectory").size() == 3);
}

TEST_CASE("files of a trajectory are in the order of their steps and other files are none of them") {
  const ScratchFolder folder;
  const ParameterLayout layout(2);
  for (const char* name : {"step-000000010.safetensors", "step-9.safetensors", "step-1000000000000.safetensors",
                           "step-.safetensors", "step-3x.safetensors", "other.safetensors"}) {
    save_parameters(folder / name, layout, Vector::Ones(2));
  }
  const auto files = trajectory_files(folder.path());
  REQUIRE(files.size() == 3);
  CHECK(files[0].step == 9);
  CHECK(files[1].step == 10);
  CHECK(files[2].step == 1000000000000);
}

TEST_CASE("a start that is not finite is not saved and impossible spacings are refused") {
  const ScratchFolder folder;
  Quadratic f(linear_spectrum(2, 10), Vector::Ones(2));
  const auto optimizer = make_optimizer("gd:lr=0.1", {f, 1});
  TrajectoryObserver observer(folder / "trajectory", f.layout(), 1);
  observer.begin({}, Vector::Constant(2, std::nan("")), *optimizer);
  CHECK(trajectory_files(folder.path()).empty());
  CHECK_THROWS_AS(TrajectoryObserver(folder / "trajectory", f.layout(), 0), Error);
  CHECK_THROWS_AS(save_parameters(folder / "x.safetensors", f.layout(), Vector::Ones(3)), Error);
}
