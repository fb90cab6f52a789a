#include "apps/program.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <utility>

using namespace hesse;
using namespace hesse::test;
using Catch::Contains;

TEST_CASE("options that exclude or need each other are refused in one line with exit code 2") {
  const ScratchFolder folder;
  const std::string blobs = "--problem mlp:data=gaussian-blobs:samples=60,hidden=4";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"spectrum --problem rosenbrock --subset 5", "--subset 5: the problem is no mean over samples"},
      {"spectrum " + blobs + " --subset 100", "--subset 100: there are 60"},
      {"spectrum --at x --weights y", "give --at or --weights, not both"},
      {"spectrum --weights y", "--weights needs the network that they are of"},
      {"spectrum " + blobs + " --all --against x", "give --top instead of --all"},
      {"spectrum " + blobs + " --trace-method hutchinson", "--trace-method is of --trace"},
      {"spectrum " + blobs + " --diagonal-method hutchinson", "--diagonal-method is of --diagonal"},
      {"spectrum " + blobs + " --density-method kernel-polynomial", "--density-method is of --density"},
      {"classify --problem rosenbrock --starts 3", "rosenbrock starts at one point whatever the seed"},
      {"classify --problem rosenbrock --index 2", "--index is of the saddle that --search follow seeks"},
      {"sharpness " + blobs + " --pair 2", "--pair names the layers of --rescale"},
      {"landscape " + blobs + " --nodes 4", "--nodes and --optimizer are of the curve"},
      {"compare --problem rosenbrock --optimizer lbfgs --tuned t --trials 3",
       "--tuned and --trials exclude each other"},
      {"train --problem rosenbrock --optimizer lbfgs --plot --json", "leave one of them out"},
      {"constrained svm-dual:data=gaussian-blobs", "svm-dual needs two classes, and data set 'gaussian-blobs' has 3"},
      {"validate --problem rosenbrock --ceres nothing", "there is no 'nothing'; choose one of auto, lm"},
      {"verify nothing", "there is no oracle 'nothing'"},
      {"describe", "describe: name a problem, an optimizer"},
      {"man nothing", "man: there is no command 'nothing'"},
      {"doctor word more", "hesse doctor: a word too many"},
  };
  for (const auto& [arguments, expected] : cases) {
    CAPTURE(arguments);
    const Printed printed = run_hesse(folder, arguments);
    CHECK(printed.exit_code == 2);
    CHECK_THAT(printed.err, Contains(expected));
    CHECK(std::count(printed.err.begin(), printed.err.end(), '\n') == 1);
    CHECK(folder.count() == 0);
  }
}
