#include "hesse/optim/structured/kronecker_preconditioner.h"

#include "hesse/core/error.h"
#include "hesse/core/workspaces.h"
#include "hesse/linalg/spd_inverse.h"
#include "hesse/optim/structured/layer_products.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace hesse {
namespace {

/// One side of one layer.
struct Side {
  std::size_t layer;
  bool of_inputs;
};

Index size_of(const Side& side, const std::vector<KroneckerFactors>& layers) {
  return side.of_inputs ? layers[side.layer].columns() : layers[side.layer].outputs;
}

/// Both sides of every layer, the largest first, so that threads end together.
std::vector<Side> sides_of(const std::vector<KroneckerFactors>& layers) {
  std::vector<Side> all;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    all.push_back({l, true});
    all.push_back({l, false});
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const Side& a, const Side& b) { return size_of(a, layers) > size_of(b, layers); });
  return all;
}

double split_damping(const KroneckerFactors& factors, double gamma, bool of_inputs) {
  const double pi = damping_split(factors);
  return of_inputs ? pi * gamma : gamma / pi;
}

// Multiples of n^3 flops.
constexpr double kByCholesky = 1;
constexpr double kByEigenvalues = 10;
constexpr double kByConditioning = 30;  ///< two decompositions and five products

/// C = op(A) op(B).
void multiply(Transpose a_op, ConstMatrixView A, Transpose b_op, ConstMatrixView B, MatrixView C) {
  const Index k = a_op == Transpose::no ? A.cols() : A.rows();
  gemm(a_op, b_op, C.rows(), C.cols(), k, 1.0, A.data(), A.outerStride(), B.data(), B.outerStride(), 0.0, C.data(),
       C.outerStride());
}

InverseWorkspace& workspace() {
  thread_local InverseWorkspace own;
  return own;
}

void add_state(StateView& view, const std::string& name, std::vector<Matrix>& matrices) {
  for (std::size_t l = 0; l < matrices.size(); ++l) view.push_back({name + std::to_string(l + 1), &matrices[l]});
}
void add_state(StateView& view, const std::string& name, std::vector<Vector>& vectors) {
  for (std::size_t l = 0; l < vectors.size(); ++l) view.push_back({name + std::to_string(l + 1), &vectors[l]});
}

Matrix unknown_figures(std::size_t layers) {
  Matrix figures = Matrix::Constant(kPreconditionerFigures, 2 * static_cast<Index>(layers), StepReport::kUnknown);
  figures.row(kCondition).setOnes();  // of the identity, which they are at first
  figures.row(kFallback).setZero();
  figures.row(kFailed).setZero();
  return figures;
}

/// What the sides' tasks found, gathered in order afterwards.
RefreshReport gather(const std::vector<InverseReport>& each) {
  RefreshReport report;
  for (const InverseReport& r : each) {
    if (r.status == InverseStatus::by_eigenvalues) ++report.by_eigenvalues;
    if (r.status == InverseStatus::non_finite) ++report.non_finite;
    report.condition = std::max(report.condition, r.condition);
  }
  return report;
}

/// The same one by one.
void note(const std::vector<Side>& sides, const std::vector<InverseReport>& each, Matrix& figures) {
  for (std::size_t t = 0; t < sides.size(); ++t) {
    auto of_side = figures.col(2 * static_cast<Index>(sides[t].layer) + (sides[t].of_inputs ? 0 : 1));
    const bool stays = each[t].status == InverseStatus::non_finite;
    of_side[kFailed] = stays ? 1 : 0;
    if (stays) continue;
    of_side[kFallback] = each[t].status == InverseStatus::by_eigenvalues ? 1 : 0;
    of_side[kCondition] = each[t].condition;
  }
}

