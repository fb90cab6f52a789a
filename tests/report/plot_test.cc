#include "hesse/report/plot.h"

#include "hesse/core/error.h"
#include "hesse/core/random.h"
#include "hesse/report/atomic_file.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace hesse;
using Catch::Matchers::Contains;
using hesse::test::ScratchFolder;

namespace {

const double kInfinity = std::numeric_limits<double>::infinity();

bool gnuplot_is_there() {
  if (std::system("gnuplot --version > /dev/null 2>&1") == 0) return true;
  WARN("gnuplot is not installed");
  return false;
}

/// An environment variable, put back at the end.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name), old_(std::getenv(name) ? std::getenv(name) : "") {
    ::setenv(name, value, 1);
  }
  ~Environment() { ::setenv(name_, old_.c_str(), 1); }

 private:
  const char* name_;
  std::string old_;
};

/// Losses that fall as a + b exp(-c x), with seeded noise.
Plot example(int methods) {
  const char* names[] = {"sgd:lr=0.1,momentum=0.9",
                         "adam:lr=1e-3",
                         "lbfgs:memory=20",
                         "newton-cg",
                         "kfac",
                         "shampoo",
                         "nesterov",
                         "gd",
                         "adamw",
                         "rmsprop"};
  Plot plot;
  plot.title = "mlp:data=fashion-mnist, hidden 128-64: training loss";
  plot.x_label = "seconds";
  plot.y_label = "training loss";
  plot.log_y = true;
  for (int m = 0; m < methods; ++m) {
    Series series{names[m], {}};
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const RandomStream stream(seed, Purpose::test, static_cast<std::uint64_t>(m));
      Curve run;
      for (std::uint64_t i = 0; i < 200; ++i) {
        const double x = 0.05 * static_cast<double>(i) * (1 + 0.02 * static_cast<double>(seed));
        run.x.push_back(x);
        run.y.push_back((0.05 * (m + 1) + 2.25 * std::exp(-(0.4 + 0.2 * m) * x)) *
                        std::exp(0.2 * stream.normal(1000) + 0.04 * stream.normal(i)));
      }
      series.runs.push_back(run);
    }
    plot.series.push_back(series);
  }
  plot.target = 0.1;
  plot.target_label = "target 0.1";
  return plot;
}

}  // namespace

TEST_CASE("between its points a run keeps its last value, before its first it is not counted, after its end it stays") {
  const std::vector<Curve> runs = {{{0, 2, 4}, {10, 20, 30}}, {{1, 2}, {100, 200}}};
  const Band band = band_of(runs);
  CHECK(band.x == std::vector<double>{0, 1, 2, 4});
  CHECK(band.n == std::vector<Index>{1, 2, 2, 2});
  // At 1: {10, 100}; at 2: {20, 200}; at 4: {30, 200}, by linear interpolation between two order statistics.
  CHECK(band.median == std::vector<double>{10, 55, 110, 115});
  CHECK(band.lower_quartile == std::vector<double>{10, 32.5, 65, 72.5});
  CHECK(band.upper_quartile == std::vector<double>{10, 77.5, 155, 157.5});
}

TEST_CASE("a run that fails ranks as worst from there on") {
  const std::vector<Curve> runs = {{{0, 1}, {1, 1}}, {{0, 1}, {2, std::nan("")}}, {{0, 1}, {3, 3}}};
  const Band band = band_of(runs);
  CHECK(band.failures == std::vector<Index>{0, 1});
  CHECK(band.median == std::vector<double>{2, 3});
  CHECK(band.upper_quartile[1] == kInfinity);
  const Band higher = band_of(runs, false, true);
  CHECK(higher.median == std::vector<double>{2, 1});
  CHECK(higher.lower_quartile[1] == -kInfinity);
}

