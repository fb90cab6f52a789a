#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/random.h"
#include "hesse/core/vector_ops.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/optim/around/modifier.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hesse {

void visit_options(ClipNormOptions& o, OptionVisitor& v) {
  v.option("max", o.max, Interval::positive(), "greatest norm of the whole gradient");
}
void visit_options(ClipValueOptions& o, OptionVisitor& v) {
  v.option("max", o.max, Interval::positive(), "greatest size of an entry of the gradient");
}
void visit_options(GradientL2Options& o, OptionVisitor& v) {
  v.option("lambda", o.lambda, Interval::non_negative(), "weight of the parameters in the gradient");
}
void visit_options(GradientNoiseOptions& o, OptionVisitor& v) {
  v.option("eta", o.eta, Interval::non_negative(), "variance of the noise at the first step");
  v.option("gamma", o.gamma, Interval::non_negative(), "variance falls as (1 + t)^-gamma");
}
void visit_options(AccumulateOptions& o, OptionVisitor& v) {
  v.option("parts", o.parts, Interval::at_least(1), "micro-batches that a batch is evaluated in");
}

namespace {

/// g <- g min(1, max / |g|).
class ClipNorm final : public GradientModifier {
 public:
  ClipNorm(std::unique_ptr<Optimizer> inner, const ClipNormOptions& options)
      : GradientModifier("clip-norm", std::move(inner)), options_(options) {}

 protected:
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    const double value = f.value_and_gradient(x, g);
    norm = hesse::norm(g);
    // Not where it is NaN or infinite: the inner method is to see that.
    scale_ = norm > options_.max && std::isfinite(norm) ? options_.max / norm : 1.0;
    if (scale_ != 1) g *= scale_;
    return value;
  }
  void report(StepReport& report) override { report.tell("clip_scale", scale_); }

 private:
  ClipNormOptions options_;
  double scale_ = 1;
};

/// g_i <- min(max, max(-max, g_i)).
class ClipValue final : public GradientModifier {
 public:
  ClipValue(std::unique_ptr<Optimizer> inner, const ClipValueOptions& options)
      : GradientModifier("clip-value", std::move(inner)), options_(options) {}

 protected:
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    const double value = f.value_and_gradient(x, g);
    norm = hesse::norm(g);
    if (std::isfinite(norm)) g = g.cwiseMin(options_.max).cwiseMax(-options_.max);
    return value;
  }

 private:
  ClipValueOptions options_;
};

/// g <- g + lambda x.
class L2InGradient final : public GradientModifier {
 public:
  L2InGradient(std::unique_ptr<Optimizer> inner, const GradientL2Options& options)
      : GradientModifier("l2", std::move(inner)), options_(options) {}

 protected:
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    const double value = f.value_and_gradient(x, g);
    norm = hesse::norm(g);
    g += options_.lambda * x;
    return value;
  }

 private:
  GradientL2Options options_;
};

/// g <- g + N(0, eta / (1 + t)^gamma).
class GradientNoise final : public GradientModifier {
 public:
  GradientNoise(std::unique_ptr<Optimizer> inner, std::uint64_t seed, const GradientNoiseOptions& options)
      : GradientModifier("noise", std::move(inner)), options_(options), seed_(seed) {}

 protected:
  StateView own_state() override { return {{"t", &t_}}; }
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    const double value = f.value_and_gradient(x, g);
    norm = hesse::norm(g);
    if (noise_.size() != g.size()) noise_.resize(g.size());
    RandomStream(seed_, Purpose::noise, static_cast<std::uint64_t>(t_)).fill_normal(noise_);
    g += std::sqrt(options_.eta * std::pow(1 + static_cast<double>(t_), -options_.gamma)) * noise_;
    ++t_;
    return value;
  }

 private:
  GradientNoiseOptions options_;
  std::uint64_t seed_;
  Vector noise_;
  std::int64_t t_ = 0;
};

/// The gradient of the batch as the mean of those of its parts, so that only one part is in memory at a time.
class Accumulate final : public GradientModifier {
 public:
  Accumulate(std::unique_ptr<Optimizer> inner, Objective& f, const AccumulateOptions& options)
      : GradientModifier("accumulate", std::move(inner)), options_(options) {
    if (find<FiniteSum>(f) == nullptr) {
      fail("accumulate: this problem is no mean over samples, so that there is nothing to accumulate over");
    }
  }

