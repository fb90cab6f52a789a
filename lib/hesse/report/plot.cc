#include "hesse/report/plot.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/statistics.h"
#include "hesse/report/table.h"
#include "hesse/report/writing.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

extern char** environ;

namespace hesse {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Okabe and Ito's colours, those of strong contrast on white first.
constexpr std::array<const char*, 8> kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#E69F00", "#56B4E9", "#000000", "#F0E442"};

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

File temporary_file() {
  File file(std::tmpfile());
  if (!file) fail("gnuplot: cannot create a temporary file: {}", std::generic_category().message(errno));
  return file;
}

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string out;
  std::array<char, 1 << 16> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) out.append(buffer.data(), count);
  return out;
}

/// Dashes and gaps, wide enough for lines with round ends; the first is solid.
constexpr std::array<const char*, 5> kDashes = {"1", "(18,12)", "(4,10)", "(24,10,4,10)", "(40,12)"};

/// An axis of the plot: its range and, where gnuplot's own choice would be poor, its tics.
struct Axis {
  double low = kInfinity;
  double high = -kInfinity;
  bool log = false;

  void include(double value) {
    if (!std::isfinite(value) || (log && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double decades() const { return std::log10(high) - std::log10(low); }
  bool empty() const { return !(low <= high); }
  /// Into [low, high]; for what reaches past the edge of the plot.
  double clamp(double value) const { return std::isnan(value) ? value : std::clamp(value, low, high); }

  void widen(double share) {
    if (log) {
      // Of a run that diverges high / low is infinite, and room beside the largest number there is none.
      const double margin = std::max(share * decades(), 0.02);
      low = std::max(low * std::pow(10.0, -margin), std::numeric_limits<double>::min());
      high = std::min(high * std::pow(10.0, margin), std::numeric_limits<double>::max());
    } else {
      // A constant needs room around it as well.
      const double margin = high > low ? share * high - share * low : std::max(std::abs(high) * 0.1, 1e-12);
      low = std::max(low - margin, std::numeric_limits<double>::lowest());
      high = std::min(high + margin, std::numeric_limits<double>::max());
    }
  }

  /// gnuplot marks a logarithmic axis at powers of ten alone, which leaves a short one bare.
  std::string tics(char name) const {
    // The default format leaves a space for a sign, which moves the numbers off their tics.
    if (!log) return fmt::format("set format {} '%h'\n", name);
    std::string list;
    if (decades() > 2.5) {
      // Powers of ten, at most nine of them with their label; level 1 marks a small tic.
      const int every = static_cast<int>(std::ceil(decades() / 9));
      for (int e = static_cast<int>(std::floor(std::log10(low))); e <= std::log10(high); ++e) {
        for (int factor = 1; factor <= (every == 1 ? 9 : 1); ++factor) {
          const double at = factor * std::pow(10.0, e);
          if (!(at >= low && at <= high)) continue;
          const bool labelled = factor == 1 && e % every == 0;
          const std::string label = labelled ? fmt::format("10^{{{}}}", e) : "";
          list += fmt::format("{}'{}' {} {}", list.empty() ? "" : ", ", label, at, labelled ? 0 : 1);
        }
      }
      return fmt::format("set {}tics ({})\n", name, list);
    }
    const auto mark = [&](double at) {
      if (at >= low && at <= high) list += fmt::format("{}'{:.4g}' {}", list.empty() ? "" : ", ", at, at);
    };
    if (decades() < 0.7) {
      // So short a logarithmic axis is nearly linear: about five even steps of 1, 2 or 5 units.
      const double unit = std::pow(10.0, std::floor(std::log10((high - low) / 5)));
      const double ratio = (high - low) / 5 / unit;
      const double step = unit * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
      for (double i = std::ceil(low / step); i * step <= high; ++i) mark(i * step);
    } else {
      for (double e = std::floor(std::log10(low)); e <= std::ceil(std::log10(high)); ++e) {
        for (const double factor : {1.0, 2.0, 5.0}) mark(factor * std::pow(10.0, e));
      }
    }
    return fmt::format("set {}tics ({})\n", name, list);
  }
};

/// Leaves out of the range what would squash all the rest: beyond five times the spread between the
/// 5 % and the 95 % quantile, in the axis' own scale.
Axis robust_range(std::vector<double> values, bool log) {
  Axis axis;
  axis.log = log;
  std::erase_if(values, [&](double v) { return !std::isfinite(v) || (log && v <= 0); });
  std::sort(values.begin(), values.end());
  if (values.empty()) return axis;
  std::vector<double> scaled = values;
  if (log) std::transform(values.begin(), values.end(), scaled.begin(), [](double v) { return std::log10(v); });
  const double low = quantile(scaled, 0.05);
  const double high = quantile(scaled, 0.95);
  const double reach = 5 * (high - low);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (reach == 0 || (scaled[i] >= low - reach && scaled[i] <= high + reach)) axis.include(values[i]);
  }
  return axis;
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "NaN"; }

/// "median, 25-75 %, 3 seeds", as far as it is the same for all.
std::string legend_title(const Plot& plot) {
  if (!plot.legend.empty()) return plot.legend;
  const bool bands =
      std::any_of(plot.series.begin(), plot.series.end(), [](const Series& s) { return s.runs.size() > 1; });
  const bool same = std::all_of(plot.series.begin(), plot.series.end(),
                                [&](const Series& s) { return s.runs.size() == plot.series.front().runs.size(); });
  if (!bands) return "one seed each";
  return same ? fmt::format("median, 25-75 %, {} seeds", plot.series.front().runs.size()) : "median, 25-75 %";
}

std::string legend_entry(const Plot& plot, const Series& series, const Band& band) {
  std::string out = series.method;
  const auto n = series.runs.size();
  if (std::any_of(plot.series.begin(), plot.series.end(), [n](const Series& s) { return s.runs.size() != n; })) {
    out += fmt::format(", {} seed{}", n, n == 1 ? "" : "s");
  }
  if (!band.failures.empty() && band.failures.back() > 0) out += fmt::format(" ({} failed)", band.failures.back());
  return out;
}

/// What the axes of a plot reach over. Throws Error, naming `what`, where there is nothing to draw.
std::pair<Axis, Axis> axes_of(const std::string& what, const Plot& plot, const std::vector<Band>& bands) {
  Axis x;
  x.log = plot.log_x;
  std::vector<double> heights;
  for (const Band& band : bands) {
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      if (!std::isfinite(band.median[i]) || (plot.log_y && band.median[i] <= 0)) continue;
      x.include(band.x[i]);
      heights.insert(heights.end(), {band.median[i], band.lower_quartile[i], band.upper_quartile[i]});
    }
  }
  Axis y = robust_range(heights, plot.log_y);
  if (x.empty() || y.empty()) fail("{}: there is nothing to draw: no method has a finite median", what);
  if (plot.target) y.include(*plot.target);
  y.widen(0.04);
  if (x.low == x.high) x.widen(0.04);
  return {x, y};
}

/// Beside a plot a long legend would leave no room for it: from here on it stands below, in two columns.
constexpr std::size_t kLegendBeside = 10;

std::string script_of(const std::filesystem::path& path, const Plot& plot, const std::vector<Band>& bands,
                      Palette& palette) {
  const auto [x, y] = axes_of(path.string(), plot, bands);

  const bool below = plot.series.size() > kLegendBeside;
  const std::size_t rows = below ? (plot.series.size() + 1) / 2 + 1 : 0;
  // The rows of a legend below the plot add to its height.
  std::string out = gnuplot_terminal(path, 900, 500 + 24 * rows);
  out += "set encoding utf8\n";
  out += "set border 3 linecolor rgb '#555555' linewidth 1\n";
  out += "set tics out nomirror scale 0.6,0.3 textcolor rgb '#333333'\n";
  out += "set grid xtics ytics linetype 1 linecolor rgb '#E8E8E8' linewidth 0.7\n";
  out += "set style fill transparent solid 0.18 noborder\n";
  out += below ? fmt::format("set key below left vertical maxrows {} Left reverse samplen 5 spacing 1.25 noenhanced\n",
                             rows - 1)
               : "set key outside right top vertical Left reverse samplen 2.2 spacing 1.25 noenhanced\n";
  out += fmt::format("set key title {} left noenhanced\n", gnuplot_quoted(legend_title(plot)));
  if (!plot.title.empty()) out += fmt::format("set title {} noenhanced\n", gnuplot_quoted(plot.title));
  out += fmt::format("set xlabel {} noenhanced\n", gnuplot_quoted(plot.x_label));
  out += fmt::format("set ylabel {} noenhanced\n", gnuplot_quoted(plot.y_label));
  if (plot.log_x) out += "set logscale x\n";
  if (plot.log_y) out += "set logscale y\n";
  out += x.tics('x') + y.tics('y');
  out += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.low, x.high, y.low, y.high);
  if (plot.target && (!plot.log_y || *plot.target > 0)) {
    out += fmt::format(
        "set arrow 1 from graph 0, first {0} to graph 1, first {0} nohead back dashtype 2 linewidth 1.2 linecolor rgb "
        "'#555555'\n",
        *plot.target);
    out += fmt::format("set label 1 {} at graph 0.01, first {} left offset 0,0.5 textcolor rgb '#555555' noenhanced\n",
                       gnuplot_quoted(plot.target_label), *plot.target);
  }
  for (const double mark : plot.marks) {
    if (!(mark >= x.low && mark <= x.high)) continue;
    out += fmt::format(
        "set arrow from first {0}, graph 0 to first {0}, graph 0.05 nohead front linewidth 1.2 linecolor rgb "
        "'#D55E00'\n",
        mark);
  }

