#include "hesse/data/idx.h"

#include "hesse/core/parallel.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;
using namespace hesse::test;

namespace {

std::string magic(char type, std::size_t rank) { return {'\0', '\0', type, static_cast<char>(rank)}; }

/// 2 x 3 entries 0..5.
std::string small_u8() { return magic(0x08, 2) + big(2) + big(3) + std::string("\0\1\2\3\4\5", 6); }

}  // namespace

TEST_CASE("IDX bytes of every type and sign are the numbers they encode, most significant byte first") {
  const TemporaryFolder folder;
  struct Case {
    char type;
    std::string bytes;
    double a, b;
  };
  const auto [type, bytes, a, b] = GENERATE(values<Case>({
      {0x08, "\x01\xfe", 1, 254},
      {0x09, "\x01\xfe", 1, -2},
      {0x0B, "\x01\x02\xff\xfe", 258, -2},
      {0x0C, "\x7f\xff\xff\xff\xff\xff\xff\xfe", 2147483647, -2},
      {0x0D, std::string("\x3f\xc0\x00\x00\xc1\x20\x00\x00", 8), 1.5, -10},
      {0x0E, std::string("\x40\x09\x21\xfb\x54\x44\x2d\x18\xc0\x00\x00\x00\x00\x00\x00\x00", 16), 3.141592653589793,
       -2},
  }));
  const std::string whole = magic(type, 1) + big(2) + bytes;
  for (const std::string& content : {whole, gzip(whole)}) {
    const Array array = read_idx(folder.write("x", content));
    REQUIRE(array.shape == std::vector<Index>{2});
    CHECK(array.values(0, 0) == a);
    CHECK(array.values(0, 1) == b);
    CHECK(read_idx(folder.path("x"), 0.5).values(0, 1) == 0.5 * b);
  }
}

TEST_CASE("the first IDX index runs over the columns and the others, in row-major order, over the rows") {
  const TemporaryFolder folder;
  for (const std::size_t rank : {1, 2, 3, 5, 255}) {
    // Sizes 2, 3, then ones: entry (i, j) is 3 i + j for rank >= 2.
    std::string content = magic(0x08, rank) + big(2);
    for (std::size_t d = 1; d < rank; ++d) content += big(d + 1 == rank ? 3 : 1);
    const Index rows = rank == 1 ? 1 : 3;
    for (Index i = 0; i < 2 * rows; ++i) content.push_back(static_cast<char>(i));
    const Array array = read_idx(folder.write("x", content));
    REQUIRE(array.shape.size() == rank);
    REQUIRE(array.values.rows() == rows);
    for (Index i = 0; i < 2 * rows; ++i) CHECK(array.values(i % rows, i / rows) == static_cast<double>(i));
  }
}

TEST_CASE("a large compressed IDX file reads to the same bits for any number of threads") {
  const TemporaryFolder folder;
  // Past one block of 4 MiB, in 2-byte elements.
  const std::uint32_t n = 5000;
  std::string content = magic(0x0B, 2) + big(n) + big(600);
  for (std::uint32_t i = 0; i < n * 600; ++i)
    content += bytes_of(static_cast<std::uint16_t>(i * 2654435761U >> 16U), true);
  const std::string plain = folder.write("plain", content);
  const std::string packed = folder.write("packed", gzip(content));
  const int before = threads();
  set_threads(1);
  const Array one = read_idx(plain);
  set_threads(3);
  CHECK(one.values == read_idx(packed).values);
  set_threads(before);
  for (const Index i : {Index{0}, Index{2097151}, Index{2097152}, Index{2999999}}) {
    const auto bits = static_cast<std::uint16_t>(static_cast<std::uint32_t>(i) * 2654435761U >> 16U);
    CHECK(one.flat()[i] == static_cast<double>(static_cast<std::int16_t>(bits)));
  }
}

TEST_CASE("a limit keeps the first samples and still checks the rest of the file") {
  const TemporaryFolder folder;
  const std::string path = folder.write("x", gzip(small_u8()));
  const Array one = read_idx(path, 1.0, 1);
  CHECK(one.shape == std::vector<Index>{1, 3});
  CHECK(one.values.col(0) == read_idx(path).values.col(0));
  CHECK(read_idx(path, 1.0, 9).values == read_idx(path).values);
  const std::string bad = folder.write("bad", small_u8() + "x");
  refusal(bad, [&] { read_idx(bad, 1.0, 1); });
}

TEST_CASE("an IDX file without samples is an empty array") {
  const TemporaryFolder folder;
  const Array array = read_idx(folder.write("x", magic(0x08, 3) + big(0) + big(28) + big(28)));
  CHECK(array.values.cols() == 0);
  CHECK(array.values.rows() == 784);
}

