#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/objective/analytic.h"
#include "hesse/objective/functor_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <vector>

using namespace hesse;

namespace {

constexpr double kEps = 2.220446049250313e-16;

/// Gives out gradients from a list, whatever x is; its value is 0.
class Given final : public Objective {
 public:
  Given(ParameterLayout layout, std::vector<Vector> gradients)
      : layout_(std::move(layout)), gradients_(std::move(gradients)) {}
  const ParameterLayout& layout() const override { return layout_; }
  double value(const Vector&) override { return 0; }
  double value_and_gradient(const Vector&, Vector& g) override {
    g = gradients_[at_++ % gradients_.size()];
    return 0;
  }
  std::shared_ptr<const LinearOperator> curvature(const Vector&, Curvature) override { fail("given: no curvature"); }

 private:
  ParameterLayout layout_;
  std::vector<Vector> gradients_;
  std::size_t at_ = 0;
};

Vector random_vector(Index n, std::uint64_t step) {
  Vector v(n);
  RandomStream(1, Purpose::test, step).fill_normal(v);
  return v;
}

std::vector<Vector> random_gradients(Index n, int count) {
  std::vector<Vector> all;
  for (int i = 0; i < count; ++i) all.push_back(random_vector(n, 10 + static_cast<std::uint64_t>(i)));
  return all;
}

/// x after one step for each gradient.
Vector after(const std::string& method, const ParameterLayout& layout, const std::vector<Vector>& gradients, Vector x) {
  Given f(layout, gradients);
  auto optimizer = make_optimizer(method, {f, 0});
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Vector before = x;
    const StepReport report = optimizer->step(f, x);
    REQUIRE(report.status == StepStatus::ok);
    CHECK(report.step_norm == Approx((x - before).norm()).epsilon(1e-10));
  }
  return x;
}
Vector after(const std::string& method, const std::vector<Vector>& gradients, const Vector& x) {
  return after(method, ParameterLayout(x.size()), gradients, x);
}

/// Some twenty roundings of numbers near 1.
bool agree(const Vector& a, const Vector& b) { return (a - b).cwiseAbs().maxCoeff() <= 50 * kEps; }

}  // namespace

TEST_CASE("Three steps of each adaptive method are those of its algorithm written out") {
  const Index n = 37;
  const auto g = random_gradients(n, 3);
  const Vector x0 = random_vector(n, 1);
  const auto by_hand = [&](const std::function<double(int t, double g, double& x)>& entry) {
    Vector x = x0;
    // Entry by entry, so that `entry` may keep the state of one entry between the three steps.
    for (Index i = 0; i < n; ++i) {
      for (int t = 1; t <= 3; ++t) x[i] += entry(t, g[static_cast<std::size_t>(t - 1)][i], x[i]);
    }
    return x;
  };
  double m = 0;
  double v = 0;
  double w = 0;
  const auto restart = [&](int t) {
    if (t == 1) m = v = w = 0;
  };

  CHECK(agree(after("adagrad:lr=0.1,initial=0.1,eps=1e-3", g, x0), by_hand([&](int t, double d, double&) {
                restart(t);
                v += d * d + (t == 1 ? 0.1 : 0);
                return -0.1 * d / (std::sqrt(v) + 1e-3);
              })));
  CHECK(agree(after("rmsprop:lr=0.1,rho=0.8,momentum=0.5", g, x0), by_hand([&](int t, double d, double&) {
                restart(t);
                v = 0.8 * v + 0.2 * d * d;
                m = 0.5 * m - 0.1 * d / (std::sqrt(v) + 1e-8);
                return m;
              })));
  CHECK(agree(after("rmsprop:lr=0.1,rho=0.8,centered=true,eps=0.1", g, x0), by_hand([&](int t, double d, double&) {
                restart(t);
                v = 0.8 * v + 0.2 * d * d;
                w = 0.8 * w + 0.2 * d;
                return -0.1 * d / (std::sqrt(v - w * w) + 0.1);
              })));
  CHECK(agree(after("amsgrad:lr=0.1,beta1=0.8,beta2=0.6", g, x0), by_hand([&](int t, double d, double&) {
                restart(t);
                m = 0.8 * m + 0.2 * d;
                v = 0.6 * v + 0.4 * d * d;
                w = std::max(w, v);
                return -0.1 * m / (std::sqrt(w) + 1e-8);
              })));
  double product = 1;
  CHECK(agree(after("nadam:lr=0.1,beta1=0.8,beta2=0.6,momentum_decay=2", g, x0), by_hand([&](int t, double d, double&) {
                restart(t);
                if (t == 1) product = 1;
                const double mu = 0.8 * (1 - 0.5 * std::pow(0.96, 2 * t));
                const double next = 0.8 * (1 - 0.5 * std::pow(0.96, 2 * (t + 1)));
                product *= mu;
                m = 0.8 * m + 0.2 * d;
                v = 0.6 * v + 0.4 * d * d;
                const double mean = next * m / (1 - product * next) + (1 - mu) * d / (1 - product);
                return -0.1 * mean / (std::sqrt(v / (1 - std::pow(0.6, t))) + 1e-8);
              })));
  CHECK(
      agree(after("lion:lr=0.1,beta1=0.7,beta2=0.6,weight_decay=0.3", g, x0), by_hand([&](int t, double d, double& x) {
              restart(t);
              const double c = 0.7 * m + 0.3 * d;
              m = 0.6 * m + 0.4 * d;
              return -0.1 * ((c > 0) - (c < 0) + 0.3 * x);
            })));
  double z = 0;
  double rates = 0;
  CHECK(
      agree(after("schedule-free:lr=0.1,beta1=0.7,beta2=0.6,warmup=2", g, x0), by_hand([&](int t, double d, double& x) {
              restart(t);
              if (t == 1) {
                z = x;
                rates = 0;
              }
              v = 0.6 * v + 0.4 * d * d;
              const double rate = 0.1 * std::sqrt(1 - std::pow(0.6, t)) * std::min(1.0, t / 2.0);
              z -= rate * d / (std::sqrt(v) + 1e-8);
              rates += rate * rate;
              return rate * rate / rates * (z - x);
            })));
}

