#include "hesse/report/report_sections.h"

#include "hesse/core/error.h"
#include "hesse/report/command_record.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/html.h"
#include "hesse/report/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace hesse {
namespace {

namespace fs = std::filesystem;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Facts = std::vector<std::pair<std::string, std::string>>;

// What a record of an older version lacks is not told, rather than an error.

const Json& member(const Json& json, const char* key) {
  static const Json nothing;
  return json.is_object() && json.contains(key) ? json[key] : nothing;
}

/// Entry i of an array.
const Json& entry(const Json& json, std::size_t i) {
  static const Json nothing;
  return json.is_array() && i < json.size() ? json[i] : nothing;
}

double number(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "inf") return kInfinity;
  if (json == "-inf") return -kInfinity;
  return kNaN;
}
double number(const Json& json, const char* key) { return number(member(json, key)); }

/// A text, a number or a truth, for a person.
std::string shown(const Json& json, int digits = 5) {
  if (json.is_null()) return "";
  if (json.is_boolean()) return json.get<bool>() ? "yes" : "no";
  if (json.is_number_unsigned()) return fmt::format("{}", json.get<std::uint64_t>());
  if (json.is_number_integer()) return fmt::format("{}", json.get<std::int64_t>());
  if (json.is_number()) return fmt::format("{:.{}g}", json.get<double>(), digits);
  if (json.is_string()) return json.get<std::string>();
  return json_text(json, false);
}
std::string shown(const Json& json, const char* key, int digits = 5) { return shown(member(json, key), digits); }

/// Facts whose member is there.
Facts facts_of(const Json& json, std::initializer_list<std::pair<const char*, const char*>> keys, int digits = 8) {
  Facts facts;
  for (const auto& [name, key] : keys) {
    if (std::string text = shown(json, key, digits); !text.empty()) facts.emplace_back(name, std::move(text));
  }
  return facts;
}

void add_facts(ReportSection& section, const Facts& facts) {
  if (!facts.empty()) section.blocks.emplace_back(html_facts(facts));
}

void add_verdict(ReportSection& section, const std::string& text, bool good) {
  if (!text.empty()) section.blocks.emplace_back(html_paragraph(text, good ? "verdict" : "verdict bad"));
}

/// A table as its CSV has it, numbers shortened; rows beyond 2000 are left to the file.
void add_csv(ReportSection& section, const fs::path& file, const std::string& title) {
  constexpr std::size_t kRows = 2000;
  if (!fs::exists(file)) return;
  Table table = read_csv_table(file);
  table.title = title;
  if (table.rows.size() > kRows) {
    table.title += fmt::format(" ({} of {} rows; {} has all)", kRows, table.rows.size(), file.filename().string());
    table.rows.resize(kRows);
  }
  shorten_numbers(table);
  section.blocks.emplace_back(std::move(table));
}

/// The rows of each value of a column of texts, in the order of their first appearance.
std::vector<std::pair<std::string, std::vector<std::size_t>>> groups_of(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::vector<std::size_t>>> groups;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto at = std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == texts[i]; });
    if (at == groups.end()) at = groups.insert(at, {texts[i], {}});
    at->second.push_back(i);
  }
  return groups;
}

std::vector<double> at_rows(const std::vector<double>& values, const std::vector<std::size_t>& rows) {
  std::vector<double> out;
  for (const std::size_t i : rows) out.push_back(values[i]);
  return out;
}

bool any_finite(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// Whether a logarithm shows these better: all positive, over more than a factor of 5.
bool wants_logarithm(const std::vector<double>& values) {
  double least = kInfinity;
  double greatest = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    least = std::min(least, v);
    greatest = std::max(greatest, v);
  }
  return least > 0 && greatest > 5 * least;
}

// --------------------------------------------------------------------------------------------------------- spectra

Facts spectrum_facts(const Json& json) {
  Facts facts = facts_of(json, {{"matrix", "curvature"},
                                {"problem", "problem"},
                                {"at", "at"},
                                {"parameters", "parameters"},
                                {"precision", "precision"},
                                {"value", "value"},
                                {"gradient norm", "gradient_norm"},
                                {"norm of the matrix", "norm"},
                                {"products", "products"},
                                {"seconds", "seconds"}});
  const bool proved = member(json, "proved") == true;
  const bool certified = member(json, "multiplicity_certified") == true;
  facts.emplace_back("none is missing", proved ? "proved by inertia" : certified ? "certified" : "not certified");
  if (const double share = number(json, "gradient_alignment"); std::isfinite(share)) {
    facts.emplace_back("gradient in the space of the largest", fmt::format("{:.3g} % of its square", 100 * share));
  }
  return facts;
}

/// Sums over the whole spectrum with their intervals.
Table whole_figures(const Json& json) {
  constexpr std::array<std::pair<const char*, const char*>, 8> kFigures = {
      {{"trace", "trace"},
       {"frobenius_square", "Frobenius norm squared"},
       {"stable_rank", "stable rank"},
       {"negative", "eigenvalues below zero"},
       {"near_zero", "eigenvalues near zero"},
       {"positive", "eigenvalues above zero"},
       {"log_determinant", "log det(A+ + damping I)"},
       {"effective_dimension", "effective dimension"}}};
  Table table;
  table.title = "of the whole spectrum, with 95 % intervals";
  table.columns = {{"figure", false}, {"value"}, {"standard error"}, {"lower"}, {"upper"}, {"products"}};
  for (const auto& [key, name] : kFigures) {
    const Json& e = member(json, key);
    if (!e.is_object()) continue;
    table.add({Cell(name), Cell(significant(number(e, "value"), 6)), Cell(significant(number(e, "standard_error"), 3)),
               Cell(significant(number(e, "lower"), 5)), Cell(significant(number(e, "upper"), 5)),
               Cell(shown(e, "products"))});
  }
  return table;
}

struct Eigenvalue {
  const char* end;
  double value;
  double residual;
};

std::vector<Eigenvalue> eigenvalues_of(const Json& json) {
  std::vector<Eigenvalue> out;
  for (const char* end : {"largest", "smallest"}) {
    for (const Json& pair : member(json, end)) out.push_back({end, number(pair, "value"), number(pair, "residual")});
  }
  return out;
}

