#include "hesse/oracles/oracle.h"

#include "hesse/core/parallel.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

using namespace hesse;

namespace {

std::filesystem::path last_scratch;

std::vector<OracleFinding> throws(const OracleContext& context) {
  last_scratch = context.scratch;
  std::ofstream(context.scratch / "left-behind") << "x";
  set_threads(1);
  throw std::runtime_error("out of order");
}

std::vector<OracleFinding> finds_nothing(const OracleContext&) { return {}; }

std::vector<OracleFinding> half_right(const OracleContext&) {
  return {at_most("one", 1, 2, "by definition"), at_most("three", 3, 2, "by definition")};
}

}  // namespace

TEST_CASE("A finding passes within its range and never where its figure is not a number") {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(at_most("", 1, 1, "").passed());
  CHECK_FALSE(at_most("", std::nextafter(1.0, 2.0), 1, "").passed());
  CHECK_FALSE(at_most("", infinity, 1, "").passed());
  CHECK(at_least("", 1, 1, "").passed());
  CHECK_FALSE(at_least("", std::nextafter(1.0, 0.0), 1, "").passed());
  CHECK(equal_to("", 3, 3, "").passed());
  CHECK_FALSE(equal_to("", 2, 3, "").passed());
  CHECK(between("", 0.95, 0.93, 0.97, "").passed());
  CHECK_FALSE(between("", 0.98, 0.93, 0.97, "").passed());
  CHECK_FALSE(between("", 0.92, 0.93, 0.97, "").passed());
  for (const OracleFinding& f : {at_most("", nan, 1, ""), at_least("", nan, 1, ""), equal_to("", nan, 1, ""),
                                 between("", nan, 0, 1, ""), at_most("", 0, nan, ""), OracleFinding{}}) {
    CHECK_FALSE(f.passed());
  }
}

TEST_CASE("A finding says its figure and its range") {
  CHECK(at_most("", 1.234e-15, 4.5e-14, "").text() == "1.23e-15 <= 4.5e-14");
  CHECK(at_least("", 3, 1, "").text() == "3 >= 1");
  CHECK(equal_to("", 20, 20, "").text() == "20 = 20");
  CHECK(equal_to("", 19, 20, "").text() == "19 not = 20");
  CHECK(between("", 0.951, 0.93, 0.97, "").text() == "0.951 in [0.93, 0.97]");
  CHECK(at_most("", std::nan(""), 1, "").text() == "nan not <= 1");
}

TEST_CASE("An oracle that throws or compares nothing or finds one thing wrong has failed") {
  const int machine = threads();
  const OracleReport thrown = consult({"throws", "", "", throws});
  CHECK_FALSE(thrown.passed());
  CHECK(thrown.failure == "out of order");
  // It leaves neither its files nor its number of threads behind.
  CHECK(!last_scratch.empty());
  CHECK_FALSE(std::filesystem::exists(last_scratch));
  CHECK(threads() == machine);
  CHECK_FALSE(consult({"nothing", "", "", finds_nothing}).passed());
  CHECK_FALSE(consult({"half", "", "", half_right}).passed());
  CHECK(consult({"half", "", "", half_right}).findings.size() == 2);
}
