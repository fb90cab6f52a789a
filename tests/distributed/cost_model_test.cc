#include "hesse/distributed/cost_model.h"

#include "distributed/thread_ranks.h"

#include "hesse/core/error.h"
#include "hesse/distributed/chunk_tree.h"

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

TEST_CASE("the model is its formula on one rank and on four") {
  StepWork work{.samples = 6400,
                .flops_a_sample = 1e6,
                .numbers = 1000000,
                .sums = 2,
                .meetings = 3,
                .chunk_seconds = 1e-3,
                .replicated_seconds = 0.5};
  RankMachine machine{
      .flops_per_second = 1e10, .memory_bandwidth = 2.4e10, .latency = 1e-6, .overhead = 1e-7, .bandwidth = 1e9};
  // 64 chunks of 100 samples, each 0.01 s and 0.001 s of its own.
  const StepCost one = predict_step(work, machine, 1);
  CHECK(one.compute == Approx(64 * 0.011));
  CHECK(one.replicated == 0.5);
  CHECK(one.messages == 0);
  CHECK(one.volume == 0);
  CHECK(one.additions == Approx(2 * 63 * 1e-3));
  const StepCost four = predict_step(work, machine, 4);
  CHECK(four.compute == Approx(16 * 0.011));
  CHECK(four.replicated == 0.5);
  CHECK(four.messages == Approx(7 * (1e-6 + 3e-7)));
  CHECK(four.volume == Approx((2 * 2 * 8e6 * 0.75 + 3 * 56 * 3) / 1e9));
  CHECK(four.additions == Approx(2 * (15 + 1) * 1e-3));
  // Beyond the chunks, ranks have nothing to do.
  CHECK(predict_step(work, machine, 512).compute == Approx(0.011));
  CHECK_THROWS_AS(predict_step(work, machine, 0), Error);
}
