#include "hesse/objective/functor_objective.h"
#include "hesse/problems/constrained_problems.h"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <numbers>
#include <vector>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
using std::exp, std::log, std::sin;

struct NoOptions {};
void visit_options(NoOptions&, OptionVisitor&) {}

Vector vector(std::initializer_list<double> values) {
  return Eigen::Map<const Vector>(values.begin(), static_cast<Index>(values.size()));
}

template <class Functor>
std::unique_ptr<Objective> formula(Index n, Functor functor) {
  return std::make_unique<FunctorObjective<Functor>>(functor, n);
}

template <class Functor>
ConstrainedProblem problem(Index n, Functor functor) {
  ConstrainedProblem p;
  p.objective = formula(n, functor);
  p.lower = Vector::Constant(n, -kInfinity);
  p.upper = Vector::Constant(n, kInfinity);
  return p;
}

ConstrainedProblem hs1(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) {
    return 100.0 * (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0]) + (1.0 - x[0]) * (1.0 - x[0]);
  });
  p.lower = vector({-kInfinity, -1.5});
  p.upper = vector({kInfinity, kInfinity});
  p.start = vector({-2, 1});
  p.minimum_value = 0;
  p.minimisers = {vector({1, 1})};
  return p;
}

ConstrainedProblem hs3(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) { return x[1] + 1e-5 * (x[1] - x[0]) * (x[1] - x[0]); });
  p.lower = vector({-kInfinity, 0});
  p.upper = vector({kInfinity, kInfinity});
  p.start = vector({10, 1});
  p.minimum_value = 0;
  p.minimisers = {vector({0, 0})};
  return p;
}

ConstrainedProblem hs4(const NoOptions&, const NoContext&) {
  ConstrainedProblem p =
      problem(2, [](const auto* x) { return (x[0] + 1.0) * (x[0] + 1.0) * (x[0] + 1.0) / 3.0 + x[1]; });
  p.lower = vector({1, 0});
  p.upper = vector({kInfinity, kInfinity});
  p.start = vector({1.125, 0.125});
  p.minimum_value = 8.0 / 3;
  p.minimisers = {vector({1, 0})};
  return p;
}

ConstrainedProblem hs5(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) {
    return sin(x[0] + x[1]) + (x[0] - x[1]) * (x[0] - x[1]) - 1.5 * x[0] + 2.5 * x[1] + 1.0;
  });
  p.lower = vector({-1.5, -3});
  p.upper = vector({4, 3});
  p.start = vector({0, 0});
  p.minimum_value = -0.5 * std::sqrt(3.0) - std::numbers::pi / 3;
  p.minimisers = {vector({0.5 - std::numbers::pi / 3, -0.5 - std::numbers::pi / 3})};
  return p;
}

ConstrainedProblem hs6(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) { return (1.0 - x[0]) * (1.0 - x[0]); });
  p.equalities.push_back(formula(2, [](const auto* x) { return 10.0 * (x[1] - x[0] * x[0]); }));
  p.start = vector({-1.2, 1});
  p.minimum_value = 0;
  p.minimisers = {vector({1, 1})};
  return p;
}

ConstrainedProblem hs7(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) { return log(1.0 + x[0] * x[0]) - x[1]; });
  p.equalities.push_back(
      formula(2, [](const auto* x) { return (1.0 + x[0] * x[0]) * (1.0 + x[0] * x[0]) + x[1] * x[1] - 4.0; }));
  p.start = vector({2, 2});
  p.minimum_value = -std::sqrt(3.0);
  p.minimisers = {vector({0, std::sqrt(3.0)})};
  return p;
}

ConstrainedProblem hs12(const NoOptions&, const NoContext&) {
  ConstrainedProblem p =
      problem(2, [](const auto* x) { return 0.5 * x[0] * x[0] + x[1] * x[1] - x[0] * x[1] - 7.0 * x[0] - 7.0 * x[1]; });
  p.inequalities.push_back(formula(2, [](const auto* x) { return 25.0 - 4.0 * x[0] * x[0] - x[1] * x[1]; }));
  p.start = vector({0, 0});
  p.minimum_value = -30;
  p.minimisers = {vector({2, 3})};
  return p;
}

