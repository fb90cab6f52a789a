#include "hesse/report/scatter_plot.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/plot.h"
#include "hesse/report/writing.h"

#include <cmath>

namespace hesse {

void write_scatter_plot(const std::filesystem::path& path, const ScatterPlot& plot) {
  std::string out = gnuplot_terminal(path, 760, 480);
  out += "set border 3 linecolor rgb '#555555' linewidth 1\nset tics out nomirror textcolor rgb '#333333'\n";
  out += "set grid xtics ytics linetype 1 linecolor rgb '#E8E8E8' linewidth 0.7\n";
  out += "set offsets graph 0.04, graph 0.04, graph 0.04, graph 0.04\n";
  if (!plot.title.empty()) out += fmt::format("set title {} noenhanced\n", gnuplot_quoted(plot.title));
  out += fmt::format("set xlabel {} noenhanced\nset ylabel {} noenhanced\n", gnuplot_quoted(plot.x_label),
                     gnuplot_quoted(plot.y_label));
  out += "set key outside right top noenhanced\n";
  std::string drawn;
  Palette palette;
  for (std::size_t i = 0; i < plot.groups.size(); ++i) {
    const ScatterGroup& group = plot.groups[i];
    if (group.x.size() != group.y.size()) {
      fail("{}: '{}' has {} x and {} y; give as many of both", path.string(), group.name, group.x.size(),
           group.y.size());
    }
    std::string points;
    for (std::size_t j = 0; j < group.x.size(); ++j) {
      if (std::isfinite(group.x[j]) && std::isfinite(group.y[j]))
        points += fmt::format("{} {}\n", group.x[j], group.y[j]);
    }
    if (points.empty()) continue;
    out += fmt::format("$group{} << END_OF_DATA\n{}END_OF_DATA\n", i, points);
    drawn +=
        fmt::format("{}$group{} using 1:2 with points pointtype 7 pointsize 0.6 linecolor rgb '{}' title {}",
                    drawn.empty() ? "plot " : ", ", i, palette.style(group.name).color, gnuplot_quoted(group.name));
  }
  if (drawn.empty()) fail("{}: there is nothing to draw: no point is finite", path.string());
  if (!writes_records()) return;
  write_file(path, run_gnuplot(out + drawn + "\n"));
}

}  // namespace hesse
