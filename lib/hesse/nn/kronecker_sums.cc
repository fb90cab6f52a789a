#include "hesse/nn/kronecker_sums.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/workspaces.h"

#include <algorithm>

namespace hesse {
namespace {

/// Columns of a factor that one task computes.
constexpr Index kTaskColumns = 256;

/// out = keep out + in, where keep = 0 forgets what out held, be it NaN.
template <class Out, class In>
void blend(double keep, const In& in, Out&& out) {
  if (keep == 0) {
    out = in;
  } else if (keep == 1) {
    out += in;
  } else {
    out = keep * out + in;
  }
}

/// Some columns of keep S + weight sum_j u_j v_j', with u_j and v_j the columns of U and V, each followed by a 1 where
/// `u_one` or `v_one` say so. `upper`: only rows up to the diagonal are wanted.
template <class T>
void add_products(ConstColumns<T> U, bool u_one, ConstColumns<T> V, bool v_one, bool upper, Range columns, double keep,
                  double weight, Matrix& S) {
  const Index real = std::min(columns.end, V.rows()) - columns.begin;
  const Index rows = upper ? std::min(columns.end, U.rows()) : U.rows();
  thread_local std::vector<double> ones;  // products with the ones
  if (real > 0) {
    thread_local Eigen::Matrix<T, Eigen::Dynamic, 1> products;
    grow(products, rows * real);
    gemm(Transpose::no, Transpose::yes, rows, real, U.cols(), T(1), U.data(), U.rows(), V.data() + columns.begin,
         V.rows(), T(0), products.data(), rows);
    blend(keep, weight * ConstColumns<T>(products.data(), rows, real).template cast<double>(),
          S.block(0, columns.begin, rows, real));
    if (u_one && !upper) {
      auto sum = vector_in(ones, real);
      sum.setZero();
      for (Index j = 0; j < V.cols(); ++j) sum += V.col(j).segment(columns.begin, real).template cast<double>();
      blend(keep, weight * sum.transpose(), S.row(U.rows()).segment(columns.begin, real));
    }
  }
  if (v_one && columns.end > V.rows()) {
    auto sum = vector_in(ones, U.rows());
    sum.setZero();
    for (Index j = 0; j < U.cols(); ++j) sum += U.col(j).template cast<double>();
    blend(keep, weight * sum, S.col(V.rows()).head(U.rows()));
    if (u_one) {
      double& corner = S(U.rows(), V.rows());
      corner = (keep == 0 ? 0.0 : keep * corner) + weight * static_cast<double>(U.cols());
    }
  }
}

template <class T>
void convert(const Matrix& in, Eigen::Matrix<T, Eigen::Dynamic, 1>& out) {
  grow(out, in.size());
  Columns<T>(out.data(), in.rows(), in.cols()) = in.template cast<T>();
}

}  // namespace

void check_request(const FactorRequest& request) {
  if (request.kind != Curvature::fisher_sampled && request.kind != Curvature::fisher_empirical) {
    fail(
        "Kronecker factors: they model a Fisher matrix of single targets; ask for fisher-sampled or "
        "fisher-empirical, not {}",
        to_string(request.kind));
  }
  if (!(request.share > 0 && request.share <= 1)) {
    fail("Kronecker factors: share {} lies outside (0, 1]", request.share);
  }
  if (!(request.decay >= 0 && request.decay < 1)) {
    fail("Kronecker factors: decay {} lies outside [0, 1)", request.decay);
  }
}

template <class T>
Index KroneckerSums<T>::samples_together() const {
  constexpr Index kEntries = 4194304;
  return std::max<Index>(1, kEntries / (map_.places * std::max(map_.inputs, map_.outputs)));
}

template <class T>
ConstColumns<T> KroneckerSums<T>::inputs_of(ConstColumns<T> x, Plain& buffer) const {
  if (map_.places == 1) return x;
  grow(buffer, map_.inputs * map_.places * x.cols());
  parallel_for(block_count(x.cols(), 8), [&](Index task) {
    const Range r = block_range(x.cols(), 8, task);
    maps_->inputs_at_places({x.data() + r.begin * x.rows(), x.rows(), r.size()},
                            {buffer.data() + r.begin * map_.inputs * map_.places, map_.inputs, map_.places * r.size()});
  });
  return {buffer.data(), map_.inputs, map_.places * x.cols()};
}

template <class T>
ConstColumns<T> KroneckerSums<T>::adjoints_of(ConstColumns<T> dy, Plain& buffer) const {
  if (map_.places == 1) return dy;
  grow(buffer, map_.outputs * map_.places * dy.cols());
  parallel_for(block_count(dy.cols(), 8), [&](Index task) {
    const Range r = block_range(dy.cols(), 8, task);
    maps_->adjoints_at_places(
        {dy.data() + r.begin * dy.rows(), dy.rows(), r.size()},
        {buffer.data() + r.begin * map_.outputs * map_.places, map_.outputs, map_.places * r.size()});
  });
  return {buffer.data(), map_.outputs, map_.places * dy.cols()};
}

/// scale times the sum over the places of each sample.
template <class T>
void KroneckerSums<T>::reduce(ConstColumns<T> at_places, Index samples, T scale, Plain& buffer) const {
  const Index rows = at_places.rows();
  grow(buffer, rows * samples);
  parallel_for(block_count(samples, 8), [&](Index task) {
    const Range r = block_range(samples, 8, task);
    for (Index j = r.begin; j < r.end; ++j) {
      Columns<T> out(buffer.data() + j * rows, rows, 1);
      out = scale * at_places.middleCols(j * map_.places, map_.places).rowwise().sum();
    }
  });
}

template <class T>
void KroneckerSums<T>::add_factors(ConstColumns<T> x, ConstColumns<T> dy, WeightSharing sharing, const Weights& weights,
                                   KroneckerFactors& factors) {
  const auto places = static_cast<double>(map_.places);
  const bool reduced = sharing == WeightSharing::reduce && map_.places > 1;
  const Index together = map_.places == 1 ? x.cols() : samples_together();
  const double g_weight = weights.weight * weights.adjoint_scale * weights.adjoint_scale;
  for (Index block = 0; block < block_count(x.cols(), together); ++block) {
    const Range r = block_range(x.cols(), together, block);
    ConstColumns<T> a = inputs_of({x.data() + r.begin * x.rows(), x.rows(), r.size()}, inputs_);
    ConstColumns<T> g = adjoints_of({dy.data() + r.begin * dy.rows(), dy.rows(), r.size()}, adjoints_);
    double a_weight = weights.weight / places;
    if (reduced) {
      reduce(a, r.size(), T(1) / static_cast<T>(map_.places), reduced_inputs_);
      reduce(g, r.size(), T(1), reduced_adjoints_);
      new (&a) ConstColumns<T>(reduced_inputs_.data(), map_.inputs, r.size());
      new (&g) ConstColumns<T>(reduced_adjoints_.data(), map_.outputs, r.size());
      a_weight = weights.weight;
    }
    const double keep = block == 0 ? weights.keep : 1.0;
    const Index a_tasks = block_count(factors.columns(), kTaskColumns);
    const Index g_tasks = block_count(map_.outputs, kTaskColumns);
    parallel_for(a_tasks + g_tasks, [&](Index task) {
      if (task < a_tasks) {
        add_products<T>(a, map_.bias, a, map_.bias, true, block_range(factors.columns(), kTaskColumns, task), keep,
                        a_weight, factors.A);
      } else {
        add_products<T>(g, false, g, false, true, block_range(map_.outputs, kTaskColumns, task - a_tasks), keep,
                        g_weight, factors.G);
      }
    });
  }
}

template <class T>
void KroneckerSums<T>::add_neighbours(ConstColumns<T> x, ConstColumns<T> dy, ConstColumns<T> x_next,
                                      ConstColumns<T> dy_next, const LinearMap& next, const Weights& weights,
                                      KroneckerFactors& factors) {
  const double g_weight = weights.weight * weights.adjoint_scale * weights.adjoint_scale;
  const Index a_columns = next.inputs + (next.bias ? 1 : 0);
  const Index a_tasks = block_count(a_columns, kTaskColumns);
  const Index g_tasks = block_count(next.outputs, kTaskColumns);
  parallel_for(a_tasks + g_tasks, [&](Index task) {
    if (task < a_tasks) {
      add_products<T>(x, map_.bias, x_next, next.bias, false, block_range(a_columns, kTaskColumns, task), weights.keep,
                      weights.weight, factors.A_next);
    } else {
      add_products<T>(dy, false, dy_next, false, false, block_range(next.outputs, kTaskColumns, task - a_tasks),
                      weights.keep, g_weight, factors.G_next);
    }
  });
}

/// U_A' (a, 1) and U_G' g.
template <class T>
void KroneckerSums<T>::rotate(const T* U_A, const T* U_G, const T* a, const T* g, Index places, T* ra, T* rg) const {
  const Index columns = map_.inputs + (map_.bias ? 1 : 0);
  // The last row of U_A meets the 1.
  if (map_.bias)
    Columns<T>(ra, columns, places).colwise() = ConstColumns<T>(U_A, columns, columns).row(columns - 1).transpose();
  gemm(Transpose::yes, Transpose::no, columns, places, map_.inputs, T(1), U_A, columns, a, map_.inputs,
       map_.bias ? T(1) : T(0), ra, columns);
  gemm(Transpose::yes, Transpose::no, map_.outputs, places, map_.outputs, T(1), U_G, map_.outputs, g, map_.outputs,
       T(0), rg, map_.outputs);
}

template <class T>
void KroneckerSums<T>::add_moments(ConstColumns<T> x, ConstColumns<T> dy, const KroneckerBasis& basis,
                                   const Weights& weights, Matrix& moments) {
  const Index columns = map_.inputs + (map_.bias ? 1 : 0);
  const Index outputs = map_.outputs;
  const bool plain = basis.A.size() == 0;
  if (!plain) {
    convert(basis.A, basis_A_);
    convert(basis.G, basis_G_);
  }
  const double weight = weights.weight * weights.adjoint_scale * weights.adjoint_scale;
  const Index together = std::min(samples_together(), x.cols());
  for (Index block = 0; block < block_count(x.cols(), together); ++block) {
    const Range r = block_range(x.cols(), together, block);
    const ConstColumns<T> a = inputs_of({x.data() + r.begin * x.rows(), x.rows(), r.size()}, inputs_);
    const ConstColumns<T> g = adjoints_of({dy.data() + r.begin * dy.rows(), dy.rows(), r.size()}, adjoints_);
    grow(rotated_inputs_, columns * a.cols());
    grow(rotated_adjoints_, outputs * g.cols());
    constexpr Index kPlaces = 256;
    parallel_for(block_count(a.cols(), kPlaces), [&](Index task) {
      const Range p = block_range(a.cols(), kPlaces, task);
      T* const ra = rotated_inputs_.data() + p.begin * columns;
      T* const rg = rotated_adjoints_.data() + p.begin * outputs;
      if (plain) {
        Columns<T>(ra, columns, p.size()).topRows(map_.inputs) = a.middleCols(p.begin, p.size());
        if (map_.bias) Columns<T>(ra, columns, p.size()).row(columns - 1).setOnes();
        Columns<T>(rg, outputs, p.size()) = g.middleCols(p.begin, p.size());
      } else {
        rotate(basis_A_.data(), basis_G_.data(), a.data() + p.begin * map_.inputs, g.data() + p.begin * outputs,
               p.size(), ra, rg);
      }
      if (map_.places == 1) {
        Columns<T>(ra, columns, p.size()) = Columns<T>(ra, columns, p.size()).cwiseAbs2();
        Columns<T>(rg, outputs, p.size()) = Columns<T>(rg, outputs, p.size()).cwiseAbs2();
      }
    });
    const double keep = block == 0 ? weights.keep : 1.0;
    parallel_for(block_count(columns, kTaskColumns), [&](Index task) {
      const Range c = block_range(columns, kTaskColumns, task);
      thread_local Plain products;
      thread_local Plain squares;
      grow(products, outputs * c.size());
      Columns<T> sum(products.data(), outputs, c.size());
      if (map_.places == 1) {
        gemm(Transpose::no, Transpose::yes, outputs, c.size(), a.cols(), T(1), rotated_adjoints_.data(), outputs,
             rotated_inputs_.data() + c.begin, columns, T(0), products.data(), outputs);
      } else {
        // The gradient of a sample is the sum over its places, and squares only then.
        grow(squares, outputs * c.size());
        sum.setZero();
        for (Index j = 0; j < r.size(); ++j) {
          gemm(Transpose::no, Transpose::yes, outputs, c.size(), map_.places, T(1),
               rotated_adjoints_.data() + j * map_.places * outputs, outputs,
               rotated_inputs_.data() + j * map_.places * columns + c.begin, columns, T(0), squares.data(), outputs);
          sum += Columns<T>(squares.data(), outputs, c.size()).cwiseAbs2();
        }
      }
      blend(keep, weight * sum.template cast<double>(), moments.middleCols(c.begin, c.size()));
    });
  }
}

template class KroneckerSums<float>;
template class KroneckerSums<double>;

}  // namespace hesse
