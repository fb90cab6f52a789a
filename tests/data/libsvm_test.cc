#include "hesse/data/libsvm.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <locale>

using namespace hesse;
using namespace hesse::test;

TEST_CASE("LIBSVM text reads to dense inputs, with gaps as zeros, comments, blanks, CRLF and gzip") {
  const TemporaryFolder folder;
  const std::string plain = "+1 1:0.5 3:-2\n-1 2:1e2\n+1\n-1 1:1 2:2 3:3\n";
  for (const std::string& text :
       {plain, gzip(plain), "# a comment\n\n" + plain, plain.substr(0, plain.size() - 1),
        std::string("1 1:0.5 3:-2 # first\r\n  -1\t2:100  \r\n+1.0\r\n-1 1:1 2:+2 3:3\r\n"), "\xef\xbb\xbf" + plain}) {
    INFO(text);
    const auto data = read_libsvm(folder.write("x", text));
    Matrix expected(3, 4);
    expected << 0.5, 0, 0, 1, 0, 100, 0, 2, -2, 0, 0, 3;
    REQUIRE(data->inputs.cols() == 4);
    REQUIRE(data->inputs.rows() == 3);
    CHECK(data->inputs == expected);
    CHECK(data->labels == std::vector<std::int32_t>{1, 0, 1, 0});
    CHECK(data->class_count == 2);
  }
  CHECK(read_libsvm(folder.write("x", plain), {.features = 5})->feature_count() == 5);
}

TEST_CASE("LIBSVM labels may be several classes or real targets") {
  const TemporaryFolder folder;
  const auto several = read_libsvm(folder.write("x", "3 1:1\n1 1:2\n2 1:3\n3 1:1\n1 1:2\n2 1:3\n"));
  CHECK(several->labels == std::vector<std::int32_t>{2, 0, 1, 2, 0, 1});
  const auto real = read_libsvm(folder.write("x", "3.5 1:1\n1 1:2\n"));
  CHECK(real->targets(0, 0) == 3.5);
  CHECK(real->labels.empty());
  CHECK(read_libsvm(folder.write("x", "1 1:1\n0 1:2\n"), {.label_kind = LabelKind::classes})->class_count == 2);
}

TEST_CASE("every malformed LIBSVM file is refused with file, line and remedy, and nothing large is allocated") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const LibsvmOptions& options = {}) {
    const std::string path = folder.write("bad", text);
    INFO(text.substr(0, 200));
    return refusal(path, [&] { read_libsvm(path, options); });
  };
  check_special_files(folder, [](const std::string& path) { read_libsvm(path); });
  for (const char* entry : {"1:",
                            ":1",
                            "1",
                            "1:2:3",
                            "x:1",
                            "1.5:1",
                            "1:x",
                            "1:nan",
                            "1:inf",
                            "1:-inf",
                            "1:1e999",
                            "0:1",
                            "-1:1",
                            "99999999999999999999:1",
                            "9223372036854775808:1",
                            "1 :2",
                            "1: 2",
                            "1;2",
                            "qid:3",
                            "1:1 1:2",
                            "2:1 1:1",
                            "1:1,2:2",
                            "+1:1",
                            "1:0x10"}) {
    CHECK_THAT(refused(std::string("+1 1:1\n-1 ") + entry + "\n"),
               Catch::Contains("line 2, column 4") || Catch::Contains("line 2, column"));
  }
  for (const char* label : {"1:1 2:2", "a 1:1", "nan 1:1", "inf 1:1", "1,2 1:1", "NA 1:1"}) {
    CHECK_THAT(refused(std::string("+1 1:1\n") + label + "\n"), Catch::Contains("line 2, column 1"));
  }
  for (const char* text : {"\n\n", "# only a comment\n", "+1\n-1\n", "1,2,3\n",
                           "\xff\xfe"
                           "1"})
    refused(text);
  CHECK_THAT(refused("+1 9223372036854775806:1\n"), Catch::Contains("bytes"));
  CHECK_THAT(refused("+1 2000000000:1\n-1 1:1\n"), Catch::Contains("bytes"));
  CHECK_THAT(refused("+1 1:1\n", {.features = 1000000000}), Catch::Contains("bytes"));
  CHECK_THAT(refused("+1 7:1\n", {.features = 6}), Catch::Contains("at most 6"));
  CHECK_THAT(refused(gzip("+1 1:1\n" + std::string(std::size_t{40} << 20U, ' '))), Catch::Contains("gunzip"));
  const std::string packed = gzip("+1 1:1\n-1 2:1\n");
  for (std::size_t n = 2; n < packed.size(); ++n) refused(packed.substr(0, n));
}
