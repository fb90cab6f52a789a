#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/adolc_objective.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/counting_objective.h"
#include "hesse/objective/dual.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/functor_sum.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"

#include <catch2/catch.hpp>

#include <ceres/jet.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <set>
#include <stdexcept>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

Vector random_vector(Index n, std::uint64_t step) {
  Vector x(n);
  RandomStream(9, Purpose::test, step).fill_normal(x);
  return x;
}

/// Tapes on disk in the working directory.
Index tape_files() {
  Index count = 0;
  for (const auto& file : std::filesystem::directory_iterator(".")) count += file.path().extension() == ".tap" ? 1 : 0;
  return count;
}

Matrix hessian_of(Objective& f, const Vector& x) { return to_dense(*f.curvature(x, Curvature::hessian)); }

/// Gradient and Hessian of the chained Rosenbrock function, by hand.
void rosenbrock_by_hand(const Vector& x, double a, double b, Vector& g, Matrix& H) {
  const Index n = x.size();
  g = Vector::Zero(n);
  H = Matrix::Zero(n, n);
  for (Index i = 0; i + 1 < n; ++i) {
    const double v = x[i + 1] - x[i] * x[i];
    g[i] += -2 * (a - x[i]) - 4 * b * x[i] * v;
    g[i + 1] += 2 * b * v;
    H(i, i) += 2 - 4 * b * v + 8 * b * x[i] * x[i];
    H(i, i + 1) -= 4 * b * x[i];
    H(i + 1, i) -= 4 * b * x[i];
    H(i + 1, i + 1) += 2 * b;
  }
}

/// (x_0 - c_i)^4 + x_0 x_1 sin(i) for sample i.
struct Sample {
  template <class T>
  T operator()(const T* x, Index i) const {
    const T d = x[0] - static_cast<double>(i);
    return d * d * d * d + x[0] * x[1] * std::sin(static_cast<double>(i));
  }
};

// 400,000 products of one variable: the sum is 400000 x^2.
struct Long {
  template <class T>
  T operator()(const T* x) const {
    T sum = T(0.0);
    for (int i = 0; i < 400000; ++i) sum = sum + x[0] * x[0];
    return sum;
  }
};

struct Throws {
  template <class T>
  T operator()(const T* x) const {
    const T y = x[0] * x[0];
    if (x[0] > 5.0) throw std::runtime_error("too large");
    return y;
  }
};

struct Kink {
  template <class T>
  T operator()(const T* x) const {
    if (x[0] > 0.0) return x[0] * x[0] * x[1];
    return x[1] * x[1];
  }
};

}  // namespace

