#include "hesse/report/contour_plot.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/statistics.h"
#include "hesse/report/terminal.h"
#include "hesse/report/writing.h"

#include <algorithm>
#include <cmath>

namespace hesse {
namespace {

constexpr int kLevels = 12;

std::vector<double> finite_values(const Matrix& values) {
  std::vector<double> out;
  for (const double v : values.reshaped()) {
    if (std::isfinite(v)) out.push_back(v);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "NaN"; }

/// Where a value lies on the scale's axis. Contours run where they ran: levels lie inside the scale, to which it is
/// moved. On a logarithmic one heights are interpolated as logarithms, in which a bowl's contours are smoother.
double height_of(const ContourScale& scale, double value) {
  const double shown = std::isnan(value) ? value : std::clamp(value, scale.low, scale.high);
  return scale.log ? std::log10(shown) : shown;
}

/// A grid as gnuplot reads it: x by x, an empty line between; values moved into the scale.
std::string grid_block(const std::string& name, const ContourPlot& plot, const Matrix& values,
                       const ContourScale& scale) {
  std::string out = fmt::format("${} << END_OF_DATA\n", name);
  for (Index i = 0; i < plot.x.size(); ++i) {
    for (Index j = 0; j < plot.y.size(); ++j) {
      out += fmt::format("{} {} {}\n", plot.x[i], plot.y[j], number(height_of(scale, values(i, j))));
    }
    out += '\n';
  }
  return out + "END_OF_DATA\n";
}

/// Levels between which a function has values on both sides.
std::vector<double> crossed(const std::vector<double>& levels, const Matrix& values) {
  const std::vector<double> finite = finite_values(values);
  std::vector<double> out;
  for (const double level : levels) {
    if (!finite.empty() && finite.front() < level && level < finite.back()) out.push_back(level);
  }
  return out;
}

/// Computes contour lines of $`grid` into $`lines`.
std::string contour_commands(const std::string& grid, const std::string& lines, const std::vector<double>& levels,
                             bool log) {
  std::string list;
  for (const double level : levels) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", log ? std::log10(level) : level);
  }
  return fmt::format(
      "set cntrparam levels discrete {}\nset table ${}\nsplot ${} using 1:2:3 with lines nosurface\nunset table\n",
      list, lines, grid);
}

/// Labels of the axis of colours or heights. On a logarithmic scale these are powers of ten, or 1, 2 and 5 of them on a
/// short one.
std::string tic_labels(const char* axis, const ContourScale& scale) {
  if (!scale.log) return fmt::format("set format {} '%h'\n", axis);
  const double decades = std::log10(scale.high) - std::log10(scale.low);
  const int every = static_cast<int>(std::ceil(decades / 8));
  std::string list;
  for (int e = static_cast<int>(std::floor(std::log10(scale.low))); e <= std::log10(scale.high); ++e) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = factor * std::pow(10.0, e);
      const bool shown = decades < 2.5 || (factor == 1 && e % every == 0);
      if (!shown || at < scale.low || at > scale.high) continue;
      list += fmt::format("{}'{:.4g}' {}", list.empty() ? "" : ", ", at, std::log10(at));
    }
  }
  return fmt::format("set {}tics ({})\n", axis, list);
}

/// Terminal, the grid, axes and colours, which contours and surface have in common.
std::string common_commands(const std::filesystem::path& path, const ContourPlot& plot, const ContourScale& scale) {
  std::string out = gnuplot_terminal(path, 760, 640);
  out += "set encoding utf8\n";
  out += grid_block("grid", plot, plot.values, scale);
  out += "set tics textcolor rgb '#333333'\nset format x '%h'\nset format y '%h'\n";
  out += "set palette defined (0 '#3F88C5', 0.35 '#8FBCDF', 0.7 '#D3E4F3', 1 '#FBFDFF')\n";
  out +=
      fmt::format("set cbrange [{}:{}]\n", number(height_of(scale, scale.low)), number(height_of(scale, scale.high)));
  out += tic_labels("cb", scale);
  if (!plot.title.empty()) out += fmt::format("set title {} noenhanced\n", gnuplot_quoted(plot.title));
  return out;
}