ConstrainedProblem hs21(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) { return 0.01 * x[0] * x[0] + x[1] * x[1] - 100.0; });
  p.inequalities.push_back(formula(2, [](const auto* x) { return 10.0 * x[0] - x[1] - 10.0; }));
  p.lower = vector({2, -50});
  p.upper = vector({50, 50});
  p.start = vector({-1, -1});
  p.minimum_value = -99.96;
  p.minimisers = {vector({2, 0})};
  return p;
}

ConstrainedProblem hs22(const NoOptions&, const NoContext&) {
  ConstrainedProblem p =
      problem(2, [](const auto* x) { return (x[0] - 2.0) * (x[0] - 2.0) + (x[1] - 1.0) * (x[1] - 1.0); });
  p.inequalities.push_back(formula(2, [](const auto* x) { return 2.0 - x[0] - x[1]; }));
  p.inequalities.push_back(formula(2, [](const auto* x) { return x[1] - x[0] * x[0]; }));
  p.start = vector({2, 2});
  p.minimum_value = 1;
  p.minimisers = {vector({1, 1})};
  return p;
}

ConstrainedProblem hs24(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(2, [](const auto* x) {
    return ((x[0] - 3.0) * (x[0] - 3.0) - 9.0) * x[1] * x[1] * x[1] / (27.0 * std::sqrt(3.0));
  });
  p.inequalities.push_back(formula(2, [](const auto* x) { return x[0] / std::sqrt(3.0) - x[1]; }));
  p.inequalities.push_back(formula(2, [](const auto* x) { return x[0] + std::sqrt(3.0) * x[1]; }));
  p.inequalities.push_back(formula(2, [](const auto* x) { return 6.0 - x[0] - std::sqrt(3.0) * x[1]; }));
  p.lower = vector({0, 0});
  p.upper = vector({kInfinity, kInfinity});
  p.start = vector({1, 0.5});
  p.minimum_value = -1;
  p.minimisers = {vector({3, std::sqrt(3.0)})};
  return p;
}

ConstrainedProblem hs26(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return (x[0] - x[1]) * (x[0] - x[1]) + (x[1] - x[2]) * (x[1] - x[2]) * (x[1] - x[2]) * (x[1] - x[2]);
  });
  p.equalities.push_back(
      formula(3, [](const auto* x) { return (1.0 + x[1] * x[1]) * x[0] + x[2] * x[2] * x[2] * x[2] - 3.0; }));
  p.start = vector({-2.6, 2, 2});
  p.minimum_value = 0;
  p.minimisers = {vector({1, 1, 1})};
  return p;
}

ConstrainedProblem hs27(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return 0.01 * (x[0] - 1.0) * (x[0] - 1.0) + (x[1] - x[0] * x[0]) * (x[1] - x[0] * x[0]);
  });
  p.equalities.push_back(formula(3, [](const auto* x) { return x[0] + x[2] * x[2] + 1.0; }));
  p.start = vector({2, 2, 2});
  p.minimum_value = 0.04;
  p.minimisers = {vector({-1, 1, 0})};
  return p;
}

ConstrainedProblem hs28(const NoOptions&, const NoContext&) {
  ConstrainedProblem p =
      problem(3, [](const auto* x) { return (x[0] + x[1]) * (x[0] + x[1]) + (x[1] + x[2]) * (x[1] + x[2]); });
  p.equalities.push_back(formula(3, [](const auto* x) { return x[0] + 2.0 * x[1] + 3.0 * x[2] - 1.0; }));
  p.start = vector({-4, 1, 1});
  p.minimum_value = 0;
  p.minimisers = {vector({0.5, -0.5, 0.5})};
  return p;
}

ConstrainedProblem hs29(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) { return -x[0] * x[1] * x[2]; });
  p.inequalities.push_back(
      formula(3, [](const auto* x) { return 48.0 - x[0] * x[0] - 2.0 * x[1] * x[1] - 4.0 * x[2] * x[2]; }));
  p.start = vector({1, 1, 1});
  p.minimum_value = -16 * std::sqrt(2.0);
  p.minimisers = {vector({4, 2 * std::sqrt(2.0), 2}), vector({4, -2 * std::sqrt(2.0), -2}),
                  vector({-4, 2 * std::sqrt(2.0), -2}), vector({-4, -2 * std::sqrt(2.0), 2})};
  return p;
}

