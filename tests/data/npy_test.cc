#include "hesse/data/npy.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace hesse;
using namespace hesse::test;

namespace {

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string out = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  const std::string header = dictionary + '\n';
  out += version == 1 ? bytes_of(static_cast<std::uint16_t>(header.size()), false)
                      : bytes_of(static_cast<std::uint32_t>(header.size()), false);
  return out + header + data;
}

std::string dictionary(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
}

template <class Value, class Bits>
void check_type(const std::string& type, std::initializer_list<Value> values) {
  const TemporaryFolder folder;
  for (const bool big_endian : {false, true}) {
    std::string data;
    for (const Value value : values) data += bytes_of(std::bit_cast<Bits>(value), big_endian);
    const std::string order = sizeof(Value) == 1 ? "|" : big_endian ? ">" : "<";
    const std::string shape = "(" + std::to_string(values.size()) + ",)";
    const Array array = read_npy(folder.write("x", npy(dictionary(order + type, shape), data)));
    REQUIRE(array.shape == std::vector<Index>{static_cast<Index>(values.size())});
    Index i = 0;
    for (const Value value : values) CHECK(array.values(0, i++) == static_cast<double>(value));
  }
}

}  // namespace

TEST_CASE("NPY entries of every type and byte order are the numbers they encode") {
  check_type<double, std::uint64_t>("f8", {1.5, -2.25, 1e300, 5e-324});
  check_type<float, std::uint32_t>("f4", {1.5F, -2.25F, 1e30F});
  check_type<std::int8_t, std::uint8_t>("i1", {1, -1, -128});
  check_type<std::int16_t, std::uint16_t>("i2", {1, -1, -32768, 258});
  check_type<std::int32_t, std::uint32_t>("i4", {1, -1, -2147483647, 16909060});
  check_type<std::int64_t, std::uint64_t>("i8", {1, -1, 9007199254740992, -9007199254740992});
  check_type<std::uint8_t, std::uint8_t>("u1", {0, 255});
  check_type<std::uint8_t, std::uint8_t>("b1", {0, 1});
  check_type<std::uint16_t, std::uint16_t>("u2", {258, 65535});
  check_type<std::uint32_t, std::uint32_t>("u4", {16909060, 4294967295});
  check_type<std::uint64_t, std::uint64_t>("u8", {1, 9007199254740992});
}

TEST_CASE("C and Fortran order of the same array, in all versions, read to the same array") {
  const TemporaryFolder folder;
  // a(i, j, k) = 100 i + 10 j + k of shape 2 x 3 x 4.
  std::string c_order;
  std::string fortran_order;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) c_order.push_back(static_cast<char>(100 * i + 10 * j + k));
  for (int k = 0; k < 4; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) fortran_order.push_back(static_cast<char>(100 * i + 10 * j + k));
  for (const int version : {1, 2, 3}) {
    const Array c = read_npy(folder.write("c", npy(dictionary("|u1", "(2, 3, 4)"), c_order, version)));
    const Array f = read_npy(folder.write("f", npy(dictionary("|u1", "(2, 3, 4)", true), fortran_order, version)));
    REQUIRE(c.shape == std::vector<Index>{2, 3, 4});
    CHECK(c.values == f.values);
    CHECK(c.values(1 * 4 + 3, 1) == 113);
  }
}

TEST_CASE("writing NPY and reading it back gives the same array: exactly in f8, rounded in f4") {
  const TemporaryFolder folder;
  const std::string path = folder.path("x.npy");
  for (const Index n : {0, 1, 2, 3, 10, 50}) {
    const Matrix a = Matrix::Random(n, 3);
    write_npy(path, a);
    const Array back = read_npy(path);
    CHECK(back.shape == std::vector<Index>{n, 3});
    CHECK(back.values == a.transpose());
    write_npy(path, a, NpyType::f4);
    CHECK(read_npy(path).values == a.transpose().cast<float>().cast<double>());
    const Vector v = Vector::Random(n);
    write_npy(path, as_array(v));
    CHECK(read_npy(path).shape == std::vector<Index>{n});
    CHECK(read_npy(path).flat() == v);
    const Array cube = {{n, 2, 5}, Matrix::Random(10, n)};
    write_npy(path, cube);
    CHECK(read_npy(path).shape == cube.shape);
    CHECK(read_npy(path).values == cube.values);
    // The data starts at a multiple of 64 bytes.
    CHECK((std::filesystem::file_size(path) - 8 * static_cast<std::size_t>(10 * n)) % 64 == 0);
  }
  const Array scalar = {{}, Matrix::Constant(1, 1, -0.5)};
  write_npy(path, scalar);
  CHECK(read_npy(path).shape.empty());
  CHECK(read_npy(path).values(0, 0) == -0.5);
  Vector special(3);
  special << std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), -0.0;
  write_npy(path, as_array(special));
  const Array read = read_npy(path);
  CHECK(std::isinf(read.values(0, 0)));
  CHECK(std::isnan(read.values(0, 1)));
  CHECK(std::signbit(read.values(0, 2)));
  const std::string unwritable = folder.path("no-such-folder/x.npy");
  refusal(unwritable, [&] { write_npy(unwritable, scalar); });
}

