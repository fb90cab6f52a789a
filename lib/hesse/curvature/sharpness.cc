#include "hesse/curvature/sharpness.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/log_volume.h"
#include "hesse/curvature/memory.h"
#include "hesse/curvature/smoothed_loss.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/curvature/weighted_curvature.h"
#include "hesse/linalg/eigen.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/l2_objective.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hesse {
namespace {

Estimate exactly(double value, double error = 0) {
  if (!std::isfinite(value)) return without_value(0);
  Estimate estimate;
  estimate.value = value;
  estimate.lower = value - error;
  estimate.upper = value + error;
  return estimate;
}

/// The square root of an estimate of a square.
Estimate root_of(const Estimate& square) {
  if (!square.is_finite) return square;
  Estimate root = square;
  root.value = std::sqrt(square.value);
  root.standard_error = square.standard_error / (2 * root.value);
  root.lower = std::sqrt(std::max(square.lower, 0.0));
  root.upper = std::sqrt(square.upper);
  return root;
}

Estimate times(double factor, Estimate e) {
  for (double* figure : {&e.value, &e.standard_error, &e.lower, &e.upper}) *figure *= factor;
  return e;
}

/// Estimates whose error is 0 are exact.
NumberKind kind_of(const Estimate& e) { return e.standard_error == 0 ? NumberKind::exact : NumberKind::estimate; }

/// What the measures at one point share.
class Workshop {
 public:
  Workshop(Objective& its_f, const Vector& its_x, const SharpnessOptions& its_options, SharpnessReport& its_report)
      : f(its_f), x(its_x), options(its_options), report(its_report) {
    const auto* penalty = find<L2Objective>(f);
    rescales_ = penalty == nullptr || penalty->lambda() == 0;
    if (!rescales_) {
      report.message = fmt::format(
          "the loss has a penalty of {:g} / 2 |x|^2, so that no measure is invariant to rescaling but the Fisher-Rao "
          "norm and relative flatness, which are those of the loss beneath it; l2=0 leaves it out",
          penalty->lambda());
    }
    report.tolerance = std::max(kLeastTolerance, kRoundings * f.value_noise());
  }

  Objective& f;
  const Vector& x;
  const SharpnessOptions& options;
  SharpnessReport& report;

  Index size() const { return x.size(); }
  bool small() const { return size() <= options.max_products; }

  /// The matrix of eigenvalue, trace, norm and volume.
  const LinearOperator& curvature() {
    if (!curvature_) curvature_ = f.curvature(x, options.curvature);
    return *curvature_;
  }
  std::shared_ptr<const LinearOperator> hessian() {
    if (options.curvature != Curvature::hessian) return f.curvature(x, Curvature::hessian);
    curvature();
    return curvature_;
  }
  /// Gives the memory of the matrix back. It is made again where it is asked for.
  void forget_curvature() { curvature_.reset(); }
  /// All its eigenvalues, ascending; NaN where it is not finite. For small().
  const Vector& eigenvalues() {
    if (eigenvalues_.size() == 0) {
      Matrix vectors;
      const Matrix A = to_dense(curvature());
      if (!symmetric_eigen(0.5 * (A + A.transpose()), eigenvalues_, vectors)) {
        eigenvalues_.setConstant(size(), std::nan(""));
      }
    }
    return eigenvalues_;
  }

  TraceOptions trace_options() const {
    TraceOptions trace;
    trace.tolerance = 0;
    trace.max_products = options.max_products;
    trace.seed = options.seed;
    return trace;
  }
  NoiseOptions noise(Units units) const { return {units, options.eta, options.samples / 2, options.seed}; }
  BallOptions ball(Units units) const {
    BallOptions ball;
    ball.rho = units == Units::plain ? options.rho : options.adaptive_rho;
    ball.units = units;
    ball.eta = options.eta;
    ball.ascent = ascent();
    return ball;
  }
  AscentOptions ascent() const {
    AscentOptions ascent = options.ascent;
    ascent.seed = options.seed;
    return ascent;
  }
  /// Whether perturbations in these units are the same functions at a rescaled point.
  bool invariant(Units units) const { return units != Units::plain && options.eta == 0; }

