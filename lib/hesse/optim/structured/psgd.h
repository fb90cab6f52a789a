/// \file
/// PSGD with a Kronecker-factored preconditioner that whitens gradients (Li 2018, "Preconditioned stochastic gradient
/// descent", the criterion of section III and the Lie-group updates; Pooladzandi and Li 2024).
///
/// For a block G of order k, P = Q'Q with Q = Q_1 x ... x Q_k, each Q_i upper triangular, minimises
///
///     E [ g'P g + v'P^-1 v ],    v random signs:    P = (E g g')^(-1/2) as far as the form allows,
///
/// by steps that stay in the group of triangular matrices and need no inverse of P. With A = G x_i Q_i and
/// B = V x_i Q_i^-T, A_(i) and B_(i) their matrices of rows along index i,
///
///     Q_i <- Q_i - mu triu(A_(i) A_(i)' - B_(i) B_(i)') Q_i / |A_(i) A_(i)' + B_(i) B_(i)'|_2
///
/// The step is x <- x - lr c P m^ - lr lambda x, m^ the bias-corrected mean of gradients and c what keeps the root mean
/// square of P m^ in a block at most `clip`: that of a whitened vector is 1. Vectors, and extents above `max_dim`, have
/// a diagonal Q_i. Q starts as the multiple of the identity that suits the block's first gradient that is not 0.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/tensor_modes.h"

namespace hesse {

/// Settings of PSGD.
struct PsgdOptions {
  double lr = 1e-3;                ///< > 0
  double momentum = 0.9;           ///< of the mean of gradients, [0, 1)
  double preconditioner_lr = 0.1;  ///< mu, (0, 1)
  Index period = 1;                ///< steps between updates of Q, >= 1
  Index max_dim = 8192;            ///< longer extents have a diagonal
  Index merge = 1024;              ///< greatest product of merged extents; 1 merges none
  double damping = 1e-9;           ///< G is taken with this times its root mean square of V added, >= 0
  double clip = 1.1;               ///< greatest root mean square of P m, > 0
  double weight_decay = 0;         ///< lambda >= 0, decoupled
};
void visit_options(PsgdOptions& options, OptionVisitor& visitor);

/// One gradient a step; for r x c weights 8 r c (r + c) flops a step and as much and 2 (r^3 + c^3) more for an update
/// of Q. State: m, the Q_i, r^2 + c^2 numbers, and t. Tells the whiteness |A A' - B B'|_F / |A A' + B B'|_F, averaged
/// over the factors at the last update, the root mean square of P m and the share of blocks that were clipped.
class Psgd final : public Optimizer {
 public:
  Psgd(const PsgdOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"q", &q_}, {"whiteness", &whiteness_}, {"t", &t_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.momentum; }

 private:
  struct Factor {
    Index extent = 0;
    Index offset = 0;  ///< in q_
    bool diagonal = false;
    Index entries() const { return diagonal ? extent : extent * extent; }
  };
  struct Block {
    TensorShape shape;
    Index offset = 0;
    Index size = 0;
    std::vector<Factor> factors;
    std::vector<double> first_gram;   ///< A A', then the change of Q
    std::vector<double> second_gram;  ///< B B'
    std::vector<double> product;
    double whiteness = 0;
    double mean_square = 0;
    bool clipped = false;
    double squares = 0;  ///< of this step
  };

  void plan(const ParameterLayout& layout);
  bool initialise(Block& block);
  void update_factors(Block& block);
  void descend(Block& block, Vector& x);

  PsgdOptions options_;
  std::uint64_t seed_;
  std::vector<ParameterBlock> planned_for_;
  std::vector<Block> blocks_;
  std::vector<double> work_;
  Index q_entries_ = 0;
  Vector gradient_;
  Vector first_;
  Vector second_;
  Vector spare_;
  Vector m_;
  Vector q_;
  double whiteness_ = 0;
  std::int64_t t_ = 0;
};

}  // namespace hesse