TEST_CASE("every malformed IDX file is refused with file, byte and remedy, and nothing large is allocated") {
  const TemporaryFolder folder;
  const auto refused = [&](std::string_view name, const std::string& content) {
    const std::string path = folder.write(name, content);
    return refusal(path, [&] { read_idx(path); });
  };
  check_special_files(folder, [](const std::string& path) { read_idx(path); });

  SECTION("cut at every byte, plain and inside gzip, and cut gzip streams") {
    const std::string whole = small_u8();
    const std::string packed = gzip(whole);
    for (std::size_t n = 1; n < whole.size(); ++n) {
      CHECK_THAT(refused("cut", whole.substr(0, n)), Catch::Contains("byte"));
      CHECK_THAT(refused("cut-inside", gzip(whole.substr(0, n))), Catch::Contains("byte"));
    }
    for (std::size_t n = 1; n < packed.size(); ++n) refused("cut-gzip", packed.substr(0, n));
  }
  SECTION("wrong magic numbers") {
    refused("text", "5.1,3.5,1\n4.9,3.0,0\n");
    refused("magic0", "\x01" + small_u8().substr(1));
    refused("magic1", std::string("\0\1", 2) + small_u8().substr(2));
    for (const char type : {'\x00', '\x07', '\x0a', '\x0f', '\x7f'}) {
      CHECK_THAT(refused("type", magic(type, 1) + big(1) + "x"), Catch::Contains("byte 2"));
    }
    CHECK_THAT(refused("rank0", magic(0x08, 0)), Catch::Contains("byte 3"));
    refused("little-endian", magic(0x08, 1) + bytes_of(std::uint32_t{2}, false) + "ab");
  }
  SECTION("sizes that the content does not have") {
    refused("more", small_u8() + "x");
    refused("more-gzip", gzip(small_u8() + "x"));
    refused("huge", magic(0x08, 1) + big(0xFFFFFFFFU) + "abc");
    refused("huge-gzip", gzip(magic(0x08, 1) + big(0xFFFFFFFFU) + "abc"));
    refused("huge-gzip-possible", gzip(magic(0x0E, 2) + big(20000) + big(1) + std::string(100000, '\0')));
    std::string sizes;
    for (int i = 0; i < 255; ++i) sizes += big(0xFFFFFFFFU);
    CHECK_THAT(refused("overflow", magic(0x0E, 255) + sizes), Catch::Contains("2^62"));
    // 2^32 twice wraps to 0 in 64 bits.
    refused("wrap", magic(0x08, 2) + big(0x80000000U) + big(0x80000000U));
    CHECK_THAT(refused("zero-hides", magic(0x0E, 4) + big(0) + big(0xFFFFFFFFU) + big(0xFFFFFFFFU) + big(2)),
               Catch::Contains("2^62"));
  }
  SECTION("damage inside gzip") {
    const std::string packed = gzip(small_u8());
    for (std::size_t i = 0; i < packed.size(); ++i) {
      if (i >= 4 && i < 10) continue;  // the time, flags and system of the header mean nothing to the content
      if (i == 3) continue;            // flags: covered below
      std::string damaged = packed;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
      refused("damaged", damaged);
    }
    std::string reserved = packed;
    reserved[3] = static_cast<char>(0xE0);
    refused("reserved-flags", reserved);
    refused("trailing", packed + "garbage");
    // 16 MiB of zeros behind a header that announces four of them: the reader must stop at four.
    CHECK_THAT(refused("bomb", gzip(magic(0x08, 1) + big(4) + std::string(std::size_t{16} << 20U, '\0'))),
               Catch::Contains("more than 4"));
  }
}

TEST_CASE("IDX labels are whole numbers of one dimension below the number of classes") {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& content) { return folder.write("labels", content); };
  CHECK(read_idx_labels(write(magic(0x08, 1) + big(3) + std::string("\0\2\1", 3)), 3) ==
        std::vector<std::int32_t>{0, 2, 1});
  const auto refused = [&](const std::string& content) {
    const std::string path = write(content);
    return refusal(path, [&] { read_idx_labels(path, 3); });
  };
  CHECK_THAT(refused(magic(0x08, 1) + big(3) + std::string("\0\3\1", 3)), Catch::Contains("label 3 of sample 1"));
  CHECK_THAT(refused(magic(0x09, 1) + big(1) + "\xff"), Catch::Contains("label -1"));
  CHECK_THAT(refused(magic(0x0D, 1) + big(1) + big(0x3f000000U)), Catch::Contains("label 0.5"));
  CHECK_THAT(refused(magic(0x0D, 1) + big(1) + big(0x7fc00000U)), Catch::Contains("nan"));
  CHECK_THAT(refused(small_u8()), Catch::Contains("rank 2"));
}
