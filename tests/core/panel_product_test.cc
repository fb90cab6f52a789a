#include "hesse/core/panel_product.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/random.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace hesse;

namespace {

template <class T>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;

template <class T>
Dense<T> random(Index rows, Index cols, std::uint64_t step) {
  Vector v(rows * cols);
  RandomStream(7, Purpose::probe, step).fill_normal(v);
  return Eigen::Map<Matrix>(v.data(), rows, cols).template cast<T>();
}

/// The entry that is furthest off, in units of the bound of a recursive sum in any order,
/// (depth + 1) eps sum_k |a_k b_k| (Higham 2002, eq. 3.5), and whether anything outside C was written.
template <class T>
double error_ratio(Index m, Index n, Index depth, bool packed_by_row, bool streamed_by_row, bool add, bool transposed) {
  const Dense<T> A = random<T>(m, depth, 1);
  const Dense<T> B = random<T>(n, depth, 2);
  const Dense<T> A_stored = packed_by_row ? Dense<T>(A.transpose()) : A;
  const Dense<T> B_stored = streamed_by_row ? Dense<T>(B.transpose()) : B;
  const T guard = T(123456);
  // C is the inner part of a larger matrix.
  Dense<T> C = Dense<T>::Constant((transposed ? n : m) + 2, (transposed ? m : n) + 2, guard);
  auto inner = C.block(1, 1, C.rows() - 2, C.cols() - 2);
  const Dense<T> before = random<T>(m, n, 3);
  if (transposed) {
    inner = before.transpose();
  } else {
    inner = before;
  }
  T* const c = C.data() + C.rows() + 1;
  panel_product({A_stored.data(), m, packed_by_row ? depth : 1, packed_by_row ? 1 : m},
                {B_stored.data(), n, streamed_by_row ? depth : 1, streamed_by_row ? 1 : n}, depth, add, c,
                transposed ? C.rows() : 1, transposed ? 1 : C.rows());
  const Matrix exact = A.template cast<double>() * B.template cast<double>().transpose() +
                       (add ? 1.0 : 0.0) * before.template cast<double>();
  const Matrix size = A.template cast<double>().cwiseAbs() * B.template cast<double>().cwiseAbs().transpose() +
                      before.template cast<double>().cwiseAbs();
  const Matrix result =
      transposed ? Matrix(inner.transpose().template cast<double>()) : Matrix(inner.template cast<double>());
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double ratio =
      ((result - exact).array() / (size.array() * (static_cast<double>(depth) + 2) * eps)).abs().maxCoeff();
  const bool guarded = (C.row(0).array() == guard).all() && (C.col(0).array() == guard).all() &&
                       (C.row(C.rows() - 1).array() == guard).all() && (C.col(C.cols() - 1).array() == guard).all();
  return guarded ? ratio : std::numeric_limits<double>::infinity();
}

template <class T>
double worst_ratio() {
  double worst = 0;
  // About the edges of lanes, panels, tiles and blocks.
  for (const Index m : {1, 3, 8, 11, 24, 25, 49, 230}) {
    for (const Index n : {1, 4, 7, 8, 17}) {
      for (const Index depth : {1, 16, 17, 400, 401}) {
        for (int variant = 0; variant < 16; ++variant) {
          const double ratio = error_ratio<T>(m, n, depth, (variant & 1) != 0, (variant & 2) != 0, (variant & 4) != 0,
                                              (variant & 8) != 0);
          if (!(ratio <= worst)) worst = ratio;
        }
      }
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("panel products are exact to the rounding of their sums, in every storage and at every edge") {
  if (!panel_product_available()) {
    const double a = 2;
    double c = 5;
    CHECK_THROWS_AS(panel_product({&a, 1, 1, 1}, {&a, 1, 1, 1}, 1, false, &c, 1, 1), Error);
    return;
  }
  CHECK(worst_ratio<double>() <= 1);
  CHECK(worst_ratio<float>() <= 1);
}

TEST_CASE("gemm gives the same product whichever library it goes to") {
  // Thin on either side, large, tiny, and with factors that only the general library takes.
  for (const auto& [m, n, k] : {std::tuple<Index, Index, Index>{128, 250, 784},
                                {784, 128, 300},
                                {300, 310, 64},
                                {10, 250, 64},
                                {64, 250, 10},
                                {24, 24, 32},
                                {192, 193, 401}}) {
    for (const double alpha : {1.0, -0.5}) {
      for (const double beta : {0.0, 1.0, 0.25}) {
        for (int variant = 0; variant < 4; ++variant) {
          const bool ta = (variant & 1) != 0;
          const bool tb = (variant & 2) != 0;
          const Matrix A = random<double>(ta ? k : m, ta ? m : k, 4);
          const Matrix B = random<double>(tb ? n : k, tb ? k : n, 5);
          Matrix C = random<double>(m, n, 6);
          const Matrix a = ta ? Matrix(A.transpose()) : A;
          const Matrix b = tb ? Matrix(B.transpose()) : B;
          const Matrix exact = alpha * (a * b) + beta * C;
          const Matrix size = std::abs(alpha) * (a.cwiseAbs() * b.cwiseAbs()) + std::abs(beta) * C.cwiseAbs();
          gemm(ta ? Transpose::yes : Transpose::no, tb ? Transpose::yes : Transpose::no, m, n, k, alpha, A.data(),
               A.rows(), B.data(), B.rows(), beta, C.data(), m);
          // Twice the bound above: Eigen's product has an error of its own.
          const double bound = 2 * (static_cast<double>(k) + 3) * std::numeric_limits<double>::epsilon();
          CHECK(((C - exact).array().abs() <= bound * size.array()).all());
        }
      }
    }
  }
}
