/// \file
/// Plots of several methods over several seeds, by gnuplot: a median line and an interquartile band a method.
///
/// Quantiles are those of statistics.h. A run that is not finite at some x ranks as worst from
/// there on: its method's band opens to the edge of the plot, and where the median itself is
/// infinite the line ends. All numbers of a plot are saved beside it as CSV.
#pragma once

#include "hesse/core/types.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// One run: y over x, x growing. Points whose x is NaN are left out.
struct Curve {
  std::vector<double> x;
  std::vector<double> y;
};

/// Median and quartiles of the runs of a method on a common grid.
///
/// Between its points a run is constant: at x it has the value of its last point at or before x, and
/// after its end it keeps its last value, since nothing better is known of it. Before its first point
/// it is not counted. The grid is the union of the runs' own x, thinned to `max_points` evenly
/// spaced ones (in the logarithm when `log_x`) where that is more.
struct Band {
  std::vector<double> x;
  std::vector<double> median;
  std::vector<double> lower_quartile;
  std::vector<double> upper_quartile;
  std::vector<Index> n;         ///< runs counted at x
  std::vector<Index> failures;  ///< of these, not finite at x
};
Band band_of(std::span<const Curve> runs, bool log_x = false, bool higher_is_better = false, Index max_points = 600);

/// The runs of one method, or a line with a band that was formed elsewhere.
struct Series {
  std::string method;
  std::vector<Curve> runs;
  std::optional<Band> band = {};  ///< drawn in place of the runs' quartiles
};

/// Series over one pair of axes.
struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_x = false;             ///< points with x <= 0 are then left out
  bool log_y = false;             ///< likewise y <= 0
  bool higher_is_better = false;  ///< which end a failed run ranks at
  std::vector<Series> series;
  std::optional<double> target;  ///< a horizontal line
  std::string target_label;
  std::vector<double> marks = {};  ///< x with a short line at the foot, such as eigenvalues found one by one
  std::string legend = {};         ///< title of the legend; empty: what the lines and bands of seeds are
  /// What line and band are, for the CSV file.
  std::array<const char*, 3> figures = {"median", "lower_quartile", "upper_quartile"};
};

/// Colours and dashes, one for each method, in the order in which methods are first asked for: keep
/// one palette for all plots of a report. The eight colours of Okabe and Ito (2008), which
/// colour-blind readers tell apart; a ninth method has the first colour and another dash.
class Palette {
 public:
  /// How a series is drawn.
  struct Style {
    const char* color;  ///< "#0072B2"
    int dash;           ///< 0 is solid, 1 to 4 are dashed in four ways
  };
  Style style(std::string_view method);

 private:
  std::vector<std::string> methods_;
};

/// Draws to `path`, whose ending chooses the format: .svg, .png or .pdf; the data go to the same
/// name with .csv: method, x, the three figures, n, failures. Both are written whole or not at
/// all, the data first. Throws Error when gnuplot is missing or complains, when nothing can be drawn, or on another
/// ending.
void write_plot(const std::filesystem::path& path, const Plot& plot, Palette& palette);

/// The data of a plot, as they are saved beside it.
std::string plot_data_text(const Plot& plot);

/// The medians of a plot in characters, by gnuplot's terminal `dumb`, `width` >= 40 columns and `height` lines large,
/// each method by a character of its own; without bands and target. Ends in a newline. Throws Error as write_plot does.
std::string plot_text(const Plot& plot, Index width, Index height = 20);

/// Runs gnuplot on a script and returns what it wrote to its standard output. Throws Error when
/// gnuplot is not installed, or with its first complaint.
std::string run_gnuplot(std::string_view script);

/// The line of a script that chooses the format by the ending of `path`, at this size in the pixels of an SVG file.
/// Throws Error on another ending than .svg, .png or .pdf.
std::string gnuplot_terminal(const std::filesystem::path& path, std::size_t width, std::size_t height);

/// A text as a string constant of gnuplot, without controls. Nothing in it is interpreted where the
/// text is drawn "noenhanced".
std::string gnuplot_quoted(std::string_view text);

}  // namespace hesse
