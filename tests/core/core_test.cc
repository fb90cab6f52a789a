#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/parallel.h"
#include "hesse/core/parameter_layout.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"

#include <Random123/philox.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

struct Sample {
  double rate = 0.1;
  Index count = 3;
  bool on = false;
  std::string name = "x";
  std::vector<Index> sizes = {4, 2};
  std::vector<std::string> many;
  enum class Kind { first, second } kind = Kind::first;
};
void visit_options(Sample& o, OptionVisitor& v) {
  v.option("rate", o.rate, Interval::positive(), "a rate");
  v.option("count", o.count, Interval::closed(1, 5), "a count");
  v.option("on", o.on, "a switch");
  v.option("name", o.name, "a name");
  v.option("sizes", o.sizes, "some sizes");
  v.option("many", o.many, "several texts");
  v.choice("kind", o.kind, {{"first", Sample::Kind::first}, {"second", Sample::Kind::second}}, "a kind");
}
Sample read(const std::string& text) { return read_options<Sample>(parse_spec(text)); }

}  // namespace

TEST_CASE("Philox 4x32-10 gives the known answers that its authors published") {
  // Random123's kat_vectors: zero, all ones, and digits of pi.
  r123::Philox4x32 philox;
  CHECK(philox({{0, 0, 0, 0}}, {{0, 0}}) ==
        r123::Philox4x32::ctr_type{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  CHECK(philox({{~0U, ~0U, ~0U, ~0U}}, {{~0U, ~0U}}) ==
        r123::Philox4x32::ctr_type{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  CHECK(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}) ==
        r123::Philox4x32::ctr_type{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("streams of another seed, purpose or step share no draw") {
  std::set<std::uint64_t> draws;
  for (const std::uint64_t seed : {0ULL, 1ULL, 1ULL << 40U}) {
    for (const Purpose purpose : {Purpose::probe, Purpose::noise}) {
      for (const std::uint64_t step : {0, 1}) {
        for (std::uint64_t i = 0; i < 100; ++i) draws.insert(RandomStream(seed, purpose, step).bits(i));
      }
    }
  }
  CHECK(draws.size() == 1200);
}

TEST_CASE("a vector filled by many threads has the draw of each position") {
  const RandomStream stream(7, Purpose::test);
  const int before = threads();
  for (const int count : {1, 3}) {
    set_threads(count);
    Vector u(10001), z(10001);
    stream.fill_uniform(u, -2, 3);
    stream.fill_normal(z);
    bool same = true;
    for (Index i = 0; i < u.size(); ++i) {
      const auto position = static_cast<std::uint64_t>(i);
      same = same && u[i] == -2 + 5 * stream.uniform(position) && z[i] == stream.normal(position);
    }
    CHECK(same);
  }
  set_threads(before);
}

TEST_CASE("moments of uniform, normal and sign draws lie within five standard errors") {
  const RandomStream stream(42, Purpose::test);
  const Index n = 200000;
  const double root = std::sqrt(static_cast<double>(n));
  Vector u(n), z(n), s(n);
  stream.fill_uniform(u, 0, 1);
  stream.fill_normal(z);
  stream.fill_rademacher(s);
  CHECK(u.minCoeff() > 0);
  CHECK(u.maxCoeff() < 1);
  CHECK(std::abs(u.mean() - 0.5) <= 5 * std::sqrt(1.0 / 12) / root);
  CHECK(std::abs(z.mean()) <= 5 / root);
  CHECK(std::abs(z.squaredNorm() / n - 1) <= 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(z.array().pow(4).mean() - 3) <= 5 * std::sqrt(96.0) / root);
  CHECK(std::abs(s.mean()) <= 5 / root);
  CHECK((s.array().abs() == 1).all());
  for (const Index first : {0, 1, 63, 64, 130}) {
    Vector part(200);
    stream.fill_rademacher(part, static_cast<std::uint64_t>(first));
    CHECK(part == s.segment(first, 200));
    CHECK(part[77] == stream.rademacher(static_cast<std::uint64_t>(first + 77)));
  }
  Eigen::VectorXi count = Eigen::VectorXi::Zero(7);
  for (std::uint64_t i = 0; i < 70000; ++i) ++count[static_cast<Index>(stream.below(7, i))];
  // Each count is binomial with variance 70000 (1/7)(6/7).
  for (const int c : count) CHECK(std::abs(c - 10000) <= 5 * std::sqrt(70000 * 6.0 / 49));
  CHECK_THROWS_AS(stream.below(0, 0), Error);
}

TEST_CASE("a permutation holds each number once, and its first entry is uniform") {
  std::vector<Index> p;
  Eigen::VectorXi count = Eigen::VectorXi::Zero(5);
  for (std::uint64_t step = 0; step < 5000; ++step) {
    RandomStream(1, Purpose::test, step).permutation(5, p);
    CHECK(std::set<Index>(p.begin(), p.end()).size() == 5);
    ++count[p[0]];
  }
  for (const int c : count) CHECK(std::abs(c - 1000) <= 5 * std::sqrt(5000 * 0.16));
}

TEST_CASE("options are read, listed and checked by one description") {
  const Sample o = read("s:rate=2e-3,count=5,on=true,name=abc,sizes=7-8-9,kind=second");
  CHECK(o.rate == 2e-3);
  CHECK(o.count == 5);
  CHECK(o.on);
  CHECK(o.name == "abc");
  CHECK(o.sizes == std::vector<Index>{7, 8, 9});
  CHECK(o.kind == Sample::Kind::second);
  CHECK(read("s:sizes=").sizes.empty());
  CHECK(read("s").rate == 0.1);
  const auto listed = list_options(Sample{});
  REQUIRE(listed.size() == 7);
  CHECK(listed[0].value == "0.1");
  CHECK(listed[0].range == "> 0");
  CHECK(listed[4].value == "4-2");
  CHECK(listed[6].range == "first | second");
  CHECK(parse_spec("a:b=1,c=2").text() == "a:b=1,c=2");
}

TEST_CASE("bad options are refused with what, why and what to do") {
  for (const auto& [text, part] :
       std::vector<std::pair<std::string, std::string>>{{"", "name before"},
                                                        {":a=1", "name before"},
                                                        {"s:", "not of the form"},
                                                        {"s:rate", "not of the form"},
                                                        {"s:=1", "not of the form"},
                                                        {"s\n", "'s?': holds a control character"},
                                                        {"s:rate=\x1b[31m1", "control character"},
                                                        {"s:rate=1,rate=2", "given twice"},
                                                        {"s:rate=0", "give a number > 0"},
                                                        {"s:rate=", "not a finite number"},
                                                        {"s:rate=nan", "not a finite number"},
                                                        {"s:rate=inf", "not a finite number"},
                                                        {"s:rate=1e999", "not a finite number"},
                                                        {"s:rate=1x", "not a finite number"},
                                                        {"s:count=0", "[1, 5]"},
                                                        {"s:count=2.5", "not a whole number"},
                                                        {"s:count=9223372036854775808", "not a whole number"},
                                                        {"s:on=yes", "neither true nor false"},
                                                        {"s:name=", "empty"},
                                                        {"s:sizes=1--2", "not a whole number"},
                                                        {"s:sizes=3-", "ends in '-'"},
                                                        {"s:sizes=0", "out of range"},
                                                        {"s:kind=frist", "did you mean 'first'?"},
                                                        {"s:raet=1", "did you mean 'rate'?"},
                                                        {"s:zzzzzz=1", "has no option 'zzzzzz'; it has rate"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(read(text), Contains(part));
  }
  CHECK(nearest("wrod", {"word", "other"}) == "word");
  CHECK(nearest("qqqq", {"word", "other"}).empty());
}

TEST_CASE("a layout lays blocks out without gaps and names every entry") {
  ParameterLayout layout;
  layout.add("w", {2, 3});
  layout.add("b", {2});
  layout.add("s", {});
  CHECK(layout.size() == 9);
  CHECK(layout.find("b")->offset == 6);
  CHECK(layout.find("c") == nullptr);
  CHECK(layout.describe_entry(5) == "w[1,2]");
  CHECK(layout.describe_entry(7) == "b[1]");
  CHECK(layout.describe_entry(8) == "s[]");
  CHECK_THROWS_AS(layout.describe_entry(9), Error);
  CHECK_THROWS_AS(layout.add("w", {1}), Error);
  CHECK_THROWS_AS(layout.add("n", {-1}), Error);
  CHECK_THROWS_AS(layout.add("o", {Index{1} << 40, Index{1} << 40}), Error);
}

TEST_CASE("ordered sums agree with long double and have the same bits for any threads") {
  for (const Index n : {0, 1, 15, 16, 17, 16384, 16385, 300001, 5000000}) {
    Vector a(n), b(n);
    RandomStream(1, Purpose::test).fill_uniform(a, -1, 1);
    RandomStream(2, Purpose::test).fill_uniform(b, -1, 1);
    long double exact = 0;
    long double size = 0;
    for (Index i = 0; i < n; ++i) {
      exact += static_cast<long double>(a[i]) * b[i];
      size += std::abs(static_cast<long double>(a[i]) * b[i]);
    }
    double one = 0;
    for (const int threads : {1, 2, 3, 4}) {
      set_threads(threads);
      const double now = dot(a, b);
      if (threads == 1) one = now;
      CHECK(now == one);
    }
    set_threads(2);
    // At most n / 16 additions in one chain.
    CHECK(std::abs(static_cast<double>(one - exact)) <=
          (static_cast<double>(n) / 16 + 300) * 1.2e-16 * static_cast<double>(size));
    CHECK(norm(a) == Approx(a.norm()).epsilon(1e-12));
    CHECK(distance(a, b) == Approx((a - b).norm()).epsilon(1e-12));
    CHECK(all_finite(a));
  }
  CHECK(norm(Vector::Constant(4, 1e200)) == Approx(2e200));
  CHECK(norm(Vector::Constant(4, 1e-200)) == Approx(2e-200));
  CHECK(std::isnan(norm(Eigen::Vector2d(1, std::nan("")))));
  CHECK_FALSE(all_finite(Eigen::Vector2d(1, INFINITY)));
}

TEST_CASE("an addition and the product after it give in one sweep what they give in two, on any number of threads") {
  const int before = threads();
  RandomStream stream(11, Purpose::test, 0);
  for (const Index n : {1, 3, 16, 17, 1000, 70001}) {
    Vector x(n);
    Vector y(n);
    Vector z(n);
    stream.fill_normal(x);
    stream.fill_normal(y);
    stream.fill_normal(z);
    const Vector expected = -0.7 * y + 1.3 * x;
    Vector first;
    double product = 0;
    for (const int count : {1, 4}) {
      set_threads(count);
      Vector now = y;
      const double sum = add_and_dot(1.3, x.data(), -0.7, now.data(), z.data(), n);
      if (count == 1) {
        first = now;
        product = sum;
      }
      CHECK(now == first);
      CHECK(sum == product);
    }
    CAPTURE(n);
    // Two products and a sum, each rounded once.
    CHECK((first - expected).cwiseAbs().maxCoeff() <= 4e-16 * (x.cwiseAbs() + y.cwiseAbs()).maxCoeff() * 1.3);
    CHECK(std::abs(product - first.dot(z)) <= 1e-15 * static_cast<double>(n) * first.norm() * z.norm());
  }
  set_threads(before);
}
