#include "hesse/experiment/grid.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/optim/registry.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

std::vector<std::string> texts(const std::vector<GridPoint>& points) {
  std::vector<std::string> out;
  for (const GridPoint& point : points) out.push_back(point.text);
  return out;
}

std::vector<double> values(const std::vector<GridPoint>& points, std::size_t option = 0) {
  std::vector<double> out;
  for (const GridPoint& point : points) out.push_back(parse_number("value", point.varied.at(option).second));
  return out;
}

}  // namespace

TEST_CASE("A grid is the product of its lists with the last option fastest") {
  CHECK(texts(method_grid("adam:lr=1e-3|1e-2,beta1=0.8|0.9+clip-norm:max=1|5", {})) ==
        std::vector<std::string>{"adam:lr=1e-3,beta1=0.8+clip-norm:max=1", "adam:lr=1e-3,beta1=0.8+clip-norm:max=5",
                                 "adam:lr=1e-3,beta1=0.9+clip-norm:max=1", "adam:lr=1e-3,beta1=0.9+clip-norm:max=5",
                                 "adam:lr=1e-2,beta1=0.8+clip-norm:max=1", "adam:lr=1e-2,beta1=0.8+clip-norm:max=5",
                                 "adam:lr=1e-2,beta1=0.9+clip-norm:max=1", "adam:lr=1e-2,beta1=0.9+clip-norm:max=5"});
  const auto points = method_grid("sgd:batch=8|16", {});
  CHECK(texts(points) == std::vector<std::string>{"sgd:batch=8", "sgd:batch=16"});
  CHECK(points[1].varied == std::vector<std::pair<std::string, std::string>>{{"batch", "16"}});
  CHECK(texts(problem_grid("mlp:data=digits,hidden=16|32-32,activation=tanh|relu", {})).size() == 4);
}

TEST_CASE("A text without a grid stands for itself to the letter") {
  for (const char* text : {"lbfgs", "adam:lr=1e-03", "adam:lr=1e-3+clip-norm:max=1e+1+cosine"}) {
    const auto points = method_grid(text, {});
    REQUIRE(points.size() == 1);
    CHECK(points[0].text == text);
    CHECK(points[0].varied.empty());
  }
  CHECK(texts(problem_grid("mlp:data=two-moons:samples=500:noise=0.2", {})).front() ==
        "mlp:data=two-moons:samples=500:noise=0.2");
}

TEST_CASE("A logarithmic grid has equal ratios and a linear one equal steps with both ends") {
  const auto log = values(method_grid("adam:lr=log(1e-4:1e-1:7)", {}));
  REQUIRE(log.size() == 7);
  // Six significant digits are written.
  for (std::size_t i = 0; i < 7; ++i) CHECK(log[i] == Approx(std::pow(10, -4 + 0.5 * double(i))).epsilon(1e-5));
  CHECK(log.front() == 1e-4);
  CHECK(log.back() == 0.1);
  CHECK(values(method_grid("momentum:momentum=linear(0:0.9:4)", {})) == std::vector<double>{0, 0.3, 0.6, 0.9});
  // Of whole numbers those that rounding makes equal are kept once: 1, 1.26, 1.59, 2 round to 1, 1, 2, 2.
  CHECK(values(method_grid("lbfgs:memory=log(1:2:4)", {})) == std::vector<double>{1, 2});
  CHECK(values(method_grid("adam:lr=0.5|log(1e-2:1:3)", {})) == std::vector<double>{0.5, 0.01, 0.1, 1});
}

TEST_CASE("Samples are drawn together and fill every range evenly when they are quasi-random") {
  GridOptions options;
  options.samples = 32;
  const auto points = method_grid("momentum:lr=log(1e-4:1),momentum=linear(0:0.8)", options);
  REQUIRE(points.size() == 32);
  for (const std::size_t option : {0, 1}) {
    // 32 points of the sequence in base 2, shifted: every interval of length 1/8 has four of them, give or take one.
    // In base 3 the same holds of thirds.
    std::vector<int> counts(option == 0 ? 8 : 3, 0);
    std::set<double> distinct;
    for (const double value : values(points, option)) {
      const double u = option == 0 ? (std::log10(value) + 4) / 4 : value / 0.8;
      CHECK(u > -1e-3);
      CHECK(u < 1 + 1e-3);
      const auto bin = static_cast<std::size_t>(std::clamp(u, 0.0, 0.999999) * static_cast<double>(counts.size()));
      ++counts[bin];
      distinct.insert(value);
    }
    CHECK(*std::min_element(counts.begin(), counts.end()) >= (option == 0 ? 3 : 9));
    CHECK(*std::max_element(counts.begin(), counts.end()) <= (option == 0 ? 5 : 13));
    CHECK(distinct.size() == 32);
  }
  options.sampling = Sampling::random;
  const auto random = method_grid("momentum:lr=log(1e-4:1),momentum=linear(0:0.8)", options);
  CHECK(random.size() == 32);
  CHECK(texts(random) != texts(points));
  CHECK(texts(random) == texts(method_grid("momentum:lr=log(1e-4:1),momentum=linear(0:0.8)", options)));
  options.seed = 2;
  CHECK(texts(random) != texts(method_grid("momentum:lr=log(1e-4:1),momentum=linear(0:0.8)", options)));
}

TEST_CASE("A tuned option is drawn from the range that its registry entry declares") {
  const auto& options = optimizers().at("adam").options;
  const auto lr = std::find_if(options.begin(), options.end(), [](const OptionInfo& o) { return o.name == "lr"; });
  REQUIRE(lr->search);
  GridOptions grid;
  grid.samples = 20;
  for (const double value : values(method_grid("adam:lr=tuned", grid))) {
    // Three digits are written.
    CHECK(value >= lr->search->low * 0.995);
    CHECK(value <= lr->search->high * 1.005);
  }
}

TEST_CASE("A grid that cannot be is refused in a sentence that says why") {
  const auto message = [](const std::string& text, Index samples = 0) {
    try {
      GridOptions options;
      options.samples = samples;
      method_grid(text, options);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(message("adm:lr=1|2"), Contains("did you mean 'adam'"));
  CHECK_THAT(message("adam:lr=1|"), Contains("lacks a value"));
  CHECK_THAT(message("adam:lr=log(1:2)"), Contains("--samples"));
  CHECK_THAT(message("adam:lr=log(0:1:3)"), Contains("no logarithm"));
  CHECK_THAT(message("adam:lr=log(1:0.1:3)"), Contains("does not ascend"));
  CHECK_THAT(message("adam:lr=log(1e-3:1:1)"), Contains("from 2"));
  CHECK_THAT(message("adam:lr=log(1e-3:1:3:4)"), Contains("is no range"));
  CHECK_THAT(message("adam:lr=log(1e-3:1"), Contains("is no range"));
  CHECK_THAT(message("adam:lr=1|log(1e-3:1)", 5), Contains("stands alone"));
  CHECK_THAT(message("adam:batch=tuned", 5), Contains("no range is declared"));
  CHECK_THAT(message("adam:lr=log(1e-3:1:100000),beta1=0.8|0.9"), Contains("more than 100000"));
}