ConstrainedProblem hs30(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] + x[2] * x[2]; });
  p.inequalities.push_back(formula(3, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] - 1.0; }));
  p.lower = vector({1, -10, -10});
  p.upper = vector({10, 10, 10});
  p.start = vector({1, 1, 1});
  p.minimum_value = 1;
  p.minimisers = {vector({1, 0, 0})};
  return p;
}

ConstrainedProblem hs35(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return 9.0 - 8.0 * x[0] - 6.0 * x[1] - 4.0 * x[2] + 2.0 * x[0] * x[0] + 2.0 * x[1] * x[1] + x[2] * x[2] +
           2.0 * x[0] * x[1] + 2.0 * x[0] * x[2];
  });
  p.inequalities.push_back(formula(3, [](const auto* x) { return 3.0 - x[0] - x[1] - 2.0 * x[2]; }));
  p.lower = vector({0, 0, 0});
  p.upper = vector({kInfinity, kInfinity, kInfinity});
  p.start = vector({0.5, 0.5, 0.5});
  p.minimum_value = 1.0 / 9;
  p.minimisers = {vector({4.0 / 3, 7.0 / 9, 4.0 / 9})};
  return p;
}

ConstrainedProblem hs36(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) { return -x[0] * x[1] * x[2]; });
  p.inequalities.push_back(formula(3, [](const auto* x) { return 72.0 - x[0] - 2.0 * x[1] - 2.0 * x[2]; }));
  p.lower = vector({0, 0, 0});
  p.upper = vector({20, 11, 42});
  p.start = vector({10, 10, 10});
  p.minimum_value = -3300;
  p.minimisers = {vector({20, 11, 15})};
  return p;
}

ConstrainedProblem hs37(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) { return -x[0] * x[1] * x[2]; });
  p.inequalities.push_back(formula(3, [](const auto* x) { return 72.0 - x[0] - 2.0 * x[1] - 2.0 * x[2]; }));
  p.inequalities.push_back(formula(3, [](const auto* x) { return x[0] + 2.0 * x[1] + 2.0 * x[2]; }));
  p.lower = vector({0, 0, 0});
  p.upper = vector({42, 42, 42});
  p.start = vector({10, 10, 10});
  p.minimum_value = -3456;
  p.minimisers = {vector({24, 12, 12})};
  return p;
}

ConstrainedProblem hs39(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) { return -x[0]; });
  p.equalities.push_back(formula(4, [](const auto* x) { return x[1] - x[0] * x[0] * x[0] - x[2] * x[2]; }));
  p.equalities.push_back(formula(4, [](const auto* x) { return x[0] * x[0] - x[1] - x[3] * x[3]; }));
  p.start = vector({2, 2, 2, 2});
  p.minimum_value = -1;
  p.minimisers = {vector({1, 1, 0, 0})};
  return p;
}

ConstrainedProblem hs40(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) { return -x[0] * x[1] * x[2] * x[3]; });
  p.equalities.push_back(formula(4, [](const auto* x) { return x[0] * x[0] * x[0] + x[1] * x[1] - 1.0; }));
  p.equalities.push_back(formula(4, [](const auto* x) { return x[0] * x[0] * x[3] - x[2]; }));
  p.equalities.push_back(formula(4, [](const auto* x) { return x[3] * x[3] - x[1]; }));
  p.start = vector({0.8, 0.8, 0.8, 0.8});
  p.minimum_value = -0.25;
  return p;
}

ConstrainedProblem hs42(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) {
    return (x[0] - 1.0) * (x[0] - 1.0) + (x[1] - 2.0) * (x[1] - 2.0) + (x[2] - 3.0) * (x[2] - 3.0) +
           (x[3] - 4.0) * (x[3] - 4.0);
  });
  p.equalities.push_back(formula(4, [](const auto* x) { return x[0] - 2.0; }));
  p.equalities.push_back(formula(4, [](const auto* x) { return x[2] * x[2] + x[3] * x[3] - 2.0; }));
  p.start = vector({1, 1, 1, 1});
  p.minimum_value = 28 - 10 * std::sqrt(2.0);
  p.minimisers = {vector({2, 2, 0.6 * std::sqrt(2.0), 0.8 * std::sqrt(2.0)})};
  return p;
}