TEST_CASE("first and second derivatives of every elementary function are those of calculus") {
  using D = Dual<Dual<double, 1>, 1>;
  struct Row {
    const char* name;
    std::function<D(D)> f;
    std::function<double(double)> first;
    std::function<double(double)> second;
  };
  const auto s = [](double x) { return std::sqrt(1 - x * x); };
  const std::vector<Row> rows = {
      {"sqrt", [](D x) { return sqrt(x); }, [](double x) { return 0.5 / std::sqrt(x); },
       [](double x) { return -0.25 * std::pow(x, -1.5); }},
      {"exp", [](D x) { return exp(x); }, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"expm1", [](D x) { return expm1(x); }, [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }},
      {"log", [](D x) { return log(x); }, [](double x) { return 1 / x; }, [](double x) { return -1 / (x * x); }},
      {"log1p", [](D x) { return log1p(x); }, [](double x) { return 1 / (1 + x); },
       [](double x) { return -1 / ((1 + x) * (1 + x)); }},
      {"sin", [](D x) { return sin(x); }, [](double x) { return std::cos(x); }, [](double x) { return -std::sin(x); }},
      {"cos", [](D x) { return cos(x); }, [](double x) { return -std::sin(x); }, [](double x) { return -std::cos(x); }},
      {"tan", [](D x) { return tan(x); }, [](double x) { return 1 / (std::cos(x) * std::cos(x)); },
       [](double x) { return 2 * std::tan(x) / (std::cos(x) * std::cos(x)); }},
      {"asin", [](D x) { return asin(x); }, [&](double x) { return 1 / s(x); },
       [&](double x) { return x / std::pow(s(x), 3); }},
      {"acos", [](D x) { return acos(x); }, [&](double x) { return -1 / s(x); },
       [&](double x) { return -x / std::pow(s(x), 3); }},
      {"atan", [](D x) { return atan(x); }, [](double x) { return 1 / (1 + x * x); },
       [](double x) { return -2 * x / std::pow(1 + x * x, 2); }},
      {"sinh", [](D x) { return sinh(x); }, [](double x) { return std::cosh(x); },
       [](double x) { return std::sinh(x); }},
      {"cosh", [](D x) { return cosh(x); }, [](double x) { return std::sinh(x); },
       [](double x) { return std::cosh(x); }},
      {"tanh", [](D x) { return tanh(x); }, [](double x) { return 1 / std::pow(std::cosh(x), 2); },
       [](double x) { return -2 * std::tanh(x) / std::pow(std::cosh(x), 2); }},
      {"erf", [](D x) { return erf(x); }, [](double x) { return 2 / std::sqrt(M_PI) * std::exp(-x * x); },
       [](double x) { return -4 * x / std::sqrt(M_PI) * std::exp(-x * x); }},
      {"pow", [](D x) { return pow(x, 2.5); }, [](double x) { return 2.5 * std::pow(x, 1.5); },
       [](double x) { return 3.75 * std::sqrt(x); }},
      {"x^x", [](D x) { return pow(x, x); }, [](double x) { return std::pow(x, x) * (1 + std::log(x)); },
       [](double x) { return std::pow(x, x) * (std::pow(1 + std::log(x), 2) + 1 / x); }},
      {"1/x", [](D x) { return 1.0 / x; }, [](double x) { return -1 / (x * x); },
       [](double x) { return 2 / (x * x * x); }},
      {"atan2", [](D x) { return atan2(x, D(2.0)); }, [](double x) { return 2 / (4 + x * x); },
       [](double x) { return -4 * x / std::pow(4 + x * x, 2); }},
      {"abs", [](D x) { return abs(-x); }, [](double) { return 1.0; }, [](double) { return 0.0; }},
      {"max", [](D x) { return max(x * x, D(-1.0)); }, [](double x) { return 2 * x; }, [](double) { return 2.0; }},
  };
  for (const Row& row : rows) {
    for (const double at : {0.1, 0.5, 0.9}) {
      CAPTURE(row.name, at);
      D x(at);
      x.value.derivative[0] = 1;
      x.derivative[0] = Dual<double, 1>(1.0);
      const D y = row.f(x);
      // A few roundings of numbers of the size of the result and of the intermediate quotients.
      CHECK(y.value.derivative[0] == Approx(row.first(at)).epsilon(1e-13).margin(1e-14));
      CHECK(y.derivative[0].derivative[0] == Approx(row.second(at)).epsilon(1e-12).margin(1e-13));
    }
  }
}

TEST_CASE("dual numbers and ADOL-C give the derivatives of Rosenbrock's function that hand computation gives") {
  for (const Index n : {2, 3, 10, 50, 100}) {
    const Vector x = random_vector(n, 1);
    Vector g_hand, g;
    Matrix H_hand;
    rosenbrock_by_hand(x, 1, 100, g_hand, H_hand);
    FunctorObjective<ChainedRosenbrock> dual({n}, n);
    AdolcObjective<ChainedRosenbrock> tape({n}, n);
    const double value = dual.value_and_gradient(x, g);
    CHECK(value == Approx(dual.value(x)).epsilon(1e-14));
    CHECK((g - g_hand).norm() <= 1e-14 * static_cast<double>(n) * g_hand.norm());
    CHECK((hessian_of(dual, x) - H_hand).norm() <= 1e-12 * H_hand.norm());
    CHECK(tape.value_and_gradient(x, g) == Approx(value).epsilon(1e-13));
    CHECK((g - g_hand).norm() <= 1e-13 * g_hand.norm());
    CHECK((hessian_of(tape, x) - H_hand).norm() <= 1e-12 * H_hand.norm());
  }
}