void add_layers(ReportSection& section, const Json& json) {
  const Json& layers = member(json, "layers");
  if (!layers.is_array() || layers.empty()) return;
  Table table;
  table.title = "diagonal blocks of the layers";
  table.columns = {{"layer", false}, {"parameters"}, {"largest"}, {"smallest"},
                   {"trace"},        {"lower"},      {"upper"},   {"status", false}};
  for (const Json& layer : layers) {
    const auto end = [&](const char* key) {
      const Json& first = entry(member(layer, key), 0);
      return first.is_null() ? std::string("none") : significant(number(first, "value"), 6);
    };
    const Json& trace = member(layer, "trace");
    table.add({Cell(shown(layer, "name")), Cell(shown(layer, "parameters")), Cell(end("largest")),
               Cell(end("smallest")), Cell(significant(number(trace, "value"), 5)),
               Cell(significant(number(trace, "lower"), 5)), Cell(significant(number(trace, "upper"), 5)),
               Cell(shown(layer, "status"))});
  }
  section.blocks.emplace_back(std::move(table));
}

// ---------------------------------------------------------------------------------------------------- classification

Table certificate_table(const Json& point) {
  Table table;
  table.title = "certificate";
  table.columns = {{"what", false}, {"figure"}, {"remark", false}};
  const auto add = [&](const char* what, const char* key, const std::string& remark, int digits) {
    const Json& value = member(point, key);
    if (value.is_null() || value == "nan") return;
    table.add({Cell(what), Cell(shown(value, digits)), Cell(remark)});
  };
  const Json& zero = member(point, "zero_tolerance");
  const std::string within = "within " + significant(number(zero, "total"), 2);
  const bool certified = member(point, "certified") == true;
  const char* const all = certified ? "all" : "at least";
  add("value", "value", "", 10);
  add("gradient norm", "gradient_norm", "held against " + significant(number(point, "gradient_tolerance"), 3), 4);
  add("1/2 g'|H|^-1 g", "newton_change", "what Newton's step would change in f", 4);
  add("least eigenvalue", "least_eigenvalue", within, 8);
  add("largest eigenvalue", "largest_eigenvalue", within, 8);
  if (zero.is_object()) {
    table.add({Cell("counts as zero up to"), Cell(significant(number(zero, "total"), 4)),
               Cell(fmt::format("rounding {}, residual {}, asymmetry {}, drift {}",
                                significant(number(zero, "rounding"), 2), significant(number(zero, "residual"), 2),
                                significant(number(zero, "asymmetry"), 2), significant(number(zero, "drift"), 2)))});
  }
  add("negative eigenvalues", "index", all, 5);
  add("positive eigenvalues", "positive", all, 5);
  add("within zero", "flat", certified ? "all" : "as far as was seen", 5);
  add("share of signs known", "resolved_share", "", 5);
  add("Kantorovich's h", "kantorovich", "<= 1/2 for a ball that holds one critical point", 3);
  add("radius of the ball", "ball_radius", "holds one critical point", 3);
  const Json& higher = member(point, "higher_order");
  if (higher.is_object()) {
    table.add({Cell("third order"), Cell(significant(number(higher, "third"), 4)),
               Cell("within " + significant(number(higher, "third_error"), 2))});
    table.add({Cell("fourth order"), Cell(significant(number(higher, "fourth"), 4)),
               Cell("within " + significant(number(higher, "fourth_error"), 2))});
    table.add(
        {Cell("they say"), Cell(shown(higher, "verdict")), Cell(shown(higher, "directions") + " directions tried")});
  }
  table.add({Cell("certified"), Cell(certified ? "yes" : "no"), Cell("")});
  return table;
}

void add_critical_points(ReportSection& section, const fs::path& folder, const Json& json) {
  const fs::path file = folder / "critical_points.csv";
  Facts kinds;
  for (const auto& [kind, count] : member(json, "kinds").items()) kinds.emplace_back(kind, shown(count));
  add_facts(section, kinds);
  if (!fs::exists(file)) return;
  const Table table = read_csv_table(file);
  const auto kind = texts_of(table, "kind", file.string());
  const auto value = numbers_of(table, "value", file.string());
  const auto index = numbers_of(table, "index", file.string());
  const double n = number(json, "parameters");
  ScatterPlot plot{"", "value", "share of negative eigenvalues", {}};
  bool any = false;
  for (const auto& [name, rows] : groups_of(kind)) {
    if (name == "not stationary" || name == "non-finite") continue;
    ScatterGroup group{name, at_rows(value, rows), at_rows(index, rows)};
    for (double& share : group.y) share /= n;
    any = any || (any_finite(group.x) && any_finite(group.y));
    plot.groups.push_back(std::move(group));
  }
  if (any) {
    Figure figure{"index_by_value", "index of critical points over their value",
                  "Every critical point that was found: the share of negative eigenvalues of its Hessian against the "
                  "loss there. Starts that led to no critical point are in the table alone."};
    figure.points = std::move(plot);
    section.blocks.emplace_back(std::move(figure));
  }
  add_csv(section, file, "where every start led");
}

ReportSection classification_section(const fs::path& folder) {
  ReportSection section{"Critical point"};
  const Json json = read_json(folder / "classification.json");
  const Json& point = member(json, "point");
  if (!point.is_object()) {
    section.title = "Critical points";
    add_facts(section, facts_of(json, {{"problem", "problem"}, {"parameters", "parameters"}, {"starts", "starts"}}));
    add_critical_points(section, folder, json);
    return section;
  }
  const std::string kind = shown(point, "kind");
  add_verdict(section, kind + ": " + shown(point, "message"),
              kind != "not stationary" && kind != "undecided" && kind != "non-finite");
  add_facts(
      section,
      facts_of(json, {{"problem", "problem"}, {"at", "at"}, {"parameters", "parameters"}, {"precision", "precision"}}));
  if (const std::string message = shown(member(json, "search"), "message"); !message.empty()) {
    section.blocks.emplace_back(html_paragraph("Search: " + message));
  }
  section.blocks.emplace_back(certificate_table(point));
  return section;
}

// --------------------------------------------------------------------------------------------------------- sharpness

