#include "hesse/report/csv_table.h"

#include "scratch.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace hesse;

TEST_CASE("a table written as CSV reads back with the same cells") {
  Table table;
  table.columns = {{"name, with comma", false}, {"value"}};
  table.add({Cell("a \"quoted\" one\nin two lines"), Cell("1e-300")});
  table.add({Cell(""), Cell("nan")});
  table.add({Cell("<b>&"), Cell("inf")});
  const test::ScratchFolder folder;
  write_file(folder / "table.csv", csv_text(table));
  const Table back = read_csv_table(folder / "table.csv");
  REQUIRE(back.columns.size() == 2);
  CHECK(back.columns[0].name == "name, with comma");
  CHECK_FALSE(back.columns[0].numeric);
  CHECK(back.columns[1].numeric);
  REQUIRE(back.rows.size() == 3);
  CHECK(back.rows[0][0].text == "a \"quoted\" one\nin two lines");
  const auto values = numbers_of(back, "value", "table.csv");
  CHECK(values[0] == 1e-300);
  CHECK(std::isnan(values[1]));
  CHECK(std::isinf(values[2]));
  CHECK(texts_of(back, "name, with comma", "table.csv")[2] == "<b>&");
}

TEST_CASE("a CSV file that is damaged is refused with its name and its line") {
  CHECK_THROWS_WITH(parse_csv_table("a,b\n1,2\n3\n", "f.csv"), Catch::Contains("f.csv: line 3: 1 cells"));
  CHECK_THROWS_WITH(parse_csv_table("a,b\n\"1,2\n", "f.csv"), Catch::Contains("a quote is not closed"));
  CHECK_THROWS_WITH(parse_csv_table("", "f.csv"), Catch::Contains("there is no header"));
  const Table table = parse_csv_table("a\r\n1\r\n", "f.csv");
  CHECK(table.rows.at(0).at(0).text == "1");
  CHECK_THROWS_WITH(numbers_of(table, "b", "f.csv"), Catch::Contains("there is no column 'b'"));
}

TEST_CASE("text beside a number makes no number") {
  const Table table = parse_csv_table("a,b\n1x,\n2,3\n", "f.csv");
  CHECK_FALSE(table.columns[0].numeric);
  CHECK(table.columns[1].numeric);
  CHECK(std::isnan(numbers_of(table, "a", "f.csv")[0]));
}
