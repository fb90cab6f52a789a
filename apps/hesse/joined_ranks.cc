#include "joined_ranks.h"

#include "run_options.h"

#include "hesse/core/clock.h"
#include "hesse/core/parallel.h"
#include "hesse/distributed/distributed_objective.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/report/writing.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

namespace hesse::app {
namespace {

struct Joined {
  std::shared_ptr<Ranks> ranks = one_rank();
  bool mpi = false;
  int error_output = STDERR_FILENO;  ///< where this rank's last words go
};

Joined& joined() {
  static Joined state;
  return state;
}

/// Every call is a meeting, for which the ranks have to be at the same place.
double clock_of_first() {
  set_decision_clock({});
  const double mine = decision_clock();
  set_decision_clock(clock_of_first);
  return joined().ranks->of_first(mine);
}

void fall_silent() {
  joined().error_output = ::dup(STDERR_FILENO);
  if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr) {
    fail("rank {}: /dev/null cannot be opened", joined().ranks->rank());
  }
  write_no_records();
}

}  // namespace

void join_ranks() {
  if (!started_by_mpi()) return;
  Joined& state = joined();
  state.ranks = std::make_shared<Ranks>(join_mpi(interrupted));
  state.mpi = true;
  if (state.ranks->rank() > 0) fall_silent();
  if (state.ranks->size() > 1) set_decision_clock(clock_of_first);
  // Where the launcher has not given every rank processors of its own.
  const int here = ranks_on_this_machine();
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  if (here > 1 && threads() * here > processors) set_threads(std::max(1, processors / here));
}

Ranks& ranks() { return *joined().ranks; }

bool under_mpi() { return joined().mpi; }

Index chunks_for_ranks() {
  if (!under_mpi()) return 0;
  return std::max<Index>(SharingOptions{}.chunks,
                         static_cast<Index>(std::bit_ceil(static_cast<unsigned>(ranks().size()))));
}

ShareNetwork sharing(Index chunks) {
  if (chunks == 0) return {};
  SharingOptions options;
  options.chunks = chunks;
  return
      [ranks = joined().ranks, options](const MakeNetwork& make) { return distributed_network(make, ranks, options); };
}

int leave_ranks(int code, const std::string& text, bool lost) {
  Joined& state = joined();
  if (lost) {
    // The launcher may be about to end this process: the line comes first.
    ::dprintf(state.error_output, "hesse: %s\n", text.c_str());
    ranks().communicator().abort(code);
  }
  Ranks::Ending ending{code, text};
  try {
    ending = ranks().leave(ending);
    if (!ending.text.empty()) fmt::print(stderr, "hesse: {}\n", ending.text);
    std::fflush(stderr);
    ranks().wait_for_all();
  } catch (const RankFailure& e) {
    leave_ranks(e.code(), e.what(), true);
  }
  // MPI is left before the objects that it may still call go.
  if (state.mpi) {
    set_decision_clock({});
    state.ranks.reset();
  }
  return ending.code;
}

}  // namespace hesse::app