Table measures_table(const Json& json) {
  const Json& here = member(json, "point");
  const bool rescaled = json.contains("rescaled");
  const bool two = rescaled || json.contains("against");
  const Json& there = member(json, rescaled ? "rescaled" : "against");
  Table table;
  table.title = "measures of sharpness; of an estimate a 95 % interval";
  table.columns = {{"measure", false},   {"value"},         {"lower"}, {"upper"}, {"kind", false},
                   {"invariant", false}, {"flat is", false}};
  if (two) table.columns.insert(table.columns.begin() + 4, {{rescaled ? "rescaled" : "against"}, {"ratio"}});
  table.columns.push_back({"note", false});
  const Json& measures = member(here, "measures");
  for (std::size_t i = 0; i < measures.size(); ++i) {
    const Json& m = entry(measures, i);
    const bool interval = number(m, "lower") != number(m, "upper");
    std::vector<Cell> row = {Cell(shown(m, "name")), Cell(significant(number(m, "value"), 5)),
                             Cell(interval ? significant(number(m, "lower"), 4) : ""),
                             Cell(interval ? significant(number(m, "upper"), 4) : "")};
    if (two) {
      const double other = number(entry(member(there, "measures"), i), "value");
      row.emplace_back(significant(other, 5));
      row.emplace_back(significant(other / number(m, "value"), 4));
    }
    row.emplace_back(shown(m, "kind"));
    row.emplace_back(shown(m, "invariant"));
    row.emplace_back(shown(m, "flat_is"));
    row.emplace_back(shown(m, "note"));
    table.add(std::move(row));
  }
  return table;
}

ReportSection sharpness_section(const fs::path& folder) {
  ReportSection section{"Sharpness"};
  const Json json = read_json(folder / "sharpness.json");
  const Json& here = member(json, "point");
  const Json& rescaling = member(json, "rescaling");
  if (json.contains("verdict")) {
    add_verdict(section, shown(json, "verdict") + ": " + shown(json, "verdict_message"), true);
  }
  if (rescaling.is_object()) {
    const bool same = member(rescaling, "same_function") == true;
    add_verdict(section,
                fmt::format("{}: the outputs changed by {} of the largest, {}", shown(rescaling, "layers"),
                            significant(number(rescaling, "output_change"), 2),
                            same ? "the same function to rounding" : "more than rounding explains"),
                same);
  }
  if (shown(here, "status") == "non-finite") add_verdict(section, "not finite: " + shown(here, "message"), false);
  Facts facts =
      facts_of(json, {{"problem", "problem"}, {"at", "at"}, {"parameters", "parameters"}, {"precision", "precision"}});
  for (auto& fact : facts_of(here, {{"value", "value"}, {"gradient norm", "gradient_norm"}})) {
    facts.push_back(std::move(fact));
  }
  if (json.contains("against")) facts.emplace_back("against", shown(member(json, "against"), "at"));
  add_facts(section, facts);
  section.blocks.emplace_back(measures_table(json));
  for (const Json& left : member(here, "left_out")) {
    section.blocks.emplace_back(
        html_paragraph("Left out: " + shown(left, "name") + ": " + shown(left, "why"), "quiet"));
  }
  const fs::path rise = folder / "rise.csv";
  if (!fs::exists(rise)) return section;
  const Table table = read_csv_table(rise);
  const std::string file = rise.string();
  const auto points = texts_of(table, "point", file);
  const auto units = texts_of(table, "units", file);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < points.size(); ++i) names.push_back(points[i] + ", " + units[i]);
  const auto sigma = numbers_of(table, "sigma", file);
  const auto mean = numbers_of(table, "rise", file);
  const auto lower = numbers_of(table, "lower", file);
  const auto upper = numbers_of(table, "upper", file);
  if (!any_finite(mean)) return section;
  Figure figure{
      "rise", "expected rise of the loss under noise",
      "Mean rise of the loss under Gaussian noise of deviation sigma on the parameters, with its 95 % interval: "
      "plain, and in units of each parameter's size."};
  figure.band_only = true;
  Plot plot;
  plot.x_label = "sigma";
  plot.y_label = "expected rise of the loss";
  plot.log_x = true;
  plot.log_y = *std::max_element(mean.begin(), mean.end()) > 0;
  plot.legend = "mean, 95 % interval";
  for (const auto& [name, rows] : groups_of(names)) {
    plot.series.push_back(
        band_series(name, at_rows(sigma, rows), at_rows(mean, rows), at_rows(lower, rows), at_rows(upper, rows)));
  }
  figure.views.push_back({"sigma", std::move(plot)});
  section.blocks.emplace_back(std::move(figure));
  return section;
}

// --------------------------------------------------------------------------------------------------------- landscape

/// The values in order, each once; NaN has no place among them.
std::vector<double> distinct(std::vector<double> values, const std::string& file) {
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    fail("{}: a point of the grid has NaN or no number for its place", file);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Vector as_vector(const std::vector<double>& values) {
  return Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size()));
}

/// The column of a slice on its grid.
Matrix grid_of(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& values,
               const std::vector<double>& xs, const std::vector<double>& ys) {
  Matrix grid = Matrix::Constant(static_cast<Index>(xs.size()), static_cast<Index>(ys.size()), kNaN);
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto i = std::lower_bound(xs.begin(), xs.end(), a[k]) - xs.begin();
    const auto j = std::lower_bound(ys.begin(), ys.end(), b[k]) - ys.begin();
    grid(i, j) = values[k];
  }
  return grid;
}

std::string direction_label(const Json& json, std::size_t i) {
  const Json& direction = entry(member(json, "directions"), i);
  return direction.is_null() ? fmt::format("direction {}", i + 1) : shown(direction, "label");
}

