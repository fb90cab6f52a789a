#include "hesse/optim/structured/kfac.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/nn/models.h"
#include "hesse/nn/normalisation.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/structured/kfac_fixed.h"
#include "nn/network_cases.h"
#include "optim/telemetry.h"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace hesse;

TEST_CASE("K-FAC's step is the minimiser of the exact damped model over its proposal and its last step") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const double eta = GENERATE(0.0, 0.1);
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss)), eta, false);
  KfacOptions options;
  options.damping = 0.5;
  options.stats_share = 1;
  options.model_share = 1;
  options.reject = false;
  Kfac kfac(f, options, 3);
  Vector x = test_point(f.size());
  Vector last = Vector::Zero(x.size());
  double damping = options.damping;
  for (int k = 1; k <= 8; ++k) {
    Vector g;
    f.value_and_gradient(x, g);
    const Matrix B = dense(*f.curvature(x, Curvature::gauss_newton)) + damping * Matrix::Identity(x.size(), x.size());
    const Vector before = x;
    const StepReport report = kfac.step(f, x);
    REQUIRE(report.status == StepStatus::ok);
    const Vector step = x - before;
    const double model = g.dot(step) + 0.5 * step.dot(B * step);
    CHECK(-model == Approx(told(report, "predicted_decrease")).epsilon(1e-9));
    // Optimal over the span of the step itself and the last one: the model's slope along both vanishes.
    const Vector slope = g + B * step;
    CHECK(std::abs(slope.dot(step)) <= 1e-10 * std::abs(g.dot(step)));
    CHECK(std::abs(slope.dot(last)) <= 1e-10 * g.norm() * std::max(last.norm(), 1e-300));
    if (k % 5 == 0) {
      // The reduction ratio, and the damping that it leads to.
      const double rho = (f.value(x) - report.value) / model;
      CHECK(told(report, "reduction_ratio") == Approx(rho).epsilon(1e-9));
      const double omega = std::pow(19.0 / 20, 5);
      damping = rho > 0.75 ? damping * omega : (rho < 0.25 ? damping / omega : damping);
    }
    CHECK(told(report, "damping") == Approx(damping).epsilon(1e-14));
    CHECK(told(report, "gamma") == Approx(std::sqrt(options.damping + eta)).epsilon(1e-14));  // until it is searched
    if (k % 5 == 0) {
      CHECK(told(report, "actual_decrease") == Approx(report.value - f.value(x)).epsilon(1e-12));
    } else {
      CHECK(std::isnan(told(report, "actual_decrease")));  // no value is paid for
    }
    last = step;
  }
}

TEST_CASE("On a linear layer with squared error and one sample the Kronecker model is the Fisher matrix itself") {
  const Case c{{3, 2}, Activation::identity, Loss::squared_error};
  const auto f = make_objective(c, make_data(3, 2, 1, c.loss));
  KfacFixedOptions options;
  options.lr = 1;
  options.momentum = 0;
  options.damping = 1e-3;
  options.kl_clip = 0;
  options.form = KroneckerForm::eigenvalues;
  options.targets = FisherTargets::empirical;
  options.stats_share = 1;
  KfacFixed kfac(*f, options, 0);
  Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  const Matrix F = dense(*f->curvature(x, Curvature::fisher_empirical)) + 1e-3 * Matrix::Identity(x.size(), x.size());
  const Vector expected = x - F.lu().solve(g);
  kfac.step(*f, x);
  // The condition of F is its largest eigenvalue over 1e-3.
  CHECK((x - expected).norm() <= 100 * kEps * F.norm() / 1e-3 * expected.norm());
}

TEST_CASE("Undamped K-FAC takes the same path whatever affine map the inputs go through") {
  // Martens and Grosse (2015), Theorem 1, for the inputs of the network and those of a linear hidden layer.
  const Index samples = 60;
  const Case c{{3, 4, 2}, Activation::tanh, Loss::squared_error};
  const auto data = make_data(3, 2, samples, c.loss);
  Matrix M(3, 3);
  M << 2, 0.5, -0.3, 0, 1.5, 0.4, 0.2, 0, 0.7;
  const Vector shift = Eigen::Vector3d(0.3, -1, 2);
  auto mapped = std::make_shared<Dataset>();
  mapped->name = "mapped";
  mapped->inputs = (M * data->inputs).colwise() + shift;
  mapped->targets = data->targets;
  const auto f = make_objective(c, data);
  const auto g = make_objective(c, mapped);
  // W' = W M^-1 and b' = b - W' shift give the same function.
  const Vector x0 = test_point(f->size());
  const auto transform = [&](const Vector& x) {
    Vector y = x;
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Matrix W = Eigen::Map<const RowMajor>(x.data(), 4, 3) * M.inverse();
    Eigen::Map<RowMajor>(y.data(), 4, 3) = W;
    y.segment(12, 4) -= W * shift;
    return y;
  };
  KfacOptions options;
  options.adapt_damping = false;
  options.damping = 1e-24;
  options.stats_share = 1;
  options.model_share = 1;
  options.inverse_period = 1;
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::tridiagonal);
  Kfac first(*f, options, 5);
  Kfac second(*g, options, 5);
  Vector x = x0;
  Vector y = transform(x0);
  REQUIRE(f->value(x) == Approx(g->value(y)).epsilon(1e-13));
  const double start = f->value(x);
  for (int k = 0; k < 10; ++k) {
    first.step(*f, x);
    second.step(*g, y);
    // Damping enters with gamma = 1e-12; rounding with the conditions of two factors, of order 1e2 each, in ten steps.
    CHECK((transform(x) - y).norm() <= 1e-8 * y.norm());
    CHECK(f->value(x) == Approx(g->value(y)).epsilon(1e-8));
  }
  CHECK(f->value(x) < start);
}

