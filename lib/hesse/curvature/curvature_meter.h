/// \file
/// What is told of the Hessian at one point after another of a run: a figure with its error for each measure that was
/// asked for.
///
///     measure                      columns
///     top                          sharpness (the largest eigenvalue), eigenvalue_2, ..., residual (the largest of
///                                  theirs), converged (1 or 0)
///     alignment                    alignment (share of |g|^2 in the space of those eigenvectors, 0 to 1)
///     preconditioned               preconditioned (the largest eigenvalue of P^-1/2 H P^-1/2 for a method with a
///                                  diagonal P, Cohen et al. 2022), preconditioned_residual
///     bottom                       bottom (the least eigenvalue), bottom_residual
///     trace, frobenius             tr H by Hutch++ and |H|_F, with _lower and _upper: the 95 % interval
///     diagonal                     diagonal (the norm of H's diagonal), diagonal_error (that of its standard errors)
///     log-determinant              log det(H_+ + 1e-3 I), with interval
///     negative                     eigenvalues below minus a thousandth of the largest magnitude, with interval
///     density                      no column: nodes and weights of Lanczos quadrature
///     layers                       no column: of each layer's diagonal block both ends, with residuals, and the trace,
///                                  with its interval
///     classes                      class_overlap (mean squared cosine between the span of the classes' mean gradients
///                                  and the top eigenspace), class_alignment (share of the second moment of these means
///                                  in it, both 0 to 1), class_moment (that moment's trace): curvature/subspace.h
///     overlap                      overlap_previous, overlap_first: of the top eigenspace with those of the reading
///                                  before and of the first one (Gur-Ari, Roberts and Dyer 2018, eq. 5), 0 to 1
///     log-volume, keskar, ...      one measure of curvature/sharpness.h, with _lower and _upper as there
///
/// A dash of a measure's name is an underscore in its columns, and `products`, Hessian products spent, is the last.
///
/// Eigenpairs begin from the eigenvectors at the point before, which saves most of the products; estimates use the same
/// random vectors at every point, so that from one point to the next they differ by less than their intervals say.
/// Where n is at most `estimate_products` the matrix is formed, n products, and the estimates are exact.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/objective/objective.h"
#include "hesse/optim/optimizer.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// A measure that can be asked for.
struct CurvatureMeasure {
  const char* name;    ///< "log-determinant"
  const char* column;  ///< its first, which is what is drawn; empty where it has none
  const char* title;   ///< "largest eigenvalue of the Hessian"
};
/// All of them, in the order of their columns.
std::span<const CurvatureMeasure> curvature_measures();

/// What is measured where nothing else is asked for: the names of CurvatureMeterOptions.
inline constexpr const char* kDefaultCurvatureMeasures = "top,alignment,preconditioned";

/// What is drawn of them: a measure's first column, and after it others of the same measure that are worth a figure.
std::span<const CurvatureMeasure> drawn_curvature_columns();

/// Measures by name, joined by commas. Throws Error on a name that is none, with a suggestion, on one that is there
/// twice, and when there is none.
std::vector<std::string> parse_curvature_measures(std::string_view text);

/// What is measured, and how exactly.
struct CurvatureMeterOptions {
  std::vector<std::string> measures = {"top", "alignment", "preconditioned"};
  Index top = 1;                  ///< eigenvalues of the upper end, >= 1, at most n
  double tolerance = 1e-3;        ///< of eigenvalues: on |Hv - lambda v| / |H|
  Index max_products = 500;       ///< of each end; what has not converged by then has its residual all the same
  double error = 0.02;            ///< an estimate ends where half its interval is within this share of it
  Index estimate_products = 200;  ///< of each estimate, at most, >= 6
  Index density_steps = 40;       ///< of Lanczos from each of estimate_products / density_steps vectors, at least 2
  std::uint64_t seed = 0;         ///< of all random vectors
};

/// Throws Error, in one line, where f has not got what a measure needs: more layers than one, or classes.
void check_curvature_measures(Objective& f, const std::vector<std::string>& measures);

/// The ends and the trace of one layer's diagonal block of the Hessian.
struct LayerCurvature {
  std::string name;  ///< "layer1"
  Index parameters = 0;
  double largest = 0;
  double largest_residual = 0;
  double smallest = 0;
  double smallest_residual = 0;
  bool converged = false;  ///< both residuals within the tolerance
  Estimate trace;
};

/// The figures at one point.
struct CurvatureReading {
  std::vector<double> figures;         ///< as columns() has them; NaN where there is none
  SpectralDensity density;             ///< with the measure density; exact: one probe with all eigenvalues
  std::vector<LayerCurvature> layers;  ///< with the measure layers
};

/// Measures points in the order of a run.
class CurvatureMeter {
 public:
  /// Throws Error on impossible options for n parameters.
  CurvatureMeter(Index n, const CurvatureMeterOptions& options);

  const CurvatureMeterOptions& options() const { return options_; }
  const std::vector<std::string>& columns() const { return columns_; }

  /// At x on the selected samples of f; `preconditioner` is the diagonal of P, empty for none. Where the gradient is
  /// not finite all figures are NaN. Throws Error where f has not got what a measure needs. A layer of at most
  /// `estimate_products` parameters takes as many products; of another each end begins from its eigenvector before.
  CurvatureReading read(Objective& f, const Vector& x, const Vector& preconditioner);

  /// The eigenvectors that the next reading begins from: with them it has the same bits in another process.
  StateView state();

 private:
  CurvatureMeterOptions options_;
  std::vector<std::string> columns_;
  Matrix top_vectors_;
  Matrix bottom_vectors_;
  Matrix preconditioned_vectors_;
  Matrix first_vectors_;  ///< the top ones of the first reading
  /// Of all layers, n x 1: each has the rows of its parameters.
  Matrix layer_top_vectors_;
  Matrix layer_bottom_vectors_;
};

}  // namespace hesse
