#include "hesse/core/error.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/problems/problem.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace hesse;

TEST_CASE("A network with dropout trains through its masks and is judged without them") {
  const std::string data = "mlp:data=gaussian-blobs,hidden=20";
  const Problem plain = problems().make(parse_spec(data), {Precision::float64});
  const Problem dropped = problems().make(parse_spec(data + ",dropout=0.5"), {Precision::float64});
  const Vector x = plain.start(3);
  REQUIRE(x == dropped.start(3));
  // The training objective is f itself, mask and all.
  finite_sum_of(*dropped.objective, "test").select_all();
  CHECK(dropped.value(x) == Approx(dropped.objective->value(x)).epsilon(1e-12));
  CHECK(std::abs(dropped.value(x) - plain.value(x)) > 1e-6);
  REQUIRE(dropped.metrics.size() == plain.metrics.size());
  for (std::size_t i = 0; i < plain.metrics.size(); ++i) {
    CHECK(dropped.metrics[i].name == plain.metrics[i].name);
    CHECK(dropped.metrics[i].evaluate(x) == plain.metrics[i].evaluate(x));
  }
  FiniteSum& sum = finite_sum_of(*dropped.objective, "test");
  const std::vector<Index> batch = {1, 5, 9, 13};
  sum.select(batch);
  const double with_mask = dropped.objective->value(x);
  finite_sum_of(*plain.objective, "test").select(batch);
  CHECK(with_mask != plain.objective->value(x));
  // Off by default: the same bits.
  const Problem none = problems().make(parse_spec(data + ",dropout=0"), {Precision::float64});
  finite_sum_of(*none.objective, "test").select(batch);
  CHECK(none.objective->value(x) == plain.objective->value(x));
}

TEST_CASE("a perceptron with batch normalisation does not see the scale of a hidden unit's incoming weights") {
  const std::string data = "mlp:data=gaussian-blobs,hidden=5";
  Problem f = problems().make(parse_spec(data + ",batch_norm=true"), {Precision::float64});
  const Vector x = f.start(1);
  const ParameterLayout& layout = f.objective->layout();
  const ParameterBlock& weight = layout.blocks()[0];
  const Index inputs = weight.shape[1];
  Vector scaled = x;
  scaled.segment(weight.offset + inputs, inputs) *= 8;
  // Up to the eps = 1e-5 beside the variance, which is of order 1.
  CHECK(f.value(scaled) == Approx(f.value(x)).epsilon(1e-4));
  Problem plain = problems().make(parse_spec(data), {Precision::float64});
  Vector y = plain.start(1);
  const double before = plain.value(y);
  y.segment(inputs, inputs) *= 8;
  CHECK(std::abs(plain.value(y) - before) > 1e-3);
  // Judged with statistics of the training data.
  for (const Metric& metric : f.metrics) CHECK(std::isfinite(metric.evaluate(x)));
  CHECK_THROWS_AS(problems().make(parse_spec(data + ",batch_norm=true,dropout=0.5"), {}), Error);
}

TEST_CASE("the squared error of classes is half the distance to their unit vectors, and accuracy is kept") {
  for (const std::string name : {"mlp:data=digits,hidden=8", "convnet:data=digits,channels=2,kernel=3,hidden=4"}) {
    CAPTURE(name);
    const Problem f = problems().make(parse_spec(name + ",loss=squared-error"), {});
    const Problem reference = problems().make(parse_spec(name), {});
    // Where all outputs are 0, every unit vector is at distance 1.
    CHECK(f.value(Vector::Zero(f.objective->size())) == 0.5);
    // Which output is largest does not depend on the loss.
    const Vector x = f.start(1);
    for (std::size_t i = 0; i < f.metrics.size(); ++i) {
      REQUIRE(f.metrics[i].name == reference.metrics[i].name);
      const bool same = f.metrics[i].evaluate(x) == reference.metrics[i].evaluate(x);
      CHECK(same == (f.metrics[i].name.find("accuracy") != std::string::npos));
    }
  }
}

TEST_CASE("the autoencoders of the literature have its numbers of parameters") {
  // Martens and Grosse (2015), section 13: 784-400-200-100-50-25-6 and 784-1000-500-250-30, mirrored.
  const auto parameters = [](const std::string& encoder) {
    const std::string text = "autoencoder:data=curves:samples=2:test=1,encoder=" + encoder;
    return problems().make(parse_spec(text), {Precision::float32}).objective->size();
  };
  CHECK(parameters("400-200-100-50-25-6") == 842340);
  CHECK(parameters("1000-500-250-30") == 2837314);
}
