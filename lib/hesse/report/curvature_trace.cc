#include "hesse/report/curvature_trace.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/comparison.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/step_lines.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

namespace hesse {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kDensityHeader = "step,probe,eigenvalue,weight\n";
constexpr const char* kLayersHeader =
    "step,layer,parameters,largest,largest_residual,smallest,smallest_residual,trace,trace_lower,trace_upper,"
    "converged\n";

std::string density_lines(std::int64_t step, const SpectralDensity& density) {
  std::string text;
  for (std::size_t p = 0; p < density.probes.size(); ++p) {
    const Quadrature& rule = density.probes[p];
    for (Index j = 0; j < rule.nodes.size(); ++j) {
      text += fmt::format("{},{},{},{}\n", step, p, rule.nodes[j], rule.weights[j]);
    }
  }
  return text;
}

std::string layer_lines(std::int64_t step, const std::vector<LayerCurvature>& layers) {
  std::string text;
  for (const LayerCurvature& l : layers) {
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", step, l.name, l.parameters, l.largest, l.largest_residual,
                    l.smallest, l.smallest_residual, l.trace.value, l.trace.lower, l.trace.upper, l.converged ? 1 : 0);
  }
  return text;
}

bool has_figures(const RecordedRun& run, const std::string& column) {
  if (run.trace.find(column) < 0) return false;
  const std::vector<double> figures = run.trace.column(column);
  return std::any_of(figures.begin(), figures.end(), [](double y) { return std::isfinite(y); });
}

/// No two of them are of one method.
bool one_a_method(std::span<const RecordedRun> runs) {
  std::set<std::string> methods;
  return std::all_of(runs.begin(), runs.end(),
                     [&](const RecordedRun& run) { return methods.insert(run.record.optimizer.text).second; });
}

/// A column over steps; with the interval beside it as the band where that is the only spread there is.
Figure figure_of(std::span<const RecordedRun> runs, const CurvatureMeasure& measure) {
  const std::string column = measure.column;
  Figure figure{column, measure.title, fmt::format("{} on all samples.", measure.title)};
  Plot plot = comparison_plot(runs, "step", column);
  plot.y_label = measure.title;
  const bool intervals = std::all_of(runs.begin(), runs.end(), [&](const RecordedRun& run) {
    return run.trace.find(column + "_lower") >= 0 && run.trace.find(column + "_upper") >= 0;
  });
  if (intervals && one_a_method(runs)) {
    plot.series.clear();
    for (const RecordedRun& run : runs) {
      const Trace& t = run.trace;
      std::array<std::vector<double>, 4> kept;
      const std::array<std::vector<double>, 4> all = {t.column("step"), t.column(column), t.column(column + "_lower"),
                                                      t.column(column + "_upper")};
      for (std::size_t i = 0; i < all[0].size(); ++i) {
        if (!std::isfinite(all[1][i])) continue;
        for (std::size_t c = 0; c < 4; ++c) kept[c].push_back(all[c][i]);
      }
      plot.series.push_back(band_series(run.record.optimizer.text, kept[0], kept[1], kept[2], kept[3]));
      plot.log_y = plot.log_y && std::all_of(kept[2].begin(), kept[2].end(), [](double y) { return y > 0; });
    }
    plot.legend = figure.note = "estimate, 95 % interval";
    plot.figures = {"estimate", "lower", "upper"};
    figure.band_only = true;
  }
  figure.views.push_back({"steps", std::move(plot)});
  return figure;
}

/// The edge that all have in this column.
std::optional<StabilityEdge> common_edge(std::span<const RecordedRun> runs, const std::string& column) {
  std::optional<StabilityEdge> common;
  for (const RecordedRun& run : runs) {
    std::optional<StabilityEdge> edge = stability_edge(run.record);
    if (!edge || edge->column != column || (common && common->value != edge->value)) return std::nullopt;
    common = std::move(edge);
  }
  return common;
}

