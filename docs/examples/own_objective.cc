// A chemical reaction as an objective of one's own: the potential of Müller and Brown (1979), its minima, the saddle
// between them, and the path from one to the other.
#include "hesse/core/error.h"
#include "hesse/curvature/critical_point.h"
#include "hesse/curvature/stationary_search.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/report/contour_plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

// The formula, once, for any scalar type: doubles give values, dual numbers exact first and second derivatives.
struct MuellerBrown {
  template <class T>
  T operator()(const T* x) const {
    using std::exp;
    constexpr double A[] = {-200, -100, -170, 15};
    constexpr double a[] = {-1, -1, -6.5, 0.7}, b[] = {0, 0, 11, 0.6}, c[] = {-10, -10, -6.5, 0.7};
    constexpr double x0[] = {1, 0, -0.5, -1}, y0[] = {0, 0.5, 1.5, 1};
    T sum(0.0);
    for (int k = 0; k < 4; ++k) {
      const T u = x[0] - x0[k];
      const T v = x[1] - y0[k];
      sum = sum + A[k] * exp(a[k] * (u * u) + b[k] * (u * v) + c[k] * (v * v));
    }
    return sum;
  }
};

// Downhill from x by the named method, to a gradient of 1e-9 unless the steps are spent first.
hesse::Vector descend(hesse::Objective& f, const char* method, hesse::Vector x, std::int64_t steps) {
  auto optimizer = hesse::make_optimizer(method, {f, /*seed=*/0});
  hesse::minimize(*optimizer, f, x, {.gradient_tolerance = 1e-9, .max_steps = steps});
  return x;
}

// From beside x uphill along the least curvature and downhill across it, to a saddle with one way down.
hesse::Vector climb(hesse::Objective& f, hesse::Vector x) {
  const auto search = hesse::find_stationary(f, x, {.method = hesse::SearchMethod::follow, .index = 1});
  std::printf("search: %s\n", to_string(search.status));
  return x;
}

void report(const char* name, hesse::Objective& f, const hesse::Vector& x) {
  const hesse::CriticalPoint point = hesse::classify(f, x);
  std::printf("%-13s (%9.6f, %9.6f)  f = %10.5f  %s, %s\n", name, x[0], x[1], point.value, to_string(point.kind),
              point.certified ? "certified" : "not certified");
}

int main() {
  hesse::FunctorObjective<MuellerBrown> f({}, 2);

  // Two minima, by methods that go downhill.
  const hesse::Vector reactant = descend(f, "newton", Eigen::Vector2d(-0.6, 1.4), 100);
  const hesse::Vector product = descend(f, "lbfgs", Eigen::Vector2d(0.6, 0.0), 100);
  // Two saddles: one sought from the straight line between them, one by climbing out of the second.
  const hesse::Vector first = climb(f, 0.6 * reactant + 0.4 * product);
  const hesse::Vector second = climb(f, product);
  report("reactant", f, reactant);
  report("first saddle", f, first);
  report("second saddle", f, second);
  report("product", f, product);

  // Steepest descent to both sides of each saddle traces the path of the reaction.
  hesse::Curve path;
  for (const hesse::Vector& saddle : {first, second}) {
    std::vector<hesse::Vector> points = {saddle};
    for (const double side : {0.01, -0.01}) {
      hesse::Vector x = saddle + hesse::Vector(Eigen::Vector2d(-side, side));
      for (int k = 0; k < 150; ++k) {
        x = descend(f, "gd:lr=1e-4", x, 20);
        points.push_back(x);
      }
      if (side > 0) std::ranges::reverse(points);
    }
    for (const hesse::Vector& x : points) {
      path.x.push_back(x[0]);
      path.y.push_back(x[1]);
    }
    report("between", f, descend(f, "newton", points.back(), 100));
  }

  hesse::ContourPlot plot;
  plot.title = "The potential of Müller and Brown, and a path of reaction";
  plot.x_label = "x";
  plot.y_label = "y";
  plot.value_label = "f";
  plot.x = hesse::Vector::LinSpaced(81, -1.4, 1.2);
  plot.y = hesse::Vector::LinSpaced(81, -0.4, 2.0);
  plot.values.resize(81, 81);
  for (int i = 0; i < 81; ++i) {
    for (int j = 0; j < 81; ++j) {
      const double value = f.value(Eigen::Vector2d(plot.x[i], plot.y[j]));
      plot.values(i, j) = value < 60 ? value : std::numeric_limits<double>::quiet_NaN();  // white
    }
  }
  plot.path = path;
  plot.path_label = "path";
  try {
    hesse::write_contour_plot("reaction.svg", plot);
  } catch (const hesse::Error& error) {  // no gnuplot
    std::fprintf(stderr, "%s\n", error.what());
  }
}
