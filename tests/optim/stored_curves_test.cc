#include "hesse/core/options.h"
#include "hesse/core/random.h"
#include "hesse/optim/minimize.h"
#include "hesse/problems/problem.h"
#include "optim/methods.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace hesse;

namespace {

/// f after some of the first steps of a method: enough that a change of its formulas or defaults shows.
constexpr int kSteps = 10;

/// Starts that differ by rounding show what the rounding of another machine may do: methods whose inner iterations end
/// at rounding, or that choose a basis in a null space, go another way from the first step on.
constexpr double kRounding = 1e-13;
constexpr std::uint64_t kPerturbed = 4;

struct Recorder final : Observer {
  explicit Recorder(Problem& p) : problem(p) {}
  bool after_step(const Iterate& at) override {
    values.push_back(problem.value(at.x));
    return false;
  }
  Problem& problem;
  std::vector<double> values;
};

/// From the start, moved by `perturbation` times a random vector relative to it where that is not 0.
std::vector<double> curve(const std::string& method, std::uint64_t perturbation = 0) {
  Problem problem =
      problems().make(parse_spec("mlp:data=gaussian-blobs,hidden=5,activation=tanh"), {Precision::float64});
  Vector x = problem.start(1);
  if (perturbation > 0) {
    Vector u(x.size());
    RandomStream(perturbation, Purpose::test).fill_normal(u);
    x += kRounding * x.norm() / u.norm() * u;
  }
  const auto optimizer = make_optimizer(method, {*problem.objective, 1});
  Recorder recorder(problem);
  Observer* const observers[] = {&recorder};
  Stopping stopping;
  stopping.max_steps = kSteps;
  minimize(*optimizer, *problem.objective, x, stopping, {}, observers);
  return recorder.values;
}

/// "method": f after each step.
std::map<std::string, std::vector<double>> stored_curves() {
  std::ifstream file(HESSE_STORED_CURVES);
  std::map<std::string, std::vector<double>> curves;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string method;
    std::getline(fields, method, '|');
    for (std::string value; std::getline(fields, value, '|');)
      curves[method].push_back(std::strtod(value.c_str(), nullptr));
  }
  return curves;
}

}  // namespace

// HESSE_WRITE_CURVES=tests/optim/stored_curves.csv writes the curves anew, after a change that is meant to change them.
TEST_CASE("Every method goes down the curve that is stored for it, from version to version") {
  if (const char* const path = std::getenv("HESSE_WRITE_CURVES")) {
    std::ofstream file(path);
    for (const std::string& method : every_method(true)) {
      file << method;
      for (const double f : curve(method)) file << fmt::format("|{}", f);
      file << '\n';
    }
    SUCCEED("written");
    return;
  }
  const auto stored = stored_curves();
  for (const std::string& method : every_method(true)) {
    CAPTURE(method);
    const auto found = stored.find(method);
    if (found == stored.end()) {
      FAIL_CHECK("no curve is stored; write them anew");
      continue;
    }
    const std::vector<double> now = curve(method);
    REQUIRE(now.size() == found->second.size());
    std::vector<double> spread(now.size(), 0.0);
    for (std::uint64_t i = 1; i <= kPerturbed; ++i) {
      const std::vector<double> other = curve(method, i);
      for (std::size_t k = 0; k < now.size() && k < other.size(); ++k) {
        spread[k] = std::max(spread[k], std::abs(other[k] - now[k]));
      }
    }
    double widest = 0;  // what has gone another way once does not come back
    for (std::size_t k = 0; k < now.size(); ++k) {
      widest = std::max(widest, spread[k]);
      CAPTURE(k, widest);
      CHECK(now[k] == Approx(found->second[k]).epsilon(1e-6).margin(1e-12 + 100 * widest));
    }
  }
}
