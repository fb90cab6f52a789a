#include "hesse/nn/loss.h"
#include "hesse/core/random.h"

#include <catch2/catch.hpp>

#include <array>

using namespace hesse;

TEST_CASE("targets drawn at the places of a sample are the same whatever batch the sample is in") {
  constexpr Index kClasses = 4;
  constexpr Index kPlaces = 3;
  const auto maps = make_loss_maps<double>(Loss::softmax_cross_entropy, kPlaces);
  // Every class as likely: what is drawn is the stream's choice alone.
  const std::array<Index, 4> batch = {7, 2, 5, 11};
  const Matrix means = Matrix::Constant(kClasses * kPlaces, 4, 1.0 / kClasses);
  const RandomStream stream(3, Purpose::test);
  const auto scores_of = [&](const Index* samples, Index count) {
    Matrix scores(kClasses * kPlaces, count);
    maps->sampled_score({means.data(), means.rows(), count}, stream, samples, {scores.data(), scores.rows(), count});
    return scores;
  };
  const Matrix together = scores_of(batch.data(), 4);
  for (Index i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(together.col(i) == scores_of(&batch[static_cast<std::size_t>(i)], 1).col(0));
  }
  // Twelve draws of four classes: one class alone would be a chance of 4^-11.
  int classes = 0;
  for (Index c = 0; c < kClasses; ++c) {
    bool drawn = false;
    for (Index i = 0; i < 4; ++i) {
      for (Index place = 0; place < kPlaces; ++place) drawn = drawn || together(place * kClasses + c, i) < 0;
    }
    classes += drawn ? 1 : 0;
  }
  CHECK(classes > 1);
}