/// Each run's largest eigenvalue, preconditioned where its method is, over its edge: those that have both.
std::vector<RecordedRun> over_their_edges(std::span<const RecordedRun> runs, std::set<double>& edges) {
  std::vector<RecordedRun> out;
  for (const RecordedRun& run : runs) {
    const std::optional<StabilityEdge> edge = stability_edge(run.record);
    if (!edge || !has_figures(run, edge->column)) continue;
    edges.insert(edge->value);
    RecordedRun& one = out.emplace_back(run);
    std::vector<double> ratios = run.trace.column(edge->column);
    one.trace = {{"step", "over_edge"}, {}};
    for (std::size_t i = 0; i < ratios.size(); ++i)
      one.trace.rows.push_back({run.trace.rows[i][0], ratios[i] / edge->value});
  }
  return out;
}

/// One step's quadrature, as it is in the file.
struct DensityRow {
  double step = 0;
  std::map<Index, std::vector<std::pair<double, double>>> probes;  ///< eigenvalues and weights
};

std::vector<DensityRow> read_density(const std::filesystem::path& path) {
  constexpr double kMostProbes = 1e9;
  const std::string file = path.string();
  const Table table = read_csv_table(path);
  const std::vector<double> steps = numbers_of(table, "step", file);
  const std::vector<double> probes = numbers_of(table, "probe", file);
  const std::vector<double> nodes = numbers_of(table, "eigenvalue", file);
  const std::vector<double> weights = numbers_of(table, "weight", file);
  std::vector<DensityRow> rows;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!(probes[i] >= 0 && probes[i] <= kMostProbes) || probes[i] != std::floor(probes[i])) {
      fail("{}: row {}: the probe is no whole number from 0 to {}", file, i + 1, kMostProbes);
    }
    if (!std::isfinite(steps[i]) || !std::isfinite(nodes[i]) || !std::isfinite(weights[i])) continue;
    if (rows.empty() || rows.back().step != steps[i]) rows.push_back({steps[i], {}});
    rows.back().probes[static_cast<Index>(probes[i])].emplace_back(nodes[i], weights[i]);
  }
  return rows;
}

/// The mean over the probes of their blurred densities.
Vector density_of(const DensityRow& row, const Vector& lambda, double sigma) {
  Vector sum = Vector::Zero(lambda.size());
  for (const auto& [probe, pairs] : row.probes) {
    Quadrature rule{Vector(std::ssize(pairs)), Vector(std::ssize(pairs))};
    for (Index j = 0; j < std::ssize(pairs); ++j) {
      std::tie(rule.nodes[j], rule.weights[j]) = pairs[static_cast<std::size_t>(j)];
    }
    sum += density_at(rule, lambda, sigma);
  }
  return sum / static_cast<double>(row.probes.size());
}

/// Letters, digits, '_', '-' and '.' of a method's text.
std::string file_name(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.'; },
      '_');
  return out;
}

}  // namespace

CurvatureTrace::CurvatureTrace(const std::filesystem::path& folder, std::shared_ptr<Objective> f,
                               const CurvatureTraceOptions& options)
    : path_(folder / kCurvatureFile),
      density_path_(folder / kCurvatureDensityFile),
      layers_path_(folder / kCurvatureLayersFile),
      f_(std::move(f)),
      every_steps_(options.every_steps),
      meter_(f_->size(), options) {
  if (options.every_steps < 1) {
    fail("curvature trace: a row every {} steps is not possible; give a whole number >= 1", options.every_steps);
  }
  check_curvature_measures(*f_, options.measures);
  const auto measured = [&](const char* name) {
    return std::find(options.measures.begin(), options.measures.end(), name) != options.measures.end();
  };
  with_density_ = measured("density");
  with_layers_ = measured("layers");
  trace_.columns = {"step"};
  trace_.columns.insert(trace_.columns.end(), meter_.columns().begin(), meter_.columns().end());
}

