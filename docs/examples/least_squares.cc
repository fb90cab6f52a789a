// Fits a model of one's own to data by least squares, and asks Ceres for a second opinion.
//
// y = a exp(-b t) + c on data that were made with a = 3, b = 0.8, c = 0.5 and errors of about 0.01. What each side
// claims is one thing; both answers are judged by the same evaluation and the kind of the point.
#include "hesse/curvature/critical_point.h"
#include "hesse/objective/residual_objective.h"
#include "hesse/optim/globalization/globalizations.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/second_order/gauss_newton.h"
#include "hesse/optim/second_order/globalized.h"
#include "hesse/validation/ceres_bridge.h"

#include <cmath>
#include <cstdio>

constexpr double kTime[] = {0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6};
constexpr double kMeasured[] = {3.507, 2.502, 1.851, 1.397, 1.114, 0.898, 0.778, 0.617, 0.559, 0.530};

struct Decay {
  template <class T>
  void operator()(const T* x, T* r) const {
    using std::exp;
    for (int i = 0; i < 10; ++i) r[i] = x[0] * exp(-kTime[i] * x[1]) + x[2] - kMeasured[i];
  }
};

int main() {
  hesse::ResidualObjective<Decay> f({}, 3, 10);
  const hesse::Vector start = Eigen::Vector3d(1, 1, 0);

  hesse::Vector x = start;
  hesse::Globalized method(std::make_unique<hesse::GaussNewton>(f), hesse::make_levenberg_marquardt());
  const hesse::Summary summary = hesse::minimize(method, f, x, {.gradient_tolerance = 1e-10});
  const hesse::CeresResult ceres = hesse::ceres_least_squares(f, start);

  std::printf("Hesse: a %.6f, b %.6f, c %.6f, 1/2 |r|^2 = %.6e\n", x[0], x[1], x[2], summary.value);
  std::printf("Ceres: a %.6f, b %.6f, c %.6f, 1/2 |r|^2 = %.6e\n", ceres.x[0], ceres.x[1], ceres.x[2], ceres.value);
  std::printf("what Ceres claims is what it found: %s\n", ceres.claim_is_false() ? "no" : "yes");
  std::printf("the point is a %s\n", hesse::to_string(hesse::classify(f, x).kind));
}
