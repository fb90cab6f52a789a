/// \file
/// The matrices that an analysis may look at, by name: those that an objective has by itself, and those that are built
/// of its parts.
///
///     kfac                 G (x) A for each layer (Martens and Grosse 2015; Grosse and Martens 2016)
///     ekfac                the same with the second moments of single gradients in the eigenbases of A and G for
///                          eigenvalues (George et al. 2018)
///     gradient_covariance  the mean of (g_i - g)(g_i - g)' over the samples' gradients: the empirical Fisher matrix,
///     which
///                          is their second moment, less g g'
///
/// Parameters of layers without Kronecker factors (norms, embeddings) have rows of zeros in the first two.
#pragma once

#include "hesse/linalg/operators.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/objective/objective.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

enum class CurvatureMatrix {
  hessian,
  gauss_newton,
  fisher,
  fisher_sampled,
  fisher_empirical,
  jacobian_gram,
  kfac,
  ekfac,
  gradient_covariance,
};
/// "hessian", ..., "jacobian-gram", "kfac", "ekfac", "gradient-covariance".
const char* to_string(CurvatureMatrix matrix);

/// Which matrix, and which rows and columns of it.
struct CurvatureOperatorOptions {
  CurvatureMatrix matrix = CurvatureMatrix::hessian;
  /// Of the statistics behind kfac and ekfac: fisher_sampled or fisher_empirical, and how places are shared.
  Curvature statistics = Curvature::fisher_sampled;
  WeightSharing sharing = WeightSharing::expand;
  std::uint64_t seed = 0;  ///< of the targets drawn for fisher_sampled statistics
  /// Blocks of parameters by name ("layer2.weight") or all of a layer ("layer2"): the rows and columns of these alone,
  /// in the order of the parameters. Empty: all.
  std::vector<std::string> blocks = {};
  bool block_diagonal = false;  ///< 0 between layers
};

/// The matrix at x on the selected samples of f. Throws Error where f lacks what it is built of, and on a name that is
/// no block's, with a suggestion.
OperatorPtr curvature_operator(Objective& f, const Vector& x, const CurvatureOperatorOptions& options);

/// The parameters that `blocks` name, ascending; all when it is empty. Throws Error as above.
std::vector<Index> parameters_of(const ParameterLayout& layout, const std::vector<std::string>& blocks);

/// Layers in the order of the parameters: blocks whose names agree up to the last '.'.
struct LayerRange {
  std::string name;
  Index begin = 0;
  Index size = 0;
};
std::vector<LayerRange> layers_of(const ParameterLayout& layout);

/// diag(G_l (x) A_l) on n parameters, from the factors of an objective.
OperatorPtr kronecker_operator(Index n, std::vector<KroneckerFactors> factors);

/// diag((U_G (x) U_A) diag(moments_l) (U_G (x) U_A)') on n parameters: moments outputs x columns.
OperatorPtr eigenbasis_operator(Index n, std::vector<KroneckerFactors> layers, std::vector<KroneckerBasis> bases,
                                std::vector<Matrix> moments);

}  // namespace hesse
