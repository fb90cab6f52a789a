#include "analysed_point.h"
#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/curvature/spectral_density.h"
#include "hesse/curvature/spectrum.h"
#include "hesse/curvature/trace_estimation.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

namespace hesse::app {
namespace {

struct SpectrumCommandOptions {
  PointOptions point;
  Curvature curvature = Curvature::hessian;
  Index top = 5;
  Index bottom = 5;
  double tolerance = 1e-6;
  bool trace = false;
  Index products = 100;
  bool density = false;
  Index probes = 10;
  Index steps = 80;
  Index threads = 0;
  std::string output;
  bool json = false;
};
void visit_options(SpectrumCommandOptions& o, OptionVisitor& v) {
  visit_point_options(o.point, v);
  v.choice("curvature", o.curvature,
           {{"hessian", Curvature::hessian},
            {"gauss-newton", Curvature::gauss_newton},
            {"fisher", Curvature::fisher},
            {"fisher-sampled", Curvature::fisher_sampled},
            {"fisher-empirical", Curvature::fisher_empirical}},
           "matrix whose eigenvalues are wanted");
  v.option("top", o.top, Interval::closed(0, 1000), "largest eigenvalues; all if there are fewer");
  v.option("bottom", o.bottom, Interval::closed(0, 1000), "smallest eigenvalues; all if there are fewer");
  v.option("tolerance", o.tolerance, Interval::open(0, 1), "on |Av - lambda v| / |A|");
  v.option("trace", o.trace, "trace and Frobenius norm too, with 95 % intervals");
  v.option("products", o.products, Interval::closed(6, 1e6), "for the trace, and for the norm, at most");
  v.option("density", o.density, "the whole spectrum too, by stochastic Lanczos quadrature");
  v.option("probes", o.probes, Interval::closed(2, 10000), "of the density");
  v.option("steps", o.steps, Interval::closed(1, 10000), "of Lanczos from each probe");
  visit_threads(o.threads, v);
  v.option(
      "output", o.output,
      "folder for spectrum.json and spectrum.csv, and density.csv and density_plot.svg (default: none is written)");
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
  if (e.standard_error == 0) return fmt::format("{} exactly", significant(e.value, 8));
  return fmt::format("{} [{}, {}]", significant(e.value, 5), significant(e.lower, 4), significant(e.upper, 4));
}

/// A figure of the operator as a whole: its name, for a person and in JSON, and what it was estimated as.
struct WholeFigure {
  const char* name;
  const char* key;
  Estimate estimate;
};

/// Eigenvalues within this share of the largest node count as near zero.
constexpr double kNearZero = 1e-3;

std::vector<WholeFigure> counts_of(const SpectralDensity& density) {
  const double zero = kNearZero * std::max(std::abs(density.least), std::abs(density.greatest));
  return {
      {"eigenvalues below zero", "negative", spectral_sum(density, [zero](double x) { return x < -zero ? 1.0 : 0.0; })},
      {"eigenvalues near zero", "near_zero",
       spectral_sum(density, [zero](double x) { return std::abs(x) <= zero ? 1.0 : 0.0; })},
      {"eigenvalues above zero", "positive", spectral_sum(density, [zero](double x) { return x > zero ? 1.0 : 0.0; })}};
}

/// density.csv and density_plot.svg: on 400 points from end to end, blurred by a two-hundredth of the range.
void write_density(const std::filesystem::path& folder, const SpectralDensity& density, const std::string& title) {
  const double range = std::max(density.greatest - density.least, 1e-12 * std::abs(density.greatest));
  if (!(range > 0)) return;
  const double sigma = range / 200;
  const Vector lambda = Vector::LinSpaced(400, density.least - 4 * sigma, density.greatest + 4 * sigma);
  const Band95 band = density_at(density, lambda, sigma);
  Table table;
  table.columns = {{"lambda"}, {"density"}, {"lower"}, {"upper"}};
  for (Index i = 0; i < lambda.size(); ++i) {
    table.add({Cell(fmt::format("{}", lambda[i])), Cell(fmt::format("{}", band.value[i])),
               Cell(fmt::format("{}", band.lower[i])), Cell(fmt::format("{}", band.upper[i]))});
  }
  write_file(folder / "density.csv", csv_text(table));
  Plot plot;
  plot.title = title;
  plot.x_label = "eigenvalue";
  plot.y_label = "density";
  plot.log_y = true;
  plot.legend = "median over probes, quartiles";
  Series& series = plot.series.emplace_back(Series{"stochastic Lanczos quadrature", {}});
  const double floor = 1e-6 * band.value.maxCoeff();
  for (const Quadrature& probe : density.probes) {
    const Vector y = density_at(probe, lambda, sigma);
    Curve& curve = series.runs.emplace_back();
    for (Index i = 0; i < lambda.size(); ++i) {
      curve.x.push_back(lambda[i]);
      curve.y.push_back(std::max(y[i], floor));
    }
  }
  Palette palette;
  try {
    write_plot(folder / "density_plot.svg", plot, palette);
  } catch (const Error& e) {
    fmt::print(stderr, "hesse: warning: the density was not drawn: {}\n", e.what());
  }
}

}  // namespace

int spectrum_command(Arguments arguments) {
  auto options = read_command_line<SpectrumCommandOptions>(
      "spectrum", "Extreme eigenvalues of a curvature matrix, each with its residual.", arguments);
  use_threads(options.threads);
  AnalysedPoint analysed = load_point(options.point);
  Problem& problem = analysed.problem;
  const Vector& x = analysed.x;
  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path() : output_folder(options.output, "spectrum");
  const auto seed = static_cast<std::uint64_t>(options.point.seed);
  const Index n = x.size();
  SpectrumOptions spectrum_options;
  spectrum_options.curvature = options.curvature;
  spectrum_options.eigen.largest = std::min(options.top, n);
  spectrum_options.eigen.smallest = std::min(options.bottom, n);
  spectrum_options.eigen.tolerance = options.tolerance;
  spectrum_options.eigen.seed = seed;
  const Spectrum spectrum = extreme_spectrum(*problem.objective, x, spectrum_options);
  const EigenResult& eigen = spectrum.eigen;
  std::vector<WholeFigure> figures;
  SpectralDensity density;
  if (eigen.status != EigenStatus::non_finite && (options.trace || options.density)) {
    const auto A = problem.objective->curvature(x, options.curvature);
    if (options.trace) {
      TraceOptions trace;
      trace.max_products = options.products;
      trace.seed = seed;
      figures.push_back({"trace", "trace", estimate_trace(*A, trace)});
      figures.push_back({"Frobenius norm squared", "frobenius_square", estimate_frobenius_square(*A, trace)});
    }
    if (options.density) {
      density = spectral_density(*A, {options.probes, options.steps, seed});
      for (WholeFigure& figure : counts_of(density)) figures.push_back(std::move(figure));
    }
  }

  Json json;
  json["problem"] = analysed.specification;
  json["at"] = analysed.at;
  json["curvature"] = to_string(options.curvature);
  json["precision"] = to_string(options.point.precision);
  json["parameters"] = n;
  json["value"] = json_number(spectrum.value);
  json["gradient_norm"] = json_number(spectrum.gradient_norm);
  json["status"] = to_text(eigen.status);
  json["message"] = eigen.message;
  json["multiplicity_certified"] = eigen.multiplicity_certified;
  json["norm"] = json_number(eigen.norm);
  json["largest"] = json_of(eigen.largest);
  json["smallest"] = json_of(eigen.smallest);
  json["products"] = eigen.products;
  json["seconds"] = json_number(spectrum.seconds);
  for (const WholeFigure& figure : figures) json[figure.key] = json_of(figure.estimate);

  Table table;
  table.title = fmt::format("{} of {} at {}", to_string(options.curvature), analysed.specification, analysed.at);
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
    if (!density.probes.empty()) write_density(folder, density, table.title);
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    fmt::print("{}\nvalue {:.8g}, gradient norm {:.3g}, n = {}\n", problem.description, spectrum.value,
               spectrum.gradient_norm, n);
    fmt::print("{}", terminal_text(table, terminal_style(stdout)));
    fmt::print("{}{}; multiplicity {}; {} products, {:.3g} s\n", to_text(eigen.status),
               eigen.message.empty() ? "" : ": " + eigen.message,
               eigen.multiplicity_certified ? "certified" : "not certified", eigen.products, spectrum.seconds);
    for (const WholeFigure& figure : figures) {
      fmt::print("{}: {}; {} products\n", figure.name, text_of(figure.estimate), figure.estimate.products);
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
