#include "hesse/distributed/chunk_tree.h"

#include "distributed/thread_ranks.h"

#include "hesse/core/random.h"

#include <catch2/catch.hpp>

#include <numeric>

using namespace hesse;

namespace {

/// The sum of vectors [begin, end) as the tree adds it, from its definition.
Vector tree_sum(const Matrix& terms, Index begin, Index end) {
  if (end - begin == 1) return terms.col(begin);
  const Index middle = (begin + end) / 2;
  return tree_sum(terms, begin, middle) + tree_sum(terms, middle, end);
}

Matrix drawn(Index n, Index chunks) {
  Matrix terms(n, chunks);
  RandomStream(11, Purpose::test).fill_normal(Eigen::Map<Vector>(terms.data(), terms.size()));
  // Magnitudes far apart, so that another order gives other bits.
  for (Index c = 0; c < chunks; ++c) terms.col(c) *= std::pow(10.0, static_cast<double>(c % 7) - 3);
  return terms;
}

bool same_bits(const double* a, const double* b, Index n) {
  return std::memcmp(a, b, static_cast<std::size_t>(n) * sizeof(double)) == 0;
}

}  // namespace

TEST_CASE("chunks are a power of two with enough samples each") {
  CHECK(chunk_count(1, 64, 64) == 1);
  CHECK(chunk_count(127, 64, 64) == 1);
  CHECK(chunk_count(128, 64, 64) == 2);
  CHECK(chunk_count(60000, 64, 64) == 64);
  CHECK(chunk_count(1437, 64, 64) == 16);
  CHECK(chunk_count(60000, 1, 1) == 1);
}

TEST_CASE("every rank has consecutive chunks and all chunks are had once") {
  for (const Index chunks : {1, 2, 8, 64}) {
    for (int ranks = 1; ranks <= 70; ++ranks) {
      Index next = 0;
      for (int r = 0; r < ranks; ++r) {
        const Range mine = chunks_of(r, ranks, chunks);
        CHECK(mine.begin == (mine.size() > 0 ? next : chunks));
        // As even as can be.
        CHECK(mine.size() <= (chunks + ranks - 1) / ranks);
        next = mine.size() > 0 ? mine.end : next;
      }
      CHECK(next == chunks);
    }
  }
}

TEST_CASE("the first m samples are spread over the chunks as evenly as can be for every m") {
  for (const Index chunks : {1, 4, 16}) {
    for (Index m = 1; m < 50; ++m) {
      Index sum = 0;
      for (Index c = 0; c < chunks; ++c) {
        const Index here = chunk_size(m, chunks, c);
        CHECK(here >= m / chunks);
        CHECK(here <= m / chunks + 1);
        Index counted = 0;
        for (Index j = c; j < m; j += chunks) ++counted;
        CHECK(here == counted);
        sum += here;
      }
      CHECK(sum == m);
    }
  }
}

TEST_CASE("the largest subtrees of a range are its binary digits and one for a power of two of ranks") {
  for (const int ranks : {1, 2, 4, 8, 16, 64}) {
    for (int r = 0; r < ranks; ++r) CHECK(subtrees(chunks_of(r, ranks, 64)).size() == 1);
  }
  for (int ranks = 1; ranks <= 64; ++ranks) {
    for (int r = 0; r < ranks; ++r) CHECK(subtrees(chunks_of(r, ranks, 64)).size() <= 12);
  }
  CHECK(subtrees({1, 7}) == std::vector<TreeNode>{{0, 1}, {1, 1}, {1, 2}, {0, 6}});
  CHECK(subtrees({5, 5}).empty());
}

TEST_CASE("the sum over ranks has the bits of the tree for any number of ranks and any length") {
  for (const Index chunks : {1, 2, 8, 32}) {
    // Both ways to add, and segments of unequal length.
    for (const Index n : {1, 3, 512, 513, 1000}) {
      const Matrix terms = drawn(n, chunks);
      const Vector expected = tree_sum(terms, 0, chunks);
      for (const int size : {1, 2, 3, 4, 5, 7, 8, 33}) {
        std::vector<Vector> results(static_cast<std::size_t>(size));
        test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
          TreeSum mine;
          RankSum total;
          Vector out(n);
          // Twice, to see that the workspace is used again.
          for (int repeat = 0; repeat < 2; ++repeat) {
            mine.begin(n);
            const Range own = chunks_of(ranks->rank(), size, chunks);
            for (Index c = own.begin; c < own.end; ++c) {
              Eigen::Map<Vector>(mine.next(), n) = terms.col(c);
              mine.add({0, c});
            }
            total.total(*ranks, chunks, mine, out.data());
          }
          results[static_cast<std::size_t>(ranks->rank())] = out;
        });
        for (const Vector& result : results) {
          INFO(chunks << " chunks, " << n << " numbers, " << size << " ranks");
          CHECK(same_bits(result.data(), expected.data(), n));
        }
      }
    }
  }
}
