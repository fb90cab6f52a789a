/// \file
/// What every command that leaves records has in common: it is told where they go and what was asked, and at the end
/// command.json and report.html are written there. The commands themselves know nothing of it.
#pragma once

#include "hesse/core/options.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hesse::app {

/// Notes the command of this process with its options as given and as used.
void note_command(const std::string& name, const Spec& given, const std::vector<OptionInfo>& used);

/// Notes the folder that its records go to.
void note_records(const std::filesystem::path& folder);

/// Writes command.json, unless one is there from a run that is resumed, and report.html into the noted folder; nothing
/// where none was noted or made. What keeps it from doing so is a warning.
void finish_records(int exit_code);

}  // namespace hesse::app
