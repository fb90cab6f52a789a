#include "analysed_point.h"
#include "command_line.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/curvature/rescaling.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/curvature/smoothed_loss.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

namespace hesse::app {
namespace {

namespace fs = std::filesystem;

struct SharpnessCommandOptions {
  PointOptions point;
  std::string against;
  double rescale = 1;
  Index pair = 1;
  std::string measures;
  SharpnessOptions measure;
  Index threads = 0;
  std::string output;
  bool json = false;
  bool dry_run = false;
};
void visit_options(SharpnessCommandOptions& o, OptionVisitor& v) {
  visit_point_options(o.point, v);
  v.option("against", o.against, "a second point of the same problem, and a verdict: is the first flatter or sharper?");
  v.option("rescale", o.rescale, Interval::positive(),
           "alpha: measure again with one layer times alpha and the next divided by it, which computes the same");
  v.option("pair", o.pair, Interval::at_least(1), "which two layers, counted from the input");
  v.option("measures", o.measures,
           fmt::format("some of {}; all that there are when left out", fmt::join(sharpness_measures(), ",")));
  SharpnessOptions& m = o.measure;
  v.choice("curvature", m.curvature,
           {{"hessian", Curvature::hessian},
            {"gauss-newton", Curvature::gauss_newton},
            {"fisher", Curvature::fisher},
            {"fisher-sampled", Curvature::fisher_sampled},
            {"fisher-empirical", Curvature::fisher_empirical}},
           "matrix of eigenvalue, trace, norm and volume");
  v.option("products", m.max_products, Interval::closed(6, 1e6), "for each trace and norm; exact where n is no more");
  v.option("probes", m.probes, Interval::closed(2, 10000), "of the log-volume");
  v.option("steps", m.steps, Interval::closed(1, 10000), "of Lanczos from each probe");
  v.option("delta", m.delta, Interval::positive(), "of the log-volume: curvature below it counts as flat");
  v.option("epsilon", m.epsilon, Interval::positive(), "of Keskar's box |z_i| <= epsilon (|x_i| + 1)");
  v.option("subspace", m.subspace, Interval::closed(1, 1e6), "p: dimensions of Keskar's random subspace, at most n");
  v.option("rho", m.rho, Interval::positive(), "radius of SAM's ball");
  v.option("adaptive-rho", m.adaptive_rho, Interval::positive(), "radius in units of the parameters");
  v.option("eta", m.eta, Interval::non_negative(), "added to the size of each parameter; > 0 is not invariant");
  v.option("m", m.m, Interval::closed(1, 1e9), "samples of a batch of m-sharpness");
  v.option("batches", m.batches, Interval::closed(2, 1e9), "of m-sharpness, at most");
  v.option("iterations", m.ascent.iterations, Interval::closed(0, 1e6), "of ascent from each start");
  v.option("starts", m.ascent.random_starts, Interval::closed(0, 1e6), "of ascent at random, beside the gradient's");
  v.option("sigma", m.sigma, Interval::positive(), "deviation of the noise");
  v.option("adaptive-sigma", m.adaptive_sigma, Interval::positive(), "the same in units of the parameters");
  v.option("rise", m.rise, Interval::positive(), "of the loss, at the PAC-Bayes sigma");
  v.option("gamma", m.gamma, Interval::positive(), "of the local entropy: noise has the variance 1 / gamma");
  v.option("samples", m.samples, Interval::closed(4, 1e9), "of noise, in pairs u and -u");
  v.option("layer", m.layer, "weights for relative flatness, as 'layer3.weight'; the last when left out");
  visit_threads(o.threads, v);
  v.option("output", o.output,
           "folder for sharpness.json and sharpness.csv, and rise.csv and rise_plot.svg (default: none is written)");
  v.option("json", o.json, "print JSON");
  v.option("dry-run", o.dry_run, "say how many evaluations it takes, and for how long; compute nothing else");
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> list;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    list.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

Json json_of(const SharpnessReport& report) {
  Json json;
  json["value"] = json_number(report.value);
  json["gradient_norm"] = json_number(report.gradient_norm);
  json["status"] = report.is_finite ? "finite" : "non-finite";
  json["message"] = report.message;
  json["measures"] = Json::array();
  for (const Measure& m : report.measures) {
    json["measures"].push_back({{"key", m.key},
                                {"name", m.name},
                                {"value", json_number(m.number.value)},
                                {"standard_error", json_number(m.number.standard_error)},
                                {"lower", json_number(m.number.lower)},
                                {"upper", json_number(m.number.upper)},
                                {"kind", to_string(m.kind)},
                                {"invariant", m.invariant},
                                {"flat_is", m.large_is_flat ? "large" : "small"},
                                {"note", m.note}});
  }
  json["left_out"] = Json::array();
  for (const LeftOut& left : report.left_out) json["left_out"].push_back({{"name", left.name}, {"why", left.why}});
  return json;
}

const char* yes_or_no(bool yes) { return yes ? "yes" : "no"; }

std::string error_text(const Measure& m) {
  const Estimate& e = m.number;
  if (!e.is_finite) return m.note.empty() ? "none: not finite" : "none";
  const bool interval = e.standard_error > 0 || (m.kind == NumberKind::estimate && e.lower != e.upper);
  if (interval) return fmt::format("[{}, {}]", significant(e.lower, 4), significant(e.upper, 4));
  if (m.kind == NumberKind::lower_bound) return "or more";
  return m.rounding > 0 ? fmt::format("+-{}", significant(m.rounding, 1)) : "rounding";
}

Table table_of(const SharpnessReport& report) {
  Table table;
  table.columns = {{"measure", false},   {"value"},          {"error", false}, {"kind", false},
                   {"invariant", false}, {"flat is", false}, {"note", false}};
  for (const Measure& m : report.measures) {
    table.add({Cell(m.name), Cell(significant(m.number.value, 5)), Cell(error_text(m)), Cell(to_string(m.kind)),
               Cell(yes_or_no(m.invariant)), Cell(m.large_is_flat ? "large" : "small"), Cell(m.note)});
  }
  return table;
}

/// Two points side by side; `says` is what one measure says of both.
template <class Says>
Table table_of(const SharpnessReport& a, const SharpnessReport& b, const char* name_of_b, const char* question,
               const Says& says) {
  Table table;
  table.columns = {{"measure", false}, {"value"}, {name_of_b}, {"ratio"}, {"invariant", false}, {question, false}};
  // The same measures in the same order: both come from the same options and objective.
  for (std::size_t i = 0; i < std::min(a.measures.size(), b.measures.size()); ++i) {
    const Measure& one = a.measures[i];
    const Measure& other = b.measures[i];
    table.add({Cell(one.name), Cell(significant(one.number.value, 5)), Cell(significant(other.number.value, 5)),
               Cell(significant(other.number.value / one.number.value, 5)), Cell(yes_or_no(one.invariant)),
               Cell(says(one, other))});
  }
  return table;
}

/// A point and what the figure calls it.
struct NamedPoint {
  const char* name;
  const Vector* x;
};

/// Of sigma in the figure of the rise.
constexpr int kSteps = 12;

/// rise.csv and rise_plot.svg: the expected sharpness over sigma from 1e-3 to 1, plain and in units of the parameters.
void write_rises(const fs::path& folder, Objective& f, std::span<const NamedPoint> points,
                 const SharpnessOptions& options, const std::string& title) {
  Table table;
  table.columns = {{"point", false}, {"units", false}, {"sigma"}, {"rise"}, {"lower"}, {"upper"}};
  Plot plot;
  plot.title = title;
  plot.x_label = "sigma";
  plot.y_label = "expected rise of the loss";
  plot.log_x = plot.log_y = true;
  plot.legend = fmt::format("mean over {} draws", 2 * (options.samples / 2));
  for (const NamedPoint& point : points) {
    for (const Units units : {Units::plain, Units::elementwise}) {
      Curve curve;
      for (int k = 0; k <= kSteps; ++k) {
        const double sigma = std::pow(10, 3.0 * k / kSteps - 3);
        const Estimate rise =
            expected_rise(f, *point.x, sigma, {units, options.eta, options.samples / 2, options.seed});
        table.add({Cell(point.name), Cell(to_string(units)), Cell(fmt::format("{}", sigma)),
                   Cell(fmt::format("{}", rise.value)), Cell(fmt::format("{}", rise.lower)),
                   Cell(fmt::format("{}", rise.upper))});
        curve.x.push_back(sigma);
        curve.y.push_back(rise.value);
      }
      plot.series.push_back({fmt::format("{}, {}", point.name, to_string(units)), {std::move(curve)}});
    }
  }
  write_file(folder / "rise.csv", csv_text(table));
  Palette palette;
  try {
    write_plot(folder / "rise_plot.svg", plot, palette);
  } catch (const Error& e) {
    fmt::print(stderr, "hesse: warning: the rise was not drawn: {}\n", e.what());
  }
}

/// What the measures evaluate at one point or at both, and the figure beside them.
AnalysisWork work_of(Objective& f, const Vector& x, const SharpnessCommandOptions& options, bool two) {
  const SharpnessWork one = sharpness_work(f, x, options.measure);
  const double points = two ? 2 : 1;
  AnalysisWork work;
  work.values = points * one.values;
  work.gradients = points * one.gradients;
  work.products = points * one.products;
  work.bytes = one.bytes;
  work.vectors_at_once = one.vectors_at_once;
  if (!options.output.empty()) {
    work.values += points * 2 * (kSteps + 1) * static_cast<double>(1 + 2 * (options.measure.samples / 2));
  }
  if (one.guessed_products > 0) {
    work.notes.push_back(
        fmt::format("of the products {:.0f} are a guess of what Lanczos takes for the largest eigenvalue",
                    points * one.guessed_products));
  }
  work.notes.emplace_back("an ascent that shortens a step evaluates more, and one that ends early less");
  return work;
}

/// Whether a mean over noise was measured, and so is worth a figure.
bool has_noise(const SharpnessReport& report) {
  return std::any_of(report.measures.begin(), report.measures.end(),
                     [](const Measure& m) { return m.key == "expected" || m.key == "pac-bayes"; });
}

}  // namespace

int sharpness_command(Arguments arguments) {
  auto options = read_command_line<SharpnessCommandOptions>(
      "sharpness", "Sharpness of a minimum by every measure, and which of them a rescaling of layers changes.",
      arguments);
  use_threads(options.threads);
  const bool rescale = options.rescale != 1;
  if (options.pair != 1 && !rescale) fail("hesse sharpness: --pair names the layers of --rescale; give that too");
  if (rescale && !options.against.empty()) fail("hesse sharpness: give --rescale or --against, not both");
  options.measure.measures = words(options.measures);
  options.measure.seed = static_cast<std::uint64_t>(options.point.seed);
  AnalysedPoint analysed = load_point(options.point);
  Objective& f = *analysed.problem.objective;
  const Vector& x = analysed.x;
  const fs::path folder = options.output.empty() ? fs::path() : output_folder(options.output, "sharpness");

  Vector y;
  std::string other_point;
  double change = 0;
  if (rescale) {
    auto* network = find<NetworkObjective>(f);
    if (network == nullptr)
      fail("hesse sharpness: '{}' is no network, so that there is no layer to rescale", analysed.specification);
    const std::vector<RescalablePair> pairs = rescalable_pairs(network->network());
    if (options.pair > static_cast<Index>(pairs.size())) {
      fail("hesse sharpness: there are {} pairs of layers that can be rescaled; give --pair 1 to {}", pairs.size(),
           pairs.size());
    }
    const RescalablePair pair = pairs[static_cast<std::size_t>(options.pair - 1)];
    y = rescaled(network->network(), x, pair, options.rescale);
    change = output_change(*network, x, y);
    const auto name = [&](std::size_t l) {
      return fmt::format("{} ({})", l + 1, network->network().layers()[l]->name());
    };
    other_point =
        fmt::format("layer {} times {:g}, layer {} divided by it", name(pair.first), options.rescale, name(pair.next));
  } else if (!options.against.empty()) {
    ReadPoint other = load_point_of(analysed.problem, options.against);
    y = std::move(other.x);
    other_point = std::move(other.at);
  }

  if (options.dry_run) return dry_run(f, x, work_of(f, x, options, y.size() > 0), options.json);
  const SharpnessReport here = measure_sharpness(f, x, options.measure);
  const bool two = y.size() > 0;
  const SharpnessReport there = two ? measure_sharpness(f, y, options.measure) : SharpnessReport{};
  const bool is_finite = here.is_finite && there.is_finite;

  const double tolerance = here.tolerance;
  std::vector<std::string> moved, stayed, broken;
  for (std::size_t i = 0; rescale && is_finite && i < here.measures.size(); ++i) {
    const Measure& m = here.measures[i];
    const bool has = has_moved(m, there.measures[i], tolerance);
    (has ? moved : stayed).push_back(m.key);
    if (has && m.invariant) broken.push_back(m.key);
  }
  const bool same_function = change <= tolerance;
  const FlatnessVerdict verdict =
      !rescale && two && is_finite ? compare_flatness(here.measures, there.measures, tolerance) : FlatnessVerdict{};

  Json json;
  json["problem"] = analysed.specification;
  json["at"] = analysed.at;
  json["precision"] = to_string(options.point.precision);
  json["parameters"] = x.size();
  json["point"] = json_of(here);
  if (rescale) {
    json["rescaled"] = json_of(there);
    json["rescaling"] = {
        {"alpha", options.rescale},       {"layers", other_point}, {"output_change", json_number(change)},
        {"same_function", same_function}, {"moved", moved},        {"stayed", stayed}};
  } else if (two) {
    json["against"] = json_of(there);
    json["against"]["at"] = other_point;
    json["verdict"] = to_string(verdict.flatness);
    json["verdict_message"] = verdict.message;
  }
  Table table =
      !two      ? table_of(here)
      : rescale ? table_of(here, there, "rescaled", "moved",
                           [&](const Measure& a, const Measure& b) { return yes_or_no(has_moved(a, b, tolerance)); })
                : table_of(here, there, "against", "the first is",
                           [&](const Measure& a, const Measure& b) { return to_string(flatness_of(a, b, tolerance)); });
  table.title = fmt::format("sharpness of {} at {}", analysed.specification, analysed.at);
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "sharpness.json", json_text(json));
    write_file(folder / "sharpness.csv", csv_text(table));
    if (is_finite && has_noise(here)) {
      std::vector<NamedPoint> points = {{"point", &x}};
      if (two) points.push_back({rescale ? "rescaled" : "against", &y});
      write_rises(folder, f, points, options.measure, table.title);
    }
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}\nvalue {:.8g}, gradient norm {:.3g}, n = {}\n", analysed.problem.description, here.value,
        here.gradient_norm, x.size());
    if (two) {
      say("{}: {}: value {:.8g}, gradient norm {:.3g}\n", rescale ? "rescaled" : "against", other_point, there.value,
          there.gradient_norm);
    }
    if (is_finite) say("{}", terminal_text(table, terminal_style(stdout)));
    for (const LeftOut& left : here.left_out) say("left out: {}: {}\n", left.name, left.why);
    if (!here.message.empty()) say("{}{}\n", here.is_finite ? "" : "not finite: ", here.message);
    if (!there.is_finite) say("not finite: {}\n", there.message);
    if (rescale) {
      say("the outputs changed by {:.2g} of the largest: {}\n", change,
          same_function ? "the same function, to rounding" : "more than rounding explains");
      if (is_finite) {
        say("moved: {}\nstayed: {}\n", moved.empty() ? "none" : fmt::format("{}", fmt::join(moved, ", ")),
            stayed.empty() ? "none" : fmt::format("{}", fmt::join(stayed, ", ")));
      }
      if (!broken.empty()) {
        say("moved although invariant: {}; rounding has grown\n", fmt::join(broken, ", "));
      }
    }
    if (!verdict.message.empty()) say("{}\n", verdict.message);
    if (!options.output.empty()) fmt::print("records in {}\n", options.output);
  }
  if (!is_finite) return kDiverged;
  return same_function && broken.empty() ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
