#include "hesse/report/figure.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <utility>

namespace hesse {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRunPoints = 1000;
constexpr Index kBandPoints = 300;

/// Arrays that figures share, each written once.
class Arrays {
 public:
  std::size_t add(const std::vector<double>& values) {
    Json array = Json::array();
    for (const double value : values) array.push_back(json_number(value));
    std::string text = json_text(array, false);
    const auto [at, is_new] = positions_.try_emplace(std::move(text), all_.size());
    if (is_new) all_.push_back(std::move(array));
    return at->second;
  }
  Json take() { return std::move(all_); }

 private:
  std::map<std::string, std::size_t> positions_;
  Json all_ = Json::array();
};

/// Every so manieth point, and the last.
Curve thinned(const Curve& curve) {
  const std::size_t n = curve.x.size();
  if (n <= kRunPoints) return curve;
  Curve out;
  for (std::size_t i = 0; i < kRunPoints; ++i) {
    const std::size_t at = i * (n - 1) / (kRunPoints - 1);
    out.x.push_back(curve.x[at]);
    out.y.push_back(curve.y[at]);
  }
  return out;
}

Json json_of(const Series& series, const FigureView& view, std::size_t s, const Figure& figure, Palette& palette,
             Arrays& arrays) {
  const Plot& plot = view.plot;
  const Palette::Style style = palette.style(series.method);
  Json json;
  json["name"] = series.method;
  json["color"] = style.color;
  json["dash"] = style.dash;
  if (series.runs.size() > 1) {
    const Band band = band_of(series.runs, plot.log_x, plot.higher_is_better, kBandPoints);
    json["band"] = {{"x", arrays.add(band.x)},
                    {"median", arrays.add(band.median)},
                    {"lower", arrays.add(band.lower_quartile)},
                    {"upper", arrays.add(band.upper_quartile)}};
  }
  json["runs"] = Json::array();
  if (figure.band_only && series.runs.size() > 1) return json;
  for (std::size_t r = 0; r < series.runs.size(); ++r) {
    const Curve run = thinned(series.runs[r]);
    const bool named = s < view.runs.size() && r < view.runs[s].size();
    json["runs"].push_back({{"name", named ? view.runs[s][r] : ""},
                            {"x", arrays.add(run.x)},
                            {"y", arrays.add(run.y)},
                            {"diverged", !run.y.empty() && !std::isfinite(run.y.back())}});
  }
  return json;
}

Json json_of(const FigureView& view, const Figure& figure, Palette& palette, Arrays& arrays) {
  const Plot& plot = view.plot;
  Json json;
  json["name"] = view.name;
  json["x"] = {{"label", plot.x_label}, {"log", plot.log_x}};
  json["y"] = {{"label", plot.y_label}, {"log", plot.log_y}};
  json["higher_is_better"] = plot.higher_is_better;
  if (plot.target) json["target"] = {{"value", json_number(*plot.target)}, {"label", plot.target_label}};
  json["series"] = Json::array();
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    json["series"].push_back(json_of(plot.series[s], view, s, figure, palette, arrays));
  }
  return json;
}

/// Row j holds the values at y_j, as the script's library wants them.
Json rows_of(const Matrix& values) {
  Json rows = Json::array();
  for (Index j = 0; j < values.cols(); ++j) {
    Json& row = rows.emplace_back(Json::array());
    for (Index i = 0; i < values.rows(); ++i) row.push_back(json_number(values(i, j)));
  }
  return rows;
}

std::vector<double> as_vector(const Vector& v) { return {v.begin(), v.end()}; }

Json json_of(const ContourPlot& plot, Arrays& arrays) {
  const ContourScale scale = contour_scale(plot.values);
  Json json;
  json["x"] = {{"label", plot.x_label}, {"values", arrays.add(as_vector(plot.x))}};
  json["y"] = {{"label", plot.y_label}, {"values", arrays.add(as_vector(plot.y))}};
  json["value"] = {{"label", plot.value_label},
                   {"log", scale.log},
                   {"low", json_number(scale.low)},
                   {"high", json_number(scale.high)}};
  json["values"] = rows_of(plot.values);
  json["lines"] = plot.lines;
  if (plot.model.size() > 0) json["model"] = {{"label", plot.model_label}, {"values", rows_of(plot.model)}};
  if (!plot.path.x.empty()) {
    json["path"] = {{"label", plot.path_label}, {"x", arrays.add(plot.path.x)}, {"y", arrays.add(plot.path.y)}};
  }
  return json;
}

