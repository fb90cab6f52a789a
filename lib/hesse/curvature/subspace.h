/// \file
/// How subspaces of the parameters lie to each other: gradients in the top eigenspace, one eigenspace in another, and
/// the span of the classes' mean gradients, which the outliers of a classifier's Hessian come from (Papyan 2020).
#pragma once

#include "hesse/core/types.h"
#include "hesse/objective/objective.h"

#include <vector>

namespace hesse {

class NetworkObjective;

/// |V'g|^2 / |g|^2 in [0, 1] for V with orthonormal columns: the share of a vector that lies in a subspace (Gur-Ari,
/// Roberts and Dyer 2018, eq. 3). A vector of random direction has k / n. NaN for g = 0.
double alignment(const Vector& g, const Matrix& V);

/// |U'V|_F^2 / min(k_U, k_V) in [0, 1] for U and V with orthonormal columns: the mean squared cosine of the principal
/// angles, 1 where one contains the other (Gur-Ari, Roberts and Dyer 2018, eq. 5). Random subspaces have about max(k_U,
/// k_V) / n.
double overlap(const Matrix& U, const Matrix& V);

/// The mean gradient of each class's samples, n x classes, at the selected samples of a network with class labels;
/// classes without a sample have a column of zeros. Costs a gradient in all. The second moment of the columns, weighted
/// by the classes' shares, is the part of the gradients' second moment that lies between the classes; its eigenvectors
/// are the directions of the outliers of the Gauss-Newton matrix (Papyan 2020, section 4). Throws Error when f has no
/// labels, or has several a sample.
struct ClassMeans {
  Matrix gradients;  ///< n x classes
  Vector shares;     ///< of each class among the samples
};
ClassMeans class_mean_gradients(Objective& f, const Vector& x);

/// The network whose classes these are, beneath f. Throws Error where class_mean_gradients() does.
NetworkObjective& network_with_classes(Objective& f);

/// Orthonormal eigenvectors and eigenvalues, descending, of sum_c share_c g_c g_c', by the small Gram matrix;
/// eigenvalues below 1e-12 of the largest are dropped.
struct ClassStructure {
  Vector values;
  Matrix vectors;
};
ClassStructure class_structure(const ClassMeans& means);

/// How the class means lie to a subspace of as many dimensions.
struct ClassFit {
  double overlap = 0;    ///< of the two spaces, 0 to 1: overlap()
  double alignment = 0;  ///< share of the second moment of the class means that lies in the subspace, 0 to 1
};
/// V has orthonormal columns, of which the first as many as there are directions of means are taken, or all. NaN where
/// there is no column or no mean.
ClassFit class_fit(const ClassStructure& structure, const Matrix& V);

}  // namespace hesse