/// The inverses of all factors, of which `processes` do their parts.
void invert(WorkSharing* processes, const std::vector<Side>& sides, const std::vector<KroneckerFactors>& factors,
            const std::vector<double>& gamma, std::vector<Matrix>& inverse_A, std::vector<Matrix>& inverse_G,
            std::vector<InverseReport>& reports) {
  const auto inverse = [&](const Side& side) -> Matrix& {
    return side.of_inputs ? inverse_A[side.layer] : inverse_G[side.layer];
  };
  share_work(
      processes, std::ssize(sides),
      [&](Index task) { return cubic(size_of(sides[static_cast<std::size_t>(task)], factors), kByCholesky); },
      [&](Index task) {
        const auto t = static_cast<std::size_t>(task);
        const KroneckerFactors& f = factors[sides[t].layer];
        reports[t] =
            spd_inverse(sides[t].of_inputs ? f.A : f.G, split_damping(f, gamma[sides[t].layer], sides[t].of_inputs),
                        inverse(sides[t]), workspace());
      },
      [&](Index task, Results& results) {
        const auto t = static_cast<std::size_t>(task);
        results.add(reports[t]);
        results.add(inverse(sides[t]));
      });
}

template <class T>
class Factored final : public KroneckerPreconditioner {
 public:
  explicit Factored(const std::vector<KroneckerFactors>& layers)
      : products_(layers), sides_(sides_of(layers)), reports_(sides_.size()) {
    for (const KroneckerFactors& f : layers) {
      A_.push_back(Matrix::Identity(f.columns(), f.columns()));
      G_.push_back(Matrix::Identity(f.outputs, f.outputs));
    }
    figures_ = unknown_figures(layers.size());
  }

  RefreshReport refresh(const std::vector<KroneckerFactors>& factors, const std::vector<double>& gamma,
                        WorkSharing* processes) override {
    invert(processes, sides_, factors, gamma, A_, G_, reports_);
    typed_A_.update(A_);
    typed_G_.update(G_);
    note(sides_, reports_, figures_);
    return gather(reports_);
  }

  void apply(const Vector& v, Vector& out) override {
    products_.pack(v, first_);
    products_.left(Transpose::no, typed_A_.of(A_), first_, second_);
    products_.right(Transpose::no, typed_G_.of(G_), second_, first_);
    products_.unpack(first_, out);
  }

  StateView state() override {
    StateView view;
    add_state(view, "inverse_A", A_);
    add_state(view, "inverse_G", G_);
    view.push_back({"figures", &figures_});
    return view;
  }

 private:
  LayerProducts<T> products_;
  std::vector<Side> sides_;
  std::vector<InverseReport> reports_;
  std::vector<Matrix> A_, G_;
  TypedMatrices<T> typed_A_, typed_G_;
  typename LayerProducts<T>::Buffer first_, second_;
};

/// In the eigenbases of the factors, where the model is diagonal: with its own eigenvalues s_G s_A', or with the second
/// moments of the gradients.
template <class T>
class Eigenbasis final : public KroneckerPreconditioner {
 public:
  Eigenbasis(const std::vector<KroneckerFactors>& layers, bool with_moments)
      : products_(layers), sides_(sides_of(layers)), reports_(sides_.size()), with_moments_(with_moments) {
    for (const KroneckerFactors& f : layers) {
      bases_.push_back({Matrix::Identity(f.columns(), f.columns()), Matrix::Identity(f.outputs, f.outputs)});
      scales_.push_back(Matrix::Ones(f.outputs, f.columns()));
      values_A_.push_back(Vector::Ones(f.columns()));
      values_G_.push_back(Vector::Ones(f.outputs));
    }
    damping_ = Vector::Ones(static_cast<Index>(layers.size()));
    figures_ = unknown_figures(layers.size());
  }

