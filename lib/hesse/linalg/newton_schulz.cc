#include "hesse/linalg/newton_schulz.h"

#include "hesse/core/parallel.h"
#include "hesse/core/vector_ops.h"
#include "hesse/linalg/products.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

constexpr Index kBlock = 8192;  // entries of a task

constexpr QuinticCoefficients kMuon[] = {{3.4445, -4.7750, 2.0315}};
constexpr QuinticCoefficients kModular[] = {{3, -3.2, 1.2}};
constexpr QuinticCoefficients kClassical[] = {{1.875, -1.25, 0.375}};
constexpr QuinticCoefficients kDion[] = {
    {4.0848, -6.8946, 2.9270}, {3.9505, -6.3029, 2.6377}, {3.7418, -5.5913, 2.3037},
    {2.8769, -3.1427, 1.2046}, {2.8366, -3.0525, 1.2012},
};

/// The published polynomial at sigma / 1.01, so that rounding in low precision cannot carry sigma beyond the interval
/// that the next one is made for.
constexpr QuinticCoefficients safe(double a, double b, double c) {
  constexpr double s = 1.01;
  return {a / s, b / (s * s * s), c / (s * s * s * s * s)};
}
constexpr QuinticCoefficients kPolarExpress[] = {
    safe(8.28721201814563, -23.595886519098837, 17.300387312530933),
    safe(4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    safe(3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    safe(3.3184196573706015, -2.488488024314874, 0.51004894012372),
    safe(2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    safe(1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    safe(1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    {1.875, -1.25, 0.375},
};

}  // namespace

std::span<const QuinticCoefficients> polar_schedule(PolarSchedule schedule) {
  switch (schedule) {
    case PolarSchedule::muon: return kMuon;
    case PolarSchedule::modular: return kModular;
    case PolarSchedule::classical: return kClassical;
    case PolarSchedule::dion: return kDion;
    case PolarSchedule::polar_express: return kPolarExpress;
  }
  return {};
}

template <class T>
void NewtonSchulzWorkspace<T>::reserve(Index rows, Index columns) {
  const Index side = std::min(rows, columns);
  const auto room = [](std::vector<T>& v, Index entries) {
    if (std::ssize(v) < entries) v.resize(static_cast<std::size_t>(entries));
  };
  room(gram, side * side);
  room(polynomial, side * side);
  room(product, rows * columns);
}

template <class T>
bool newton_schulz(Index rows, Index columns, const double* A, T* X, const NewtonSchulzOptions& options,
                   NewtonSchulzWorkspace<T>& workspace) {
  const Index n = rows * columns;
  if (n == 0) return true;
  const double size = norm(A, n);
  if (!std::isfinite(size)) return false;
  if (size == 0) {
    std::fill_n(X, n, T(0));
    return true;
  }
  parallel_for(block_count(n, kBlock), [&](Index task) {
    const Range r = block_range(n, kBlock, task);
    for (Index i = r.begin; i < r.end; ++i) X[i] = static_cast<T>(A[i] / (size + options.eps));
  });
  workspace.reserve(rows, columns);
  const bool wide = rows <= columns;
  const Index side = std::min(rows, columns);
  T* G = workspace.gram.data();
  T* P = workspace.polynomial.data();
  T* current = X;
  T* next = workspace.product.data();
  const auto schedule = polar_schedule(options.schedule);
  for (Index k = 0; k < options.steps; ++k) {
    const QuinticCoefficients q = schedule[std::min(static_cast<std::size_t>(k), schedule.size() - 1)];
    if (wide) {
      symmetric_product(Transpose::no, Transpose::yes, side, columns, 1, current, rows, current, rows, 0, G, side);
    } else {
      symmetric_product(Transpose::yes, Transpose::no, side, rows, 1, current, rows, current, rows, 0, G, side);
    }
    std::copy(G, G + side * side, P);
    symmetric_product(Transpose::no, Transpose::no, side, side, static_cast<T>(q.c), G, side, G, side,
                      static_cast<T>(q.b), P, side);
    for (Index i = 0; i < side; ++i) P[i * (side + 1)] += static_cast<T>(q.a);
    if (wide) {
      multiply(Transpose::no, Transpose::no, rows, columns, side, 1, P, side, current, rows, 0, next, rows);
    } else {
      multiply(Transpose::no, Transpose::no, rows, columns, side, 1, current, rows, P, side, 0, next, rows);
    }
    std::swap(current, next);
  }
  if (current != X) std::copy(current, current + n, X);
  return true;
}

template struct NewtonSchulzWorkspace<float>;
template struct NewtonSchulzWorkspace<double>;
template bool newton_schulz<float>(Index, Index, const double*, float*, const NewtonSchulzOptions&,
                                   NewtonSchulzWorkspace<float>&);
template bool newton_schulz<double>(Index, Index, const double*, double*, const NewtonSchulzOptions&,
                                    NewtonSchulzWorkspace<double>&);

}  // namespace hesse
