#include "hesse/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hesse {
namespace {

/// "steps" of the schedules that stretch over the whole run.
constexpr const char* kHorizon = "length of the run in steps; 0 goes by the budget";
constexpr const char* kDuration = "steps, or a share of the run when below 1";

double share_of(const SchedulePoint& at, Index steps, const char* name) {
  if (steps > 0) return std::min(1.0, static_cast<double>(at.step) / static_cast<double>(steps));
  if (std::isnan(at.share)) fail("{}: the run has no budget to stretch over; give steps=N", name);
  return std::clamp(at.share, 0.0, 1.0);
}

/// Time in units of `duration`.
double elapsed(const SchedulePoint& at, double duration, Index steps, const char* name) {
  return duration >= 1 ? static_cast<double>(at.step) / duration : share_of(at, steps, name) / duration;
}

/// From 1 at 0 to 0 at 1 along half a wave.
double half_wave(double u) { return 0.5 * (1 + std::cos(std::numbers::pi * u)); }
double between(double low, double high, double u) { return low + (high - low) * u; }

template <class Options>
ScheduleRegistry::Entry entry(std::string name, std::string summary, std::string source) {
  return registry_entry<Options, Schedule, const NoContext&>(
      std::move(name), std::move(summary), std::move(source), [](const Options& options, const NoContext&) -> Schedule {
        return [options](const SchedulePoint& at) { return evaluate(options, at); };
      });
}

struct Constant {
  double factor = 1;
};
void visit_options(Constant& o, OptionVisitor& v) {
  v.option("factor", o.factor, Interval::positive(), "of the learning rate");
}
ScheduleValue evaluate(const Constant& o, const SchedulePoint&) { return {o.factor}; }

struct StepDecay {
  double every = 1.0 / 3;
  double gamma = 0.1;
  Index steps = 0;
};
void visit_options(StepDecay& o, OptionVisitor& v) {
  v.option("every", o.every, Interval::positive(), kDuration);
  v.option("gamma", o.gamma, Interval::positive(), "factor at each drop");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const StepDecay& o, const SchedulePoint& at) {
  return {std::pow(o.gamma, std::floor(elapsed(at, o.every, o.steps, "step")))};
}

struct Exponential {
  double over = 1000;
  double gamma = 0.96;
  Index steps = 0;
};
void visit_options(Exponential& o, OptionVisitor& v) {
  v.option("over", o.over, Interval::positive(), "what the rate falls by gamma over: steps, or a share when below 1");
  v.option("gamma", o.gamma, Interval::positive(), "factor over that time");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const Exponential& o, const SchedulePoint& at) {
  return {std::pow(o.gamma, elapsed(at, o.over, o.steps, "exponential"))};
}

struct Cosine {
  double final = 0;
  Index steps = 0;
};
void visit_options(Cosine& o, OptionVisitor& v) {
  v.option("final", o.final, Interval::closed(0, 1), "eta_min / eta_max, factor at the end");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const Cosine& o, const SchedulePoint& at) {
  return {between(o.final, 1, half_wave(share_of(at, o.steps, "cosine")))};
}

struct WarmRestarts {
  double period = 1.0 / 7;
  double growth = 2;
  double final = 0;
  Index steps = 0;
};
void visit_options(WarmRestarts& o, OptionVisitor& v) {
  v.option("period", o.period, Interval::positive(),
           "T_0, the first period: steps, or a share of the run when below 1");
  v.option("growth", o.growth, Interval::at_least(1), "T_mult, factor of each period to the one before");
  v.option("final", o.final, Interval::closed(0, 1), "eta_min / eta_max, factor at the end of a period");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const WarmRestarts& o, const SchedulePoint& at) {
  // The shares of a whole number of periods round to a hair below it; a restart is not to come a step late.
  const double t = elapsed(at, o.period, o.steps, "sgdr") * (1 + 1e-12);
  if (o.growth == 1) return {between(o.final, 1, half_wave(t - std::floor(t)))};
  // Period i starts at (growth^i - 1) / (growth - 1) first periods.
  const double i = std::floor(std::log1p(t * (o.growth - 1)) / std::log(o.growth) * (1 + 1e-12));
  const double length = std::pow(o.growth, i);
  const double start = (length - 1) / (o.growth - 1);
  return {between(o.final, 1, half_wave(std::clamp((t - start) / length, 0.0, 1.0)))};
}

struct Warmup {
  double over = 0.05;
  double start = 1e-3;
  Index steps = 0;
};
void visit_options(Warmup& o, OptionVisitor& v) {
  v.option("over", o.over, Interval::positive(), kDuration);
  v.option("start", o.start, Interval::closed(0, 1), "factor of the first step");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const Warmup& o, const SchedulePoint& at) {
  return {between(o.start, 1, std::min(1.0, elapsed(at, o.over, o.steps, "warmup")))};
}

struct WarmupCosine {
  double warmup = 0.05;
  double start = 1e-3;
  double final = 0;
  Index steps = 0;
};
void visit_options(WarmupCosine& o, OptionVisitor& v) {
  v.option("warmup", o.warmup, Interval::open(0, 1), "share of the run in which the rate rises");
  v.option("start", o.start, Interval::closed(0, 1), "factor of the first step");
  v.option("final", o.final, Interval::closed(0, 1), "factor at the end");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const WarmupCosine& o, const SchedulePoint& at) {
  const double u = share_of(at, o.steps, "warmup-cosine");
  if (u < o.warmup) return {between(o.start, 1, u / o.warmup)};
  return {between(o.final, 1, half_wave((u - o.warmup) / (1 - o.warmup)))};
}

struct WarmupStableDecay {
  double warmup = 0.05;
  double start = 1e-3;
  double decay = 0.2;
  double final = 0;
  Index steps = 0;
};
void visit_options(WarmupStableDecay& o, OptionVisitor& v) {
  v.option("warmup", o.warmup, Interval::open(0, 1), "share of the run in which the rate rises");
  v.option("start", o.start, Interval::closed(0, 1), "factor of the first step");
  v.option("decay", o.decay, Interval::open(0, 1), "share of the run, at its end, in which the rate falls linearly");
  v.option("final", o.final, Interval::closed(0, 1), "factor at the end");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const WarmupStableDecay& o, const SchedulePoint& at) {
  const double u = share_of(at, o.steps, "wsd");
  const double rise = between(o.start, 1, std::min(1.0, u / o.warmup));
  const double fall = between(o.final, 1, std::min(1.0, (1 - u) / o.decay));
  return {rise * fall};
}

enum class Cycle { triangular, triangular2, exp_range };
struct Cyclical {
  Cycle mode = Cycle::triangular;
  double half_period = 2000;
  double low = 1.0 / 6;
  double gamma = 0.99994;
  Index steps = 0;
};
void visit_options(Cyclical& o, OptionVisitor& v) {
  v.choice("mode", o.mode,
           {{"triangular", Cycle::triangular}, {"triangular2", Cycle::triangular2}, {"exp_range", Cycle::exp_range}},
           "the same height in each cycle, half of it, or gamma^step of it");
  v.option("half_period", o.half_period, Interval::positive(), "stepsize: steps, or a share of the run when below 1");
  v.option("low", o.low, Interval::closed(0, 1), "base_lr / max_lr, factor at the ends of a cycle");
  v.option("gamma", o.gamma, Interval{0, 1, true, false}, "of exp_range");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const Cyclical& o, const SchedulePoint& at) {
  const double t = elapsed(at, o.half_period, o.steps, "cyclical");
  const double cycle = std::floor(t / 2);
  const double height = 1 - std::abs(t - 2 * cycle - 1);
  double scale = 1;
  if (o.mode == Cycle::triangular2) scale = std::exp2(-cycle);
  if (o.mode == Cycle::exp_range) scale = std::pow(o.gamma, static_cast<double>(at.step));
  return {between(o.low, 1, height * scale)};
}

struct OneCycle {
  double rise = 0.3;
  double div_factor = 25;
  double final_div_factor = 1e4;
  double base_momentum = 0.85;
  double max_momentum = 0.95;
  bool cycle_momentum = true;
  Index steps = 0;
};
void visit_options(OneCycle& o, OptionVisitor& v) {
  v.option("rise", o.rise, Interval::open(0, 1), "pct_start, share of the run in which the rate rises");
  v.option("div_factor", o.div_factor, Interval::at_least(1), "greatest rate / first rate");
  v.option("final_div_factor", o.final_div_factor, Interval::at_least(1), "first rate / last rate");
  v.option("base_momentum", o.base_momentum, Interval::half_open(0, 1), "momentum at the greatest rate");
  v.option("max_momentum", o.max_momentum, Interval::half_open(0, 1), "momentum at both ends");
  v.option("cycle_momentum", o.cycle_momentum, "set the momentum of methods that have one");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const OneCycle& o, const SchedulePoint& at) {
  const double u = share_of(at, o.steps, "one-cycle");
  const double first = 1 / o.div_factor;
  ScheduleValue value;
  double high = 0;
  if (u < o.rise) {
    high = 1 - half_wave(u / o.rise);
    value.rate = between(first, 1, high);
  } else {
    high = half_wave((u - o.rise) / (1 - o.rise));
    value.rate = between(first / o.final_div_factor, 1, high);
  }
  if (o.cycle_momentum) value.momentum = between(o.max_momentum, o.base_momentum, high);
  return value;
}

struct Polynomial {
  double power = 1;
  double final = 0;
  Index steps = 0;
};
void visit_options(Polynomial& o, OptionVisitor& v) {
  v.option("power", o.power, Interval::positive(), "1 is a straight line");
  v.option("final", o.final, Interval::closed(0, 1), "factor at the end");
  v.option("steps", o.steps, Interval::non_negative(), kHorizon);
}
ScheduleValue evaluate(const Polynomial& o, const SchedulePoint& at) {
  return {between(o.final, 1, std::pow(1 - share_of(at, o.steps, "polynomial"), o.power))};
}

struct NagMomentum {
  double max = 0.99;
  Index period = 250;
};
void visit_options(NagMomentum& o, OptionVisitor& v) {
  v.option("max", o.max, Interval::half_open(0, 1), "mu_max");
  v.option("period", o.period, Interval::at_least(1), "steps between rises");
}
ScheduleValue evaluate(const NagMomentum& o, const SchedulePoint& at) {
  // 1 - 2^(-1 - log2(k)) with k = floor(t / period) + 1.
  const auto k = static_cast<double>(at.step / o.period + 1);
  return {1, std::min(1 - 0.5 / k, o.max), true};
}

}  // namespace