TEST_CASE(
    "Undamped K-FAC takes the same path whatever affine map a hidden layer's outputs and the next one's inputs go "
    "through") {
  // Martens and Grosse (2015), Theorem 1: s = W1 x + b1 is written as M s + shift, which the second layer takes back.
  const Case c{{3, 3, 2}, Activation::tanh, Loss::squared_error};
  const auto data = make_data(3, 2, 60, c.loss);
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(3, 3));
  layers.push_back(dense_layer(3, 3));
  layers.push_back(activation_layer(Activation::tanh, 3));
  layers.push_back(dense_layer(3, 2));
  const auto network = std::make_shared<const Network>(std::move(layers));
  const auto f = make_network_objective(network, c.loss, data, {});
  const auto g = make_network_objective(network, c.loss, data, {});
  Matrix M(3, 3);
  M << 2, 0.5, -0.3, 0, 1.5, 0.4, 0.2, 0, 0.7;
  const Vector shift = Eigen::Vector3d(0.3, -1, 2);
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto transform = [&](const Vector& x) {
    Vector y = x;
    const Eigen::Map<const RowMajor> W1(x.data(), 3, 3), W2(x.data() + 12, 3, 3);
    Eigen::Map<RowMajor>(y.data(), 3, 3) = M * W1;
    y.segment(9, 3) = M * x.segment(9, 3) + shift;
    const Matrix W = W2 * M.inverse();
    Eigen::Map<RowMajor>(y.data() + 12, 3, 3) = W;
    y.segment(21, 3) -= W * shift;
    return y;
  };
  KfacOptions options;
  options.adapt_damping = false;
  options.damping = 1e-24;
  options.stats_share = 1;
  options.model_share = 1;
  options.inverse_period = 1;
  // Not the tridiagonal form: of two linear layers in a row one's gradients tell the other's, and nothing is left of
  // the conditional covariances that it inverts.
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::eigenvalues);
  Kfac first(*f, options, 5);
  Kfac second(*g, options, 5);
  Vector x = test_point(f->size());
  Vector y = transform(x);
  REQUIRE(f->value(x) == Approx(g->value(y)).epsilon(1e-13));
  const double start = f->value(x);
  for (int k = 0; k < 10; ++k) {
    first.step(*f, x);
    second.step(*g, y);
    // As above.
    CHECK((transform(x) - y).norm() <= 1e-8 * y.norm());
    CHECK(f->value(x) == Approx(g->value(y)).epsilon(1e-8));
  }
  CHECK(f->value(x) < start);
}

namespace {

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A layer's part of a vector as an outputs x columns matrix, and back.
Matrix layer_matrix(const KroneckerFactors& k, const Vector& v) {
  Matrix V(k.outputs, k.columns());
  V.leftCols(k.inputs) = Eigen::Map<const RowMajorMatrix>(v.data() + k.begin, k.outputs, k.inputs);
  if (k.bias) V.col(k.inputs) = v.segment(k.begin + k.inputs * k.outputs, k.outputs);
  return V;
}
void set_layer(const KroneckerFactors& k, const Matrix& V, Vector& v) {
  Eigen::Map<RowMajorMatrix>(v.data() + k.begin, k.outputs, k.inputs) = V.leftCols(k.inputs);
  if (k.bias) v.segment(k.begin + k.inputs * k.outputs, k.outputs) = V.col(k.inputs);
}

}  // namespace