  void add(Measure measure) {
    measure.invariant = measure.invariant && rescales_;
    add_of_loss(std::move(measure));
  }
  /// A measure that no penalty is part of.
  void add_of_loss(Measure measure) { report.measures.push_back(std::move(measure)); }
  /// A difference of values is off by their rounding.
  void add_rise(Measure measure, double factor = 1) {
    const double rounding = 2 * factor * f.value_noise() * std::abs(report.value);
    measure.rounding = rounding;
    measure.number.lower -= rounding;
    measure.number.upper += rounding;
    add(std::move(measure));
  }

 private:
  /// Matrix products round to the precision, and a thousand of them cancel at worst.
  static constexpr double kRoundings = 1e3;
  static constexpr double kLeastTolerance = 1e-8;

  bool rescales_ = true;
  std::shared_ptr<const LinearOperator> curvature_;
  Vector eigenvalues_;
};

// ---- The matrix as a whole ----

void needs_curvature(Workshop& shop) { shop.curvature(); }

void largest_eigenvalue(Workshop& shop) {
  Measure measure{"eigenvalue", fmt::format("largest eigenvalue of the {}", to_string(shop.options.curvature))};
  if (shop.small()) {
    measure.number = exactly(shop.eigenvalues().tail(1)[0]);
  } else {
    EigenOptions eigen;
    eigen.tolerance = shop.options.eigen_tolerance;
    eigen.seed = shop.options.seed;
    // Products in float are symmetric to their rounding only.
    eigen.asymmetry_tolerance = std::max(eigen.asymmetry_tolerance, allowed_asymmetry(shop.f.value_noise()));
    EigenResult result;
    try {
      result = extreme_eigenpairs(shop.curvature(), eigen);
    } catch (const Error& e) {
      // Where all curvature is small, a Hessian in float is mostly rounding: this measure has no value then, the others
      // may.
      result.status = EigenStatus::non_finite;
      result.message = e.what();
    }
    measure.note = result.message;
    if (result.status == EigenStatus::non_finite || result.largest.values.size() == 0) {
      measure.number = without_value(result.products);
    } else {
      measure.number = exactly(result.largest.values[0], result.largest.residuals[0]);
      measure.number.products = result.products;
      measure.rounding = result.largest.residuals[0];
      // A Rayleigh quotient never exceeds the largest eigenvalue.
      if (result.status == EigenStatus::not_converged) measure.kind = NumberKind::lower_bound;
    }
  }
  shop.add(std::move(measure));
}

void trace(Workshop& shop) {
  Measure measure{"trace", "trace"};
  measure.number =
      shop.small() ? exactly(shop.eigenvalues().sum()) : estimate_trace(shop.curvature(), shop.trace_options());
  measure.kind = kind_of(measure.number);
  shop.add(std::move(measure));
}

void frobenius(Workshop& shop) {
  Measure measure{"frobenius", "Frobenius norm"};
  measure.number = shop.small() ? exactly(norm(shop.eigenvalues()))
                                : root_of(estimate_frobenius_square(shop.curvature(), shop.trace_options()));
  measure.kind = kind_of(measure.number);
  shop.add(std::move(measure));
}

void volume(Workshop& shop) {
  const double delta = shop.options.delta;
  Measure measure{"log-volume", fmt::format("log-volume, delta = {:g}", delta)};
  measure.large_is_flat = true;
  double least = 0;
  if (shop.small()) {
    measure.number = log_volume(shop.eigenvalues(), delta);
    least = shop.eigenvalues()[0];
  } else {
    const SpectralDensity density =
        spectral_density(shop.curvature(), {shop.options.probes, shop.options.steps, shop.options.seed});
    measure.number = log_volume(density, delta);
    measure.kind = NumberKind::estimate;
    least = density.least;
  }
  if (least < -delta) measure.note = fmt::format("curvature down to {:.3g} counted as flat", least);
  shop.add(std::move(measure));
}

// ---- Worst cases ----

void add_worst(Workshop& shop, Measure measure, const WorstCase& worst, double rise, double factor = 1) {
  measure.kind = NumberKind::lower_bound;
  if (!worst.is_finite) {
    measure.number = without_value(0);
    measure.note = "the loss is not finite in this neighbourhood";
  } else {
    measure.number = exactly(factor * rise);
    if (rise == worst.rise) measure.number.upper += factor * worst.spread;
  }
  shop.add_rise(std::move(measure), factor);
}

/// 2^27 numbers are 1 GiB.
constexpr Index kMostNumbers = Index{1} << 27;

void needs_positive_scale_and_room(Workshop& shop) {
  if (!(1 + shop.report.value > 0)) {
    fail("keskar: the loss is {:g}, and the measure divides by 1 + f(x); take a loss > -1", shop.report.value);
  }
  if (shop.size() * std::min(shop.options.subspace, shop.size()) > kMostNumbers) {
    fail("keskar: a basis of {} vectors of {} entries takes more than 1 GiB; lower the subspace", shop.options.subspace,
         shop.size());
  }
}

void keskar(Workshop& shop) {
  BoxOptions box{shop.options.epsilon, 0, shop.ascent()};
  const double factor = keskar_sharpness(1, shop.report.value);
  const auto add = [&](const char* key, const std::string& where) {
    const WorstCase worst = worst_in_box(shop.f, shop.x, box);
    add_worst(shop, {key, fmt::format("epsilon-sharpness in percent, {}, epsilon = {:g}", where, box.epsilon)}, worst,
              worst.rise, factor);
  };
  add("keskar", "box");
  box.subspace = std::min(shop.options.subspace, shop.size());
  add("keskar-subspace", fmt::format("{} dimensions", box.subspace));
}

void add_ball(Workshop& shop, Units units, const std::string& key, const std::string& name) {
  const BallOptions ball = shop.ball(units);
  const WorstCase worst = worst_in_ball(shop.f, shop.x, ball);
  const auto measure = [&](const char* suffix, const char* how) {
    Measure m{key + suffix, fmt::format("{}, {}, rho = {:g}", name, how, ball.rho)};
    m.invariant = shop.invariant(units);
    return m;
  };
  add_worst(shop, measure("-first-order", "first-order step"), worst, worst.first_order);
  add_worst(shop, measure("", "ascent"), worst, worst.rise);
}

void sam(Workshop& shop) { add_ball(shop, Units::plain, "sam", "SAM"); }

void needs_samples(Workshop& shop) { finite_sum_of(shop.f, "m-sharpness"); }

void m_sharpness(Workshop& shop) {
  BatchOptions batch;
  static_cast<BallOptions&>(batch) = shop.ball(Units::plain);
  batch.m = shop.options.m;
  batch.batches = shop.options.batches;
  const BatchSharpness worst = worst_in_batches(shop.f, shop.x, batch);
  const std::string note =
      fmt::format("{} batches{}", worst.rise.samples, worst.whole ? ", all of a partition" : " of a partition");
  for (const auto& [key, how, number] : {std::tuple{"m-sharpness-first-order", "first-order step", worst.first_order},
                                         std::tuple{"m-sharpness", "ascent", worst.rise}}) {
    Measure measure{key, fmt::format("m-sharpness, {}, rho = {:g}, m = {}", how, batch.rho,
                                     std::min(batch.m, finite_sum_of(shop.f, "m-sharpness").sample_count()))};
    measure.number = number;
    measure.kind = NumberKind::lower_bound;
    measure.note = note;
    shop.add_rise(std::move(measure));
  }
}

void adaptive(Workshop& shop) {
  add_ball(shop, Units::elementwise, "adaptive", "adaptive sharpness");
  add_ball(shop, Units::filterwise, "adaptive-filterwise", "filter-normalised sharpness");
}

// ---- Means over noise ----

void needs_hessian(Workshop& shop) { shop.hessian(); }

void expected(Workshop& shop) {
  const std::shared_ptr<const LinearOperator> H = shop.hessian();
  for (const Units units : {Units::plain, Units::elementwise}) {
    const bool plain = units == Units::plain;
    const double sigma = plain ? shop.options.sigma : shop.options.adaptive_sigma;
    const std::string key = plain ? "expected" : "expected-adaptive";
    const std::string name = fmt::format("expected sharpness{}, sigma = {:g}", plain ? "" : ", adaptive", sigma);
    Measure measure{key, name, NumberKind::estimate, shop.invariant(units)};
    measure.number = expected_rise(shop.f, shop.x, sigma, shop.noise(units));
    shop.add_rise(std::move(measure));

    Measure prediction{key + "-second-order", name + ", second order"};
    prediction.invariant = shop.invariant(units);
    const auto A = in_units(H, unit_scale(shop.f.layout(), shop.x, units, shop.options.eta));
    prediction.number = times(0.5 * sigma * sigma, estimate_trace(*A, shop.trace_options()));
    prediction.kind = kind_of(prediction.number);
    shop.add(std::move(prediction));
  }
}

void pac_bayes(Workshop& shop) {
  for (const Units units : {Units::plain, Units::elementwise}) {
    const bool plain = units == Units::plain;
    Measure measure{plain ? "pac-bayes" : "pac-bayes-adaptive",
                    fmt::format("PAC-Bayes sigma{}, rise {:g}", plain ? "" : ", adaptive", shop.options.rise)};
    measure.kind = NumberKind::estimate;
    measure.invariant = shop.invariant(units);
    measure.large_is_flat = true;
    measure.number = pac_bayes_sigma(shop.f, shop.x, shop.options.rise, shop.noise(units));
    if (measure.number.is_finite && !measure.number.reached) measure.note = "no noise raises the loss as far";
    shop.add(std::move(measure));
  }
}

/// Of the draws; below, a mean of weights rests on too few of them.
constexpr double kLeastShare = 0.1;

void entropy(Workshop& shop) {
  const LocalEntropy local = local_entropy(shop.f, shop.x, shop.options.gamma, shop.noise(Units::plain));
  Measure measure{"local-entropy", fmt::format("local entropy, gamma = {:g}", shop.options.gamma)};
  measure.kind = NumberKind::estimate;
  measure.large_is_flat = true;
  measure.number = local.estimate;
  const auto draws = static_cast<double>(2 * (shop.options.samples / 2));
  if (local.estimate.is_finite) {
    measure.note = fmt::format("effective samples {:.0f} of {:.0f}{}", local.effective_samples, draws,
                               local.effective_samples < kLeastShare * draws ? ": too few for the interval" : "");
  }
  shop.add(std::move(measure));
}

// ---- Curvature weighted by the parameters ----

void needs_fisher(Workshop& shop) { shop.f.curvature(shop.x, Curvature::fisher); }

void fisher_rao(Workshop& shop) {
  Measure measure{"fisher-rao", "Fisher-Rao norm squared"};
  measure.invariant = true;
  measure.number = fisher_rao_square(shop.f, shop.x);
  shop.add_of_loss(std::move(measure));
}

void needs_rows(Workshop& shop) {
  relative_flatness_block(shop.f.layout(), shop.options.layer);
  needs_hessian(shop);
}

void flatness(Workshop& shop) {
  // It makes a matrix of its own, of the loss without a penalty.
  shop.forget_curvature();
  const RelativeFlatnessOptions options{shop.options.layer, shop.options.max_products, shop.options.seed};
  Measure measure{"relative-flatness",
                  fmt::format("relative flatness of {}", relative_flatness_block(shop.f.layout(), shop.options.layer))};
  measure.invariant = true;
  measure.number = relative_flatness(shop.f, shop.x, options);
  measure.kind = kind_of(measure.number);
  shop.add_of_loss(std::move(measure));
}

void needs_nothing(Workshop&) {}

// ---- What they evaluate ----

/// Vectors of a basis in which Lanczos finds a largest eigenvalue that lies apart.
constexpr double kUsualLanczos = 30;

/// Of the eigenvalues that all share where the matrix is small, which are counted once, beside the first.
double products_of(const Workshop& shop, double products) { return shop.small() ? 0 : products; }

double trace_products(const Workshop& shop) {
  return static_cast<double>(std::min(shop.size(), shop.options.max_products));
}

void keep(SharpnessWork& work, double bytes) { work.bytes = std::max(work.bytes, bytes); }
void multiply_at_once(const Workshop& shop, Index vectors, SharpnessWork& work) {
  work.vectors_at_once = std::max(work.vectors_at_once, std::min(vectors, shop.size()));
}

void eigenvalue_work(Workshop& shop, SharpnessWork& work) {
  work.products += products_of(shop, kUsualLanczos);
  work.guessed_products += products_of(shop, kUsualLanczos);
  keep(work, eigenpairs_bytes(shop.size(), EigenOptions()));
  multiply_at_once(shop, EigenOptions().largest + 2, work);
}
void trace_work(Workshop& shop, SharpnessWork& work) {
  work.products += products_of(shop, trace_products(shop));
  keep(work, trace_bytes(shop.size(), shop.trace_options()));
  multiply_at_once(shop, TraceOptions().block, work);
}
void volume_work(Workshop& shop, SharpnessWork& work) {
  const Index steps = std::min(shop.options.steps, shop.size());
  work.products += products_of(shop, static_cast<double>(shop.options.probes * steps));
  keep(work, density_bytes(shop.size(), {shop.options.probes, steps, 0}));
  multiply_at_once(shop, 1, work);
}

/// Ascents on a share of the samples.
void add_ascents(const Workshop& shop, double ascents, SharpnessWork& work) {
  const AscentOptions& ascent = shop.options.ascent;
  work.gradients += ascents * static_cast<double>(1 + (1 + ascent.random_starts) * (1 + ascent.iterations));
  work.values += ascents;
}
void keskar_work(Workshop& shop, SharpnessWork& work) {
  add_ascents(shop, 2, work);
  const auto basis = static_cast<double>(shop.size() * std::min(shop.options.subspace, shop.size()));
  keep(work, sizeof(double) * basis);
}
void sam_work(Workshop& shop, SharpnessWork& work) { add_ascents(shop, 1, work); }
void adaptive_work(Workshop& shop, SharpnessWork& work) { add_ascents(shop, 2, work); }
void m_sharpness_work(Workshop& shop, SharpnessWork& work) {
  const Index samples = finite_sum_of(shop.f, "m-sharpness").sample_count();
  const Index m = std::min(shop.options.m, samples);
  const Index batches = std::min(shop.options.batches, samples / m);
  add_ascents(shop, static_cast<double>(batches * m) / static_cast<double>(samples), work);
}

/// Values of f for `means` over noise around one point, with that at the point itself.
double values_of_means(const Workshop& shop, double means) {
  return 1 + means * static_cast<double>(2 * (shop.options.samples / 2));
}
void expected_work(Workshop& shop, SharpnessWork& work) {
  work.values += 2 * values_of_means(shop, 1);
  work.products += 2 * trace_products(shop);
  multiply_at_once(shop, TraceOptions().block, work);
}
void pac_bayes_work(Workshop& shop, SharpnessWork& work) {
  constexpr double kUsualMeans = 15;
  work.values += 2 * values_of_means(shop, kUsualMeans);
}
void entropy_work(Workshop& shop, SharpnessWork& work) { work.values += values_of_means(shop, 1); }
void fisher_rao_work(Workshop& shop, SharpnessWork& work) {
  work.products += 1;
  multiply_at_once(shop, 1, work);
}
void flatness_work(Workshop& shop, SharpnessWork& work) {
  work.products += trace_products(shop);
  multiply_at_once(shop, TraceOptions().block, work);
}

/// Some measures by one name: what they need, which throws Error where it is not there, the measuring, and what that
/// evaluates.
struct Family {
  const char* name;
  void (*require)(Workshop&);
  void (*measure)(Workshop&);
  void (*work)(Workshop&, SharpnessWork&);
};

constexpr Family kFamilies[] = {
    {"eigenvalue", needs_curvature, largest_eigenvalue, eigenvalue_work},
    {"trace", needs_curvature, trace, trace_work},
    {"frobenius", needs_curvature, frobenius, trace_work},
    {"log-volume", needs_curvature, volume, volume_work},
    {"keskar", needs_positive_scale_and_room, keskar, keskar_work},
    {"sam", needs_nothing, sam, sam_work},
    {"m-sharpness", needs_samples, m_sharpness, m_sharpness_work},
    {"adaptive", needs_nothing, adaptive, adaptive_work},
    {"expected", needs_hessian, expected, expected_work},
    {"pac-bayes", needs_nothing, pac_bayes, pac_bayes_work},
    {"fisher-rao", needs_fisher, fisher_rao, fisher_rao_work},
    {"relative-flatness", needs_rows, flatness, flatness_work},
    {"local-entropy", needs_nothing, entropy, entropy_work},
};

void check(const SharpnessOptions& o) {
  const auto positive = [](const char* name, double value) {
    if (!(value > 0) || !std::isfinite(value))
      fail("sharpness: {} = {:g} is not possible; give a number > 0", name, value);
  };
  positive("delta", o.delta);
  positive("epsilon", o.epsilon);
  positive("rho", o.rho);
  positive("adaptive rho", o.adaptive_rho);
  positive("sigma", o.sigma);
  positive("adaptive sigma", o.adaptive_sigma);
  positive("rise", o.rise);
  positive("gamma", o.gamma);
  const auto at_least = [](const char* name, double least, double value) {
    if (!(value >= least)) fail("sharpness: {} = {} is not possible; give at least {}", name, value, least);
  };
  at_least("eta", 0, o.eta);
  at_least("products", 6, static_cast<double>(o.max_products));
  at_least("probes", 2, static_cast<double>(o.probes));
  at_least("steps", 1, static_cast<double>(o.steps));
  at_least("subspace", 1, static_cast<double>(o.subspace));
  at_least("m", 1, static_cast<double>(o.m));
  at_least("batches", 2, static_cast<double>(o.batches));
  at_least("iterations", 0, static_cast<double>(o.ascent.iterations));
  at_least("random starts", 0, static_cast<double>(o.ascent.random_starts));
  at_least("samples", 4, static_cast<double>(o.samples));
  const std::vector<std::string> names = sharpness_measures();
  for (const std::string& name : o.measures) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      fail("sharpness: there is no measure '{}'{}; there are {}", name, suggestion(name, names),
           fmt::join(names, ", "));
    }
  }
}

