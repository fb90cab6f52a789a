#include "analysed_point.h"
#include "command_line.h"
#include "command_syntax.h"
#include "commands.h"
#include "dry_run.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/experiment/budget.h"
#include "hesse/landscape/connectivity.h"
#include "hesse/landscape/directions.h"
#include "hesse/landscape/matching.h"
#include "hesse/landscape/path.h"
#include "hesse/landscape/principal_components.h"
#include "hesse/landscape/slice.h"
#include "hesse/landscape/smoothness.h"
#include "hesse/nn/network_objective.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/contour_plot.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/table.h"
#include "hesse/report/trajectory.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace hesse::app {
namespace {

namespace fs = std::filesystem;

enum class Connect { no, bezier, polygon };

struct LandscapeOptions {
  PointOptions point;
  std::vector<std::string> directions;
  Index dimensions = 2;
  Index points = 41;
  double range = 0;
  VectorBlocks vectors = VectorBlocks::zero;
  bool gradients = false;
  std::vector<std::string> trajectory;
  std::string to;
  bool match = false;
  Connect connect = Connect::no;
  Index nodes = 16;
  std::string optimizer = "lbfgs";
  std::string budget = "100steps";
  Index batch_size = 0;
  bool smoothness = false;
  Index threads = 0;
  std::string output;
  bool plot = false;
  bool dry_run = false;
  bool json = false;
};
void visit_options(LandscapeOptions& o, OptionVisitor& v) {
  visit_point_options(o.point, v);
  v.option(
      "directions", o.directions,
      "filter-normalised, random, gradient, eigenvectors, ends (eigenvectors of both ends of the spectrum), pca or "
      "a safetensors file; one for both, or given twice (default: filter-normalised, pca with a trajectory)");
  v.option("dimensions", o.dimensions, Interval::closed(1, 2), "of the slice");
  v.option("points", o.points, Interval::closed(3, 10001), "along each direction, path or gradient");
  v.option(
      "range", o.range, Interval::non_negative(),
      "of a slice to either side, in lengths of a direction (0: 1, or what holds the trajectory); of --smoothness, "
      "the longest step in lengths of the gradient (0: 2 |g| / |Hg|)");
  v.choice("vectors", o.vectors, {{"zero", VectorBlocks::zero}, {"as-parameters", VectorBlocks::as_parameters}},
           "what filter-normalised directions are in biases and other blocks without filters");
  v.option("gradients", o.gradients, "the norm of the gradient at every point of a slice too");
  v.option(
      "trajectory", o.trajectory,
      "a run trained with --save-every, or safetensors files in their order: drawn over the slice, which is cut at "
      "its end unless a point is named");
  v.option("to", o.to, "a second point, as --at or --weights take it: the loss along the line to it, not a slice");
  v.option("match", o.match, "reorder the hidden units of the second network to match the first before");
  v.choice("connect", o.connect, {{"no", Connect::no}, {"bezier", Connect::bezier}, {"polygon", Connect::polygon}},
           "train a curve of low loss between the two");
  v.option("nodes", o.nodes, Interval::closed(2, 1000), "of the mean loss along the curve that is trained, even");
  v.option("optimizer", o.optimizer, "of the curve");
  v.option("budget", o.budget, "of the curve's training");
  v.option("batch-size", o.batch_size, Interval::closed(0, 1e9), "samples of a step of it; 0 means all");
  v.option(
      "smoothness", o.smoothness,
      "how the loss and its gradient change along the gradient, instead of a slice; at every point of a trajectory");
  visit_threads(o.threads, v);
  v.option("output", o.output,
           "folder for landscape.json and for the values and figures as CSV and SVG (default: a new one under runs/)");
  visit_plot(o.plot, v);
  v.option("dry-run", o.dry_run, "say how many evaluations it takes, and for how long; write nothing");
  v.option("json", o.json, "print JSON");
}

/// What all three kinds of landscape start from and write to.
struct Setting {
  const LandscapeOptions& options;
  Problem& problem;
  fs::path folder;
  Vector x;
  Json json;                       ///< the record
  std::vector<std::string> lines;  ///< the same for a person

