/// \file
/// The oracles of each file, and what several of them are made of.
#pragma once

#include "hesse/core/types.h"
#include "hesse/nn/network_objective.h"
#include "hesse/oracles/oracle.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace hesse {

/// Products, decompositions, roots, the trust region's subproblem, multiple eigenvalues.
std::vector<Oracle> matrix_oracles();
/// Gradients and Hessian products, by differences and against formulas.
std::vector<Oracle> derivative_oracles();
/// Kronecker factors, Fisher matrices, and what does not change the function of a network.
std::vector<Oracle> network_oracles();
/// Coverage of intervals, and the kinds of planted critical points.
std::vector<Oracle> curvature_oracles();
/// Checkpoints, threads, Ceres, and objectives that are not finite.
std::vector<Oracle> run_oracles();

/// An orthogonal matrix, a function of the seed, by Eigen's Householder QR.
Matrix planted_basis(Index n, std::uint64_t seed);
/// Q diag(values) Q' with that Q, symmetric to the bit.
Matrix planted_spectrum(const Vector& values, std::uint64_t seed);
/// x with normal entries, a function of the seed.
Vector planted_point(Index n, std::uint64_t seed);
/// Normal inputs with random classes.
std::shared_ptr<Dataset> planted_classes(Index features, Index classes, Index samples, std::uint64_t seed);
/// Dense layers with softmax cross-entropy on such data.
std::unique_ptr<NetworkObjective> planted_perceptron(const std::vector<Index>& sizes, Activation activation,
                                                     std::shared_ptr<const Dataset> data);

}  // namespace hesse
