#include "hesse/distributed/mpi_communicator.h"

#include "hesse/core/error.h"
#include "hesse/distributed/ranks.h"

#include <cstdlib>

#if defined(HESSE_WITH_MPI)
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <sched.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>
#endif

namespace hesse {

bool started_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

#if defined(HESSE_WITH_MPI)

namespace {

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(std::function<bool()> told_to_end) : told_to_end_(std::move(told_to_end)) {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
      fail("MPI: it cannot begin; check that mpirun is of the MPI that hesse was built with");
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void all_gather(const void* mine, std::size_t bytes, void* all) override {
    const int count = count_of(static_cast<Index>(bytes));
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, MPI_COMM_WORLD, &request));
    wait(request);
  }

  void all_gather_parts(const double* mine, std::span<const Index> counts, double* all) override {
    lay_out(counts, counts_, offsets_);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgatherv(mine, counts_[static_cast<std::size_t>(rank_)], MPI_DOUBLE, all, counts_.data(),
                          offsets_.data(), MPI_DOUBLE, MPI_COMM_WORLD, &request));
    wait(request);
  }

  void exchange(const double* send, std::span<const Index> send_counts, double* receive,
                std::span<const Index> receive_counts) override {
    lay_out(send_counts, counts_, offsets_);
    lay_out(receive_counts, other_counts_, other_offsets_);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ialltoallv(send, counts_.data(), offsets_.data(), MPI_DOUBLE, receive, other_counts_.data(),
                         other_offsets_.data(), MPI_DOUBLE, MPI_COMM_WORLD, &request));
    wait(request);
  }

  [[noreturn]] void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  static int count_of(Index count) {
    if (count > std::numeric_limits<int>::max())
      fail("MPI: a message of {} numbers is longer than MPI can send", count);
    return static_cast<int>(count);
  }

  static void lay_out(std::span<const Index> counts, std::vector<int>& to, std::vector<int>& offsets) {
    to.clear();
    offsets.clear();
    Index sum = 0;
    for (const Index count : counts) {
      to.push_back(count_of(count));
      offsets.push_back(count_of(sum));
      sum += count;
    }
  }

  void check(int status) const {
    if (status == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(status, text, &length);
    throw RankFailure(fmt::format("rank {}: MPI: {}", rank_, text), 1, true);
  }

  /// Tests in turn with other processes, of which there may be more than processors.
  void wait(MPI_Request& request) const {
    constexpr int kSpins = 1000;
    constexpr int kYields = 100000;
    constexpr std::chrono::milliseconds kPatience(500);
    std::optional<std::chrono::steady_clock::time_point> told;
    for (std::int64_t spin = 0;; ++spin) {
      int done = 0;
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
      if (done != 0) return;
      if (spin < kSpins) continue;
      // After some milliseconds the others are busy with work of their own, such as plots, and want the processor.
      if (spin < kYields) {
        sched_yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
      if (spin % 64 != 0 || !told_to_end_ || !told_to_end_()) continue;
      const auto now = std::chrono::steady_clock::now();
      if (!told) told = now;
      if (now - *told > kPatience) {
        throw RankFailure(
            fmt::format("rank {}: told to end while it waited for another rank, which may be lost", rank_), 1, true);
      }
    }
  }

  std::function<bool()> told_to_end_;
  int rank_ = 0;
  int size_ = 1;
  std::vector<int> counts_;
  std::vector<int> offsets_;
  std::vector<int> other_counts_;
  std::vector<int> other_offsets_;
};

}  // namespace

bool has_mpi() { return true; }

std::unique_ptr<Communicator> join_mpi(std::function<bool()> told_to_end) {
  return std::make_unique<MpiCommunicator>(std::move(told_to_end));
}

int ranks_on_this_machine() {
  MPI_Comm machine = MPI_COMM_NULL;
  int size = 1;
  if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine) != MPI_SUCCESS) return size;
  MPI_Comm_size(machine, &size);
  MPI_Comm_free(&machine);
  return size;
}

#else

bool has_mpi() { return false; }

std::unique_ptr<Communicator> join_mpi(std::function<bool()>) {
  fail(
      "MPI: this hesse was built without it, and several copies would work against each other; install libopenmpi-dev "
      "and build again, or start it without mpirun");
}

int ranks_on_this_machine() { return 1; }

#endif

}  // namespace hesse
