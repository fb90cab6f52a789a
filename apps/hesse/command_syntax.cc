#include "command_syntax.h"

#include "hesse/core/error.h"

#include <array>
#include <string>

namespace hesse::app {

CommandSyntax syntax_of(const Command& command) {
  try {
    const std::array<std::string, 1> help = {"--help"};
    command.run(help);
  } catch (HelpRequested& requested) {
    return std::move(requested.syntax);
  }
  fail("hesse {}: --help is not answered before any work", command.name);
}

std::vector<CommandSyntax> all_syntaxes() {
  std::vector<CommandSyntax> all;
  for (const Command& command : commands()) all.push_back(syntax_of(command));
  return all;
}

}  // namespace hesse::app
