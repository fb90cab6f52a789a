#include "hesse/curvature/curvature_meter.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/curvature_operator.h"
#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/curvature/subspace.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace hesse {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Eigenvalues within this share of the largest magnitude count as near zero, as in `hesse spectrum`.
constexpr double kNearZero = 1e-3;
constexpr double kDamping = 1e-3;

/// Which columns a measure has beside its first.
enum class Columns { eigenvalues, residual, error, interval, one, further, none };

struct Row {
  CurvatureMeasure measure;
  Columns columns;
  bool of_sharpness = false;  ///< taken by measure_sharpness
};

constexpr Row kRows[] = {
    {{"top", "sharpness", "largest eigenvalue of the Hessian"}, Columns::eigenvalues},
    {{"alignment", "alignment", "share of the gradient's square in the top eigenspace"}, Columns::one},
    {{"preconditioned", "preconditioned", "largest eigenvalue of the preconditioned Hessian"}, Columns::residual},
    {{"bottom", "bottom", "least eigenvalue of the Hessian"}, Columns::residual},
    {{"trace", "trace", "trace of the Hessian"}, Columns::interval},
    {{"frobenius", "frobenius", "Frobenius norm of the Hessian"}, Columns::interval},
    {{"diagonal", "diagonal", "norm of the Hessian's diagonal"}, Columns::error},
    {{"log-determinant", "log_determinant", "log det(H+ + 0.001 I)"}, Columns::interval},
    {{"negative", "negative", "negative eigenvalues of the Hessian"}, Columns::interval},
    {{"density", "", "density of the Hessian's eigenvalues"}, Columns::none},
    {{"layers", "", "diagonal blocks of the layers"}, Columns::none},
    {{"classes", "class_overlap", "overlap of the classes' mean gradients with the top eigenspace"}, Columns::further},
    {{"overlap", "overlap_previous", "overlap of the top eigenspace with that of the row before"}, Columns::further},
    {{"log-volume", "log_volume", "log-volume of the sublevel set"}, Columns::interval, true},
    {{"keskar", "keskar", "epsilon-sharpness in percent"}, Columns::interval, true},
    {{"sam", "sam", "rise of the loss in SAM's ball"}, Columns::interval, true},
    {{"m-sharpness", "m_sharpness", "m-sharpness"}, Columns::interval, true},
    {{"adaptive", "adaptive", "adaptive sharpness"}, Columns::interval, true},
    {{"expected", "expected", "expected rise of the loss under noise"}, Columns::interval, true},
    {{"pac-bayes", "pac_bayes", "PAC-Bayes sigma"}, Columns::interval, true},
    {{"fisher-rao", "fisher_rao", "Fisher-Rao norm squared"}, Columns::interval, true},
    {{"relative-flatness", "relative_flatness", "relative flatness of the last layer"}, Columns::interval, true},
    {{"local-entropy", "local_entropy", "local entropy"}, Columns::interval, true},
};

bool has_measure(const CurvatureMeterOptions& options, std::string_view name) {
  return std::find(options.measures.begin(), options.measures.end(), name) != options.measures.end();
}

/// Columns that stand for themselves, after the first of their measure.
constexpr CurvatureMeasure kFurther[] = {
    {"classes", "class_alignment", "share of the class means' second moment in the top eigenspace"},
    {"classes", "class_moment", "second moment of the classes' mean gradients"},
    {"overlap", "overlap_first", "overlap of the top eigenspace with that of the first row"},
};