  for (std::size_t s = 0; s < bands.size(); ++s) {
    const Band& band = bands[s];
    out += fmt::format("$data{} << END_OF_DATA\n", s);
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      // An infinite quartile reaches the edge of the plot, and so does one that a logarithm cannot show.
      const bool drawn = std::isfinite(band.median[i]) && (!plot.log_y || band.median[i] > 0);
      const double lower = drawn ? y.clamp(band.lower_quartile[i]) : kInfinity;
      const double upper = drawn ? y.clamp(band.upper_quartile[i]) : kInfinity;
      out += fmt::format("{} {} {} {}\n", number(band.x[i]), number(drawn ? band.median[i] : kInfinity), number(lower),
                         number(upper));
    }
    out += "END_OF_DATA\n";
  }
  std::string bands_drawn;
  std::string lines_drawn;
  for (std::size_t s = 0; s < bands.size(); ++s) {
    const Palette::Style style = palette.style(plot.series[s].method);
    if (plot.series[s].runs.size() > 1 || plot.series[s].band) {
      bands_drawn += fmt::format("$data{} using 1:3:4 with filledcurves linecolor rgb '{}' notitle, ", s, style.color);
    }
    // A single point would make an invisible line.
    const bool point = bands[s].x.size() == 1;
    lines_drawn += fmt::format("{}$data{} using 1:2 with {} linewidth 2 dashtype {} linecolor rgb '{}' title {}",
                               s > 0 ? ", " : "", s, point ? "points pointtype 7" : "lines",
                               kDashes[static_cast<std::size_t>(style.dash)], style.color,
                               gnuplot_quoted(legend_entry(plot, plot.series[s], bands[s])));
  }
  return out + "plot " + bands_drawn + lines_drawn + "\n";
}