void add_slice(ReportSection& section, const fs::path& folder, const Json& json) {
  const fs::path path = folder / "slice.csv";
  if (!fs::exists(path)) return;
  const std::string file = path.string();
  const Table table = read_csv_table(path);
  const auto a = numbers_of(table, "a", file);
  const auto b = numbers_of(table, "b", file);
  const auto values = numbers_of(table, "value", file);
  const auto model = numbers_of(table, "model", file);
  if (!any_finite(values)) return;
  const std::vector<double> xs = distinct(a, file);
  const std::vector<double> ys = distinct(b, file);
  if (xs.size() * ys.size() != values.size()) {
    fail("{}: {} rows are no grid of {} by {} points", file, values.size(), xs.size(), ys.size());
  }
  const std::string error = fmt::format("the quadratic model is off by {} at most",
                                        significant(number(member(json, "largest_model_error"), "error"), 3));
  if (ys.size() < 2) {
    Figure figure{"slice", "loss along a line",
                  "The loss along the direction, and the quadratic model at its middle: " + error + "."};
    Plot plot;
    plot.x_label = direction_label(json, 0);
    plot.y_label = "loss";
    plot.legend = "along the line";
    // The model leaves the picture where it is far from the loss.
    const auto [low, high] = std::minmax_element(values.begin(), values.end(), [](double p, double q) {
      return std::isfinite(p) && (!std::isfinite(q) || p < q);
    });
    const double margin = 0.3 * (*high - *low);
    Curve quadratic{a, model};
    if (std::isfinite(margin) && margin > 0) {
      for (double& y : quadratic.y) y = y < *low - margin || y > *high + margin ? kNaN : y;
    }
    plot.series = {{"loss", {{a, values}}}, {"quadratic model", {std::move(quadratic)}}};
    figure.views.push_back({"line", std::move(plot)});
    section.blocks.emplace_back(std::move(figure));
    return;
  }
  ContourPlot plot;
  plot.x_label = direction_label(json, 0);
  plot.y_label = direction_label(json, 1);
  plot.value_label = "loss";
  plot.x = as_vector(xs);
  plot.y = as_vector(ys);
  plot.values = grid_of(a, b, values, xs, ys);
  plot.model = grid_of(a, b, model, xs, ys);
  std::string along;
  if (fs::exists(folder / "trajectory.csv")) {
    const Table steps = read_csv_table(folder / "trajectory.csv");
    const std::string steps_file = (folder / "trajectory.csv").string();
    plot.path = {numbers_of(steps, "a", steps_file), numbers_of(steps, "b", steps_file)};
    along = fmt::format(" The run's trajectory is projected onto it: {} % of its squared distance lies in the plane.",
                        significant(100 * number(member(json, "trajectory"), "share_in_slice"), 3));
  }
  Figure figure{
      "slice", "loss in a plane",
      "Colours and solid lines: the loss. Dashed lines: the quadratic model at the middle, at the same levels. " +
          ("T" + error.substr(1)) + "." + along};
  figure.surface = plot;
  section.blocks.emplace_back(std::move(figure));
  if (find_column(table, "gradient_norm") < 0) return;
  plot.values = grid_of(a, b, numbers_of(table, "gradient_norm", file), xs, ys);
  if (!plot.values.array().isFinite().any()) return;
  plot.model.resize(0, 0);
  plot.value_label = "norm of the gradient";
  Figure gradients{"gradient", "norm of the gradient in the plane", "The norm of the gradient in the same plane."};
  gradients.surface = std::move(plot);
  section.blocks.emplace_back(std::move(gradients));
}

void add_paths(ReportSection& section, const fs::path& folder, const Json& json) {
  const Json& paths = member(json, "paths");
  if (paths.is_array() && !paths.empty()) {
    Table table;
    table.title = "paths between the two points";
    table.columns = {{"path", false}, {"length"},       {"loss at the start"}, {"at the end"}, {"barrier"},
                     {"at t"},        {"highest loss"}, {"rounding"},          {"not finite"}};
    for (const Json& path : paths) {
      const Json& barrier = member(path, "barrier");
      table.add({Cell(shown(path, "name")), Cell(significant(number(path, "length"), 6)),
                 Cell(significant(number(path, "start"), 6)), Cell(significant(number(path, "end"), 6)),
                 Cell(significant(number(barrier, "value"), 5)), Cell(significant(number(barrier, "t"), 4)),
                 Cell(significant(number(member(path, "highest"), "value"), 6)),
                 Cell(significant(number(path, "noise"), 2)), Cell(shown(path, "non_finite"))});
    }
    section.blocks.emplace_back(std::move(table));
  }
  const fs::path csv = folder / "path.csv";
  if (!fs::exists(csv)) return;
  const std::string file = csv.string();
  const Table table = read_csv_table(csv);
  const auto groups = groups_of(texts_of(table, "path", file));
  const auto t = numbers_of(table, "t", file);
  for (const Column& column : table.columns) {
    if (column.name == "path" || column.name == "t") continue;
    const auto heights = numbers_of(table, column.name, file);
    if (!any_finite(heights)) continue;
    std::string title = column.name == "value" ? "loss" : column.name;
    std::replace(title.begin(), title.end(), '_', ' ');
    Figure figure{"path_" + column.name, title + " along the paths",
                  fmt::format("{} from the first point (t = 0) to the second (t = 1).", title)};
    Plot plot;
    plot.x_label = "t";
    plot.y_label = title;
    plot.legend = "along the path";
    plot.higher_is_better = column.name.find("accuracy") != std::string::npos;
    for (const auto& [name, rows] : groups) plot.series.push_back({name, {{at_rows(t, rows), at_rows(heights, rows)}}});
    figure.views.push_back({"t", std::move(plot)});
    figure.small = column.name != "value";
    section.blocks.emplace_back(std::move(figure));
  }
}

