#include "records.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/report/command_record.h"
#include "hesse/report/report_page.h"

#include <chrono>
#include <cstdio>

namespace hesse::app {
namespace {

/// Of this process, which runs one command.
struct Records {
  CommandRecord command;
  std::filesystem::path folder;
  std::chrono::steady_clock::time_point start;
};

Records& records() {
  static Records all;
  return all;
}

}  // namespace

void note_command(const std::string& name, const Spec& given, const std::vector<OptionInfo>& used) {
  Records& all = records();
  all.command.command = name;
  all.command.options = asked_options(given, used);
  all.command.started = utc_now();
  all.start = std::chrono::steady_clock::now();
}

void note_records(const std::filesystem::path& folder) { records().folder = folder; }

void finish_records(int exit_code) {
  Records& all = records();
  if (all.folder.empty() || !std::filesystem::is_directory(all.folder)) return;
  all.command.software = this_software();
  all.command.machine = this_machine();
  all.command.threads = threads();
  all.command.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - all.start).count();
  all.command.exit_code = exit_code;
  try {
    const std::filesystem::path file = all.folder / kCommandFile;
    if (!std::filesystem::exists(file)) write_command_record(file, all.command);
    write_report(all.folder);
  } catch (const Error& e) {
    fmt::print(stderr, "hesse: warning: the report was not written: {}\n", e.what());
  }
}

}  // namespace hesse::app