ConstrainedProblem hs43(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) {
    return x[0] * x[0] + x[1] * x[1] + 2.0 * x[2] * x[2] + x[3] * x[3] - 5.0 * x[0] - 5.0 * x[1] - 21.0 * x[2] +
           7.0 * x[3];
  });
  p.inequalities.push_back(formula(4, [](const auto* x) {
    return 8.0 - x[0] * x[0] - x[1] * x[1] - x[2] * x[2] - x[3] * x[3] - x[0] + x[1] - x[2] + x[3];
  }));
  p.inequalities.push_back(formula(4, [](const auto* x) {
    return 10.0 - x[0] * x[0] - 2.0 * x[1] * x[1] - x[2] * x[2] - 2.0 * x[3] * x[3] + x[0] + x[3];
  }));
  p.inequalities.push_back(formula(
      4, [](const auto* x) { return 5.0 - 2.0 * x[0] * x[0] - x[1] * x[1] - x[2] * x[2] - 2.0 * x[0] + x[1] + x[3]; }));
  p.start = vector({0, 0, 0, 0});
  p.minimum_value = -44;
  p.minimisers = {vector({0, 1, 2, -1})};
  return p;
}

ConstrainedProblem hs48(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(5, [](const auto* x) {
    return (x[0] - 1.0) * (x[0] - 1.0) + (x[1] - x[2]) * (x[1] - x[2]) + (x[3] - x[4]) * (x[3] - x[4]);
  });
  p.equalities.push_back(formula(5, [](const auto* x) { return x[0] + x[1] + x[2] + x[3] + x[4] - 5.0; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[2] - 2.0 * (x[3] + x[4]) + 3.0; }));
  p.start = vector({3, 5, -3, 2, -2});
  p.minimum_value = 0;
  p.minimisers = {vector({1, 1, 1, 1, 1})};
  return p;
}

ConstrainedProblem hs51(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(5, [](const auto* x) {
    return (x[0] - x[1]) * (x[0] - x[1]) + (x[1] + x[2] - 2.0) * (x[1] + x[2] - 2.0) + (x[3] - 1.0) * (x[3] - 1.0) +
           (x[4] - 1.0) * (x[4] - 1.0);
  });
  p.equalities.push_back(formula(5, [](const auto* x) { return x[0] + 3.0 * x[1] - 4.0; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[2] + x[3] - 2.0 * x[4]; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[1] - x[4]; }));
  p.start = vector({2.5, 0.5, 2, -1, 0.5});
  p.minimum_value = 0;
  p.minimisers = {vector({1, 1, 1, 1, 1})};
  return p;
}

ConstrainedProblem hs52(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(5, [](const auto* x) {
    return (4.0 * x[0] - x[1]) * (4.0 * x[0] - x[1]) + (x[1] + x[2] - 2.0) * (x[1] + x[2] - 2.0) +
           (x[3] - 1.0) * (x[3] - 1.0) + (x[4] - 1.0) * (x[4] - 1.0);
  });
  p.equalities.push_back(formula(5, [](const auto* x) { return x[0] + 3.0 * x[1]; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[2] + x[3] - 2.0 * x[4]; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[1] - x[4]; }));
  p.start = vector({2, 2, 2, 2, 2});
  p.minimum_value = 1859.0 / 349;
  p.minimisers = {vector({-33.0 / 349, 11.0 / 349, 180.0 / 349, -158.0 / 349, 11.0 / 349})};
  return p;
}

ConstrainedProblem hs60(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return (x[0] - 1.0) * (x[0] - 1.0) + (x[0] - x[1]) * (x[0] - x[1]) +
           (x[1] - x[2]) * (x[1] - x[2]) * (x[1] - x[2]) * (x[1] - x[2]);
  });
  p.equalities.push_back(formula(3, [](const auto* x) {
    return x[0] * (1.0 + x[1] * x[1]) + x[2] * x[2] * x[2] * x[2] - 4.0 - 3.0 * std::sqrt(2.0);
  }));
  p.lower = vector({-10, -10, -10});
  p.upper = vector({10, 10, 10});
  p.start = vector({2, 2, 2});
  p.minimum_value = 0.03256820025;
  return p;
}