const ScheduleRegistry& schedules() {
  static const ScheduleRegistry registry(
      "schedule",
      {
          entry<Constant>("constant", "A constant factor of the learning rate", "Robbins and Monro (1951)"),
          entry<StepDecay>("step", "Drops by gamma at regular intervals", "Goyal et al. (2017), section 5.1"),
          entry<Exponential>("exponential", "Falls by gamma over each interval, smoothly", "Senior et al. (2013)"),
          entry<Cosine>("cosine", "Falls along half a cosine wave", "Loshchilov and Hutter (2017), eq. (5)"),
          entry<WarmRestarts>("sgdr", "Cosine waves with warm restarts, each period longer than the last",
                              "Loshchilov and Hutter (2017), eq. (5)"),
          entry<Warmup>("warmup", "Rises linearly, then stays", "Goyal et al. (2017), section 2.2"),
          entry<WarmupCosine>("warmup-cosine", "Rises linearly, then falls along half a cosine wave",
                              "Goyal et al. (2017); Loshchilov and Hutter (2017)"),
          entry<WarmupStableDecay>("wsd", "Rises linearly, stays, and falls linearly at the end",
                                   "Hu et al. (2024), section 4"),
          entry<Cyclical>("cyclical", "Triangular cycles: triangular, triangular2 or exp_range",
                          "Smith (2017), section 3.2"),
          entry<OneCycle>("one-cycle", "One long cycle of rate and momentum, then a long fall",
                          "Smith and Topin (2019), section 3"),
          entry<Polynomial>("polynomial", "Falls as a power of what is left of the run", "Liu et al. (2015)"),
          entry<NagMomentum>("nag-momentum", "Momentum that rises in steps towards mu_max",
                             "Sutskever et al. (2013), eq. (5)"),
      });
  return registry;
}

}  // namespace hesse
