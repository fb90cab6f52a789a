#include "formats.h"

#include "hesse/report/html.h"
#include "hesse/report/report_page.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <variant>
#include <vector>

namespace hesse::fuzz {
namespace {

constexpr std::array<std::string_view, 26> kRecords = {"run.json",
                                                       "trace.csv",
                                                       "curvature.csv",
                                                       "curvature_density.csv",
                                                       "curvature_layers.csv",
                                                       "comparison.json",
                                                       "tuning.csv",
                                                       "command.json",
                                                       "spectrum.json",
                                                       "density.csv",
                                                       "classification.json",
                                                       "critical_points.csv",
                                                       "sharpness.json",
                                                       "rise.csv",
                                                       "landscape.json",
                                                       "slice.csv",
                                                       "trajectory.csv",
                                                       "path.csv",
                                                       "smoothness.csv",
                                                       "validation.json",
                                                       "profile.json",
                                                       "ratios_evaluations.csv",
                                                       "ratios_seconds.csv",
                                                       "results.csv",
                                                       "diagnosis.json",
                                                       "lr.json"};

/// All of a page but what gnuplot draws.
void write_blocks(const ReportPage& page) {
  std::vector<Figure> figures;
  for (const ReportSection& section : page.sections) {
    for (const auto& block : section.blocks) {
      if (const auto* table = std::get_if<Table>(&block)) {
        html_table(*table);
      } else if (const auto* figure = std::get_if<Figure>(&block)) {
        figures.push_back(*figure);
      } else {
        // At the beginning: further on a record's own words may be cited, and the fuzzer has learned these.
        const std::string beginning = std::get<std::string>(block).substr(0, 80);
        require(beginning.find("cannot be shown, by a fault of hesse") == std::string::npos,
                "a record is refused by an exception that is no Error");
      }
    }
  }
  Palette palette;
  figures_json(figures, palette);
}

}  // namespace

/// The first line names a record, the rest is what it holds; or the rest up to a line of "====" and then the next
/// record, likewise.
void read_report_bytes(const Input& input) {
  std::string_view rest = input.bytes;
  while (!rest.empty()) {
    const auto line = std::min(rest.find('\n'), rest.size());
    const std::string name(rest.substr(0, line));
    rest.remove_prefix(std::min(line + 1, rest.size()));
    const auto end = rest.find("====\n");
    if (std::find(kRecords.begin(), kRecords.end(), name) != kRecords.end()) place(name, rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 5);
  }
  const std::filesystem::path here = folder();
  value_or_error(folder(), [&] { write_blocks(report_page({&here, 1})); });
}

}  // namespace hesse::fuzz