TEST_CASE("the tape is recorded anew where a branch changes, and operators keep their point") {
  AdolcObjective<Kink> f({}, 2);
  Vector g;
  f.value_and_gradient(Eigen::Vector2d(2, 3), g);
  CHECK(g == Vector(Eigen::Vector2d(12, 4)));
  f.value_and_gradient(Eigen::Vector2d(-2, 3), g);
  CHECK(g == Vector(Eigen::Vector2d(0, 6)));
  const auto A = f.curvature(Eigen::Vector2d(2, 3), Curvature::hessian);
  const auto B = f.curvature(Eigen::Vector2d(-2, 3), Curvature::hessian);
  CHECK(to_dense(*A) == (Matrix(2, 2) << 6, 4, 4, 0).finished());
  CHECK(to_dense(*B) == (Matrix(2, 2) << 0, 0, 0, 2).finished());
  CHECK_THROWS_AS(f.curvature(Eigen::Vector2d(2, 3), Curvature::fisher), Error);
}

TEST_CASE("the functors give with Ceres' jets the gradients that dual numbers give") {
  const auto agree = [](const auto& functor, const Vector& x) {
    using Jet = ceres::Jet<double, 1>;
    const Index n = x.size();
    FunctorObjective f(functor, n);
    Vector g, oracle(n);
    f.value_and_gradient(x, g);
    for (Index i = 0; i < n; ++i) {
      std::vector<Jet> p(x.data(), x.data() + n);
      p[static_cast<std::size_t>(i)].v[0] = 1;
      oracle[i] = functor(static_cast<const Jet*>(p.data())).v[0];
    }
    // Both do the same few tens of operations in another order.
    CHECK((g - oracle).norm() <= 100 * kEps * oracle.norm());
  };
  for (const std::uint64_t step : {10, 11, 12}) {
    agree(Rosenbrock{1, 100}, random_vector(2, step));
    agree(Beale{}, random_vector(2, step));
    agree(Himmelblau{}, random_vector(2, step));
    agree(DoubleWell{}, random_vector(1, step));
    agree(StyblinskiTang{3}, random_vector(3, step));
    agree(ChainedRosenbrock{10}, random_vector(10, step));
  }
}

TEST_CASE("the Hessians of Beale's and Himmelblau's functions are those of hand computation") {
  const Vector z = Eigen::Vector2d(0.7, -1.3);
  const double x = z[0];
  const double y = z[1];
  FunctorObjective<Himmelblau> himmelblau({}, 2);
  Matrix H(2, 2);
  H << 12 * x * x + 4 * y - 42, 4 * (x + y), 4 * (x + y), 12 * y * y + 4 * x - 26;
  CHECK((hessian_of(himmelblau, z) - H).norm() <= 100 * kEps * H.norm());
  // f = sum_k r_k^2, r_k = c_k - x (1 - y^k): r_x = y^k - 1, r_y = k x y^(k-1), r_xy = k y^(k-1).
  H.setZero();
  const double c[] = {1.5, 2.25, 2.625};
  for (int k = 1; k <= 3; ++k) {
    const double r = c[k - 1] - x * (1 - std::pow(y, k));
    const double rx = std::pow(y, k) - 1;
    const double ry = k * x * std::pow(y, k - 1);
    const double rxy = k * std::pow(y, k - 1);
    const double ryy = k == 1 ? 0 : k * (k - 1) * x * std::pow(y, k - 2);
    H(0, 0) += 2 * rx * rx;
    H(0, 1) += 2 * (rx * ry + r * rxy);
    H(1, 1) += 2 * (ry * ry + r * ryy);
  }
  H(1, 0) = H(0, 1);
  FunctorObjective<Beale> beale({}, 2);
  CHECK((hessian_of(beale, z) - H).norm() <= 100 * kEps * H.norm());
}

