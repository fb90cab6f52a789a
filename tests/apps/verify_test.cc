#include "apps/program.h"

#include "hesse/report/csv_table.h"
#include "hesse/report/json.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace hesse;
using Catch::Matchers::Contains;
using test::run_hesse;
using test::ScratchFolder;

namespace {

/// Of the program itself, by --list.
std::vector<std::string> names(const ScratchFolder& folder) {
  std::vector<std::string> out;
  for (const Json& oracle : parse_json(run_hesse(folder, "verify --list --json").out, "stdout")) {
    out.push_back(oracle["name"]);
  }
  return out;
}

Index lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("verify finds this binary right by every oracle and leaves its records") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "verify --json --output proof");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["passed"] == true);
  CHECK(json["planted"] == false);
  std::vector<std::string> ran;
  std::size_t comparisons = 0;
  for (const Json& oracle : json["oracles"]) {
    CAPTURE(json_text(oracle));
    ran.push_back(oracle["name"]);
    CHECK(oracle["passed"] == true);
    CHECK(oracle["failure"] == "");
    REQUIRE(!oracle["findings"].empty());
    for (const Json& finding : oracle["findings"]) {
      ++comparisons;
      CHECK(finding["passed"] == true);
      CHECK(!finding["what"].get<std::string>().empty());
      CHECK(!finding["derivation"].get<std::string>().empty());
      // A range that everything lies in would be no bound.
      CHECK((finding["low"].is_number() || finding["high"].is_number()));
      CHECK(finding["figure"].is_number());
    }
  }
  CHECK(json["comparisons"].get<std::size_t>() == comparisons);
  CHECK(ran == names(folder));
  CHECK(ran.size() >= 15);
  CHECK(std::set<std::string>(ran.begin(), ran.end()).size() == ran.size());
  CHECK(parse_json(read_file(folder / "proof" / "verification.json"), "verification.json") == json);
  const Table table = read_csv_table(folder / "proof" / "verification.csv");
  CHECK(table.rows.size() == comparisons);
  CHECK_THAT(read_file(folder / "proof" / "report.html"), Contains("trust-region"));
}

TEST_CASE("every oracle of verify finds the fault that is planted in it by a comparison and not by an exception") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "verify --planted --json");
  CAPTURE(r.out, r.err);
  CHECK(r.exit_code == 0);
  const Json json = parse_json(r.out, "stdout");
  CHECK(json["passed"] == true);
  for (const Json& oracle : json["oracles"]) {
    CAPTURE(json_text(oracle));
    CHECK(oracle["passed"] == false);
    CHECK(oracle["failure"] == "");
    CHECK(std::any_of(oracle["findings"].begin(), oracle["findings"].end(),
                      [](const Json& finding) { return finding["passed"] == false; }));
  }
}

TEST_CASE("verify prints a line for each comparison and a summary and with --quiet the summary alone") {
  const ScratchFolder folder;
  const auto r = run_hesse(folder, "verify trust-region products");
  CAPTURE(r.out);
  CHECK(r.exit_code == 0);
  CHECK(r.err.empty());
  CHECK(lines(r.out) == 4 + 2 + 1);
  // In the order of the table, not that of the words.
  CHECK(r.out.starts_with("passed  products "));
  CHECK_THAT(r.out, Contains("2 of 2 oracles passed, 6 comparisons"));
  CHECK(lines(run_hesse(folder, "verify trust-region products --quiet").out) == 1);
  CHECK(lines(run_hesse(folder, "verify trust-region --planted").out) == 2);
  CHECK_THAT(run_hesse(folder, "verify --list").out, Contains("trust-region") && Contains("truncated CG"));
  CHECK(folder.count() == 0);
}

TEST_CASE("an oracle that verify does not have ends in exit code 2 with the nearest name and no work") {
  const ScratchFolder folder;
  for (const char* line :
       {"verify trust-regon", "verify products trust-regon --output proof", "verify --list trust-regon"}) {
    const auto r = run_hesse(folder, line);
    CAPTURE(line, r.err);
    CHECK(r.exit_code == 2);
    CHECK(r.out.empty());
    CHECK(lines(r.err) == 1);
    CHECK_THAT(r.err, Contains("did you mean 'trust-region'?"));
    CHECK(folder.count() == 0);
  }
}
