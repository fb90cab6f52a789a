/// \file
/// What the tests of the readers share: a folder of their own, and the check that a bad file is refused properly.
#pragma once

#include "hesse/core/error.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <catch2/catch.hpp>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

namespace hesse::test {

/// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hesse-data-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("{}: cannot be made", pattern);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string path(std::string_view name) const { return (path_ / name).string(); }
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

/// Gzip by zlib's own one-shot interface.
inline std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) fail("zlib did not start");
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) fail("zlib did not finish");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A number's bytes, most significant first or last.
template <class Bits>
std::string bytes_of(Bits bits, bool big_endian) {
  std::string out;
  for (std::size_t b = 0; b < sizeof(Bits); ++b) {
    const std::size_t shift = 8 * (big_endian ? sizeof(Bits) - 1 - b : b);
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(bits) >> shift) & 0xFFU));
  }
  return out;
}

inline std::string big(std::uint32_t x) { return bytes_of(x, true); }

/// Caps what the process may map to 256 MiB more than now, so that a reader which believes a header fails with
/// std::bad_alloc. Under a sanitizer, whose shadow memory counts too, it does nothing.
class MemoryCap {
 public:
  MemoryCap() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit now = before_;
    now.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (std::size_t{256} << 20U);
    ::setrlimit(RLIMIT_AS, &now);
    capped_ = true;
#endif
  }
  MemoryCap(const MemoryCap&) = delete;
  MemoryCap& operator=(const MemoryCap&) = delete;
  ~MemoryCap() {
    if (capped_) ::setrlimit(RLIMIT_AS, &before_);
  }

 private:
  rlimit before_ = {};
  bool capped_ = false;
};

/// The text of the Error that `read` throws, which must be one line that names the file and, after a semicolon, what to
/// do. Any other outcome fails the test.
inline std::string refusal(const std::string& path, const std::function<void()>& read) {
  INFO(path);
  std::string message;
  try {
    const MemoryCap cap;
    read();
  } catch (const Error& error) {
    message = error.what();
  }
  INFO(message);
  CHECK_FALSE(message.empty());
  CHECK(message.find(path) != std::string::npos);
  CHECK(message.find("; ") != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.find('\0') == std::string::npos);
  CHECK(message.size() < path.size() + 260);
  return message;
}

/// What no reader may accept or wait for, whatever its format: 5 cases.
inline void check_special_files(const TemporaryFolder& folder, const std::function<void(const std::string&)>& read) {
  const auto refused = [&](const std::string& path) { return refusal(path, [&] { read(path); }); };
  CHECK_THAT(refused(folder.path("missing")), Catch::Contains("cannot be opened"));
  CHECK_THAT(refused(folder.write("empty", "")), Catch::Contains("is empty"));
  std::filesystem::create_directory(folder.path("folder"));
  CHECK_THAT(refused(folder.path("folder")), Catch::Contains("is a folder"));
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK_THAT(refused(folder.path("fifo")), Catch::Contains("pipe"));
  const std::string closed = folder.write("closed", "1,2\n");
  ::chmod(closed.c_str(), 0);
  if (::access(closed.c_str(), R_OK) != 0) CHECK_THAT(refused(closed), Catch::Contains("cannot be opened"));
  CHECK_THAT(refused(folder.write("cut.gz", gzip("some text that is cut").substr(0, 24))), Catch::Contains("cut.gz"));
}

}  // namespace hesse::test
