#include "analysed_point.h"
#include "command_line.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/curvature/critical_point.h"
#include "hesse/curvature/stationary_search.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/scatter_plot.h"
#include "hesse/report/table.h"
#include "hesse/report/trajectory.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

namespace hesse::app {
namespace {

enum class Search { gradient_norm, follow, none };

struct ClassifyCommandOptions {
  ClassifyCommandOptions() { classify.inertia_limit = 5000; }
  bool no_higher_order = false;
  PointOptions point;
  Search search = Search::gradient_norm;
  Index index = 1;
  Index max_steps = SearchOptions{}.max_steps;
  Index starts = 1;
  ClassifyOptions classify;
  Index threads = 0;
  std::string output;
  bool json = false;
  bool dry_run = false;
};
void visit_options(ClassifyCommandOptions& o, OptionVisitor& v) {
  visit_point_options(o.point, v);
  v.choice("search", o.search,
           {{"gradient-norm", Search::gradient_norm}, {"follow", Search::follow}, {"none", Search::none}},
           "from the point to a critical one: by the norm of the gradient, to a saddle of --index, or not at all");
  v.option("index", o.index, Interval::closed(0, 1e9), "of the saddle that is sought by --search follow");
  v.option("starts", o.starts, Interval::closed(1, 1e6),
           "the problem's starting points of as many seeds from --seed on, with a table of where each led");
  v.option("max-steps", o.max_steps, Interval::closed(0, 1e6), "of the search");
  v.option("gradient-tolerance", o.classify.gradient_tolerance, Interval::non_negative(),
           "|g| up to which a point is critical, raised to what the rounding of x explains");
  v.option("dense-limit", o.classify.dense_limit, Interval::closed(0, 20000),
           "variables up to which all eigenvalues are computed");
  v.option("inertia-limit", o.classify.inertia_limit, Interval::closed(0, 20000),
           "variables up to which the signs of all eigenvalues are counted");
  v.option("negative-directions", o.classify.negative_directions, Interval::closed(1, 1000),
           "directions of escape that are sought and written");
  v.option("eigen-tolerance", o.classify.eigen_tolerance, Interval::open(0, 1),
           "on |Hv - lambda v| / |H| beyond --dense-limit");
  v.option("no-higher-order", o.no_higher_order, "leave out third and fourth order along flat directions");
  visit_threads(o.threads, v);
  v.option("output", o.output,
           "folder for classification.json, point.safetensors and escape-1.safetensors, ..., or, of several starts, "
           "critical_points.csv and index_by_value.svg (default: none is written)");
  v.option("json", o.json, "print JSON");
  v.option("dry-run", o.dry_run, "say how many products it takes, and for how long; compute nothing else");
}

Json json_of(const SearchResult& search) {
  return {{"status", to_string(search.status)},
          {"steps", search.steps},
          {"gradients", search.gradients},
          {"products", search.products},
          {"distance", json_number(search.distance)},
          {"message", search.message}};
}

Json json_of(const CriticalPoint& point, Index n) {
  Json json;
  json["kind"] = to_string(point.kind);
  json["certified"] = point.certified;
  json["index"] = point.index;
  json["positive"] = point.positive;
  json["flat"] = point.flat;
  json["resolved_share"] = json_number(point.resolved_share(n));
  json["value"] = json_number(point.value);
  json["gradient_norm"] = json_number(point.gradient_norm);
  json["gradient_tolerance"] = json_number(point.gradient_tolerance);
  json["newton_change"] = json_number(point.newton_change);
  json["least_eigenvalue"] = json_number(point.least_eigenvalue);
  json["largest_eigenvalue"] = json_number(point.largest_eigenvalue);
  json["zero_tolerance"] = {{"total", json_number(point.eigenvalue_error)},
                            {"rounding", json_number(point.error.rounding)},
                            {"residual", json_number(point.error.residual)},
                            {"asymmetry", json_number(point.error.asymmetry)},
                            {"drift", json_number(point.error.drift)}};
  json["kantorovich"] = json_number(point.kantorovich);
  json["ball_radius"] = json_number(point.ball_radius);
  const HigherOrderTest& test = point.higher_order;
  if (test.verdict != HigherOrder::not_tested) {
    json["higher_order"] = {{"verdict", to_string(test.verdict)},
                            {"directions", test.directions},
                            {"falls", test.falls},
                            {"rises", test.rises},
                            {"third", json_number(test.terms.third)},
                            {"third_error", json_number(test.terms.third_error)},
                            {"fourth", json_number(test.terms.fourth)},
                            {"fourth_error", json_number(test.terms.fourth_error)}};
  }
  json["products"] = point.products;
  json["message"] = point.message;
  return json;
}

std::string yes_no(bool yes) { return yes ? "yes" : "no"; }

/// The certificate, line by line.
Table certificate(const CriticalPoint& point, Index n) {
  Table table;
  table.title = "certificate";
  table.columns = {{"what", false}, {"figure"}, {"remark", false}};
  const auto add = [&](const char* what, const std::string& figure, const std::string& remark) {
    table.add({Cell(what), Cell(figure), Cell(remark)});
  };
  add("gradient norm", significant(point.gradient_norm, 4),
      fmt::format("held against {}", significant(point.gradient_tolerance, 3)));
  if (std::isfinite(point.newton_change)) {
    add("1/2 g'|H|^-1 g", significant(point.newton_change, 4), "what Newton's step would change in f");
  }
  add("least eigenvalue", significant(point.least_eigenvalue, 8),
      fmt::format("within {}", significant(point.eigenvalue_error, 2)));
  add("largest eigenvalue", significant(point.largest_eigenvalue, 8),
      fmt::format("within {}", significant(point.eigenvalue_error, 2)));
  add("counts as zero up to", significant(point.eigenvalue_error, 4),
      fmt::format("rounding {}, residual {}, asymmetry {}, drift {}", significant(point.error.rounding, 2),
                  significant(point.error.residual, 2), significant(point.error.asymmetry, 2),
                  significant(point.error.drift, 2)));
  add("negative eigenvalues", fmt::format("{}", point.index), point.certified ? "all" : "at least");
  add("positive eigenvalues", fmt::format("{}", point.positive), point.certified ? "all" : "at least");
  add("within zero", fmt::format("{}", point.flat), point.certified ? "all" : "as far as was seen");
  add("share of signs known", fmt::format("{:.4g} %", 100 * point.resolved_share(n)), fmt::format("of {}", n));
  if (std::isfinite(point.kantorovich)) {
    add("Kantorovich's h", significant(point.kantorovich, 3), "<= 1/2; change of H measured along Newton's step");
    add("radius of the ball", significant(point.ball_radius, 3), "holds one critical point");
  }
  if (point.higher_order.verdict != HigherOrder::not_tested) {
    const HigherOrderTest& t = point.higher_order;
    add("third order", significant(t.terms.third, 4), fmt::format("within {}", significant(t.terms.third_error, 2)));
    add("fourth order", significant(t.terms.fourth, 4), fmt::format("within {}", significant(t.terms.fourth_error, 2)));
    add("they say", to_string(t.verdict),
        fmt::format("{} direction{} tried", t.directions, t.directions == 1 ? "" : "s"));
  }
  const bool stationary = point.kind != CriticalKind::not_stationary;
  add("certified", point.certified && !stationary ? "the signs alone" : yes_no(point.certified),
      point.certified ? (point.drift_known ? "" : "of the point itself")
                      : "between the ends of the spectrum nothing is known");
  return table;
}

struct Classified {
  SearchResult search;
  CriticalPoint point;
};

/// Moves x to the critical point that the search finds, and classifies it.
Classified find_and_classify(Objective& f, Vector& x, const ClassifyCommandOptions& options, std::uint64_t seed) {
  Classified found;
  if (options.search != Search::none) {
    SearchOptions search;
    search.method = options.search == Search::follow ? SearchMethod::follow : SearchMethod::gradient_norm;
    search.index = options.index;
    search.gradient_tolerance = std::min(search.gradient_tolerance, options.classify.gradient_tolerance);
    search.max_steps = options.max_steps;
    search.seed = seed;
    found.search = find_stationary(f, x, search);
  }
  ClassifyOptions classify_options = options.classify;
  classify_options.higher_order = !options.no_higher_order;
  classify_options.seed = seed;
  classify_options.higher_order_options.seed = seed;
  found.point = classify(f, x, classify_options);
  return found;
}

/// Where each of several starts led: a table of all, counts by kind, and index against value.
int classify_starts(const AnalysedPoint& analysed, const ClassifyCommandOptions& options,
                    const std::filesystem::path& folder) {
  Objective& f = *analysed.problem.objective;
  const Index n = f.size();
  const auto first = static_cast<std::uint64_t>(options.point.seed);
  if (analysed.problem.start(first) == analysed.problem.start(first + 1)) {
    fail("--starts {}: {} starts at one point whatever the seed; give it 'start=random' where it has that option",
         options.starts, analysed.specification);
  }
  Table table;
  table.title = fmt::format("critical points of {}", analysed.specification);
  table.columns = {{"seed"}, {"kind", false}, {"index"}, {"flat"}, {"value"}, {"gradient_norm"}, {"certified", false}};
  std::map<std::string, Index> counts;
  std::map<std::string, ScatterGroup> groups;
  for (Index i = 0; i < options.starts; ++i) {
    const auto seed = static_cast<std::uint64_t>(options.point.seed + i);
    Vector x = analysed.problem.start(seed);
    const CriticalPoint point = find_and_classify(f, x, options, seed).point;
    const std::string kind = to_string(point.kind);
    ++counts[kind];
    table.add({Cell(fmt::format("{}", seed)), Cell(kind), Cell(fmt::format("{}", point.index)),
               Cell(fmt::format("{}", point.flat)), Cell(fmt::format("{}", point.value)),
               Cell(fmt::format("{}", point.gradient_norm)),
               Cell(yes_no(point.certified && point.kind != CriticalKind::not_stationary))});
    if (point.kind == CriticalKind::not_stationary || point.kind == CriticalKind::non_finite) continue;
    ScatterGroup& group = groups[kind];
    group.name = kind;
    group.x.push_back(point.value);
    group.y.push_back(static_cast<double>(point.index) / static_cast<double>(n));
  }
  Json json;
  json["problem"] = analysed.specification;
  json["parameters"] = n;
  json["starts"] = options.starts;
  for (const auto& [kind, count] : counts) json["kinds"][kind] = count;
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "classification.json", json_text(json));
    write_file(folder / "critical_points.csv", csv_text(table));
    ScatterPlot plot{table.title, "value", "share of negative eigenvalues", {}};
    for (const auto& [kind, group] : groups) plot.groups.push_back(group);
    if (!plot.groups.empty()) {
      try {
        write_scatter_plot(folder / "index_by_value.svg", plot);
      } catch (const Error& e) {
        fmt::print(stderr, "hesse: warning: the figure was not drawn: {}\n", e.what());
      }
    }
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}\nn = {}\n", analysed.problem.description, n);
    constexpr Index kShown = 20;
    Table shown = table;
    if (options.starts > kShown) shown.rows.resize(kShown);
    say("{}", terminal_text(shown, terminal_style(stdout)));
    std::string sum;
    for (const auto& [kind, count] : counts) sum += fmt::format("{}{} {}", sum.empty() ? "" : ", ", count, kind);
    say("of {} starts: {}\n", options.starts, sum);
  }
  return kDone;
}