TEST_CASE("NPY headers as other writers space them are read") {
  const TemporaryFolder folder;
  const std::string one = bytes_of(std::bit_cast<std::uint64_t>(2.0), false);
  for (const std::string& header :
       {std::string("{'shape': (1,), 'fortran_order': False, 'descr': '<f8'}"),
        std::string("{\"descr\":\"<f8\",\"fortran_order\":False,\"shape\":(1,)}   "),
        std::string("{ 'descr' : '<f8' , 'fortran_order' : True , 'shape' : ( 1 , 1 ) , }"),
        std::string("{'descr': '<f8', 'fortran_order': False, 'shape': (1L,), }"), dictionary("=f8", "()")}) {
    INFO(header);
    CHECK(read_npy(folder.write("x", npy(header, one))).values(0, 0) == 2.0);
  }
}

TEST_CASE("every malformed NPY file is refused with file, byte and remedy, and nothing large is allocated") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& content) {
    const std::string path = folder.write("bad.npy", content);
    return refusal(path, [&] { read_npy(path); });
  };
  check_special_files(folder, [](const std::string& path) { read_npy(path); });
  const std::string good = npy(dictionary("<f4", "(2, 1)"), "abcdefgh");
  REQUIRE_NOTHROW(read_npy(folder.write("good", good)));

  SECTION("cut at every byte, and with bytes too many") {
    for (std::size_t n = 1; n < good.size(); ++n) CHECK_THAT(refused(good.substr(0, n)), Catch::Contains("byte"));
    refused(good + "x");
  }
  SECTION("wrong magic and version") {
    refused("PK\x03\x04 an archive of arrays");
    refused("\x93NUMPX" + good.substr(6));
    for (const char version : {'\0', '\4', '\x7f'}) {
      std::string bad = good;
      bad[6] = version;
      refused(bad);
    }
    std::string minor = good;
    minor[7] = 1;
    refused(minor);
  }
  SECTION("headers that are no dictionary of the three keys") {
    for (const char* header : {"",
                               "{",
                               "}",
                               "{}",
                               "[]",
                               "None",
                               "{'descr': '<f4'}",
                               "{'descr': '<f4', 'fortran_order': False}",
                               "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
                               "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
                               "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}",
                               "{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}",
                               "{'descr': <f4, 'fortran_order': False, 'shape': (2,)}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2 2)}",
                               "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}",
                               "{descr: 1}",
                               "__import__('os').system('true')"}) {
      INFO(header);
      refused(npy(header, "abcdefgh"));
    }
    std::string huge = good;
    huge[8] = huge[9] = '\xff';
    refused(huge);
    std::string huge2 = npy(dictionary("<f4", "(2,)"), "abcdefgh", 2);
    for (std::size_t i = 8; i < 12; ++i) huge2[i] = '\xff';
    refused(huge2);
  }
  SECTION("types that are not numbers of the list") {
    for (const char* descr : {"|O", "<c16", "<U3", "|S4", "<f2", "<f16", "<M8", "f4", "<f", "", "?f4", "|f4", "<i3"}) {
      INFO(descr);
      refused(npy(dictionary(descr, "(2,)"), "abcdefgh"));
    }
    const std::string above = bytes_of((std::uint64_t{1} << 53U) + 1, false);
    CHECK_THAT(refused(npy(dictionary("<i8", "(1,)"), above)), Catch::Contains("2^53"));
    CHECK_THAT(refused(npy(dictionary("<u8", "(1,)"), std::string(8, '\xff'))), Catch::Contains("2^53"));
    CHECK_THAT(refused(npy(dictionary("<i8", "(1,)"), std::string(7, '\0') + '\x80')), Catch::Contains("2^53"));
  }
  SECTION("shapes that the content does not have") {
    for (const char* shape :
         {"(-2,)", "(3,)", "(1,)", "(0,)", "()", "(2, 2)", "(9223372036854775807,)", "(9223372036854775808,)",
          "(99999999999999999999999,)", "(4294967296, 4294967296)", "(4294967296, 4294967296, 0)", "(1.5,)", "(two,)",
          "(, )", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2)", "(1000000000,)"}) {
      INFO(shape);
      refused(npy(dictionary("<f4", shape), "abcdefgh"));
    }
  }
}