std::vector<std::string> columns_of(const CurvatureMeterOptions& options) {
  std::vector<std::string> columns;
  for (const Row& row : kRows) {
    if (!has_measure(options, row.measure.name)) continue;
    const std::string first = row.measure.column;
    if (row.columns != Columns::none) columns.push_back(first);
    if (row.columns == Columns::eigenvalues) {
      for (Index i = 2; i <= options.top; ++i) columns.push_back(fmt::format("eigenvalue_{}", i));
      columns.insert(columns.end(), {"residual", "converged"});
    }
    for (const CurvatureMeasure& further : kFurther) {
      if (row.columns == Columns::further && further.name == std::string_view(row.measure.name)) {
        columns.emplace_back(further.column);
      }
    }
    if (row.columns == Columns::residual) columns.push_back(first + "_residual");
    if (row.columns == Columns::error) columns.push_back(first + "_error");
    if (row.columns == Columns::interval) columns.insert(columns.end(), {first + "_lower", first + "_upper"});
  }
  columns.emplace_back("products");
  return columns;
}

Estimate exactly(double value) {
  if (!std::isfinite(value)) return without_value(0);
  Estimate estimate;
  estimate.value = estimate.lower = estimate.upper = value;
  estimate.is_exact = true;
  return estimate;
}

Estimate root_of(Estimate square) {
  for (double* figure : {&square.value, &square.lower, &square.upper}) *figure = std::sqrt(std::max(*figure, 0.0));
  return square;
}

/// The Hessian at one point, and what several measures share of it.
class Reader {
 public:
  Reader(OperatorPtr H, const CurvatureMeterOptions& options, Index& products)
      : H_(std::move(H)), options_(options), products_(products) {}

  const OperatorPtr& H() const { return H_; }
  bool small() const { return H_->size() <= options_.estimate_products; }

  BlockLanczosResult top(const OperatorPtr& A, Index pairs, Matrix& vectors) const {
    BlockLanczosOptions lanczos;
    lanczos.pairs = pairs;
    lanczos.guard = std::min<Index>(2, A->size() - pairs);
    lanczos.tolerance = options_.tolerance;
    lanczos.max_products = options_.max_products;
    lanczos.seed = options_.seed;
    BlockLanczosResult result = block_lanczos(*A, vectors, lanczos);
    products_ += result.products;
    if (result.status != EigenStatus::non_finite) vectors = result.pairs.vectors;
    return result;
  }

  Estimate trace() {
    return small() ? exactly(eigenvalues().sum()) : counted(estimate_trace(*H_, estimate<TraceOptions>()));
  }
  Estimate frobenius() {
    return small() ? exactly(norm(eigenvalues()))
                   : root_of(counted(estimate_frobenius_square(*H_, estimate<EstimateOptions>())));
  }
  EstimatedDiagonal diagonal() {
    const EstimatedDiagonal diagonal = estimate_diagonal(*H_, estimate<DiagonalOptions>());
    products_ += diagonal.products;
    return diagonal;
  }
  Estimate log_determinant() {
    const auto f = [](double x) { return std::log(std::max(x, 0.0) + kDamping); };
    if (!small()) return spectral_sum(density(), f);
    double sum = 0;
    for (const double value : eigenvalues()) sum += f(value);
    return exactly(sum);
  }
  Estimate negative() {
    const SpectralDensity& whole = density();
    const double zero = kNearZero * std::max(std::abs(whole.least), std::abs(whole.greatest));
    if (!small()) return eigenvalue_count(whole, [zero](double x) { return x < -zero; });
    return exactly(whole.is_finite ? static_cast<double>((eigenvalues().array() < -zero).count()) : kNone);
  }

