/// \file
/// The class and cross-class structure of a classifier's Gauss-Newton matrix (Papyan 2020, section 6). With p_i the
/// softmax probabilities of sample i, of class c, J_i the Jacobian of its logits, and c' any class,
///
///     g_{i,c'} = J_i'(p_i - e_{c'}),      w_{i,c'} = p_{i,c'} / N
///
/// is the gradient that the sample's loss would have were its class c', and the probability of that. Since the Hessian
/// of cross-entropy in the logits is diag(p) - p p' = sum_c' p_c' (p - e_c')(p - e_c')',
///
///     G = sum_i sum_c' w_{i,c'} g_{i,c'} g_{i,c'}'      (eq. 6.2)
///
/// a second moment, which falls apart as the moments of a two-way layout do (eq. 6.4): with the cross-class means, over
/// the samples of class c, and the class means
///
///     w_{c,c'} = sum_i w_{i,c'},          g_{c,c'} = sum_i w_{i,c'} g_{i,c'} / w_{c,c'}
///     w_c = sum_{c' != c} w_{c,c'},       g_c = sum_{c' != c} w_{c,c'} g_{c,c'} / w_c
///
/// it is G = G_class + G_cross + G_own + G_within,
///
///     G_class   sum_c w_c g_c g_c'                                        rank up to K
///     G_cross   sum_c sum_{c' != c} w_{c,c'} (g_{c,c'} - g_c)(...)'       rank up to K (K - 2)
///     G_own     sum_c w_{c,c} g_{c,c} g_{c,c}'  (Papyan's c = c')         in the span of G_class
///     G_within  sum_c sum_c' sum_i w_{i,c'} (g_{i,c'} - g_{c,c'})(...)'
///
/// G_own is there where the model is not sure: sum_c' w_{i,c'} g_{i,c'} = 0 makes w_{c,c} g_{c,c} = -w_c g_c.
///
/// A network's logits are asked for J_i' u by the squared error of targets z_i - u, whose adjoint is u: exact to the
/// precision of the network, relative to |z_i|. The first three parts are kept as n x K^2 means and small factors, and
/// all that is asked of them comes from the Gram matrix of these means: eigenvalues below 1e-8 of the largest of the
/// three are rounding. G_within is the operator G less the three, which loses what is below the rounding of G.
#pragma once

#include "hesse/curvature/estimate.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/eigen.h"
#include "hesse/linalg/operators.h"
#include "hesse/objective/objective.h"

#include <memory>
#include <string>
#include <vector>

namespace hesse {

/// g_{c,c'} and w_{c,c'}.
struct CrossClassMeans {
  Matrix means;    ///< n x K^2, column c K + c'; 0 where the weight is
  Matrix weights;  ///< K x K
  Index classes() const { return weights.rows(); }
};

/// Why f has no such means, empty where it has: no softmax cross-entropy with one class a sample, layers that couple
/// samples or drop outputs, or more bytes than there are.
std::string obstacle_to_cross_class_means(Objective& f, Index rows);

/// At x on the selected samples, of the parameters `rows`, ascending. Costs as much as K gradients, and memory for n
/// K^2 numbers and the inputs of a class. Throws Error with the obstacle where there is one.
CrossClassMeans cross_class_means(Objective& f, const Vector& x, const std::vector<Index>& rows);
/// Bytes of that and of the Gram matrices below.
double cross_class_bytes(Index rows, Index classes);

/// One of G_class, G_cross and G_own: U U' with U = means * factor.
struct ClassPart {
  Matrix factor;  ///< K^2 x columns
  Vector values;  ///< all eigenvalues above 1e-12 of the largest of the three parts, descending
  double trace = 0;
  OperatorPtr matrix;  ///< on the parameters `rows`; holds the means
};

/// The three of them, and the spans of the means.
struct ClassParts {
  ClassPart classes;  ///< G_class
  ClassPart cross;    ///< G_cross
  ClassPart own;      ///< G_own
  OperatorPtr sum;    ///< of the three: 4 n K^2 flops a vector
  /// Q = means * basis is orthonormal and spans the class means, and all cross-class means; columns of unit length
  /// whose Gram matrix has an eigenvalue below 1e-10 of its largest add no dimension.
  Matrix class_basis;
  Matrix cross_basis;
  std::shared_ptr<const CrossClassMeans> means;
};
/// 2 n K^4 flops for the Gram matrix, and 9 K^6 for its eigenvalues. Parts of means that are not finite have no
/// eigenvalues and NaN for a trace.
ClassParts class_parts(CrossClassMeans means);

/// Where the eigenvalues of a matrix A, such as the Hessian or G itself, come from.
struct ClassAttributionOptions {
  bool is_gauss_newton = false;      ///< A is G: nothing lies beside it
  Index within = 3;                  ///< largest eigenvalues of G_within that are sought, >= 1
  double tolerance = 1e-6;           ///< of eigenvalues, on |Av - lambda v| / |A|
  double knockout_tolerance = 1e-3;  ///< the same, where they are only counted
  Index max_products = 2000;         ///< of each search
  TraceOptions trace;                ///< of the trace of G_within
};

/// Of the k eigenpairs of A that are given.
struct ClassAttribution {
  Estimate within_trace;  ///< tr G_within; with the traces of the other parts it adds up to that of G
  EigenPairs within;      ///< the largest of G_within
  bool converged = true;  ///< all searches did
  bool is_finite = true;  ///< false where a product was not: then nothing else stands
  /// k x 5: v'Pv for P each of G_class, G_cross, G_own and G_within, and v'(A - G)v. A row adds up to the eigenvalue.
  Matrix shares;
  Vector in_class_span;  ///< k: |Q'v|^2, the share of each eigenvector in the span of the K class means, 0 to 1
  Vector in_cross_span;  ///< k: the same for the K^2 cross-class means
  /// The largest eigenvalue of A less the three parts, with its residual, and how many of the k lie beyond it: outliers
  /// that the three together account for. Where all k do there may be more.
  double edge = 0;
  double edge_residual = 0;
  Index outliers = 0;
  /// Subtraction knockouts (Papyan 2020, section 3): how many eigenvalues lie beyond the edge once a part is
  /// subtracted from A.
  Index without_classes = 0;
  Index without_cross = 0;
  Index without_own = 0;
  /// Projection knockouts (there): the largest eigenvalue of (I - QQ')A(I - QQ'), with its residual, and how
  /// many of the k lie beyond it. No more can than Q has columns (Cauchy): those many directions account for them.
  struct Projection {
    double edge = 0;
    double edge_residual = 0;
    Index outliers = 0;
  };
  Projection off_class_span;
  Projection off_cross_span;
  Index products = 0;  ///< with A, with G, and with both at once, each for one
};

/// G is the Gauss-Newton matrix that the parts are of, A any matrix on the same parameters, `top` its largest
/// eigenpairs. Block Lanczos for `within` eigenvalues of G_within, for the edge, for one eigenvalue off each span, and
/// where there are outliers for as many as in `top` without each part; a trace; and a product with G for each of `top`.
/// Throws Error on impossible options and on sizes that differ.
ClassAttribution attribute_to_classes(const OperatorPtr& A, const OperatorPtr& G, const ClassParts& parts,
                                      const EigenPairs& top, const ClassAttributionOptions& options);

}  // namespace hesse