TEST_CASE("Adam and RMSprop without memory descend by signs, and NAdam without momentum is Adam without it") {
  const auto g = random_gradients(50, 5);
  const Vector x0 = random_vector(50, 2);
  Vector signs = Vector::Zero(50);
  for (const Vector& each : g) signs += each.cwiseSign();
  const Vector expected = x0 - 0.01 * signs;
  // eps = 1e-12 against gradients above 1e-4: a relative 1e-8 of each of five steps of 0.01.
  double least = 1;
  for (const Vector& each : g) least = std::min(least, each.cwiseAbs().minCoeff());
  REQUIRE(least > 1e-4);
  for (const char* method : {"adam:lr=0.01,beta1=0,beta2=0,eps=1e-12", "rmsprop:lr=0.01,rho=0,eps=1e-12"}) {
    CHECK((after(method, g, x0) - expected).cwiseAbs().maxCoeff() <= 5 * 0.01 * 1e-8);
  }
  CHECK(agree(after("nadam:lr=0.01,beta1=0", g, x0), after("adam:lr=0.01,beta1=0", g, x0)));
  CHECK(agree(after("lion:lr=0.01,beta1=0,beta2=0", g, x0), expected));
}

TEST_CASE("Momentum 0 is plain gradient descent, in all of its forms and in RMSprop") {
  const auto g = random_gradients(50, 5);
  const Vector x0 = random_vector(50, 2);
  const Vector plain = after("sgd:lr=0.3,weight_decay=0.1", g, x0);
  for (const char* method : {"momentum", "nesterov", "gd", "sgd:form=averaged"}) {
    const std::string text(method);
    const std::string more = text.find(':') == std::string::npos ? ":" : ",";
    CAPTURE(method);
    CHECK(agree(after(text + more + "lr=0.3,momentum=0,weight_decay=0.1", g, x0), plain));
  }
  CHECK(agree(after("rmsprop:momentum=0", g, x0), after("rmsprop", g, x0)));
}

TEST_CASE("Lion is odd: gradients of the other sign from the mirrored start give the mirrored iterates, to the bit") {
  const auto g = random_gradients(50, 8);
  std::vector<Vector> mirrored = g;
  for (Vector& each : mirrored) each = -each;
  const Vector x0 = random_vector(50, 2);
  const std::string lion = "lion:lr=0.01,weight_decay=0.1";
  CHECK(after(lion, mirrored, -x0) == -after(lion, g, x0));
  // Every entry moves by the rate or, where momentum and gradient cancel, not at all.
  const Vector step = after("lion:lr=0.01", {g[0]}, x0) - x0;
  CHECK((step.cwiseAbs().array() - 0.01).abs().maxCoeff() <= 4 * kEps);
  CHECK(agree(after("lion:lr=0.01", {Vector::Zero(50)}, x0), x0));
}

