#include "hesse/report/report_page.h"
#include "hesse/report/csv_table.h"

#include "hesse/core/error.h"
#include "hesse/data/data_file.h"
#include "hesse/data/sha256.h"
#include "hesse/report/assets.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/command_record.h"
#include "hesse/report/csv_table.h"
#include "hesse/report/html.h"
#include "hesse/report/json.h"
#include "hesse/report/report_sections.h"

#include <algorithm>
#include <functional>
#include <set>

namespace hesse {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrarySet = "plotly";
constexpr const char* kLinesLibrary = "plotly-cartesian.min.js";  ///< lines, contours and points
constexpr const char* kSurfaceLibrary = "plotly.min.js";          ///< surfaces in space as well

/// Whether a folder is a cell of a sweep, which the sweep's own command made.
bool is_cell(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.parent_path().filename() == kCellsFolder && holds_sweep(whole.parent_path().parent_path());
}

bool holds_records(const fs::path& folder) {
  if (holds_runs(folder) || holds_sweep(folder)) return true;
  const auto records = analysis_records();
  return std::any_of(records.begin(), records.end(),
                     [&](const AnalysisRecord& record) { return fs::exists(folder / record.file); });
}

/// Puts the cells of a sweep into the order of its results, which is that of what was asked for; their folders' names
/// say nothing of it. Those that the results do not name come last.
void order_cells(const fs::path& sweep, std::vector<fs::path>& cells) {
  std::vector<std::string> order;
  try {
    const std::string file = (sweep / "results.csv").string();
    order = texts_of(read_csv_table(file), "cell", file);
  } catch (const Error&) {
    // No results yet, or none that can be read, which the sweep's own section says.
  }
  std::stable_sort(cells.begin(), cells.end(), [&](const fs::path& a, const fs::path& b) {
    const auto place = [&](const fs::path& cell) {
      return std::find(order.begin(), order.end(), cell.filename().string());
    };
    return place(a) < place(b);
  });
}

/// The folder, or those below it that hold records and do not lie in another that does; a sweep and its cells.
void find_folders(const fs::path& folder, std::vector<fs::path>& found) {
  if (holds_records(folder)) {
    found.push_back(folder);
    if (holds_sweep(folder)) {
      std::vector<fs::path> cells;
      find_folders(folder / kCellsFolder, cells);
      order_cells(folder, cells);
      found.insert(found.end(), cells.begin(), cells.end());
    }
    return;
  }
  std::vector<fs::path> below;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory() && !at->is_symlink()) below.push_back(at->path());
  }
  std::sort(below.begin(), below.end());
  for (const fs::path& one : below) find_folders(one, found);
}

/// The shortest ends of the folders' paths by which they are told apart.
std::vector<std::string> names_of(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    fs::path whole = fs::absolute(folder).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();
    names.push_back(whole.filename().string());
  }
  const std::vector<std::string> short_names = names;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (std::count(short_names.begin(), short_names.end(), short_names[i]) > 1) {
      names[i] = folders[i].lexically_normal().string();
    }
  }
  return names;
}

/// The section that `make` makes, or one that says why there is none.
template <class Make>
void add_guarded(std::vector<ReportSection>& sections, const std::string& title, const Make& make) {
  const auto explain = [&](const char* what, const std::exception& e) {
    ReportSection section{title};
    section.blocks.emplace_back(
        html_paragraph(fmt::format("The record cannot be shown{}: {}", what, e.what()), "verdict bad"));
    sections.push_back(std::move(section));
  };
  try {
    make();
  } catch (const Error& e) {
    explain("", e);
  } catch (const std::exception& e) {
    explain(", by a fault of hesse", e);
  }
}

/// The problem that a record of an analysis names, or nothing.
std::string problem_in(const fs::path& file) {
  try {
    const Json json = read_json(file);
    return json.is_object() && json.contains("problem") && json["problem"].is_string()
               ? json["problem"].get<std::string>()
               : std::string();
  } catch (const Error&) {
    return {};
  }
}