TEST_CASE("a long tape stays in memory, leaves no file, and gives the derivatives of hand computation") {
  const Index before = tape_files();
  const Index n = 100000;
  AdolcObjective<ChainedRosenbrock> f({n}, n);
  const Vector x = random_vector(n, 20);
  const Vector v = random_vector(n, 21);
  Vector g, Hv(n), by_hand = Vector::Zero(n), product = Vector::Zero(n);
  for (Index i = 0; i + 1 < n; ++i) {
    const double u = x[i + 1] - x[i] * x[i];
    by_hand[i] += -2 * (1 - x[i]) - 400 * x[i] * u;
    by_hand[i + 1] += 200 * u;
    product[i] += (2 - 400 * u + 800 * x[i] * x[i]) * v[i] - 400 * x[i] * v[i + 1];
    product[i + 1] += -400 * x[i] * v[i] + 200 * v[i + 1];
  }
  f.value_and_gradient(x, g);
  f.curvature(x, Curvature::hessian)->apply(v, Hv);
  CHECK((g - by_hand).norm() <= 100 * kEps * by_hand.norm());
  CHECK((Hv - product).norm() <= 100 * kEps * product.norm());
  CHECK(tape_files() == before);
}

TEST_CASE("a tape longer than its first buffers is recorded again with room for it, and leaves no file") {
  const Index before = tape_files();
  AdolcObjective<Long> f({}, 1);
  Vector g;
  CHECK(f.value_and_gradient(Vector::Constant(1, 0.5), g) == 100000);
  CHECK(g[0] == 400000);
  CHECK(hessian_of(f, Vector::Constant(1, 0.5))(0, 0) == 800000);
  CHECK(tape_files() == before);
}

TEST_CASE("a formula that throws while it is recorded leaves its objective and all others usable") {
  AdolcObjective<Throws> f({}, 1);
  Vector g;
  CHECK_THROWS_AS(f.value_and_gradient(Vector::Constant(1, 6), g), std::runtime_error);
  CHECK(f.value_and_gradient(Vector::Constant(1, 3), g) == 9);
  CHECK(g[0] == 6);
  AdolcObjective<Kink> other({}, 2);
  other.value_and_gradient(Eigen::Vector2d(2, 3), g);
  CHECK(g == Vector(Eigen::Vector2d(12, 4)));
  CHECK_THROWS_AS(f.value_and_gradient(Vector::Zero(2), g), Error);
}

TEST_CASE("the known minimisers are stationary to rounding, with a positive semidefinite Hessian") {
  const auto check = [](Objective& f, const Vector& x) {
    Vector g, values;
    Matrix V;
    f.value_and_gradient(x, g);
    const Matrix H = hessian_of(f, x);
    CHECK(g.norm() <= 10 * kEps * H.norm() * std::max(1.0, x.norm()));
    symmetric_eigen(H, values, V);
    CHECK(values[0] > 0);
  };
  FunctorObjective<Himmelblau> himmelblau({}, 2);
  std::set<long> different;
  for (const Vector& x : himmelblau_minimisers()) {
    check(himmelblau, x);
    CHECK(himmelblau.value(x) <= 1e-27);
    different.insert(std::lround(1000 * x[0]));
  }
  CHECK(different.size() == 4);
  FunctorObjective<Beale> beale({}, 2);
  check(beale, Eigen::Vector2d(3, 0.5));
  FunctorObjective<Rosenbrock> rosenbrock({2, 7}, 2);
  check(rosenbrock, Eigen::Vector2d(2, 4));
  FunctorObjective<DoubleWell> well({}, 1);
  const Vector stationary = double_well_stationary_points();
  check(well, stationary.segment(0, 1));
  check(well, stationary.segment(2, 1));
  CHECK(hessian_of(well, stationary.segment(1, 1))(0, 0) < 0);
  CHECK(well.value(stationary.segment(0, 1)) < well.value(stationary.segment(2, 1)));
  FunctorObjective<StyblinskiTang> tang({3}, 3);
  const double low = styblinski_tang_stationary_points()[0];
  check(tang, Vector::Constant(3, low));
  CHECK(low == Approx(-2.903534027771177).epsilon(1e-15));
  CHECK(tang.value(Vector::Constant(3, low)) == Approx(3 * -39.16616570377142).epsilon(1e-15));
}

