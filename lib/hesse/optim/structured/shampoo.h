/// \file
/// Shampoo: one preconditioner for each index of a parameter block (Gupta, Koren and Singer 2018, Algorithms 1 and 2;
/// Anil et al. 2020 for roots every few steps, grafting and blocks; Shi et al. 2023 for the rest).
///
/// For a block G of order k, with G_(i) its matrix of rows along index i,
///
///     A_i <- beta A_i + weight G_(i) G_(i)'      P = G x_1 (A_1 + ridge)^(-1/(2k)) ... x_k (A_k + ridge)^(-1/(2k))
///
/// which for a matrix is P = L^(-1/4) G R^(-1/4); beta = weight = 1 (`sum`), or beta = beta2 and weight = 1 - beta2
/// with the bias taken out (`mean`). After one step, ridge -> 0, P is the polar factor U V' of G. P has then the
/// length of the step of a first-order method, block by block (grafting: Agarwal et al. 2020):
///
///     u = |S| P / |P|      S: none | g | g / (sqrt(sum g^2) + eps) | g / (sqrt(v) + eps) | m^ / (sqrt(v^) + eps)
///     w <- mu w + u,       x <- x - lr (w, or u + mu w) - lr lambda x
///
/// With beta1 > 0, P and S are made from the bias-corrected mean m^ of gradients in place of g, the A_i still from g.
///
/// Extents of 1 are left out and small neighbours merged (`merge`), then extents above `block` are cut into equal
/// pieces with preconditioners of their own, which is exact where the statistics are block-diagonal. Vectors have a
/// diagonal
/// (`vectors=diagonal`: D^(-1/2), AdaGrad's), as has an index whose extent is above `max_dim`.
///
/// Roots are renewed every `period` steps from step `start` on; before, u = S. Each root's residual is checked
/// (linalg/inverse_root.h). With `staleness` > 0 the eigenbasis Q of the last time stays as long as
///
///     |Q'AQ - diag(Q'AQ)|_F <= staleness |A|_F
///
/// and the eigenvalues alone are renewed as diag(Q'AQ): some 8 n^3 flops, its residual among them, in place of some
/// 20 n^3. A root that cannot be had leaves the former one in its place, the identity at first. Roots are shared by the
/// processes of a run (objective/work_sharing.h).
#pragma once

#include "hesse/core/options.h"
#include "hesse/core/workspaces.h"
#include "hesse/linalg/inverse_root.h"
#include "hesse/objective/work_sharing.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/preconditioner_reports.h"
#include "hesse/optim/structured/tensor_modes.h"

#include <string>
#include <variant>
#include <vector>

namespace hesse {

enum class Accumulation { sum, mean };
enum class Graft { none, sgd, adagrad, rmsprop, adam };
enum class VectorPreconditioner { diagonal, full };

/// Settings of Shampoo.
struct ShampooOptions {
  double lr = 1e-3;      ///< > 0
  double beta1 = 0.9;    ///< of the mean of gradients that is preconditioned, [0, 1)
  double beta2 = 0.999;  ///< of the statistics, where they are means, [0, 1)
  Accumulation accumulation = Accumulation::mean;
  double eps = 1e-6;         ///< ridge of the statistics, > 0
  bool eps_relative = true;  ///< times the largest eigenvalue of each
  double exponent = 0;       ///< of the inverse roots, > 0; 0 stands for 1/(2k)
  Index block = 256;         ///< greatest extent of a piece, >= 1
  Index merge = 1024;        ///< greatest product of merged extents; 1 merges none
  Index max_dim = 8192;      ///< longer extents (of a piece) have a diagonal
  VectorPreconditioner vectors = VectorPreconditioner::diagonal;
  Index period = 10;  ///< steps between roots, >= 1
  Index start = 1;    ///< the first step that is preconditioned, >= 1
  RootMethod root = RootMethod::eigen;
  double tolerance = 1e-8;  ///< on the residual of roots, > 0
  double staleness = 0;     ///< of an eigenbasis that may stay, [0, 1); 0 renews always
  Graft graft = Graft::adam;
  double graft_beta2 = 0.999;  ///< of rmsprop's and adam's v, [0, 1)
  double graft_eps = 1e-8;     ///< > 0
  double momentum = 0;         ///< mu, outside of the graft, [0, 1)
  bool nesterov = false;
  double weight_decay = 0;  ///< lambda >= 0, decoupled
};
void visit_options(ShampooOptions& options, OptionVisitor& visitor);

/// One gradient a step; for a piece of r x c weights 4 r c (r + c) flops a step, or 3 r c (r + c) where sums of squares
/// take half, and about 20 (r^3 + c^3) a root. State: statistics and roots, r^2 + c^2 numbers each, the basis as much
/// again with `staleness`, m, the graft's v, w and t. Tells, as of the last renewal, the largest residual of a root,
/// the largest condition, the largest staleness, how many roots came from the fallback, and how many could not be had
/// or have a residual above the bound; the share of bases renewed at this step; and the graft's ratio |S| / |P| over
/// all blocks.
class Shampoo final : public Optimizer {
 public:
  /// Throws Error for staleness with Newton's method, which has no basis, and for Nesterov's form without momentum.
  explicit Shampoo(const ShampooOptions& options);
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override;
  std::vector<PreconditionerReport> preconditioners() const override { return reports_of(factors_, figures_); }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return options_.momentum > 0 ? &options_.momentum : &options_.beta1; }