void CurvatureTrace::begin(const Progress& progress, const Vector& x, Optimizer& optimizer) {
  optimizer_ = &optimizer;
  trace_.rows.clear();
  std::error_code error;
  if (progress.step > 0 && std::filesystem::exists(path_, error)) {
    Trace old = read_trace(path_);
    if (old.columns != trace_.columns) {
      fail("{}: line 1: the columns are those of another run; give the resumed run the same measures", path_.string());
    }
    // Rows after the checkpoint are made again, and one that only told where the run was interrupted is none of it.
    std::erase_if(old.rows, [&](const auto& row) {
      const auto step = static_cast<std::int64_t>(row[0]);
      return step > progress.step || step % every_steps_ != 0;
    });
    trace_ = std::move(old);
  }
  std::set<std::int64_t> steps;
  for (const auto& row : trace_.rows) steps.insert(static_cast<std::int64_t>(row[0]));
  std::function<bool(std::int64_t)> kept;
  if (!steps.empty()) kept = [&](std::int64_t step) { return steps.contains(step); };
  if (with_density_) begin_step_lines(density_path_, kDensityHeader, kept);
  if (with_layers_) begin_step_lines(layers_path_, kLayersHeader, kept);
  if (trace_.rows.empty()) record(progress.step, x, optimizer);
}

bool CurvatureTrace::after_step(const Iterate& iterate) {
  if (iterate.progress.step % every_steps_ == 0) record(iterate.progress.step, iterate.x, iterate.optimizer);
  return false;
}

void CurvatureTrace::end(const Summary& summary, const Vector& x) {
  const bool recorded = !trace_.rows.empty() && trace_.rows.back()[0] >= static_cast<double>(summary.progress.step);
  if (recorded || summary.termination == Termination::non_finite) return;
  // A run that was interrupted goes on as if this row had not been.
  const CurvatureMeter before = meter_;
  record(summary.progress.step, x, *optimizer_);
  meter_ = before;
}

void CurvatureTrace::record(std::int64_t step, const Vector& x, const Optimizer& optimizer) {
  const CurvatureReading reading = meter_.read(*f_, x, optimizer.diagonal_preconditioner());
  std::vector<double>& row = trace_.rows.emplace_back(1, static_cast<double>(step));
  row.insert(row.end(), reading.figures.begin(), reading.figures.end());
  if (with_density_) append_step_lines(density_path_, density_lines(step, reading.density));
  if (with_layers_) append_step_lines(layers_path_, layer_lines(step, reading.layers));
  write_file(path_, trace_text(trace_));
}

std::optional<StabilityEdge> stability_edge(const RunRecord& record) {
  const RecordedSpec& optimizer = record.optimizer;
  if (optimizer.text.find('+') != std::string::npos) return std::nullopt;
  const std::string name = optimizer.text.substr(0, optimizer.text.find_first_of(": "));
  const auto text = [&](std::string_view key) -> std::string {
    for (const auto& [used, value] : optimizer.used) {
      if (used == key) return value;
    }
    return {};
  };
  const auto option = [&](std::string_view key) {
    const std::string value = text(key);
    return value.empty() ? 0.0 : parse_number(key, value);
  };
  const double lr = option("lr");
  if (!(lr > 0) || option("weight_decay") != 0) return std::nullopt;
  const double beta = option("momentum");
  if (name == "gd" || name == "sgd" || name == "momentum") {
    if (beta == 0) return StabilityEdge{"sharpness", 2 / lr, "2 / lr"};
    if (text("nesterov") == "true") {
      return StabilityEdge{"sharpness", 2 * (1 + beta) / ((1 + 2 * beta) * lr), "2 (1 + beta) / ((1 + 2 beta) lr)"};
    }
    if (text("form") == "averaged") {
      return StabilityEdge{"sharpness", 2 * (1 + beta) / ((1 - beta) * lr), "2 (1 + beta) / ((1 - beta) lr)"};
    }
    return StabilityEdge{"sharpness", 2 * (1 + beta) / lr, "2 (1 + beta) / lr"};
  }
  if (name == "rmsprop") return StabilityEdge{"preconditioned", 2 * (1 + beta) / lr, "2 (1 + beta) / lr"};
  if (name == "adam") {
    const double beta1 = option("beta1");
    return StabilityEdge{"preconditioned", 2 * (1 + beta1) / ((1 - beta1) * lr), "2 (1 + beta1) / ((1 - beta1) lr)"};
  }
  return std::nullopt;
}