TEST_CASE("K-FAC's gamma is that of three whose proposal the exact model likes best") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacOptions options;
  options.damping = GENERATE(30.0, 0.003);  // too much, and too little
  options.gamma_period = 4;
  options.damping_period = 1000;
  options.stats_share = 1;
  options.model_share = 1;
  options.reject = false;
  Kfac kfac(*f, options, 3);
  Vector x = test_point(f->size());
  Vector last = Vector::Zero(x.size());
  const double omega = std::pow(std::sqrt(19.0 / 20), 4);
  double gamma = std::sqrt(options.damping);
  std::vector<KroneckerFactors> factors;
  int moved = 0;
  for (int k = 1; k <= 12; ++k) {
    Vector g;
    f->value_and_gradient(x, g);
    const double decay = std::min(1 - 1.0 / k, options.stats_decay);
    f->kronecker_factors(x, {.seed = 3, .draw = static_cast<std::uint64_t>(k), .decay = decay}, factors);
    Matrix B = dense(*f->curvature(x, Curvature::gauss_newton));
    B.diagonal().array() += options.damping;
    std::vector<double> candidates = {gamma};
    if (k > 3 && k % 4 == 0) candidates = {gamma, omega * gamma, gamma / omega};
    double least = 0;
    Vector expected = Vector::Zero(x.size());
    for (const double candidate : candidates) {
      Vector proposal = Vector::Zero(x.size());
      for (KroneckerFactors l : factors) {
        complete(l);
        const double pi =
            std::sqrt(l.A.trace() / static_cast<double>(l.A.rows()) / (l.G.trace() / static_cast<double>(l.G.rows())));
        l.A.diagonal().array() += pi * candidate;
        l.G.diagonal().array() += candidate / pi;
        set_layer(l, -(l.G.inverse() * layer_matrix(l, g) * l.A.inverse()), proposal);
      }
      Matrix V(x.size(), k > 1 ? 2 : 1);
      V.col(0) = proposal;
      if (k > 1) V.col(1) = last;
      const Vector best = -(V.transpose() * B * V).lu().solve(V.transpose() * g);
      const Vector step = V * best;
      const double model = g.dot(step) + 0.5 * step.dot(B * step);
      if (model < least) {
        least = model;
        expected = step;
        gamma = candidate;
        moved += candidate != candidates[0] ? 1 : 0;
      }
    }
    const Vector before = x;
    const StepReport report = kfac.step(*f, x);
    // Inverses are of the first three steps and of those that tried gammas.
    if (k <= 3 || k % 4 == 0) {
      CHECK((x - before - expected).norm() <= 1e-8 * expected.norm());
      CHECK(told(report, "gamma") == Approx(gamma).epsilon(1e-12));
    }
    last = x - before;
  }
  CHECK(moved >= 2);
}

TEST_CASE("K-FAC takes statistics and inverses at their own steps and a penalty's weight damps its factors") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  constexpr double kEta = 0.3;
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss)), kEta, true);
  auto* const structure = find<KroneckerStructure>(f);
  const bool relative = GENERATE(false, true);
  const auto optimizer = make_optimizer(
      std::string("kfac-fixed:lr=0.2,momentum=0.5,damping=0.05,kl_clip=0,stats_period=2,inverse_period=5,stats_share=1,"
                  "damping_scale=") +
          (relative ? "relative" : "absolute"),
      {f, 3});
  Vector x = test_point(f.size());
  Vector y = x;
  Vector velocity = Vector::Zero(x.size());
  std::vector<KroneckerFactors> factors;
  std::vector<Matrix> A, G;
  for (int k = 1; k <= 13; ++k) {
    Vector g;
    f.value_and_gradient(y, g);
    if (k % 2 == 1) {
      const double decay = std::min(1 - 1.0 / ((k - 1) / 2 + 1), 0.95);
      structure->kronecker_factors(y, {.seed = 3, .draw = static_cast<std::uint64_t>(k), .decay = decay}, factors);
    }
    if (k <= 3 || k % 5 == 0) {
      A.clear();
      G.clear();
      for (KroneckerFactors l : factors) {
        complete(l);
        const double a = l.A.trace() / static_cast<double>(l.A.rows());
        const double b = l.G.trace() / static_cast<double>(l.G.rows());
        const double gamma = std::sqrt(0.05 * (relative ? a * b : 1.0) + kEta);
        const double pi = std::sqrt(a / b);
        A.push_back((l.A + pi * gamma * Matrix::Identity(l.A.rows(), l.A.rows())).inverse());
        G.push_back((l.G + gamma / pi * Matrix::Identity(l.G.rows(), l.G.rows())).inverse());
      }
    }
    Vector proposal = Vector::Zero(y.size());
    for (std::size_t l = 0; l < factors.size(); ++l) {
      set_layer(factors[l], G[l] * layer_matrix(factors[l], g) * A[l], proposal);
    }
    velocity = 0.5 * velocity + proposal;
    y -= 0.2 * velocity;
    const StepReport report = optimizer->step(f, x);
    CHECK(told(report, "staleness") == (k <= 3 ? 0 : k < 5 ? k - 3 : k % 5));
    CAPTURE(k, relative);
    CHECK((x - y).norm() <= 1e-11 * y.norm());
  }
}

