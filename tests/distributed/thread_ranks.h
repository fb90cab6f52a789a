/// \file
/// Ranks that are threads of one process, for tests: as many as are wanted, without a launcher.
#pragma once

#include "hesse/core/parallel.h"
#include "hesse/distributed/ranks.h"

#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace hesse::test {

class ThreadCommunicator final : public Communicator {
 public:
  /// Where ranks show each other their messages.
  struct Board {
    explicit Board(int size) : messages(static_cast<std::size_t>(size)), counts(messages.size()), barrier(size) {}
    std::vector<const void*> messages;
    std::vector<std::span<const Index>> counts;
    std::barrier<> barrier;
  };

  ThreadCommunicator(std::shared_ptr<Board> board, int rank) : board_(std::move(board)), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(board_->messages.size()); }

  void all_gather(const void* mine, std::size_t bytes, void* all) override {
    board_->messages[at()] = mine;
    board_->barrier.arrive_and_wait();
    for (std::size_t r = 0; r < board_->messages.size(); ++r) {
      std::memcpy(static_cast<char*>(all) + r * bytes, board_->messages[r], bytes);
    }
    board_->barrier.arrive_and_wait();
  }

  void all_gather_parts(const double* mine, std::span<const Index> counts, double* all) override {
    board_->messages[at()] = mine;
    board_->barrier.arrive_and_wait();
    for (std::size_t r = 0; r < board_->messages.size(); ++r) {
      all = std::copy_n(static_cast<const double*>(board_->messages[r]), counts[r], all);
    }
    board_->barrier.arrive_and_wait();
  }

  void exchange(const double* send, std::span<const Index> send_counts, double* receive,
                std::span<const Index> receive_counts) override {
    board_->messages[at()] = send;
    board_->counts[at()] = send_counts;
    board_->barrier.arrive_and_wait();
    for (std::size_t r = 0; r < board_->messages.size(); ++r) {
      const double* from = static_cast<const double*>(board_->messages[r]);
      for (std::size_t s = 0; s < at(); ++s) from += board_->counts[r][s];
      receive = std::copy_n(from, receive_counts[r], receive);
    }
    board_->barrier.arrive_and_wait();
  }

  [[noreturn]] void abort(int) override { std::terminate(); }

 private:
  std::size_t at() const { return static_cast<std::size_t>(rank_); }
  std::shared_ptr<Board> board_;
  int rank_;
};

/// Runs body(ranks) on so many ranks. Each has to end by itself: an exception that leaves it ends the tests.
inline void on_ranks(int size, const std::function<void(std::shared_ptr<Ranks>)>& body) {
  set_threads(1);  // the ranks are the threads here
  const auto board = std::make_shared<ThreadCommunicator::Board>(size);
  std::vector<std::jthread> threads;
  for (int r = 0; r < size; ++r) {
    threads.emplace_back([&, r] { body(std::make_shared<Ranks>(std::make_unique<ThreadCommunicator>(board, r))); });
  }
}

}  // namespace hesse::test