/// Evaluates f at the point, and chooses what is measured there: nothing where f is not finite. Throws Error.
std::vector<const Family*> begin(Workshop& shop) {
  const SharpnessOptions& options = shop.options;
  SharpnessReport& report = shop.report;
  check(options);
  if (shop.x.size() != shop.f.size()) {
    fail("sharpness: a point of {} entries, but {} parameters", shop.x.size(), shop.f.size());
  }
  Vector g;
  report.value = shop.f.value_and_gradient(shop.x, g);
  report.gradient_norm = norm(g);
  std::vector<const Family*> chosen;
  if (!std::isfinite(report.value) || !std::isfinite(report.gradient_norm)) {
    report.is_finite = false;
    report.message = shop.f.explain_non_finite(shop.x);
    return chosen;
  }
  for (const Family& family : kFamilies) {
    const bool named =
        std::find(options.measures.begin(), options.measures.end(), family.name) != options.measures.end();
    if (!named && !options.measures.empty()) continue;
    try {
      family.require(shop);
      chosen.push_back(&family);
    } catch (const Error& e) {
      if (named) throw;
      report.left_out.push_back({family.name, e.what()});
    }
  }
  return chosen;
}

}  // namespace

const char* to_string(NumberKind kind) {
  switch (kind) {
    case NumberKind::exact: return "exact";
    case NumberKind::estimate: return "estimate";
    case NumberKind::lower_bound: return "lower bound";
  }
  return "unknown";
}