TEST_CASE("E-KFAC's step is that of its dense matrix, and between refreshes its moments are a running mean") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const Index samples = 40;
  const auto f = make_objective(c, make_data(4, 3, samples, c.loss));
  const auto single = make_objective(c, make_data(4, 3, samples, c.loss));
  constexpr double kDamping = 0.02;
  const auto optimizer = make_optimizer("ekfac:lr=0.5,momentum=0,damping=0.02,kl_clip=0,inverse_period=100", {*f, 3});
  Vector x = test_point(f->size());
  std::vector<KroneckerFactors> factors;
  std::vector<Matrix> U_A, U_G, moments(2);
  for (int k = 1; k <= 6; ++k) {
    Vector g;
    f->value_and_gradient(x, g);
    const auto draw = static_cast<std::uint64_t>(k);
    const double decay = std::min(1 - 1.0 / k, 0.95);
    f->kronecker_factors(x, {.seed = 3, .draw = draw, .decay = decay}, factors);
    if (k <= 3) {
      U_A.clear();
      U_G.clear();
      for (KroneckerFactors l : factors) {
        complete(l);
        U_A.push_back(Eigen::SelfAdjointEigenSolver<Matrix>(l.A).eigenvectors());
        U_G.push_back(Eigen::SelfAdjointEigenSolver<Matrix>(l.G).eigenvectors());
      }
    }
    // The squares of single samples' gradients for the targets of this step, in the basis.
    std::vector<Matrix> now = {Matrix::Zero(5, 5), Matrix::Zero(3, 6)};
    for (Index i = 0; i < samples; ++i) {
      single->select(std::vector<Index>{i});
      Vector s;
      single->sampled_gradient(x, 3, draw, 1, s);
      for (std::size_t l = 0; l < 2; ++l) {
        now[l] += (U_G[l].transpose() * layer_matrix(factors[l], s) * U_A[l]).cwiseAbs2() / samples;
      }
    }
    Vector expected = Vector::Zero(x.size());
    for (std::size_t l = 0; l < 2; ++l) {
      moments[l] = k <= 3 ? now[l] : Matrix(decay * moments[l] + (1 - decay) * now[l]);
      const Matrix V = U_G[l].transpose() * layer_matrix(factors[l], g) * U_A[l];
      set_layer(factors[l], U_G[l] * V.cwiseQuotient((moments[l].array() + kDamping).matrix()) * U_A[l].transpose(),
                expected);
    }
    const Vector before = x;
    optimizer->step(*f, x);
    CHECK((x - before + 0.5 * expected).norm() <= 1e-9 * expected.norm());
  }
}

TEST_CASE("K-FAC with a damping that is next to nothing never steps to NaN") {
  // The factors of 3 samples are singular, and damping below 1e-15 of them is not seen in their entries; that of an
  // input that is always 0 is all that there is.
  const Case c{{6, 5, 4}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto drawn = make_data(6, 4, 3, c.loss);
  const auto data = std::make_shared<Dataset>();
  data->name = "drawn";
  data->inputs = drawn->inputs;
  data->labels = drawn->labels;
  data->class_count = drawn->class_count;
  const bool dead = GENERATE(false, true);
  if (dead) data->inputs.row(0).setZero();
  NetworkOptions options;
  options.precision = GENERATE(Precision::float64, Precision::float32);
  const auto f = make_objective(c, data, options);
  const std::string form = GENERATE("factored", "eigenvalues", "ekfac", "tridiagonal");
  for (const char* damping : {"1e-15", "1e-30", "1e-90", "1e-300"}) {
    for (const std::string method : {"kfac:adapt_damping=false,", "kfac-fixed:"}) {
      if (method != "kfac:adapt_damping=false," && form == "tridiagonal") continue;
      const auto optimizer = make_optimizer(fmt::format("{}form={},damping={}", method, form, damping), {*f, 1});
      Vector x = test_point(f->size());
      for (int k = 0; k < 10; ++k) {
        const StepReport report = optimizer->step(*f, x);
        CAPTURE(form, damping, method, k);
        REQUIRE(x.allFinite());
        if (report.status != StepStatus::ok) break;
      }
    }
  }
}

TEST_CASE("K-FAC with a large damping is gradient descent, and its KL bound holds") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacFixedOptions options;
  options.damping = 1e8;
  options.lr = 1e7;
  options.momentum = 0;
  options.kl_clip = 0;
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::eigenvalues, KroneckerForm::ekfac);
  Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  Vector y = x;
  KfacFixed(*f, options, 0).step(*f, y);
  // Factors of order one beside gamma = 1e4 on either side.
  CHECK((y - (x - 0.1 * g)).norm() <= 1e-3 * 0.1 * g.norm());

  options.damping = 1e-2;
  options.lr = GENERATE(1.0, 0.3);
  options.kl_clip = 1e-4;
  Vector z = x;
  const StepReport clipped = KfacFixed(*f, options, 0).step(*f, z);
  // nu d'g = kappa / (lr^2 nu): the quadratic form of the step lr nu d in the damped model is kappa.
  CHECK(told(clipped, "kl_scale") < 1);
  CHECK(std::abs(g.dot(z - x)) * options.lr * told(clipped, "kl_scale") == Approx(1e-4).epsilon(1e-9));
}

