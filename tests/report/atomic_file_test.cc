#include "hesse/report/atomic_file.h"

#include "hesse/core/error.h"
#include "report/scratch.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <fstream>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

/// Files may not grow beyond this many bytes while it lives, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("a file written whole reads back to the same bytes, of any size") {
  const ScratchFolder scratch;
  const std::size_t size = GENERATE(0u, 1u, 2u, 3u, 10u, 50u, 100'000u);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 37);
  write_file(scratch / "file", bytes);
  CHECK(read_file(scratch / "file") == bytes);
  CHECK(scratch.count() == 1);
}

TEST_CASE("until it is committed a new version leaves the old file as it was, and nothing else behind") {
  const ScratchFolder scratch;
  write_file(scratch / "file", "old");
  {
    AtomicFile file(scratch / "file");
    file.write("new");
    CHECK(read_file(scratch / "file") == "old");
    CHECK(scratch.count() == 2);
  }
  CHECK(read_file(scratch / "file") == "old");
  CHECK(scratch.count() == 1);
  write_file(scratch / "file", "new");
  CHECK(read_file(scratch / "file") == "new");
}

TEST_CASE("a disk that fills up while a file is written leaves the old file and no temporary") {
  const ScratchFolder scratch;
  write_file(scratch / "file", "old");
  {
    const FileSizeLimit limit(1000);
    CHECK_THROWS_AS(write_file(scratch / "file", std::string(5000, 'x')), WriteError);
    CHECK_THROWS_WITH(write_file(scratch / "file", std::string(5000, 'x')),
                      Contains("file: cannot write the file") && Contains("too large"));
  }
  CHECK(read_file(scratch / "file") == "old");
  CHECK(scratch.count() == 1);
}

TEST_CASE("folders that are missing, that are files, or that cannot be written are named with what to do") {
  const ScratchFolder scratch;
  CHECK_THROWS_WITH(write_file(scratch / "missing/file", "x"),
                    Contains("missing/file") && Contains("create the folder"));
  write_file(scratch / "plain", "x");
  CHECK_THROWS_WITH(write_file(scratch / "plain/file", "x"), Contains("plain/file") && Contains("create the folder"));
  CHECK_THROWS_AS(write_file("/proc/file", "x"), WriteError);
  CHECK_THROWS_WITH(create_folders(scratch / "plain/folder"),
                    Contains("plain/folder") && Contains("cannot create the folder"));
  create_folders(scratch / "folder");
  create_folders(scratch / "folder");
  CHECK_THROWS_WITH(write_file(scratch / "folder", "x"), Contains("rename"));
  CHECK(scratch.count() == 2);
}

TEST_CASE("a pipe or a device is neither replaced by a file nor waited for") {
  const ScratchFolder scratch;
  REQUIRE(::mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/null", scratch / "device");
  for (const char* name : {"pipe", "device"}) {
    CHECK_THROWS_AS(write_file(scratch / name, "x"), WriteError);
    CHECK_THROWS_WITH(write_file(scratch / name, "x"), Contains(name) && Contains("name a file"));
  }
  CHECK(std::filesystem::is_fifo(scratch / "pipe"));
  CHECK(std::filesystem::is_symlink(scratch / "device"));
  CHECK_THROWS_WITH(read_file(scratch / "pipe"), Contains("found a pipe"));
  CHECK(scratch.count() == 2);
}

TEST_CASE("a link that lies in the way of a file is replaced and what it leads to stays") {
  const ScratchFolder scratch;
  write_file(scratch / "theirs", "theirs");
  std::filesystem::create_symlink("theirs", scratch / "run.json");
  // Under the names of the temporary files of the next writers too.
  const auto name = [&](int i) { return scratch / fmt::format(".run.json.{}-{}.partial", ::getpid(), i); };
  for (int i = 0; i < 1000; ++i) std::filesystem::create_symlink("theirs", name(i));
  write_file(scratch / "run.json", "ours");
  CHECK(read_file(scratch / "theirs") == "theirs");
  CHECK(read_file(scratch / "run.json") == "ours");
  CHECK(!std::filesystem::is_symlink(scratch / "run.json"));
}

TEST_CASE("reading refuses what is missing, a folder, and more bytes than allowed") {
  const ScratchFolder scratch;
  CHECK_THROWS_WITH(read_file(scratch / "none"), Contains("none") && Contains("No such file"));
  CHECK_THROWS_WITH(read_file(scratch.path()), Contains("found a folder"));
  write_file(scratch / "file", "123456");
  CHECK_THROWS_WITH(read_file(scratch / "file", 5), Contains("limit of 5"));
  CHECK(read_file(scratch / "file", 6) == "123456");
  CHECK_THROWS_WITH(read_file("/dev/zero", 1000), Contains("limit of 1000"));
}

TEST_CASE("what a killed writer left is cleared away, and nothing else") {
  const ScratchFolder scratch;
  std::ofstream(scratch / ".file.123-0.partial") << "x";
  write_file(scratch / "file.partial", "kept");
  remove_partial_files(scratch.path());
  CHECK(scratch.count() == 1);
  CHECK(read_file(scratch / "file.partial") == "kept");
  remove_partial_files(scratch / "missing");
}
