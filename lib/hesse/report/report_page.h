/// \file
/// The report: one page of HTML that opens from the disk with no network, made from the records in one or several run
/// folders and from nothing else.
///
/// A folder may hold a run (run.json), a comparison with its runs (comparison.json), a sweep with its cells
/// (sweep.json), or what an analysis left
/// (spectrum.json, classification.json, sharpness.json, landscape.json, validation.json, profile.json, diagnosis.json,
/// lr.json), each with its CSV files; several records of one folder share its page. A record that cannot be read
/// becomes a line that says why, among the others.
///
/// Figures are drawn in the page by plotly.js (MIT licence), whose text is part of the page. It is taken from the cache
/// of fetched data, and only with the SHA-256 that is pinned there; where it is missing the figures are SVG by gnuplot
/// instead, and the page says so in one line.
#pragma once

#include "hesse/data/data_cache.h"
#include "hesse/report/figure.h"
#include "hesse/report/table.h"

#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace hesse {

inline constexpr const char* kReportFile = "report.html";

/// A chapter: pieces of HTML, tables and figures in their order.
struct ReportSection {
  std::string title;
  std::vector<std::variant<std::string, Table, Figure>> blocks = {};
};

/// A page before it is written.
struct ReportPage {
  std::string title;
  std::string subtitle;
  std::vector<ReportSection> sections;
};

/// What the records of these folders have to say, together. Runs of several folders share figures where they are of one
/// problem: runs that differ in their seeds alone are one method; others of the same name are told apart by their
/// folders. Cost: reading the records. Throws Error on a folder that holds none, nor has any below it.
ReportPage report_page(std::span<const std::filesystem::path> folders);

/// The page's text; the drawing library comes from `cache`. Static figures, where there have to be any, cost gnuplot a
/// tenth of a second each.
std::string page_html(const ReportPage& page, const std::string& cache = data_cache_dir());

/// report.html in `folder`, from its records.
void write_report(const std::filesystem::path& folder);

/// The page's figures as SVG and PDF with captions.md into `folder`/figures, and its tables as Markdown, LaTeX and CSV
/// into `folder`/tables. Returns what could not be drawn and why, one line for each reason: the tables are written in
/// any case.
std::vector<std::string> write_paper_files(const std::filesystem::path& folder, const ReportPage& page);

}  // namespace hesse
