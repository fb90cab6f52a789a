/// \file
/// Which records make which chapters of a report: one function for each kind of record.
#pragma once

#include "hesse/report/report_page.h"
#include "hesse/report/run_record.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace hesse {

/// The runs of one folder: of a run, or of a comparison.
struct RunStudy {
  std::string name;  ///< by which it is told from others
  std::filesystem::path folder;
  std::vector<RecordedRun> runs;
  std::vector<std::string> unreadable;  ///< records that are there and could not be read, one sentence each
};

/// Whether a folder holds a run or a comparison.
bool holds_runs(const std::filesystem::path& folder);

/// Reads the runs of a folder that holds some. What cannot be read is told, not thrown.
RunStudy read_study(const std::filesystem::path& folder, const std::string& name);

/// Summary, results, trace, curvature along training, telemetry, every run, tuning, options and provenance of runs of
/// one problem.
std::vector<ReportSection> run_sections(std::span<const RunStudy> studies);

/// A record of an analysis and the chapter that is made of it.
struct AnalysisRecord {
  const char* file;  ///< "spectrum.json"
  const char* what;  ///< "spectrum"
  ReportSection (*section)(const std::filesystem::path& folder);
};

/// All kinds, in the order of their chapters.
std::span<const AnalysisRecord> analysis_records();

/// Spectra of several folders in one chapter, in which eigenvalues and densities lie over each other. `names` are those
/// of the folders.
ReportSection spectra_section(std::span<const std::filesystem::path> folders, std::span<const std::string> names);

/// What a sweep leaves beside the folders of its cells: sweep.json, and tables of every cell and of the best.
inline constexpr const char* kCellsFolder = "cells";
bool holds_sweep(const std::filesystem::path& folder);
/// The best of each problem, the cells that failed with their reasons, the objective over each option, and every cell.
ReportSection sweep_section(const std::filesystem::path& folder);

/// The command that filled a folder, its options given and used, and by what it was done: from command.json.
ReportSection command_section(const std::filesystem::path& folder);

}  // namespace hesse