  /// A file of the records, whose folder is there from the first on.
  fs::path file(const std::string& name) const {
    create_folders(folder);
    return folder / name;
  }
  Objective& f() { return *problem.objective; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(options.point.seed); }
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    lines.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  /// A plot in the terminal, where that was asked for.
  void show(const Plot& plot) {
    if (options.plot) lines.push_back(plot_text(plot, plot_width()));
  }
  void show(const ContourPlot& plot) {
    if (options.plot) lines.push_back(contour_text(plot, plot_width()));
  }
  /// Draws a figure; what keeps gnuplot from it is a warning, since the numbers are in the records.
  void draw(const char* what, const std::function<void()>& figure) {
    try {
      figure();
    } catch (const WriteError&) {
      throw;
    } catch (const Error& e) {
      fmt::print(stderr, "hesse: warning: {} was not drawn: {}\n", what, e.what());
    }
  }
};

struct TrajectoryPoint {
  std::int64_t step;
  fs::path path;
};

/// The points that are named: those of a run by their steps, files by their position.
std::vector<TrajectoryPoint> trajectory_points(const std::vector<std::string>& names) {
  std::vector<TrajectoryPoint> points;
  for (const std::string& name : names) {
    if (!fs::is_directory(name)) {
      points.push_back({static_cast<std::int64_t>(points.size()), name});
      continue;
    }
    const auto files = trajectory_files(name);
    if (files.empty()) {
      fail("{}: there is no trajectory in this folder; train with --save-every STEPS to have one", name);
    }
    for (const auto& [step, path] : files) points.push_back({step, path});
  }
  return points;
}

/// Throws Error on options that do not go together, before any work.
void check(const LandscapeOptions& o) {
  if (o.to.empty() && (o.match || o.connect != Connect::no)) {
    fail("hesse landscape: --match and --connect need a second point; name it by --to");
  }
  if (!o.to.empty() && (o.smoothness || !o.trajectory.empty() || !o.directions.empty())) {
    fail("hesse landscape: --to takes the line to a second point, without --smoothness, --trajectory or --directions");
  }
  if (o.smoothness && !o.directions.empty()) {
    fail("hesse landscape: --smoothness goes along the gradient; leave --directions out");
  }
  if (static_cast<Index>(o.directions.size()) > o.dimensions) {
    fail("hesse landscape: {} directions for a slice of {}; leave some out, or raise --dimensions", o.directions.size(),
         o.dimensions);
  }
  if (o.nodes % 2 != 0) fail("hesse landscape: option nodes: {} is odd; give an even number", o.nodes);
  const LandscapeOptions unchanged;
  if (o.connect == Connect::no && (o.nodes != unchanged.nodes || o.optimizer != unchanged.optimizer)) {
    fail("hesse landscape: --nodes and --optimizer are of the curve; ask for it by --connect");
  }
  if (o.trajectory.empty() && std::find(o.directions.begin(), o.directions.end(), "pca") != o.directions.end()) {
    fail("hesse landscape: directions pca are those of a trajectory; name one by --trajectory");
  }
  Stopping stopping;
  apply_budget(o.budget, stopping);
}

std::string text(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

Json json_of(const Vector& v) {
  Json json = Json::array();
  for (const double x : v) json.push_back(json_number(x));
  return json;
}

// ---------------------------------------------------------------------------------------------------------- slices

/// `count` directions of one kind, or fewer where there are not as many.
Directions directions_of(Setting& s, const std::string& kind, Index count, const Matrix& differences) {
  Objective& f = s.f();
  if (kind == "gradient") return gradient_directions(f, s.x, count);
  if (kind == "eigenvectors" || kind == "ends") {
    return eigenvector_directions(f, s.x, count, kind == "ends" ? EigenvectorChoice::ends : EigenvectorChoice::largest,
                                  1e-6, s.seed());
  }
  Directions out;
  if (kind == "pca") {
    PrincipalComponents components = principal_components(differences, count);
    s.json["trajectory"]["shares"] = json_of(components.shares);
    out.vectors = std::move(components.directions);
    for (Index i = 0; i < out.vectors.cols(); ++i) {
      out.labels.push_back(fmt::format("principal component {} ({:.3g} %)", i + 1, 100 * components.shares[i]));
    }
    if (out.vectors.cols() < count) out.message = "the points of the trajectory lie on a line, or on one point";
    return out;
  }
  out.vectors.resize(s.x.size(), count);
  for (Index i = 0; i < count; ++i) {
    const Vector d = random_direction(s.x.size(), s.seed(), static_cast<std::uint64_t>(i));
    if (kind == "random") {
      out.vectors.col(i) = d;
    } else if (kind == "filter-normalised") {
      out.vectors.col(i) = filter_normalised(f.layout(), s.x, d, s.options.vectors);
    } else {
      if (!fs::exists(kind)) {
        fail("hesse landscape: '{}' is neither a kind of direction nor a file{}; choose one of {}", kind,
             suggestion(kind, direction_names()), fmt::join(direction_names(), ", "));
      }
      if (count > 1) fail("hesse landscape: '{}' is one direction; give --directions twice, or --dimensions 1", kind);
      out.vectors.col(i) = load_parameters(kind, f.layout());
    }
    out.labels.push_back(fs::path(kind).filename().string() + (count > 1 ? fmt::format(" {}", i + 1) : ""));
  }
  if (kind == "filter-normalised" && !(out.vectors.colwise().norm().minCoeff() > 0)) {
    fail("hesse landscape: no block of {} has filters of which one is not 0; choose --directions random",
         s.options.point.problem);
  }
  return out;
}

/// The slice's directions: of one kind, or the next of each kind that is named.
Directions chosen_directions(Setting& s, const Matrix& differences) {
  if (s.x.size() < s.options.dimensions) {
    fail("hesse landscape: {} has one variable; give --dimensions 1", s.options.point.problem);
  }
  std::vector<std::string> kinds = s.options.directions;
  if (kinds.empty()) kinds.push_back(differences.cols() > 0 ? "pca" : "filter-normalised");
  while (static_cast<Index>(kinds.size()) < s.options.dimensions) kinds.push_back(kinds.back());
  std::map<std::string, Directions> made;
  std::map<std::string, Index> used;
  Directions out;
  out.vectors.resize(s.x.size(), s.options.dimensions);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::string& kind = kinds[i];
    const auto count = static_cast<Index>(std::count(kinds.begin(), kinds.end(), kind));
    if (!made.contains(kind)) made[kind] = directions_of(s, kind, count, differences);
    const Directions& all = made[kind];
    if (all.vectors.cols() < count) fail("directions {}: {}; choose others", kind, all.message);
    if (!all.message.empty() && used[kind] == 0) {
      s.json["warnings"].push_back(fmt::format("directions {}: {}", kind, all.message));
      s.say("directions {}: {}", kind, all.message);
    }
    out.vectors.col(static_cast<Index>(i)) = all.vectors.col(used[kind]);
    out.labels.push_back(all.labels[static_cast<std::size_t>(used[kind]++)]);
  }
  return out;
}

/// From -range to range; without one, what holds the coordinates and 0 with a margin, or else from -1 to 1.
Axis axis_for(const LandscapeOptions& o, const Vector& coordinates) {
  if (o.range > 0) return {-o.range, o.range, o.points};
  const double low = coordinates.size() > 0 ? std::min(0.0, coordinates.minCoeff()) : 0.0;
  const double high = coordinates.size() > 0 ? std::max(0.0, coordinates.maxCoeff()) : 0.0;
  if (!(low < high)) return {-1, 1, o.points};
  return {low - 0.15 * (high - low), high + 0.15 * (high - low), o.points};
}

void write_slice_csv(const fs::path& file, const Slice& cut) {
  Table table;
  table.columns = {{"a"}, {"b"}, {"value"}, {"model"}, {"error"}};
  if (cut.gradient_norms.size() > 0) table.columns.push_back({"gradient_norm"});
  for (Index i = 0; i < cut.a.size(); ++i) {
    for (Index j = 0; j < cut.b.size(); ++j) {
      std::vector<Cell> row = {text(cut.a[i]), text(cut.b[j]), text(cut.values(i, j)), text(cut.model_values(i, j)),
                               text(cut.values(i, j) - cut.model_values(i, j))};
      if (cut.gradient_norms.size() > 0) row.emplace_back(text(cut.gradient_norms(i, j)));
      table.add(std::move(row));
    }
  }
  write_file(file, csv_text(table));
}

Curve curve_of(const Vector& x, const Vector& y) { return {{x.begin(), x.end()}, {y.begin(), y.end()}}; }

void draw_slice(Setting& s, const Slice& cut, const std::vector<std::string>& labels, const Matrix& path) {
  const std::string title = fmt::format("{} at {}", s.options.point.problem, s.json["at"].get<std::string>());
  const Matrix error = (cut.values - cut.model_values).cwiseAbs();
  if (cut.b.size() == 1) {
    Plot plot;
    plot.title = title;
    plot.x_label = labels[0];
    plot.y_label = "loss";
    plot.legend = "along the line";
    // The model leaves the picture where it is far from the loss.
    const double low = cut.values.array().isNaN().select(HUGE_VAL, cut.values).minCoeff();
    const double high = cut.values.array().isNaN().select(-HUGE_VAL, cut.values).maxCoeff();
    const double margin = high > low ? 0.3 * (high - low) : 1e-3 * std::max(std::abs(high), 1e-9);
    const Vector model = (cut.model_values.array() >= low - margin && cut.model_values.array() <= high + margin)
                             .select(cut.model_values, std::nan(""));
    plot.series = {{"loss", {curve_of(cut.a, cut.values)}}, {"quadratic model", {curve_of(cut.a, model)}}};
    s.show(plot);
    Palette palette;
    write_plot(s.file("slice_plot.svg"), plot, palette);
    plot.y_label = "error of the quadratic model";
    // On a logarithmic scale its order is seen; at the point itself it is 0 and has no place there.
    plot.log_y = true;
    plot.series = {{"error", {curve_of(cut.a, (error.array() > 0).select(error, std::nan("")))}}};
    if ((error.array() > 0).any()) write_plot(s.file("error_plot.svg"), plot, palette);
    return;
  }
  ContourPlot plot;
  plot.title = title;
  plot.x_label = labels[0];
  plot.y_label = labels[1];
  plot.value_label = "loss";
  plot.x = cut.a;
  plot.y = cut.b;
  plot.values = cut.values;
  plot.model = cut.model_values;
  if (path.cols() > 0) plot.path = curve_of(path.row(0), path.row(1));
  s.show(plot);
  write_contour_plot(s.file("slice_plot.svg"), plot);
  write_surface_plot(s.file("slice_surface.svg"), plot);
  plot.model.resize(0, 0);
  if (error.array().isFinite().any()) {
    plot.value_label = "error of the quadratic model";
    plot.values = error;
    write_contour_plot(s.file("error_plot.svg"), plot);
  }
  if (cut.gradient_norms.size() == 0) return;
  plot.value_label = "norm of the gradient";
  plot.values = cut.gradient_norms;
  write_contour_plot(s.file("gradient_plot.svg"), plot);
}

int slice_landscape(Setting& s, const std::vector<TrajectoryPoint>& trajectory) {
  const auto m = static_cast<Index>(trajectory.size());
  Matrix differences(s.x.size(), m);
  for (Index i = 0; i < m; ++i) {
    differences.col(i) = load_parameters(trajectory[static_cast<std::size_t>(i)].path, s.f().layout()) - s.x;
  }
  const Directions directions = chosen_directions(s, differences);
  const Matrix& U = directions.vectors;
  const Index k = U.cols();
  ProjectedPoints shadow;
  shadow.coordinates.resize(k, 0);
  if (m > 0) shadow = project(U, differences);
  SliceOptions slice_options;
  slice_options.gradients = s.options.gradients;
  slice_options.a = axis_for(s.options, shadow.coordinates.row(0));
  if (k == 2) slice_options.b = axis_for(s.options, shadow.coordinates.row(1));
  const Slice cut = slice(s.f(), s.x, U, slice_options);

  s.json["value"] = json_number(cut.model.value);
  for (Index i = 0; i < k; ++i) {
    const std::string& label = directions.labels[static_cast<std::size_t>(i)];
    const Axis& axis = i == 0 ? slice_options.a : slice_options.b;
    s.json["directions"].push_back({{"label", label},
                                    {"norm", json_number(norm(U.col(i)))},
                                    {"low", json_number(axis.low)},
                                    {"high", json_number(axis.high)},
                                    {"slope", json_number(cut.model.slopes[i])},
                                    {"curvature", json_number(cut.model.curvatures(i, i))}});
    s.say("direction {}: {}, length {:.4g}, from {:.4g} to {:.4g}; slope {:.4g}, curvature {:.4g}", i + 1, label,
          norm(U.col(i)), axis.low, axis.high, cut.model.slopes[i], cut.model.curvatures(i, i));
  }
  if (k == 2) {
    s.json["cosine"] = json_number(dot(U.col(0), U.col(1)) / (norm(U.col(0)) * norm(U.col(1))));
    s.json["mixed_curvature"] = json_number(cut.model.curvatures(0, 1));
  }
  s.json["least"] = {
      {"value", json_number(cut.least)}, {"a", json_number(cut.least_a)}, {"b", json_number(cut.least_b)}};
  s.json["largest_model_error"] = {{"error", json_number(cut.largest_error)},
                                   {"a", json_number(cut.largest_error_a)},
                                   {"b", json_number(cut.largest_error_b)}};
  s.json["non_finite"] = cut.non_finite;
  s.json["message"] = cut.message;
  s.say("value {:.8g}; least on the slice {:.8g} at ({:.4g}, {:.4g})", cut.model.value, cut.least, cut.least_a,
        cut.least_b);
  s.say("the quadratic model is off by {:.4g} at most, at ({:.4g}, {:.4g})", cut.largest_error, cut.largest_error_a,
        cut.largest_error_b);
  if (!cut.message.empty()) s.say("{}", cut.message);

  if (m > 0) {
    const double all = differences.squaredNorm();
    const double share = all > 0 ? 1 - shadow.distances.squaredNorm() / all : 1.0;
    s.json["trajectory"]["points"] = m;
    s.json["trajectory"]["share_in_slice"] = json_number(share);
    s.json["trajectory"]["largest_distance"] = json_number(shadow.distances.maxCoeff());
    s.say(
        "trajectory: {} points; {:.4g} % of its squared distance from the point lies in the slice, the farthest point "
        "{:.4g} off it",
        m, 100 * share, shadow.distances.maxCoeff());
    Table table;
    table.columns = {{"step"}, {"a"}, {"b"}, {"distance_from_slice"}, {"value"}};
    for (Index i = 0; i < m; ++i) {
      table.add({fmt::format("{}", trajectory[static_cast<std::size_t>(i)].step), text(shadow.coordinates(0, i)),
                 text(k == 2 ? shadow.coordinates(1, i) : 0.0), text(shadow.distances[i]),
                 text(s.f().value(s.x + differences.col(i)))});
    }
    write_file(s.file("trajectory.csv"), csv_text(table));
  }
  write_slice_csv(s.file("slice.csv"), cut);
  s.draw("the slice", [&] { draw_slice(s, cut, directions.labels, shadow.coordinates); });
  return std::isfinite(cut.model.value) ? kDone : kDiverged;
}

// ----------------------------------------------------------------------------------------------------------- paths

struct NamedProfile {
  std::string name;
  Path path;
  PathProfile profile;
  std::vector<Vector> metrics = {};  ///< of the problem, at the points of the profile
};

void write_paths(Setting& s, std::vector<NamedProfile>& paths) {
  const std::vector<Metric>& metrics = s.problem.metrics;
  Table table;
  table.columns = {{"path", false}, {"t"}, {"value"}};
  for (const Metric& metric : metrics) table.columns.push_back({metric.name});
  Vector point;
  for (NamedProfile& p : paths) {
    const PathProfile& profile = p.profile;
    p.metrics.assign(metrics.size(), Vector(profile.t.size()));
    for (Index i = 0; i < profile.t.size(); ++i) {
      p.path.point(profile.t[i], point);
      std::vector<Cell> row = {p.name, text(profile.t[i]), text(profile.values[i])};
      for (std::size_t k = 0; k < metrics.size(); ++k) {
        p.metrics[k][i] = metrics[k].evaluate(point);
        row.emplace_back(text(p.metrics[k][i]));
      }
      table.add(std::move(row));
    }
  }
  write_file(s.file("path.csv"), csv_text(table));

  const auto draw = [&](const std::string& name, const std::string& label, auto&& heights, bool higher_is_better) {
    s.draw(name.c_str(), [&] {
      Plot plot;
      plot.title =
          fmt::format("{} from {} to {}", s.options.point.problem, s.json["at"].get<std::string>(), s.options.to);
      plot.x_label = "t";
      plot.y_label = label;
      plot.legend = "along the path";
      plot.higher_is_better = higher_is_better;
      for (const NamedProfile& p : paths) plot.series.push_back({p.name, {curve_of(p.profile.t, heights(p))}});
      if (name == "path") s.show(plot);
      Palette palette;
      write_plot(s.file(name + "_plot.svg"), plot, palette);
    });
  };
  draw(
      "path", "loss", [](const NamedProfile& p) { return p.profile.values; }, false);
  for (std::size_t k = 0; k < metrics.size(); ++k) {
    draw(
        metrics[k].name, metrics[k].name, [k](const NamedProfile& p) { return p.metrics[k]; },
        metrics[k].higher_is_better);
  }
}

/// Matches B to the point of `s` and says what that did.
Vector matched_to(Setting& s, const Vector& B) {
  const NetworkObjective* const objective = find<NetworkObjective>(s.f());
  if (objective == nullptr) fail("matching: {} is no network, so it has no units to reorder", s.options.point.problem);
  const Matching matching = match(objective->network(), s.x, B);
  Json orders = Json::array();
  for (const auto& units : matching.order) orders.push_back(units);
  s.json["matching"] = {{"distance_before", json_number(matching.distance_before)},
                        {"distance", json_number(matching.distance)},
                        {"sweeps", matching.sweeps},
                        {"converged", matching.converged},
                        {"order", orders}};
  s.say("matching: the distance falls from {:.6g} to {:.6g} in {} sweeps{}", matching.distance_before,
        matching.distance, matching.sweeps, matching.converged ? "" : ", the limit");
  save_parameters(s.file("matched.safetensors"), s.f().layout(), matching.matched);
  return matching.matched;
}

int path_landscape(Setting& s) {
  auto [B, to] = load_point_of(s.problem, s.options.to);
  s.json["to"] = to;
  ProfileOptions profile_options;
  profile_options.points = s.options.points;
  std::vector<NamedProfile> paths;
  const Path line{PathKind::segment, s.x, B, Vector()};
  bool connecting = s.options.connect != Connect::no;
  int exit_code = kDone;
  std::string segment = "segment";
  if (s.options.match) {
    B = matched_to(s, B);
    segment = "segment, matched";
  }
  if (connecting && B == s.x) {
    connecting = false;
    s.say("both points are the same{}: there is nothing to connect", s.options.match ? " once matched" : "");
  }
  if (s.options.match || !connecting) paths.push_back({"segment", line, profile(s.f(), line, profile_options)});
  if (s.options.match && !connecting) {
    const Path matched_line{PathKind::segment, s.x, B, Vector()};
    paths.push_back({segment, matched_line, profile(s.f(), matched_line, profile_options)});
  }
  if (connecting) {
    ConnectOptions connect_options;
    connect_options.kind = s.options.connect == Connect::bezier ? PathKind::bezier : PathKind::polygon;
    connect_options.nodes = s.options.nodes;
    connect_options.optimizer = s.options.optimizer;
    connect_options.stopping = {};
    apply_budget(s.options.budget, connect_options.stopping);
    connect_options.batches = {s.options.batch_size, s.seed()};
    connect_options.seed = s.seed();
    connect_options.profile = profile_options;
    Connection connection = connect(s.f(), s.x, B, connect_options);
    s.json["training"] = {{"termination", to_string(connection.training.termination)},
                          {"message", connection.training.message},
                          {"mean_loss", json_number(connection.training.value)},
                          {"steps", connection.training.progress.step}};
    s.say("curve: {}; mean loss along it {:.6g}", connection.training.message, connection.training.value);
    save_parameters(s.file("bend.safetensors"), s.f().layout(), connection.path.theta);
    if (connection.training.termination == Termination::non_finite) exit_code = kDiverged;
    paths.push_back({segment, {PathKind::segment, s.x, B, Vector()}, std::move(connection.segment)});
    paths.push_back({to_string(connect_options.kind), std::move(connection.path), std::move(connection.curve)});
  }
  for (const NamedProfile& p : paths) {
    const PathProfile& profile = p.profile;
    s.json["paths"].push_back(
        {{"name", p.name},
         {"length", json_number(p.path.length())},
         {"start", json_number(profile.values[0])},
         {"end", json_number(profile.values[profile.values.size() - 1])},
         {"barrier", {{"value", json_number(profile.barrier.value)}, {"t", json_number(profile.barrier.t)}}},
         {"highest", {{"value", json_number(profile.highest.value)}, {"t", json_number(profile.highest.t)}}},
         {"noise", json_number(profile.noise)},
         {"evaluations", profile.evaluations},
         {"non_finite", profile.non_finite},
         {"message", profile.message}});
    s.say("{}: length {:.6g}, loss {:.6g} and {:.6g} at its ends; barrier {:.6g}{}, highest loss {:.6g} at t = {:.4g}",
          p.name, p.path.length(), profile.values[0], profile.values[profile.values.size() - 1], profile.barrier.value,
          !std::isfinite(profile.barrier.value)   ? " (not finite)"
          : profile.barrier.value > profile.noise ? fmt::format(" at t = {:.4g}", profile.barrier.t)
                                                  : " (rounding)",
          profile.highest.value, profile.highest.t);
    if (!profile.message.empty()) s.say("{}: {}", p.name, profile.message);
    // A bend may run away where the loss has its infimum at infinity.
    const double stretch = p.path.length() / distance(p.path.A, p.path.B);
    if (stretch > 4 && std::isfinite(stretch)) {
      s.say("{}: {:.3g} times as long as the segment, and its grid as much coarser; --points {:.0f} makes them alike",
            p.name, stretch, std::ceil(stretch) * static_cast<double>(s.options.points - 1) + 1);
    }
    if (std::isnan(profile.barrier.value)) exit_code = kDiverged;
  }
  write_paths(s, paths);
  return exit_code;
}

// ------------------------------------------------------------------------------------------------------ smoothness

struct SmoothnessAt {
  std::int64_t step;
  Smoothness smoothness;
};

void draw_smoothness(Setting& s, const std::vector<SmoothnessAt>& all) {
  const bool along_run = all.size() > 1;
  const auto draw = [&](const char* file, const char* label, const std::vector<Series>& series) {
    Plot plot;
    plot.title = s.options.point.problem;
    plot.x_label = along_run ? "step" : "step along the gradient";
    plot.y_label = label;
    plot.legend = "along the gradient";
    plot.series = series;
    s.show(plot);
    Palette palette;
    write_plot(s.file(file), plot, palette);
  };
  if (!along_run) {
    const Smoothness& one = all.front().smoothness;
    draw("loss_plot.svg", "loss", {{"loss", {curve_of(one.steps, one.values)}}});
    draw("gradient_plot.svg", "change of the gradient", {{"change", {curve_of(one.steps, one.gradient_changes)}}});
    return;
  }
  const auto over_steps = [&](double Smoothness::*figure) {
    Curve curve;
    for (const auto& [step, smoothness] : all) {
      curve.x.push_back(static_cast<double>(step));
      curve.y.push_back(smoothness.*figure);
    }
    return curve;
  };
  draw("loss_plot.svg", "loss",
       {{"largest", {over_steps(&Smoothness::largest_value)}}, {"least", {over_steps(&Smoothness::least_value)}}});
  draw("gradient_plot.svg", "change of the gradient",
       {{"largest", {over_steps(&Smoothness::largest_change)}}, {"least", {over_steps(&Smoothness::least_change)}}});
  draw("smoothness_plot.svg", "smoothness",
       {{"effective", {over_steps(&Smoothness::effective)}},
        {"between neighbours", {over_steps(&Smoothness::lipschitz)}},
        {"at the point", {over_steps(&Smoothness::at_point)}}});
}

int smoothness_landscape(Setting& s, const std::vector<TrajectoryPoint>& trajectory) {
  const SmoothnessOptions smoothness_options{s.options.range, s.options.points};
  std::vector<SmoothnessAt> all;
  if (trajectory.empty()) {
    all.push_back({0, gradient_smoothness(s.f(), s.x, smoothness_options)});
  } else {
    for (const auto& [step, path] : trajectory) {
      all.push_back({step, gradient_smoothness(s.f(), load_parameters(path, s.f().layout()), smoothness_options)});
    }
  }
  Table walks;
  walks.columns = {{"step"}, {"eta"}, {"value"}, {"gradient_change"}, {"gradient_norm"}};
  Table table;
  table.columns = {{"step"},           {"longest eta"}, {"least loss"}, {"largest loss"}, {"least change"},
                   {"largest change"}, {"effective"},   {"neighbours"}, {"at the point"}};
  bool any = false;
  for (const auto& [step, one] : all) {
    any = any || std::isfinite(one.effective);
    const double longest = one.steps.size() > 0 ? one.steps[one.steps.size() - 1] : std::nan("");
    for (Index i = 0; i < one.steps.size(); ++i) {
      walks.add({fmt::format("{}", step), text(one.steps[i]), text(one.values[i]), text(one.gradient_changes[i]),
                 text(one.gradient_norms[i])});
    }
    std::vector<Cell> row = {fmt::format("{}", step)};
    for (const double figure : {longest, one.least_value, one.largest_value, one.least_change, one.largest_change,
                                one.effective, one.lipschitz, one.at_point}) {
      row.emplace_back(significant(figure, 4));
    }
    table.add(std::move(row));
    s.json["points"].push_back({{"step", step},
                                {"longest_eta", json_number(longest)},
                                {"least_value", json_number(one.least_value)},
                                {"largest_value", json_number(one.largest_value)},
                                {"least_change", json_number(one.least_change)},
                                {"largest_change", json_number(one.largest_change)},
                                {"effective_smoothness", json_number(one.effective)},
                                {"neighbours", json_number(one.lipschitz)},
                                {"at_point", json_number(one.at_point)},
                                {"non_finite", one.non_finite},
                                {"message", one.message}});
    if (!one.message.empty()) s.say("step {}: {}", step, one.message);
  }
  table.title = "Along the gradient";
  s.lines.push_back(terminal_text(table, terminal_style(stdout)));
  write_file(s.file("smoothness.csv"), csv_text(walks));
  if (any) s.draw("the smoothness", [&] { draw_smoothness(s, all); });
  return any ? kDone : kDiverged;
}

/// What a landscape evaluates.
AnalysisWork work_of(const LandscapeOptions& o, Index trajectory) {
  AnalysisWork work;
  const auto points = static_cast<double>(o.points);
  if (o.smoothness) {
    work.gradients = points * static_cast<double>(std::max<Index>(1, trajectory));
    work.products = static_cast<double>(std::max<Index>(1, trajectory));
  } else if (o.to.empty()) {
    const double grid = o.dimensions == 2 ? points * points : points;
    (o.gradients ? work.gradients : work.values) = grid;
    work.values += static_cast<double>(trajectory);
    work.products = static_cast<double>(o.dimensions);
    work.vectors_at_once = o.dimensions;
    const bool eigenvectors = std::any_of(o.directions.begin(), o.directions.end(), [](const std::string& kind) {
      return kind == "eigenvectors" || kind == "ends";
    });
    if (eigenvectors) work.notes.emplace_back("the products of Lanczos for the directions are not counted");
  } else {
    work.values = points * (o.match || o.connect != Connect::no ? 2 : 1);
    work.notes.emplace_back("the problem's metrics along the path are not counted");
    if (o.connect != Connect::no) {
      work.notes.push_back(fmt::format("the training of the curve, {}, is not counted", o.budget));
    }
  }
  return work;
}

}  // namespace

