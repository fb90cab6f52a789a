#include "hesse/data/nist.h"

#include "hesse/data/data_cache.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <string>

using namespace hesse;
using namespace hesse::test;

namespace {

const std::string kNonlinear =
    "NIST/ITL StRD\n"
    "Dataset Name:  Small             (Small.dat)\n"
    "\n"
    "Procedure:     Nonlinear Least Squares Regression\n"
    "Data:          1 Response Variable  (y = volume)\n"
    "               4 Observations\n"
    "               y = b1*(1-exp[-b2*x])  +  e\n"
    "          Starting values                  Certified Values\n"
    "        Start 1     Start 2           Parameter     Standard Deviation\n"
    "  b1 =   500         250           2.3894212918E+02  2.7070075241E+00\n"
    "  b2 =     0.0001      0.0005      5.5015643181E-04  7.2668688436E-06\n"
    "\n"
    "Residual Sum of Squares:                    1.2455138894E-01\n"
    "Residual Standard Deviation:                2.4955098571E-01\n"
    "Degrees of Freedom:                                9\n"
    "Number of Observations:                            4\n"
    "\n"
    "Data:   y               x\n"
    "      10.07E0      77.6E0\n"
    "      14.73E0     114.9E0\n"
    "      -17.94      141.1\n"
    "      23.93E0     190.8E0\n";

const std::string kLinear =
    "NIST/ITL StRD \n"
    "Dataset Name:  Line\n"
    "Procedure:     Linear Least Squares Regression\n"
    "               3 Parameters (B0,B1,B2)\n"
    "        B0        -3482258.63459582         890420.383607373\n"
    "        B1        15.0618722713733         84.9149257747669\n"
    "        B2       -0.358191792925910E-01    0.334910077722432E-01\n"
    "     Residual\n"
    "     Standard Deviation   914.562220685896\n"
    "Source of Degrees of     Sums of             Mean  \n"
    "Regression    6      184172401.944494   30695400.3240823   330.285339234588\n"
    "Residual      1      836424.055505915   92936.0061673238\n"
    "Data:     y       x\n"
    "  1 2\n"
    "  3 3\n"
    "\n"
    "  5 4\n"
    "  7 5\n";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a file of a nonlinear model gives its data, two starts and the certified values") {
  const TemporaryFolder folder;
  for (const std::string& text : {kNonlinear, gzip(kNonlinear)}) {
    const NistReference set = read_nist(folder.write("Small.dat", text));
    CHECK(set.name == "Small");
    CHECK_FALSE(set.linear);
    CHECK(set.y == Eigen::Vector4d(10.07, 14.73, -17.94, 23.93));
    CHECK(set.x == Eigen::Vector4d(77.6, 114.9, 141.1, 190.8));
    REQUIRE(set.starts.size() == 2);
    CHECK(set.starts[0] == Eigen::Vector2d(500, 0.0001));
    CHECK(set.starts[1] == Eigen::Vector2d(250, 0.0005));
    CHECK(set.parameters == Eigen::Vector2d(238.94212918, 5.5015643181e-4));
    CHECK(set.standard_deviations == Eigen::Vector2d(2.7070075241, 7.2668688436e-6));
    CHECK(set.residual_sum_of_squares == 0.12455138894);
    CHECK(set.degrees_of_freedom == 2);
    CHECK_THROWS_WITH(design_matrix(set), Catch::Contains("not linear"));
  }
  std::string dos;
  for (const char c : kNonlinear) dos += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(read_nist(folder.write("dos.dat", dos)).y.sum() == read_nist(folder.write("unix.dat", kNonlinear)).y.sum());
}

