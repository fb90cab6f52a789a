/// \file
/// The whole spectrum of a symmetric operator, by stochastic Lanczos quadrature (Golub and Meurant 1994; Ubaru, Chen
/// and Saad 2017; of Hessians: Ghorbani, Krishnan and Xiao 2019).
///
/// m steps of Lanczos from a random unit vector v give a rule of m nodes theta_j and weights w_j >= 0, sum w_j = 1,
/// with
///
///     v'f(A) v = sum_j w_j f(theta_j)      exactly for polynomials f of degree up to 2 m - 1,
///
/// and the mean over vectors estimates tr f(A) / n: the density of eigenvalues, their number on one side of a value,
/// the log-determinant. Its spread over the vectors is the error; what m steps cannot resolve is not in it, and shrinks
/// with m.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/linalg/linear_operator.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace hesse {

/// Probes and steps of stochastic Lanczos quadrature.
struct SpectralDensityOptions {
  Index probes = 8;  ///< >= 2
  Index steps = 80;  ///< of Lanczos from each, >= 1; at most n are made
  std::uint64_t seed = 0;
};

/// One probe's rule.
struct Quadrature {
  Vector nodes;    ///< ascending
  Vector weights;  ///< >= 0, with sum 1
};

/// The rules of all probes.
struct SpectralDensity {
  Index size = 0;  ///< n
  std::vector<Quadrature> probes;
  Index products = 0;
  bool is_finite = true;  ///< false when a product was not: then there are no probes
  double least = 0;       ///< of all nodes: within A's spectrum, and close to its ends after some steps
  double greatest = 0;
};

/// Probes are Gaussian vectors scaled to one, uniform on the sphere. probes * steps products, 2 n steps^2 flops a probe
/// for reorthogonalisation in full, n steps numbers of memory. With `enough` it is asked after 10, 20, 40, ... probes
/// whether they are, and `probes` are the most. Throws Error on impossible options.
SpectralDensity spectral_density(const LinearOperator& A, const SpectralDensityOptions& options,
                                 const std::function<bool(const SpectralDensity&)>& enough = {});

/// tr f(A) over the probes, with Student's interval, `reached` where half of it is within the tolerance, relative to
/// the value. Figures of f that are not finite at a node leave no value.
Estimate spectral_sum(const SpectralDensity& density, const std::function<double(double)>& f, double tolerance = 0);

/// How many eigenvalues satisfy `in`, as an interval that covers in 95 of 100 cases also where they are few: the share
/// of a random vector of n entries in a space of m dimensions is distributed as Beta(m / 2, (n - m) / 2), and the mean
/// over P probes nearly as Beta(P m / 2, P (n - m) / 2), of which the interval holds every whole m that is not too
/// unlikely. Student's would cover one eigenvalue in 86 of 100 cases.
Estimate eigenvalue_count(const SpectralDensity& density, const std::function<bool(double)>& in);

/// A function of lambda with a band.
struct Band95 {
  Vector value;
  Vector lower;
  Vector upper;
};

/// One probe's share of eigenvalues around each lambda, blurred as below.
Vector density_at(const Quadrature& probe, const Vector& lambda, double sigma);

/// The share of eigenvalues around each lambda, blurred by a normal distribution of deviation sigma > 0, which
/// integrates to 1: mean over the probes and Student's band, point by point.
Band95 density_at(const SpectralDensity& density, const Vector& lambda, double sigma);

/// The kernel polynomial method (Silver and Roeder 1994; Weisse et al. 2006): moments of Chebyshev's polynomials over
/// an interval that holds the spectrum, in place of nodes. It needs no reorthogonalisation and three vectors of memory,
/// and resolves everywhere alike, about pi (high - low) / (2 degree), where Lanczos resolves the ends first.
struct ChebyshevOptions {
  Index probes = 8;    ///< >= 2
  Index degree = 160;  ///< >= 1
  std::uint64_t seed = 0;
};
/// The moments of all probes.
struct ChebyshevMoments {
  double low = 0;
  double high = 0;
  std::vector<Vector> probes;  ///< v'T_k(A scaled to [-1, 1]) v for k = 0..degree, v uniform on the sphere
  Index products = 0;
  bool is_finite = true;
};

/// degree / 2 products a probe, rounded up: T_2k and T_2k+1 follow from T_k and T_k+1. Throws Error on impossible
/// options. Where [low, high] does not hold the spectrum the moments grow beyond 1, and is_finite may be false.
ChebyshevMoments chebyshev_moments(const LinearOperator& A, double low, double high, const ChebyshevOptions& options);

/// The density with Jackson's kernel, which is nowhere negative: mean over the probes and Student's band. 0 outside of
/// (low, high).
Band95 density_at(const ChebyshevMoments& moments, const Vector& lambda);

}  // namespace hesse