void add_smoothness(ReportSection& section, const fs::path& folder, const Json& json) {
  const Json& points = member(json, "points");
  if (!points.is_array() || points.empty()) return;
  constexpr std::array<std::pair<const char*, const char*>, 8> kColumns = {{{"step", "step"},
                                                                            {"longest step", "longest_eta"},
                                                                            {"least loss", "least_value"},
                                                                            {"largest loss", "largest_value"},
                                                                            {"largest change", "largest_change"},
                                                                            {"effective", "effective_smoothness"},
                                                                            {"between neighbours", "neighbours"},
                                                                            {"at the point", "at_point"}}};
  Table table;
  table.title = "along the gradient";
  for (const auto& [name, key] : kColumns) table.columns.push_back({name});
  std::vector<double> steps;
  std::map<std::string, std::vector<double>> figures;
  for (const Json& point : points) {
    std::vector<Cell> row;
    for (const auto& [name, key] : kColumns) {
      row.emplace_back(shown(point, key));
      figures[key].push_back(number(point, key));
    }
    table.add(std::move(row));
  }
  steps = figures["step"];
  const auto add = [&](const std::string& name, const std::string& title, const char* x_label,
                       const std::vector<Series>& series) {
    std::vector<double> all;
    for (const Series& one : series) all.insert(all.end(), one.runs[0].y.begin(), one.runs[0].y.end());
    if (!any_finite(all)) return;
    Figure figure{name, title, title + " along the direction of the gradient (Santurkar et al. 2018)."};
    Plot plot;
    plot.x_label = x_label;
    plot.y_label = title;
    plot.legend = "along the gradient";
    plot.log_y = wants_logarithm(all);
    plot.series = series;
    figure.views.push_back({"steps", std::move(plot)});
    section.blocks.emplace_back(std::move(figure));
  };
  if (points.size() > 1) {
    add("smoothness", "smoothness", "step",
        {{"effective", {{steps, figures["effective_smoothness"]}}},
         {"between neighbours", {{steps, figures["neighbours"]}}},
         {"at the point", {{steps, figures["at_point"]}}}});
    add("loss_range", "range of the loss", "step",
        {{"largest", {{steps, figures["largest_value"]}}}, {"least", {{steps, figures["least_value"]}}}});
  } else if (const fs::path csv = folder / "smoothness.csv"; fs::exists(csv)) {
    const std::string file = csv.string();
    const Table walk = read_csv_table(csv);
    const auto eta = numbers_of(walk, "eta", file);
    add("loss_along_gradient", "loss", "step along the gradient", {{"loss", {{eta, numbers_of(walk, "value", file)}}}});
    add("gradient_change", "change of the gradient", "step along the gradient",
        {{"change", {{eta, numbers_of(walk, "gradient_change", file)}}}});
  }
  section.blocks.emplace_back(std::move(table));
}

ReportSection landscape_section(const fs::path& folder) {
  ReportSection section{"Landscape"};
  const Json json = read_json(folder / "landscape.json");
  add_facts(section, facts_of(json, {{"problem", "problem"},
                                     {"at", "at"},
                                     {"to", "to"},
                                     {"parameters", "parameters"},
                                     {"precision", "precision"},
                                     {"value", "value"},
                                     {"cosine of the directions", "cosine"},
                                     {"mixed curvature", "mixed_curvature"},
                                     {"values not finite", "non_finite"}}));
  if (const std::string message = shown(json, "message"); !message.empty()) add_verdict(section, message, false);
  for (const Json& warning : member(json, "warnings")) add_verdict(section, shown(warning), false);
  add_slice(section, folder, json);
  if (const Json& directions = member(json, "directions"); directions.is_array() && !directions.empty()) {
    Table table;
    table.title = "directions";
    table.columns = {{"direction", false}, {"length"}, {"from"}, {"to"}, {"slope"}, {"curvature"}};
    for (const Json& d : directions) {
      table.add({Cell(shown(d, "label")), Cell(shown(d, "norm")), Cell(shown(d, "low")), Cell(shown(d, "high")),
                 Cell(shown(d, "slope")), Cell(shown(d, "curvature"))});
    }
    section.blocks.emplace_back(std::move(table));
  }
  add_paths(section, folder, json);
  if (const Json& matching = member(json, "matching"); matching.is_object()) {
    section.blocks.emplace_back(
        html_paragraph(fmt::format("Matching of the hidden units: the distance falls from {} to {} in {} sweeps.",
                                   significant(number(matching, "distance_before"), 6),
                                   significant(number(matching, "distance"), 6), shown(matching, "sweeps"))));
  }
  add_smoothness(section, folder, json);
  return section;
}

// -------------------------------------------------------------------------------------------------------- validation

ReportSection validation_section(const fs::path& folder) {
  ReportSection section{"Validation against Ceres"};
  const Json json = read_json(folder / "validation.json");
  Facts facts = facts_of(json, {{"Ceres", "ceres"}, {"optimizer", "optimizer"}});
  for (const auto& [verdict, count] : member(json, "counts").items()) facts.emplace_back(verdict, shown(count));
  add_facts(section, facts);
  Table table;
  table.title = "both answers, judged by our own evaluation";
  table.columns = {{"problem", false},
                   {"n"},
                   {"verdict", false},
                   {"Hesse"},
                   {"Ceres"},
                   {"digits"},
                   {"distance"},
                   {"seconds"},
                   {"of Ceres"},
                   {"ended", false},
                   {"Ceres ended", false},
                   {"point", false},
                   {"Ceres' point", false},
                   {"message", false}};
  for (const Json& v : member(json, "problems")) {
    const Json& hesse = member(v, "hesse");
    const Json& ceres = member(v, "ceres");
    const std::string verdict = shown(v, "verdict");
    const bool missed = verdict == "ceres better" || verdict == "both failed";
    const std::string claim = member(ceres, "claim_is_false") == true ? " (false)" : "";
    const double digits = number(v, "digits");
    table.add({Cell(shown(v, "problem")), Cell(shown(v, "parameters")), Cell(verdict, missed),
               Cell(significant(number(hesse, "value"), 8)), Cell(significant(number(ceres, "value"), 8)),
               Cell(std::isnan(digits) ? "" : fmt::format("{:.1f}", digits)),
               Cell(significant(number(v, "distance"), 2)), Cell(significant(number(hesse, "seconds"), 2)),
               Cell(significant(number(ceres, "seconds"), 2)), Cell(shown(hesse, "status")),
               Cell(shown(ceres, "status") + claim), Cell(shown(hesse, "kind")), Cell(shown(ceres, "kind")),
               Cell(shown(v, "message"))});
  }
  section.blocks.emplace_back(std::move(table));
  return section;
}

// ------------------------------------------------------------------------------------------------------ verification