 private:
  /// One preconditioner: of one index of one piece.
  struct Factor {
    std::string name;
    std::size_t piece = 0;
    std::size_t mode = 0;
    Index extent = 0;
    bool diagonal = false;
    double p = 2;      ///< the root's order, 1 / exponent
    Index offset = 0;  ///< of its numbers in statistics_ and roots_, and in bases_ where those are kept
    InverseRootReport report;
    double stale = 0;
    bool renewed = false;
    Index entries() const { return diagonal ? extent : extent * extent; }
  };
  /// A part of a block with preconditioners of its own.
  struct Piece {
    TensorShape shape;
    std::vector<Index> strides;  ///< of its indices in the block
    Index first = 0;             ///< its first entry in x
    Index offset = 0;            ///< of its copy in pieces_
    Index size = 0;
    std::size_t first_factor = 0;
  };

  struct Workspace {
    InverseRootWorkspace root;
    std::vector<double> result;
  };

  /// What products are made of and written to, in the precision of f.
  template <class T>
  struct Buffers {
    std::vector<T> gathered;  ///< gradients, piece by piece
    std::vector<T> products;
    std::vector<T> squares;  ///< Gram matrices, then roots, as statistics_ is laid out; empty for double
    void resize(Index n, Index factor_entries);
    /// Room for the matrix of one factor; null for double, which needs none.
    T* square(const Factor& factor) { return squares.empty() ? nullptr : squares.data() + factor.offset; }
  };

  void plan(const Objective& f);
  template <class T>
  void gather(const Piece& piece, const double* from, T* to, double factor) const;
  template <class T>
  void scatter(const Piece& piece, const T* from, double* to, double factor) const;
  template <class T>
  void accumulate(const Factor& factor, double range, Buffers<T>& buffers);
  void renew_all(WorkSharing* processes);
  void renew(Factor& factor);
  void renew_diagonal(Factor& factor);
  template <class T>
  void precondition(const Piece& piece, const double* from, double range, Buffers<T>& buffers);
  void graft_step();
  double statistics_weight() const;

  ShampooOptions options_;
  std::vector<ParameterBlock> planned_for_;
  Precision precision_ = Precision::float64;
  std::vector<Piece> pieces_;
  std::vector<Factor> factors_;
  std::vector<double> piece_work_;
  std::vector<double> factor_work_;
  Index factor_entries_ = 0;
  Index largest_extent_ = 0;
  Workspaces<Workspace> workspaces_;
  std::variant<Buffers<double>, Buffers<float>> buffers_;
  Vector gradient_;
  Vector direction_;  ///< P, as x is laid out
  Vector graft_;      ///< S
  Vector statistics_;
  Vector roots_;
  Vector bases_;
  Vector mean_;
  Vector graft_squares_;
  Vector velocity_;
  Matrix figures_;  ///< kPreconditionerFigures x factors, of the last renewal
  std::int64_t t_ = 0;
};

}  // namespace hesse