  RefreshReport refresh(const std::vector<KroneckerFactors>& factors, const std::vector<double>& gamma,
                        WorkSharing* processes) override {
    share_work(
        processes, std::ssize(sides_),
        [&](Index task) { return cubic(size_of(sides_[static_cast<std::size_t>(task)], factors), kByEigenvalues); },
        [&](Index task) {
          const auto t = static_cast<std::size_t>(task);
          const KroneckerFactors& f = factors[sides_[t].layer];
          reports_[t] = decompose(sides_[t], f, gamma[sides_[t].layer]);
        },
        [&](Index task, Results& results) {
          const auto t = static_cast<std::size_t>(task);
          const Side& side = sides_[t];
          results.add(reports_[t]);
          results.add(side.of_inputs ? values_A_[side.layer] : values_G_[side.layer]);
          results.add(side.of_inputs ? bases_[side.layer].A : bases_[side.layer].G);
        });
    for (std::size_t l = 0; l < scales_.size(); ++l) {
      damping_[static_cast<Index>(l)] = gamma[l] * gamma[l];
      // With moments, the caller fills them in the new bases.
      if (!with_moments_) scales_[l].noalias() = values_G_[l] * values_A_[l].transpose();
    }
    update_bases();
    note(sides_, reports_, figures_);
    return gather(reports_);
  }

  void apply(const Vector& v, Vector& out) override {
    if (typed_.empty()) update_bases();
    products_.pack(v, first_);
    products_.left(Transpose::yes, pointers_A_, first_, second_);
    products_.right(Transpose::no, pointers_G_, second_, first_);
    products_.tiles(first_, [&](std::size_t l, Range r, auto part) {
      const double damping = std::max(damping_[static_cast<Index>(l)], std::numeric_limits<double>::min());
      for (Index o = 0; o < r.size(); ++o) {
        for (Index i = 0; i < part.rows(); ++i) {
          part(i, o) = static_cast<T>(static_cast<double>(part(i, o)) / (scales_[l](r.begin + o, i) + damping));
        }
      }
    });
    products_.left(Transpose::no, pointers_A_, first_, second_);
    products_.right(Transpose::yes, pointers_G_, second_, first_);
    products_.unpack(first_, out);
  }

  const std::vector<KroneckerBasis>* bases() const override { return with_moments_ ? &bases_ : nullptr; }
  std::vector<Matrix>* moments() override { return with_moments_ ? &scales_ : nullptr; }

  StateView state() override {
    StateView view;
    for (std::size_t l = 0; l < bases_.size(); ++l) {
      view.push_back({"basis_A" + std::to_string(l + 1), &bases_[l].A});
      view.push_back({"basis_G" + std::to_string(l + 1), &bases_[l].G});
    }
    add_state(view, "scales", scales_);
    view.push_back({"damping", &damping_});
    view.push_back({"figures", &figures_});
    return view;
  }

 private:
  InverseReport decompose(const Side& side, const KroneckerFactors& f, double gamma) {
    const Matrix& factor = side.of_inputs ? f.A : f.G;
    InverseWorkspace& w = workspace();
    // The library's solver reads the lower triangle.
    const Index n = factor.rows();
    auto vectors = matrix_in(w.matrix, n, n);
    auto values = vector_in(w.values, n);
    vectors = factor.transpose();
    InverseReport report;
    if (!symmetric_eigen_in_place(vectors, values, w.eigen)) {
      report.status = InverseStatus::non_finite;
      return report;
    }
    const double damping = split_damping(f, gamma, side.of_inputs);
    report.condition = (std::max(values.maxCoeff(), 0.0) + damping) / (std::max(values.minCoeff(), 0.0) + damping);
    // Rounding may leave eigenvalues a little below 0.
    (side.of_inputs ? values_A_ : values_G_)[side.layer] = values.cwiseMax(0.0);
    (side.of_inputs ? bases_[side.layer].A : bases_[side.layer].G) = vectors;
    return report;
  }

  void update_bases() {
    typed_.resize(2 * bases_.size());
    pointers_A_.resize(bases_.size());
    pointers_G_.resize(bases_.size());
    parallel_for(static_cast<Index>(bases_.size()), [&](Index task) {
      const auto l = static_cast<std::size_t>(task);
      if constexpr (std::is_same_v<T, double>) {
        pointers_A_[l] = bases_[l].A.data();
        pointers_G_[l] = bases_[l].G.data();
      } else {
        typed_[2 * l] = bases_[l].A.template cast<T>();
        typed_[2 * l + 1] = bases_[l].G.template cast<T>();
        pointers_A_[l] = typed_[2 * l].data();
        pointers_G_[l] = typed_[2 * l + 1].data();
      }
    });
  }

