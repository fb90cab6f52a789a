#include "command_line.h"
#include "commands.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/report_page.h"

#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

namespace fs = std::filesystem;

struct ReportCommandOptions {
  std::vector<std::string> run;
  std::string output;
  bool json = false;
};
void visit_options(ReportCommandOptions& o, OptionVisitor& v) {
  v.option("run", o.run,
           "folder of a run, a comparison or an analysis, or one that holds such folders; several are drawn together");
  v.option("output", o.output,
           "a file that ends in .html for the page alone, or a folder for report.html, its figures as SVG and PDF, and "
           "its tables as Markdown, LaTeX and CSV (default: report.html in the one folder that is named)");
  v.option("json", o.json, "print where the page was written as JSON");
}

void tell(const ReportCommandOptions& options, const char* what, const fs::path& page) {
  if (options.json) {
    Json json;
    json["report"] = page.string();
    fmt::print("{}", json_text(json));
  } else {
    say("{}: {}\n", what, page.string());
  }
}

}  // namespace

int report_command(Arguments arguments) {
  const auto options = read_command_line<ReportCommandOptions>(
      "report", "Draws the records of runs and analyses as one page of HTML, together or alone.", arguments, "run");
  if (options.run.empty()) fail("report: name the folder of a run, as in 'hesse report runs/NAME'");
  if (options.run.size() > 1 && options.output.empty()) {
    fail("report: {} folders are named; say where their common report goes, as in --output report.html",
         options.run.size());
  }
  const fs::path output =
      options.output.empty() ? fs::path(options.run.front()) / kReportFile : fs::path(options.output);
  const bool page_alone = output.extension() == ".html";
  if (page_alone ? fs::is_directory(output) : fs::exists(output) && !fs::is_directory(output)) {
    fail("report: '{}' {}; name another with --output", output.string(),
         page_alone ? "is a folder" : "is a file, and only files that end in .html are written");
  }
  const ReportPage page = report_page(std::vector<fs::path>(options.run.begin(), options.run.end()));
  const std::string text = page_html(page);
  if (page_alone) {
    if (output.has_parent_path()) create_folders(output.parent_path());
    write_file(output, text);
    tell(options, "report", output);
    return kDone;
  }
  create_folders(output);
  write_file(output / kReportFile, text);
  for (const std::string& warning : write_paper_files(output, page)) {
    fmt::print(stderr, "hesse: warning: {}\n", warning);
  }
  tell(options, "report, figures and tables", output / kReportFile);
  return kDone;
}

}  // namespace hesse::app