std::vector<Band> bands_of(const Plot& plot) {
  std::vector<Band> bands;
  for (const Series& series : plot.series) {
    bands.push_back(series.band ? *series.band : band_of(series.runs, plot.log_x, plot.higher_is_better));
  }
  return bands;
}

std::string data_text(const Plot& plot, const std::vector<Band>& bands) {
  Table table;
  table.columns = {{"method"}, {"x"}, {plot.figures[0]}, {plot.figures[1]}, {plot.figures[2]}, {"n"}, {"failures"}};
  for (std::size_t s = 0; s < bands.size(); ++s) {
    for (std::size_t i = 0; i < bands[s].x.size(); ++i) {
      const auto text = [](double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); };
      table.add({plot.series[s].method, text(bands[s].x[i]), text(bands[s].median[i]), text(bands[s].lower_quartile[i]),
                 text(bands[s].upper_quartile[i]), std::to_string(bands[s].n[i]),
                 std::to_string(bands[s].failures[i])});
    }
  }
  return csv_text(table);
}

}  // namespace

Band band_of(std::span<const Curve> runs, bool log_x, bool higher_is_better, Index max_points) {
  Band band;
  const auto usable = [log_x](double x) { return std::isfinite(x) && (!log_x || x > 0); };
  for (const Curve& run : runs) {
    if (run.x.size() != run.y.size()) fail("plot: a run has {} x and {} y", run.x.size(), run.y.size());
    std::copy_if(run.x.begin(), run.x.end(), std::back_inserter(band.x), usable);
  }
  std::sort(band.x.begin(), band.x.end());
  band.x.erase(std::unique(band.x.begin(), band.x.end()), band.x.end());
  if (static_cast<Index>(band.x.size()) > max_points) {
    const double first = band.x.front();
    const double last = band.x.back();
    band.x.resize(static_cast<std::size_t>(max_points));
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(max_points - 1);
      band.x[i] = log_x ? first * std::pow(last / first, share) : first + share * (last - first);
    }
    band.x.back() = last;
  }

  std::vector<std::size_t> next(runs.size(), 0);  // first point of each run that lies beyond x
  std::vector<double> values;
  for (const double x : band.x) {
    values.clear();
    for (std::size_t r = 0; r < runs.size(); ++r) {
      // Negated, so that a point without a place is passed over.
      while (next[r] < runs[r].x.size() && !(runs[r].x[next[r]] > x)) ++next[r];
      if (next[r] > 0) values.push_back(runs[r].y[next[r] - 1]);
    }
    const SampleSummary sample = summarise(values, Failures::as_worst, higher_is_better);
    band.median.push_back(sample.median);
    band.lower_quartile.push_back(sample.lower_quartile);
    band.upper_quartile.push_back(sample.upper_quartile);
    band.n.push_back(sample.n);
    band.failures.push_back(sample.failures);
  }
  return band;
}

