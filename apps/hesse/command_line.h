/// \file
/// The command line and specification files of one subcommand, read by Boost.Program_options into an
/// options struct with `visit_options`, so that `--help`, parsing and range checks share one
/// description with the rest of Hesse.
#pragma once

#include "records.h"

#include "hesse/core/options.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse::app {

/// Exit codes of the program.
enum ExitCode : int {
  kDone = 0,
  kTargetNotReached = 1,
  kWriteFailed = 1,
  kBadInput = 2,
  kDiverged = 3,
  kInterrupted = 130,
};

/// What a command is called with: all that its help, its manual page and completion are made of.
struct CommandSyntax {
  std::string command;
  std::string summary;  ///< one sentence
  /// Those of the command, and --quiet, --config and --help, which every command takes.
  std::vector<OptionInfo> options;
  std::string positional;  ///< the option that words without a name fill; empty: none
};

/// The letter that is short for an option, or 0.
char short_name(const std::string& option);

/// Thrown by parse_arguments when `--help` was asked for.
struct HelpRequested {
  CommandSyntax syntax;
};

/// The text of `--help`, in lines of `width` columns (0: a line an option).
std::string help_text(const CommandSyntax& syntax, Index width);

/// Prints lines to standard output, each that is too long for a terminal wrapped; whole ones, ended by a newline.
void print_lines(std::string_view text);
template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  print_lines(fmt::format(format, std::forward<Arguments>(arguments)...));
}

/// True once a command line had `--quiet`.
bool quiet();

/// Parses `arguments` into (name, value) pairs of a Spec named "hesse <command>". `options` are the
/// known ones, `positional` names the option that words without a name fill (empty: none). The option
/// `config` names a specification file (INI: `option = value`) whose values the command line
/// overrides. `--quiet` is taken here where the command has none of its own. Throws Error with a suggestion on unknown
/// options.
Spec parse_arguments(const std::string& command, const std::string& summary, std::span<const std::string> arguments,
                     const std::vector<OptionInfo>& options, const std::string& positional);

/// The options struct of a command, which is noted for the record.
template <class Options>
Options read_command_line(const std::string& command, const std::string& summary,
                          std::span<const std::string> arguments, const std::string& positional = {}) {
  const Spec spec = parse_arguments(command, summary, arguments, list_options(Options{}), positional);
  Options options = read_options<Options>(spec);
  note_command(command, spec, list_options(options));
  return options;
}

}  // namespace hesse::app
