#include "hesse/report/table.h"

#include "hesse/core/error.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <sstream>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

Table example() {
  Table table{"Losses", {{"method", false}, {"loss"}, {"n"}}, {}};
  table.add({"adam:lr=0.1", Cell("0.3121 [0.3098, 0.3140]", true), "3"});
  table.add({"sgd", "1.2", "10"});
  return table;
}

}  // namespace

TEST_CASE("numbers are shown with the digits asked for, also where rounding carries over") {
  CHECK(significant(0.31213) == "0.3121");
  CHECK(significant(0) == "0");
  CHECK(significant(-0.0) == "0");
  CHECK(significant(9.9996) == "10.00");
  CHECK(significant(99996, 4) == "99996");
  CHECK(significant(999999.9, 4) == "1.000e+06");
  CHECK(significant(123456) == "123456");
  CHECK(significant(1e-4) == "0.0001000");
  CHECK(significant(9.9e-5) == "9.900e-05");
  CHECK(significant(-1.25e-9, 3) == "-1.25e-09");
  CHECK(significant(std::nan("")) == "nan");
  CHECK(significant(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(significant(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(significant(3, 1) == "3");
}

TEST_CASE("median and quartiles share their decimals, unless they lie decades apart") {
  const auto text = [](double median, double low, double high, Index failures = 0) {
    SampleSummary sample;
    sample.n = 3;
    sample.failures = failures;
    sample.median = median;
    sample.lower_quartile = low;
    sample.upper_quartile = high;
    return median_and_quartiles(sample);
  };
  CHECK(text(0.3121, 0.3098, 0.314) == "0.3121 [0.3098, 0.3140]");
  CHECK(text(9.5, 9.25, 10.5) == "9.50 [9.25, 10.50]");
  CHECK(text(0, 0, 0) == "0.000 [0.000, 0.000]");
  CHECK(text(1.5e-9, 1e-9, 2e-9) == "1.500e-09 [1.000e-09, 2.000e-09]");
  CHECK(text(0.5, 1e-7, 3) == "0.5000 [1.000e-07, 3.000]");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(text(0.5, 0.25, infinity, 1) == "0.5000 [0.2500, inf] (1 of 3 failed)");
  CHECK(text(std::nan(""), std::nan(""), std::nan("")) == "nan [nan, nan]");
}

TEST_CASE("a terminal table is aligned, in ASCII or Unicode, bold only where colour is allowed") {
  TerminalStyle style{.width = 80};
  CHECK(terminal_text(example(), style) ==
        "Losses\n"
        "----------------------------------------\n"
        "method                          loss   n\n"
        "----------------------------------------\n"
        "adam:lr=0.1  0.3121 [0.3098, 0.3140]   3\n"
        "sgd                              1.2  10\n"
        "----------------------------------------\n");
  style.unicode = true;
  CHECK_THAT(terminal_text(example(), style), Contains("────"));
  CHECK_THAT(terminal_text(example(), style), !Contains("\033"));
  style.color = true;
  CHECK_THAT(terminal_text(example(), style), Contains("\033[1m0.3121 [0.3098, 0.3140]\033[0m"));
}

TEST_CASE(
    "a table never exceeds the terminal: texts are wrapped and whole, numbers are not broken but stand in blocks") {
  const Index width = GENERATE(79, 40, 38, 37, 36, 30, 20);
  const std::string text = terminal_text(example(), {.width = width});
  CAPTURE(text);
  CHECK_THAT(text, Contains("0.3121 [0.3098, 0.3140]"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (width > 31) CHECK(display_width(line) <= width);
  }
  if (width == 38) CHECK_THAT(text, Contains("adam:lr=   0.3121 [0.3098, 0.3140]   3\n0.1\n"));
  if (width == 36)
    CHECK_THAT(text, Contains("method  adam:lr=0.1\nloss    0.3121 [0.3098, 0.3140]\nn       3\n\nmethod  sgd"));
  if (width == 40) CHECK_THAT(text, !Contains("~"));
}

TEST_CASE("the width of a text counts characters as a terminal shows them") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("äöü") == 3);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("漢字") == 4);
  CHECK(display_width("\xff\xfe") == 2);
  CHECK(display_width("\xe6\xbc") == 2);
  CHECK(fit("abcdef", 6, true) == "abcdef");
  CHECK(fit("abcdef", 5, true) == "abcd…");
  CHECK(fit("abcdef", 5, false) == "abcd~");
  CHECK(fit("漢字漢", 4, true) == "漢…");
  CHECK(fit("abc", 1, true) == "…");
  CHECK(fit("abc", 0, true).empty());
  Table table{"", {{"a", false}, {"b"}}, {}};
  table.add({"漢字", "1"});
  table.add({"äb", "2"});
  CHECK(terminal_text(table, {}) == "-------\na     b\n-------\n漢字  1\näb    2\n-------\n");
}

TEST_CASE("Markdown, CSV and LaTeX escape what is special to them") {
  Table table{"T_1", {{"a|b", false}, {"x,y"}}, {}};
  table.add({"p|q_*\\\nr", Cell("50 % & \"$#{}~^\"<", true)});
  CHECK(markdown_text(table) ==
        "**T\\_1**\n\n| a\\|b | x,y |\n| --- | ---: |\n"
        "| p\\|q\\_\\*\\\\ r | **50 % &amp; \"$#{}~^\"&lt;** |\n");
  CHECK(csv_text(table) == "a|b,\"x,y\"\n\"p|q_*\\\nr\",\"50 % & \"\"$#{}~^\"\"<\"\n");
  CHECK(latex_text(table) ==
        "% T_1\n\\begin{tabular}{lr}\n\\toprule\na|b & x,y \\\\\n\\midrule\n"
        "p|q\\_*\\textbackslash{} r & \\textbf{50 \\% \\& "
        "\"\\$\\#\\{\\}\\textasciitilde{}\\textasciicircum{}\"\\textless{}} "
        "\\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST_CASE("a table without rows is written, and a row of another length is refused") {
  Table table{"", {{"a"}}, {}};
  CHECK(csv_text(table) == "a\n");
  CHECK(terminal_text(table, {}) == "-\na\n-\n-\n");
  CHECK_THROWS_AS(table.add({"1", "2"}), Error);
}

TEST_CASE("a file is no terminal: no width, no colour") {
  std::FILE* file = std::tmpfile();
  const TerminalStyle style = terminal_style(file);
  CHECK_FALSE(style.interactive);
  CHECK_FALSE(style.color);
  CHECK(style.width == 0);
  std::fclose(file);
}