const char* to_string(Flatness flatness) {
  switch (flatness) {
    case Flatness::flatter: return "flatter";
    case Flatness::sharper: return "sharper";
    case Flatness::undecided: return "undecided";
  }
  return "unknown";
}

std::vector<std::string> sharpness_measures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  return names;
}

SharpnessWork sharpness_work(Objective& f, const Vector& x, const SharpnessOptions& options) {
  SharpnessReport report;
  Workshop shop(f, x, options, report);
  SharpnessWork work;
  work.gradients = 1;
  const std::vector<const Family*> chosen = begin(shop);
  for (const Family* family : chosen) family->work(shop, work);
  const bool of_the_matrix = std::any_of(chosen.begin(), chosen.end(),
                                         [](const Family* family) { return family->require == needs_curvature; });
  if (of_the_matrix && shop.small()) {
    work.products += static_cast<double>(shop.size());
    multiply_at_once(shop, shop.size(), work);
  }
  return work;
}

SharpnessReport measure_sharpness(Objective& f, const Vector& x, const SharpnessOptions& options) {
  SharpnessReport report;
  Workshop shop(f, x, options, report);
  for (const Family* family : begin(shop)) family->measure(shop);
  return report;
}

bool has_moved(const Measure& a, const Measure& b, double tolerance) {
  if (!a.number.is_finite || !b.number.is_finite) return a.number.is_finite != b.number.is_finite;
  if (a.number.value == b.number.value) return false;
  const double difference = std::abs(a.number.value - b.number.value);
  const double size = std::max(std::abs(a.number.value), std::abs(b.number.value));
  // An infinite figure beside a finite one has moved.
  return !std::isfinite(difference) || difference > std::max(tolerance * size, 2 * (a.rounding + b.rounding));
}

