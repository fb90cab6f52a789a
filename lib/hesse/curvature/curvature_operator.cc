#include "hesse/curvature/curvature_operator.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/linalg/eigen.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/finite_sum.h"

#include <algorithm>
#include <utility>

namespace hesse {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The part of a vector that a layer's matrix [W, b] is, and back.
void gather(const KroneckerFactors& layer, const double* x, Matrix& V) {
  V.resize(layer.outputs, layer.columns());
  V.leftCols(layer.inputs) = Eigen::Map<const RowMajor>(x + layer.begin, layer.outputs, layer.inputs);
  if (layer.bias)
    V.col(layer.inputs) = Eigen::Map<const Vector>(x + layer.begin + layer.outputs * layer.inputs, layer.outputs);
}
void scatter(const KroneckerFactors& layer, const Matrix& V, double* y) {
  Eigen::Map<RowMajor>(y + layer.begin, layer.outputs, layer.inputs) = V.leftCols(layer.inputs);
  if (layer.bias)
    Eigen::Map<Vector>(y + layer.begin + layer.outputs * layer.inputs, layer.outputs) = V.col(layer.inputs);
}

void check_layers(Index n, const std::vector<KroneckerFactors>& layers) {
  for (const KroneckerFactors& layer : layers) {
    const Index end = layer.begin + layer.outputs * layer.columns();
    if (layer.begin < 0 || end > n) fail("operator: a layer of parameters {} to {} of {}", layer.begin, end, n);
  }
}

class Kronecker final : public LinearOperator {
 public:
  Kronecker(Index n, std::vector<KroneckerFactors> factors) : n_(n), factors_(std::move(factors)) {
    check_layers(n, factors_);
    for (KroneckerFactors& layer : factors_) complete(layer);
  }
  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    Y.setZero();
    for (Index j = 0; j < X.cols(); ++j) {
      for (const KroneckerFactors& layer : factors_) {
        gather(layer, X.col(j).data(), V_);
        GV_.noalias() = layer.G * V_;
        V_.noalias() = GV_ * layer.A;
        scatter(layer, V_, Y.col(j).data());
      }
    }
  }

 private:
  Index n_;
  std::vector<KroneckerFactors> factors_;
  mutable Matrix V_, GV_;
};

class Eigenbasis final : public LinearOperator {
 public:
  Eigenbasis(Index n, std::vector<KroneckerFactors> layers, std::vector<KroneckerBasis> bases,
             std::vector<Matrix> moments)
      : n_(n), layers_(std::move(layers)), bases_(std::move(bases)), moments_(std::move(moments)) {
    check_layers(n, layers_);
    if (bases_.size() != layers_.size() || moments_.size() != layers_.size()) {
      fail("operator: {} layers with {} bases and {} moments", layers_.size(), bases_.size(), moments_.size());
    }
  }
  Index size() const override { return n_; }
  void apply(ConstMatrixView X, MatrixView Y) const override {
    Y.setZero();
    for (Index j = 0; j < X.cols(); ++j) {
      for (std::size_t l = 0; l < layers_.size(); ++l) {
        gather(layers_[l], X.col(j).data(), V_);
        half_.noalias() = bases_[l].G.transpose() * V_;
        V_.noalias() = half_ * bases_[l].A;
        V_.array() *= moments_[l].array();
        half_.noalias() = bases_[l].G * V_;
        V_.noalias() = half_ * bases_[l].A.transpose();
        scatter(layers_[l], V_, Y.col(j).data());
      }
    }
  }

 private:
  Index n_;
  std::vector<KroneckerFactors> layers_;
  std::vector<KroneckerBasis> bases_;
  std::vector<Matrix> moments_;
  mutable Matrix V_, half_;
};

KroneckerStructure& structure_of(Objective& f, CurvatureMatrix matrix) {
  auto* structure = find_whole<KroneckerStructure>(f);
  if (structure == nullptr) {
    fail("{}: the objective has no Kronecker factors; it takes a network without a penalty on its parameters",
         to_string(matrix));
  }
  return *structure;
}

OperatorPtr kronecker_approximation(Objective& f, const Vector& x, const CurvatureOperatorOptions& options) {
  KroneckerStructure& structure = structure_of(f, options.matrix);
  FactorRequest request;
  request.kind = options.statistics;
  request.sharing = options.sharing;
  request.seed = options.seed;
  std::vector<KroneckerFactors> factors;
  structure.kronecker_factors(x, request, factors);
  if (options.matrix == CurvatureMatrix::kfac) return kronecker_operator(x.size(), std::move(factors));
  std::vector<KroneckerBasis> bases(factors.size());
  for (std::size_t l = 0; l < factors.size(); ++l) {
    complete(factors[l]);
    Vector values;
    if (!symmetric_eigen(factors[l].A, values, bases[l].A) || !symmetric_eigen(factors[l].G, values, bases[l].G)) {
      fail("ekfac: the Kronecker factors of layer {} are not finite at this point", l + 1);
    }
  }
  std::vector<Matrix> moments;
  structure.kronecker_moments(x, request, bases, moments);
  return eigenbasis_operator(x.size(), std::move(factors), std::move(bases), std::move(moments));
}