std::string title_of(const std::vector<fs::path>& folders, const std::vector<std::string>& names,
                     const std::vector<RunStudy>& studies) {
  constexpr std::size_t kNamed = 4;
  if (folders.size() > 1) {
    const std::size_t named = names.size() > kNamed + 1 ? kNamed : names.size();
    std::string title =
        fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(named), ", "));
    if (named < names.size()) title += fmt::format(" and {} more", names.size() - named);
    return title;
  }
  if (!studies.empty() && !studies.front().runs.empty()) {
    std::set<std::string> methods;
    for (const RecordedRun& run : studies.front().runs) methods.insert(run.record.optimizer.text);
    const std::string& problem = studies.front().runs.front().record.problem.text;
    if (methods.size() == 1) return fmt::format("{} on {}", *methods.begin(), problem);
    return fmt::format("{} methods on {}", methods.size(), problem);
  }
  for (const AnalysisRecord& record : analysis_records()) {
    if (!fs::exists(folders.front() / record.file)) continue;
    const std::string problem = problem_in(folders.front() / record.file);
    return problem.empty() ? fmt::format("{}: {}", record.what, names.front())
                           : fmt::format("{} of {}", record.what, problem);
  }
  return names.front();
}

std::string id_of(std::size_t i) { return fmt::format("section-{}", i + 1); }

/// The library's text, or why it is not there.
struct Library {
  std::string text;
  std::string missing;
};

/// What fetches the library.
std::string fetch_command() {
  for (const SetStatus& set : list_fetched_sets()) {
    if (set.name == kLibrarySet) return set.fetch_command;
  }
  return {};
}

Library find_library(bool surfaces, const std::string& cache) {
  const std::string name = surfaces ? kSurfaceLibrary : kLinesLibrary;
  try {
    std::string text(FileBytes(fetched_file(kLibrarySet, name, cache)).view());
    const std::string digest = sha256(text);
    for (const FetchedSet& set : fetched_sets()) {
      for (const PinnedFile& file : set.files) {
        if (set.name == kLibrarySet && file.name == name && file.sha256 == digest) return {std::move(text), {}};
      }
    }
    return {{}, fmt::format("{} is not the file that is pinned; fetch it again with: {}", name, fetch_command())};
  } catch (const Error&) {
    return {{}, fmt::format("{} is not there; fetch it with: {}", name, fetch_command())};
  }
}

std::string figure_html(const Figure& figure, std::size_t position, bool interactive, Palette& palette) {
  std::string out =
      fmt::format("<figure class=\"figure{}{}\"", figure.small ? " small" : "", figure.surface ? " surface" : "");
  out += interactive ? fmt::format(" data-figure=\"{}\">\n", position) : " data-static=\"true\">\n";
  out += fmt::format("<div class=\"figure-head\"><h3>{}</h3></div>\n", html_text(figure.title));
  if (interactive) {
    out += "<div class=\"plot\"></div>\n";
  } else {
    try {
      out += fmt::format("<img alt=\"{}\" src=\"data:image/svg+xml;base64,{}\">\n", html_text(figure.title),
                         base64(figure_svg(figure, palette)));
    } catch (const Error& e) {
      out += html_paragraph(fmt::format("Not drawn: {}", e.what()), "quiet");
    }
  }
  return out + fmt::format("<figcaption>{}</figcaption>\n</figure>\n", html_text(figure.caption));
}

std::vector<Figure> figures_of(const ReportPage& page) {
  std::vector<Figure> out;
  for (const ReportSection& section : page.sections) {
    for (const auto& block : section.blocks) {
      if (const auto* figure = std::get_if<Figure>(&block)) out.push_back(*figure);
    }
  }
  return out;
}

/// Names of files, each once.
std::string unique_name(std::string name, std::set<std::string>& taken) {
  const std::string stem = name;
  for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}", stem, i);
  return name;
}

}  // namespace