std::string script_of(const std::filesystem::path& path, const ContourPlot& plot) {
  const ContourScale scale = contour_scale(plot.values);
  std::string out = common_commands(path, plot, scale);
  out += "set contour base\nunset surface\nset cntrparam linear\n";
  const std::vector<double> levels = plot.lines ? crossed(scale.levels, plot.values) : std::vector<double>();
  if (!levels.empty()) out += contour_commands("grid", "lines", levels, scale.log);
  std::vector<double> model_levels;
  if (plot.model.size() > 0) model_levels = crossed(scale.levels, plot.model);
  if (!model_levels.empty()) {
    out += grid_block("model", plot, plot.model, scale);
    out += contour_commands("model", "model_lines", model_levels, scale.log);
  }
  out += "unset contour\n";
  out += "set border 15 linecolor rgb '#555555' linewidth 1\n";
  out += "set tics out nomirror scale 0.6,0.3\n";
  // A value's cell reaches half a step to either side; gnuplot does not clip those at the edge.
  const double half_x = 0.5 * (plot.x[1] - plot.x[0]);
  const double half_y = 0.5 * (plot.y[1] - plot.y[0]);
  out += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", plot.x[0] - half_x, plot.x[plot.x.size() - 1] + half_x,
                     plot.y[0] - half_y, plot.y[plot.y.size() - 1] + half_y);
  out += fmt::format("set xlabel {} noenhanced offset 0,0.5\nset ylabel {} noenhanced\nset cblabel {} noenhanced\n",
                     gnuplot_quoted(plot.x_label), gnuplot_quoted(plot.y_label), gnuplot_quoted(plot.value_label));
  out += "set key below horizontal height 0.8 Left reverse samplen 3 noenhanced\n";
  std::string drawn = "$grid using 1:2:3 with image notitle";
  if (!levels.empty()) {
    drawn += fmt::format(", $lines using 1:2 with lines linewidth 1 linecolor rgb '#4A4A4A' title {}",
                         gnuplot_quoted(plot.value_label));
  }
  if (!model_levels.empty()) {
    drawn += fmt::format(
        ", $model_lines using 1:2 with lines dashtype (10,6) linewidth 1.4 linecolor rgb '#D55E00' title {}",
        gnuplot_quoted(plot.model_label));
  }
  if (!plot.path.x.empty()) {
    out += "$path << END_OF_DATA\n";
    for (std::size_t i = 0; i < plot.path.x.size(); ++i) {
      out += fmt::format("{} {}\n", number(plot.path.x[i]), number(plot.path.y[i]));
    }
    out += "END_OF_DATA\n";
    drawn += fmt::format(
        ", $path using 1:2 with linespoints linewidth 1.8 pointtype 7 pointsize 0.35 linecolor rgb '#007A5A' title {}"
        ", $path using 1:2 every ::0::0 with points pointtype 6 pointsize 1.3 linewidth 2 linecolor rgb '#007A5A' "
        "notitle"
        ", $path using 1:2 every ::{}::{} with points pointtype 3 pointsize 1.3 linewidth 2 linecolor rgb '#007A5A' "
        "notitle",
        gnuplot_quoted(plot.path_label), plot.path.x.size() - 1, plot.path.x.size() - 1);
  }
  return out + "plot " + drawn + "\n";
}

