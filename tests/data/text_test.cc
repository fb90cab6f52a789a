#include "hesse/data/text.h"

#include "hesse/core/error.h"
#include "hesse/data/synthetic.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <string>

using namespace hesse;
using hesse::test::TemporaryFolder;

TEST_CASE("A text becomes samples of consecutive characters with the following ones as labels, the end for the test") {
  const TemporaryFolder folder;
  const std::string path = folder.write("text.txt", "abcabcabcabcabcabcab");  // 20 characters
  const DataSplit split = load_data("text:context=3,test_fraction=0.4,path=" + path);
  // 12 characters to train on: samples abc, abc, abc, and the label of the last is the twelfth.
  REQUIRE(split.train->sample_count() == 3);
  CHECK(split.train->class_count == 3);
  CHECK(split.train->places == 3);
  CHECK(split.train->inputs.col(1) == Vector(Eigen::Vector3d(0, 1, 2)));
  CHECK(split.train->labels == std::vector<std::int32_t>{1, 2, 0, 1, 2, 0, 1, 2, 0});
  // abcabcab: samples abc, abc.
  REQUIRE(split.test->sample_count() == 2);
  CHECK(split.test->inputs(2, 1) == 2);
  CHECK(load_data("text:context=3,samples=1,path=" + path).train->sample_count() == 1);
}

TEST_CASE("Texts that hold no sample are refused in a line") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(load_data("text"), Catch::Contains("path is missing"));
  CHECK_THROWS_WITH(load_data("text:path=" + folder.write("one.txt", "aaaa")), Catch::Contains("one character alone"));
  CHECK_THROWS_WITH(load_data("text:context=32,path=" + folder.write("short.txt", "a short text")),
                    Catch::Contains("make no sample"));
}

TEST_CASE("Curves are the same on every call, lie in [0, 1], and training and test images differ") {
  CurvesOptions options;
  options.samples = 50;
  options.test = 20;
  const DataSplit split = curves(options);
  CHECK(split.train->feature_count() == 784);
  CHECK(split.train->inputs == curves(options).train->inputs);
  CHECK(split.train->inputs.minCoeff() >= 0);
  CHECK(split.train->inputs.maxCoeff() <= 1);
  CHECK(split.test->inputs.col(0) != split.train->inputs.col(0));
  // A stroke: some pixels are dark, most are not.
  for (Index i = 0; i < 50; ++i) {
    CHECK(split.train->inputs.col(i).maxCoeff() > 0.9);
    CHECK(split.train->inputs.col(i).mean() < 0.3);
  }
}