ConstrainedProblem hs63(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return 1000.0 - x[0] * x[0] - 2.0 * x[1] * x[1] - x[2] * x[2] - x[0] * x[1] - x[0] * x[2];
  });
  p.equalities.push_back(formula(3, [](const auto* x) { return 8.0 * x[0] + 14.0 * x[1] + 7.0 * x[2] - 56.0; }));
  p.equalities.push_back(formula(3, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] - 25.0; }));
  p.lower = vector({0, 0, 0});
  p.upper = vector({kInfinity, kInfinity, kInfinity});
  p.start = vector({2, 2, 2});
  p.minimum_value = 961.7151721;
  return p;
}

ConstrainedProblem hs65(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(3, [](const auto* x) {
    return (x[0] - x[1]) * (x[0] - x[1]) + (x[0] + x[1] - 10.0) * (x[0] + x[1] - 10.0) / 9.0 +
           (x[2] - 5.0) * (x[2] - 5.0);
  });
  p.inequalities.push_back(formula(3, [](const auto* x) { return 48.0 - x[0] * x[0] - x[1] * x[1] - x[2] * x[2]; }));
  p.lower = vector({-4.5, -4.5, -5});
  p.upper = vector({4.5, 4.5, 5});
  p.start = vector({-5, 5, 0});
  p.minimum_value = 0.9535288567;
  return p;
}

ConstrainedProblem hs71(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) { return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]; });
  p.equalities.push_back(
      formula(4, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3] - 40.0; }));
  p.inequalities.push_back(formula(4, [](const auto* x) { return x[0] * x[1] * x[2] * x[3] - 25.0; }));
  p.lower = vector({1, 1, 1, 1});
  p.upper = vector({5, 5, 5, 5});
  p.start = vector({1, 5, 5, 1});
  p.minimum_value = 17.0140173;
  return p;
}

ConstrainedProblem hs76(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(4, [](const auto* x) {
    return x[0] * x[0] + 0.5 * x[1] * x[1] + x[2] * x[2] + 0.5 * x[3] * x[3] - x[0] * x[2] + x[2] * x[3] - x[0] -
           3.0 * x[1] + x[2] - x[3];
  });
  p.inequalities.push_back(formula(4, [](const auto* x) { return 5.0 - x[0] - 2.0 * x[1] - x[2] - x[3]; }));
  p.inequalities.push_back(formula(4, [](const auto* x) { return 4.0 - 3.0 * x[0] - x[1] - 2.0 * x[2] + x[3]; }));
  p.inequalities.push_back(formula(4, [](const auto* x) { return x[1] + 4.0 * x[2] - 1.5; }));
  p.lower = vector({0, 0, 0, 0});
  p.upper = vector({kInfinity, kInfinity, kInfinity, kInfinity});
  p.start = vector({0.5, 0.5, 0.5, 0.5});
  p.minimum_value = -4.681818181;
  return p;
}

ConstrainedProblem hs80(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(5, [](const auto* x) { return exp(x[0] * x[1] * x[2] * x[3] * x[4]); });
  p.equalities.push_back(formula(
      5, [](const auto* x) { return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3] + x[4] * x[4] - 10.0; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[1] * x[2] - 5.0 * x[3] * x[4]; }));
  p.equalities.push_back(formula(5, [](const auto* x) { return x[0] * x[0] * x[0] + x[1] * x[1] * x[1] + 1.0; }));
  p.lower = vector({-2.3, -2.3, -3.2, -3.2, -3.2});
  p.upper = vector({2.3, 2.3, 3.2, 3.2, 3.2});
  p.start = vector({-2, 2, 2, -1, -1});
  p.minimum_value = 0.0539498478;
  return p;
}

