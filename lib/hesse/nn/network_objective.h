/// \file
/// A network on data as an objective: the mean loss over samples, with exact gradient, Hessian,
/// Gauss-Newton and Fisher products.
///
///     f(x) = (1/N) sum_i loss(network(input_i; x), target_i)
///
/// With P weights of which P1 in the first layer, a sample costs 2P flops for the value,
/// 4P + 2(P-P1) for value and gradient, and, once linearised, 4P + 8(P-P1) for a Hessian product
/// (Pearlmutter 1994) and 4P + 4(P-P1) for a Gauss-Newton or Fisher product (Schraudolph 2002).
///
/// Work is split twice: forward and backward sweeps by fixed chunks of samples, each through the
/// whole chain while it is in cache; parameter gradients by fixed tiles of the parameters, each
/// summed over all samples of a pass. Nothing is reduced across threads, so the bits do not depend
/// on their number.
#pragma once

#include "hesse/core/precision.h"
#include "hesse/data/dataset.h"
#include "hesse/nn/loss.h"
#include "hesse/nn/network.h"
#include "hesse/objective/curvature_forms.h"
#include "hesse/objective/evaluation_memory.h"
#include "hesse/objective/finite_sum.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/objective/objective.h"
#include "hesse/objective/sampled_gradient.h"

#include <cstdint>
#include <memory>

namespace hesse {

/// How a network is evaluated on its data.
struct NetworkOptions {
  Precision precision = Precision::float64;
  /// Reconstruct the inputs (an autoencoder) instead of predicting the data set's targets.
  bool targets_are_inputs = false;
  /// Samples of one pass; larger batches go through pass after pass. >= 1.
  Index pass_size = 2048;
  /// Bytes that a curvature operator may keep so as not to repeat the sweeps at its point; beyond,
  /// each product repeats them pass by pass, at the price of a gradient.
  double memory_budget = 2147483648.0;
  std::uint64_t seed = 0;  ///< of the targets drawn for Curvature::fisher_sampled
};

/// What a forward pass over all samples tells.
struct Evaluation {
  double value = 0;     ///< mean loss
  double accuracy = 0;  ///< share of samples whose largest output is their class; NaN without classes
};

/// The mean loss of a network over samples, with all structure that methods ask for.
class NetworkObjective : public Objective,
                         public FiniteSum,
                         public KroneckerStructure,
                         public CurvatureForms,
                         public SampledGradient,
                         public EvaluationMemory {
 public:
  virtual const Network& network() const = 0;
  virtual const Dataset& data() const = 0;
  virtual Loss loss() const = 0;
  /// True when the targets are the inputs.
  virtual bool reconstructs() const = 0;

  /// Mean loss and accuracy over the selected samples.
  virtual Evaluation evaluate(const Vector& x) = 0;

  /// Outputs of the first `layers` layers, at least one, for the selected samples: outputs x samples.
  virtual Matrix outputs(const Vector& x, std::size_t layers) = 0;
  /// Outputs of the network.
  Matrix outputs(const Vector& x) { return outputs(x, network().layers().size()); }

  /// The targets that Curvature::fisher_sampled draws are a function of (seed, draw).
  virtual void set_label_draw(std::uint64_t draw) = 0;
};

/// Throws Error when data, network and loss do not fit: a wrong number of inputs or outputs, no
/// labels or targets, a class out of range, targets of the binary loss outside [0, 1].
std::unique_ptr<NetworkObjective> make_network_objective(std::shared_ptr<const Network> network, Loss loss,
                                                         std::shared_ptr<const Dataset> data,
                                                         const NetworkOptions& options = {});

}  // namespace hesse