OperatorPtr whole_operator(Objective& f, const Vector& x, const CurvatureOperatorOptions& options) {
  switch (options.matrix) {
    case CurvatureMatrix::hessian: return f.curvature(x, Curvature::hessian);
    case CurvatureMatrix::gauss_newton: return f.curvature(x, Curvature::gauss_newton);
    case CurvatureMatrix::fisher: return f.curvature(x, Curvature::fisher);
    case CurvatureMatrix::fisher_sampled: return f.curvature(x, Curvature::fisher_sampled);
    case CurvatureMatrix::fisher_empirical: return f.curvature(x, Curvature::fisher_empirical);
    case CurvatureMatrix::jacobian_gram: return f.curvature(x, Curvature::jacobian_gram);
    case CurvatureMatrix::kfac:
    case CurvatureMatrix::ekfac: return kronecker_approximation(f, x, options);
    case CurvatureMatrix::gradient_covariance: {
      if (find_whole<FiniteSum>(f) == nullptr) {
        fail("gradient-covariance: it takes a mean over samples without a penalty on the parameters");
      }
      // Over R places the empirical Fisher matrix is R times the second moment of the gradients.
      const auto* const network = find<NetworkObjective>(f);
      const Index places = network != nullptr && !network->reconstructs() ? network->data().places : 1;
      Vector g;
      f.value_and_gradient(x, g);
      return sum({{1 / static_cast<double>(places), f.curvature(x, Curvature::fisher_empirical)},
                  {-1.0, low_rank(g, Vector::Ones(1))}});
    }
  }
  fail("curvature: an unknown matrix");
}

}  // namespace

const char* to_string(CurvatureMatrix matrix) {
  switch (matrix) {
    case CurvatureMatrix::hessian: return "hessian";
    case CurvatureMatrix::gauss_newton: return "gauss-newton";
    case CurvatureMatrix::fisher: return "fisher";
    case CurvatureMatrix::fisher_sampled: return "fisher-sampled";
    case CurvatureMatrix::fisher_empirical: return "fisher-empirical";
    case CurvatureMatrix::jacobian_gram: return "jacobian-gram";
    case CurvatureMatrix::kfac: return "kfac";
    case CurvatureMatrix::ekfac: return "ekfac";
    case CurvatureMatrix::gradient_covariance: return "gradient-covariance";
  }
  return "unknown";
}

std::vector<LayerRange> layers_of(const ParameterLayout& layout) {
  std::vector<LayerRange> layers;
  for (const ParameterBlock& block : layout.blocks()) {
    const std::string name = block.name.substr(0, block.name.rfind('.'));
    if (layers.empty() || layers.back().name != name) layers.push_back({name, block.offset, 0});
    layers.back().size += block.size;
  }
  return layers;
}

std::vector<Index> parameters_of(const ParameterLayout& layout, const std::vector<std::string>& blocks) {
  std::vector<bool> wanted(layout.blocks().size(), blocks.empty());
  std::vector<std::string> names;
  for (const LayerRange& layer : layers_of(layout)) names.push_back(layer.name);
  for (const ParameterBlock& block : layout.blocks()) names.push_back(block.name);
  for (const std::string& name : blocks) {
    bool found = false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::string& block = layout.blocks()[i].name;
      if (block == name || block.substr(0, block.rfind('.')) == name) wanted[i] = found = true;
    }
    if (!found) fail("there is no block of parameters '{}'{}", name, suggestion(name, names));
  }
  std::vector<Index> indices;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const ParameterBlock& block = layout.blocks()[i];
    for (Index j = 0; wanted[i] && j < block.size; ++j) indices.push_back(block.offset + j);
  }
  return indices;
}

OperatorPtr kronecker_operator(Index n, std::vector<KroneckerFactors> factors) {
  return std::make_shared<Kronecker>(n, std::move(factors));
}

OperatorPtr eigenbasis_operator(Index n, std::vector<KroneckerFactors> layers, std::vector<KroneckerBasis> bases,
                                std::vector<Matrix> moments) {
  return std::make_shared<Eigenbasis>(n, std::move(layers), std::move(bases), std::move(moments));
}

OperatorPtr curvature_operator(Objective& f, const Vector& x, const CurvatureOperatorOptions& options) {
  const std::vector<Index> wanted = parameters_of(f.layout(), options.blocks);  // before any work
  OperatorPtr A = whole_operator(f, x, options);
  if (options.block_diagonal) {
    std::vector<Index> sizes;
    for (const LayerRange& layer : layers_of(f.layout())) sizes.push_back(layer.size);
    A = block_diagonal_part(A, std::move(sizes));
  }
  return options.blocks.empty() ? A : sub_block(A, wanted);
}

}  // namespace hesse
