#include "hesse/problems/more_garbow_hillstrom.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/least_squares.h"
#include "hesse/problems/problem.h"
#include "hesse/validation/derivative_check.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace hesse;

namespace {

Problem make(Index number, Index n = 0, Index m = 0, int factor = 1) {
  return problems().make(parse_spec(fmt::format("mgh:number={},n={},m={},start={}", number, n, m, factor)), {});
}

LeastSquares& squares(Problem& problem) {
  auto* found = find<LeastSquares>(*problem.objective);
  REQUIRE(found != nullptr);
  return *found;
}

/// A point near the start, in no special position.
Vector beside(const Vector& x, std::uint64_t step) {
  Vector noise(x.size());
  RandomStream(35, Purpose::test, step).fill_normal(noise);
  return (x.array() + 0.1 * (0.2 + x.array().abs()) * noise.array()).matrix();
}

/// The least error of column j of J over central differences with steps halved from max(1, |x_j|) on, each extrapolated
/// from two (Richardson): one step of the halving has truncation and rounding both below 1e-8 of |J_j| and |r|.
double column_error(LeastSquares& f, const Vector& x, const Matrix& J, Index j) {
  const auto difference = [&](double h) {
    Vector plus, minus;
    Vector y = x;
    y[j] = x[j] + h;
    f.residuals(y, plus);
    y[j] = x[j] - h;
    f.residuals(y, minus);
    return Vector((plus - minus) / (2 * h));
  };
  double least = std::numeric_limits<double>::infinity();
  for (double h = std::max(1.0, std::abs(x[j])) / 4; h > 1e-9 * std::max(1e-3, std::abs(x[j])); h /= 4) {
    const double error = ((4 * difference(h / 2) - difference(h)) / 3 - J.col(j)).norm();
    if (error < least) least = error;
  }
  return least;
}

struct Case {
  Index number;
  Index n = 0;
  Index m = 0;
};

/// Every problem in its standard size, and those of variable size in another.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (Index number = 1; number <= mgh::kProblems; ++number) all.push_back({number});
  for (const Case& other :
       {Case{6, 2, 4}, {11, 3, 12}, {12, 3, 3}, {16, 4, 7}, {18, 6, 9}, {20, 9},    {20, 2},    {21, 4},     {22, 8},
        {23, 10},      {24, 10},    {24, 1},    {25, 3},    {26, 1},    {27, 1},    {27, 4},    {28, 1},     {29, 3},
        {30, 1},       {31, 3},     {31, 13},   {32, 4, 4}, {33, 3, 9}, {34, 3, 5}, {35, 1, 8}, {35, 10, 12}}) {
    all.push_back(other);
  }
  return all;
}

}  // namespace

TEST_CASE("mgh: the Jacobian of every problem is the limit of central differences, at the start and beside it") {
  for (const Case& c : cases()) {
    Problem problem = make(c.number, c.n, c.m);
    LeastSquares& f = squares(problem);
    for (const Vector& x : {problem.start(0), beside(problem.start(0), static_cast<std::uint64_t>(c.number))}) {
      Vector r, again;
      Matrix J;
      f.residuals_and_jacobian(x, r, J);
      f.residuals(x, again);
      CAPTURE(c.number, c.n, c.m, x.transpose());
      REQUIRE(J.rows() == f.residual_count());
      CHECK((r - again).norm() <= 1e-13 * (1 + r.norm()));
      for (Index j = 0; j < J.cols(); ++j) {
        CAPTURE(j);
        CHECK(column_error(f, x, J, j) <= 1e-8 * (J.col(j).norm() + r.norm() / std::max(1.0, std::abs(x[j]))));
      }
    }
  }
}

TEST_CASE("mgh: gradient and Hessian of every problem agree with differences of values and gradients") {
  for (const Case& c : cases()) {
    Problem problem = make(c.number, c.n, c.m);
    for (const Vector& x : {problem.start(0), beside(problem.start(0), static_cast<std::uint64_t>(c.number))}) {
      const DerivativeCheck check = check_derivatives(*problem.objective, x, {});
      CAPTURE(c.number, c.n, c.m, x.transpose(), check.gradient_error, check.product_error, check.asymmetry);
      CHECK(check.good());
    }
  }
}

