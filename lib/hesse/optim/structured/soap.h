/// \file
/// SOAP: Adam in the eigenbasis of Shampoo's preconditioners (Vyas et al. 2024, Algorithm 3).
///
/// For a block G with a basis Q_i for each index i (Q_L, Q_R of a matrix), G' = Q_L' G Q_R and
///
///     m <- beta1 m + (1 - beta1) G'      v <- beta2 v + (1 - beta2) G'^2      both kept in the basis
///     x <- x - lr Q_L ( m^ / (sqrt(v^) + eps) ) Q_R' - lr lambda x            m^, v^ without bias, as in Adam
///     A_i <- beta3 A_i + (1 - beta3) G_(i) G_(i)'
///
/// and every `period` steps, one step of orthogonal iteration: with e = diag(Q'AQ) in descending order sigma,
///
///     Q_new = qr(A Q sigma),   v permuted by the same sigma along that index,   m rotated by Q_new' Q.
///
/// Sorting without permuting v, as published code did, pairs moments with foreign eigenvectors. The first step only
/// sets up the A_i and Q_i, by decomposition, and leaves x. Before each renewal the staleness |Q'AQ - diag|_F / |A|_F
/// is measured; a basis with less than `staleness` stays as it is.
///
/// Extents above `max_dim` have no basis: a matrix with one such side is preconditioned from the other, and a block
/// with none, vectors among them, goes by Adam (Kingma and Ba 2015) to the bit. Bases are shared by the processes of a
/// run (objective/work_sharing.h).
#pragma once

#include "hesse/core/options.h"
#include "hesse/core/workspaces.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/orthonormalize.h"
#include "hesse/objective/work_sharing.h"
#include "hesse/optim/optimizer.h"
#include "hesse/optim/structured/preconditioner_reports.h"
#include "hesse/optim/structured/tensor_modes.h"

#include <string>
#include <variant>
#include <vector>

namespace hesse {

/// Settings of SOAP.
struct SoapOptions {
  double lr = 3e-3;            ///< > 0
  double beta1 = 0.95;         ///< [0, 1)
  double beta2 = 0.95;         ///< [0, 1)
  double beta3 = 0.95;         ///< of the A_i, [0, 1)
  double eps = 1e-8;           ///< > 0, outside of the root as in Adam
  double weight_decay = 0.01;  ///< lambda >= 0, decoupled
  Index period = 10;           ///< steps between renewals of the bases, >= 1
  double staleness = 0;        ///< below which a basis stays, [0, 1); 0 renews always
  Index max_dim = 10000;       ///< longer extents have no basis
  Index merge = 1;             ///< greatest product of merged extents; 1 merges none
};
void visit_options(SoapOptions& options, OptionVisitor& visitor);

struct SoapCoefficients;  // of one step

/// One gradient a step; for a matrix of r x c weights about 6 r c (r + c) flops a step and 7 n^3 with 2 n r c for each
/// side n at a renewal. State: m and v, and r^2 + c^2 numbers each for statistics and bases, and t. Tells, as of the
/// last renewal, the largest staleness, the largest condition (greatest over least of e) and how many bases could not
/// be had; the share of bases renewed at this step; and the share of the parameters that have any.
class Soap final : public Optimizer {
 public:
  explicit Soap(const SoapOptions& options) : options_(options) {}
  StepReport step(Objective& f, Vector& x) override;
  StateView state() override {
    return {{"m", &m_}, {"v", &v_}, {"statistics", &statistics_}, {"bases", &bases_}, {"figures", &figures_},
            {"t", &t_}};
  }
  std::vector<PreconditionerReport> preconditioners() const override { return reports_of(factors_, figures_); }
  double* learning_rate() override { return &options_.lr; }
  double* momentum() override { return &options_.beta1; }

 private:
  /// One index of one block that has a basis.
  struct Factor {
    std::string name;
    std::size_t block = 0;
    std::size_t mode = 0;
    Index extent = 0;
    Index offset = 0;  ///< of its numbers in statistics_, bases_ and rotations_
    std::vector<Index> order;
    bool renewed = false;
    bool failed = false;
    double stale = 0;
    double condition = 1;
  };
  struct Block {
    TensorShape shape;
    Index offset = 0;
    Index size = 0;
    std::vector<std::size_t> factors;
    double squares = 0;  ///< of this step
  };
  /// For the renewal of one basis, in the precision of f.
  template <class T>
  struct Workspace {
    std::vector<T> A;
    std::vector<T> AQ;
    std::vector<T> next;
    std::vector<double> values;
    OrthonormalizeWorkspace<T> qr;
  };
  /// What products are made of and written to, in the precision of f.
  template <class T>
  struct Buffers {
    std::vector<T> gradient;
    std::vector<T> bases;
    double range;  ///< what the gradient is multiplied by there
    const T* g;    ///< the gradient, in `gradient` or where it is
    const T* Q;    ///< the bases, likewise
    std::vector<T> first;
    std::vector<T> second;
    std::vector<T> rotations;  ///< Q_new' Q of the renewal at hand; room for Gram matrices before
    Workspaces<Workspace<T>> workspaces;
  };

  void plan(const Objective& f);
  template <class T>
  void step_in(Buffers<T>& buffers, Vector& x, WorkSharing* processes, StepReport& report);
  template <class T>
  void prepare(Buffers<T>& buffers, double gradient_norm);
  template <class T>
  void accumulate(double beta, Buffers<T>& buffers);
  void set_up_bases(WorkSharing* processes);
  void note_figures();
  template <class T>
  void step_block(Block& block, const SoapCoefficients& c, Vector& x, Buffers<T>& buffers);
  template <class T>
  void renew_all(Buffers<T>& buffers, WorkSharing* processes);
  template <class T>
  void renew(Factor& factor, Buffers<T>& buffers);
  template <class T>
  void follow_basis(const Block& block, Buffers<T>& buffers);
  template <class T>
  T* rotate(const Block& block, const T* from, Transpose op, Buffers<T>& buffers) const;

  SoapOptions options_;
  std::vector<ParameterBlock> planned_for_;
  Precision precision_ = Precision::float64;
  std::vector<Block> blocks_;
  std::vector<Factor> factors_;
  std::vector<double> block_work_;
  std::vector<double> factor_work_;
  Index factor_entries_ = 0;
  Index largest_extent_ = 0;
  Index with_basis_ = 0;  ///< parameters
  std::variant<Buffers<double>, Buffers<float>> buffers_;
  Vector gradient_;
  Vector m_;
  Vector v_;
  Vector statistics_;
  Vector bases_;
  Matrix figures_;      ///< kPreconditionerFigures x factors, of the last renewal
  std::int64_t t_ = 0;  ///< steps, with the one that sets up
};

}  // namespace hesse
