/// \file
/// Muon: momentum whose matrices are replaced by their polar factors (K. Jordan 2024, "Muon: an optimizer for hidden
/// layers in neural networks"; the update is steepest descent in the spectral norm, Bernstein and Newhouse 2024).
///
///     m <- mu m + (1 - mu) g           u = (1 - mu) g + mu m, or m without Nesterov's form
///     O = Newton-Schulz(u)             u = U Sigma V' in, about U V' out (linalg/newton_schulz.h)
///     x <- x - lr scale O - lr lambda x
///
/// for every block of two or more indices, a kernel of out x in x h x w being the matrix of out rows. A step of O alone
/// has a root mean square of about sqrt(1 / max(rows, columns)) an entry, and implementations differ in what they make
/// of it, which is why `scale` is a choice by name:
///
///     original   sqrt(max(1, rows / columns))     Jordan (2024)
///     rms        0.2 sqrt(max(rows, columns))     Liu et al. (2025): entries as large as AdamW's
///     none       1
///
/// Blocks that are no matrices, those with "embedding" in their name, and on request the first and the last matrix go
/// by AdamW with the rate aux_ratio lr, so that what schedules and tuning do to lr holds for both.
#pragma once

#include "hesse/core/options.h"
#include "hesse/linalg/newton_schulz.h"
#include "hesse/optim/optimizer.h"

#include <variant>
#include <vector>

namespace hesse {

enum class MuonScale { original, rms, none };

/// Settings of Muon.
struct MuonOptions {
  double lr = 0.02;        ///< > 0
  double momentum = 0.95;  ///< mu, [0, 1)
  bool nesterov = true;
  NewtonSchulzOptions newton_schulz;
  MuonScale scale = MuonScale::original;
  double weight_decay = 0;   ///< lambda >= 0, decoupled, of all blocks
  double aux_ratio = 0.015;  ///< AdamW's rate over lr: Jordan's 3e-4 beside 0.02
  double aux_beta1 = 0.9;    ///< [0, 1)
  double aux_beta2 = 0.95;   ///< [0, 1)
  double aux_eps = 1e-10;    ///< > 0
  bool hidden_only = false;  ///< the first and the last matrix by AdamW too
};
void visit_options(MuonOptions& options, OptionVisitor& visitor);

/// One gradient a step, and for a block of sides r <= s about 5 (3 r^2 s + r^3) flops in the precision of f. State: m
/// of all, v of what goes by AdamW, t. Tells the least and the greatest root mean square singular value of the polar
/// factors, the norms of both parts of the step, and how many blocks were matrices.
class Muon final : public Optimizer {
 public:
  explicit Muon(const MuonOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override { return {{"m", &m_}, {"v", &v_}, {"t", &t_}}; }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.momentum; }

 private:
  /// A polar factor and what it is made in.
  template <class T>
  struct Polar {
    std::vector<T> X;
    NewtonSchulzWorkspace<T> workspace;
  };
  struct Block {
    Index rows = 0;
    Index columns = 0;
    Index offset = 0;  ///< in x
    Index size = 0;
    Index v_offset = 0;  ///< in v, of what goes by AdamW
    bool matrix = false;
    double scale = 1;
    double rms = 0;      ///< of the singular values, at this step
    double squares = 0;  ///< of this step
    std::variant<Polar<double>, Polar<float>> polar;
  };

  void plan(const Objective& f);
  template <class T>
  void step_matrix(Block& block, Polar<T>& polar, Vector& x);

  MuonOptions options_;
  std::vector<ParameterBlock> planned_for_;
  Precision precision_ = Precision::float64;
  std::vector<Block> blocks_;
  std::vector<double> work_;
  Index v_size_ = 0;
  Vector gradient_;  ///< overwritten by what the directions are made of
  Vector m_;
  Vector v_;
  std::int64_t t_ = 0;
};

}  // namespace hesse