const std::vector<std::string>& direction_names() {
  static const std::vector<std::string> names = {"filter-normalised", "random", "gradient",
                                                 "eigenvectors",      "ends",   "pca"};
  return names;
}

int landscape_command(Arguments arguments) {
  auto options = read_command_line<LandscapeOptions>(
      "landscape", "The loss around a point, between two points, or along its gradient.", arguments);
  check(options);
  check_plot(options.plot, options.json);
  use_threads(options.threads);
  const std::vector<TrajectoryPoint> trajectory = trajectory_points(options.trajectory);
  PointOptions& point = options.point;
  if (point.problem.empty() && point.weights.empty()) {
    std::vector<std::string> points = {point.at, options.to};
    points.insert(points.end(), options.trajectory.begin(), options.trajectory.end());
    point.problem = recorded_problem(points);
  }
  if (point.at.empty() && point.weights.empty() && !trajectory.empty()) {
    const std::string& last = options.trajectory.back();
    point.at = has_checkpoint(last) ? last : trajectory.back().path.string();
  }
  AnalysedPoint analysed = load_point(point);
  point.problem = analysed.specification;
  if (options.dry_run) {
    return dry_run(*analysed.problem.objective, analysed.x, work_of(options, std::ssize(trajectory)), options.json);
  }
  Setting setting{options, analysed.problem, output_folder(options.output, "landscape"), analysed.x, Json(), {}};
  setting.json["problem"] = point.problem;
  setting.json["at"] = analysed.at;
  setting.json["precision"] = to_string(point.precision);
  setting.json["parameters"] = setting.x.size();
  const int exit_code = options.smoothness   ? smoothness_landscape(setting, trajectory)
                        : options.to.empty() ? slice_landscape(setting, trajectory)
                                             : path_landscape(setting);
  write_file(setting.file("landscape.json"), json_text(setting.json));
  if (options.json) {
    fmt::print("{}", json_text(setting.json));
  } else {
    say("{}\n", analysed.problem.description);
    for (const std::string& line : setting.lines) say("{}{}", line, line.ends_with('\n') ? "" : "\n");
    fmt::print("records and figures: {}\n", setting.folder.string());
  }
  return exit_code;
}

}  // namespace hesse::app