std::vector<RecordedRun> with_curvature(std::span<const RecordedRun> runs) {
  std::vector<RecordedRun> out;
  for (const RecordedRun& run : runs) {
    if (!std::filesystem::exists(run.folder / kCurvatureFile)) continue;
    RecordedRun& one = out.emplace_back(run);
    one.trace = read_trace(run.folder / kCurvatureFile);
    one.record.verdict.reset();  // the curvature of a run that diverged just ends
  }
  return out;
}

std::vector<CurvatureFigure> curvature_figures(std::span<const RecordedRun> runs) {
  std::vector<CurvatureFigure> figures;
  for (const CurvatureMeasure& measure : drawn_curvature_columns()) {
    std::vector<RecordedRun> with;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(with),
                 [&](const RecordedRun& run) { return has_figures(run, measure.column); });
    if (with.empty()) continue;
    Figure figure = figure_of(with, measure);
    if (const std::optional<StabilityEdge> edge = common_edge(with, measure.column)) {
      figure.views.front().plot.target = edge->value;
      figure.views.front().plot.target_label = edge->formula;
    }
    figures.push_back({std::move(figure), std::move(with)});
  }
  std::set<double> edges;
  std::vector<RecordedRun> ratios = over_their_edges(runs, edges);
  if (edges.size() > 1) {
    Figure figure = figure_of(
        ratios, {"over-edge", "over_edge", "largest eigenvalue, preconditioned where the method is, over its edge"});
    figure.views.front().plot.target = 1;
    figure.views.front().plot.target_label = "edge of stability";
    figures.push_back({std::move(figure), std::move(ratios)});
  }
  return figures;
}

std::optional<ContourPlot> density_map(const RecordedRun& run) {
  constexpr Index kMostColumns = 200;
  constexpr Index kHeight = 160;
  constexpr double kFloor = 1e-6;  // of the largest density
  if (!std::filesystem::exists(run.folder / kCurvatureDensityFile)) return std::nullopt;
  const std::vector<DensityRow> rows = read_density(run.folder / kCurvatureDensityFile);
  if (rows.size() < 2) return std::nullopt;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const DensityRow& row : rows) {
    for (const auto& [probe, pairs] : row.probes) {
      for (const auto& [eigenvalue, weight] : pairs) {
        low = std::min(low, eigenvalue);
        high = std::max(high, eigenvalue);
      }
    }
  }
  const double range = std::max(high - low, 1e-12 * std::max(std::abs(low), std::abs(high)));
  if (!(range > 0)) return std::nullopt;
  const double sigma = range / 100;
  ContourPlot plot;
  plot.title = run.record.optimizer.text;
  plot.x_label = "steps";
  plot.y_label = "eigenvalue of the Hessian";
  plot.value_label = "density";
  plot.lines = false;
  const Index columns = std::min<Index>(kMostColumns, std::ssize(rows));
  plot.x = Vector::LinSpaced(columns, rows.front().step, rows.back().step);
  plot.y = Vector::LinSpaced(kHeight, low - 3 * sigma, high + 3 * sigma);
  plot.values.resize(columns, kHeight);
  std::size_t at = 0;
  for (Index i = 0; i < columns; ++i) {
    // A step that rounding puts just before its row is that row's.
    while (at + 1 < rows.size() && rows[at + 1].step <= plot.x[i] + 1e-6) ++at;
    plot.values.row(i) = density_of(rows[at], plot.y, sigma).transpose();
  }
  plot.values = plot.values.cwiseMax(kFloor * plot.values.maxCoeff());
  return plot;
}