ReportPage report_page(std::span<const fs::path> given) {
  std::vector<fs::path> folders;
  for (const fs::path& folder : given) {
    if (!fs::is_directory(folder)) fail("report: '{}' is no folder; name the folder of a run", folder.string());
    const std::size_t before = folders.size();
    find_folders(folder, folders);
    if (folders.size() == before) {
      fail("report: '{}' holds no records of hesse, nor do the folders below it; name the folder of a run",
           folder.string());
    }
  }
  const std::vector<std::string> names = names_of(folders);
  const bool several = folders.size() > 1;
  ReportPage page;
  std::vector<RunStudy> studies;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (holds_runs(folders[i])) studies.push_back(read_study(folders[i], names[i]));
  }
  const auto cells = std::count_if(folders.begin(), folders.end(), is_cell);
  const bool one_sweep = holds_sweep(folders.front()) && std::ssize(folders) == cells + 1;
  if (one_sweep) {
    page.title = fmt::format("sweep {}", names.front());
    page.subtitle = fmt::format("{} cells", cells);
  } else {
    page.title = title_of(folders, names, studies);
    if (several) page.subtitle = fmt::format("{} folders of records, drawn together", folders.size());
  }
  std::vector<ReportSection>& sections = page.sections;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (!holds_sweep(folders[i])) continue;
    const std::string title = one_sweep ? "Sweep" : "Sweep: " + names[i];
    add_guarded(sections, title, [&] {
      sections.push_back(sweep_section(folders[i]));
      sections.back().title = title;
    });
  }
  if (!studies.empty()) {
    add_guarded(sections, "Runs", [&] {
      for (ReportSection& section : run_sections(studies)) sections.push_back(std::move(section));
    });
  }
  for (const AnalysisRecord& record : analysis_records()) {
    std::vector<fs::path> with;
    std::vector<std::string> their_names;
    for (std::size_t i = 0; i < folders.size(); ++i) {
      if (!fs::exists(folders[i] / record.file)) continue;
      with.push_back(folders[i]);
      their_names.push_back(names[i]);
    }
    if (with.size() > 1 && record.file == std::string_view("spectrum.json")) {
      add_guarded(sections, "Spectra", [&] { sections.push_back(spectra_section(with, their_names)); });
      continue;
    }
    for (std::size_t i = 0; i < with.size(); ++i) {
      const std::string of = several ? ": " + their_names[i] : "";
      add_guarded(sections, record.what + of, [&] {
        sections.push_back(record.section(with[i]));
        sections.back().title += of;
      });
    }
  }
  ReportSection commands{several && !one_sweep ? "Commands" : "Command"};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (!fs::exists(folders[i] / kCommandFile) || is_cell(folders[i])) continue;
    add_guarded(sections, "Command of " + names[i], [&] {
      ReportSection one = command_section(folders[i]);
      for (auto& block : one.blocks) {
        auto* const table = std::get_if<Table>(&block);
        if (several && !one_sweep && table != nullptr) table->title = names[i] + ": " + table->title;
        commands.blocks.push_back(std::move(block));
      }
    });
  }
  if (!commands.blocks.empty()) sections.push_back(std::move(commands));
  return page;
}

