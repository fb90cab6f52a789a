/// \file
/// Points of several groups in a plane, by gnuplot.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hesse {

/// Points of one colour; those with a coordinate that is not finite are left out.
struct ScatterGroup {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

/// Groups of points over one pair of axes.
struct ScatterPlot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ScatterGroup> groups;  ///< eight colours, then the first again
};

/// Draws to `path` (.svg, .png or .pdf), whole or not at all. Throws Error when gnuplot is missing or complains, when
/// no point is finite, or when a group has more coordinates of one kind than of the other.
void write_scatter_plot(const std::filesystem::path& path, const ScatterPlot& plot);

}  // namespace hesse