  LayerProducts<T> products_;
  std::vector<Side> sides_;
  std::vector<InverseReport> reports_;
  bool with_moments_;
  std::vector<KroneckerBasis> bases_;
  std::vector<Matrix> scales_;  ///< outputs x columns
  std::vector<Vector> values_A_, values_G_;
  Vector damping_;
  std::vector<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>> typed_;
  std::vector<const T*> pointers_A_, pointers_G_;
  typename LayerProducts<T>::Buffer first_, second_;
};

/// F^-1 = Xi' Lambda Xi, with Xi the identity minus Psi_{i,i+1} above the diagonal and Lambda the inverses of the
/// conditional covariances Sigma_{i|i+1} of a layer's gradient given the next layer's (section 4.3).
template <class T>
class Tridiagonal final : public KroneckerPreconditioner {
 public:
  explicit Tridiagonal(const std::vector<KroneckerFactors>& layers) : products_(layers) {
    const std::size_t n = layers.size();
    for (std::size_t l = 0; l < n; ++l) {
      K_A_.push_back(Matrix::Identity(layers[l].columns(), layers[l].columns()));
      K_G_.push_back(Matrix::Identity(layers[l].outputs, layers[l].outputs));
      s_A_.push_back(Vector::Zero(layers[l].columns()));
      s_G_.push_back(Vector::Zero(layers[l].outputs));
      // Layers with several places have no neighbours, and stand for themselves.
      joined_.push_back(l + 1 < n && layers[l].places == 1 && layers[l + 1].places == 1);
      Psi_A_.push_back(joined_[l] ? Matrix::Zero(layers[l].columns(), layers[l + 1].columns()) : Matrix());
      Psi_G_.push_back(joined_[l] ? Matrix::Zero(layers[l].outputs, layers[l + 1].outputs) : Matrix());
      inverse_A_.push_back(Matrix::Identity(layers[l].columns(), layers[l].columns()));
      inverse_G_.push_back(Matrix::Identity(layers[l].outputs, layers[l].outputs));
    }
    sides_ = sides_of(layers);
    reports_.resize(sides_.size());
    figures_ = unknown_figures(layers.size());
  }

  RefreshReport refresh(const std::vector<KroneckerFactors>& factors, const std::vector<double>& gamma,
                        WorkSharing* processes) override {
    invert(processes, sides_, factors, gamma, inverse_A_, inverse_G_, reports_);
    const RefreshReport report = gather(reports_);
    // One factor that is not finite spoils its neighbours too: everything stays.
    if (report.non_finite > 0) {
      figures_.row(kFailed).setOnes();
      return report;
    }
    note(sides_, reports_, figures_);
    share_work(
        processes, std::ssize(sides_),
        [&](Index task) { return cubic(size_of(sides_[static_cast<std::size_t>(task)], factors), kByConditioning); },
        [&](Index task) {
          const Side& side = sides_[static_cast<std::size_t>(task)];
          const std::size_t l = side.layer;
          const KroneckerFactors& f = factors[l];
          condition_on_next(side.of_inputs ? f.A : f.G, split_damping(f, gamma[l], side.of_inputs),
                            side.of_inputs ? f.A_next : f.G_next, l, side.of_inputs);
        },
        [&](Index task, Results& results) {
          const Side& side = sides_[static_cast<std::size_t>(task)];
          const std::size_t l = side.layer;
          results.add(side.of_inputs ? K_A_[l] : K_G_[l]);
          results.add(side.of_inputs ? s_A_[l] : s_G_[l]);
          results.add(side.of_inputs ? Psi_A_[l] : Psi_G_[l]);
        });
    update_types();
    return report;
  }

