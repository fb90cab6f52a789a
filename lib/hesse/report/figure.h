/// \file
/// A figure of a report, from which come its interactive drawing in a page, its static one in the page, and the SVG and
/// PDF for papers: all of the same numbers, in the same colours.
#pragma once

#include "hesse/report/contour_plot.h"
#include "hesse/report/plot.h"
#include "hesse/report/scatter_plot.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// One of the axes that a figure can be drawn against.
struct FigureView {
  std::string name;  ///< "steps": what the reader chooses; part of the file's name where there are several
  Plot plot;
  /// The name of each run of each series of the plot ("seed 2"); empty where runs have none.
  std::vector<std::vector<std::string>> runs = {};
};

/// Lines, a function on a grid, or points: exactly one of `views`, `surface` and `points` is there.
struct Figure {
  std::string name;       ///< of its files: letters, digits, '_' and '-'
  std::string title;      ///< "training objective"
  std::string caption;    ///< what is drawn and what lines and bands are, for someone who sees the figure alone
  std::string note = {};  ///< what lines and bands are, in a word: "median, 25-75 %, 3 seeds"
  std::vector<FigureView> views = {};
  std::optional<ContourPlot> surface = {};
  std::optional<ScatterPlot> points = {};
  /// The runs of a series only carry its band (of an estimate): they are not shown one by one.
  bool band_only = false;
  bool small = false;  ///< two or three beside each other
};

/// A series whose line and band are given rather than computed over runs: five runs of which they are the median and
/// the quartiles.
Series band_series(const std::string& name, const std::vector<double>& x, const std::vector<double>& line,
                   const std::vector<double>& lower, const std::vector<double>& upper);

/// What the page's script draws, as JSON: `figures`, and `arrays`, which the figures name by their position, since
/// several share one. A run is thinned to 1000 points, a band to 300; all else are the plot's own numbers. NaN and the
/// infinities are texts as in all records.
std::string figures_json(std::span<const Figure> figures, Palette& palette);

/// Draws every view of a figure by gnuplot into `folder`, as NAME.ENDING or NAME_by_VIEW.ENDING; a function on a grid
/// that has contour lines as a surface too, NAME_surface.ENDING. Returns the paths. Throws Error as write_plot does.
std::vector<std::filesystem::path> write_figure(const std::filesystem::path& folder, const Figure& figure,
                                                const std::string& ending, Palette& palette);

/// The first view, or the grid, or the points, as the text of an SVG file. Throws Error as write_plot does.
std::string figure_svg(const Figure& figure, Palette& palette);

}  // namespace hesse