Json json_of(const ScatterPlot& plot, Palette& palette, Arrays& arrays) {
  Json json;
  json["x"] = {{"label", plot.x_label}, {"log", false}};
  json["y"] = {{"label", plot.y_label}, {"log", false}};
  json["groups"] = Json::array();
  for (const ScatterGroup& group : plot.groups) {
    json["groups"].push_back({{"name", group.name},
                              {"color", palette.style(group.name).color},
                              {"x", arrays.add(group.x)},
                              {"y", arrays.add(group.y)}});
  }
  return json;
}

void write_drawing(const fs::path& path, const Figure& figure, std::size_t view, Palette& palette) {
  if (figure.surface) return write_contour_plot(path, *figure.surface);
  if (figure.points) return write_scatter_plot(path, *figure.points);
  write_plot(path, figure.views[view].plot, palette);
}

/// A folder of one's own for a moment.
class MomentaryFolder {
 public:
  MomentaryFolder() {
    std::error_code error;
    const fs::path place = fs::temp_directory_path(error);
    if (error) fail("the folder for temporary files is not there: {}; set TMPDIR to one that is", error.message());
    std::string name = (place / "hesse-figure-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail_to_write(name, "make a folder for a figure", errno);
    path_ = name;
  }
  ~MomentaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  MomentaryFolder(const MomentaryFolder&) = delete;
  MomentaryFolder& operator=(const MomentaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

Series band_series(const std::string& name, const std::vector<double>& x, const std::vector<double>& line,
                   const std::vector<double>& lower, const std::vector<double>& upper) {
  Series series{name, {}};
  for (const auto* each : {&lower, &lower, &line, &upper, &upper}) series.runs.push_back({x, *each});
  return series;
}

std::string figures_json(std::span<const Figure> figures, Palette& palette) {
  Arrays arrays;
  Json json;
  json["figures"] = Json::array();
  for (const Figure& figure : figures) {
    Json one;
    one["name"] = figure.name;
    one["title"] = figure.title;
    one["note"] = !figure.note.empty() || figure.views.empty() ? figure.note : figure.views.front().plot.legend;
    if (figure.surface) {
      one["surface"] = json_of(*figure.surface, arrays);
    } else if (figure.points) {
      one["points"] = json_of(*figure.points, palette, arrays);
    } else {
      one["views"] = Json::array();
      for (const FigureView& view : figure.views) one["views"].push_back(json_of(view, figure, palette, arrays));
    }
    json["figures"].push_back(std::move(one));
  }
  json["arrays"] = arrays.take();
  // Names may come from a file that is no UTF-8; a page shows what can be read of them.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<fs::path> write_figure(const fs::path& folder, const Figure& figure, const std::string& ending,
                                   Palette& palette) {
  std::vector<fs::path> out;
  for (std::size_t v = 0; v < std::max<std::size_t>(1, figure.views.size()); ++v) {
    std::string view = figure.views.size() > 1 ? "_by_" + figure.views[v].name : "";
    std::replace(view.begin(), view.end(), ' ', '_');
    out.push_back(folder / fmt::format("{}{}.{}", figure.name, view, ending));
    write_drawing(out.back(), figure, v, palette);
  }
  if (figure.surface && figure.surface->lines) {
    out.push_back(folder / fmt::format("{}_surface.{}", figure.name, ending));
    write_surface_plot(out.back(), *figure.surface);
  }
  return out;
}

std::string figure_svg(const Figure& figure, Palette& palette) {
  const MomentaryFolder folder;
  write_drawing(folder.path() / "figure.svg", figure, 0, palette);
  return read_file(folder.path() / "figure.svg");
}

}  // namespace hesse