TEST_CASE("a file of a linear model gives the polynomial or the plane that its predictors span") {
  const TemporaryFolder folder;
  const NistReference set = read_nist(folder.write("Line.dat", kLinear));
  CHECK(set.linear);
  CHECK(set.intercept);
  CHECK(set.starts.empty());
  CHECK(set.parameters[2] == -0.358191792925910e-1);
  CHECK(set.residual_sum_of_squares == 836424.055505915);
  CHECK(set.degrees_of_freedom == 1);
  Matrix powers(4, 3);
  powers << 1, 2, 4, 1, 3, 9, 1, 4, 16, 1, 5, 25;
  CHECK(design_matrix(set) == powers);

  std::string plane = with(kLinear, "Data:     y       x\n  1 2\n  3 3\n\n  5 4\n  7 5\n",
                           "Data: y x1 x2\n1 2 8\n3 3 7\n5 4 6\n7 5 5\n");
  Matrix columns(4, 3);
  columns << 1, 2, 8, 1, 3, 7, 1, 4, 6, 1, 5, 5;
  CHECK(design_matrix(read_nist(folder.write("Plane.dat", plane))) == columns);
  plane = with(plane, "        B0        -3482258.63459582         890420.383607373\n", "");
  plane = with(plane, "914.562220685896", "646.693148064024");
  const NistReference without = read_nist(folder.write("Without.dat", plane));
  CHECK_FALSE(without.intercept);
  CHECK(design_matrix(without) == columns.rightCols(2));
}

TEST_CASE("a file of NIST that is no such file, or contradicts itself, is refused with its line") {
  const TemporaryFolder folder;
  check_special_files(folder, [](const std::string& path) { read_nist(path); });
  const auto refused = [&](const std::string& text) {
    const std::string path = folder.write("bad.dat", text);
    return refusal(path, [&] { read_nist(path); });
  };
  CHECK_THAT(refused("1,2,3\n"), Catch::Contains("line 1") && Catch::Contains("NIST/ITL StRD"));
  CHECK_THAT(refused(with(kNonlinear, "Procedure:", "Procedura:")), Catch::Contains("Procedure:"));
  CHECK_THAT(refused(with(kNonlinear, "Dataset Name:", "Name:")), Catch::Contains("Dataset Name:"));
  CHECK_THAT(refused(with(kNonlinear, "  2.7070075241E+00", "")),
             Catch::Contains("line 10") && Catch::Contains("b1") && Catch::Contains("4 numbers"));
  CHECK_THAT(refused(with(kNonlinear, "5.5015643181E-04", "5.50l5643181E-04")),
             Catch::Contains("line 11") && Catch::Contains("5.50l5643181E-04"));
  CHECK_THAT(refused(with(kNonlinear, "7.2668688436E-06", "-7.2668688436E-06")), Catch::Contains("negative"));
  CHECK_THAT(refused(with(kNonlinear, "  b2 =", "  b3 =")), Catch::Contains("b3") && Catch::Contains("number 2"));
  CHECK_THAT(refused(with(kNonlinear, "1.2455138894E-01", "-1")), Catch::Contains("sum of squares >= 0"));
  CHECK_THAT(refused(with(kNonlinear, "1.2455138894E-01", "nan")), Catch::Contains("line 13"));
  CHECK_THAT(refused(with(kNonlinear, "Residual Standard", "Standard")), Catch::Contains("no residual standard"));
  CHECK_THAT(refused(with(kNonlinear, "2.4955098571E-01", "2.4955099571E-01")), Catch::Contains("does not fit"));
  CHECK_THAT(refused(with(kNonlinear, "      23.93E0     190.8E0\n", "")), Catch::Contains("4 observations"));
  CHECK_THAT(refused(with(kNonlinear, "23.93E0 ", "23.93E0  7 ")),
             Catch::Contains("line 22") && Catch::Contains("3 numbers"));
  CHECK_THAT(refused(with(kNonlinear, "141.1", "1e999")), Catch::Contains("line 21"));
  CHECK_THAT(refused(kNonlinear.substr(0, kNonlinear.find("Data:   y"))), Catch::Contains("no observation"));
  CHECK_THAT(refused(with(with(kNonlinear, "  b1 =", "  c1 ="), "  b2 =", "  c2 =")),
             Catch::Contains("no certified parameter"));
  CHECK_THAT(refused(with(kLinear, "B0 ", "B0 =")), Catch::Contains("B0"));
  CHECK_THAT(
      refused(with(kLinear, "x\n  1 2\n  3 3\n\n  5 4\n  7 5\n", "x1 x2 x3\n1 2 3 4\n1 2 3 4\n1 2 3 4\n1 2 3 4\n")),
      Catch::Contains("3 predictors"));
  // Cut anywhere, a file is either refused in one line or, where only an end of line is lost, read.
  int read = 0;
  for (std::size_t length = 1; length < kNonlinear.size(); ++length) {
    const std::string path = folder.write("cut.dat", kNonlinear.substr(0, length));
    try {
      read_nist(path);
      ++read;
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
  }
  CHECK(read <= 6);
}
