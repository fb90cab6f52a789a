#include "core/refusal.h"

#include "hesse/problems/constrained_problems.h"
#include "hesse/problems/problem.h"

#include <catch2/catch.hpp>

using namespace hesse;
using Catch::Contains;

namespace {

std::string said(const char* text) {
  return refusal([&] { problems().make(parse_spec(text), {}); });
}

}  // namespace

TEST_CASE("networks refuse data of another kind than theirs") {
  CHECK_THAT(said("softmax-regression:data=linear-regression"), Contains("needs class labels, and data set"));
  CHECK_THAT(said("linear-regression:data=gaussian-blobs"), Contains("linear regression needs real targets"));
  CHECK_THAT(said("char-transformer:data=gaussian-blobs"), Contains("is no text"));
  CHECK_THAT(said("autoencoder:encoder=,data=gaussian-blobs"), Contains("encoder"));
}

TEST_CASE("networks of images refuse extents that the data do not have") {
  CHECK_THAT(said("convnet:data=gaussian-blobs:features=12,image=3-4"),
             Contains("2 extents; give channels-height-width"));
  CHECK_THAT(said("convnet:data=gaussian-blobs:features=12,image=3-2-3"), Contains("3 x 2 x 3 are 18 inputs"));
  CHECK_THAT(said("convnet:data=gaussian-blobs:features=12"), Contains("make no square image"));
}
