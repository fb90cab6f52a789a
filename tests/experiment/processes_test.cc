#include "hesse/experiment/processes.h"

#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <sched.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

using namespace hesse;
using Catch::Matchers::Contains;
using test::ScratchFolder;

namespace {

std::map<std::size_t, ProcessEnd> run_all(const std::vector<std::string>& scripts, std::size_t workers) {
  std::map<std::size_t, ProcessEnd> ends;
  ProcessHooks hooks;
  hooks.command = [&](std::size_t job) { return std::vector<std::string>{"/bin/sh", "-c", scripts[job]}; };
  hooks.ended = [&](std::size_t job, const ProcessEnd& end) { ends[job] = end; };
  CHECK(run_processes(scripts.size(), workers, hooks));
  return ends;
}

}  // namespace

TEST_CASE("Programs that end badly say how and do not stop the others") {
  const auto ends =
      run_all({"exit 0", "echo first >&2; echo last line >&2; exit 7", "kill -9 $$", "echo out; exit 0"}, 2);
  REQUIRE(ends.size() == 4);
  CHECK(ends.at(0).exit_code == 0);
  CHECK(ends.at(1).exit_code == 7);
  CHECK(ends.at(1).last_line == "last line");
  CHECK(ends.at(1).text() == "ended with exit code 7: last line");
  CHECK(ends.at(2).signal == SIGKILL);
  CHECK(ends.at(2).text() == "killed by signal 9 (Killed)");
  CHECK(ends.at(3).exit_code == 0);
}

TEST_CASE("A program that cannot be started has ended with 127") {
  ProcessHooks hooks;
  ProcessEnd seen;
  hooks.command = [](std::size_t) { return std::vector<std::string>{"/nowhere/at/all"}; };
  hooks.ended = [&](std::size_t, const ProcessEnd& end) { seen = end; };
  CHECK(run_processes(1, 1, hooks));
  CHECK(seen.exit_code == 127);
}

TEST_CASE("Shares of processors are disjoint and hold all of them while there are enough") {
  cpu_set_t set;
  REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
  const auto all = static_cast<std::size_t>(CPU_COUNT(&set));
  for (std::size_t workers = 1; workers <= all; ++workers) {
    const auto shares = processor_shares(workers);
    REQUIRE(shares.size() == workers);
    std::set<int> seen;
    std::size_t least = all;
    std::size_t most = 0;
    for (const auto& share : shares) {
      seen.insert(share.begin(), share.end());
      least = std::min(least, share.size());
      most = std::max(most, share.size());
    }
    CHECK(seen.size() == all);
    CHECK(most - least <= 1);
  }
  for (const auto& share : processor_shares(3 * all)) CHECK(share.size() == 1);
}

TEST_CASE("A program runs on its share of the processors alone") {
  const ScratchFolder folder;
  const auto shares = processor_shares(1);
  ProcessHooks hooks;
  hooks.command = [&](std::size_t) {
    return std::vector<std::string>{"/bin/sh", "-c",
                                    "env -u OMP_NUM_THREADS nproc > '" + (folder / "count").string() + "'"};
  };
  CHECK(run_processes(1, 1, hooks));
  CHECK(std::stoul(read_file(folder / "count")) == shares.front().size());
  const std::size_t many = 2 * shares.front().size();
  CHECK(run_processes(1, many, hooks));
  CHECK(std::stoul(read_file(folder / "count")) == 1);
}

TEST_CASE("An interrupt ends what runs and starts nothing more") {
  ProcessHooks hooks;
  int started = 0;
  std::vector<int> signals;
  hooks.command = [](std::size_t) { return std::vector<std::string>{"/bin/sleep", "600"}; };
  hooks.started = [&](std::size_t) { ++started; };
  hooks.ended = [&](std::size_t, const ProcessEnd& end) { signals.push_back(end.signal); };
  hooks.interrupted = [&] { return started == 2; };
  CHECK_FALSE(run_processes(5, 2, hooks));
  CHECK(started == 2);
  CHECK(signals == std::vector<int>{SIGTERM, SIGTERM});
}
