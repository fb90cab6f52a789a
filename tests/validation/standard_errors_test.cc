#include "hesse/validation/standard_errors.h"

#include "hesse/core/error.h"
#include "hesse/objective/quadratic.h"
#include "hesse/problems/problem.h"
#include "hesse/validation/agreement.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>

using namespace hesse;

TEST_CASE("Standard errors at certified parameters are the certified ones, for every NIST set at hand") {
  Index judged = 0;
  for (const char* name : {"Misra1a", "Chwirut1", "Thurber", "MGH10", "Rat43", "ENSO", "Hahn1", "Bennett5"}) {
    std::optional<Problem> problem;
    try {
      problem = problems().make(parse_spec(std::string("nist:set=") + name), {Precision::float64});
    } catch (const Error&) {
      WARN("the NIST sets are not at hand; scripts/fetch_data.sh nist fetches them");
      return;
    }
    REQUIRE(problem->minimisers.size() == 1);
    const Vector errors = standard_errors(*problem->objective, problem->minimisers[0]);
    REQUIRE(errors.size() == problem->standard_errors.size());
    CAPTURE(name);
    // Parameters are certified to eleven digits; a standard error loses what the condition of J makes of that.
    CHECK(log_relative_error(errors, problem->standard_errors) >= 7);
    ++judged;
  }
  CHECK(judged == 8);
}

TEST_CASE("There are no standard errors where there are no residuals") {
  Quadratic f(Vector::Ones(2), Vector::Zero(2));
  CHECK(standard_errors(f, Vector::Zero(2)).size() == 0);
}
