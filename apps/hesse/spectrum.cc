#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/curvature/spectrum.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/json.h"
#include "hesse/report/run_record.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct SpectrumCommandOptions {
  std::string problem;
  std::string at;
  Index seed = 1;
  Curvature curvature = Curvature::hessian;
  Index top = 5;
  Index bottom = 5;
  double tolerance = 1e-6;
  Precision precision = Precision::float64;
  Index threads = 0;
  std::string output;
  bool json = false;
};
void visit_options(SpectrumCommandOptions& o, OptionVisitor& v) {
  v.option("problem", o.problem, "the objective, as name:key=value,...; taken from the run when --at names one");
  v.option("at", o.at, "point: a run's folder or a safetensors file; the start of the seed when left out");
  v.option("seed", o.seed, Interval::closed(0, 9e15), "of the starting point and of the Lanczos vectors");
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
  visit_precision(o.precision, v);
  visit_threads(o.threads, v);
  v.option("output", o.output, "folder for spectrum.json and spectrum.csv (default: none is written)");
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

}  // namespace

int spectrum_command(Arguments arguments) {
  auto options = read_command_line<SpectrumCommandOptions>(
      "spectrum", "Extreme eigenvalues of a curvature matrix, each with its residual.", arguments);
  use_threads(options.threads);
  namespace fs = std::filesystem;
  fs::path file = options.at;
  if (!options.at.empty() && fs::is_directory(file)) {
    if (options.problem.empty() && fs::exists(file / kRunFile)) {
      options.problem = read_run_record(file / kRunFile).problem.text;
    }
    file /= kCheckpointFile;
  }
  Problem problem = make_problem(options.problem, options.precision);
  const Vector x = options.at.empty() ? problem.start(static_cast<std::uint64_t>(options.seed))
                                      : load_parameters(file, problem.objective->layout());
  const fs::path folder = options.output.empty() ? fs::path() : output_folder(options.output, "spectrum");
  const Index n = x.size();
  SpectrumOptions spectrum_options;
  spectrum_options.curvature = options.curvature;
  spectrum_options.eigen.largest = std::min(options.top, n);
  spectrum_options.eigen.smallest = std::min(options.bottom, n);
  spectrum_options.eigen.tolerance = options.tolerance;
  spectrum_options.eigen.seed = static_cast<std::uint64_t>(options.seed);
  const Spectrum spectrum = extreme_spectrum(*problem.objective, x, spectrum_options);
  const EigenResult& eigen = spectrum.eigen;

  Json json;
  json["problem"] = options.problem;
  json["at"] = options.at.empty() ? fmt::format("start of seed {}", options.seed) : file.string();
  json["curvature"] = to_string(options.curvature);
  json["precision"] = to_string(options.precision);
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

  Table table;
  table.title =
      fmt::format("{} of {} at {}", to_string(options.curvature), options.problem, json["at"].get<std::string>());
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
  }
  switch (eigen.status) {
    case EigenStatus::converged: return kDone;
    case EigenStatus::not_converged: return kTargetNotReached;
    case EigenStatus::non_finite: return kDiverged;
  }
  return kDone;
}

}  // namespace hesse::app