  void apply(const Vector& v, Vector& out) override {
    if (pointers_.empty()) update_types();
    const std::size_t n = products_.layers();
    products_.pack(v, first_);
    // U_i = V_i - Psi_{i,i+1} V_{i+1}
    products_.shape(second_);
    second_ = first_;
    for (std::size_t l = 0; l + 1 < n; ++l) {
      if (joined_[l]) add_coupling(l, Transpose::no, first_, second_);
    }
    // W_i = K_G ((K_G' U_i K_A) / (1 - s_G s_A')) K_A'
    products_.left(Transpose::yes, pointers_[0], second_, first_);
    products_.right(Transpose::no, pointers_[1], first_, second_);
    products_.tiles(second_, [&](std::size_t l, Range r, auto part) {
      for (Index o = 0; o < r.size(); ++o) {
        for (Index i = 0; i < part.rows(); ++i) {
          // Below one by the damping; rounding must not make it zero.
          const double rest = std::max(1 - s_G_[l][r.begin + o] * s_A_[l][i], 1e-12);
          part(i, o) = static_cast<T>(static_cast<double>(part(i, o)) / rest);
        }
      }
    });
    products_.left(Transpose::no, pointers_[0], second_, first_);
    products_.right(Transpose::yes, pointers_[1], first_, second_);
    // out_i = W_i - Psi_{i-1,i}' W_{i-1}
    first_ = second_;
    for (std::size_t l = 0; l + 1 < n; ++l) {
      if (joined_[l]) add_coupling(l, Transpose::yes, second_, first_);
    }
    products_.unpack(first_, out);
  }

  StateView state() override {
    StateView view;
    add_state(view, "K_A", K_A_);
    add_state(view, "K_G", K_G_);
    add_state(view, "s_A", s_A_);
    add_state(view, "s_G", s_G_);
    add_state(view, "Psi_A", Psi_A_);
    add_state(view, "Psi_G", Psi_G_);
    view.push_back({"figures", &figures_});
    return view;
  }

 private:
  using Buffer = typename LayerProducts<T>::Buffer;

  /// Psi = C M_next^-1 for the cross factor C, and K with K'M K = I and K'(C M_next^-1 C')K = diag(s).
  void condition_on_next(const Matrix& factor, double damping, const Matrix& cross, std::size_t l, bool of_inputs) {
    InverseWorkspace& w = workspace();
    thread_local std::vector<double> room[3];
    const Index n = factor.rows();
    auto values = vector_in(w.values, n);
    auto R = matrix_in(room[0], n, n);
    R = factor.transpose();
    R.diagonal().array() += damping;
    symmetric_eigen_in_place(R, values, w.eigen);
    const double least = std::max(1e-15 * values.cwiseAbs().maxCoeff(), std::numeric_limits<double>::min());
    for (Index i = 0; i < R.cols(); ++i) R.col(i) /= std::sqrt(std::max(values[i], least));
    Matrix& K = of_inputs ? K_A_[l] : K_G_[l];
    Vector& s = of_inputs ? s_A_[l] : s_G_[l];
    if (!joined_[l]) {
      K = R;
      s.setZero();
      return;
    }
    Matrix& Psi = of_inputs ? Psi_A_[l] : Psi_G_[l];
    const Matrix& next = of_inputs ? inverse_A_[l + 1] : inverse_G_[l + 1];
    multiply(Transpose::no, cross, Transpose::no, next, Psi);
    auto M = matrix_in(room[1], n, n);
    auto MR = matrix_in(room[2], n, n);
    auto vectors = matrix_in(w.matrix, n, n);
    multiply(Transpose::no, Psi, Transpose::yes, cross, M);
    multiply(Transpose::no, M, Transpose::no, R, MR);
    multiply(Transpose::yes, R, Transpose::no, MR, vectors);
    symmetric_eigen_in_place(vectors, values, w.eigen);
    s = values.cwiseMax(0.0).cwiseMin(1.0);
    multiply(Transpose::no, R, Transpose::no, vectors, K);
  }

