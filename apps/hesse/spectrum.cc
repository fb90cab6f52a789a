#include "analysed_point.h"
#include "command_line.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/core/memory_use.h"
#include "hesse/curvature/class_structure.h"
#include "hesse/curvature/curvature_operator.h"
#include "hesse/curvature/diagonal_estimation.h"
#include "hesse/curvature/memory.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/spectrum.h"
#include "hesse/curvature/subspace.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/kronecker_structure.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace hesse::app {
namespace {

enum class DensityMethod { lanczos, kernel_polynomial };

struct SpectrumCommandOptions {
  PointOptions point;
  CurvatureOperatorOptions matrix;
  Index top = 5;
  Index bottom = 5;
  bool all = false;
  double tolerance = 1e-6;
  bool certify = false;
  bool single_search = false;
  bool trace = false;
  TraceMethod trace_method = TraceMethod::hutch_pp;
  bool diagonal = false;
  DiagonalMethod diagonal_method = DiagonalMethod::diag_pp;
  Index products = 100;
  double error = 0.01;
  bool density = false;
  DensityMethod density_method = DensityMethod::lanczos;
  Index probes = 10;
  Index steps = 80;
  double damping = 1e-3;
  bool per_layer = false;
  bool classes = false;
  std::string against;
  Index threads = 0;
  std::string output;
  bool plot = false;
  bool dry_run = false;
  bool json = false;
};
void visit_options(SpectrumCommandOptions& o, OptionVisitor& v) {
  visit_point_options(o.point, v);
  v.choice("curvature", o.matrix.matrix,
           {{"hessian", CurvatureMatrix::hessian},
            {"gauss-newton", CurvatureMatrix::gauss_newton},
            {"fisher", CurvatureMatrix::fisher},
            {"fisher-sampled", CurvatureMatrix::fisher_sampled},
            {"fisher-empirical", CurvatureMatrix::fisher_empirical},
            {"jacobian-gram", CurvatureMatrix::jacobian_gram},
            {"kfac", CurvatureMatrix::kfac},
            {"ekfac", CurvatureMatrix::ekfac},
            {"gradient-covariance", CurvatureMatrix::gradient_covariance}},
           "matrix whose eigenvalues are wanted");
  v.option("block", o.matrix.blocks,
           "the rows and columns of this block of parameters or layer alone; may be repeated");
  v.option("block-diagonal", o.matrix.block_diagonal, "with zeros between the layers");
  v.option("top", o.top, Interval::closed(0, 1000), "largest eigenvalues; all if there are fewer");
  v.option("bottom", o.bottom, Interval::closed(0, 1000), "smallest eigenvalues; all if there are fewer");
  v.option("all", o.all, "every eigenvalue, from the dense matrix: n products, 9 n^3 flops, 24 n^2 bytes");
  v.option("tolerance", o.tolerance, Interval::open(0, 1), "on |Av - lambda v| / |A|");
  v.option("certify", o.certify,
           "prove that none is missing by the inertia of the dense matrix: n products, n^3 flops");
  v.option("single-search", o.single_search,
           "one search of each end, and none for what it may have missed: fewer products, multiplicity not certified");
  v.option("trace", o.trace, "trace, Frobenius norm and stable rank too, with 95 % intervals");
  v.choice(
      "trace-method", o.trace_method,
      {{"hutchinson", TraceMethod::hutchinson}, {"hutch++", TraceMethod::hutch_pp}, {"xtrace", TraceMethod::xtrace}},
      "estimator of the trace");
  v.option("diagonal", o.diagonal, "the diagonal too, each entry with its standard error");
  v.choice("diagonal-method", o.diagonal_method,
           {{"hutchinson", DiagonalMethod::hutchinson}, {"diag++", DiagonalMethod::diag_pp}},
           "estimator of the diagonal");
  v.option("products", o.products, Interval::closed(6, 1e6),
           "for each trace, for the norm and for the diagonal, at most");
  v.option("error", o.error, Interval::open(0, 1),
           "an estimate ends early where half its 95 % interval is within this share of it");
  v.option("density", o.density, "the whole spectrum too");
  v.choice("density-method", o.density_method,
           {{"lanczos", DensityMethod::lanczos}, {"kernel-polynomial", DensityMethod::kernel_polynomial}},
           "stochastic Lanczos quadrature, with counts and sums too, or Chebyshev's polynomials, of degree 2 steps");
  v.option("probes", o.probes, Interval::closed(2, 10000), "of the density, at most");
  v.option("steps", o.steps, Interval::closed(1, 10000), "products from each probe");
  v.option("damping", o.damping, Interval::positive(), "delta of the log-determinant and the effective dimension");
  v.option("per-layer", o.per_layer, "the ends and the trace of each layer's diagonal block too");
  v.option("classes", o.classes,
           "the classes' mean gradients against the top eigenspace, and the class and cross-class parts of the "
           "Gauss-Newton matrix too");
  v.option("against", o.against, "a second point of the same problem: how the top eigenspaces of the two overlap");
  visit_threads(o.threads, v);
  v.option("output", o.output,
           "folder for spectrum.json and spectrum.csv, layers.csv, class_parts.csv and class_shares.csv, diagonal.csv, "
           "density.csv and density_plot.svg "
           "(default: none is written)");
  visit_plot(o.plot, v);
  v.option("dry-run", o.dry_run, "say how many products it takes, and for how long; compute nothing else");
  v.option("json", o.json, "print JSON");
}

const char* to_text(EigenStatus status) {
  switch (status) {
    case EigenStatus::converged: return "converged";
    case EigenStatus::not_converged: return "not-converged";
    case EigenStatus::non_finite: return "non-finite";
  }
  return "unknown";
}

Json json_of(const EigenPairs& pairs) {
  Json json = Json::array();
  for (Index i = 0; i < pairs.values.size(); ++i) {
    json.push_back({{"value", json_number(pairs.values[i])}, {"residual", json_number(pairs.residuals[i])}});
  }
  return json;
}

Json json_of(const Estimate& e) {
  return {{"value", json_number(e.value)},
          {"standard_error", json_number(e.standard_error)},
          {"lower", json_number(e.lower)},
          {"upper", json_number(e.upper)},
          {"products", e.products}};
}

std::string text_of(const Estimate& e) {
  if (!e.is_finite) return "none: a product was not finite";
  if (e.is_exact) return fmt::format("{} exactly", significant(e.value, 8));
  if (e.standard_error == 0 && e.lower == e.upper)
    return fmt::format("{}, of which the probes show no error", significant(e.value, 5));
  return fmt::format("{} [{}, {}]", significant(e.value, 5), significant(e.lower, 4), significant(e.upper, 4));
}

/// A figure of the operator as a whole: its name, for a person and in JSON, and what it was estimated as.
struct WholeFigure {
  const char* name;
  const char* key;
  Estimate estimate;
};

/// Memory of which it is said in advance that it will be taken; --json has it always.
constexpr double kMuch = 256 * kMebibyte;

/// Eigenvalues within this share of the largest node count as near zero.
constexpr double kNearZero = 1e-3;

/// Counts, and sums in which negative eigenvalues count as 0.
std::vector<WholeFigure> sums_of(const SpectralDensity& density, double damping, double error) {
  const double zero = kNearZero * std::max(std::abs(density.least), std::abs(density.greatest));
  const auto sum = [&](const char* name, const char* key, const std::function<double(double)>& f) {
    return WholeFigure{name, key, spectral_sum(density, f, error)};
  };
  const auto count = [&](const char* name, const char* key, const std::function<bool(double)>& in) {
    return WholeFigure{name, key, eigenvalue_count(density, in)};
  };
  return {count("eigenvalues below zero", "negative", [zero](double x) { return x < -zero; }),
          count("eigenvalues near zero", "near_zero", [zero](double x) { return std::abs(x) <= zero; }),
          count("eigenvalues above zero", "positive", [zero](double x) { return x > zero; }),
          sum("log det(A+ + damping I)", "log_determinant",
              [damping](double x) { return std::log(std::max(x, 0.0) + damping); }),
          sum("effective dimension tr A+(A+ + damping I)^-1", "effective_dimension",
              [damping](double x) { return std::max(x, 0.0) / (std::max(x, 0.0) + damping); })};
}

/// Of the trace, the norm and the diagonal.
template <class Options>
Options estimate_options(const SpectrumCommandOptions& options) {
  Options estimate;
  estimate.tolerance = options.error;
  estimate.max_products = options.products;
  estimate.seed = static_cast<std::uint64_t>(options.point.seed);
  return estimate;
}
TraceOptions trace_options(const SpectrumCommandOptions& options) {
  auto trace = estimate_options<TraceOptions>(options);
  trace.method = options.trace_method;
  return trace;
}
DiagonalOptions diagonal_options(const SpectrumCommandOptions& options) {
  auto diagonal = estimate_options<DiagonalOptions>(options);
  diagonal.method = options.diagonal_method;
  return diagonal;
}

/// Lanczos from as many probes as bring the log-determinant and the effective dimension within the error, if so few do.
SpectralDensity density_of(const LinearOperator& A, const SpectrumCommandOptions& options) {
  const auto enough = [&](const SpectralDensity& density) {
    const std::vector<WholeFigure> sums = sums_of(density, options.damping, options.error);
    return std::all_of(sums.end() - 2, sums.end(), [](const WholeFigure& sum) { return sum.estimate.reached; });
  };
  return spectral_density(A, {options.probes, options.steps, static_cast<std::uint64_t>(options.point.seed)}, enough);
}

/// The pairs whose last is the least that was found: with all eigenvalues they stand among the largest.
const EigenPairs& lower_end(const EigenResult& eigen) {
  return eigen.smallest.values.size() > 0 ? eigen.smallest : eigen.largest;
}

/// The largest over the smallest eigenvalue of a matrix both ends of which are known, with the interval that their
/// residuals leave; without a value where it is not certain to be positive definite.
Estimate condition_number(const EigenResult& eigen) {
  if (eigen.status != EigenStatus::converged || eigen.largest.values.size() == 0) return without_value(0);
  const EigenPairs& low = lower_end(eigen);
  const double least = low.values.tail(1)[0];
  const double least_error = low.residuals.tail(1)[0];
  if (!(least > least_error)) return without_value(0);
  Estimate condition;
  condition.value = eigen.largest.values[0] / least;
  condition.lower = (eigen.largest.values[0] - eigen.largest.residuals[0]) / (least + least_error);
  condition.upper = (eigen.largest.values[0] + eigen.largest.residuals[0]) / (least - least_error);
  return condition;
}

/// |A|_F^2 / |A|_2^2.
Estimate stable_rank(Estimate frobenius_square, const Estimate& norm) {
  frobenius_square.value /= norm.value * norm.value;
  frobenius_square.standard_error /= norm.value * norm.value;
  frobenius_square.lower /= norm.upper * norm.upper;
  frobenius_square.upper /= norm.lower * norm.lower;
  frobenius_square.is_exact = frobenius_square.is_exact && norm.lower == norm.upper;
  return frobenius_square;
}

/// |A|_2 where both ends are known, with the interval that their residuals leave.
std::optional<Estimate> spectral_norm(const EigenResult& eigen) {
  if (eigen.status != EigenStatus::converged || !(eigen.norm > 0)) return std::nullopt;
  double residual = 0;
  for (const EigenPairs* pairs : {&eigen.largest, &eigen.smallest}) {
    if (pairs->residuals.size() > 0) residual = std::max(residual, pairs->residuals.maxCoeff());
  }
  Estimate norm;
  norm.value = eigen.norm;
  norm.lower = eigen.norm - residual;
  norm.upper = eigen.norm + residual;
  return norm;
}

/// One layer's diagonal block.
struct LayerSpectrum {
  LayerRange layer;
  EigenResult eigen;
  Estimate trace;
};

/// `A` is the matrix on all parameters.
std::vector<LayerSpectrum> layer_spectra(Objective& f, const OperatorPtr& A, const SpectrumCommandOptions& options) {
  std::vector<LayerSpectrum> spectra;
  const auto seed = static_cast<std::uint64_t>(options.point.seed);
  for (const LayerRange& layer : layers_of(f.layout())) {
    const OperatorPtr block = sub_block(A, parameters_of(f.layout(), {layer.name}));
    EigenOptions eigen;
    eigen.largest = std::min<Index>(1, layer.size);
    eigen.smallest = eigen.largest;
    eigen.tolerance = options.tolerance;
    eigen.single_search = options.single_search;
    eigen.asymmetry_tolerance = allowed_asymmetry(f.value_noise());
    eigen.seed = seed;
    spectra.push_back({layer, extreme_eigenpairs(*block, eigen), estimate_trace(*block, trace_options(options))});
  }
  return spectra;
}

Table table_of(const std::vector<LayerSpectrum>& layers) {
  Table table;
  table.title = "diagonal blocks";
  table.columns = {{"layer", false}, {"parameters"}, {"largest"}, {"smallest"}, {"trace"}, {"converged", false}};
  for (const LayerSpectrum& l : layers) {
    const auto end = [](const EigenPairs& pairs) {
      return pairs.values.size() > 0 ? significant(pairs.values[0], 6) : std::string("none");
    };
    table.add({Cell(l.layer.name), Cell(fmt::format("{}", l.layer.size)), Cell(end(l.eigen.largest)),
               Cell(end(l.eigen.smallest)), Cell(text_of(l.trace)),
               Cell(l.eigen.status == EigenStatus::converged ? "yes" : "no")});
  }
  return table;
}

/// The class and cross-class parts of the Gauss-Newton matrix, and the top eigenvalues' shares of them.
struct CrossClassFigures {
  Index classes = 0;
  ClassParts parts;
  ClassAttribution found;
  Vector eigenvalues;
  Estimate trace;  ///< of the Gauss-Newton matrix
};

/// The classes' mean gradients against the top eigenvectors.
struct ClassFigures {
  ClassStructure structure;
  ClassFit fit;
  std::string left_out;  ///< why there is no cross-class structure
  std::optional<CrossClassFigures> cross;
};

/// Of how many of the largest eigenvalues it is asked where they come from: with all, of as many as there are
/// cross-class means.
Index attributed(const SpectrumCommandOptions& options, Index size, Index classes) {
  return std::min(size, options.all ? classes * classes : options.top);
}

EigenPairs leading(const EigenPairs& pairs, Index k) {
  return {pairs.values.head(k), pairs.vectors.leftCols(k), pairs.residuals.head(k)};
}

ClassFigures class_figures(Objective& f, const Vector& x, const std::vector<Index>& rows, const Spectrum& spectrum,
                           const SpectrumCommandOptions& options) {
  ClassFigures figures;
  {
    ClassMeans means = class_mean_gradients(f, x);
    means.gradients = means.gradients(rows, Eigen::all).eval();
    figures.structure = class_structure(means);
    figures.fit = class_fit(figures.structure, spectrum.eigen.largest.vectors);
  }
  figures.left_out = obstacle_to_cross_class_means(f, std::ssize(rows));
  if (!figures.left_out.empty()) return figures;
  CrossClassFigures& cross = figures.cross.emplace();
  NetworkObjective& network = network_with_classes(f);
  cross.classes = network.data().class_count;
  cross.parts = class_parts(cross_class_means(f, x, rows));
  const bool whole = std::ssize(rows) == x.size();
  OperatorPtr G = network.curvature(x, Curvature::gauss_newton);
  if (!whole) G = sub_block(G, rows);
  const Index size = spectrum.matrix->size();
  const EigenPairs top = leading(spectrum.eigen.largest, attributed(options, size, cross.classes));
  ClassAttributionOptions attribution;
  // With a penalty, or zeros between the layers, it is another matrix. Of this loss the Fisher matrix is the same.
  const CurvatureMatrix kind = options.matrix.matrix;
  attribution.is_gauss_newton = (kind == CurvatureMatrix::gauss_newton || kind == CurvatureMatrix::fisher) &&
                                !options.matrix.block_diagonal && find_whole<NetworkObjective>(f) != nullptr;
  attribution.within = std::min<Index>(attribution.within, size);
  attribution.tolerance = options.tolerance;
  attribution.trace = trace_options(options);
  cross.found = attribute_to_classes(spectrum.matrix, G, cross.parts, top, attribution);
  cross.eigenvalues = top.values;
  cross.trace = cross.found.within_trace;
  const double exact = cross.parts.classes.trace + cross.parts.cross.trace + cross.parts.own.trace;
  for (double* figure : {&cross.trace.value, &cross.trace.lower, &cross.trace.upper}) *figure += exact;
  return figures;
}

/// One part of the Gauss-Newton matrix, as it is told.
struct PartRow {
  const char* name;
  const char* key;
  Estimate trace;
  Vector values;
  std::optional<Index> rank;
  std::optional<Index> outliers;  ///< once it is subtracted
};
std::vector<PartRow> part_rows(const CrossClassFigures& cross) {
  const ClassAttribution& found = cross.found;
  const auto exactly = [](double trace) {
    Estimate estimate;
    estimate.value = estimate.lower = estimate.upper = trace;
    estimate.is_exact = true;
    return estimate;
  };
  const auto row = [&](const char* name, const char* key, const ClassPart& part, Index outliers) {
    return PartRow{name, key, exactly(part.trace), part.values, part.values.size(), outliers};
  };
  return {row("classes", "classes", cross.parts.classes, found.without_classes),
          row("cross-class", "cross", cross.parts.cross, found.without_cross),
          row("own class", "own", cross.parts.own, found.without_own),
          {"within", "within", found.within_trace, found.within.values, {}, {}},
          {"all", "gauss_newton", cross.trace, {}, {}, {}}};
}

Table parts_table(const CrossClassFigures& cross) {
  Table table;
  table.title = "class and cross-class parts of the Gauss-Newton matrix";
  table.columns = {{"part", false}, {"rank"}, {"trace"}, {"% of it"}, {"largest"}, {"second"}, {"outliers without it"}};
  for (const PartRow& row : part_rows(cross)) {
    const auto value = [&](Index i) { return row.values.size() > i ? significant(row.values[i], 5) : std::string(); };
    table.add({Cell(row.name), Cell(row.rank ? fmt::format("{}", *row.rank) : ""), Cell(text_of(row.trace)),
               Cell(fmt::format("{:.3g}", 100 * row.trace.value / cross.trace.value)), Cell(value(0)), Cell(value(1)),
               Cell(row.outliers ? fmt::format("{}", *row.outliers) : "")});
  }
  return table;
}

Table shares_table(const CrossClassFigures& cross) {
  Table table;
  table.title = "where the eigenvalues come from, in percent";
  table.columns = {{"eigenvalue"}, {"classes"},          {"cross-class"},           {"own class"},
                   {"within"},     {"not Gauss-Newton"}, {"vector in class means"}, {"in cross-class means"}};
  for (Index j = 0; j < cross.eigenvalues.size(); ++j) {
    std::vector<Cell> row = {Cell(significant(cross.eigenvalues[j], 6))};
    const auto percent = [&](double share) { row.emplace_back(fmt::format("{:.2f}", 100 * share)); };
    for (Index part = 0; part < 5; ++part) percent(cross.found.shares(j, part) / cross.eigenvalues[j]);
    percent(cross.found.in_class_span[j]);
    percent(cross.found.in_cross_span[j]);
    table.add(std::move(row));
  }
  return table;
}

Json json_of(const CrossClassFigures& cross) {
  const ClassAttribution& found = cross.found;
  Json json;
  json["finite"] = found.is_finite;
  json["converged"] = found.converged;
  json["products"] = found.products;
  json["trace"] = json_of(cross.trace);
  if (!found.is_finite) return json;
  json["edge"] = json_number(found.edge);
  json["edge_residual"] = json_number(found.edge_residual);
  json["outliers"] = found.outliers;
  for (const auto& [key, projection] :
       {std::pair{"off_class_span", &found.off_class_span}, std::pair{"off_cross_span", &found.off_cross_span}}) {
    json[key] = {{"edge", json_number(projection->edge)},
                 {"edge_residual", json_number(projection->edge_residual)},
                 {"outliers", projection->outliers}};
  }
  json["in_class_span"] = json_number(found.in_class_span.mean());
  json["in_cross_span"] = json_number(found.in_cross_span.mean());
  for (const PartRow& row : part_rows(cross)) {
    Json part = {{"trace", json_of(row.trace)}};
    if (row.rank) part["rank"] = *row.rank;
    if (row.outliers) part["outliers_without"] = *row.outliers;
    for (const double value : row.values) part["eigenvalues"].push_back(json_number(value));
    json["parts"][row.key] = std::move(part);
  }
  for (Index j = 0; j < cross.eigenvalues.size(); ++j) {
    json["eigenvectors"].push_back({{"eigenvalue", json_number(cross.eigenvalues[j])},
                                    {"classes", json_number(found.shares(j, 0))},
                                    {"cross", json_number(found.shares(j, 1))},
                                    {"own", json_number(found.shares(j, 2))},
                                    {"within", json_number(found.shares(j, 3))},
                                    {"not_gauss_newton", json_number(found.shares(j, 4))},
                                    {"in_class_span", json_number(found.in_class_span[j])},
                                    {"in_cross_span", json_number(found.in_cross_span[j])}});
  }
  return json;
}

void print_classes(const ClassFigures& classes) {
  fmt::print(
      "classes: {} directions of mean gradients; overlap with the top eigenspace of as many {:.3g}, which holds {:.3g} "
      "% of their second moment\n",
      classes.structure.values.size(), classes.fit.overlap, 100 * classes.fit.alignment);
  if (!classes.cross) return;
  const ClassAttribution& found = classes.cross->found;
  if (!found.is_finite) {
    fmt::print("cross-class structure: none, a product was not finite\n");
    return;
  }
  say("{}", terminal_text(parts_table(*classes.cross), terminal_style(stdout)));
  say("{}", terminal_text(shares_table(*classes.cross), terminal_style(stdout)));
  const Index k = classes.cross->eigenvalues.size();
  const auto outliers = [k](const char* what, Index count, double edge) {
    say("outliers: {} of the {} largest eigenvalues lie beyond {}, the largest {}{}\n", count, k, significant(edge, 5),
        what, count == k ? "; there may be more: give a larger --top" : "");
  };
  outliers("without the first three parts", found.outliers, found.edge);
  outliers("off the span of the class means", found.off_class_span.outliers, found.off_class_span.edge);
  outliers("off the span of the cross-class means", found.off_cross_span.outliers, found.off_cross_span.edge);
  say("of the space of the {} largest {:.3g} % lie in the span of the class means, {:.3g} % in that of the cross-class "
      "means{}\n",
      k, 100 * found.in_class_span.mean(), 100 * found.in_cross_span.mean(),
      found.converged ? "" : "; not all searches behind these figures have converged");
}

/// A density on a grid of eigenvalues, as mean and 95 % band over the probes.
struct DrawnDensity {
  Vector lambda;
  Band95 band;
  const char* method = "";
};

/// On 400 points from end to end, blurred by a two-hundredth of the range.
std::optional<DrawnDensity> drawn(const SpectralDensity& density) {
  const double range = std::max(density.greatest - density.least, 1e-12 * std::abs(density.greatest));
  if (density.probes.empty() || !(range > 0)) return std::nullopt;
  const double sigma = range / 200;
  DrawnDensity d{Vector::LinSpaced(400, density.least - 4 * sigma, density.greatest + 4 * sigma), {}, ""};
  d.band = density_at(density, d.lambda, sigma);
  d.method = "stochastic Lanczos quadrature";
  return d;
}

/// Chebyshev's polynomials on an interval a hundredth wider than the spectrum, whose ends are known.
std::optional<DrawnDensity> drawn(const LinearOperator& A, const EigenResult& eigen,
                                  const SpectrumCommandOptions& options) {
  if (eigen.largest.values.size() == 0) return std::nullopt;
  const double low = lower_end(eigen).values.tail(1)[0];
  const double high = eigen.largest.values[0];
  const double margin = std::max(0.01 * (high - low), 1e-12 * eigen.norm);
  if (!(margin > 0)) return std::nullopt;
  const ChebyshevMoments moments =
      chebyshev_moments(A, low - margin, high + margin,
                        {options.probes, 2 * options.steps, static_cast<std::uint64_t>(options.point.seed)});
  if (!moments.is_finite) return std::nullopt;
  DrawnDensity d{Vector::LinSpaced(400, moments.low, moments.high), {}, "kernel polynomial method"};
  d.band = density_at(moments, d.lambda);
  return d;
}

/// With the eigenvalues that were found one by one as marks.
Plot density_plot(const DrawnDensity& density, const EigenResult& eigen, const std::string& title) {
  const Band95& band = density.band;
  Plot plot;
  plot.title = title;
  plot.x_label = "eigenvalue";
  plot.y_label = "density";
  plot.log_y = true;
  plot.legend = "mean over probes, 95 % band";
  plot.figures = {"mean", "lower", "upper"};
  for (const EigenPairs* pairs : {&eigen.largest, &eigen.smallest}) {
    plot.marks.insert(plot.marks.end(), pairs->values.begin(), pairs->values.end());
  }
  const double floor = 1e-6 * band.value.maxCoeff();
  Band line;
  for (Index i = 0; i < density.lambda.size(); ++i) {
    line.x.push_back(density.lambda[i]);
    line.median.push_back(std::max(band.value[i], floor));
    line.lower_quartile.push_back(std::max(band.lower[i], floor));
    line.upper_quartile.push_back(std::max(band.upper[i], floor));
    line.n.push_back(1);
    line.failures.push_back(0);
  }
  plot.series.push_back({density.method, {}, std::move(line)});
  return plot;
}

/// The eigenvalues in their order, where there is no density to draw.
Plot eigenvalue_plot(const EigenResult& eigen, const std::string& title) {
  Plot plot;
  plot.title = title;
  plot.x_label = "position, from the top and from the bottom";
  plot.y_label = "eigenvalue";
  for (const auto& [name, pairs] : {std::pair{"top", &eigen.largest}, std::pair{"bottom", &eigen.smallest}}) {
    if (pairs->values.size() == 0) continue;
    Curve curve;
    for (Index i = 0; i < pairs->values.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(pairs->values[i]);
    }
    plot.series.push_back({name, {std::move(curve)}});
  }
  return plot;
}

/// density.csv and density_plot.svg.
void write_density(const std::filesystem::path& folder, const DrawnDensity& density, const EigenResult& eigen,
                   const std::string& title) {
  const Band95& band = density.band;
  Table table;
  table.columns = {{"lambda"}, {"density"}, {"lower"}, {"upper"}};
  for (Index i = 0; i < density.lambda.size(); ++i) {
    table.add({Cell(fmt::format("{}", density.lambda[i])), Cell(fmt::format("{}", band.value[i])),
               Cell(fmt::format("{}", band.lower[i])), Cell(fmt::format("{}", band.upper[i]))});
  }
  write_file(folder / "density.csv", csv_text(table));
  Palette palette;
  try {
    write_plot(folder / "density_plot.svg", density_plot(density, eigen, title), palette);
  } catch (const Error& e) {
    fmt::print(stderr, "hesse: warning: the density was not drawn: {}\n", e.what());
  }
}

/// diagonal.csv.
void write_diagonal(const std::filesystem::path& folder, const EstimatedDiagonal& diagonal,
                    const ParameterLayout& layout, const std::vector<Index>& rows) {
  Table table;
  table.columns = {{"parameter"}, {"value"}, {"standard_error"}};
  for (Index i = 0; i < diagonal.values.size(); ++i) {
    table.add({Cell(layout.describe_entry(rows[static_cast<std::size_t>(i)])),
               Cell(fmt::format("{}", diagonal.values[i])), Cell(fmt::format("{}", diagonal.standard_errors[i]))});
  }
  write_file(folder / "diagonal.csv", csv_text(table));
}

/// What solvers and estimators hold at the peak.
double analysis_bytes(Index n, const SpectrumCommandOptions& options, const EigenOptions& eigen) {
  double bytes = eigenpairs_bytes(n, eigen);
  const double kept = eigenvectors_bytes(n, eigen);
  if (options.trace) bytes = std::max(bytes, kept + trace_bytes(n, trace_options(options)));
  if (options.diagonal) bytes = std::max(bytes, kept + diagonal_bytes(n, diagonal_options(options)));
  if (options.density) bytes = std::max(bytes, kept + density_bytes(n, {options.probes, options.steps, 0}));
  return bytes;
}

/// Vectors that are multiplied at once.
Index vectors_at_once(Index n, const SpectrumCommandOptions& options, const EigenOptions& eigen) {
  if (solved_densely(n, eigen) || n <= eigen.inertia_limit) return 32;
  if (options.trace || options.diagonal) return TraceOptions().block;
  if (eigen.largest + eigen.smallest > 0) return std::max(eigen.largest, eigen.smallest) + 2;
  return options.density ? 1 : 0;
}

/// What the class and cross-class parts hold beside the eigenvectors.
double class_bytes(Index n, const SpectrumCommandOptions& options, Index classes) {
  EigenOptions eigen;
  eigen.largest = std::min(n, std::max(attributed(options, n, classes), ClassAttributionOptions().within));
  eigen.single_search = true;
  eigen.dense_limit = 0;
  return cross_class_bytes(n, classes) + std::max(eigenpairs_bytes(n, eigen), trace_bytes(n, trace_options(options)));
}

/// Of the matrix itself, beside what evaluations take, and of the analysis.
double matrix_bytes(Objective& f, Index n, const SpectrumCommandOptions& options, const EigenOptions& eigen,
                    Index classes) {
  const CurvatureMatrix matrix = options.matrix.matrix;
  double bytes = analysis_bytes(n, options, eigen);
  if (classes > 0) {
    bytes = std::max(bytes, eigenvectors_bytes(n, eigen) + class_bytes(n, options, classes));
    // The Gauss-Newton matrix beside the one that is looked at.
    if (auto* const network = find<NetworkObjective>(f)) {
      bytes += network->operator_bytes(std::max(attributed(options, n, classes), ClassAttributionOptions().within) + 2);
    }
  }
  if (matrix == CurvatureMatrix::kfac || matrix == CurvatureMatrix::ekfac) {
    if (auto* const structure = find<KroneckerStructure>(f)) {
      bytes += kronecker_bytes(structure->kronecker_layers(), matrix == CurvatureMatrix::ekfac);
    }
  }
  if (!options.matrix.blocks.empty()) bytes += sub_block_bytes(f.size(), vectors_at_once(n, options, eigen));
  return bytes;
}

/// All of it, beside what is in use now.
double bytes_ahead(Objective& f, Index n, const SpectrumCommandOptions& options, const EigenOptions& eigen,
                   Index classes) {
  const CurvatureMatrix matrix = options.matrix.matrix;
  const bool kronecker = matrix == CurvatureMatrix::kfac || matrix == CurvatureMatrix::ekfac;
  return evaluation_bytes(f, kronecker ? 0 : vectors_at_once(n, options, eigen)) +
         matrix_bytes(f, n, options, eigen, classes);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The first and the last rows.
Table ends_of(const Table& table, Index top, Index bottom) {
  Table ends = table;
  const auto rows = static_cast<Index>(table.rows.size());
  if (top + bottom < rows) {
    ends.rows.erase(ends.rows.begin() + top, ends.rows.end() - bottom);
  }
  return ends;
}

/// What a spectrum of `size` rows takes.
AnalysisWork work_of(Objective& f, const SpectrumCommandOptions& o, Index size, const EigenOptions& eigen,
                     Index classes) {
  const auto n = static_cast<double>(size);
  AnalysisWork work;
  work.gradients = 1;
  if (o.all) {
    work.products = n;
    work.flops = 9 * n * n * n;
  } else {
    work.products = usual_lanczos(size, o.top + o.bottom);
    work.notes.push_back(
        fmt::format("of the products {:.0f} are a guess of what Lanczos takes for {} eigenvalues; "
                    "clustered ones take several times as many",
                    work.products, o.top + o.bottom));
    if (o.certify) {
      work.products += n;
      work.flops = n * n * n;
    }
  }
  const auto products = static_cast<double>(o.products);
  work.bytes = matrix_bytes(f, size, o, eigen, classes);
  work.vectors_at_once = vectors_at_once(size, o, eigen);
  if (o.trace) work.products += 2 * products;
  if (o.diagonal) work.products += products;
  if (!o.against.empty()) work.products *= 2;
  if (o.density) work.products += static_cast<double>(o.probes * o.steps);
  if (o.per_layer)
    work.products += static_cast<double>(layers_of(f.layout()).size()) * (usual_lanczos(size, 2) + products);
  if (classes > 0) {
    // A gradient on each class alone and one for each label that it might have; the trace, and the five searches.
    work.gradients += 1 + static_cast<double>(classes);
    const Index k = attributed(o, size, classes);
    work.products += products + static_cast<double>(k) + 5 * usual_lanczos(size, k);
  }
  if (o.matrix.matrix != CurvatureMatrix::hessian) {
    work.notes.emplace_back("products were measured with the Hessian; other matrices cost about as much or less");
  }
  return work;
}

}  // namespace

int spectrum_command(Arguments arguments) {
  auto options = read_command_line<SpectrumCommandOptions>(
      "spectrum", "Extreme eigenvalues of a curvature matrix, each with its residual.", arguments);
  check_plot(options.plot, options.json);
  use_threads(options.threads);
  const bool kernel_polynomial = options.density && options.density_method == DensityMethod::kernel_polynomial;
  if (options.all && !options.against.empty()) fail("--against compares top eigenspaces; give --top instead of --all");
  if (!options.trace && options.trace_method != TraceMethod::hutch_pp)
    fail("--trace-method is of --trace; give that too");
  if (!options.diagonal && options.diagonal_method != DiagonalMethod::diag_pp) {
    fail("--diagonal-method is of --diagonal; give that too");
  }
  if (!options.density && options.density_method != DensityMethod::lanczos) {
    fail("--density-method is of --density; give that too");
  }
  if (options.top < 1 && !options.all) {
    if (options.classes) fail("--classes compares with the top eigenvectors; give --top 1 or more");
    if (!options.against.empty()) fail("--against compares top eigenspaces; give --top 1 or more");
  }
  if (kernel_polynomial && !options.all && (options.top < 1 || options.bottom < 1)) {
    fail("--density-method kernel-polynomial needs both ends of the spectrum; give --top 1 and --bottom 1 or more");
  }
  AnalysedPoint analysed = load_point(options.point);
  Problem& problem = analysed.problem;
  const Vector& x = analysed.x;
  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path() : output_folder(options.output, "spectrum");
  const auto seed = static_cast<std::uint64_t>(options.point.seed);
  const Index n = x.size();
  Objective& f = *problem.objective;
  const auto rows = parameters_of(f.layout(), options.matrix.blocks);
  const Index classes_there = options.classes ? network_with_classes(f).data().class_count : 0;
  options.matrix.seed = seed;
  SpectrumOptions spectrum_options;
  spectrum_options.matrix = options.matrix;
  const auto size = static_cast<Index>(rows.size());
  spectrum_options.eigen.largest = options.all ? size : std::min(options.top, size);
  spectrum_options.eigen.smallest = options.all ? 0 : std::min(options.bottom, size);
  spectrum_options.eigen.tolerance = options.tolerance;
  spectrum_options.eigen.single_search = options.single_search;
  spectrum_options.eigen.inertia_limit = options.certify ? size : 0;
  spectrum_options.eigen.seed = seed;
  if (options.dry_run)
    return dry_run(f, x, work_of(f, options, size, spectrum_options.eigen, classes_there), options.json);
  std::optional<Vector> other;
  std::string other_at;
  if (!options.against.empty()) {
    ReadPoint read = load_point_of(problem, options.against);
    other = std::move(read.x);
    other_at = std::move(read.at);
  }
  const double stated = bytes_ahead(f, size, options, spectrum_options.eigen, classes_there) + memory_in_use();
  const bool much = stated >= kMuch && !options.json;
  // The basis of a single search is as large as it may become, which it need not.
  const bool at_most = options.single_search && !solved_densely(size, spectrum_options.eigen);
  if (much)
    fmt::print(stderr, "memory: {} {:.0f} MiB at the peak\n", at_most ? "at most" : "about", stated / kMebibyte);
  const Spectrum spectrum = extreme_spectrum(f, x, spectrum_options);
  const EigenResult& eigen = spectrum.eigen;
  const bool finite = eigen.status != EigenStatus::non_finite;
  const bool both_ends = options.all || (options.top > 0 && options.bottom > 0);
  std::vector<WholeFigure> figures;
  Estimate spectral = without_value(0);
  std::optional<EstimatedDiagonal> diagonal;
  std::optional<DrawnDensity> density;
  double trace_seconds = 0;
  double density_seconds = 0;
  if (finite) {
    const LinearOperator& A = *spectrum.matrix;
    const auto start = std::chrono::steady_clock::now();
    const std::optional<Estimate> norm = both_ends ? spectral_norm(eigen) : std::nullopt;
    if (options.trace) {
      figures.push_back({"trace", "trace", estimate_trace(A, trace_options(options))});
      trace_seconds = seconds_since(start);
      const Estimate square = estimate_frobenius_square(A, estimate_options<EstimateOptions>(options));
      figures.push_back({"Frobenius norm squared", "frobenius_square", square});
      if (norm) figures.push_back({"stable rank", "stable_rank", stable_rank(square, *norm)});
    }
    if (norm) spectral = *norm;
    if (options.diagonal) diagonal = estimate_diagonal(A, diagonal_options(options));
    const auto start_of_density = std::chrono::steady_clock::now();
    if (kernel_polynomial) {
      density = drawn(A, eigen, options);
    } else if (options.density) {
      const SpectralDensity rules = density_of(A, options);
      for (WholeFigure& figure : sums_of(rules, options.damping, options.error)) figures.push_back(std::move(figure));
      density = drawn(rules);
    }
    density_seconds = seconds_since(start_of_density);
  }
  const Estimate condition = both_ends ? condition_number(eigen) : without_value(0);
  double overlap_with_other = 0;
  if (finite && other) {
    const Spectrum there = extreme_spectrum(f, *other, spectrum_options);
    if (there.eigen.status != EigenStatus::converged) {
      fail("{}: the eigenpairs there are not to be had: {}", other_at, there.eigen.message);
    }
    const Index k = std::min(options.all ? size : options.top, size);
    overlap_with_other = overlap(eigen.largest.vectors.leftCols(k), there.eigen.largest.vectors.leftCols(k));
  }
  std::vector<LayerSpectrum> layers;
  if (finite && options.per_layer) {
    CurvatureOperatorOptions whole = options.matrix;
    whole.blocks.clear();
    layers =
        layer_spectra(f, options.matrix.blocks.empty() ? spectrum.matrix : curvature_operator(f, x, whole), options);
  }
  std::optional<ClassFigures> classes;
  if (finite && options.classes) classes = class_figures(f, x, rows, spectrum, options);

  Json json;
  json["problem"] = analysed.specification;
  json["at"] = analysed.at;
  json["curvature"] = to_string(options.matrix.matrix);
  json["precision"] = to_string(options.point.precision);
  json["parameters"] = n;
  json["value"] = json_number(spectrum.value);
  json["gradient_norm"] = json_number(spectrum.gradient_norm);
  json["status"] = to_text(eigen.status);
  json["message"] = eigen.message;
  json["multiplicity_certified"] = eigen.multiplicity_certified;
  json["proved"] = eigen.proved;
  json["gradient_alignment"] = json_number(spectrum.gradient_alignment);
  if (!options.matrix.blocks.empty()) json["blocks"] = options.matrix.blocks;
  json["norm"] = json_number(eigen.norm);
  json["largest"] = json_of(eigen.largest);
  json["smallest"] = json_of(eigen.smallest);
  json["products"] = eigen.products;
  json["seconds"] = json_number(spectrum.seconds);
  for (const WholeFigure& figure : figures) json[figure.key] = json_of(figure.estimate);
  if (spectral.is_finite) {
    json["spectral_norm"] = {{"value", json_number(spectral.value)},
                             {"lower", json_number(spectral.lower)},
                             {"upper", json_number(spectral.upper)}};
  }
  if (condition.is_finite) {
    json["condition_number"] = {{"value", json_number(condition.value)},
                                {"lower", json_number(condition.lower)},
                                {"upper", json_number(condition.upper)}};
  }
  if (diagonal) {
    json["diagonal"] = {{"norm", json_number(diagonal->values.norm())},
                        {"error_norm", json_number(diagonal->standard_errors.norm())},
                        {"negative", (diagonal->values.array() < 0).count()},
                        {"products", diagonal->products},
                        {"exact", diagonal->is_exact},
                        {"reached", diagonal->reached}};
  }
  if (other) json["against"] = {{"at", other_at}, {"overlap", json_number(overlap_with_other)}};
  if (options.trace) json["trace_seconds"] = json_number(trace_seconds);
  if (options.density) json["density_seconds"] = json_number(density_seconds);
  json["memory"] = {{"stated", stated}, {"at_most", at_most}, {"peak", peak_memory()}};
  for (const LayerSpectrum& l : layers) {
    json["layers"].push_back({{"name", l.layer.name},
                              {"parameters", l.layer.size},
                              {"largest", json_of(l.eigen.largest)},
                              {"smallest", json_of(l.eigen.smallest)},
                              {"trace", json_of(l.trace)},
                              {"status", to_text(l.eigen.status)}});
  }
  if (classes) {
    json["classes"] = {{"eigenvalues", Json::array()},
                       {"overlap", json_number(classes->fit.overlap)},
                       {"alignment", json_number(classes->fit.alignment)}};
    for (const double value : classes->structure.values) json["classes"]["eigenvalues"].push_back(json_number(value));
    if (classes->cross) json["classes"]["cross_class"] = json_of(*classes->cross);
    if (!classes->left_out.empty()) json["classes"]["cross_class_left_out"] = classes->left_out;
  }

  Table table;
  table.title = fmt::format("{} of {} at {}", to_string(options.matrix.matrix), analysed.specification, analysed.at);
  table.columns = {{"end", false}, {"eigenvalue"}, {"residual"}, {"converged", false}};
  for (const auto& [end, pairs] : {std::pair{"top", &eigen.largest}, std::pair{"bottom", &eigen.smallest}}) {
    for (Index i = 0; i < pairs->values.size(); ++i) {
      table.add({Cell(end), Cell(significant(pairs->values[i], 8)), Cell(significant(pairs->residuals[i], 2)),
                 Cell(pairs->residuals[i] <= options.tolerance * eigen.norm ? "yes" : "no")});
    }
  }
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "spectrum.json", json_text(json));
    write_file(folder / "spectrum.csv", csv_text(table));
    if (!layers.empty()) write_file(folder / "layers.csv", csv_text(table_of(layers)));
    if (classes && classes->cross && classes->cross->found.is_finite) {
      write_file(folder / "class_parts.csv", csv_text(parts_table(*classes->cross)));
      write_file(folder / "class_shares.csv", csv_text(shares_table(*classes->cross)));
    }
    if (diagonal) write_diagonal(folder, *diagonal, f.layout(), rows);
    if (density) write_density(folder, *density, eigen, table.title);
  }
  if (much) fmt::print(stderr, "memory: {:.0f} MiB at the peak\n", peak_memory() / kMebibyte);
  if (classes && !classes->left_out.empty()) {
    fmt::print(stderr, "hesse: warning: no cross-class structure: {}\n", classes->left_out);
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}\nvalue {:.8g}, gradient norm {:.3g}, n = {}\n", problem.description, spectrum.value, spectrum.gradient_norm,
        n);
    if (!options.all) say("{}", terminal_text(table, terminal_style(stdout)));
    if (options.all) say("{}", terminal_text(ends_of(table, options.top, options.bottom), terminal_style(stdout)));
    const bool sought = options.all || options.top + options.bottom > 0;
    if (sought)
      say("{}{}; multiplicity {}; {} products, {:.3g} s\n", to_text(eigen.status),
          eigen.message.empty() ? "" : ": " + eigen.message,
          eigen.proved                   ? "proved"
          : eigen.multiplicity_certified ? "certified"
                                         : "not certified",
          eigen.products, spectrum.seconds);
    for (const WholeFigure& figure : figures) {
      say("{}: {}; {} products\n", figure.name, text_of(figure.estimate), figure.estimate.products);
    }
    if (condition.is_finite)
      fmt::print("condition number: {} [{}, {}]\n", significant(condition.value, 6), significant(condition.lower, 6),
                 significant(condition.upper, 6));
    if (diagonal) {
      fmt::print(
          "diagonal: norm {:.5g}, norm of its standard errors {:.2g}{}; {} of {} entries below zero; {} products\n",
          diagonal->values.norm(), diagonal->standard_errors.norm(), diagonal->is_exact ? " (exact)" : "",
          (diagonal->values.array() < 0).count(), diagonal->values.size(), diagonal->products);
    }
    if (other) fmt::print("overlap with the top eigenspace at {}: {:.4g}\n", other_at, overlap_with_other);
    if (eigen.largest.values.size() > 0 && std::isfinite(spectrum.gradient_alignment)) {
      say("gradient in the space of the top {}: {:.3g} % of its square\n", eigen.largest.values.size(),
          100 * spectrum.gradient_alignment);
    }
    if (!layers.empty()) say("{}", terminal_text(table_of(layers), terminal_style(stdout)));
    if (classes) print_classes(*classes);
    if (options.plot && finite) {
      print_plot(density ? density_plot(*density, eigen, table.title) : eigenvalue_plot(eigen, table.title));
    }
  }
  switch (eigen.status) {
    case EigenStatus::converged: return kDone;
    case EigenStatus::not_converged: return kTargetNotReached;
    case EigenStatus::non_finite: return kDiverged;
  }
  return kDone;
}

}  // namespace hesse::app
