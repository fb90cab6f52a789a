/// \file
/// run.json: what was run, with what, on what, and how it ended.
#pragma once

#include "hesse/core/options.h"
#include "hesse/optim/minimize.h"
#include "hesse/report/trace.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// The version of run.json that this version of Hesse writes and reads.
inline constexpr std::int64_t kRunRecordFormat = 2;

/// Names and values as texts, in order: options by the grammar of specifications.
using NamedTexts = std::vector<std::pair<std::string, std::string>>;

/// What the program was built from.
struct Software {
  std::string hesse;     ///< version
  std::string compiler;  ///< "GCC 12.2.0"
  std::string build;     ///< "optimized" or "debug"
  std::string eigen;
  std::string blas;  ///< the configuration that BLAS reports of itself
};

/// The machine that a run was made on.
struct Machine {
  std::string processor;  ///< model name, empty where the system does not tell
  int cores = 0;          ///< processors that the process may run on
};

/// How a run ended.
struct Verdict {
  std::string termination;  ///< to_string(Termination)
  std::string message;
  double initial_value = 0;
  double value = 0;
  double gradient_norm = 0;
  std::vector<std::pair<std::string, double>> metrics;
  Progress progress;
  /// What kind of point it is ("minimum", "saddle", ...; curvature/critical_point.h) and the sentence that says how
  /// that is known; empty where the run did not arrive or was not asked.
  std::string kind = {};
  std::string classification = {};
};

/// A specification and what it came to mean: what was given, and every option with the value in use.
struct RecordedSpec {
  std::string text;  ///< as given
  NamedTexts used;   ///< every option of it
};

/// All of run.json.
struct RunRecord {
  RecordedSpec problem;
  RecordedSpec optimizer;
  std::uint64_t seed = 0;
  std::string precision;  ///< "float32" or "float64"
  int threads = 0;
  Index batch_size = 0;     ///< 0: all samples
  std::string budget;       ///< as given: "10epochs"
  NamedTexts settings;      ///< further settings of the command, as given
  std::string description;  ///< of the problem, for a person
  Index parameters = 0;     ///< n
  /// Metrics that are better when they are higher, of the others the reverse is true; nothing in older records.
  std::optional<std::vector<std::string>> higher_is_better = {};
  Software software;
  Machine machine;
  std::string started;             ///< UTC, ISO 8601: "2024-05-01T12:00:00Z"
  std::optional<Verdict> verdict;  ///< nothing while the run goes on, or when it was killed
};

/// Of this program and of this machine.
Software this_software();
Machine this_machine();
/// Now, in UTC: "2024-05-01T12:00:00Z".
std::string utc_now();

/// The options of `entry` with the values that `spec` gives in place of the defaults.
NamedTexts used_options(const Spec& spec, const std::vector<OptionInfo>& defaults);

/// The verdict of a summary; metrics are evaluated by the caller at the returned point.
Verdict verdict_of(const Summary& summary, std::vector<std::pair<std::string, double>> metrics = {});

void write_run_record(const std::filesystem::path& path, const RunRecord& record);
/// Throws Error naming the file and the field on anything that is missing, unknown or of another type.
RunRecord read_run_record(const std::filesystem::path& path);

inline constexpr const char* kRunFile = "run.json";
inline constexpr const char* kTraceFile = "trace.csv";

/// A run's folder, read back.
struct RecordedRun {
  std::filesystem::path folder;
  RunRecord record;
  Trace trace;
};

/// Reads run.json and trace.csv (when it is there) of a folder.
RecordedRun read_run(const std::filesystem::path& folder);
/// Every run in `root` and the folders below it, by the order of their paths.
std::vector<RecordedRun> read_runs(const std::filesystem::path& root);

}  // namespace hesse
