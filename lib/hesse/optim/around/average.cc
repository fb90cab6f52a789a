#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/optim/around/modifier.h"
#include "hesse/optim/around/modifiers.h"
#include "hesse/optim/registry.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void visit_options(EmaOptions& o, OptionVisitor& v) {
  v.option("decay", o.decay, Interval::half_open(0, 1), "weight of the past");
}
void visit_options(PolyakOptions& o, OptionVisitor& v) {
  v.option("from", o.from, Interval::half_open(0, 1), "share of the budget before averaging begins");
  v.option("eta", o.eta, Interval::non_negative(), "0 weighs all iterates alike; above, the later ones more");
}

namespace {

/// The optimizer goes its own way; the point outside is the weighted mean of the iterates after each step:
/// x <- (1 - c) x + c (iterate), with c the last iterate's share of all weights.
class Average : public Modifier {
 public:
  StepReport step(Objective& f, Vector& x) override {
    if (iterate_.size() != x.size()) iterate_ = x;
    StepReport report = inner_->step(f, iterate_);
    if (report.status != StepStatus::ok) return report;
    const double c = share(++t_);
    // What the inner method reports of its own point after the step is not true of the average.
    report.value_after = StepReport::kUnknown;
    report.gradient_norm_after = StepReport::kUnknown;
    x += c * (iterate_ - x);
    return report;
  }

 protected:
  using Modifier::Modifier;
  StateView own_state() override { return {{"iterate", &iterate_}, {"t", &t_}}; }
  virtual double share(std::int64_t t) = 0;

 private:
  Vector iterate_;
  std::int64_t t_ = 0;
};

/// Weights decay^(t - i), and so without the bias of a start at x_0 (Kingma and Ba 2015, section 7.2).
class Ema final : public Average {
 public:
  Ema(std::unique_ptr<Optimizer> inner, const EmaOptions& options)
      : Average("ema", std::move(inner)), options_(options) {}

 protected:
  double share(std::int64_t t) override {
    return (1 - options_.decay) / (1 - std::pow(options_.decay, static_cast<double>(t)));
  }

 private:
  EmaOptions options_;
};

/// Equal weights, or with eta > 0 polynomial ones: c = (1 + eta) / (t + eta).
class Polyak final : public Average {
 public:
  Polyak(std::unique_ptr<Optimizer> inner, const PolyakOptions& options)
      : Average("polyak", std::move(inner)), options_(options) {}
  void set_budget_share(double share) override {
    budget_share_ = share;
    Modifier::set_budget_share(share);
  }

 protected:
  StateView own_state() override {
    StateView all = Average::own_state();
    all.push_back({"averaged", &averaged_});
    return all;
  }
  double share(std::int64_t) override {
    if (options_.from > 0 && averaged_ == 0) {
      if (std::isnan(budget_share_))
        fail("polyak: the run has no budget that from={:g} could be a share of", options_.from);
      if (budget_share_ < options_.from) return 1;
    }
    ++averaged_;
    return (1 + options_.eta) / (static_cast<double>(averaged_) + options_.eta);
  }

 private:
  PolyakOptions options_;
  double budget_share_ = std::nan("");
  std::int64_t averaged_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_ema(const EmaOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<Ema>(std::move(inner), options);
}
std::unique_ptr<Optimizer> make_polyak(const PolyakOptions& options, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<Polyak>(std::move(inner), options);
}

ModifierEntry ema_entry() {
  return modifier_entry<EmaOptions>(
      ModifierPlace::average, "ema", "Returns an exponential moving average of the iterates",
      "Polyak and Juditsky (1992); Kingma and Ba (2015), section 7.2",
      [](const EmaOptions& o, ModifierContext& c) { return make_ema(o, std::move(c.inner)); });
}
ModifierEntry polyak_entry() {
  return modifier_entry<PolyakOptions>(
      ModifierPlace::average, "polyak", "Returns the mean of the iterates",
      "Polyak and Juditsky (1992); Shamir and Zhang (2013), section 4",
      [](const PolyakOptions& o, ModifierContext& c) { return make_polyak(o, std::move(c.inner)); });
}

}  // namespace hesse