TEST_CASE("mgh: at the standard starts |r|^2 is what independent formulas in 60 digits give") {
  // Written from the sums of squares of two ports of the authors' Fortran, not from the functors.
  const double expected[] = {24.2,
                             400.5,
                             1.1352617173483784,
                             999998000003.0,
                             14.203125,
                             4171.306161960493,
                             2500.0,
                             41.681695861678005,
                             3.8881069911666615e-6,
                             1693607809.4361459,
                             12.110705825569488,
                             1031.1538106093983,
                             215.0,
                             19192.0,
                             0.0053131722721085422,
                             7926693.3369974324,
                             0.87902629354464049,
                             0.77907007565597045,
                             2.0934195142120637,
                             30.0,
                             121.0,
                             645.0,
                             885.06264,
                             2.3400088054630245,
                             2198551.1625,
                             0.0070757594662222023,
                             273.24804782867432,
                             0.00078851910126482151,
                             0.063416841579452641,
                             21.0,
                             360.0,
                             25.0,
                             84985.0,
                             15886.0,
                             0.038617698285930232};
  for (Index number = 1; number <= mgh::kProblems; ++number) {
    Problem problem = make(number);
    CAPTURE(number);
    // Residuals of 28 are second differences of numbers near 1/4 that leave 1e-3: 1e-13.
    CHECK(2 * problem.value(problem.start(0)) == Approx(expected[number - 1]).epsilon(1e-12).margin(0));
  }
}

TEST_CASE("mgh: |r| at the starts times 1, 10 and 100 is what the test programs of MINPACK print") {
  struct Printed {
    Index number, n, m;
    double once, tenfold, hundredfold;  // 0 where they print none
  };
  // The output of drivers LMDER and HYBRD (Argonne, March 1980), to the 8 digits they print. Problem 14 of HYBRD is the
  // gradient of Wood's function and Watson's likewise, so both are left out.
  const Printed table[] = {{32, 5, 10, 5.0, 0, 0},
                           {32, 5, 50, 8.0622577, 0, 0},
                           {33, 5, 10, 291.52187, 0, 0},
                           {33, 5, 50, 3101.6004, 0, 0},
                           {34, 5, 10, 126.03968, 0, 0},
                           {34, 5, 50, 1748.9500, 0, 0},
                           {1, 2, 2, 4.9193496, 1340.0631, 143000.05},
                           {7, 3, 3, 50.0, 102.95630, 991.26182},
                           {13, 4, 4, 14.662878, 1270.9839, 126887.90},
                           {2, 2, 2, 20.012496, 12432.834, 11426455},
                           {8, 3, 15, 6.4561363, 36.141853, 384.11468},
                           {15, 4, 11, 0.072891510, 2.9793701, 29.959062},
                           {10, 3, 16, 41153.467, 4168216.9, 0},
                           {20, 6, 31, 5.4772256, 6433.1258, 674256.04},
                           {20, 9, 31, 5.4772256, 12088.127, 1269109.3},
                           {20, 12, 31, 5.4772256, 19220.759, 2018918.0},
                           {12, 3, 10, 32.111584, 0, 0},
                           {6, 2, 10, 64.585650, 0, 0},
                           {16, 4, 20, 2815.4384, 555073.35, 61211252},
                           {35, 1, 8, 1.8862380, 5383344400.0, 1.1808873e18},
                           {35, 8, 8, 0.19651386, 0, 0},
                           {35, 9, 9, 0.16994993, 0, 0},
                           {35, 10, 10, 0.18374783, 0, 0},
                           {35, 5, 5, 0.22570657, 4117243.2, 5.6361303e11},
                           {27, 10, 10, 16.530216, 9765624.0, 9.7656250e16},
                           {27, 30, 30, 83.476044, 0, 0},
                           {27, 40, 40, 128.02636, 0, 0},
                           {17, 5, 33, 0.93756402, 0, 0},
                           {19, 11, 65, 1.4468654, 0, 0},
                           {3, 2, 2, 1.0654866, 1.0, 0},
                           {28, 10, 10, 0.028080582, 0.52555258, 106.57390},
                           {29, 1, 1, 0.12792969, 2.5625, 836.11719},
                           {29, 10, 10, 0.25182701, 6.1168330, 1269.3089},
                           {26, 10, 10, 0.084117534, 20.305195, 93.369375},
                           {30, 10, 10, 4.5825757, 639.10093, 63337.583},
                           {31, 10, 10, 18.973666, 17130.922, 15949860}};
  for (const Printed& row : table) {
    for (const auto& [factor, norm] : {std::pair{1, row.once}, {10, row.tenfold}, {100, row.hundredfold}}) {
      if (norm == 0) continue;
      Problem problem = make(row.number, row.n, row.m, factor);
      Vector r;
      squares(problem).residuals(problem.start(0), r);
      CAPTURE(row.number, row.n, row.m, factor);
      CHECK(r.norm() == Approx(norm).epsilon(6e-8).margin(0));
    }
  }
}

