#include "hesse/distributed/cost_model.h"

#include "distributed/thread_ranks.h"

#include "hesse/core/error.h"
#include "hesse/distributed/chunk_tree.h"
#include "hesse/distributed/work_split.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <exception>

using namespace hesse;

namespace {

/// Counts the bytes that go to other ranks.
class CountingCommunicator final : public Communicator {
 public:
  CountingCommunicator(std::unique_ptr<Communicator> inner, double& bytes) : inner_(std::move(inner)), bytes_(bytes) {}
  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  void all_gather(const void* mine, std::size_t bytes, void* all) override { inner_->all_gather(mine, bytes, all); }
  void all_gather_parts(const double* mine, std::span<const Index> counts, double* all) override {
    bytes_ += 8.0 * static_cast<double>(counts[static_cast<std::size_t>(rank())] * (size() - 1));
    inner_->all_gather_parts(mine, counts, all);
  }
  void exchange(const double* send, std::span<const Index> send_counts, double* receive,
                std::span<const Index> receive_counts) override {
    for (int r = 0; r < size(); ++r) {
      if (r != rank()) bytes_ += 8.0 * static_cast<double>(send_counts[static_cast<std::size_t>(r)]);
    }
    inner_->exchange(send, send_counts, receive, receive_counts);
  }
  [[noreturn]] void abort(int) override { std::terminate(); }

 private:
  std::unique_ptr<Communicator> inner_;
  double& bytes_;
};

}  // namespace

TEST_CASE("the model's volume of a sum is what is sent") {
  // A multiple of all numbers of ranks below, so that segments are equal.
  constexpr Index n = 5040;
  for (const Index chunks : {1, 8, 64}) {
    for (int size = 2; size <= 9; ++size) {
      const auto board = std::make_shared<test::ThreadCommunicator::Board>(size);
      std::vector<double> bytes(static_cast<std::size_t>(size), 0.0);
      {
        std::vector<std::jthread> threads;
        for (int r = 0; r < size; ++r) {
          threads.emplace_back([&, r] {
            Ranks ranks(std::make_unique<CountingCommunicator>(std::make_unique<test::ThreadCommunicator>(board, r),
                                                               bytes[static_cast<std::size_t>(r)]));
            TreeSum mine;
            mine.begin(n);
            const Range own = chunks_of(r, size, chunks);
            for (Index c = own.begin; c < own.end; ++c) {
              std::fill_n(mine.next(), n, 1.0);
              mine.add({0, c});
            }
            std::vector<double> out(n);
            RankSum().total(ranks, chunks, mine, out.data());
          });
        }
      }
      INFO(chunks << " chunks, " << size << " ranks");
      CHECK(*std::max_element(bytes.begin(), bytes.end()) == Approx(bytes_of_a_sum(n, chunks, size)).epsilon(1e-14));
    }
  }
}

TEST_CASE("the model's volume of split tasks is what is sent") {
  // Of unlike lengths, so that results lie across segments.
  const std::vector<TaskWork> tasks = {{900, 97}, {800, 400}, {20, 11}, {500, 1}, {500, 230}, {100, 60}};
  for (int size = 2; size <= 9; ++size) {
    const auto board = std::make_shared<test::ThreadCommunicator::Board>(size);
    std::vector<double> bytes(static_cast<std::size_t>(size), 0.0);
    {
      std::vector<std::jthread> threads;
      for (int r = 0; r < size; ++r) {
        threads.emplace_back([&, r] {
          Ranks ranks(std::make_unique<CountingCommunicator>(std::make_unique<test::ThreadCommunicator>(board, r),
                                                             bytes[static_cast<std::size_t>(r)]));
          struct Numbers final : SharedTasks {
            explicit Numbers(const std::vector<TaskWork>& t) : tasks(t) {
              for (const TaskWork& task : t) vectors.push_back(Vector::Zero(task.numbers));
            }
            Index count() const override { return std::ssize(tasks); }
            double cost(Index i) const override { return tasks[static_cast<std::size_t>(i)].flops; }
            void run(Index i) override { vectors[static_cast<std::size_t>(i)].setOnes(); }
            void show_results(Index i, Results& results) override { results.add(vectors[static_cast<std::size_t>(i)]); }
            const std::vector<TaskWork>& tasks;
            std::vector<Vector> vectors;
          } numbers(tasks);
          WorkSplit(0).share(ranks, numbers);
          for (const Vector& v : numbers.vectors) {
            if (v.sum() != static_cast<double>(v.size())) std::terminate();
          }
        });
      }
    }
    CHECK(*std::max_element(bytes.begin(), bytes.end()) == bytes_of_results(tasks, size));
  }
}

TEST_CASE("the model is its formula on one rank and on four") {
  StepWork work{.samples = 6400,
                .flops_a_sample = 1e6,
                .numbers = 2000000,
                .sums = 2,
                .meetings = 3,
                .chunk_seconds = 1e-3,
                .replicated_seconds = 0.5,
                .tasks = {{4e9, 1000}, {1e9, 1000}, {1e9, 1000}, {1e9, 1000}, {1e9, 1000}},
                .refreshes = 0.1};
  SharingOptions options{.least_samples = 64};
  RankMachine machine{.flops_per_second = 1e10,
                      .task_flops_per_second = 1e9,
                      .memory_bandwidth = 2.4e10,
                      .latency = 1e-6,
                      .overhead = 1e-7,
                      .bandwidth = 1e9};
  // 64 chunks of 100 samples, each 0.01 s and 0.001 s of its own.
  const StepCost one = predict_step(work, machine, 1, options);
  CHECK(one.compute == Approx(64 * 0.011));
  CHECK(one.tasks == Approx(0.8));
  CHECK(one.replicated == 0.5);
  CHECK(one.messages == 0);
  CHECK(one.volume == 0);
  CHECK(one.additions == Approx((63 + 2.0 / 3) * 2e-3));
  const StepCost four = predict_step(work, machine, 4, options);
  CHECK(four.compute == Approx(16 * 0.011));
  CHECK(four.tasks == Approx(0.4));
  CHECK(four.replicated == 0.5);
  CHECK(four.messages == Approx((2 * 2 + 3 + 0.3) * (1e-6 + 3e-7)));
  // Results lie in the order of ranks: 1000, 2000, 1000, 1000. The second rank has 1000 to 3000, of which 1250 to 2500
  // are its segment.
  CHECK(four.volume == Approx((2 * 16e6 * 0.75 + 3 * 56 * 3 + 0.1 * 8 * (750 + 3 * 1250)) / 1e9));
  CHECK(four.additions == Approx((15 + 1 + 2.0 / 3) * 2e-3));
  options.split_above = 1e12;
  CHECK(predict_step(work, machine, 4, options).tasks == Approx(0.8));
  CHECK(predict_step(work, machine, 4, options).volume == Approx((2 * 16e6 * 0.75 + 3 * 56 * 3) / 1e9));
  // Beyond the chunks, ranks have nothing to do.
  CHECK(predict_step(work, machine, 512, options).compute == Approx(0.011));
  CHECK_THROWS_AS(predict_step(work, machine, 0), Error);
}

TEST_CASE("a machine without a rate and work without a sample cannot be predicted") {
  StepWork work;
  CHECK_THROWS_WITH(predict_step(work, {}, 2), Catch::Contains("2 ranks and 0 samples"));
  work.samples = 10;
  CHECK_NOTHROW(predict_step(work, {}, 2));
  RankMachine still;
  still.bandwidth = 0;
  CHECK_THROWS_WITH(predict_step(work, still, 2), Catch::Contains("the rates of a machine have to be positive"));
}
