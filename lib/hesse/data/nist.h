/// \file
/// The Statistical Reference Datasets of NIST (StRD, 1997): regression problems with values certified to about 11
/// digits for nonlinear models, by two programs in quadruple precision, and 15 for linear ones, in multiple precision.
#pragma once

#include "hesse/core/types.h"

#include <string>
#include <vector>

namespace hesse {

/// One file: m observations of y and k predictors, and what is certified of n parameters.
struct NistReference {
  std::string name;                    ///< "Misra1a"
  bool linear = false;                 ///< in its parameters
  bool intercept = false;              ///< linear only: the first parameter is B0, a constant
  Vector y;                            ///< m
  Matrix x;                            ///< m x k
  std::vector<Vector> starts;          ///< two for a nonlinear model: far from and close to the certified values
  Vector parameters;                   ///< certified estimates
  Vector standard_deviations;          ///< certified, of the estimates
  double residual_sum_of_squares = 0;  ///< certified
  Index degrees_of_freedom = 0;        ///< m - n
};

/// Reads a file in NIST's format. Nothing depends on the numbers of lines in its head: parameters, statistics and data
/// are told by how their lines begin. Throws Error with the line when something is missing, no number, or at odds with
/// what else the file says.
NistReference read_nist(const std::string& path);

/// Linear models: the m x n matrix X of y = X b. One predictor makes a polynomial, its columns are powers; several make
/// a plane.
Matrix design_matrix(const NistReference& reference);

}  // namespace hesse
