#include "hesse/report/safetensors.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

/// A file by hand: header text and data bytes.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + std::string(data_bytes, '\0');
}

std::string entry(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

}  // namespace

TEST_CASE("tensors of each type, shape and size read back to the same bits, with their metadata") {
  const ScratchFolder scratch;
  const Index n = GENERATE(0, 1, 2, 3, 10, 50);
  std::vector<double> doubles(static_cast<std::size_t>(2 * n));
  std::iota(doubles.begin(), doubles.end(), -0.125);
  if (n > 0) doubles[0] = std::numeric_limits<double>::quiet_NaN();
  std::vector<float> floats(static_cast<std::size_t>(n), 0.1F);
  const std::vector<std::int64_t> wholes(static_cast<std::size_t>(n), std::numeric_limits<std::int64_t>::min());
  const double scalar = -0.0;
  const std::vector<TensorToWrite> tensors = {TensorToWrite::of("a.weight", {n, 2}, doubles),
                                              TensorToWrite::of("f", {n}, floats),
                                              TensorToWrite::of("i \"quoted\" ü", {1, n}, wholes),
                                              TensorToWrite::of("scalar", {}, std::span<const double>(&scalar, 1))};
  write_safetensors(scratch / "t.safetensors", tensors, {{"key", "text\nof lines"}, {"b", ""}});

  const SafetensorsFile file(scratch / "t.safetensors");
  REQUIRE(file.tensors().size() == 4);
  for (const TensorToWrite& tensor : tensors) {
    const StoredTensor& stored = file.at(tensor.name);
    CHECK(stored.type == tensor.type);
    CHECK(stored.shape == tensor.shape);
    CHECK(stored.bytes == tensor.bytes);
  }
  CHECK(file.metadata() == TensorMetadata{{"key", "text\nof lines"}, {"b", ""}});
  CHECK(*file.find_metadata("key") == "text\nof lines");
  CHECK(file.find_metadata("none") == nullptr);
  CHECK(file.whole_numbers(file.at("i \"quoted\" ü")) == wholes);
  CHECK(std::signbit(file.numbers(file.at("scalar"))[0]));
  for (const double value : file.numbers(file.at("f"))) CHECK(value == static_cast<double>(0.1F));
  // The data start at a multiple of eight bytes.
  std::uint64_t header = 0;
  std::memcpy(&header, file.bytes().data(), 8);
  CHECK(header % 8 == 0);
}

TEST_CASE("entries are not given out as another type, and unknown names are answered with a suggestion") {
  const double x = 1;
  const std::int64_t i = 1;
  const std::vector<TensorToWrite> tensors = {TensorToWrite::of("weight", {1}, std::span<const double>(&x, 1)),
                                              TensorToWrite::of("count", {1}, std::span<const std::int64_t>(&i, 1))};
  const ScratchFolder scratch;
  write_safetensors(scratch / "t", tensors);
  const SafetensorsFile file(scratch / "t");
  CHECK_THROWS_WITH(file.numbers(file.at("count")), Contains("whole numbers"));
  CHECK_THROWS_WITH(file.whole_numbers(file.at("weight")), Contains("F64"));
  CHECK_THROWS_WITH(file.at("weigth"), Contains("did you mean 'weight'"));
  CHECK(file.find("weigth") == nullptr);
}

TEST_CASE("a writer refuses repeated and reserved names, and shapes that do not fit") {
  const std::vector<double> x(6);
  const auto header = [](std::vector<TensorToWrite> tensors, TensorMetadata metadata = {}) {
    return safetensors_header(tensors, metadata);
  };
  CHECK_THROWS_WITH(header({TensorToWrite::of("a", {6}, x), TensorToWrite::of("a", {6}, x)}), Contains("twice"));
  CHECK_THROWS_WITH(header({TensorToWrite::of("__metadata__", {6}, x)}), Contains("reserved"));
  CHECK_THROWS_WITH(header({TensorToWrite::of("a", {5}, x)}), Contains("[5] does not fit its 48 bytes"));
  CHECK_THROWS_WITH(header({TensorToWrite::of("a", {-2, -3}, x)}), Contains("does not fit"));
  CHECK_THROWS_WITH(header({TensorToWrite::of("\xff", {6}, x)}), Contains("UTF-8"));
  CHECK_THROWS_WITH(header({}, {{"k", "1"}, {"k", "2"}}), Contains("'k' is given twice"));
}

