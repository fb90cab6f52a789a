#include "hesse/data/csv.h"

#include "hesse/data/text_number.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <clocale>
#include <locale>

using namespace hesse;
using namespace hesse::test;

namespace {

std::shared_ptr<Dataset> read(const TemporaryFolder& folder, const std::string& text, const CsvOptions& options = {}) {
  return read_csv(folder.write("x.csv", text), options);
}

/// A comma for the decimal point and dots between thousands, as in German.
struct GermanNumbers : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

TEST_CASE("a CSV table reads to the same data with LF, CRLF, CR, BOM, quotes, blanks and gzip") {
  const TemporaryFolder folder;
  const std::string plain = "a,b,y\n1,-2.5,0\n3e2,4,1\n5,.5,0\n7,8,1\n";
  const auto replaced = [&](const std::string& end) {
    std::string out;
    for (const char c : plain) out += c == '\n' ? end : std::string(1, c);
    return out;
  };
  for (const std::string& text :
       {plain, replaced("\r\n"), replaced("\r"), "\xef\xbb\xbf" + plain, gzip(plain), gzip("\xef\xbb\xbf" + plain),
        plain.substr(0, plain.size() - 1), "\n\n" + replaced("\n\n"),
        std::string("\"a\",\"b\",\"y\"\n\"1\",\"-2.5\",0\n 3e2 , +4 ,1 \n\"5\" ,.5,\"0\"\n7,8,1\n"),
        gzip(plain.substr(0, 9)) + gzip(plain.substr(9))}) {
    INFO(text);
    const auto data = read(folder, text);
    REQUIRE(data->inputs.rows() == 2);
    REQUIRE(data->inputs.cols() == 4);
    Matrix expected(2, 4);
    expected << 1, 300, 5, 7, -2.5, 4, 0.5, 8;
    CHECK(data->inputs == expected);
    CHECK(data->labels == std::vector<std::int32_t>{0, 1, 0, 1});
    CHECK(data->class_count == 2);
    CHECK(data->feature_names == std::vector<std::string>{"a", "b"});
  }
}

TEST_CASE("the CSV header is told from samples, numeric columns with text classes included") {
  const TemporaryFolder folder;
  CHECK(read(folder, "1,2,0\n3,4,1\n")->sample_count() == 2);
  CHECK(read(folder, "1,2,0\n3,4,1\n")->feature_names.empty());
  CHECK(read(folder, "1,2,red\n3,4,blue\n")->sample_count() == 2);
  CHECK(read(folder, "a,b,colour\n3,4,blue\n")->sample_count() == 1);
  CHECK(read(folder, "a,b\n3,4\n", {.header = CsvHeader::present})->sample_count() == 1);
  CHECK(read(folder, "1,2,3\n4,5,6\n", {.header = CsvHeader::present})->feature_names ==
        std::vector<std::string>{"1", "2"});
  CHECK(read(folder, "569,30,malignant\n1,2,0\n3,4,1\n", {.header = CsvHeader::absent, .skip_lines = 1})
            ->sample_count() == 2);
  CHECK(read(folder, "\"a, b\",\"say \"\"c\"\"\",y\n1,2,0\n")->feature_names ==
        std::vector<std::string>{"a, b", "say \"c\""});
}

TEST_CASE("the CSV label column is found by name, by number from either end, or left out") {
  const TemporaryFolder folder;
  const std::string text = "y,a,b\n0,1,2\n1,3,4\n0,5,6\n1,7,8\n";
  for (const char* label : {"y", "0", "-3"}) {
    const auto data = read(folder, text, {.label = label});
    CHECK(data->labels == std::vector<std::int32_t>{0, 1, 0, 1});
    CHECK(data->inputs(1, 3) == 8);
    CHECK(data->feature_names == std::vector<std::string>{"a", "b"});
  }
  const auto all = read(folder, text, {.label = "none"});
  CHECK(all->labels.empty());
  CHECK(all->targets.size() == 0);
  CHECK(all->feature_count() == 3);
}

TEST_CASE("text classes are numbered alphabetically, numeric ones by value, and other numbers are real targets") {
  const TemporaryFolder folder;
  const auto text = read(folder, "1,red\n2,blue\n3,red\n4,10\n");
  CHECK(text->labels == std::vector<std::int32_t>{2, 1, 2, 0});
  CHECK(text->class_count == 3);
  CHECK(read(folder, "1,7\n2,-1\n3,7\n4,-1\n")->labels == std::vector<std::int32_t>{1, 0, 1, 0});
  const auto real = read(folder, "1,0.5\n2,1\n3,0.5\n4,1\n");
  CHECK(real->labels.empty());
  CHECK(real->targets.rows() == 1);
  CHECK(real->targets(0, 3) == 1);
  CHECK(read(folder, "1,0\n2,1\n3,0\n4,1\n", {.label_kind = LabelKind::real})->targets(0, 1) == 1);
  CHECK(read(folder, "1,0.5\n2,1\n3,0.25\n", {.label_kind = LabelKind::classes})->labels ==
        std::vector<std::int32_t>{1, 2, 0});
}

TEST_CASE("numbers read the same under a locale with a decimal comma") {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.csv", "1.5,2\n1234.25,3\n");
  const Matrix before = read_csv(path)->inputs;
  const std::locale old = std::locale::global(std::locale(std::locale::classic(), new GermanNumbers));
  const std::string old_c = std::setlocale(LC_ALL, nullptr);
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  const Matrix after = read_csv(path)->inputs;
  std::setlocale(LC_ALL, old_c.c_str());
  std::locale::global(old);
  CHECK(before == after);
  CHECK(before(0, 1) == 1234.25);
}

TEST_CASE("a field is a finite number, missing, not finite, or a text") {
  using Kind = TextNumber::Kind;
  for (const char* text : {"0", "-0", "+1", " 2.5\t", "1e3", "1E-3", ".5", "5.", "-1.25e+2"}) {
    INFO(text);
    CHECK(read_number(text).kind == Kind::finite);
    CHECK(read_number(text).value == std::stod(text));
  }
  for (const char* text : {"", "  ", "NA", "n/a", "nan", "-NaN", "NULL", "None", "?"}) {
    INFO(text);
    CHECK(read_number(text).kind == Kind::missing);
  }
  for (const char* text : {"inf", "-Infinity", "+inf", "1e999"}) {
    INFO(text);
    CHECK(read_number(text).kind == Kind::non_finite);
  }
  for (const char* text : {"a", "1x", "1 2", "0x10", "1,5", "--1", "+-1", "-", "+", "1e", "e5"}) {
    INFO(text);
    CHECK(read_number(text).kind == Kind::text);
  }
}

TEST_CASE("every malformed CSV file is refused with file, line and remedy, and nothing large is allocated") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const CsvOptions& options = {}) {
    const std::string path = folder.write("bad.csv", text);
    INFO(text.substr(0, 200));
    return refusal(path, [&] { read_csv(path, options); });
  };
  check_special_files(folder, [](const std::string& path) { read_csv(path, {.label = "none"}); });

  SECTION("missing and non-finite values and texts, with line and column") {
    for (const char* hole : {"", " ", "NA", "nan", "NaN", "null", "?", "\"\""}) {
      CHECK_THAT(refused(std::string("1,2,0\n3,") + hole + ",1\n"), Catch::Contains("line 2, column 2"));
      CHECK_THAT(refused(std::string("1,2,0\n3,4,") + hole + "\n"), Catch::Contains("line 2, column 3"));
      CHECK_THAT(refused(std::string("1,") + hole + ",0\n3,4,1\n"), Catch::Contains("line 1, column 2"));
    }
    for (const char* bad : {"inf", "-inf", "1e999", "1x", "0x10", "abc", "1.2.3", "1 2"}) {
      CHECK_THAT(refused(std::string("a,b,y\n\n1,2,0\n3,") + bad + ",1\n"), Catch::Contains("line 4, column 2 (b)"));
    }
    CHECK_THAT(refused("1,2,inf\n3,4,1\n"), Catch::Contains("column 3"));
    CHECK_THAT(refused("a,b,y\n1,\"2\n3\",0\n1,x,0\n"), Catch::Contains("line 2, column 2"));
    CHECK_THAT(refused("1;2;0\n3;4;1\n"), Catch::Contains("separator"));
  }
  SECTION("unequal records and quotes") {
    CHECK_THAT(refused("1,2,0\n3,4\n"), Catch::Contains("line 2"));
    CHECK_THAT(refused("1,2,0\n3,4,1,5\n"), Catch::Contains("line 2"));
    CHECK_THAT(refused("1,2,0\r\n3,4,\r\n"), Catch::Contains("line 2, column 3"));
    CHECK_THAT(refused("1,2,0\n3,\"4,1\n"), Catch::Contains("never closed"));
    CHECK_THAT(refused("1,2,0\n3,\"4\"5,1\n"), Catch::Contains("closing quote"));
    CHECK_THAT(refused("a,b,a\n1,2,3\n"), Catch::Contains("twice"));
  }
  SECTION("tables with nothing in them, and label columns that are not there") {
    CHECK_THAT(refused("\n\n\n"), Catch::Contains("no record"));
    CHECK_THAT(refused("a,b,c\n", {.header = CsvHeader::present}), Catch::Contains("no sample"));
    CHECK_THAT(refused("1\n2\n"), Catch::Contains("no feature"));
    CHECK_THAT(refused("1\n2\n", {.separator = '\t'}), Catch::Contains("separator 'tab'"));
    CHECK_THAT(refused("width,y\n1,2\n", {.label = "widths"}), Catch::Contains("did you mean 'width'"));
    CHECK_THAT(refused("1,2\n3,4\n", {.label = "2"}), Catch::Contains("out of range"));
    CHECK_THAT(refused("1,2\n3,4\n", {.label = "-3"}), Catch::Contains("out of range"));
    CHECK_THAT(refused("1,2\n3,4\n", {.skip_lines = 9}), Catch::Contains("no record"));
    CHECK_THAT(refused("1,2\n3,4\n", {.skip_lines = -1}), Catch::Contains("skip_lines"));
    CHECK_THAT(refused("1,red\n2,blue\n", {.label_kind = LabelKind::real}), Catch::Contains("real targets"));
  }
  SECTION("files that are no text") {
    refused(std::string("1,\0,0\n3,4,1\n", 12));
    CHECK_THAT(refused(std::string("\xff\xfe"
                                   "1\0,\0",
                                   6)),
               Catch::Contains("UTF-16"));
    CHECK_THAT(refused(std::string("\xfe\xff\0001", 4)), Catch::Contains("UTF-16"));
    refused("\x93NUMPY");
    refused("\xef\xbb\xbf");
    refused(gzip(""));
    const std::string packed = gzip("1,2,0\n3,4,1\n");
    for (std::size_t n = 2; n < packed.size(); ++n) refused(packed.substr(0, n));
    CHECK_THAT(refused(packed + "x"), Catch::Contains("gzip"));
    CHECK_THAT(refused(gzip(std::string(std::size_t{40} << 20U, '0'))), Catch::Contains("gunzip"));
  }
}