  /// Each layer's block: formed where it is small, and else both ends from where they were.
  std::vector<LayerCurvature> layers(const ParameterLayout& layout, Matrix& top_vectors, Matrix& bottom_vectors) {
    for (Matrix* vectors : {&top_vectors, &bottom_vectors}) {
      if (vectors->rows() != H_->size()) vectors->setZero(H_->size(), 1);
    }
    std::vector<LayerCurvature> layers;
    for (const LayerRange& range : layers_of(layout)) {
      LayerCurvature& layer = layers.emplace_back();
      layer.name = range.name;
      layer.parameters = range.size;
      layer.largest = layer.largest_residual = layer.smallest = layer.smallest_residual = kNone;
      layer.trace = without_value(0);
      if (range.size == 0) continue;
      if (small()) {
        read_formed(dense().block(range.begin, range.begin, range.size, range.size), layer);
        continue;
      }
      std::vector<Index> rows(static_cast<std::size_t>(range.size));
      std::iota(rows.begin(), rows.end(), range.begin);
      const OperatorPtr block = sub_block(H_, std::move(rows));
      if (range.size <= options_.estimate_products) {
        read_formed(formed(*block), layer);
        continue;
      }
      const bool upper = read_end(block, range.begin, top_vectors, layer.largest, layer.largest_residual);
      const bool lower =
          read_end(scaled(-1, block), range.begin, bottom_vectors, layer.smallest, layer.smallest_residual);
      layer.smallest = -layer.smallest;
      layer.converged = upper && lower;
      layer.trace = counted(estimate_trace(*block, estimate<TraceOptions>()));
    }
    return layers;
  }

  /// Lanczos quadrature, or all eigenvalues as one rule.
  const SpectralDensity& density() {
    if (density_) return *density_;
    if (!small()) {
      const Index probes = std::max<Index>(2, options_.estimate_products / options_.density_steps);
      density_ = spectral_density(*H_, {probes, options_.density_steps, options_.seed});
      products_ += density_->products;
      return *density_;
    }
    SpectralDensity& whole = density_.emplace();
    const Vector& values = eigenvalues();
    whole.size = values.size();
    whole.is_finite = values.allFinite();
    if (whole.is_finite && values.size() > 0) {
      whole.probes.push_back({values, Vector::Constant(values.size(), 1 / static_cast<double>(values.size()))});
      whole.least = values[0];
      whole.greatest = values[values.size() - 1];
    }
    return whole;
  }

 private:
  /// For small().
  const Matrix& dense() {
    if (dense_.size() == 0) dense_ = formed(*H_);
    return dense_;
  }
  Matrix formed(const LinearOperator& A) {
    const Matrix dense = to_dense(A);
    products_ += dense.cols();
    return 0.5 * (dense + dense.transpose());
  }
  /// All of them, ascending; NaN where the matrix is not finite. For small().
  const Vector& eigenvalues() {
    if (eigenvalues_.size() == 0) {
      Matrix vectors;
      if (!symmetric_eigen(dense(), eigenvalues_, vectors)) eigenvalues_.setConstant(H_->size(), kNone);
    }
    return eigenvalues_;
  }
  /// From the block itself.
  void read_formed(const Matrix& block, LayerCurvature& layer) const {
    Vector values;
    Matrix vectors;
    if (!symmetric_eigen(block, values, vectors)) return;
    const Index last = values.size() - 1;
    const auto residual = [&](Index i) {
      const Vector v = vectors.col(i);
      return norm(block * v - values[i] * v);
    };
    layer.largest = values[last];
    layer.largest_residual = residual(last);
    layer.smallest = values[0];
    layer.smallest_residual = residual(0);
    layer.converged = true;
    layer.trace = exactly(block.trace());
  }
  /// The largest eigenvalue from the rows of `vectors` that are the layer's, which get its eigenvector.
  bool read_end(const OperatorPtr& block, Index begin, Matrix& vectors, double& value, double& residual) const {
    auto own = vectors.middleRows(begin, block->size());
    Matrix v = own.isZero(0) ? Matrix() : Matrix(own);
    const BlockLanczosResult end = top(block, 1, v);
    if (end.status == EigenStatus::non_finite) return false;
    own = v;
    value = end.pairs.values[0];
    residual = end.pairs.residuals[0];
    return end.status == EigenStatus::converged;
  }
  template <class Options>
  Options estimate() const {
    Options estimate;
    estimate.tolerance = options_.error;
    estimate.max_products = options_.estimate_products;
    estimate.seed = options_.seed;
    return estimate;
  }
  Estimate counted(const Estimate& estimate) const {
    products_ += estimate.products;
    return estimate;
  }

