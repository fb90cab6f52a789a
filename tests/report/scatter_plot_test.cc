#include "hesse/report/scatter_plot.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>

using namespace hesse;
using namespace hesse::test;

TEST_CASE("every finite point of a scatter plot is drawn and every group is named") {
  const ScratchFolder folder;
  ScatterPlot plot;
  plot.title = "index against loss";
  plot.x_label = "loss";
  plot.y_label = "share of negative eigenvalues";
  plot.groups = {{"saddles", {1, 2, 3}, {0.1, 0.2, std::nan("")}}, {"minima", {0.5}, {0}}, {"none", {}, {}}};
  write_scatter_plot(folder / "points.svg", plot);
  const std::string svg = read_file(folder / "points.svg");
  // gnuplot writes a circle as a use of its seventh point; one more a group stands in the legend.
  std::size_t points = 0;
  for (auto at = svg.find("#gpPt6"); at != std::string::npos; at = svg.find("#gpPt6", at + 1)) ++points;
  CHECK(points == 3 + 2);
  CHECK_THAT(svg, Catch::Contains("saddles") && Catch::Contains("minima") && !Catch::Contains("none<"));
  plot.groups = {{"empty", {std::nan("")}, {1}}};
  CHECK_THROWS_AS(write_scatter_plot(folder / "none.svg", plot), Error);
  plot.groups = {{"uneven", {1, 2}, {1}}};
  CHECK_THROWS_AS(write_scatter_plot(folder / "none.svg", plot), Error);
  CHECK(!std::filesystem::exists(folder / "none.svg"));
}
