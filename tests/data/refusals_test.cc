#include "core/refusal.h"
#include "data/support.h"

#include "hesse/data/array.h"
#include "hesse/data/datasets.h"
#include "hesse/data/labels.h"

#include <catch2/catch.hpp>

#include <numeric>

using namespace hesse;
using Catch::Contains;

TEST_CASE("labels of more than 2^16 values are no classes") {
  std::vector<double> values(65537);
  std::iota(values.begin(), values.end(), 0.0);
  Dataset dataset;
  CHECK_THAT(refusal([&] { assign_labels("labels.npy", values, LabelKind::classes, dataset); }),
             Contains("labels.npy: the labels have 65537 different values"));
  values.pop_back();
  CHECK(refusal([&] { assign_labels("labels.npy", values, LabelKind::classes, dataset); }) == "(nothing was refused)");
  CHECK(dataset.class_count == 65536);
}

TEST_CASE("shapes of negative size and labels for a file that has its own are refused") {
  CHECK_THAT(refusal([] { checked_bytes("x.npy", {2, -1}, 8); }), Contains("x.npy: the size -1 is negative"));
  const test::TemporaryFolder folder;
  const std::string csv = folder.write("set.csv", "1,2,0\n2,1,1\n3,1,0\n");
  CHECK_THAT(refusal([&] { load_data("file:path=" + csv + ":labels=" + csv); }), Contains("holds its labels itself"));
}