TEST_CASE("kl_clip=0 takes K-FAC's step as it is, and is written so in the options' grammar") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  const Vector start = test_point(f->size());
  const auto step = [&](const std::string& clip) {
    Vector x = start;
    const StepReport report =
        make_optimizer("kfac-fixed:lr=1,momentum=0,damping=0.1,kl_clip=" + clip, {*f, 0})->step(*f, x);
    CHECK((told(report, "kl_scale") < 1) == (clip == "1e-3"));
    CHECK(told(report, "damping") == 0.1);
    return Vector(x - start);
  };
  const Vector whole = step("0");
  CHECK(whole == step("1e300"));
  CHECK(step("1e-3").norm() < 0.5 * whole.norm());
  CHECK_THROWS_AS(make_optimizer("kfac-fixed:kl_clip=-1", {*f, 0}), Error);
}

namespace {

/// A network with a normalisation whose gains have no factors, and a text model with embeddings beside them.
std::unique_ptr<NetworkObjective> with_other_parameters(const std::string& kind) {
  if (kind == "text") {
    return make_network_objective(
        std::make_shared<const Network>(transformer(3, 3, 4, 2, 1)), Loss::softmax_cross_entropy,
        make_text(3, Matrix{{0, 2, 1, 1}, {2, 0, 1, 2}, {0, 0, 1, 2}}, {1, 2, 1, 0, 2, 0, 1, 1, 0, 2, 2, 1}));
  }
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(4, 5));
  layers.push_back(kind == "batch" ? batch_normalisation_layer(5, 1) : layer_normalisation_layer(5, 1));
  layers.push_back(activation_layer(Activation::tanh, 5));
  layers.push_back(dense_layer(5, 3));
  return make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::softmax_cross_entropy,
                                make_data(4, 3, 12, Loss::softmax_cross_entropy), {});
}

}  // namespace

TEST_CASE("K-FAC's diagonal model of gains and embeddings is the Fisher matrix's diagonal without the penalty") {
  const std::string kind = GENERATE("batch", "layer", "text");
  L2Objective f(with_other_parameters(kind), 10, true);
  auto* const network = find<NetworkObjective>(f);
  const Vector x =
      0.5 * test_point(f.size()) + network->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const Matrix B = dense(*network->curvature(x, Curvature::gauss_newton));
  KroneckerOptions options;
  const bool relative = GENERATE(false, true);
  options.damping_scale = relative ? DampingScale::relative : DampingScale::absolute;
  options.targets = relative ? FisherTargets::empirical : FisherTargets::sampled;  // which the diagonal does not follow
  options.stats_decay = 1 - 1e-9;                                                  // a plain mean
  KroneckerCurvature curvature(f, options, 3);
  constexpr int kDraws = 3000;
  for (int k = 1; k <= kDraws; ++k) curvature.observe(f, x, k);
  constexpr double kGamma = 0.1;
  constexpr double kPenalty = 0.02;
  curvature.refresh(f, x, 1, kGamma, kPenalty);
  Vector inverse;
  curvature.apply(Vector::Ones(f.size()), inverse);
  std::vector<bool> factored(static_cast<std::size_t>(f.size()), false);
  for (const KroneckerFactors& k : curvature.factors()) {
    std::fill_n(factored.begin() + k.begin, k.outputs * k.columns(), true);
  }
  Index checked = 0;
  for (Index begin = 0; begin < f.size();) {
    Index end = begin;
    while (end < f.size() && factored[static_cast<std::size_t>(end)] == factored[static_cast<std::size_t>(begin)])
      ++end;
    if (!factored[static_cast<std::size_t>(begin)]) {
      // What damps a stretch of such parameters: gamma^2, or that many times their mean and the penalty.
      const double mean = B.diagonal().segment(begin, end - begin).mean();
      const double damping = relative ? kGamma * kGamma * mean + kPenalty : kGamma * kGamma;
      for (Index i = begin; i < end; ++i) {
        // An entry of one draw has a relative standard deviation of sqrt(2) for normal gradients, and of a few for
        // those of rare tokens: four standard errors of the mean of 3000.
        CAPTURE(kind, i, relative);
        CHECK(1 / inverse[i] - damping == Approx(B(i, i)).epsilon(0.2).margin(0.1 * damping));
        ++checked;
      }
    }
    begin = end;
  }
  CHECK(checked >= 10);
}

namespace {

/// Small models whose linear maps act at many places, with what normalises and couples samples between them.
std::unique_ptr<NetworkObjective> with_shared_maps(const std::string& kind) {
  std::shared_ptr<const Dataset> data = make_data(36, 3, 8, Loss::softmax_cross_entropy);
  std::shared_ptr<const Network> network;
  if (kind == "convolutions") {
    network = std::make_shared<const Network>(
        convolutional_network({1, 6, 6}, std::vector<Index>{2, 3}, 3, std::vector<Index>{4}, 3, Activation::tanh));
  } else if (kind == "residual blocks with batch normalisation") {
    network = std::make_shared<const Network>(residual_network({1, 6, 6}, 2, 2, 1, 3).training);
  } else {
    data = make_text(3, Matrix{{0, 2, 1, 1}, {2, 0, 1, 2}, {1, 1, 0, 2}, {2, 0, 0, 1}},
                     {1, 2, 1, 0, 2, 0, 1, 1, 0, 0, 2, 1, 2, 1, 0, 2});
    network = std::make_shared<const Network>(transformer(3, 4, 4, 2, 1));
  }
  return make_network_objective(network, Loss::softmax_cross_entropy, data, {});
}

}  // namespace

