/// \file
/// The command line and specification files of one subcommand, read by Boost.Program_options into an
/// options struct with `visit_options`, so that `--help`, parsing and range checks share one
/// description with the rest of Hesse.
#pragma once

#include "records.h"

#include "hesse/core/options.h"

#include <span>
#include <string>
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

/// Thrown by parse_arguments when `--help` was asked for; what() is the text.
struct HelpRequested {
  std::string text;
};

/// Parses `arguments` into (name, value) pairs of a Spec named "hesse <command>". `options` are the
/// known ones, `positional` names the option that words without a name fill (empty: none). The option
/// `config` names a specification file (INI: `option = value`) whose values the command line
/// overrides. Throws Error with a suggestion on unknown options.
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