ConstrainedProblem hs100(const NoOptions&, const NoContext&) {
  ConstrainedProblem p = problem(7, [](const auto* x) {
    return (x[0] - 10.0) * (x[0] - 10.0) + 5.0 * (x[1] - 12.0) * (x[1] - 12.0) + x[2] * x[2] * x[2] * x[2] +
           3.0 * (x[3] - 11.0) * (x[3] - 11.0) + 10.0 * x[4] * x[4] * x[4] * x[4] * x[4] * x[4] + 7.0 * x[5] * x[5] +
           x[6] * x[6] * x[6] * x[6] - 4.0 * x[5] * x[6] - 10.0 * x[5] - 8.0 * x[6];
  });
  p.inequalities.push_back(formula(7, [](const auto* x) {
    return 127.0 - 2.0 * x[0] * x[0] - 3.0 * x[1] * x[1] * x[1] * x[1] - x[2] - 4.0 * x[3] * x[3] - 5.0 * x[4];
  }));
  p.inequalities.push_back(
      formula(7, [](const auto* x) { return 282.0 - 7.0 * x[0] - 3.0 * x[1] - 10.0 * x[2] * x[2] - x[3] + x[4]; }));
  p.inequalities.push_back(
      formula(7, [](const auto* x) { return 196.0 - 23.0 * x[0] - x[1] * x[1] - 6.0 * x[5] * x[5] + 8.0 * x[6]; }));
  p.inequalities.push_back(formula(7, [](const auto* x) {
    return -4.0 * x[0] * x[0] - x[1] * x[1] + 3.0 * x[0] * x[1] - 2.0 * x[2] * x[2] - 5.0 * x[5] + 11.0 * x[6];
  }));
  p.start = vector({1, 2, 0, 4, 0, 1, 1});
  p.minimum_value = 680.6300573;
  return p;
}

ConstrainedProblemRegistry::Entry entry(int number, const char* summary,
                                        ConstrainedProblem (*make)(const NoOptions&, const NoContext&)) {
  return registry_entry<NoOptions, ConstrainedProblem, const NoContext&>(
      fmt::format("hs{}", number), summary, fmt::format("Hock and Schittkowski (1981), problem {}", number),
      [number, make](const NoOptions& options, const NoContext& context) {
        ConstrainedProblem p = make(options, context);
        p.description =
            fmt::format("problem {} of Hock and Schittkowski: {} variables, {} equalities, {} inequalities, {} bounds",
                        number, p.size(), p.equalities.size(), p.inequalities.size(),
                        p.lower.array().isFinite().count() + p.upper.array().isFinite().count());
        return p;
      });
}

}  // namespace

std::vector<ConstrainedProblemRegistry::Entry> hock_schittkowski() {
  return {
      entry(1, "x2 >= -1.5", hs1),
      entry(3, "a flat direction", hs3),
      entry(4, "a minimum at a corner", hs4),
      entry(5, "sine and bounds", hs5),
      entry(6, "the valley as an equality", hs6),
      entry(7, "a logarithm on a quartic", hs7),
      entry(12, "an ellipse", hs12),
      entry(21, "a line and bounds", hs21),
      entry(22, "a line and a parabola", hs22),
      entry(24, "a cubic on a triangle", hs24),
      entry(26, "a degenerate minimum", hs26),
      entry(27, "a bent equality", hs27),
      entry(28, "a quadratic on a plane", hs28),
      entry(29, "a product on an ellipsoid", hs29),
      entry(30, "outside a cylinder", hs30),
      entry(35, "Beale's quadratic program", hs35),
      entry(36, "a parcel with bounds", hs36),
      entry(37, "a parcel", hs37),
      entry(39, "two cubics", hs39),
      entry(40, "a product of four", hs40),
      entry(42, "the nearest point of a circle", hs42),
      entry(43, "Rosen and Suzuki", hs43),
      entry(48, "least squares on two planes", hs48),
      entry(51, "least squares on three planes", hs51),
      entry(52, "least squares on three planes", hs52),
      entry(60, "a quartic equality", hs60),
      entry(63, "a sphere and a plane", hs63),
      entry(65, "a ball and bounds", hs65),
      entry(71, "the example of many solvers", hs71),
      entry(76, "a quadratic program", hs76),
      entry(80, "an exponential of a product", hs80),
      entry(100, "seven variables", hs100),
  };
}

}  // namespace hesse