ReportSection verification_section(const fs::path& folder) {
  ReportSection section{"Verification"};
  const Json json = read_json(folder / "verification.json");
  const bool planted = member(json, "planted") == true;
  const bool passed = member(json, "passed") == true;
  add_facts(section, facts_of(json, {{"comparisons", "comparisons"}, {"seconds", "seconds"}}));
  add_verdict(section,
              planted  ? passed ? "Every oracle found the fault that was planted in it."
                                : "An oracle did not find the fault that was planted in it."
              : passed ? "Every oracle passed."
                       : "An oracle failed: do not trust results of this binary on this machine.",
              passed);
  Table table;
  table.title = "answers that are known without this binary, and its own";
  table.columns = {
      {"oracle", false}, {"what is compared", false}, {"figure"}, {"from"}, {"to"}, {"why the range", false},
      {"", false}};
  for (const Json& oracle : member(json, "oracles")) {
    for (const Json& finding : member(oracle, "findings")) {
      const bool good = member(finding, "passed") == true;
      table.add({Cell(shown(oracle, "name")), Cell(shown(finding, "what")), Cell(shown(finding, "figure")),
                 Cell(shown(finding, "low")), Cell(shown(finding, "high")), Cell(shown(finding, "derivation")),
                 Cell(good ? "passed" : "failed", !good)});
    }
    if (const std::string failure = shown(oracle, "failure"); !failure.empty()) {
      table.add(
          {Cell(shown(oracle, "name")), Cell(failure), Cell(""), Cell(""), Cell(""), Cell(""), Cell("failed", true)});
    }
  }
  section.blocks.emplace_back(std::move(table));
  return section;
}

// ----------------------------------------------------------------------------------------------------------- profile

/// rho(tau): the share of problems that a solver solved within tau times the cost of the best, of Dolan and More
/// (2002).
void add_profile(ReportSection& section, const fs::path& csv, const std::string& cost, const Json& json) {
  if (!fs::exists(csv)) return;
  const Table ratios = read_csv_table(csv);
  const auto problems = static_cast<double>(ratios.rows.size());
  double last = std::max(number(json, "tau_max"), 2.0);
  std::vector<std::pair<std::string, std::vector<double>>> solvers;
  for (std::size_t j = 1; j < ratios.columns.size(); ++j) {
    std::vector<double> taus = numbers_of(ratios, ratios.columns[j].name, csv.string());
    std::erase_if(taus, [](double tau) { return !std::isfinite(tau); });
    std::sort(taus.begin(), taus.end());
    if (!taus.empty()) last = std::max(last, taus.back());
    solvers.emplace_back(ratios.columns[j].name, std::move(taus));
  }
  // Beyond a factor of a thousand a solver has solved the problem, and no more is to be seen.
  last = std::min(last, 1000.0);
  Figure figure{
      "profile_" + cost, "performance profile by " + cost,
      fmt::format("Share of {} problems that a solver solves to {} digits at no more than tau times the {} of the "
                  "best solver of each (Dolan and More 2002). The height at 1 is how often it is the best.",
                  ratios.rows.size(), shown(json, "digits"), cost)};
  Plot plot;
  plot.x_label = cost + " over those of the best solver";
  plot.y_label = "share of problems solved";
  plot.log_x = true;
  plot.higher_is_better = true;
  plot.legend = "of " + fmt::format("{} problems", ratios.rows.size());
  for (const auto& [name, taus] : solvers) {
    Curve curve;
    const auto add = [&](double tau, double height) {
      curve.x.push_back(tau);
      curve.y.push_back(height);
    };
    std::size_t solved = 0;
    while (solved < taus.size() && taus[solved] <= 1) ++solved;
    add(1, static_cast<double>(solved) / problems);
    for (std::size_t i = solved; i < taus.size() && taus[i] <= last; ++i) {
      // Two points a jump, so that lines draw it as a step.
      if (const double before = std::nextafter(taus[i], 0.0); before > curve.x.back()) add(before, curve.y.back());
      add(taus[i], static_cast<double>(i + 1) / problems);
    }
    if (curve.x.back() < last) add(last, curve.y.back());
    plot.series.push_back({name, {std::move(curve)}});
  }
  figure.views.push_back({cost, std::move(plot)});
  section.blocks.emplace_back(std::move(figure));
}

ReportSection profile_section(const fs::path& folder) {
  ReportSection section{"Performance profiles"};
  const Json json = read_json(folder / "profile.json");
  Facts facts = facts_of(json, {{"digits that count as solved", "digits"},
                                {"tau up to which areas are taken", "tau_max"},
                                {"repetitions", "repetitions"},
                                {"seed", "seed"},
                                {"finished", "finished"}});
  facts.emplace_back("problems", fmt::format("{}", member(json, "problems").size()));
  add_facts(section, facts);
  Table table;
  table.title = "solvers";
  table.columns = {{"solver", false},       {"solved"},          {"best by evaluations"},
                   {"area by evaluations"}, {"best by seconds"}, {"area by seconds"}};
  for (const Json& row : member(json, "table")) {
    table.add({Cell(shown(row, "solver")), Cell(shown(row, "solved")), Cell(shown(row, "best_evaluations")),
               Cell(shown(row, "area_evaluations")), Cell(shown(row, "best_seconds")),
               Cell(shown(row, "area_seconds"))});
  }
  section.blocks.emplace_back(std::move(table));
  add_profile(section, folder / "ratios_evaluations.csv", "evaluations", json);
  add_profile(section, folder / "ratios_seconds.csv", "seconds", json);
  add_csv(section, folder / "results.csv", "every problem and solver");
  return section;
}

// ------------------------------------------------------------------------------------------- diagnosis and range test

ReportSection diagnosis_section(const fs::path& folder) {
  ReportSection section{"Diagnosis"};
  const Json json = read_json(folder / "diagnosis.json");
  add_verdict(section, "in all: " + shown(json, "finding"), shown(json, "finding") == "good");
  add_facts(section, facts_of(json, {{"problem", "problem"}, {"optimizer", "optimizer"}, {"seed", "seed"}}));
  const auto figure = [](const Json& one, const char* key) {
    const double value = number(one, key);
    return std::isnan(value) ? std::string() : significant(value, 3);
  };
  Table checks;
  checks.title = "checks";
  checks.columns = {{"check", false}, {"finding", false}, {"figure"}, {"what was seen", false}};
  for (const Json& check : member(json, "checks")) {
    checks.add({Cell(shown(check, "name")), Cell(shown(check, "finding"), shown(check, "finding") != "good"),
                Cell(figure(check, "figure")), Cell(shown(check, "message"))});
  }
  section.blocks.emplace_back(std::move(checks));
  Table blocks;
  blocks.title = "blocks of parameters";
  blocks.columns = {{"block", false}, {"gradient, root mean square at the start"}, {"step / weights, median"}};
  for (const Json& block : member(json, "blocks")) {
    blocks.add({Cell(shown(block, "name")), Cell(figure(block, "gradient_rms")), Cell(figure(block, "relative_step"))});
  }
  if (!blocks.rows.empty()) section.blocks.emplace_back(std::move(blocks));
  Table units;
  units.title = "hidden units";
  units.columns = {{"layer", false}, {"units"}, {"dead"}, {"saturated"}};
  for (const Json& layer : member(json, "units")) {
    units.add({Cell(shown(layer, "name")), Cell(shown(layer, "units")), Cell(shown(layer, "dead")),
               Cell(shown(layer, "saturated"))});
  }
  if (!units.rows.empty()) section.blocks.emplace_back(std::move(units));
  return section;
}