  OperatorPtr H_;
  const CurvatureMeterOptions& options_;
  Index& products_;
  Matrix dense_;
  Vector eigenvalues_;
  std::optional<SpectralDensity> density_;
};

}  // namespace

std::span<const CurvatureMeasure> curvature_measures() {
  static const std::vector<CurvatureMeasure> measures = [] {
    std::vector<CurvatureMeasure> all;
    for (const Row& row : kRows) all.push_back(row.measure);
    return all;
  }();
  return measures;
}

std::span<const CurvatureMeasure> drawn_curvature_columns() {
  static const std::vector<CurvatureMeasure> columns = [] {
    std::vector<CurvatureMeasure> all;
    for (const Row& row : kRows) {
      if (row.columns != Columns::none) all.push_back(row.measure);
      std::copy_if(std::begin(kFurther), std::end(kFurther), std::back_inserter(all), [&](const auto& further) {
        return row.columns == Columns::further && further.name == std::string_view(row.measure.name);
      });
    }
    return all;
  }();
  return columns;
}

void check_curvature_measures(Objective& f, const std::vector<std::string>& measures) {
  for (const std::string& measure : measures) {
    if (measure == "layers" && layers_of(f.layout()).size() < 2) {
      fail(
          "curvature measures: 'layers': the problem has no more layers than one, whose block is the whole Hessian; "
          "take top,bottom,trace");
    }
    if (measure == "classes") network_with_classes(f);
  }
}

std::vector<std::string> parse_curvature_measures(std::string_view text) {
  std::vector<std::string> known;
  for (const Row& row : kRows) known.emplace_back(row.measure.name);
  std::vector<std::string> measures;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string name(text.substr(begin, end - begin));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      fail("curvature measures: there is no measure '{}'{}; there are {}", name, suggestion(name, known),
           fmt::join(known, ", "));
    }
    if (std::find(measures.begin(), measures.end(), name) != measures.end()) {
      fail("curvature measures: '{}' is there twice", name);
    }
    measures.push_back(std::move(name));
    begin = end + 1;
  }
  return measures;
}

CurvatureMeter::CurvatureMeter(Index n, const CurvatureMeterOptions& options) : options_(options) {
  parse_curvature_measures(fmt::format("{}", fmt::join(options.measures, ",")));
  if (options.top < 1 || options.top > n || !(options.tolerance > 0)) {
    fail("curvature: {} eigenvalues of {} parameters to a tolerance of {} are not possible; give 1 to all, and > 0",
         options.top, n, options.tolerance);
  }
  if (options.estimate_products < 6 || options.density_steps < 1 || !(options.error >= 0)) {
    fail("curvature: {} products of an estimate, {} steps and an error of {} are not possible; give >= 6, >= 1, >= 0",
         options.estimate_products, options.density_steps, options.error);
  }
  columns_ = columns_of(options);
}

