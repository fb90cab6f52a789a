#include "hesse/problems/more_garbow_hillstrom.h"

#include "hesse/core/error.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/problems/more_garbow_hillstrom_functions.h"
#include "hesse/problems/problem.h"

#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <memory>
#include <utility>

namespace hesse {
namespace mgh {
namespace {

/// How m follows from n.
enum class Residuals {
  fixed,       // as in the table
  at_least_n,  // free, at least n
  n,           // n
  n_plus_1,    // n + 1
  n_plus_2,    // n + 2
  twice_n,     // 2n
};

struct Entry {
  const char* name;
  Index n;  // standard
  Index m;
  Residuals residuals;
  Index n_least;  // both n where n is fixed
  Index n_most;
  Index n_multiple = 1;
  Index m_most = std::numeric_limits<Index>::max();
};

constexpr Index kAny = std::numeric_limits<Index>::max();

const Entry& entry(Index number) {
  static const std::array<Entry, kProblems> table = {{
      {"Rosenbrock", 2, 2, Residuals::fixed, 2, 2},
      {"Freudenstein and Roth", 2, 2, Residuals::fixed, 2, 2},
      {"Powell badly scaled", 2, 2, Residuals::fixed, 2, 2},
      {"Brown badly scaled", 2, 3, Residuals::fixed, 2, 2},
      {"Beale", 2, 3, Residuals::fixed, 2, 2},
      {"Jennrich and Sampson", 2, 10, Residuals::at_least_n, 2, 2},
      {"helical valley", 3, 3, Residuals::fixed, 3, 3},
      {"Bard", 3, 15, Residuals::fixed, 3, 3},
      {"Gaussian", 3, 15, Residuals::fixed, 3, 3},
      {"Meyer", 3, 16, Residuals::fixed, 3, 3},
      {"Gulf research and development", 3, 99, Residuals::at_least_n, 3, 3, 1, 100},
      {"Box three-dimensional", 3, 10, Residuals::at_least_n, 3, 3},
      {"Powell singular", 4, 4, Residuals::fixed, 4, 4},
      {"Wood", 4, 6, Residuals::fixed, 4, 4},
      {"Kowalik and Osborne", 4, 11, Residuals::fixed, 4, 4},
      {"Brown and Dennis", 4, 20, Residuals::at_least_n, 4, 4},
      {"Osborne 1", 5, 33, Residuals::fixed, 5, 5},
      {"Biggs EXP6", 6, 13, Residuals::at_least_n, 6, 6},
      {"Osborne 2", 11, 65, Residuals::fixed, 11, 11},
      {"Watson", 6, 31, Residuals::fixed, 2, 31},
      {"extended Rosenbrock", 10, 10, Residuals::n, 2, kAny, 2},
      {"extended Powell singular", 12, 12, Residuals::n, 4, kAny, 4},
      {"penalty I", 4, 5, Residuals::n_plus_1, 1, kAny},
      {"penalty II", 4, 8, Residuals::twice_n, 1, kAny},
      {"variably dimensioned", 10, 12, Residuals::n_plus_2, 1, kAny},
      {"trigonometric", 10, 10, Residuals::n, 1, kAny},
      {"Brown almost-linear", 10, 10, Residuals::n, 1, kAny},
      {"discrete boundary value", 10, 10, Residuals::n, 1, kAny},
      {"discrete integral equation", 10, 10, Residuals::n, 1, kAny},
      {"Broyden tridiagonal", 10, 10, Residuals::n, 1, kAny},
      {"Broyden banded", 10, 10, Residuals::n, 1, kAny},
      {"linear, full rank", 5, 10, Residuals::at_least_n, 1, kAny},
      {"linear, rank 1", 5, 10, Residuals::at_least_n, 1, kAny},
      {"linear, rank 1 with zero columns and rows", 5, 10, Residuals::at_least_n, 3, kAny},
      {"Chebyquad", 8, 8, Residuals::at_least_n, 1, kAny},
  }};
  if (number < 1 || number > kProblems) fail("mgh: there is no problem {}; give a number from 1 to 35", number);
  return table[static_cast<std::size_t>(number - 1)];
}

Vector vector(std::initializer_list<double> values) {
  return Eigen::Map<const Vector>(values.begin(), static_cast<Index>(values.size()));
}

/// The coordinates of `block`, again and again.
Vector repeated(std::initializer_list<double> block, Index n) {
  Vector x(n);
  const auto period = static_cast<Index>(block.size());
  for (Index i = 0; i < n; ++i) x[i] = block.begin()[i % period];
  return x;
}

Vector standard_start(Index number, Index n) {
  switch (number) {
    case 1: return vector({-1.2, 1});
    case 2: return vector({0.5, -2});
    case 3: return vector({0, 1});
    case 4:
    case 5: return vector({1, 1});
    case 6: return vector({0.3, 0.4});
    case 7: return vector({-1, 0, 0});
    case 8: return vector({1, 1, 1});
    case 9: return vector({0.4, 1, 0});
    case 10: return vector({0.02, 4000, 250});
    case 11: return vector({5, 2.5, 0.15});
    case 12: return vector({0, 10, 20});
    case 13: return vector({3, -1, 0, 1});
    case 14: return vector({-3, -1, -3, -1});
    case 15: return vector({0.25, 0.39, 0.415, 0.39});
    case 16: return vector({25, 5, -5, -1});
    case 17: return vector({0.5, 1.5, -1, 0.01, 0.02});
    case 18: return vector({1, 2, 1, 1, 1, 1});
    case 19: return vector({1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5});
    case 20: return Vector::Zero(n);
    case 21: return repeated({-1.2, 1}, n);
    case 22: return repeated({3, -1, 0, 1}, n);
    case 23: return Vector::LinSpaced(n, 1, static_cast<double>(n));
    case 24:
    case 27: return Vector::Constant(n, 0.5);
    case 26: return Vector::Constant(n, 1 / static_cast<double>(n));
    case 30:
    case 31: return Vector::Constant(n, -1);
    case 32:
    case 33:
    case 34: return Vector::Ones(n);
    default: break;
  }
  Vector x(n);
  for (Index i = 0; i < n; ++i) {
    const auto j = static_cast<double>(i + 1);
    if (number == 25) {
      x[i] = 1 - j / static_cast<double>(n);
    } else {
      const double t = j / static_cast<double>(n + 1);
      x[i] = number == 35 ? t : t * (t - 1);  // 28 and 29
    }
  }
  return x;
}

/// For n >= 2, the root alpha < 1 of n alpha^n - (n + 1) alpha^{n-1} + 1: Brown's almost-linear function also vanishes
/// at (alpha, ..., alpha, alpha^{1-n}). From (n - 1) / n to the root the polynomial falls to 0 and is convex, so
/// Newton's method only approaches.
double brown_root(Index n) {
  const auto k = static_cast<double>(n);
  double alpha = (k - 1) / k;
  for (int i = 0; i < 60; ++i) {
    const double power = std::pow(alpha, k - 2);
    const double value = (k * alpha - (k + 1)) * alpha * power + 1;
    const double slope = (k * k * alpha - (k + 1) * (k - 1)) * power;
    alpha -= value / slope;
  }
  return alpha;
}

/// The shortest x with sum_j j x_j = sum, over the columns [first, last) from 0.
Vector shortest(Index n, Index first, Index last, double sum) {
  Vector x = Vector::Zero(n);
  for (Index j = first; j < last; ++j) x[j] = static_cast<double>(j + 1);
  return x * (sum / x.squaredNorm());
}

const Vector& boundary_value_solution() {
  static const Vector x = vector(
      {-0.043164982518764871, -0.081577156535386882, -0.11448571438052929, -0.14097357686259668, -0.15990869618198312,
       -0.16987720231277492, -0.16908998378120835, -0.15524953522183182, -0.12535589167893499, -0.075416533685892084});
  return x;
}

}  // namespace

Size resolve(Index number, Index n, Index m) {
  const Entry& e = entry(number);
  if (n == 0) n = e.n;
  if (n < e.n_least || n > e.n_most) {
    if (e.n_least == e.n_most) fail("mgh: problem {} ({}) has n = {}, not {}; leave n out", number, e.name, e.n, n);
    fail("mgh: problem {} ({}) has no size n = {}; give n >= {}{}", number, e.name, n, e.n_least,
         e.n_most < kAny ? fmt::format(" and at most {}", e.n_most) : "");
  }
  if (n % e.n_multiple != 0) {
    fail("mgh: problem {} ({}) has no size n = {}; give a multiple of {}", number, e.name, n, e.n_multiple);
  }
  Index own = e.m;
  switch (e.residuals) {
    case Residuals::fixed: break;
    case Residuals::at_least_n:
      if (m == 0) return {n, std::max(e.m, n)};
      if (m < n || m > e.m_most) {
        fail("mgh: problem {} ({}) has no size m = {}; give m >= n = {}{}", number, e.name, m, n,
             e.m_most < kAny ? fmt::format(" and at most {}", e.m_most) : "");
      }
      return {n, m};
    case Residuals::n: own = n; break;
    case Residuals::n_plus_1: own = n + 1; break;
    case Residuals::n_plus_2: own = n + 2; break;
    case Residuals::twice_n: own = 2 * n; break;
  }
  if (m != 0 && m != own) fail("mgh: problem {} ({}) has m = {}, not {}; leave m out", number, e.name, own, m);
  return {n, own};
}

std::string name(Index number) { return entry(number).name; }

Vector start(Index number, Index n, double factor) {
  n = resolve(number, n).n;
  if (number == 20 && factor != 1) return Vector::Constant(n, factor);
  return factor * standard_start(number, n);
}

Minima minima(Index number, const Size& size) {
  const auto [n, m] = resolve(number, size.n, size.m);
  const auto rows = static_cast<double>(m);
  switch (number) {
    case 1: return {0.0, {vector({1, 1})}, {}};
    case 2: return {0.0, {vector({5, 4})}, {24.492126839620011}};
    case 3:
      return {0.0,
              {vector({1.0981593296998175e-5, 9.106146739866524}), vector({9.106146739866524, 1.0981593296998175e-5})},
              {}};
    case 4: return {0.0, {vector({1e6, 2e-6})}, {}};
    case 5: return {0.0, {vector({3, 0.5})}, {}};
    case 6:
      if (m != 10) return {};
      return {62.181091177807427, {Vector::Constant(2, 0.25782521367036408)}, {}};
    case 7: return {0.0, {vector({1, 0, 0})}, {}};
    case 8:
      return {0.0041074386532894874,
              {vector({0.082410559749788932, 1.1330360920297216, 2.3436951786425371})},
              {8.7143466666666667}};
    case 9: return {5.6396638480932402e-9, {vector({0.39895613783875668, 1.0000190844878057, 0})}, {}};
    case 10: return {43.97292758542556, {vector({0.0056096364710280525, 6181.3463462863723, 345.2236346241365})}, {}};
    case 11: return {0.0, {vector({50, 25, 1.5})}, {}};
    case 12: {
      Minima known{0.0, {vector({1, 10, 1}), vector({10, 1, -1})}, {}};
      // As x2 -> infinity, where exp(-t x2) is gone from the residuals.
      if (m == 10) known.local_values = {0.037794370377498702};
      return known;
    }
    case 13:
    case 22: return {0.0, {Vector::Zero(n)}, {}};
    case 14:
    case 21:
    case 25: return {0.0, {Vector::Ones(n)}, {}};
    case 15:
      return {0.00015375280192461871,
              {vector({0.19280693457903785, 0.19128232873436696, 0.12305650692632065, 0.13606233068379484})},
              {0.00051367152434772892}};
    case 16:
      if (m != 20) return {};
      return {42911.100813178172,
              {vector({-11.594439904762165, 13.203630051207204, -0.40343948817685952, 0.2367787744557363})},
              {}};
    case 17:
      return {2.7324473487414532e-5,
              {vector({0.37541005210695204, 1.9358469127123674, -1.4646871366134231, 0.012867534640057289,
                       0.022122699661672611})},
              {}};
    case 18: {
      Minima known{0.0, {vector({1, 10, 1, 5, 4, 3}), vector({4, 10, 3, 5, 1, 1})}, {}};
      if (m == 13) known.local_values = {0.0028278249627499655};
      return known;
    }
    case 19:
      return {0.020068868146773869,
              {vector({1.3099771546273005, 0.43155379460298892, 0.633661698960724, 0.5994305347859163,
                       0.75418322632801128, 0.90428857985963366, 1.3658118352370285, 4.8236988172271556,
                       2.3986848661317546, 4.5688745976676716, 5.6753414705806412})},
              {}};
    case 20:
      if (n == 6) {
        return {0.0011438350267762181,
                {vector({-0.015725086401458457, 1.0124348693691099, -0.23299162595673768, 1.2604300877996083,
                         -1.5137289227222797, 0.99299643243113452})},
                {}};
      }
      if (n == 9) {
        return {6.9988006904950997e-7,
                {vector({-1.5307036521394342e-5, 0.99978970393194838, 0.014763963693556959, 0.14634232829936223,
                         1.0008211030047092, -2.6177311405190151, 4.1044031644788564, -3.1436122785564422,
                         1.0526264080101669})},
                {}};
      }
      if (n == 12) {
        return {2.3611905529458787e-10,
                {vector({-6.638060464520687e-9, 1.000001644117862, -0.00056393221034230585, 0.34782054050404241,
                         -0.15673150409616512, 1.0528151772071778, -3.2472711534596677, 7.288434897938061,
                         -10.271848241321724, 9.0741136470753157, -4.541375466692512, 1.0120118885528104})},
                {}};
      }
      return {};
    case 23:
      if (n == 4) return {1.1249887504499685e-5, {Vector::Constant(4, 0.25000749958753787)}, {}};
      if (n == 10) return {3.5438257335451847e-5, {Vector::Constant(10, 0.15812230111311636)}, {}};
      return {};
    case 24:
      if (n == 4) {
        return {4.6881465036777208e-6,
                {vector({0.19999933335038038, 0.19131670099277245, 0.48010148533262317, 0.51884540439020059})},
                {}};
      }
      if (n == 10) {
        return {0.00014683026872837297,
                {vector({0.19998360519782361, 0.010350648471292298, 0.0196049344804384, 0.03208906722068565,
                         0.049932677399641297, 0.076513995153993608, 0.11862407286950418, 0.19214487233557668,
                         0.34732058694184363, 0.36916437415935083})},
                {}};
      }
      return {};
    case 26: {
      Minima known{0.0, {Vector::Zero(n)}, {}};
      if (n == 10) {
        known.minimisers.push_back(
            vector({0.034396288925737198, 0.0350323157413494, 0.035719195825957998, 0.036465224218250921,
                    0.037280911738855499, 0.03817986254748341, 0.039180141082453366, 0.040306502644077015,
                    0.17972019169717081, 0.15624088142700163}));
        known.local_values = {1.3975280609397281e-5};
      }
      return known;
    }
    case 27: {
      Minima known{0.0, {Vector::Ones(n)}, {}};
      if (n >= 2) {
        const double alpha = brown_root(n);
        Vector other = Vector::Constant(n, alpha);
        other[n - 1] = std::pow(alpha, 1 - static_cast<double>(n));
        known.minimisers.push_back(other);
      }
      if (n >= 3) known.local_values = {0.5};
      return known;
    }
    case 28:
    case 29:
      if (n == 10) return {0.0, {boundary_value_solution()}, {}};
      return {0.0, {}, {}};
    case 30:
      if (n != 10) return {0.0, {}, {}};
      return {0.0,
              {vector({-0.57072213201122479, -0.68180694998427509, -0.70221007601766003, -0.70551062989508039,
                       -0.70490615572874367, -0.70149660702985113, -0.69188932235479825, -0.66579651440585375,
                       -0.59603510902636571, -0.41641225752869335})},
              {}};
    case 31:
      if (n != 10) return {0.0, {}, {}};
      return {0.0,
              {vector({-0.42830286358725027, -0.47659642435629024, -0.51965246364686173, -0.5580993248321809,
                       -0.59250615682945735, -0.62450368219946792, -0.62323947144059109, -0.6213938417965735,
                       -0.62045359665908736, -0.58646927072043507})},
              {}};
    case 32: return {static_cast<double>(m - n) / 2, {Vector::Constant(n, -1)}, {}};
    case 33: return {rows * (rows - 1) / (4 * (2 * rows + 1)), {shortest(n, 0, n, 3 / (2 * rows + 1))}, {}};
    case 34:
      return {(rows * rows + 3 * rows - 6) / (4 * (2 * rows - 3)), {shortest(n, 1, n - 1, 3 / (2 * rows - 3))}, {}};
    default: break;  // 35
  }
  if (m != n) return {};
  if (n == 8) {
    return {0.0017584368628389658,
            {vector({0.043152760151016631, 0.19309084038418612, 0.26632870689027293, 0.5, 0.5, 0.73367129310972707,
                     0.80690915961581388, 0.95684723984898337})},
            {}};
  }
  if (n == 9) {
    return {0.0,
            {vector({0.044205346135782763, 0.19949067230988096, 0.23561910847106, 0.41604690789259803, 0.5,
                     0.58395309210740197, 0.76438089152894, 0.80050932769011904, 0.95579465386421724})},
            {}};
  }
  if (n == 10) {
    return {0.0023863568481876745,
            {vector({0.074748166214602479, 0.17151817694809267, 0.28643415258400003, 0.3596464506289341,
                     0.47075052286659346, 0.61673833503874502, 0.61673833503874502, 0.79981080153861378,
                     0.84485464224092664, 0.96700662698192554})},
            {0.0032519774004411531}};
  }
  if (n < 8) return {0.0, {}, {}};
  return {};
}

}  // namespace mgh

namespace {

enum class MghStart { once, tenfold, hundredfold };

struct MghOptions {
  Index number = 1;
  Index n = 0;
  Index m = 0;
  MghStart start = MghStart::once;
};

void visit_options(MghOptions& o, OptionVisitor& v) {
  v.option("number", o.number, Interval::closed(1, 35), "of the problem in section 3 of the paper");
  v.option("n", o.n, Interval::closed(0, 1000), "variables, 0 for the standard number");
  v.option("m", o.m, Interval::closed(0, 10000), "residuals, 0 for the standard number");
  v.choice("start", o.start, {{"1", MghStart::once}, {"10", MghStart::tenfold}, {"100", MghStart::hundredfold}},
           "factor on the standard starting point");
}

Problem make_mgh(const MghOptions& o, const ProblemContext&) {
  const mgh::Size size = mgh::resolve(o.number, o.n, o.m);
  Problem problem;
  problem.objective = mgh::visit(o.number, size.n, size.m, [&](const auto& functor) -> std::unique_ptr<Objective> {
    return std::make_unique<ResidualObjective<std::decay_t<decltype(functor)>>>(functor, size.n, size.m);
  });
  Objective* const f = problem.objective.get();
  problem.value = [f](const Vector& x) { return f->value(x); };
  const double factor = o.start == MghStart::once ? 1 : o.start == MghStart::tenfold ? 10 : 100;
  problem.start = [x = mgh::start(o.number, size.n, factor)](std::uint64_t) { return x; };
  mgh::Minima known = mgh::minima(o.number, size);
  problem.minimum_value = known.value;
  problem.minimisers = std::move(known.minimisers);
  problem.local_minima = std::move(known.local_values);
  problem.description = fmt::format("problem {} of More, Garbow and Hillstrom ({}): {} residuals in {} variables",
                                    o.number, mgh::name(o.number), size.m, size.n);
  return problem;
}

}  // namespace

ProblemEntry mgh_entry() {
  return registry_entry<MghOptions, Problem, const ProblemContext&>(
      "mgh", "35 least-squares problems of optimization's classical test set, by number",
      "More, Garbow and Hillstrom (1981), section 3", make_mgh);
}

}  // namespace hesse
