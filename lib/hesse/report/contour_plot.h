/// \file
/// A function on a grid of the plane, drawn by gnuplot: its values as colours, its contour lines, those of a second
/// function (a model of it) dashed over them, and a path.
#pragma once

#include "hesse/core/types.h"
#include "hesse/report/plot.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hesse {

/// A function on a plane, and what is drawn over it.
struct ContourPlot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::string value_label;
  Vector x;       ///< evenly spaced, ascending
  Vector y;       ///< likewise
  Matrix values;  ///< x.size() x y.size(); NaN is left white
  Matrix model;   ///< of the same size, or empty
  std::string model_label = "quadratic model";
  bool lines = true;  ///< contour lines over the colours
  Curve path;         ///< in the same plane, its start an open circle and its end a star; empty for none
  std::string path_label = "trajectory";
};

/// How values become colours, and where lines run.
struct ContourScale {
  double low = 0;
  double high = 1;
  bool log = false;
  std::vector<double> levels;  ///< ascending, within (low, high)
};

/// Logarithmic where no value is negative and the largest is 30 times the one above which 99.5 % lie, which is then the
/// lower end, so that a single point at a minimum of 0 does not take up the scale; else linear from the least to the
/// largest. Twelve levels, evenly spaced on the scale. Throws Error where no value is finite.
ContourScale contour_scale(const Matrix& values);

/// Draws to `path`, whose ending chooses the format as in write_plot. The numbers are not saved beside it. Throws Error
/// when gnuplot is missing or complains, on sizes that do not fit, and when no value is finite.
void write_contour_plot(const std::filesystem::path& path, const ContourPlot& plot);

/// The same function as a surface over its contour lines, seen from above at an angle, with the path on it and without
/// the model. Formats and errors are those of write_contour_plot.
void write_surface_plot(const std::filesystem::path& path, const ContourPlot& plot);

/// The values in characters, from '.' at the low end of the scale to '@' at its high one, '?' where they are not
/// finite, with x to the right and y upward, at most `width` >= 40 columns and 24 lines of the grid large, and a line
/// that says what the characters mean. Throws Error where no value is finite.
std::string contour_text(const ContourPlot& plot, Index width);

}  // namespace hesse