  /// out_l -= Psi_A in_{l+1} Psi_G', or out_{l+1} -= Psi_A' in_l Psi_G with `op`.
  void add_coupling(std::size_t l, Transpose op, const Buffer& in, Buffer& out) {
    const bool forward = op == Transpose::no;
    const std::size_t from = forward ? l + 1 : l;
    const std::size_t to = forward ? l : l + 1;
    const Index a_from = products_.columns(from);
    const Index a_to = products_.columns(to);
    const Index g_from = products_.outputs(from);
    const Index g_to = products_.outputs(to);
    grow(third_, a_to * g_from);
    const T* const Psi_A = pointers_[2][l];
    const T* const Psi_G = pointers_[3][l];
    constexpr Index kTile = 128;
    parallel_for(block_count(g_from, kTile), [&](Index task) {
      const Range r = block_range(g_from, kTile, task);
      gemm(op, Transpose::no, a_to, r.size(), a_from, T(1), Psi_A, products_.columns(l),
           products_.matrix(in, from) + r.begin * a_from, a_from, T(0), third_.data() + r.begin * a_to, a_to);
    });
    const Index rows_of_G = products_.outputs(l);
    parallel_for(block_count(g_to, kTile), [&](Index task) {
      const Range r = block_range(g_to, kTile, task);
      const T* const first = forward ? Psi_G + r.begin : Psi_G + r.begin * rows_of_G;
      gemm(Transpose::no, forward ? Transpose::yes : Transpose::no, a_to, r.size(), g_from, T(-1), third_.data(), a_to,
           first, rows_of_G, T(1), products_.matrix(out, to) + r.begin * a_to, a_to);
    });
  }

  void update_types() {
    typed_[0].update(K_A_);
    typed_[1].update(K_G_);
    typed_[2].update(Psi_A_);
    typed_[3].update(Psi_G_);
    const std::vector<Matrix>* const originals[] = {&K_A_, &K_G_, &Psi_A_, &Psi_G_};
    pointers_.resize(4);
    for (std::size_t i = 0; i < 4; ++i) pointers_[i] = typed_[i].of(*originals[i]);
  }

  LayerProducts<T> products_;
  std::vector<Side> sides_;
  std::vector<InverseReport> reports_;
  std::vector<bool> joined_;
  std::vector<Matrix> K_A_, K_G_, Psi_A_, Psi_G_, inverse_A_, inverse_G_;
  std::vector<Vector> s_A_, s_G_;
  TypedMatrices<T> typed_[4];
  std::vector<std::vector<const T*>> pointers_;
  Buffer first_, second_, third_;
};

template <class T>
std::unique_ptr<KroneckerPreconditioner> make(KroneckerForm form, const std::vector<KroneckerFactors>& layers) {
  switch (form) {
    case KroneckerForm::factored: return std::make_unique<Factored<T>>(layers);
    case KroneckerForm::eigenvalues: return std::make_unique<Eigenbasis<T>>(layers, false);
    case KroneckerForm::ekfac: return std::make_unique<Eigenbasis<T>>(layers, true);
    case KroneckerForm::tridiagonal: return std::make_unique<Tridiagonal<T>>(layers);
  }
  fail("there is no Kronecker preconditioner of number {}", static_cast<int>(form));
}

}  // namespace

std::unique_ptr<KroneckerPreconditioner> make_kronecker_preconditioner(KroneckerForm form,
                                                                       const std::vector<KroneckerFactors>& layers,
                                                                       Precision precision) {
  return precision == Precision::float32 ? make<float>(form, layers) : make<double>(form, layers);
}

double damping_split(const KroneckerFactors& factors) {
  const double a = factors.A.trace() / static_cast<double>(factors.A.rows());
  const double g = factors.G.trace() / static_cast<double>(factors.G.rows());
  const double pi = std::sqrt(a / g);
  return std::isfinite(pi) && pi > 0 ? pi : 1.0;
}

}  // namespace hesse