Palette::Style Palette::style(std::string_view method) {
  auto found = std::find(methods_.begin(), methods_.end(), method);
  if (found == methods_.end()) found = methods_.insert(methods_.end(), std::string(method));
  const auto at = static_cast<std::size_t>(found - methods_.begin());
  return {kColors[at % kColors.size()], static_cast<int>(at / kColors.size() % kDashes.size())};
}

std::string plot_data_text(const Plot& plot) { return data_text(plot, bands_of(plot)); }

void write_plot(const std::filesystem::path& path, const Plot& plot, Palette& palette) {
  if (!writes_records()) return;
  const std::vector<Band> bands = bands_of(plot);
  const std::string script = script_of(path, plot, bands, palette);
  std::filesystem::path data = path;
  write_file(data.replace_extension(".csv"), data_text(plot, bands));
  write_file(path, run_gnuplot(script));
}

std::string plot_text(const Plot& plot, Index width, Index height) {
  const std::vector<Band> bands = bands_of(plot);
  const auto [x, y] = axes_of(plot.title, plot, bands);
  std::string script = fmt::format("set terminal dumb size {},{} nofeed\nset encoding utf8\n", width, height);
  script += fmt::format("set title {} noenhanced\nset xlabel {} noenhanced\n",
                        gnuplot_quoted(fit(fmt::format("{}: {}", plot.title, plot.y_label), width - 12, false)),
                        gnuplot_quoted(plot.x_label));
  script += "set format '%g'\nset tics nomirror\n";
  if (plot.log_x) script += "set logscale x\n";
  if (plot.log_y) script += "set logscale y\n";
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.low, x.high, y.low, y.high);
  script += plot.series.size() > 1 ? "set key below left vertical maxcols 1 Left reverse noenhanced\n" : "unset key\n";
  std::string drawn;
  for (std::size_t s = 0; s < bands.size(); ++s) {
    const Band& band = bands[s];
    script += fmt::format("$data{} << END_OF_DATA\n", s);
    // A character is worth several points of a long curve.
    const std::size_t stride = std::max<std::size_t>(1, band.x.size() / 1000);
    for (std::size_t i = 0; i < band.x.size(); i += stride) {
      const bool shown = std::isfinite(band.median[i]) && (!plot.log_y || band.median[i] > 0);
      script += fmt::format("{} {}\n", number(band.x[i]), number(shown ? y.clamp(band.median[i]) : kInfinity));
    }
    script += "END_OF_DATA\n";
    const bool point = band.x.size() == 1;
    drawn += fmt::format("{}$data{} using 1:2 with {} title {}", s > 0 ? ", " : "", s, point ? "points" : "lines",
                         gnuplot_quoted(fit(legend_entry(plot, plot.series[s], band), width - 12, false)));
  }
  std::string text = run_gnuplot(script + "plot " + drawn + "\n");
  // Without the empty lines that gnuplot leaves above and below.
  const auto ink = text.find_first_not_of(" \n\f");
  if (ink == std::string::npos) return {};
  const auto line = text.rfind('\n', ink);
  text.erase(0, line == std::string::npos ? 0 : line + 1);
  text.erase(text.find_last_not_of(" \n\f") + 1);
  return text + '\n';
}