ReportSection range_test_section(const fs::path& folder) {
  ReportSection section{"Learning-rate range test"};
  const Json json = read_json(folder / "lr.json");
  add_verdict(section, shown(json, "message"), std::isfinite(number(json, "steepest")));
  add_facts(section, facts_of(json,
                              {{"problem", "problem"},
                               {"optimizer", "optimizer"},
                               {"seed", "seed"},
                               {"batch size", "batch_size"},
                               {"a tenth of the fall has happened", "begins"},
                               {"the loss falls fastest", "steepest"},
                               {"nine tenths have happened", "slows"},
                               {"the loss is least", "least"}},
                              3));
  const auto numbers = [&](const char* key) {
    std::vector<double> out;
    for (const Json& value : member(json, key)) out.push_back(number(value));
    return out;
  };
  const auto rate = numbers("rate");
  if (rate.empty() || numbers("loss").size() != rate.size() || numbers("smoothed").size() != rate.size())
    return section;
  Figure figure{"lr", "loss while the learning rate rises",
                "The loss after each step on the samples of the next, and its exponential mean."};
  Plot plot;
  plot.x_label = "learning rate";
  plot.y_label = "loss";
  plot.log_x = true;
  plot.legend = "of one sweep";
  plot.series = {{"after the step", {{rate, numbers("loss")}}}, {"smoothed", {{rate, numbers("smoothed")}}}};
  figure.views.push_back({"rate", std::move(plot)});
  section.blocks.emplace_back(std::move(figure));
  return section;
}

ReportSection one_spectrum_section(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return spectra_section({&folder, 1}, {&name, 1});
}

/// The final objective over one option of a sweep, a line a method.
void add_option_figure(ReportSection& section, const fs::path& file) {
  const Table table = read_csv_table(file);
  const std::string name = file.string();
  const auto method = texts_of(table, "method", name);
  const auto x = numbers_of(table, "x", name);
  const auto median = numbers_of(table, "median", name);
  const auto lower = numbers_of(table, "lower_quartile", name);
  const auto upper = numbers_of(table, "upper_quartile", name);
  if (!any_finite(median)) return;
  const std::string stem = file.stem().string();
  const std::string option = stem.substr(stem.rfind("_by_") + 4);
  Figure figure{stem, "objective by " + option,
                fmt::format("Final objective over {}: median and quartiles over the seeds. Of the cells that share a "
                            "value the best by its median stands for it.",
                            option)};
  figure.band_only = true;
  Plot plot;
  plot.x_label = option;
  plot.y_label = "final objective";
  for (const auto& [of, rows] : groups_of(method)) {
    plot.series.push_back(
        band_series(of, at_rows(x, rows), at_rows(median, rows), at_rows(lower, rows), at_rows(upper, rows)));
  }
  plot.legend = "median, 25-75 %";
  plot.log_x = wants_logarithm(x);
  plot.log_y = wants_logarithm(median);
  figure.views.push_back({option, std::move(plot)});
  section.blocks.emplace_back(std::move(figure));
}

}  // namespace

std::span<const AnalysisRecord> analysis_records() {
  static constexpr std::array<AnalysisRecord, 9> kRecords = {
      {{"spectrum.json", "spectrum", one_spectrum_section},
       {"classification.json", "critical point", classification_section},
       {"sharpness.json", "sharpness", sharpness_section},
       {"landscape.json", "landscape", landscape_section},
       {"validation.json", "validation", validation_section},
       {"verification.json", "verification", verification_section},
       {"profile.json", "performance profile", profile_section},
       {"diagnosis.json", "diagnosis", diagnosis_section},
       {"lr.json", "range test", range_test_section}}};
  return kRecords;
}