Flatness flatness_of(const Measure& a, const Measure& b, double tolerance) {
  const double slack = tolerance * std::max(std::abs(a.number.value), std::abs(b.number.value));
  const bool larger = a.number.lower > b.number.upper + slack;
  const bool smaller = a.number.upper < b.number.lower - slack;
  if (larger == smaller) return Flatness::undecided;
  return larger == a.large_is_flat ? Flatness::flatter : Flatness::sharper;
}

FlatnessVerdict compare_flatness(std::span<const Measure> a, std::span<const Measure> b, double tolerance) {
  std::vector<std::string> says[3];
  for (const Measure& one : a) {
    if (!one.invariant) continue;
    const auto other = std::find_if(b.begin(), b.end(), [&](const Measure& m) { return m.key == one.key; });
    if (other == b.end() || !other->invariant) continue;
    says[static_cast<int>(flatness_of(one, *other, tolerance))].push_back(one.key);
  }
  const auto& flatter = says[static_cast<int>(Flatness::flatter)];
  const auto& sharper = says[static_cast<int>(Flatness::sharper)];
  const auto& open = says[static_cast<int>(Flatness::undecided)];
  const std::size_t votes = flatter.size() + sharper.size() + open.size();
  if (votes == 0)
    return {Flatness::undecided, "no verdict: no measure that is invariant to rescaling was taken at both"};
  if (flatter.size() == votes || sharper.size() == votes) {
    const Flatness flatness = sharper.empty() ? Flatness::flatter : Flatness::sharper;
    return {flatness, fmt::format("{} by all {} measures that are invariant to rescaling", to_string(flatness), votes)};
  }
  std::string message = "no verdict:";
  const char* separator = " ";
  for (const Flatness f : {Flatness::flatter, Flatness::sharper, Flatness::undecided}) {
    const auto& names = says[static_cast<int>(f)];
    if (names.empty()) continue;
    message += fmt::format("{}{} by {}", separator, to_string(f), fmt::join(names, ", "));
    separator = "; ";
  }
  return {Flatness::undecided, std::move(message)};
}

}  // namespace hesse