std::vector<Figure> layer_figures(const RecordedRun& run) {
  const std::filesystem::path path = run.folder / kCurvatureLayersFile;
  if (!std::filesystem::exists(path)) return {};
  const std::string file = path.string();
  const Table table = read_csv_table(path);
  const std::vector<std::string> names = texts_of(table, "layer", file);
  const std::vector<double> steps = numbers_of(table, "step", file);
  std::vector<std::string> layers;
  for (const std::string& name : names) {
    if (std::find(layers.begin(), layers.end(), name) == layers.end()) layers.push_back(name);
  }
  struct Drawn {
    const char* column;
    const char* title;
    bool with_interval;
  };
  std::vector<Figure> figures;
  for (const auto& [column, title, with_interval] :
       {Drawn{"largest", "largest eigenvalues of the layers' diagonal blocks", false},
        Drawn{"smallest", "smallest eigenvalues of the layers' diagonal blocks", false},
        Drawn{"trace", "traces of the layers' diagonal blocks", true}}) {
    const std::vector<double> values = numbers_of(table, column, file);
    std::vector<double> lower = values;
    std::vector<double> upper = values;
    if (with_interval) {
      lower = numbers_of(table, fmt::format("{}_lower", column), file);
      upper = numbers_of(table, fmt::format("{}_upper", column), file);
    }
    Plot plot;
    plot.title = run.record.optimizer.text;
    plot.x_label = "steps";
    plot.y_label = title;
    plot.log_y = true;
    plot.legend = "layer";
    for (const std::string& layer : layers) {
      std::array<std::vector<double>, 4> kept;
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] != layer || !std::isfinite(steps[i]) || !std::isfinite(values[i])) continue;
        kept[0].push_back(steps[i]);
        kept[1].push_back(values[i]);
        kept[2].push_back(lower[i]);
        kept[3].push_back(upper[i]);
        plot.log_y = plot.log_y && lower[i] > 0;
      }
      if (kept[0].empty()) continue;
      if (with_interval) {
        plot.series.push_back(band_series(layer, kept[0], kept[1], kept[2], kept[3]));
      } else {
        plot.series.push_back({layer, {{kept[0], kept[1]}}});
      }
    }
    if (plot.series.empty()) continue;
    Figure figure{fmt::format("layers_{}", column), title, fmt::format("{} on all samples.", title)};
    if (with_interval) {
      plot.legend = figure.note = "estimate, 95 % interval";
      plot.figures = {"estimate", "lower", "upper"};
      figure.band_only = true;
    }
    figure.views.push_back({"steps", std::move(plot)});
    figures.push_back(std::move(figure));
  }
  return figures;
}

void write_curvature_plots(const std::filesystem::path& folder, std::span<const RecordedRun> runs, Palette& palette) {
  for (const CurvatureFigure& each : curvature_figures(runs)) {
    write_plot(folder / fmt::format("{}_by_steps.svg", each.figure.name), each.figure.views.front().plot, palette);
  }
  for (const RecordedRun& run : runs) {
    const std::string which =
        runs.size() == 1 ? "" : fmt::format("_{}_seed-{}", file_name(run.record.optimizer.text), run.record.seed);
    for (const Figure& figure : layer_figures(run)) {
      write_plot(folder / fmt::format("{}_by_steps{}.svg", figure.name, which), figure.views.front().plot, palette);
    }
    if (const std::optional<ContourPlot> map = density_map(run)) {
      write_contour_plot(folder / fmt::format("density_by_steps{}.svg", which), *map);
    }
  }
}

}  // namespace hesse
