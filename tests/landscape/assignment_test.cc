#include "hesse/landscape/assignment.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace hesse;

namespace {

double sum_of(const Matrix& S, const std::vector<Index>& columns) {
  double sum = 0;
  for (Index i = 0; i < S.rows(); ++i) sum += S(i, columns[static_cast<std::size_t>(i)]);
  return sum;
}

bool is_permutation(std::vector<Index> columns) {
  std::sort(columns.begin(), columns.end());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] != static_cast<Index>(i)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("the assignment is the best of all permutations for up to seven rows") {
  for (Index n = 0; n <= 7; ++n) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Matrix S(n, n);
      const RandomStream stream(seed, Purpose::test, static_cast<std::uint64_t>(n));
      for (Index k = 0; k < S.size(); ++k) {
        // Every other matrix is of small whole numbers, in which many permutations tie.
        const auto position = static_cast<std::uint64_t>(k);
        S.data()[k] = seed % 2 == 0 ? stream.normal(position) : static_cast<double>(stream.below(4, position)) - 2;
      }
      std::vector<Index> columns(static_cast<std::size_t>(n));
      std::iota(columns.begin(), columns.end(), Index{0});
      double best = sum_of(S, columns);
      while (std::next_permutation(columns.begin(), columns.end())) best = std::max(best, sum_of(S, columns));
      const std::vector<Index> found = largest_assignment(S);
      CAPTURE(n, seed);
      REQUIRE(is_permutation(found));
      CHECK(std::abs(sum_of(S, found) - best) <= 100 * kEps);
    }
  }
}

TEST_CASE("a planted permutation of 200 rows is found and no exchange of two rows gains on a random matrix") {
  const Index n = 200;
  std::vector<Index> planted;
  RandomStream(1, Purpose::test).permutation(n, planted);
  Matrix S = test_point(n * n).reshaped(n, n);
  const double bound = 2 * S.cwiseAbs().maxCoeff();
  const std::vector<Index> best = largest_assignment(S);
  REQUIRE(is_permutation(best));
  for (std::size_t i = 0; i < best.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto a = static_cast<Index>(i);
      const auto b = static_cast<Index>(j);
      CHECK(S(a, best[i]) + S(b, best[j]) >= S(a, best[j]) + S(b, best[i]) - 1e-12);
    }
  }
  // A row of the planted permutation outweighs any two others.
  for (Index i = 0; i < n; ++i) S(i, planted[static_cast<std::size_t>(i)]) += 2 * bound;
  CHECK(largest_assignment(S) == planted);
}

TEST_CASE("matrices that are not square or not finite are refused") {
  CHECK_THROWS_AS(largest_assignment(Matrix::Zero(2, 3)), Error);
  Matrix S = Matrix::Zero(2, 2);
  S(1, 0) = std::nan("");
  CHECK_THROWS_AS(largest_assignment(S), Error);
}