CurvatureReading CurvatureMeter::read(Objective& f, const Vector& x, const Vector& preconditioner) {
  CurvatureReading reading;
  reading.figures.assign(columns_.size(), kNone);
  const auto set = [&](std::string_view column, double figure) {
    const auto at = std::find(columns_.begin(), columns_.end(), column);
    if (at != columns_.end()) reading.figures[static_cast<std::size_t>(at - columns_.begin())] = figure;
  };
  const auto set_interval = [&](const std::string& column, const Estimate& estimate) {
    if (!estimate.is_finite) return;
    set(column, estimate.value);
    set(column + "_lower", estimate.lower);
    set(column + "_upper", estimate.upper);
  };
  const auto wanted = [&](std::string_view name) { return has_measure(options_, name); };
  Vector g;
  f.value_and_gradient(x, g);
  if (!all_finite(g)) return reading;
  Index products = 0;
  Reader reader(f.curvature(x, Curvature::hessian), options_, products);
  if (wanted("top") || wanted("alignment") || wanted("classes") || wanted("overlap")) {
    const Matrix before = top_vectors_;
    const BlockLanczosResult top = reader.top(reader.H(), options_.top, top_vectors_);
    if (top.status != EigenStatus::non_finite) {
      set("sharpness", top.pairs.values[0]);
      for (Index i = 1; i < options_.top; ++i) set(fmt::format("eigenvalue_{}", i + 1), top.pairs.values[i]);
      set("residual", top.pairs.residuals.maxCoeff());
      set("converged", top.status == EigenStatus::converged ? 1 : 0);
      set("alignment", alignment(g, top_vectors_));
      if (wanted("overlap")) {
        if (first_vectors_.size() == 0) first_vectors_ = top_vectors_;
        set("overlap_previous", overlap(before, top_vectors_));
        set("overlap_first", overlap(first_vectors_, top_vectors_));
      }
      if (wanted("classes")) {
        const ClassStructure classes = class_structure(class_mean_gradients(f, x));
        const ClassFit fit = class_fit(classes, top_vectors_);
        set("class_overlap", fit.overlap);
        set("class_alignment", fit.alignment);
        set("class_moment", classes.values.sum());
      }
    }
  }
  if (wanted("preconditioned") && preconditioner.size() == x.size()) {
    const OperatorPtr scaled = scaled_coordinates(reader.H(), preconditioner.cwiseSqrt().cwiseInverse());
    const BlockLanczosResult first = reader.top(scaled, 1, preconditioned_vectors_);
    if (first.status != EigenStatus::non_finite) {
      set("preconditioned", first.pairs.values[0]);
      set("preconditioned_residual", first.pairs.residuals[0]);
    }
  }
  if (wanted("bottom")) {
    const BlockLanczosResult last = reader.top(scaled(-1, reader.H()), 1, bottom_vectors_);
    if (last.status != EigenStatus::non_finite) {
      set("bottom", -last.pairs.values[0]);
      set("bottom_residual", last.pairs.residuals[0]);
    }
  }
  if (wanted("trace")) set_interval("trace", reader.trace());
  if (wanted("frobenius")) set_interval("frobenius", reader.frobenius());
  if (wanted("diagonal")) {
    const EstimatedDiagonal diagonal = reader.diagonal();
    if (diagonal.is_finite) {
      set("diagonal", norm(diagonal.values));
      set("diagonal_error", norm(diagonal.standard_errors));
    }
  }
  if (wanted("log-determinant")) set_interval("log_determinant", reader.log_determinant());
  if (wanted("negative")) set_interval("negative", reader.negative());
  if (wanted("layers")) reading.layers = reader.layers(f.layout(), layer_top_vectors_, layer_bottom_vectors_);
  if (wanted("density")) reading.density = reader.density();
  SharpnessOptions sharpness;
  sharpness.max_products = options_.estimate_products;
  sharpness.seed = options_.seed;
  for (const Row& row : kRows) {
    if (row.of_sharpness && wanted(row.measure.name)) sharpness.measures.emplace_back(row.measure.name);
  }
  if (!sharpness.measures.empty()) {
    for (const Measure& measure : measure_sharpness(f, x, sharpness).measures) {
      for (const Row& row : kRows) {
        if (row.of_sharpness && measure.key == row.measure.name) set_interval(row.measure.column, measure.number);
      }
    }
  }
  set("products", static_cast<double>(products));
  return reading;
}

StateView CurvatureMeter::state() {
  StateView state = {{"curvature.top", &top_vectors_},
                     {"curvature.bottom", &bottom_vectors_},
                     {"curvature.preconditioned", &preconditioned_vectors_}};
  // Checkpoints of measures that do without these have none of them.
  if (has_measure(options_, "overlap")) state.push_back({"curvature.first", &first_vectors_});
  if (has_measure(options_, "layers")) {
    state.push_back({"curvature.layer_top", &layer_top_vectors_});
    state.push_back({"curvature.layer_bottom", &layer_bottom_vectors_});
  }
  return state;
}

}  // namespace hesse