TEST_CASE("K-FAC's step on convolutions and attention and residual blocks is that of its damped Kronecker products") {
  const std::string kind = GENERATE("convolutions", "residual blocks with batch normalisation", "attention");
  const auto f = with_shared_maps(kind);
  KfacFixedOptions options;
  options.lr = 1;
  options.momentum = 0;
  options.damping = 0.01;
  options.kl_clip = 0;
  options.form = GENERATE(KroneckerForm::factored, KroneckerForm::eigenvalues);
  options.sharing = GENERATE(WeightSharing::expand, WeightSharing::reduce);
  options.targets = FisherTargets::empirical;
  options.stats_share = 1;
  CAPTURE(kind, options.form == KroneckerForm::factored, options.sharing == WeightSharing::expand);
  Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  x += 0.3 * test_point(x.size());
  Vector g;
  f->value_and_gradient(x, g);
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical, .sharing = options.sharing}, factors);
  KfacFixed kfac(*f, options, 3);
  const Vector before = x;
  REQUIRE(kfac.step(*f, x).status == StepStatus::ok);
  const Vector step = x - before;
  constexpr double kGamma = 0.1;  // its square is the damping
  double alignment = 0;
  for (KroneckerFactors& k : factors) {
    complete(k);
    // The damped model times the step is minus the gradient: no inverse is needed to see it.
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto of_layer = [&](const Vector& v) {
      Matrix V(k.outputs, k.columns());
      V.leftCols(k.inputs) = Eigen::Map<const RowMajor>(v.data() + k.begin, k.outputs, k.inputs);
      if (k.bias) V.rightCols(1) = v.segment(k.begin + k.inputs * k.outputs, k.outputs);
      return V;
    };
    const Matrix S = of_layer(step);
    const Matrix V = of_layer(g);
    Matrix model;
    if (options.form == KroneckerForm::factored) {
      const double pi =
          std::sqrt(k.A.trace() / static_cast<double>(k.A.rows()) / (k.G.trace() / static_cast<double>(k.G.rows())));
      Matrix A = k.A;
      Matrix G = k.G;
      A.diagonal().array() += pi * kGamma;
      G.diagonal().array() += kGamma / pi;
      model = G * S * A;
    } else {
      model = k.G * S * k.A + kGamma * kGamma * S;
    }
    // Rounding of the inverses: the condition of the model, at most |G||A| / gamma^2 + 1 with both of order 1 to 100.
    const double condition = k.G.norm() * k.A.norm() / (kGamma * kGamma) + 1;
    CHECK((model + V).norm() <= 100 * kEps * condition * std::max(V.norm(), 1e-3));
    alignment -= S.cwiseProduct(V).sum();
  }
  CHECK(alignment > 0);
}

TEST_CASE("K-FAC lowers the loss of convolutions and attention and residual blocks faster than gradient descent") {
  const std::string kind = GENERATE("convolutions", "residual blocks with batch normalisation", "attention");
  const auto f = with_shared_maps(kind);
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const auto run = [&](const std::string& method) {
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = start;
    for (int k = 0; k < 30; ++k) REQUIRE(optimizer->step(*f, x).status == StepStatus::ok);
    return f->value(x);
  };
  // The best of a coarse grid of rates.
  double descent = 1e300;
  for (const char* lr : {"0.1", "0.3", "1", "3"}) descent = std::min(descent, run(std::string("gd:lr=") + lr));
  CAPTURE(kind, descent);
  const std::string kfac = "kfac:damping=1,stats_share=1,model_share=1";
  CHECK(run(kfac) < 0.9 * descent);
  // Models that are none of this loss still lead down: log 3 is what a network that knows nothing has.
  CHECK(run(kfac + ",form=ekfac") < 0.5 * std::log(3));
  CHECK(run(kfac + ",sharing=reduce") < 0.5 * std::log(3));
}

TEST_CASE("K-FAC with relative damping damps its exact model by the matrix that damps its factors") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss)), 0.1, false);
  const std::vector<KroneckerFactors> layers = find<KroneckerStructure>(f)->kronecker_layers();
  KfacOptions options;
  options.damping = 0.5;
  options.damping_scale = DampingScale::relative;
  options.adapt_damping = false;
  options.stats_share = 1;
  options.model_share = 1;
  options.reject = false;
  Kfac kfac(f, options, 3);
  Vector x = test_point(f.size());
  std::vector<KroneckerFactors> factors;
  for (int k = 1; k <= 4; ++k) {
    Vector g;
    f.value_and_gradient(x, g);
    const double decay = std::min(1 - 1.0 / k, options.stats_decay);
    find<KroneckerStructure>(f)->kronecker_factors(
        x, {.seed = 3, .draw = static_cast<std::uint64_t>(k), .decay = decay}, factors);
    Matrix B = dense(*f.curvature(x, Curvature::gauss_newton));
    for (const KroneckerFactors& l : factors) {
      const double mean = l.A.trace() / static_cast<double>(l.A.rows()) * l.G.trace() / static_cast<double>(l.G.rows());
      B.diagonal().segment(l.begin, l.outputs * l.columns()).array() += 0.5 * mean;
    }
    const Vector before = x;
    const StepReport report = kfac.step(f, x);
    const Vector step = x - before;
    CHECK(told(report, "predicted_decrease") == Approx(-(g.dot(step) + 0.5 * step.dot(B * step))).epsilon(1e-9));
    CHECK(std::abs((g + B * step).dot(step)) <= 1e-10 * std::abs(g.dot(step)));
  }
}