std::string run_gnuplot(std::string_view script) {
  // Files, not pipes: nothing can fill up while nobody reads.
  const File input = temporary_file();
  const File output = temporary_file();
  const File complaints = temporary_file();
  if (std::fwrite(script.data(), 1, script.size(), input.get()) != script.size() || std::fflush(input.get()) != 0) {
    fail("gnuplot: cannot write the script: {}", std::generic_category().message(errno));
  }
  std::rewind(input.get());

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(input.get()), 0);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(output.get()), 1);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(complaints.get()), 2);
  std::string name = "gnuplot";
  std::string defaults = "-d";  // no start-up file of the user's, so that plots look alike everywhere
  std::string from_input = "-";
  std::array<char*, 4> arguments = {name.data(), defaults.data(), from_input.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    fail("gnuplot is not installed, so no plot can be drawn; install gnuplot-nox (the data are saved as CSV)");
  if (error != 0) fail("gnuplot cannot be started: {}", std::generic_category().message(error));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("gnuplot: cannot wait for it: {}", std::generic_category().message(errno));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string text = contents(complaints.get());
    std::replace(text.begin(), text.end(), '\n', ' ');
    fail("gnuplot failed: {}", text.empty() ? "it gave no reason" : fit(text, 500, false));
  }
  return contents(output.get());
}

std::string gnuplot_terminal(const std::filesystem::path& path, std::size_t width, std::size_t height) {
  const std::string ending = path.extension().string();
  constexpr const char* kFont = "font 'DejaVu Sans,12'";
  if (ending == ".svg") {
    return fmt::format("set terminal svg size {},{} {} background rgb 'white' enhanced rounded\n", width, height,
                       kFont);
  }
  if (ending == ".png") {
    return fmt::format("set terminal pngcairo size {},{} {} fontscale 2 linewidth 2 enhanced rounded\n", 2 * width,
                       2 * height, kFont);
  }
  if (ending == ".pdf") {
    return fmt::format("set terminal pdfcairo size {}cm,{}cm font 'DejaVu Sans,9' enhanced rounded\n",
                       0.02 * static_cast<double>(width), 0.02 * static_cast<double>(height));
  }
  fail("{}: a plot cannot be written as '{}'; choose .svg, .png or .pdf", path.string(), ending);
}

std::string gnuplot_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "''";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  }
  return out + "'";
}

}  // namespace hesse
