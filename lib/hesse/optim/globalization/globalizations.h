/// \file
/// Every globalisation, made directly from its options; docs/optim.md has what each does and where it is from.
///
///     Globalized newton(std::make_unique<Newton>(NewtonOptions{}), make_trust_region({.trust_radius = 10}));
///
/// By name they are globalizations() of globalization.h.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/globalization/damped_least_squares.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/globalization/hager_zhang.h"

#include <memory>

namespace hesse {

/// x + step d, whatever f says there.
struct UndampedOptions {
  double step = 1;  ///< multiple of the direction, > 0
};
void visit_options(UndampedOptions& options, OptionVisitor& visitor);
/// Newton's iteration as it stands in textbooks, whose failures can so be shown.
std::unique_ptr<Globalization> make_undamped(const UndampedOptions& options = {});

/// Shortens the step until f has fallen enough (backtracking.h).
struct BacktrackingSearchOptions {
  double ftol = 1e-4;  ///< c1, sufficient decrease, (0, 1/2)
  Index memory = 1;    ///< M: f must fall below the greatest of the last M values, >= 1
  double eta = 0;      ///< > 0: below their running mean with this weight of the past, [0, 1)
  Index max_evaluations = 60;
};
void visit_options(BacktrackingSearchOptions& options, OptionVisitor& visitor);
/// A line search for any direction of descent.
std::unique_ptr<Globalization> make_backtracking(const BacktrackingSearchOptions& options = {});

/// The strong Wolfe conditions by a safeguarded bracket (line_search.h).
struct MoreThuenteOptions {
  double ftol = 1e-4;  ///< c1, sufficient decrease, (0, 1/2)
  double gtol = 0.9;   ///< c2, curvature, (0, 1)
  Index max_evaluations = 25;
};
void visit_options(MoreThuenteOptions& options, OptionVisitor& visitor);
/// The line search of More and Thuente (1994).
std::unique_ptr<Globalization> make_more_thuente(const MoreThuenteOptions& options = {});

/// The line search of Hager and Zhang (hager_zhang.h).
std::unique_ptr<Globalization> make_hager_zhang(const HagerZhangOptions& options = {});

/// How a trust region minimises its model.
enum class Subproblem {
  automatic,  ///< exact where the matrix has entries, else steihaug
  exact,      ///< More and Sorensen (1983), the global minimiser, for a matrix given by its entries
  dogleg,     ///< Powell (1970), likewise
  steihaug,   ///< truncated conjugate gradients (Steihaug 1983; Toint 1981), for a matrix given by its products
  gltr,       ///< the generalised Lanczos method (Gould, Lucidi, Roma and Toint 1999), likewise
};
/// Nocedal and Wright (2006), Algorithm 4.1.
struct TrustRegionOptions {
  Subproblem subproblem = Subproblem::automatic;
  double trust_radius = 1;         ///< Delta_0 > 0
  double max_trust_radius = 1e10;  ///< > 0
  double eta = 0.15;               ///< accept when rho > eta, [0, 1/4)
  bool scaled = false;             ///< D from the diagonal of B instead of I; needs entries
  Index memory = 1;                ///< M >= 1; 1: f never rises
};
void visit_options(TrustRegionOptions& options, OptionVisitor& visitor);
/// Minimises the model where it is trusted; the direction has to have a matrix.
std::unique_ptr<Globalization> make_trust_region(const TrustRegionOptions& options = {});

/// Cartis, Gould and Toint (2011a), Algorithm 2.1.
struct CubicOptions {
  double sigma = 1;   ///< sigma_0, first weight of the cubic term, > 0
  double eta1 = 0.1;  ///< least rho of an accepted step, (0, 1)
  double eta2 = 0.9;  ///< rho of a very good one, (0, 1)
  double gamma = 2;   ///< sigma grows by this factor after a bad one, > 1
  Index memory = 1;   ///< M >= 1; 1: f never rises
};
void visit_options(CubicOptions& options, OptionVisitor& visitor);
/// Adaptive regularisation by cubics; the direction has to have a matrix.
std::unique_ptr<Globalization> make_cubic(const CubicOptions& options = {});

/// How Levenberg and Marquardt's damping is chosen.
enum class DampingUpdate {
  automatic,  ///< more with solver qr, else nielsen
  nielsen,    ///< Nielsen (1999)
  more,       ///< as the multiplier of a trust region (More 1978); needs solver qr
};
/// Levenberg (1944); Marquardt (1963).
struct LevenbergMarquardtOptions {
  DampingUpdate update = DampingUpdate::automatic;
  LeastSquaresSolver solver = LeastSquaresSolver::automatic;
  bool scaled = true;     ///< D from the columns of J instead of I
  double tau = 1e-3;      ///< first lambda over max_j |J_j / D_j|^2, > 0 (nielsen)
  double factor = 1;      ///< first Delta over |D x|, > 0; More (1978) advises 0.1 to 100 (more)
  double eta = 1e-4;      ///< least rho of an accepted step, [0, 1/4)
  bool geodesic = false;  ///< geodesic acceleration
  double alpha = 0.75;    ///< greatest 2 |a| / |v| at which it is used, > 0
};
void visit_options(LevenbergMarquardtOptions& options, OptionVisitor& visitor);
/// Damped least squares, for GaussNewton and an objective with residuals.
std::unique_ptr<Globalization> make_levenberg_marquardt(const LevenbergMarquardtOptions& options = {});

}  // namespace hesse
