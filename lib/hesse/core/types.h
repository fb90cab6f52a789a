/// \file
/// The vector and matrix types that every interface of Hesse speaks: dense, double, column-major.
#pragma once

#include <Eigen/Core>

namespace hesse {

using Index = Eigen::Index;
using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

/// Views that take a vector, a matrix or a block of columns without copying it.
using VectorView = Eigen::Ref<Vector>;
using ConstVectorView = const Eigen::Ref<const Vector>&;
using MatrixView = Eigen::Ref<Matrix>;
using ConstMatrixView = const Eigen::Ref<const Matrix>&;

}  // namespace hesse