TEST_CASE("broken safetensors files are refused, naming the file and the place") {
  const std::string f64 = "\"F64\"";
  const std::string a8 = R"("a":)" + entry("F64", "[1]", "[0,8]");
  struct Case {
    std::string bytes;
    std::string part;
  };
  const auto huge_length = [] {
    std::string out(16, '\0');
    const std::uint64_t length = 100'000'001;
    std::memcpy(out.data(), &length, 8);
    return out;
  };
  const Case cases[] = {
      {"", "byte 0: the file ends inside"},
      {"1234567", "byte 7: the file ends inside"},
      {huge_length(), "100000001 bytes"},
      {std::string(8, '\xff'), "18446744073709551615 bytes"},
      {file_of("{}", 0).substr(0, 9), "byte 9: the file ends inside the header"},
      {file_of("", 0), "does not start with '{'"},
      {file_of(" {}", 0), "does not start with '{'"},
      {file_of("[]", 0), "does not start with '{'"},
      {file_of("{", 0), "header (from byte 8): byte"},
      {file_of("{} x", 0), "header (from byte 8): byte"},
      {file_of("{" + a8 + "," + a8 + "}", 8), "'a' is given twice"},
      {file_of(R"({"a":{"dtype":"F64","shape":[1],"shape":[1],"data_offsets":[0,8]}})", 8), "'shape' is given twice"},
      {file_of(R"({"__metadata__":{"k":1}})", 0), "expected a text"},
      {file_of(R"({"__metadata__":null})", 0), "expected an object"},
      {file_of(R"({"a":3})", 0), "expected an object"},
      {file_of("{\"\\u001b[2J\":" + entry("F64", "[1]", "[0,8]") + "}", 8), "?[2J: a tensor's name holds a control"},
      {file_of(R"({"a":{"shape":[1],"data_offsets":[0,8]}})", 8), "'dtype' is missing"},
      {file_of(R"({"a":{"dtype":"F64","data_offsets":[0,8]}})", 8), "'shape' is missing"},
      {file_of(R"({"a":{"dtype":"F64","shape":[1]}})", 8), "'data_offsets' is missing"},
      {file_of(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8],"extra":1}})", 8), "'extra' is not known"},
      {file_of("{\"a\":" + entry("BF16", "[1]", "[0,2]") + "}", 2), "type 'BF16' cannot be read"},
      {file_of("{\"a\":" + entry("f64", "[1]", "[0,8]") + "}", 8), "type 'f64' cannot be read"},
      {file_of("{\"a\":" + entry("F64", "[-1]", "[0,8]") + "}", 8), "-1 is negative"},
      {file_of("{\"a\":" + entry("F64", "[1.0]", "[0,8]") + "}", 8), "expected a whole number"},
      {file_of("{\"a\":" + entry("F64", "[null]", "[0,8]") + "}", 8), "expected a whole number"},
      {file_of("{\"a\":" + entry("F64", "1", "[0,8]") + "}", 8), "expected an array"},
      {file_of("{\"a\":" + entry("F64", "[9223372036854775808]", "[0,8]") + "}", 8), "below 2^63"},
      {file_of("{\"a\":" + entry("F64", "[4294967296,4294967296]", "[0,0]") + "}", 0), "overflows"},
      {file_of("{\"a\":" + entry("F64", "[2305843009213693952]", "[0,0]") + "}", 0), "overflows"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[0]") + "}", 8), "expected two offsets"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[0,8,16]") + "}", 8), "expected two offsets"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[-8,0]") + "}", 8), "expected a whole number >= 0"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[8,0]") + "}", 8), "do not hold the 8 bytes"},
      {file_of("{\"a\":" + entry("F64", "[2]", "[0,8]") + "}", 8), "do not hold the 16 bytes"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[0,8]") + "}", 7), "the file ends before the tensor"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[18446744073709551608,18446744073709551615]") + "}", 8), "do not hold"},
      {file_of("{\"a\":" + entry("F64", "[1]", "[8,16]") + "}", 16), "leaves a gap"},
      {file_of("{" + a8 + ",\"b\":" + entry("F64", "[1]", "[4,12]") + "}", 12), "'b' overlaps"},
      {file_of("{" + a8 + ",\"b\":" + entry("F64", "[1]", "[0,8]") + "}", 8), "overlaps"},
      {file_of("{" + a8 + ",\"b\":" + entry("F64", "[1]", "[16,24]") + "}", 24), "'b' leaves a gap"},
      {file_of("{" + a8 + "}", 16), "8 bytes follow the last tensor"},
      {file_of("{}", 1), "1 bytes follow the last tensor"},
  };
  for (const Case& broken : cases) {
    CAPTURE(broken.part);
    CHECK_THROWS_WITH(SafetensorsFile(broken.bytes, "bad.st"), Contains("bad.st: ") && Contains(broken.part));
  }
}

