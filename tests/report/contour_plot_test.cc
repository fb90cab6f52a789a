#include "hesse/report/contour_plot.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

/// A bowl around (0, 0) with a hole where x > 0.8.
ContourPlot bowl() {
  ContourPlot plot;
  plot.title = "it's <a> bowl & more";
  plot.x_label = "u_1";
  plot.y_label = "second direction";
  plot.value_label = "loss";
  plot.x = Vector::LinSpaced(21, -1, 1);
  plot.y = Vector::LinSpaced(11, -2, 2);
  plot.values.resize(21, 11);
  for (Index i = 0; i < 21; ++i) {
    for (Index j = 0; j < 11; ++j) {
      plot.values(i, j) = plot.x[i] > 0.8 ? std::nan("") : 0.01 + plot.x[i] * plot.x[i] + plot.y[j] * plot.y[j];
    }
  }
  plot.model = plot.values.array() * 1.1;
  plot.path = {{-1, -0.5, 0}, {1.5, 0.2, 0}};
  return plot;
}

}  // namespace

TEST_CASE("scales are logarithmic over large ratios and linear over small ones or negative values") {
  Matrix values = Matrix::Ones(20, 20);
  for (Index i = 0; i < 400; ++i) values.data()[i] = 1 + static_cast<double>(i);
  const ContourScale log = contour_scale(values);
  CHECK(log.log);
  CHECK(log.high == 400);
  REQUIRE(log.levels.size() == 12);
  for (std::size_t i = 1; i < 12; ++i) {
    CHECK(log.levels[i] / log.levels[i - 1] == Approx(std::pow(log.high / log.low, 1.0 / 13)));
  }
  CHECK(log.levels.front() > log.low);
  CHECK(log.levels.back() < log.high);
  // A single 0 does not take up the scale.
  values(0, 0) = 0;
  CHECK(contour_scale(values).log);
  CHECK(contour_scale(values).low > 1);
  values(0, 0) = -1;
  const ContourScale linear = contour_scale(values);
  CHECK(!linear.log);
  CHECK(linear.low == -1);
  CHECK(linear.levels[1] - linear.levels[0] == Approx(401.0 / 13));
  CHECK(!contour_scale(values.array() + 1000).log);
}

TEST_CASE("a constant has a scale around it and without finite values there is none") {
  const ContourScale scale = contour_scale(Matrix::Constant(3, 3, 2));
  CHECK(scale.low < 2);
  CHECK(scale.high > 2);
  CHECK_THROWS_AS(contour_scale(Matrix::Constant(3, 3, std::nan(""))), Error);
  Matrix one = Matrix::Constant(3, 3, std::nan(""));
  one(1, 1) = 5;
  CHECK(contour_scale(one).low < 5);
}

TEST_CASE("surface and model and path are drawn with holes where values are not finite") {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) return;
  const ScratchFolder folder;
  const auto draw = [&](const ContourPlot& plot) {
    write_contour_plot(folder / "p.svg", plot);
    const std::string svg = read_file(folder / "p.svg");
    CHECK_THAT(svg, Contains("</svg>"));
    return svg;
  };
  const std::string whole = draw(bowl());
  CHECK_THAT(whole, Contains("it's &lt;a> bowl &amp; more") && Contains("u_1") && Contains("quadratic model") &&
                        Contains("trajectory") && Contains("stroke-dasharray"));
  ContourPlot plain = bowl();
  plain.model.resize(0, 0);
  plain.path = {};
  const std::string bare = draw(plain);
  CHECK_THAT(bare, !Contains("quadratic model") && !Contains("trajectory"));
  // A model that meets no level and a flat surface have no lines, which is no failure.
  ContourPlot flat = bowl();
  flat.values.setConstant(1);
  flat.model.setConstant(100);
  draw(flat);
  for (const char* name : {"p.png", "p.pdf"}) {
    write_contour_plot(folder / name, bowl());
    CHECK(std::filesystem::file_size(folder / name) > 1000);
  }
}

TEST_CASE("the surface stands over its contour lines with the path on it and holes where values are not finite") {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) return;
  const ScratchFolder folder;
  const auto draw = [&](const ContourPlot& plot) {
    write_surface_plot(folder / "p.svg", plot);
    return read_file(folder / "p.svg");
  };
  // A quadrangle of the surface is a filled shape: one for each cell whose four corners are finite. Of the 20 x 10
  // cells those with x > 0.8 are holes, 2 x 10 of them.
  const auto cells = [](const std::string& svg) {
    std::size_t count = 0;
    for (std::size_t at = svg.find("<polygon"); at != std::string::npos; at = svg.find("<polygon", at + 1)) ++count;
    return count;
  };
  const std::string whole = draw(bowl());
  CHECK(cells(whole) == 180);
  CHECK_THAT(whole, Contains("it's &lt;a> bowl &amp; more") && Contains("u_1") && Contains("trajectory"));
  ContourPlot plain = bowl();
  plain.path = {};
  CHECK_THAT(draw(plain), !Contains("trajectory"));
  // A path that leaves the grid is drawn where it is inside, and a flat surface has no lines.
  ContourPlot outside = bowl();
  outside.values.setConstant(1);
  outside.path = {{-2, 0, 0.5}, {0, 0, 0}};
  CHECK(cells(draw(outside)) == 200);
  for (const char* name : {"p.png", "p.pdf"}) {
    write_surface_plot(folder / name, bowl());
    CHECK(std::filesystem::file_size(folder / name) > 1000);
  }
  outside.y = Vector::LinSpaced(5, 0, 1);
  CHECK_THROWS_WITH(write_surface_plot(folder / "q.svg", outside), Contains("do not fit"));
}

TEST_CASE("sizes that do not fit and unknown endings are refused") {
  const ScratchFolder folder;
  ContourPlot plot = bowl();
  CHECK_THROWS_WITH(write_contour_plot(folder / "p.gif", plot), Contains(".svg"));
  plot.model = Matrix::Zero(2, 2);
  CHECK_THROWS_AS(write_contour_plot(folder / "p.svg", plot), Error);
  plot = bowl();
  plot.y = Vector::LinSpaced(5, 0, 1);
  CHECK_THROWS_WITH(write_contour_plot(folder / "p.svg", plot), Contains("do not fit"));
  CHECK(folder.count() == 0);
}