TEST_CASE("mgh: f and its gradient at the known minimisers are the known minimum and zero") {
  int seen = 0;
  for (const Case& c :
       {Case{1}, {2},      {3},        {4},         {5},         {6},     {7},      {8},      {9},      {10},
        {11},    {12},     {13},       {14},        {15},        {16},    {17},     {18},     {19},     {20},
        {21},    {22},     {23},       {24},        {25},        {26},    {27},     {28},     {29},     {30},
        {31},    {32},     {33},       {34},        {35},        {20, 9}, {20, 12}, {23, 10}, {24, 10}, {26, 4},
        {27, 2}, {27, 40}, {32, 6, 6}, {33, 9, 30}, {34, 9, 30}, {35, 9}, {35, 10}}) {
    Problem problem = make(c.number, c.n, c.m);
    REQUIRE(problem.minimum_value.has_value());
    REQUIRE(!problem.minimisers.empty());
    for (const Vector& x : problem.minimisers) {
      Vector r;
      Matrix J;
      squares(problem).residuals_and_jacobian(x, r, J);
      CAPTURE(c.number, c.n, c.m, x.transpose(), r.squaredNorm() / 2 - *problem.minimum_value);
      // x is right to eps, so r is off by about eps |J||x| and the rounding of its terms.
      const double noise = 10 * std::numeric_limits<double>::epsilon() *
                           (1 + J.cwiseAbs().maxCoeff() * x.cwiseAbs().maxCoeff() + static_cast<double>(J.rows()));
      CHECK(std::abs(r.squaredNorm() / 2 - *problem.minimum_value) <= noise * (r.norm() + noise));
      const Vector g = J.transpose() * r;
      for (Index j = 0; j < g.size(); ++j) CHECK(std::abs(g[j]) <= J.col(j).norm() * noise * (1 + J.norm()));
      ++seen;
    }
  }
  CHECK(seen > 50);
}

TEST_CASE("mgh: the minima are the published ones to every digit published, except where that is settled otherwise") {
  struct Published {
    Index number, n, m;
    double sum_of_squares;
    double unit;  // of the last digit given
    bool local = false;
  };
  const Published table[] = {{2, 0, 0, 48.9842, 1e-4, true},     {6, 0, 0, 124.362, 1e-3},
                             {8, 0, 0, 8.21487e-3, 1e-8},        {8, 0, 0, 17.4286, 1e-4, true},
                             {9, 0, 0, 1.12793e-8, 1e-13},       {10, 0, 0, 87.9458, 1e-4},
                             {15, 0, 0, 3.07505e-4, 1e-9},       {15, 0, 0, 1.02734e-3, 1e-8, true},
                             {16, 0, 0, 85822.2, 0.1},           {17, 0, 0, 5.46489e-5, 1e-10},
                             {18, 0, 0, 5.65565e-3, 1e-8, true}, {19, 0, 0, 4.01377e-2, 1e-7},
                             {20, 6, 0, 2.28767e-3, 1e-8},       {20, 9, 0, 1.39976e-6, 1e-11},
                             {20, 12, 0, 4.72238e-10, 1e-15},    {23, 4, 0, 2.24997e-5, 1e-10},
                             {23, 10, 0, 7.08765e-5, 1e-10},     {24, 4, 0, 9.37629e-6, 1e-11},
                             {24, 10, 0, 2.93660e-4, 1e-9},      {26, 10, 0, 2.79506e-5, 1e-10, true},
                             {27, 10, 0, 1, 1e-6, true},         {32, 5, 50, 45, 1e-9},
                             {35, 8, 0, 3.51687e-3, 1e-8},       {35, 10, 0, 6.50395e-3, 1e-8, true}};
  for (const Published& row : table) {
    const Problem problem = make(row.number, row.n, row.m);
    const double value = row.local ? problem.local_minima.at(0) : problem.minimum_value.value();
    CAPTURE(row.number, row.n, value);
    // Some are printed cut off rather than rounded.
    CHECK(std::abs(2 * value - row.sum_of_squares) <= 1.001 * row.unit);
  }
  CHECK(2 * make(35, 10).minimum_value.value() == Approx(4.77271369637535e-3).epsilon(1e-14));
}

TEST_CASE("mgh: the local minima that are not global are stationary values, or limits") {
  struct Point {
    Index number;
    std::vector<double> x;
    double tolerance;  // relative, on f
  };
  const Point points[] = {
      {2, {11.412778986902094, -0.89680525327447652}, 1e-13},
      {18,
       {1.7114159947195876, 17.683198180949067, 1.1631436609177628, 5.1865615519934518, 1.7114159947195876,
        1.1631436609200223},
       1e-12},
      {26,
       {0.055150903980691293, 0.056840616794738563, 0.058764001762695084, 0.060990608656760805, 0.06362621369585451,
        0.066843179452758789, 0.20816151856988116, 0.16436309588564774, 0.085006895688507445, 0.091431450714707944},
       1e-12},
      // Bard at (mean y, -inf, -inf), Kowalik and Osborne at (inf, -14.07..., -inf, -inf): the value is off by O(1 /
      // 1e9).
      {8, {0.84066666666666667, -1e9, -1e9}, 1e-7},
      {15, {-0.03542143031e9, -14.0758834, 1.603074463e9, 1e9}, 1e-7},
      // Box where exp(-x2 / 10) has left the range of double; the root of the gradient in x1 and x3 to 40 digits.
      {12, {0.6136003525261593, 1e4, 1.3199552092025278}, 1e-14}};
  for (const Point& p : points) {
    Problem problem = make(p.number);
    const Vector x = Eigen::Map<const Vector>(p.x.data(), static_cast<Index>(p.x.size()));
    Vector g;
    CAPTURE(p.number);
    CHECK(problem.objective->value_and_gradient(x, g) == Approx(problem.local_minima.at(0)).epsilon(p.tolerance));
    if (p.tolerance < 1e-10) CHECK(g.norm() < 1e-11);
  }
}

