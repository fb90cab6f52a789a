#include "hesse/report/json.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

double round_trip(double value) {
  const Json json = parse_json(json_text(Json{{"x", json_number(value)}}), "test");
  return JsonView(json, "test").at("x").number();
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
}

}  // namespace

TEST_CASE("every finite double read back from JSON has the same bits") {
  const RandomStream stream(7, Purpose::test);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(stream.bits(i));
    if (!std::isfinite(value)) continue;
    REQUIRE(std::bit_cast<std::uint64_t>(round_trip(value)) == std::bit_cast<std::uint64_t>(value));
  }
  using Limits = std::numeric_limits<double>;
  for (const double value : {0.0, -0.0, 1.0, -1.0, 0.1, 1e22, 1e23, Limits::min(), Limits::denorm_min(), Limits::max(),
                             9007199254740993.0, 123456789012345680.0}) {
    CHECK(std::bit_cast<std::uint64_t>(round_trip(value)) == std::bit_cast<std::uint64_t>(value));
  }
}

TEST_CASE("NaN and the infinities are written as texts, never as null, and read back") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(json_text(Json::array({json_number(std::nan("")), json_number(infinity), json_number(-infinity)}), false) ==
        R"(["nan","inf","-inf"])");
  // Also when a raw double slipped in without json_number.
  CHECK(json_text(Json::array({std::nan(""), infinity, -infinity}), false) == R"(["nan","inf","-inf"])");
  CHECK(std::isnan(round_trip(std::nan(""))));
  CHECK(round_trip(infinity) == infinity);
  CHECK(round_trip(-infinity) == -infinity);
}

TEST_CASE("numbers are the shortest texts, whole doubles stay doubles, and keys keep their order") {
  const Json json = {{"z", 0.1}, {"a", 1.0}, {"m", 1}, {"t", "q\"\n"}, {"o", Json::object()}, {"l", {1, 2.5}}};
  CHECK(json_text(json, false) == "{\"z\":0.1,\"a\":1.0,\"m\":1,\"t\":\"q\\\"\\n\",\"o\":{},\"l\":[1,2.5]}");
  CHECK(parse_json(json_text(json), "test") == json);
  CHECK(json_text(json).ends_with("}\n"));
}

TEST_CASE("malformed JSON is refused with the file, the byte and the line") {
  const auto [text, part] = GENERATE(table<std::string, std::string>({
      {"", "byte 0 (line 1)"},
      {"{", "line 1"},
      {"{\"a\":1", "line 1"},
      {"{\"a\":1,}", "line 1"},
      {"{\"a\" 1}", "line 1"},
      {"{a:1}", "line 1"},
      {"[1,2", "line 1"},
      {"[1 2]", "line 1"},
      {"[01]", "line 1"},
      {"[1.]", "line 1"},
      {"[+1]", "line 1"},
      {"[NaN]", "line 1"},
      {"[nan]", "line 1"},
      {"[Infinity]", "line 1"},
      {"[1e999]", "line 1"},
      {"[\"\n\"]", "byte"},
      {"[\"\\x\"]", "line 1"},
      {"[\"\xff\"]", "line 1"},
      {"[\"\\ud800\"]", "line 1"},
      {"[1] 2", "line 1"},
      {"// c\n[1]", "line 1"},
      {"[1] x", "line 1"},
      {"{\n\"a\":1,\n\"a\":2}", "byte 12 (line 3): the key 'a' is given twice"},
      {"{\"b\":{\"a\":1,\"a\":null}}", "the key 'a' is given twice"},
      {"{\"\\u0061\":1,\"a\":2}", "the key 'a' is given twice"},
      {"{\"\\u001b[31m\\n\":1,\"\\u001b[31m\\n\":2}", "the key '?[31m?' is given twice"},
      {std::string("[\0]", 3), "line 1"},
      {"\xef\xbb\xbf", "line 1"},
      {nested(65), "nested deeper than 64"},
      {std::string(1'000'000, '['), "nested deeper than 64"},
  }));
  CAPTURE(text.substr(0, 40));
  CHECK_THROWS_WITH(parse_json(text, "bad.json"), Contains("bad.json: byte") && Contains(part));
}

TEST_CASE("the same key in two objects is no repetition, and the deepest nesting allowed is read") {
  CHECK_NOTHROW(parse_json(R"([{"a":1},{"a":{"a":2}}])", "test"));
  CHECK_NOTHROW(parse_json(nested(64), "test"));
}

TEST_CASE("a value of the wrong type is refused with its path") {
  const Json json = parse_json(R"({"a":{"b":[1,null,"x",-1,1.5,true,18446744073709551615]},"n":"NaN"})", "f.json");
  const JsonView view(json, "f.json");
  const auto b = view.at("a").at("b").elements();
  CHECK(b[0].number() == 1);
  CHECK(b[0].integer() == 1);
  CHECK(b[2].text() == "x");
  CHECK(b[5].boolean());
  CHECK(b[6].unsigned_integer() == 18446744073709551615u);
  CHECK_THROWS_WITH(b[1].number(), Contains("f.json: a.b[1]: expected a number") && Contains("null"));
  CHECK_THROWS_WITH(b[2].number(), Contains("a.b[2]"));
  CHECK_THROWS_WITH(view.at("n").number(), Contains("n: expected a number"));
  CHECK_THROWS_AS(b[3].unsigned_integer(), Error);
  CHECK_THROWS_AS(b[4].integer(), Error);
  CHECK_THROWS_AS(b[6].integer(), Error);
  CHECK_THROWS_AS(b[0].boolean(), Error);
  CHECK_THROWS_AS(b[0].text(), Error);
  CHECK_THROWS_AS(b[0].elements(), Error);
  CHECK_THROWS_AS(b[0].members(), Error);
  CHECK_THROWS_WITH(view.at("c"), Contains("f.json: the key 'c' is missing"));
  CHECK_THROWS_AS(b[0].at("c"), Error);
  CHECK_THROWS_WITH(view.allow_only({"a", "m"}), Contains("'n' is not known"));
  CHECK_NOTHROW(view.allow_only({"a", "n", "more"}));
}

TEST_CASE("a file that is not JSON is named") {
  const hesse::test::ScratchFolder scratch;
  write_file(scratch / "x.json", "{\n oops");
  CHECK_THROWS_WITH(read_json(scratch / "x.json"), Contains("x.json: byte") && Contains("line 2"));
}
