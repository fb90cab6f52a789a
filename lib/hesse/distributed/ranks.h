/// \file
/// Processes that run in step: every rank executes the same program on the same numbers, and they meet wherever a sum
/// over samples is shared. Each meeting begins with a greeting of 56 bytes from every rank to every other, which says
/// what the rank is about to do, on which numbers, and whether it can. So
///
///   - an error on one rank is thrown on all, at the same place;
///   - a rank that has ended is noticed by all others at their next meeting, and nobody waits for ever;
///   - ranks that no longer do the same (another branch, another bit) are told apart instead of adding up nonsense.
#pragma once

#include "hesse/core/error.h"
#include "hesse/distributed/communicator.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hesse {

/// What a rank sends to every other at each meeting.
inline constexpr std::size_t kGreetingBytes = 56;

/// The ranks cannot go on together. Not an error of the input: whatever was being run ends, and is continued from its
/// last checkpoint.
class RankFailure : public Error {
 public:
  /// `code` is the exit code that all ranks end with. `alone`: the others could not be told, and may not be there.
  RankFailure(const std::string& what, int code, bool alone) : Error(what), code_(code), alone_(alone) {}
  int code() const { return code_; }
  bool alone() const { return alone_; }

 private:
  int code_;
  bool alone_;
};

/// The ranks of this run.
class Ranks {
 public:
  explicit Ranks(std::unique_ptr<Communicator> communicator);

  int rank() const { return communicator_->rank(); }
  int size() const { return communicator_->size(); }
  Communicator& communicator() { return *communicator_; }

  /// Runs work() on every rank and then meets. Returns when every rank has done it. Where it threw on some ranks, all
  /// throw with the text of the lowest of them (which is named unless all threw): Error where it was one, and
  /// std::runtime_error where the machine failed, its memory being spent, so that nobody takes that for bad input.
  /// Throws RankFailure when a rank is elsewhere: at other work, at numbers with another fingerprint, or at its end.
  /// `what`: at most 23 letters.
  void together(const char* what, std::uint64_t fingerprint, const std::function<void()>& work);

  /// The number, or text, that rank 0 has.
  double of_first(double number);
  std::string of_first(const std::string& text);
  /// The largest of the ranks' numbers.
  double largest(double mine);
  /// Every rank's text, of which the first 1023 bytes go. No greeting comes before: for use right after together().
  std::vector<std::string> all_texts(const std::string& mine);

  /// How all ranks have ended.
  struct Ending {
    int code = 0;
    std::string text;  ///< what went wrong; empty where it is nothing, or has been said
  };
  /// The last meeting: every rank tells how it has ended, and all end alike, with rank 0's code and text, or, where
  /// those are fine, the ones of the lowest rank that has others. Ranks that are still at work get a RankFailure.
  Ending leave(const Ending& mine);
  /// Waits until every rank has come here after leave(): rank 0 says its word before, since a launcher may end all
  /// ranks with the first that exits.
  void wait_for_all();

 private:
  struct Greeting;
  std::vector<Greeting> greet(const Greeting& mine);
  double meet(const char* what, std::uint64_t fingerprint, double number, const std::string* trouble,
              bool of_machine = false, bool largest = false);
  [[noreturn]] void part(const std::string& why, int code);

  std::unique_ptr<Communicator> communicator_;
  bool parted_ = false;
};

/// One rank, alone.
std::shared_ptr<Ranks> one_rank();

/// A number that differs, most likely, where the vectors do: of every 61st entry, from the one that `turn` says on, so
/// that 61 turns look at all.
std::uint64_t fingerprint(const double* entries, Index n, std::uint64_t turn);

}  // namespace hesse
