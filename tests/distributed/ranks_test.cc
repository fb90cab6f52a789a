#include "hesse/distributed/ranks.h"

#include "distributed/thread_ranks.h"

#include "hesse/core/types.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

/// What each rank's call threw: its text, after "lost: " for a RankFailure and after "machine: " for what is no Error;
/// empty for nothing.
std::vector<std::string> thrown(int size, const std::function<void(Ranks&)>& call) {
  std::vector<std::string> texts(static_cast<std::size_t>(size));
  test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
    std::string& text = texts[static_cast<std::size_t>(ranks->rank())];
    try {
      call(*ranks);
    } catch (const RankFailure& e) {
      text = std::string("lost: ") + e.what();
    } catch (const Error& e) {
      text = e.what();
    } catch (const std::exception& e) {
      text = std::string("machine: ") + e.what();
    }
  });
  return texts;
}

}  // namespace

TEST_CASE("an error on one rank is thrown on all with the rank named") {
  for (const int failing : {0, 1, 2}) {
    const auto texts = thrown(3, [&](Ranks& ranks) {
      ranks.together("work", 0, [&] {
        if (ranks.rank() == failing) fail("the data of sample 7 is bad");
      });
    });
    for (const std::string& text : texts) CHECK(text == fmt::format("rank {}: the data of sample 7 is bad", failing));
  }
}

TEST_CASE("an error that all ranks meet is thrown as on one") {
  for (const std::string& text : thrown(3, [](Ranks& ranks) { ranks.together("work", 0, [] { fail("no"); }); })) {
    CHECK(text == "no");
  }
}

TEST_CASE("want of memory or threads on one rank is thrown on all and not as bad input") {
  const auto texts = thrown(2, [](Ranks& ranks) {
    ranks.together("work", 0, [&] {
      if (ranks.rank() == 1) throw std::bad_alloc();
    });
  });
  for (const std::string& text : texts) CHECK_THAT(text, Contains("machine: rank 1: out of memory"));
  for (const std::string& text : thrown(3, [](Ranks& ranks) {
         ranks.together("work", 0, [&] {
           if (ranks.rank() == 2)
             throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
         });
       })) {
    CHECK_THAT(text, Contains("machine: rank 2: "));
  }
}

TEST_CASE("after an error on one rank all go on together") {
  const auto texts = thrown(3, [](Ranks& ranks) {
    try {
      ranks.together("work", 0, [&] {
        if (ranks.rank() == 1) fail("once");
      });
    } catch (const Error&) {
    }
    ranks.together("more", 1, [] {});
  });
  for (const std::string& text : texts) CHECK(text.empty());
}

TEST_CASE("ranks at different work or at different numbers part on all ranks") {
  for (const std::string& text :
       thrown(3, [](Ranks& ranks) { ranks.together(ranks.rank() == 2 ? "gradient" : "value", 0, [] {}); })) {
    CHECK(text == "lost: the ranks have parted: rank 0 is at 'value', rank 2 at 'gradient'");
  }
  const Vector x = Vector::Constant(1000, 0.1);
  for (const std::string& text : thrown(3, [&](Ranks& ranks) {
         Vector mine = x;
         if (ranks.rank() == 1) mine[700] = std::nextafter(mine[700], 1.0);
         // One bit of one entry is seen within 61 turns.
         for (std::uint64_t turn = 0; turn < 61; ++turn) {
           ranks.together("value", fingerprint(mine.data(), mine.size(), turn), [] {});
         }
       })) {
    CHECK_THAT(text, Contains("lost: the ranks have parted: ranks 0 and 1 have different numbers at 'value'"));
  }
}

TEST_CASE("numbers and texts of rank 0 reach all and so does the largest number") {
  const auto texts = thrown(4, [](Ranks& ranks) {
    const int r = ranks.rank();
    if (ranks.of_first(10.0 + r) != 10.0) fail("number");
    if (ranks.of_first(fmt::format("text {}", r)) != "text 0") fail("text");
    if (ranks.largest(-r) != 0 || ranks.largest(r == 2 ? 15 : r) != 15) fail("largest");
    if (ranks.all_texts(fmt::format("{}", r)) != std::vector<std::string>{"0", "1", "2", "3"}) fail("texts");
  });
  for (const std::string& text : texts) CHECK(text.empty());
}

TEST_CASE("all ranks end alike with rank 0's code or else the first other one") {
  const auto endings = [](std::vector<Ranks::Ending> mine) {
    std::vector<Ranks::Ending> all(mine.size());
    test::on_ranks(static_cast<int>(mine.size()), [&](const std::shared_ptr<Ranks>& ranks) {
      const auto r = static_cast<std::size_t>(ranks->rank());
      all[r] = ranks->leave(mine[r]);
      ranks->wait_for_all();
    });
    for (const Ranks::Ending& each : all) {
      CHECK(each.code == all[0].code);
      CHECK(each.text == all[0].text);
    }
    return all[0];
  };
  CHECK(endings({{0, ""}, {0, ""}, {0, ""}}).code == 0);
  CHECK(endings({{2, "bad"}, {2, "bad"}}).text == "bad");
  CHECK(endings({{2, "bad"}, {2, "bad"}}).code == 2);
  const Ranks::Ending one = endings({{0, ""}, {0, ""}, {1, "no room"}});
  CHECK(one.code == 1);
  CHECK(one.text == "rank 2: no room");
}

TEST_CASE("a rank that ends is noticed by the others at their next meeting") {
  for (const std::string& words : {std::string("it broke"), std::string()}) {
    std::vector<std::string> texts(3);
    std::vector<int> codes(3);
    test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
      const auto r = static_cast<std::size_t>(ranks->rank());
      Ranks::Ending ending;
      if (r == 1) {
        ending = ranks->leave({3, words});
      } else {
        try {
          ranks->together("value", 0, [] {});
        } catch (const RankFailure& e) {
          CHECK_FALSE(e.alone());
          ending = ranks->leave({e.code(), e.what()});
        }
      }
      ranks->wait_for_all();
      texts[r] = ending.text;
      codes[r] = ending.code;
    });
    CHECK(codes == std::vector<int>{3, 3, 3});
    CHECK(texts[0] == (words.empty() ? "rank 1 has ended while the others are at work" : "rank 1: it broke"));
  }
}

TEST_CASE("a single rank throws what it met and meets nobody") {
  const std::shared_ptr<Ranks> alone = one_rank();
  Ranks& ranks = *alone;
  CHECK_THROWS_AS(ranks.together("work", 0, [] { throw std::out_of_range("as it is"); }), std::out_of_range);
  CHECK(ranks.of_first(3.0) == 3.0);
  CHECK(ranks.leave({4, "end"}).text == "end");
}