/// What the certificates take, and what is known of the searches before them.
AnalysisWork work_of(const ClassifyCommandOptions& options, Index n) {
  AnalysisWork work = classification_work(options.classify, n);
  const auto starts = static_cast<double>(options.starts);
  for (double* count : {&work.gradients, &work.products, &work.flops}) *count *= starts;
  if (options.search != Search::none) {
    work.notes.push_back(
        fmt::format("the search{} for the critical point {} not counted: at most {} steps{}, each of a gradient and up "
                    "to {} products",
                    options.starts > 1 ? "es" : "", options.starts > 1 ? "are" : "is", options.max_steps,
                    options.starts > 1 ? " from each start" : "", n));
  }
  if (!options.no_higher_order) {
    work.notes.emplace_back("nor are third and fourth order, where the point is degenerate");
  }
  return work;
}

}  // namespace

int classify_command(Arguments arguments) {
  auto options = read_command_line<ClassifyCommandOptions>(
      "classify", "Finds the critical point near a point, and tells what it is, with a certificate.", arguments);
  use_threads(options.threads);
  if (options.index != 1 && options.search != Search::follow) {
    fail("--index is of the saddle that --search follow seeks; give that too, or leave it out");
  }
  if (options.starts > 1 && !(options.point.at.empty() && options.point.weights.empty())) {
    fail("--starts goes from the problem's starting points, and --at and --weights name another; give one of them");
  }
  AnalysedPoint analysed = load_point(options.point);
  Objective& f = *analysed.problem.objective;
  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path() : output_folder(options.output, "classify");
  const Index n = f.size();
  if (options.dry_run) return dry_run(f, analysed.x, work_of(options, n), options.json);
  if (options.starts > 1) return classify_starts(analysed, options, folder);
  Vector x = analysed.x;
  const auto [search, point] = find_and_classify(f, x, options, static_cast<std::uint64_t>(options.point.seed));

  Json json;
  json["problem"] = analysed.specification;
  json["at"] = analysed.at;
  json["precision"] = to_string(options.point.precision);
  json["parameters"] = n;
  if (options.search != Search::none) json["search"] = json_of(search);
  json["point"] = json_of(point, n);
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "classification.json", json_text(json));
    save_parameters(folder / "point.safetensors", f.layout(), x);
    for (Index j = 0; j < point.escape_directions.cols(); ++j) {
      save_parameters(folder / fmt::format("escape-{}.safetensors", j + 1), f.layout(), point.escape_directions.col(j));
    }
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    say("{}\nn = {}, from {}\n", analysed.problem.description, n, analysed.at);
    if (options.search != Search::none) say("search: {}\n", search.message);
    say("value {:.10g}\n", point.value);
    if (point.kind != CriticalKind::non_finite) {
      say("{}", terminal_text(certificate(point, n), terminal_style(stdout)));
    }
    say("{}\n", point.message);
  }
  switch (point.kind) {
    case CriticalKind::non_finite: return kDiverged;
    case CriticalKind::not_stationary:
    case CriticalKind::undecided: return kTargetNotReached;
    default: return kDone;
  }
}

}  // namespace hesse::app