TEST_CASE("The methods that divide by second moments do not see the scale of the loss, nor that of an entry") {
  const std::string method = GENERATE("adam", "amsgrad", "nadam", "adagrad", "rmsprop", "lion", "schedule-free");
  const Index n = 40;
  const auto g = random_gradients(n, 6);
  const Vector scales = Vector::LinSpaced(n, -3, 3).unaryExpr([](double p) { return std::pow(10, p); });
  std::vector<Vector> scaled = g;
  for (Vector& each : scaled) each.array() *= scales.array();
  const Vector x0 = random_vector(n, 3);
  const std::string text = method + (method == "lion" ? "" : ":eps=1e-14");
  // eps against gradients scaled by 1e-3 and roots above 1e-4 is below 1e-7 of a step.
  const Vector a = after(text, g, x0);
  CHECK((a - after(text, scaled, x0)).norm() <= 1e-6 * (a - x0).norm());
}

TEST_CASE("AMSGrad never raises a rate, where Adam forgets a large gradient") {
  std::vector<Vector> g(1, Vector::Constant(1, 100));
  for (int i = 0; i < 200; ++i) g.push_back(Vector::Constant(1, 1));
  const Vector x0 = Vector::Zero(1);
  const std::vector<Vector> before(g.begin(), g.end() - 1);
  const auto last_step = [&](const std::string& method) {
    return (after(method, g, x0) - after(method, before, x0))[0];
  };
  // AMSGrad still divides by the root of 0.1 100^2; Adam's v has come down to 1 + 999 0.9^200.
  CHECK(last_step("amsgrad:beta1=0,beta2=0.9,lr=1") == Approx(-1 / std::sqrt(1000)).epsilon(1e-6));
  CHECK(last_step("adam:beta1=0,beta2=0.9,lr=1") == Approx(-1).epsilon(1e-6));
}

TEST_CASE("Adafactor is exact where the second moment has rank one, and otherwise keeps its row and column sums") {
  ParameterLayout layout;
  layout.add("weight", {6, 4});
  const Vector a = random_vector(6, 4);
  const Vector b = random_vector(4, 5);
  Eigen::Matrix<double, 6, 4, Eigen::RowMajor> G = a * b.transpose();
  const Vector x0 = random_vector(24, 6);
  const Vector g = Eigen::Map<const Vector>(G.data(), 24);
  // g^2 = (a^2)(b^2)', so that u = sign(g); its root mean square is 1, and clipping at 1 leaves it.
  const double rms = x0.norm() / std::sqrt(24.0);
  CHECK(agree(after("adafactor", layout, {g}, x0), x0 - 0.01 * rms * g.cwiseSign()));

  // Two steps on another matrix, with r and c kept as the algorithm says and the update clipped.
  const auto gradients = random_gradients(24, 2);
  Vector x = x0;
  Eigen::VectorXd r = Eigen::VectorXd::Zero(6);
  Eigen::VectorXd c = Eigen::VectorXd::Zero(4);
  for (int t = 1; t <= 2; ++t) {
    const Eigen::Map<const Eigen::Matrix<double, 6, 4, Eigen::RowMajor>> D(
        gradients[static_cast<std::size_t>(t - 1)].data());
    const double beta = 1 - std::pow(t, -0.8);
    r = beta * r + (1 - beta) * D.cwiseAbs2().rowwise().sum();
    c = beta * c + (1 - beta) * D.cwiseAbs2().colwise().sum().transpose();
    Eigen::Matrix<double, 6, 4, Eigen::RowMajor> U;
    for (int i = 0; i < 6; ++i) {
      for (int j = 0; j < 4; ++j) U(i, j) = D(i, j) / std::sqrt(r[i] * c[j] / r.sum());
    }
    const double clip = std::max(1.0, U.norm() / std::sqrt(24.0) / 0.5);
    const double scale = std::max(1e-3, x.norm() / std::sqrt(24.0)) * 0.01;
    x -= scale / clip * Eigen::Map<const Vector>(U.data(), 24);
  }
  CHECK(agree(after("adafactor:clip=0.5", layout, gradients, x0), x));
  // Vectors keep the whole moment.
  CHECK(agree(after("adafactor:relative=false,lr=0.1", {g}, x0), x0 - 0.1 * g.cwiseSign()));
  Given f(layout, {g});
  auto optimizer = make_optimizer("adafactor", {f, 0});
  Vector y = x0;
  optimizer->step(f, y);
  CHECK(std::get<Vector*>(optimizer->state()[0].data)->size() == 6 + 4);
}