/// The height over a point of the plane, linear between the points of the grid; NaN outside it.
double height_at(const ContourPlot& plot, const ContourScale& scale, double x, double y) {
  const double i = (x - plot.x[0]) / (plot.x[1] - plot.x[0]);
  const double j = (y - plot.y[0]) / (plot.y[1] - plot.y[0]);
  const Index last_i = plot.x.size() - 1;
  const Index last_j = plot.y.size() - 1;
  const bool inside = i >= 0 && j >= 0 && i <= static_cast<double>(last_i) && j <= static_cast<double>(last_j);
  if (!inside) return std::nan("");
  const Index i0 = std::min(static_cast<Index>(i), last_i - 1);
  const Index j0 = std::min(static_cast<Index>(j), last_j - 1);
  const double s = i - static_cast<double>(i0);
  const double t = j - static_cast<double>(j0);
  const auto height = [&](Index a, Index b) { return height_of(scale, plot.values(a, b)); };
  return (1 - s) * ((1 - t) * height(i0, j0) + t * height(i0, j0 + 1)) +
         s * ((1 - t) * height(i0 + 1, j0) + t * height(i0 + 1, j0 + 1));
}

std::string surface_script_of(const std::filesystem::path& path, const ContourPlot& plot) {
  const ContourScale scale = contour_scale(plot.values);
  std::string out = common_commands(path, plot, scale);
  const std::vector<double> levels = crossed(scale.levels, plot.values);
  if (!levels.empty()) {
    out += "set contour base\nunset surface\nset cntrparam linear\n";
    out += contour_commands("grid", "lines", levels, scale.log) + "unset contour\nset surface\n";
  }
  const double low = height_of(scale, scale.low);
  const double high = height_of(scale, scale.high);
  // Contours lie on the floor, half of the surface's height below it.
  const double floor = low - 0.5 * (high - low);
  out += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset zrange [{}:{}]\nset xyplane at {}\n", plot.x[0],
                     plot.x[plot.x.size() - 1], plot.y[0], plot.y[plot.y.size() - 1], number(floor), number(high),
                     number(floor));
  out += tic_labels("z", scale);
  out += "set view 55,35,1,1\nset ticslevel 0\nset border 127+256+512 linecolor rgb '#999999'\n";
  // In the order of the plot: floor, surface, path, which is so seen behind the surface too.
  out += "set pm3d scansautomatic border linecolor rgb '#5A7FA0' linewidth 0.3\n";
  out += fmt::format(
      "set xlabel {} noenhanced rotate parallel\nset ylabel {} noenhanced rotate parallel\n"
      "set zlabel {} noenhanced rotate by 90\nunset colorbox\n",
      gnuplot_quoted(plot.x_label), gnuplot_quoted(plot.y_label), gnuplot_quoted(plot.value_label));
  out += "set key below horizontal height 0.8 Left reverse samplen 3 noenhanced\n";
  std::string drawn;
  if (!levels.empty()) {
    drawn = fmt::format("$lines using 1:2:({}) with lines linewidth 1 linecolor rgb '#4A4A4A' notitle, ", floor);
  }
  drawn += "$grid using 1:2:3 with pm3d notitle";
  if (!plot.path.x.empty()) {
    // Lifted a little, so that the surface does not cut it.
    const double lift = 0.01 * (high - low);
    out += "$path << END_OF_DATA\n";
    for (std::size_t i = 0; i < plot.path.x.size(); ++i) {
      out += fmt::format("{} {} {}\n", number(plot.path.x[i]), number(plot.path.y[i]),
                         number(height_at(plot, scale, plot.path.x[i], plot.path.y[i]) + lift));
    }
    out += "END_OF_DATA\n";
    drawn += fmt::format(
        ", $path using 1:2:3 with linespoints linewidth 1.8 pointtype 7 pointsize 0.35 linecolor rgb '#007A5A' title "
        "{}",
        gnuplot_quoted(plot.path_label));
  }
  return out + "splot " + drawn + "\n";
}

void check_sizes(const std::filesystem::path& path, const ContourPlot& plot) {
  const bool fits = plot.values.rows() == plot.x.size() && plot.values.cols() == plot.y.size() && plot.x.size() > 1 &&
                    plot.y.size() > 1 && plot.path.x.size() == plot.path.y.size();
  if (!fits ||
      (plot.model.size() > 0 && (plot.model.rows() != plot.values.rows() || plot.model.cols() != plot.values.cols()))) {
    fail("{}: {} x {} values do not fit axes of {} and {} points, at least 2 each", path.string(), plot.values.rows(),
         plot.values.cols(), plot.x.size(), plot.y.size());
  }
}

}  // namespace

