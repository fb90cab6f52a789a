#include "hesse/report/folder_lock.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <memory>
#include <optional>

using namespace hesse;
using Catch::Matchers::Contains;
using test::ScratchFolder;

TEST_CASE("a folder is locked by one holder at a time whose number is in the message") {
  const ScratchFolder folder;
  auto first = std::make_unique<FolderLock>(folder / "sweep");
  CHECK(std::filesystem::is_empty(folder / "sweep"));
  CHECK_THROWS_WITH(FolderLock(folder / "sweep"), Contains(fmt::format("process {},", ::getpid())));
  const FolderLock other(folder / "another");
  first.reset();
  CHECK_NOTHROW(FolderLock(folder / "sweep"));
}

TEST_CASE("a folder stays locked while a child of a dead holder lives and no longer") {
  const ScratchFolder folder;
  int pipe_to_child[2];
  REQUIRE(::pipe(pipe_to_child) == 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const FolderLock lock(folder / "sweep");
    if (::fork() == 0) {
      // Lives until the pipe is closed.
      ::close(pipe_to_child[1]);
      char byte = 0;
      [[maybe_unused]] const auto count = ::read(pipe_to_child[0], &byte, 1);
      ::_exit(0);
    }
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(holder, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK_THROWS_WITH(FolderLock(folder / "sweep"), Contains(fmt::format("process {}", holder)));
  ::close(pipe_to_child[1]);
  ::close(pipe_to_child[0]);
  // The orphan ends by itself; it has a second.
  bool free = false;
  for (int i = 0; i < 1000 && !free; ++i) {
    try {
      const FolderLock lock(folder / "sweep");
      free = true;
    } catch (const Error&) {
      ::usleep(1000);
    }
  }
  CHECK(free);
}