std::string page_html(const ReportPage& page, const std::string& cache) {
  const std::vector<Figure> figures = figures_of(page);
  const bool surfaces =
      std::any_of(figures.begin(), figures.end(), [](const Figure& figure) { return figure.surface.has_value(); });
  const Library library = figures.empty() ? Library{} : find_library(surfaces, cache);
  const bool interactive = !library.text.empty();
  Palette palette;

  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  // Nothing is fetched from anywhere, whatever a record or the library may say.
  out +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:\">\n";
  out += "<meta name=\"color-scheme\" content=\"light dark\">\n";
  out += fmt::format("<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n", html_text(page.title), kReportStyle);
  out += fmt::format("<header>\n<p class=\"brand\">hesse report</p>\n<h1>{}</h1>\n", html_text(page.title));
  if (!page.subtitle.empty()) out += html_paragraph(page.subtitle, "quiet");
  out += "</header>\n<nav aria-label=\"sections\">\n<ol>\n";
  for (std::size_t i = 0; i < page.sections.size(); ++i) {
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", id_of(i), html_text(page.sections[i].title));
  }
  out += "</ol>\n</nav>\n<main>\n";
  if (!library.missing.empty()) {
    out += html_paragraph("Figures are static: the drawing library " + library.missing + ".", "notice");
  }
  if (interactive) {
    out += "<noscript><p class=\"notice\">Figures need JavaScript; the tables do not.</p></noscript>\n";
  }
  std::size_t position = 0;
  for (std::size_t i = 0; i < page.sections.size(); ++i) {
    const ReportSection& section = page.sections[i];
    out += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", id_of(i), html_text(section.title));
    bool in_grid = false;
    for (const auto& block : section.blocks) {
      // Small figures stand beside each other.
      const auto* figure = std::get_if<Figure>(&block);
      const bool wants_grid = figure != nullptr && figure->small;
      if (wants_grid != in_grid) out += wants_grid ? "<div class=\"grid\">\n" : "</div>\n";
      in_grid = wants_grid;
      if (figure != nullptr) {
        out += figure_html(*figure, position++, interactive, palette);
      } else if (const auto* table = std::get_if<Table>(&block)) {
        out += html_table(*table);
      } else {
        out += std::get<std::string>(block);
      }
    }
    if (in_grid) out += "</div>\n";
    out += "</section>\n";
  }
  out += "</main>\n";
  if (interactive) {
    out += fmt::format("<script type=\"application/json\" id=\"report-data\">{}</script>\n",
                       html_script_json(figures_json(figures, palette)));
    out += "<script>\n" + library.text + "\n</script>\n";
  }
  return out + fmt::format("<script>\n{}</script>\n</body>\n</html>\n", kReportScript);
}

void write_report(const fs::path& folder) { write_file(folder / kReportFile, page_html(report_page({&folder, 1}))); }

std::vector<std::string> write_paper_files(const fs::path& folder, const ReportPage& page) {
  const fs::path figures = folder / "figures";
  const fs::path tables = folder / "tables";
  std::vector<std::pair<std::string, std::vector<std::string>>>
      missed;  // by why: where gnuplot is not, it is always the same
  std::set<std::string> taken;
  Palette palette;
  std::string captions = fmt::format("# {}\n\n", page.title);
  create_folders(tables);
  for (const ReportSection& section : page.sections) {
    for (const auto& block : section.blocks) {
      if (const auto* table = std::get_if<Table>(&block)) {
        std::string name = section.title + " " + table->title;
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return std::isalnum(c) != 0 ? static_cast<char>(std::tolower(c)) : '-'; });
        name.erase(std::unique(name.begin(), name.end(), [](char a, char b) { return a == '-' && b == '-'; }),
                   name.end());
        // File systems take names of 255 bytes.
        if (name.size() > 60) name.resize(60);
        while (name.ends_with('-')) name.pop_back();
        name = unique_name(name, taken);
        write_file(tables / (name + ".md"), markdown_text(*table));
        write_file(tables / (name + ".tex"), latex_text(*table));
        write_file(tables / (name + ".csv"), csv_text(*table));
      }
      const auto* figure = std::get_if<Figure>(&block);
      if (figure == nullptr) continue;
      create_folders(figures);
      Figure named = *figure;
      named.name = unique_name("figure-" + figure->name, taken).substr(7);
      captions += fmt::format("## {}\n\n{}: {}\n\n", named.name, figure->title, figure->caption);
      for (const char* ending : {"svg", "pdf"}) {
        try {
          write_figure(figures, named, ending, palette);
        } catch (const WriteError&) {
          throw;
        } catch (const Error& e) {
          const auto same =
              std::find_if(missed.begin(), missed.end(), [&](const auto& m) { return m.first == e.what(); });
          auto& names =
              same == missed.end() ? missed.emplace_back(e.what(), std::vector<std::string>()).second : same->second;
          names.push_back(fmt::format("{}.{}", named.name, ending));
        }
      }
    }
  }
  if (fs::exists(figures)) write_file(figures / "captions.md", captions);
  std::vector<std::string> warnings;
  for (const auto& [why, names] : missed) {
    warnings.push_back(names.size() == 1
                           ? fmt::format("{} was not drawn: {}", names.front(), why)
                           : fmt::format("{} and {} more were not drawn: {}", names.front(), names.size() - 1, why));
  }
  return warnings;
}

}  // namespace hesse
