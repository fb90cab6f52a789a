/// \file
/// The syntax of every command, for what is generated from it.
#pragma once

#include "command_line.h"
#include "commands.h"

#include <vector>

namespace hesse::app {

/// What a command is called with, asked of the command itself by `--help`, so that it cannot drift from what it takes.
CommandSyntax syntax_of(const Command& command);

/// What --directions of landscape takes besides files.
const std::vector<std::string>& direction_names();

/// Of all commands, in their order.
std::vector<CommandSyntax> all_syntaxes();

}  // namespace hesse::app