 protected:
  double evaluate(Objective& f, const Vector& x, Vector& g, double& norm) override {
    FiniteSum* const sum = find<FiniteSum>(f);
    const auto selected = sum->selection();
    samples_.assign(selected.begin(), selected.end());
    const auto count = static_cast<Index>(samples_.size());
    const Index parts = std::min(options_.parts, count);
    if (part_.size() != x.size()) part_.resize(x.size());
    double value = 0;
    g.resize(x.size());
    g.setZero();
    for (Index i = 0; i < parts; ++i) {
      const Index begin = i * count / parts;
      const Index size = (i + 1) * count / parts - begin;
      sum->select(
          std::span<const Index>(samples_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)));
      const double share = static_cast<double>(size) / static_cast<double>(count);
      value += share * f.value_and_gradient(x, part_);
      g += share * part_;
    }
    if (count == sum->sample_count()) {
      sum->select_all();
    } else {
      sum->select(samples_);
    }
    norm = hesse::norm(g);
    return value;
  }

 private:
  AccumulateOptions options_;
  std::vector<Index> samples_;
  Vector part_;
};

template <class Options, class Builder>
ModifierEntry gradient_entry(std::string name, std::string summary, std::string source, Builder builder) {
  return modifier_entry<Options>(ModifierPlace::gradient, std::move(name), std::move(summary), std::move(source),
                                 builder);
}

}  // namespace

std::unique_ptr<Optimizer> make_clip_norm(const ClipNormOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<ClipNorm>(std::move(inner), options);
}
std::unique_ptr<Optimizer> make_clip_value(const ClipValueOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<ClipValue>(std::move(inner), options);
}
std::unique_ptr<Optimizer> make_gradient_l2(const GradientL2Options& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<L2InGradient>(std::move(inner), options);
}
std::unique_ptr<Optimizer> make_gradient_noise(const GradientNoiseOptions& options, std::uint64_t seed,
                                               std::unique_ptr<Optimizer> inner) {
  return std::make_unique<GradientNoise>(std::move(inner), seed, options);
}
std::unique_ptr<Optimizer> make_accumulate(const AccumulateOptions& options, Objective& f,
                                           std::unique_ptr<Optimizer> inner) {
  return std::make_unique<Accumulate>(std::move(inner), f, options);
}

ModifierEntry clip_norm_entry() {
  return gradient_entry<ClipNormOptions>(
      "clip-norm", "Shortens gradients that are longer than max", "Pascanu, Mikolov and Bengio (2013), Algorithm 1",
      [](const ClipNormOptions& o, ModifierContext& c) { return make_clip_norm(o, std::move(c.inner)); });
}
ModifierEntry clip_value_entry() {
  return gradient_entry<ClipValueOptions>(
      "clip-value", "Holds each entry of the gradient in [-max, max]", "Mikolov (2012), section 3.2.2",
      [](const ClipValueOptions& o, ModifierContext& c) { return make_clip_value(o, std::move(c.inner)); });
}
ModifierEntry l2_entry() {
  return gradient_entry<GradientL2Options>(
      "l2", "Weight decay inside the gradient", "Krogh and Hertz (1991)",
      [](const GradientL2Options& o, ModifierContext& c) { return make_gradient_l2(o, std::move(c.inner)); });
}
ModifierEntry noise_entry() {
  return gradient_entry<GradientNoiseOptions>("noise", "Adds annealed normal noise to the gradient",
                                              "Neelakantan et al. (2015), eq. (1)",
                                              [](const GradientNoiseOptions& o, ModifierContext& c) {
                                                return make_gradient_noise(o, c.seed, std::move(c.inner));
                                              });
}
ModifierEntry accumulate_entry() {
  // Whatever else changes the gradient changes that of the batch, wherever it is written.
  return modifier_entry<AccumulateOptions>(ModifierPlace::evaluation, "accumulate", "Evaluates a batch in parts",
                                           "Ott et al. (2018), section 3",
                                           [](const AccumulateOptions& o, ModifierContext& c) {
                                             return make_accumulate(o, c.objective, std::move(c.inner));
                                           });
}

}  // namespace hesse