TEST_CASE("a long grid is thinned evenly, in the logarithm where the axis is logarithmic, and keeps its ends") {
  Curve run;
  for (int i = 0; i <= 10'000; ++i) {
    run.x.push_back(i);
    run.y.push_back(2.0 * i);
  }
  const Band even = band_of(std::span(&run, 1), false, false, 101);
  REQUIRE(even.x.size() == 101);
  CHECK(even.x.front() == 0);
  CHECK(even.x[50] == 5000);
  CHECK(even.median[50] == 10'000);
  CHECK(even.x.back() == 10'000);
  const Band log = band_of(std::span(&run, 1), true, false, 101);
  CHECK(log.x.front() == 1);  // 0 has no logarithm
  CHECK(log.x[50] == Approx(100));
  CHECK(log.x.back() == 10'000);
}

TEST_CASE("no runs, empty runs and runs of one point make a band, unequal lengths are refused") {
  CHECK(band_of({}).x.empty());
  const std::vector<Curve> runs = {{}, {{3}, {4}}};
  CHECK(band_of(runs).median == std::vector<double>{4});
  const std::vector<Curve> unequal = {{{1, 2}, {1}}};
  CHECK_THROWS_AS(band_of(unequal), Error);
}

TEST_CASE("a legend of many methods stands below the plot, all of it, on a higher page") {
  const ScratchFolder scratch;
  const auto height = [&](int methods) {
    Plot plot;
    plot.x_label = "x";
    plot.y_label = "y";
    for (int m = 0; m < methods; ++m) plot.series.push_back({fmt::format("method-{}", m), {{{0, 1}, {m + 1.0, 1.0}}}});
    Palette palette;
    write_plot(scratch / "many.svg", plot, palette);
    const std::string svg = read_file(scratch / "many.svg");
    for (const Series& series : plot.series) CHECK_THAT(svg, Contains(">" + series.method + "<"));
    const auto at = svg.find("height=\"") + 8;
    return std::stoi(svg.substr(at));
  };
  const int few = height(10);
  const int many = height(20);
  CHECK(many > few + 200);
}

TEST_CASE("a method keeps its style, and eight methods have eight colours") {
  Palette palette;
  const auto first = palette.style("adam");
  std::vector<std::string> colors = {first.color};
  for (int i = 1; i < 8; ++i) {
    const auto style = palette.style("method " + std::to_string(i));
    CHECK(style.dash == 0);
    colors.emplace_back(style.color);
  }
  std::sort(colors.begin(), colors.end());
  CHECK(std::unique(colors.begin(), colors.end()) == colors.end());
  CHECK(std::string(palette.style("adam").color) == first.color);
  const auto ninth = palette.style("ninth");
  CHECK(std::string(ninth.color) == first.color);
  CHECK(ninth.dash == 1);
}

TEST_CASE("the data of a plot are saved as CSV, with method names quoted and exact numbers") {
  Plot plot;
  plot.series = {{"sgd:lr=0.1,momentum=0.9", {{{0, 1}, {0.1, std::nan("")}}}}};
  CHECK(plot_data_text(plot) ==
        "method,x,median,lower_quartile,upper_quartile,n,failures\n"
        "\"sgd:lr=0.1,momentum=0.9\",0,0.1,0.1,0.1,1,0\n"
        "\"sgd:lr=0.1,momentum=0.9\",1,inf,inf,inf,1,1\n");
}

TEST_CASE("a plot is drawn as SVG, its texts shown as they are, its data saved beside it") {
  if (!gnuplot_is_there()) return;
  const ScratchFolder scratch;
  Palette palette;
  Plot plot = example(4);
  plot.title = "a_b^c <&> 'quoted' \"double\" \\n {x} @ `date` üµ";
  write_plot(scratch / "plot.svg", plot, palette);
  const std::string svg = read_file(scratch / "plot.svg");
  CHECK_THAT(svg, Contains("<svg") && Contains("</svg>"));
  CHECK_THAT(svg, Contains("a_b^c &lt;&amp;> 'quoted' \"double\" \\n {x} @ `date` üµ"));
  CHECK_THAT(svg,
             Contains("median, 25-75 %, 3 seeds") && Contains("sgd:lr=0.1,momentum=0.9") && Contains("target 0.1"));
  CHECK(read_file(scratch / "plot.csv") == plot_data_text(plot));
  CHECK(scratch.count() == 2);
}

TEST_CASE("every scale, format and odd shape of data can be drawn") {
  if (!gnuplot_is_there()) return;
  const ScratchFolder scratch;
  Palette palette;
  const char* ending = GENERATE(".svg", ".png", ".pdf");
  for (const bool log_x : {false, true}) {
    for (const bool log_y : {false, true}) {
      Plot plot = example(2);
      plot.log_x = log_x;
      plot.log_y = log_y;
      plot.series.push_back({"constant", {{{1, 2}, {1, 1}}}});
      plot.series.push_back({"single point", {{{1}, {1}}}});
      plot.series.push_back(
          {"diverged", {{{1, 2}, {1, kInfinity}}, {{1, 2}, {1, std::nan("")}}, {{1, 2}, {1, 1e200}}}});
      plot.series.push_back({"negative", {{{1, 2}, {-1, 1}}}});
      plot.series.push_back({"empty", {}});
      write_plot(scratch / fmt::format("plot{}", ending), plot, palette);
      CHECK(std::filesystem::file_size(scratch / fmt::format("plot{}", ending)) > 1000);
    }
  }
  Plot constant;
  constant.series = {{"constant", {{{1}, {0}}}}};
  write_plot(scratch / fmt::format("constant{}", ending), constant, palette);
}

TEST_CASE("runs that reach from one end of the doubles to the other are drawn") {
  if (!gnuplot_is_there()) return;
  const ScratchFolder scratch;
  Palette palette;
  const double most = std::numeric_limits<double>::max();
  for (const bool log : {false, true}) {
    Plot plot;
    plot.log_y = log;
    // The ratio of both ends, and their difference on a linear axis, are infinite.
    plot.series = {{"diverged", {{{0, 1, 2}, {log ? 1e-320 : -most, 1, most}}}}};
    write_plot(scratch / "plot.svg", plot, palette);
    CHECK_THAT(read_file(scratch / "plot.svg"), Contains("</svg>"));
  }
}

TEST_CASE("what cannot be drawn is refused in one sentence, and missing gnuplot is said so") {
  const ScratchFolder scratch;
  Palette palette;
  CHECK_THROWS_WITH(write_plot(scratch / "p.svg", Plot{}, palette), Contains("p.svg: there is nothing to draw"));
  CHECK_THROWS_WITH(write_plot(scratch / "p.bmp", example(1), palette), Contains("choose .svg, .png or .pdf"));
  CHECK(scratch.count() == 0);
  if (gnuplot_is_there()) CHECK_THROWS_WITH(run_gnuplot("no_such_command\n"), Contains("gnuplot failed"));
  const Environment no_programs("PATH", "/nonexistent");
  CHECK_THROWS_WITH(write_plot(scratch / "p.svg", example(1), palette), Contains("install gnuplot-nox"));
  CHECK(std::filesystem::exists(scratch / "p.csv"));
  CHECK_FALSE(std::filesystem::exists(scratch / "p.svg"));
}