TEST_CASE("unusual files that keep to the format are read") {
  CHECK(SafetensorsFile(file_of("{}", 0), "f").tensors().empty());
  CHECK(SafetensorsFile(file_of("{}   ", 0), "f").tensors().empty());
  // Listed in another order than they lie, with an empty tensor between.
  const SafetensorsFile file(file_of("{\"b\":" + entry("F32", "[2]", "[8,16]") + ",\"e\":" +
                                         entry("I64", "[0,7]", "[8,8]") + ",\"a\":" + entry("F64", "[]", "[0,8]") + "}",
                                     16),
                             "f");
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.at("e").size == 0);
  CHECK(file.numbers(file.at("b")).size() == 2);
}

TEST_CASE("an independent reader in Python finds the same numbers") {
  if (std::system("python3 -c 'import struct, json' > /dev/null 2>&1") != 0) {
    WARN("python3 is not installed");
    return;
  }
  const ScratchFolder scratch;
  const std::vector<double> a = {1.5, -2.25, 1e-300, 4, 5, 6};
  const std::vector<float> b = {0.5F, -8.0F};
  const std::vector<std::int64_t> c = {-1, std::int64_t{1} << 62};
  write_safetensors(scratch / "t",
                    std::vector<TensorToWrite>{TensorToWrite::of("a", {2, 3}, a), TensorToWrite::of("b", {2}, b),
                                               TensorToWrite::of("c", {2}, c)},
                    {{"who", "Hesse"}});
  std::ofstream(scratch / "read.py") << R"(
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
(length,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8:8 + length])
assert header.pop("__metadata__") == {"who": "Hesse"}
def entries(name, code):
    begin, end = header[name]["data_offsets"]
    data = raw[8 + length + begin:8 + length + end]
    return [v for (v,) in struct.iter_unpack("<" + code, data)]
assert header["a"]["shape"] == [2, 3] and header["a"]["dtype"] == "F64"
assert entries("a", "d") == [1.5, -2.25, 1e-300, 4, 5, 6]
assert entries("b", "f") == [0.5, -8.0] and header["b"]["dtype"] == "F32"
assert entries("c", "q") == [-1, 1 << 62] and header["c"]["dtype"] == "I64"
assert len(raw) == 8 + length + 48 + 8 + 16
)";
  const std::string command =
      fmt::format("python3 '{}' '{}'", (scratch / "read.py").string(), (scratch / "t").string());
  CHECK(std::system(command.c_str()) == 0);
}