TEST_CASE("a quadratic has the spectrum and the centre that were chosen, rotated or not") {
  for (const Index reflections : {0, 1, 4}) {
    const Vector spectrum = logarithmic_spectrum(30, 1e4);
    const Vector centre = random_vector(30, 2);
    Quadratic f(spectrum, centre, reflections, 5);
    Vector values, g;
    Matrix V;
    const Matrix H = hessian_of(f, centre);
    CHECK((H - H.transpose()).norm() <= 1e-14);
    symmetric_eigen(0.5 * (H + H.transpose()), values, V);
    CHECK((values - spectrum).norm() <= 1e-13);
    CHECK(f.value_and_gradient(centre, g) == 0);
    CHECK(g.norm() == 0);
    const Vector x = random_vector(30, 3);
    CHECK(f.value_and_gradient(x, g) == Approx(0.5 * (x - centre).dot(H * (x - centre))).epsilon(1e-12));
    CHECK((g - H * (x - centre)).norm() <= 1e-13 * g.norm());
  }
  CHECK(linear_spectrum(3, 4) == Vector(Eigen::Vector3d(0.25, 0.625, 1)));
  CHECK_THROWS_AS(Quadratic(Vector(), Vector()), Error);
  CHECK_THROWS_AS(Quadratic(Vector::Ones(2), Vector::Ones(3)), Error);
  CHECK_THROWS_AS(Quadratic(Vector::Constant(1, std::nan("")), Vector::Ones(1)), Error);
}

TEST_CASE("the counting decorator counts calls, samples and gradient equivalents exactly") {
  FunctorSum<Sample> inner({}, 2, 10);
  CountingObjective f(inner);
  const Vector x = Eigen::Vector2d(1, 2);
  Vector g;
  f.value(x);
  f.value_and_gradient(x, g);
  inner.select(std::vector<Index>{1, 2});
  f.value_and_gradient(x, g);
  const auto A = f.curvature(x, Curvature::hessian);
  Matrix Y(2, 3);
  A->apply(Matrix::Ones(2, 3), Y);
  const Cost& cost = f.cost();
  CHECK(cost.values == 1);
  CHECK(cost.gradients == 2);
  CHECK(cost.linearisations == 1);
  CHECK(cost.products == 3);
  CHECK(cost.value_samples == 10);
  CHECK(cost.gradient_samples == 12);
  CHECK(cost.product_samples == 6);
  const double value_weight = inner.cost_weights().value;
  CHECK(cost.gradient_equivalents == Approx(value_weight + 1 + 0.2 + 3 * 2.0 * 0.2));
  CHECK(find<FiniteSum>(f) == &inner);
  Cost start;
  start.gradients = 7;
  CHECK(CountingObjective(inner, start).cost().gradients == 7);
}

TEST_CASE("L2 adds lambda/2 |x|^2 to the value, lambda x to the gradient and lambda I to the Hessian") {
  const Vector x = Eigen::Vector2d(0.3, -2);
  FunctorObjective<Beale> plain({}, 2);
  L2Objective f(std::make_unique<FunctorObjective<Beale>>(Beale{}, 2), 0.5, false);
  Vector g, h;
  CHECK(f.value_and_gradient(x, g) == Approx(plain.value_and_gradient(x, h) + 0.25 * x.squaredNorm()));
  CHECK((g - h - 0.5 * x).norm() <= 1e-14 * g.norm());
  CHECK((hessian_of(f, x) - hessian_of(plain, x) - 0.5 * Matrix::Identity(2, 2)).norm() <= 1e-13 * g.norm());
  CHECK_THROWS_AS(L2Objective(std::make_unique<FunctorObjective<Beale>>(Beale{}, 2), -1, false), Error);
}