TEST_CASE("A rejected step leaves the point and raises the damping") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacOptions options;
  options.damping = 1e-9;
  options.min_damping = 1e-9;
  options.reject = true;
  options.stats_share = 0.1;
  options.model_share = 0.05;  // two samples: a model that promises too much
  Kfac kfac(*f, options, 0);
  Vector x = 3 * test_point(f->size());
  bool rejected = false;
  bool again = false;
  for (int k = 0; k < 30; ++k) {
    const Vector before = x;
    const double value = f->value(x);
    const StepReport report = kfac.step(*f, x);
    CHECK(f->value(x) <= value);
    // The step that was undone is none to go on along.
    if (again) CHECK(told(report, "momentum") == 0);
    again = told(report, "accepted") == 0;
    if (again) {
      rejected = true;
      CHECK(x == before);
      CHECK(report.step_norm == 0);
      CHECK(told(report, "damping") > 1e-9);
    }
  }
  CHECK(rejected);
}

TEST_CASE("K-FAC's damping follows the reduction ratio across both of its bounds and stays between them") {
  const Case c{{4, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(4, 3, 40, c.loss));
  KfacOptions options;
  options.damping = 1e-3;
  options.damping_period = 1;
  options.reject = false;
  Index low = 0, between_low = 0, between_high = 0, high = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Kfac kfac(*f, options, seed);
    Vector x = test_point(f->size(), seed);
    double damping = options.damping;
    for (int k = 0; k < 25; ++k) {
      const StepReport report = kfac.step(*f, x);
      if (report.status != StepStatus::ok) break;
      const double rho = told(report, "reduction_ratio");
      if (rho > 0.75) damping *= 0.95;
      if (!(rho >= 0.25)) damping /= 0.95;
      CHECK(told(report, "damping") == Approx(std::max(damping, options.min_damping)).epsilon(1e-12));
      ++(rho < 0.25 ? low : rho < 0.5 ? between_low : rho <= 0.75 ? between_high : high);
    }
  }
  CHECK(std::min({low, between_low, between_high, high}) >= 1);
}

TEST_CASE("Where the decrease drowns in rounding K-FAC goes on by its model and its damping stays") {
  const Case c{{4, 3}, Activation::identity, Loss::softmax_cross_entropy};
  NetworkOptions options;
  options.precision = GENERATE(Precision::float64, Precision::float32);
  L2Objective f(make_objective(c, make_data(4, 3, 40, c.loss), options), 0.1, true);
  const std::string reject = GENERATE("true", "false");
  const auto optimizer = make_optimizer("kfac:damping=1,stats_share=1,model_share=1,reject=" + reject, {f, 1});
  Vector x = test_point(f.size());
  StepReport report;
  for (int k = 0; k < 400; ++k) {
    report = optimizer->step(f, x);
    REQUIRE(report.status == StepStatus::ok);
  }
  CAPTURE(reject, report.gradient_norm);
  CHECK(told(report, "damping") <= 10);
  // f does not tell gradients below the root of 2e-15 or 2e-7 of it.
  CHECK(report.gradient_norm <= (options.precision == Precision::float64 ? 1e-11 : 1e-5));
}