TEST_CASE("LAMB's step has the learning rate times the length of each block, and of the direction where a block is 0") {
  ParameterLayout layout;
  layout.add("a.weight", {3, 5});
  layout.add("a.bias", {3});
  Vector x0 = random_vector(18, 7);
  x0.tail(3).setZero();
  const auto g = random_gradients(18, 1);
  const Vector x = after("lamb:lr=0.1", layout, g, x0);
  CHECK((x - x0).head(15).norm() == Approx(0.1 * x0.head(15).norm()).epsilon(1e-13));
  // Adam's first direction is the sign, but for eps.
  CHECK((x - x0).tail(3).norm() == Approx(0.1 * std::sqrt(3.0)).epsilon(1e-4));
  // The direction is Adam's with lambda x beside it.
  const Vector u = g[0].cwiseQuotient((g[0].cwiseAbs().array() + 1e-6).matrix()).head(15) + 0.01 * x0.head(15);
  CHECK((x - x0).head(15).dot(u) == Approx(-(x - x0).head(15).norm() * u.norm()).epsilon(1e-12));
}

TEST_CASE("Every adaptive method reaches the minimiser of a badly scaled quadratic under a falling rate") {
  const std::string method =
      GENERATE("adagrad:lr=0.5", "rmsprop:lr=0.05", "amsgrad:lr=0.05", "nadam:lr=0.05", "lion:lr=0.05", "adam:lr=0.05",
               "adamw:lr=0.05,weight_decay=0", "lamb:lr=0.05,weight_decay=0", "adafactor:relative=false,lr=0.05",
               "schedule-free:lr=0.05");
  const Index n = 10;
  const Vector centre = Vector::LinSpaced(n, 0.5, 2);
  Quadratic f(logarithmic_spectrum(n, 100), centre);
  Vector x = Vector::LinSpaced(n, 3, 1);
  const double start = f.value(x) - f.value(centre);
  auto optimizer = make_optimizer(method + "+cosine:steps=3000", {f, 0});
  for (int i = 0; i < 3000; ++i) REQUIRE(optimizer->step(f, x).status == StepStatus::ok);
  CAPTURE(method, x.transpose());
  CHECK(f.value(x) - f.value(centre) <= 1e-3 * start);
}

TEST_CASE(
    "Decoupled weight decay shrinks all alike, and L2 in Adam's gradient shrinks less where gradients are large") {
  // Gradients that alternate in sign: all that moves x in the mean is the decay.
  std::vector<Vector> g;
  for (int i = 0; i < 400; ++i) g.push_back((i % 2 == 0 ? 1.0 : -1.0) * Eigen::Vector2d(1, 100));
  const Vector x0 = Eigen::Vector2d(1, 1);
  const std::string adam = "adam:lr=1e-3,beta1=0,eps=1e-12";
  const Vector decoupled = after("adamw:lr=1e-3,beta1=0,eps=1e-12,weight_decay=0.1", g, x0);
  const Vector within = after(adam + "+l2:lambda=0.1", g, x0);
  const double shrunk = 1 - std::pow(1 - 1e-3 * 0.1, 400);
  // The signs of steps of 1e-3 cancel in pairs, up to the memory of v, which differs within a pair by some percent
  // early.
  CHECK(1 - decoupled[0] == Approx(shrunk).epsilon(0.1));
  CHECK(1 - decoupled[1] == Approx(1 - decoupled[0]).epsilon(1e-9));
  CHECK((1 - within[0]) / (1 - within[1]) > 5);
  // Composed and built in, each is one method.
  CHECK(agree(decoupled, after(adam + "+weight-decay:lambda=0.1", g, x0)));
  CHECK(agree(within, after("adam:lr=1e-3,beta1=0,eps=1e-12,weight_decay=0.1", g, x0)));
}
