/// \file
/// Every modifier, made directly from its options around an optimizer; docs/optim.md has what each does.
///
///     auto sam = make_sam({.rho = 0.05}, std::make_unique<Adam>(AdamOptions{.lr = 1e-3}));
///
/// Schedules are functions: Scheduled of scheduled.h takes any. By name all of them are modifiers() of registry.h.
/// Those that change the gradient throw Error around a method without a learning rate, which searches along lines or in
/// regions and would find that values and gradients disagree.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <memory>

namespace hesse {

/// g <- g min(1, max / |g|) (Pascanu, Mikolov and Bengio 2013, Algorithm 1).
struct ClipNormOptions {
  double max = 1;  ///< greatest norm of the whole gradient, > 0
};
void visit_options(ClipNormOptions& options, OptionVisitor& visitor);
/// Shortens gradients that are longer than max.
std::unique_ptr<Optimizer> make_clip_norm(const ClipNormOptions& options, std::unique_ptr<Optimizer> inner);

/// g_i <- min(max, max(-max, g_i)) (Mikolov 2012, section 3.2.2).
struct ClipValueOptions {
  double max = 1;  ///< greatest size of an entry of the gradient, > 0
};
void visit_options(ClipValueOptions& options, OptionVisitor& visitor);
/// Holds each entry of the gradient in [-max, max].
std::unique_ptr<Optimizer> make_clip_value(const ClipValueOptions& options, std::unique_ptr<Optimizer> inner);

/// g <- g + lambda x (Krogh and Hertz 1991).
struct GradientL2Options {
  double lambda = 1e-4;  ///< >= 0
};
void visit_options(GradientL2Options& options, OptionVisitor& visitor);
/// Weight decay inside the gradient.
std::unique_ptr<Optimizer> make_gradient_l2(const GradientL2Options& options, std::unique_ptr<Optimizer> inner);

/// g <- g + N(0, eta / (1 + t)^gamma) (Neelakantan et al. 2015, eq. (1)).
struct GradientNoiseOptions {
  double eta = 0.01;    ///< variance of the noise at the first step, >= 0
  double gamma = 0.55;  ///< >= 0
};
void visit_options(GradientNoiseOptions& options, OptionVisitor& visitor);
/// Adds annealed normal noise, a function of (seed, t), to the gradient.
std::unique_ptr<Optimizer> make_gradient_noise(const GradientNoiseOptions& options, std::uint64_t seed,
                                               std::unique_ptr<Optimizer> inner);

/// The gradient of a batch as the mean of those of its parts (Ott et al. 2018, section 3).
struct AccumulateOptions {
  Index parts = 4;  ///< micro-batches that a batch is evaluated in, >= 1
};
void visit_options(AccumulateOptions& options, OptionVisitor& visitor);
/// Only one part is in memory at a time. Throws Error when f is no mean over samples.
std::unique_ptr<Optimizer> make_accumulate(const AccumulateOptions& options, Objective& f,
                                           std::unique_ptr<Optimizer> inner);

/// The gradient at x + rho g / |g| (Foret et al. 2021, Algorithm 1).
struct SamOptions {
  double rho = 0.05;  ///< radius of the ball, > 0
};
void visit_options(SamOptions& options, OptionVisitor& visitor);
/// Sharpness-aware minimisation.
std::unique_ptr<Optimizer> make_sam(const SamOptions& options, std::unique_ptr<Optimizer> inner);

/// The same in units of the parameters (Kwon et al. 2021, Algorithm 1).
struct AsamOptions {
  double rho = 0.5;   ///< radius in units of the parameters, > 0
  double eta = 0.01;  ///< added to the size of each parameter, >= 0
};
void visit_options(AsamOptions& options, OptionVisitor& visitor);
/// Adaptive sharpness-aware minimisation.
std::unique_ptr<Optimizer> make_asam(const AsamOptions& options, std::unique_ptr<Optimizer> inner);

/// What the decay is multiplied by.
enum class DecayRate {
  learning_rate,  ///< the learning rate at the step
  schedule,       ///< the schedule's factor alone
};
/// x_{k+1} <- x_{k+1} - lambda rate x_k (Loshchilov and Hutter 2019, Algorithm 1).
struct WeightDecayOptions {
  double lambda = 0.01;  ///< >= 0
  DecayRate rate = DecayRate::learning_rate;
};
void visit_options(WeightDecayOptions& options, OptionVisitor& visitor);
/// Shrinks the parameters beside the step. Throws Error around a method without a learning rate.
std::unique_ptr<Optimizer> make_weight_decay(const WeightDecayOptions& options, std::unique_ptr<Optimizer> inner);

/// The mean of the iterates with weights decay^(t - i), without the bias of the start.
struct EmaOptions {
  double decay = 0.999;  ///< weight of the past, [0, 1)
};
void visit_options(EmaOptions& options, OptionVisitor& visitor);
/// Returns an exponential moving average of the iterates.
std::unique_ptr<Optimizer> make_ema(const EmaOptions& options, std::unique_ptr<Optimizer> inner);

/// The mean of the iterates (Polyak and Juditsky 1992), or with eta > 0 weighted to the later ones (Shamir and Zhang
/// 2013, section 4).
struct PolyakOptions {
  double from = 0;  ///< share of the budget before averaging begins, [0, 1)
  double eta = 0;   ///< 0 weighs all iterates alike, >= 0
};
void visit_options(PolyakOptions& options, OptionVisitor& visitor);
/// Returns the mean of the iterates.
std::unique_ptr<Optimizer> make_polyak(const PolyakOptions& options, std::unique_ptr<Optimizer> inner);

}  // namespace hesse