TEST_CASE("Every form of K-FAC lowers the loss of a network far faster than gradient descent") {
  const Case c{{6, 8, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(6, 3, 200, c.loss));
  const std::string form = GENERATE("factored", "eigenvalues", "ekfac", "tridiagonal");
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  const auto run = [&](const std::string& method) {
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = start;
    for (int k = 0; k < 60; ++k) REQUIRE(optimizer->step(*f, x).status == StepStatus::ok);
    return f->value(x);
  };
  const double descent = run("gd:lr=1");
  CHECK(run("kfac:damping=1,stats_share=1,model_share=1,form=" + form) < 0.9 * descent);
}

TEST_CASE("K-FAC goes down samples that are sorted by class as it does down the same samples in another order") {
  // An eighth and a quarter of the first samples would be of one and of two classes of eight.
  const Case c{{6, 10, 8}, Activation::tanh, Loss::softmax_cross_entropy};
  constexpr Index kEach = 80;
  const auto sorted = std::make_shared<Dataset>();
  sorted->name = "sorted";
  sorted->class_count = 8;
  sorted->inputs.resize(6, 8 * kEach);
  RandomStream(4, Purpose::test).fill_normal(Eigen::Map<Vector>(sorted->inputs.data(), sorted->inputs.size()));
  Matrix centres(6, 8);
  RandomStream(5, Purpose::test).fill_normal(Eigen::Map<Vector>(centres.data(), centres.size()));
  for (Index i = 0; i < 8 * kEach; ++i) {
    sorted->labels.push_back(static_cast<std::int32_t>(i / kEach));
    sorted->inputs.col(i) += 2 * centres.col(i / kEach);
  }
  const auto shuffled = std::make_shared<Dataset>();
  shuffled->name = "shuffled";
  shuffled->class_count = 8;
  shuffled->inputs.resize(6, 8 * kEach);
  shuffled->labels.resize(sorted->labels.size());
  std::vector<Index> order;
  RandomStream(6, Purpose::test).permutation(8 * kEach, order);
  for (Index i = 0; i < 8 * kEach; ++i) {
    shuffled->inputs.col(i) = sorted->inputs.col(order[static_cast<std::size_t>(i)]);
    shuffled->labels[static_cast<std::size_t>(i)] =
        sorted->labels[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
  }
  const auto run = [&](const std::shared_ptr<Dataset>& data, double& rejected) {
    const auto f = make_objective(c, data);
    const auto optimizer = make_optimizer("kfac:damping=0.01", {*f, 1});
    Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
    rejected = 0;
    for (int k = 0; k < 40; ++k) rejected += 1 - told(optimizer->step(*f, x), "accepted");
    return f->value(x);
  };
  double in_order = 0, in_disorder = 0;
  const double first = run(sorted, in_order);
  const double second = run(shuffled, in_disorder);
  // Two runs of the same method on the same mean with other draws.
  CAPTURE(first, second, in_order, in_disorder);
  CHECK(first <= 1.25 * second);
  CHECK(in_order <= in_disorder + 8);
}

TEST_CASE("K-FAC on shares of a batch takes the same bits on any number of threads") {
  const Case c{{20, 30, 5}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto data = make_data(20, 5, 600, c.loss);
  const int before = threads();
  const std::string method = GENERATE("kfac:damping=1", "kfac-fixed:targets=empirical", "ekfac");
  Vector first;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    const auto f = make_objective(c, data);
    const auto optimizer = make_optimizer(method, {*f, 1});
    Vector x = 0.3 * test_point(f->size());
    for (int k = 0; k < 6; ++k) optimizer->step(*f, x);
    if (n == 1) first = x;
    CHECK(x == first);
  }
  set_threads(before);
}

TEST_CASE("K-FAC restarted from its state goes on to the same bits between refreshes and between trials of gamma") {
  const Case c{{6, 8, 5, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  NetworkOptions precision;
  precision.precision = GENERATE(Precision::float64, Precision::float32);
  const auto f = make_objective(c, make_data(6, 3, 150, c.loss), precision);
  const std::string method = GENERATE("kfac:damping=1,gamma_period=4,inverse_period=3,damping_period=2,stats_period=2",
                                      "kfac-fixed:inverse_period=3");
  const std::string form = GENERATE("factored", "eigenvalues", "ekfac", "tridiagonal");
  const Vector start = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  constexpr int kSteps = 14;
  Vector whole = start;
  const auto straight = make_optimizer(method + ",form=" + form, {*f, 1});
  for (int k = 0; k < kSteps; ++k) straight->step(*f, whole);
  for (const int cut : {1, 2, 4, 5, 7, 8, 11}) {
    Vector x = start;
    const auto before = make_optimizer(method + ",form=" + form, {*f, 1});
    for (int k = 0; k < cut; ++k) before->step(*f, x);
    const auto after = make_optimizer(method + ",form=" + form, {*f, 1});
    const StateView from = before->state();
    const StateView to = after->state();
    REQUIRE(from.size() == to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      std::visit([&](auto* data) { *std::get<decltype(data)>(to[i].data) = *data; }, from[i].data);
    }
    for (int k = cut; k < kSteps; ++k) after->step(*f, x);
    CAPTURE(method, form, cut);
    CHECK(x == whole);
  }
}

TEST_CASE("K-FAC on an objective without layers says so in a line") {
  Quadratic f(Vector::Ones(3), Vector::Zero(3));
  for (const char* name : {"kfac", "kfac-fixed", "ekfac"}) {
    CHECK_THROWS_WITH(make_optimizer(name, {f, 0}), Catch::Contains("no layers with Kronecker factors"));
  }
}

TEST_CASE("ekfac of another form is another method and refused") {
  const Case c{{3, 4, 2}, Activation::tanh, Loss::softmax_cross_entropy};
  const auto f = make_objective(c, make_data(3, 2, 10, c.loss));
  CHECK_NOTHROW(make_optimizer("ekfac:form=ekfac", {*f, 0}));
  CHECK_THROWS_WITH(make_optimizer("ekfac:form=factored", {*f, 0}), Catch::Contains("take kfac-fixed"));
}