ReportSection spectra_section(std::span<const fs::path> folders, std::span<const std::string> names) {
  ReportSection section{folders.size() > 1 ? "Spectra" : "Spectrum"};
  Table table;
  table.title = "eigenvalues, each with its residual";
  table.columns = {{"end", false}, {"eigenvalue"}, {"residual"}};
  if (folders.size() > 1) table.columns.insert(table.columns.begin(), {"of", false});
  ScatterPlot ends{"", "position from the largest", "eigenvalue", {}};
  Plot densities;
  densities.x_label = "eigenvalue";
  densities.y_label = "density";
  densities.log_y = true;
  densities.legend = "mean over probes, 95 % interval";
  std::vector<Table> further;
  std::vector<Json> records;
  for (std::size_t s = 0; s < folders.size(); ++s) {
    const Json& json = records.emplace_back(read_json(folders[s] / "spectrum.json"));
    const std::string status = shown(json, "status");
    const std::string of = folders.size() > 1 ? names[s] + ": " : "";
    add_verdict(section, of + status + (shown(json, "message").empty() ? "" : ": " + shown(json, "message")),
                status == "converged");
    add_facts(section, spectrum_facts(json));
    const std::vector<Eigenvalue> eigenvalues = eigenvalues_of(json);
    const double n = number(json, "parameters");
    ScatterGroup group{folders.size() > 1 ? names[s] : "eigenvalues", {}, {}};
    for (const Eigenvalue& e : eigenvalues) {
      std::vector<Cell> row = {Cell(e.end), Cell(significant(e.value, 8)), Cell(significant(e.residual, 2))};
      if (folders.size() > 1) row.insert(row.begin(), Cell(names[s]));
      table.add(std::move(row));
      // Its place is told by how many of its end lie beyond it.
      const bool low = std::string_view(e.end) == "smallest";
      const auto beyond = std::count_if(eigenvalues.begin(), eigenvalues.end(), [&](const Eigenvalue& other) {
        return std::string_view(other.end) == e.end && (low ? other.value < e.value : other.value > e.value);
      });
      const auto same = std::count(group.y.begin(), group.y.end(), e.value);
      const auto place = static_cast<double>(beyond + same);
      group.x.push_back(low ? n - place : 1 + place);
      group.y.push_back(e.value);
    }
    if (any_finite(group.y)) ends.groups.push_back(std::move(group));
    const fs::path csv = folders[s] / "density.csv";
    if (fs::exists(csv)) {
      const std::string file = csv.string();
      const Table density = read_csv_table(csv);
      std::vector<double> line = numbers_of(density, "density", file);
      if (line.empty()) fail("{}: there are no rows", file);
      const double floor = 1e-6 * *std::max_element(line.begin(), line.end());
      const auto raised = [floor](std::vector<double> values) {
        for (double& v : values) v = std::max(v, floor);
        return values;
      };
      densities.series.push_back(band_series(folders.size() > 1 ? names[s] : "stochastic Lanczos quadrature",
                                             numbers_of(density, "lambda", file), raised(std::move(line)),
                                             raised(numbers_of(density, "lower", file)),
                                             raised(numbers_of(density, "upper", file))));
    }
    for (const auto& [name, title] :
         {std::pair{"class_parts.csv", "class and cross-class parts of the Gauss-Newton matrix"},
          std::pair{"class_shares.csv", "where the eigenvalues come from, in percent"}}) {
      if (!fs::exists(folders[s] / name)) continue;
      further.push_back(read_csv_table(folders[s] / name));
      further.back().title = of + title;
    }
    if (Table whole = whole_figures(json); !whole.rows.empty()) {
      whole.title = of + whole.title;
      further.push_back(std::move(whole));
    }
  }
  if (!ends.groups.empty()) {
    Figure figure{
        "eigenvalues", "eigenvalues",
        "The eigenvalues that were computed, by their position among all n. Their residuals are in the table."};
    figure.points = std::move(ends);
    section.blocks.emplace_back(std::move(figure));
  }
  if (!densities.series.empty()) {
    Figure figure{
        "density", "density of the spectrum",
        "Density of all eigenvalues by stochastic Lanczos quadrature: the mean over probes with its 95 % "
        "interval, blurred by a two-hundredth of the range; below a millionth of the peak it is drawn there."};
    figure.band_only = true;
    figure.views.push_back({"eigenvalue", std::move(densities)});
    section.blocks.emplace_back(std::move(figure));
  }
  section.blocks.emplace_back(std::move(table));
  for (Table& one : further) section.blocks.emplace_back(std::move(one));
  for (const Json& json : records) {
    add_layers(section, json);
    if (const Json& classes = member(json, "classes"); classes.is_object()) {
      section.blocks.emplace_back(
          html_paragraph(fmt::format("Classes: {} directions of mean gradients; their overlap with the top eigenspace "
                                     "of as many is {}, which holds "
                                     "{} % of their second moment.",
                                     member(classes, "eigenvalues").size(), significant(number(classes, "overlap"), 3),
                                     significant(100 * number(classes, "alignment"), 3))));
    }
  }
  return section;
}

bool holds_sweep(const fs::path& folder) { return fs::exists(folder / "sweep.json"); }

ReportSection sweep_section(const fs::path& folder) {
  ReportSection section{"Sweep"};
  const fs::path file = folder / "results.csv";
  if (!fs::exists(file)) {
    add_verdict(section, "unfinished: there are no results yet", false);
    return section;
  }
  const Table cells = read_csv_table(file);
  const auto state = texts_of(cells, "state", file.string());
  const auto reason = texts_of(cells, "reason", file.string());
  const auto problem = texts_of(cells, "problem", file.string());
  const auto method = texts_of(cells, "optimizer", file.string());
  const auto seed = texts_of(cells, "seed", file.string());
  const auto failed = std::count(state.begin(), state.end(), "failed");
  const auto finished = std::count(state.begin(), state.end(), "finished");
  add_verdict(section,
              fmt::format("{} cells: {} finished, {} failed, {} to come", state.size(), finished, failed,
                          std::ssize(state) - finished - failed),
              failed == 0);
  Table failures;
  failures.title = "cells that failed";
  failures.columns = {{"problem", false}, {"optimizer", false}, {"seed"}, {"reason", false}};
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i] == "failed") failures.add({Cell(problem[i]), Cell(method[i]), Cell(seed[i]), Cell(reason[i])});
  }
  if (!failures.rows.empty()) section.blocks.emplace_back(std::move(failures));
  add_csv(section, folder / "best.csv", "the method of the least median of each problem");
  std::vector<fs::path> curves;
  std::error_code error;
  for (fs::directory_iterator at(folder / "figures", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".csv") && name.find("_by_") != std::string::npos) curves.push_back(at->path());
  }
  std::sort(curves.begin(), curves.end());
  for (const fs::path& curve : curves) add_option_figure(section, curve);
  add_csv(section, file, "every cell");
  return section;
}

ReportSection command_section(const fs::path& folder) {
  const CommandRecord record = read_command_record(folder / kCommandFile);
  ReportSection section{"Command"};
  Table table;
  table.title = "hesse " + record.command + ": given and used";
  table.columns = {{"option", false}, {"given", false}, {"used", false}};
  for (const AskedOption& option : record.options) {
    if (!option.given && option.used.empty()) continue;
    table.add({Cell(option.name), Cell(option.given ? option.used : ""), Cell(option.used, option.given)});
  }
  section.blocks.emplace_back(std::move(table));
  const Software& software = record.software;
  section.blocks.emplace_back(html_facts(
      {{"hesse", software.hesse},
       {"compiler", fmt::format("{}, {}", software.compiler, software.build)},
       {"libraries", fmt::format("Eigen {}, {}", software.eigen, software.blas)},
       {"machine",
        fmt::format("{}, {} cores", record.machine.processor.empty() ? "unknown processor" : record.machine.processor,
                    record.machine.cores)},
       {"threads", fmt::format("{}", record.threads)},
       {"started", record.started},
       {"seconds in all", significant(record.seconds, 4)},
       {"exit code", fmt::format("{}", record.exit_code)}}));
  return section;
}

}  // namespace hesse