TEST_CASE("mgh: Biggs EXP6 keeps its local value along a line on which curvature changes sign") {
  // With x1 = x5 only x3 + x6 matters. Where x3 and x6 have one sign the point is a saddle, where they differ a minimum
  // that is not strict.
  Problem problem = make(18);
  Vector x(6);
  x << 1.7114159947195876, 17.683198180949067, 1.1631436609177628, 5.1865615519934518, 1.7114159947195876,
      1.1631436609200223;
  const double sum = x[2] + x[5];
  Vector split = Vector::Zero(6);
  const auto curvature_of_split = [&](double x3) {
    x[2] = x3;
    x[5] = sum - x3;
    CHECK(problem.value(x) == Approx(problem.local_minima.at(0)).epsilon(1e-12));
    split[0] = x[5];
    split[4] = -x[2];
    Vector Hs(6);
    problem.objective->curvature(x, Curvature::hessian)->apply(split, Hs);
    return split.dot(Hs) / split.squaredNorm();
  };
  CHECK(curvature_of_split(sum / 2) < -1e-3);
  CHECK(curvature_of_split(2 * sum) > 1e-3);
}

TEST_CASE("mgh: standard sizes, and what is no size, in one sentence") {
  CHECK(mgh::resolve(11).m == 99);
  CHECK(mgh::resolve(25, 7).m == 9);
  CHECK(mgh::resolve(24, 7).m == 14);
  CHECK(mgh::resolve(33, 20).m == 20);
  CHECK_THROWS_WITH(mgh::resolve(0), Catch::Contains("1 to 35"));
  CHECK_THROWS_WITH(mgh::resolve(36), Catch::Contains("1 to 35"));
  CHECK_THROWS_WITH(mgh::resolve(1, 3), Catch::Contains("has n = 2"));
  CHECK_THROWS_WITH(mgh::resolve(1, 2, 3), Catch::Contains("has m = 2"));
  CHECK_THROWS_WITH(mgh::resolve(20, 32), Catch::Contains("at most 31"));
  CHECK_THROWS_WITH(mgh::resolve(21, 3), Catch::Contains("multiple of 2"));
  CHECK_THROWS_WITH(mgh::resolve(22, 6), Catch::Contains("multiple of 4"));
  CHECK_THROWS_WITH(mgh::resolve(11, 3, 101), Catch::Contains("at most 100"));
  CHECK_THROWS_WITH(mgh::resolve(32, 5, 4), Catch::Contains("m >= n"));
  CHECK_THROWS_WITH(mgh::resolve(34, 2), Catch::Contains("n >= 3"));
  CHECK_THROWS_WITH(make(1, 5), Catch::Contains("Rosenbrock"));
}

TEST_CASE("mgh: the start of problem 20 is 0, and all coordinates are the factor where that is not 1") {
  CHECK(mgh::start(20, 6) == Vector::Zero(6));
  CHECK(mgh::start(20, 6, 10) == Vector::Constant(6, 10));
  CHECK(mgh::start(3, 2, 100) == Eigen::Vector2d(0, 100));
  CHECK(mgh::start(12, 3, 10) == Eigen::Vector3d(0, 100, 200));
  CHECK(make(7, 0, 0, 100).start(5) == Eigen::Vector3d(-100, 0, 0));
}

TEST_CASE("mgh: the helical valley is continuous with its derivatives across x1 = 0 above, and jumps below") {
  Problem problem = make(7);
  const auto gradient = [&](double x1, double x2) {
    Vector g;
    problem.objective->value_and_gradient(Eigen::Vector3d(x1, x2, 0.5), g);
    return g;
  };
  CHECK((gradient(0, 2) - gradient(1e-9, 2)).norm() < 1e-6);
  CHECK((gradient(0, 2) - gradient(-1e-9, 2)).norm() < 1e-6);
  CHECK((gradient(0, -2) - gradient(1e-9, -2)).norm() < 1e-6);
  CHECK((gradient(0, -2) - gradient(-1e-9, -2)).norm() > 1);
}
