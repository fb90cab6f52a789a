/// \file
/// command.json: what the program was asked in the folder that it lies in, with every option as given and as used, and
/// by what it was done.
#pragma once

#include "hesse/core/options.h"
#include "hesse/report/run_record.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hesse {

inline constexpr const char* kCommandFile = "command.json";

/// An option of a command.
struct AskedOption {
  std::string name;
  bool given = false;
  std::string used;  ///< the value in use, several joined by spaces
};

/// How a command was called.
struct CommandRecord {
  std::string command;  ///< "spectrum"
  std::vector<AskedOption> options;
  Software software;
  Machine machine;
  int threads = 0;
  std::string started;  ///< UTC, ISO 8601
  double seconds = 0;   ///< from the start of the process to the end of its work
  int exit_code = 0;
};

/// Every option of a command that was given `spec`.
std::vector<AskedOption> asked_options(const Spec& spec, const std::vector<OptionInfo>& used);

void write_command_record(const std::filesystem::path& path, const CommandRecord& record);
/// Throws Error naming the file and the field on anything that is missing or of another type.
CommandRecord read_command_record(const std::filesystem::path& path);

}  // namespace hesse