ContourScale contour_scale(const Matrix& values) {
  const std::vector<double> finite = finite_values(values);
  if (finite.empty()) fail("contour plot: there is nothing to draw: no value is finite");
  ContourScale scale;
  scale.low = finite.front();
  scale.high = finite.back();
  const double lower = quantile(finite, 0.005);
  scale.log = scale.low >= 0 && lower > 0 && scale.high > 30 * lower;
  if (scale.log) scale.low = lower;
  // A constant needs room around it.
  if (scale.low == scale.high) {
    const double margin = std::max(1e-3 * std::abs(scale.low), 1e-12);
    scale.low -= margin;
    scale.high += margin;
  }
  for (int i = 1; i <= kLevels; ++i) {
    const double share = static_cast<double>(i) / (kLevels + 1);
    scale.levels.push_back(scale.log
                               ? scale.low * std::pow(10.0, share * (std::log10(scale.high) - std::log10(scale.low)))
                               : scale.low + share * (scale.high - scale.low));
  }
  return scale;
}

void write_contour_plot(const std::filesystem::path& path, const ContourPlot& plot) {
  check_sizes(path, plot);
  if (!writes_records()) return;
  write_file(path, run_gnuplot(script_of(path, plot)));
}

void write_surface_plot(const std::filesystem::path& path, const ContourPlot& plot) {
  check_sizes(path, plot);
  if (!writes_records()) return;
  write_file(path, run_gnuplot(surface_script_of(path, plot)));
}

std::string contour_text(const ContourPlot& plot, Index width) {
  constexpr std::string_view kShades = ".:-=+*#%@";
  constexpr Index kMostRows = 24;
  constexpr Index kMargin = 11;
  const ContourScale scale = contour_scale(plot.values);
  const Index rows = std::min<Index>(kMostRows, plot.y.size());
  // A character is about twice as high as it is wide.
  const Index columns = std::min<Index>(width - kMargin, 2 * rows * plot.x.size() / plot.y.size());
  // The grid's point that is nearest to a share of an axis.
  const auto nearest = [](Index i, Index of, Index points) {
    return of < 2 ? 0 : (i * (points - 1) + (of - 1) / 2) / (of - 1);
  };
  std::string out = wrapped(fmt::format("{}: {}", plot.title, plot.value_label), width);
  for (Index r = rows - 1; r >= 0; --r) {
    const Index j = nearest(r, rows, plot.y.size());
    const bool labelled = r == 0 || r == rows - 1 || r == rows / 2;
    out += labelled ? fmt::format("{:>9.3g} |", plot.y[j]) : std::string(kMargin - 1, ' ') + '|';
    for (Index c = 0; c < columns; ++c) {
      const double v = plot.values(nearest(c, columns, plot.x.size()), j);
      const double low = scale.log ? std::log(scale.low) : scale.low;
      const double high = scale.log ? std::log(scale.high) : scale.high;
      const double share = ((scale.log ? std::log(std::max(v, scale.low)) : v) - low) / (high - low);
      const auto last = static_cast<double>(kShades.size() - 1);
      out +=
          std::isfinite(v) ? kShades[static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * last))] : '?';
    }
    out += '\n';
  }
  const std::string low = fmt::format("{:.3g}", plot.x[0]);
  const std::string high = fmt::format("{:.3g}", plot.x[plot.x.size() - 1]);
  out += fmt::format("{:{}}{}{:>{}}\n", "", kMargin, low, high, std::max<Index>(1, columns - std::ssize(low)));
  out += wrapped(fmt::format("{} to the right, {} upward; '.' is {:.4g}, '@' {:.4g}{}", plot.x_label, plot.y_label,
                             scale.low, scale.high, scale.log ? ", on a logarithmic scale" : ""),
                 width);
  return out;
}

}  // namespace hesse
