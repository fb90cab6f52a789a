#include "hesse/distributed/ranks.h"

#include "hesse/core/failure_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

namespace hesse {
namespace {

constexpr std::size_t kTextBytes = 1024;
constexpr const char* kEnd = "the end";

/// Whose fault trouble is: of what was asked for, or of the machine (memory, threads).
enum Trouble : std::int64_t { kNone, kOfInput, kOfMachine };

}  // namespace

/// What a rank says at a meeting. Plain bytes: every rank runs the same program on the same kind of machine.
struct Ranks::Greeting {
  std::array<char, 24> what{};
  std::uint64_t fingerprint = 0;
  double number = 0;
  std::int64_t code = 0;
  std::int64_t trouble = 0;

  bool at_end() const { return std::strcmp(what.data(), kEnd) == 0; }
};

Ranks::Ranks(std::unique_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

std::vector<Ranks::Greeting> Ranks::greet(const Greeting& mine) {
  std::vector<Greeting> all(static_cast<std::size_t>(size()));
  communicator_->all_gather(&mine, sizeof mine, all.data());
  return all;
}

void Ranks::part(const std::string& why, int code) {
  parted_ = true;
  throw RankFailure(why, code, false);
}

double Ranks::meet(const char* what, std::uint64_t fingerprint, double number, const std::string* trouble,
                   bool of_machine, bool largest) {
  if (parted_) throw RankFailure("the ranks have parted already", 1, false);
  static_assert(sizeof(Greeting) == kGreetingBytes);
  Greeting mine;
  std::strncpy(mine.what.data(), what, mine.what.size() - 1);
  mine.fingerprint = fingerprint;
  mine.number = number;
  mine.trouble = trouble == nullptr ? kNone : of_machine ? kOfMachine : kOfInput;
  const std::vector<Greeting> all = greet(mine);

  // Every rank sees the same greetings, so all take the same of the ways below.
  const auto ended = std::find_if(all.begin(), all.end(), [](const Greeting& g) { return g.at_end(); });
  const auto in_trouble = std::find_if(all.begin(), all.end(), [](const Greeting& g) { return g.trouble != 0; });
  if (ended != all.end() || in_trouble != all.end()) {
    const std::vector<std::string> texts = all_texts(trouble != nullptr ? *trouble : "");
    if (ended != all.end()) {
      const auto r = static_cast<std::size_t>(ended - all.begin());
      const int code = ended->code != 0 ? static_cast<int>(ended->code) : 1;
      part(texts[r].empty() ? fmt::format("rank {} has ended while the others are at work", r)
                            : fmt::format("rank {}: {}", r, texts[r]),
           code);
    }
    const auto r = static_cast<std::size_t>(in_trouble - all.begin());
    const bool all_the_same = std::all_of(texts.begin(), texts.end(), [&](const auto& t) { return t == texts[r]; });
    const std::string text = all_the_same ? texts[r] : fmt::format("rank {}: {}", r, texts[r]);
    if (in_trouble->trouble == kOfMachine) throw std::runtime_error(text);
    throw Error(text);
  }
  for (std::size_t r = 1; r < all.size(); ++r) {
    if (all[r].what != all[0].what) {
      part(fmt::format("the ranks have parted: rank 0 is at '{}', rank {} at '{}'", all[0].what.data(), r,
                       all[r].what.data()),
           1);
    }
    if (all[r].fingerprint != all[0].fingerprint) {
      part(fmt::format("the ranks have parted: ranks 0 and {} have different numbers at '{}'; are their processors of "
                       "one kind?",
                       r, all[0].what.data()),
           1);
    }
  }
  if (!largest) return all[0].number;
  return std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.number < b.number; })
      ->number;
}

void Ranks::together(const char* what, std::uint64_t fingerprint, const std::function<void()>& work) {
  if (size() == 1) return work();
  std::string trouble;
  bool failed = true;
  bool of_machine = true;
  try {
    work();
    failed = false;
  } catch (const RankFailure&) {
    throw;
  } catch (const Error& e) {
    trouble = e.what();
    of_machine = false;
  } catch (const std::exception& e) {
    trouble = failure_text(e);
  }
  meet(what, fingerprint, 0, failed ? &trouble : nullptr, of_machine);
}

double Ranks::of_first(double number) { return size() == 1 ? number : meet("a number", 0, number, nullptr); }

double Ranks::largest(double mine) { return size() == 1 ? mine : meet("a maximum", 0, mine, nullptr, false, true); }

std::string Ranks::of_first(const std::string& text) {
  if (size() == 1) return text;
  meet("a text", 0, 0, nullptr);
  return all_texts(text).front();
}

std::vector<std::string> Ranks::all_texts(const std::string& mine) {
  std::array<char, kTextBytes> sent{};
  std::copy_n(mine.data(), std::min(mine.size(), kTextBytes - 1), sent.data());
  std::vector<char> received(kTextBytes * static_cast<std::size_t>(size()));
  communicator_->all_gather(sent.data(), kTextBytes, received.data());
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < static_cast<std::size_t>(size()); ++r)
    texts.emplace_back(received.data() + r * kTextBytes);
  return texts;
}

Ranks::Ending Ranks::leave(const Ending& mine) {
  if (size() == 1 || parted_) return mine;
  Greeting greeting;
  std::strncpy(greeting.what.data(), kEnd, greeting.what.size() - 1);
  greeting.code = mine.code;
  greeting.trouble = mine.text.empty() ? 0 : 1;
  const std::vector<Greeting> all = greet(greeting);
  const bool quiet = std::none_of(all.begin(), all.end(), [](const Greeting& g) { return g.trouble != 0; });
  const bool all_at_end = std::all_of(all.begin(), all.end(), [](const Greeting& g) { return g.at_end(); });
  if (!all_at_end) parted_ = true;
  std::vector<std::string> texts(all.size());
  // Those who are still at work ask for the texts whenever somebody is at the end.
  if (!quiet || !all_at_end) texts = all_texts(mine.text);
  Ending ending;
  for (std::size_t r = 0; r < all.size() && ending.code == 0; ++r) {
    if (!all[r].at_end()) continue;
    ending.code = static_cast<int>(all[r].code);
    if (ending.code != 0 && !texts[r].empty())
      ending.text = r == 0 ? texts[r] : fmt::format("rank {}: {}", r, texts[r]);
  }
  if (!all_at_end && ending.code == 0) ending.code = 1;
  return ending;
}

void Ranks::wait_for_all() {
  if (size() == 1) return;
  const char here = 0;
  std::vector<char> all(static_cast<std::size_t>(size()));
  communicator_->all_gather(&here, 1, all.data());
}

std::shared_ptr<Ranks> one_rank() { return std::make_shared<Ranks>(single_rank()); }

std::uint64_t fingerprint(const double* entries, Index n, std::uint64_t turn) {
  constexpr Index kStride = 61;
  // Multiplication by the golden ratio and a shift: Fibonacci hashing (Knuth, volume 3, section 6.4).
  std::uint64_t hash = static_cast<std::uint64_t>(n) + turn;
  const auto mix = [&](double entry) {
    hash = (hash ^ std::bit_cast<std::uint64_t>(entry)) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29U;
  };
  // Short vectors are read from their first entry too.
  if (n > 0 && n <= kStride) mix(entries[0]);
  for (auto i = static_cast<Index>(turn % kStride); i < n; i += kStride) mix(entries[i]);
  return hash;
}

}  // namespace hesse