TEST_CASE("a sum of formulas has the derivatives of its mean, batch by batch, in the same bits for any threads") {
  const Index samples = 1000;
  const Vector x = Eigen::Vector2d(0.5, -1);
  double value = 0;
  Vector gradient = Vector::Zero(2);
  Matrix hessian = Matrix::Zero(2, 2);
  for (Index i = 0; i < samples; ++i) {
    const double d = x[0] - static_cast<double>(i);
    const double s = std::sin(static_cast<double>(i));
    value += (std::pow(d, 4) + x[0] * x[1] * s) / samples;
    gradient += Vector(Eigen::Vector2d(4 * d * d * d + x[1] * s, x[0] * s)) / samples;
    hessian += (Matrix(2, 2) << 12 * d * d, s, s, 0).finished() / samples;
  }
  Vector first;
  for (const int n : {1, 2, 3, 4}) {
    set_threads(n);
    FunctorSum<Sample> f({}, 2, samples);
    Vector g;
    CHECK(f.value_and_gradient(x, g) == Approx(value).epsilon(1e-12));
    CHECK(f.value(x) == Approx(value).epsilon(1e-12));
    CHECK((g - gradient).norm() <= 1e-12 * gradient.norm());
    CHECK((hessian_of(f, x) - hessian).norm() <= 1e-12 * hessian.norm());
    if (n == 1) first = g;
    CHECK(g == first);
    const auto A = f.curvature(x, Curvature::hessian);
    const Matrix before = to_dense(*A);
    f.select(std::vector<Index>{3});
    CHECK(f.revision() == 1);
    CHECK(f.value(x) == Approx(Sample{}(x.data(), 3)));
    CHECK(to_dense(*A) == before);
    CHECK_THROWS_AS(f.select(std::vector<Index>{samples}), Error);
    f.select_all();
    CHECK(f.samples() == samples);
  }
  set_threads(2);
}

TEST_CASE("each epoch of batches is a permutation, and a batch is a function of its step alone") {
  BatchSequence a(103, 10, 4);
  CHECK(a.batches_per_epoch() == 11);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<Index> seen;
    for (int i = 0; i < 11; ++i) {
      const auto batch = a.batch(11 * epoch + i);
      CHECK(batch.size() == (i == 10 ? 3U : 10U));
      seen.insert(batch.begin(), batch.end());
    }
    CHECK(seen.size() == 103);
  }
  BatchSequence b(103, 10, 4);
  const auto late = b.batch(25);
  const std::vector<Index> copy(late.begin(), late.end());
  const auto again = a.batch(25);
  CHECK(copy == std::vector<Index>(again.begin(), again.end()));
  CHECK(BatchSequence(5, 100, 0).full_batch());
  CHECK_THROWS_AS(BatchSequence(0, 1, 0), Error);
  CHECK_THROWS_AS(BatchSequence(5, 0, 0), Error);
}

TEST_CASE("batches that grow do so exponentially, each drawn without replacement and a function of its step alone") {
  constexpr Index n = 60000;
  BatchSequence grows(n, 1000, 4, 500);
  // m_k = m_1 exp((k - 1) / b) with b = 499 / log(60).
  for (const std::int64_t k : {1, 2, 100, 250, 499, 500, 501, 900}) {
    const auto batch = grows.batch(k - 1);
    const double expected = std::min(60000.0, 1000 * std::exp(static_cast<double>(k - 1) * std::log(60.0) / 499));
    CHECK(std::abs(static_cast<double>(batch.size()) - expected) <= 0.5 + 1e-6);
    CHECK(std::adjacent_find(batch.begin(), batch.end(), std::greater_equal<>()) == batch.end());
    CHECK(batch.front() >= 0);
    CHECK(batch.back() < n);
  }
  const auto late = grows.batch(77);
  const std::vector<Index> copy(late.begin(), late.end());
  BatchSequence other(n, 1000, 4, 500);
  const auto again = other.batch(77);
  CHECK(copy == std::vector<Index>(again.begin(), again.end()));
  const auto next = other.batch(78);
  CHECK(copy != std::vector<Index>(next.begin(), next.end()));
  CHECK_THROWS_AS(BatchSequence(5, 1, 0, 1), Error);
}
