#include "command_line.h"

#include "hesse/core/error.h"
#include "hesse/core/printable.h"
#include "hesse/report/terminal.h"

#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

namespace po = boost::program_options;

namespace hesse::app {
namespace {

bool asked_for_quiet = false;

bool has_quiet(const std::vector<OptionInfo>& options) {
  return std::any_of(options.begin(), options.end(), [](const OptionInfo& option) { return option.name == "quiet"; });
}

/// Appends what a parser found to `spec`, except options that `spec` already has.
void append(const po::basic_parsed_options<char>& parsed, const std::vector<OptionInfo>& options, Spec& spec,
            const std::string& where) {
  std::set<std::string> before;
  for (const auto& [key, value] : spec.arguments) before.insert(key);
  std::set<std::string> now;
  for (const auto& option : parsed.options) {
    const std::string& key = option.string_key;
    if (before.contains(key)) continue;
    for (const std::string& value : option.value) {
      if (is_printable(value)) continue;
      fail("{}: option {}: '{}' holds a control character; write it without", where, key, printable(value));
    }
    bool repeatable = false;
    for (const OptionInfo& info : options) repeatable = repeatable || (info.name == key && info.type == "texts");
    if (!now.insert(key).second && !repeatable) fail("{}: option {} is given twice; keep one of them", where, key);
    if (option.value.empty()) {
      spec.arguments.emplace_back(key, "true");
    } else {
      for (const std::string& value : option.value) spec.arguments.emplace_back(key, value);
    }
  }
}

CommandSyntax syntax_of(const std::string& command, const std::string& summary, std::vector<OptionInfo> options,
                        const std::string& positional) {
  if (!has_quiet(options)) {
    options.push_back({"quiet", "switch", "false", "true or false", "no lines about progress on standard error"});
  }
  options.push_back({"config", "file", "", "", "read options from a file of 'option = value' lines"});
  options.push_back({"help", "switch", "false", "true or false", "show this text"});
  return {command, summary, std::move(options), positional};
}

}  // namespace

char short_name(const std::string& option) { return option == "jobs" ? 'j' : option == "help" ? 'h' : '\0'; }

void print_lines(std::string_view text) {
  const Index width = terminal_style(stdout).width;
  for (auto end = text.find('\n'); !text.empty(); end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    // Tables fit already, and their blanks are to stay.
    const bool fits = width == 0 || line.find('\033') != std::string_view::npos || display_width(line) <= width;
    fmt::print("{}", fits ? std::string(line) + '\n' : wrapped(line, width, 2));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

bool quiet() { return asked_for_quiet; }

std::string help_text(const CommandSyntax& syntax, Index width) {
  constexpr Index kLeft = 35;
  std::string text =
      fmt::format("{}\nUsage: hesse {}{} [options]\n\nOptions:\n", wrapped(syntax.summary, width), syntax.command,
                  syntax.positional.empty() ? "" : fmt::format(" [{}]", syntax.positional));
  for (const OptionInfo& option : syntax.options) {
    const bool takes_value = option.type != "switch";
    const char letter = short_name(option.name);
    const std::string left = fmt::format("  {}--{}{}", letter == 0 ? "" : fmt::format("-{}, ", letter), option.name,
                                         takes_value ? fmt::format(" <{}>", option.type) : "");
    std::string right = option.meaning;
    if (!option.range.empty() && takes_value) right += fmt::format(" [{}]", option.range);
    if (!option.value.empty() && takes_value) right += fmt::format(" (default {})", option.value);
    if (width == 0) {
      text += fmt::format("{:<34} {}\n", left, right);
    } else if (width < 2 * kLeft) {
      // Too narrow for two columns.
      text += left + "\n      " + wrapped(right, width, 6);
    } else {
      const bool fits = display_width(left) < kLeft;
      text += fits ? fmt::format("{:<34} ", left) : left + '\n' + std::string(kLeft, ' ');
      text += wrapped(right, width, kLeft);
    }
  }
  return text;
}

Spec parse_arguments(const std::string& command, const std::string& summary, std::span<const std::string> arguments,
                     const std::vector<OptionInfo>& options, const std::string& positional) {
  // A switch takes no value on the command line, where it would swallow the next word, and one in a file.
  po::options_description in_file;
  po::options_description on_line;
  std::vector<std::string> names;
  for (const OptionInfo& option : options) {
    names.push_back(option.name);
    in_file.add_options()(option.name.c_str(), po::value<std::vector<std::string>>(), "");
  }
  const CommandSyntax syntax = syntax_of(command, summary, options, positional);
  std::vector<std::string> names_on_line;
  for (const OptionInfo& option : syntax.options) {
    names_on_line.push_back(option.name);
    const char letter = short_name(option.name);
    const std::string spelled = letter == 0 ? option.name : fmt::format("{},{}", option.name, letter);
    if (option.type == "switch") {
      on_line.add_options()(spelled.c_str(), "");
    } else {
      on_line.add_options()(spelled.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }

  Spec spec{"hesse " + command, {}};
  try {
    po::command_line_parser parser(std::vector<std::string>(arguments.begin(), arguments.end()));
    po::positional_options_description words;
    if (!positional.empty()) words.add(positional.c_str(), -1);
    const auto parsed = parser.options(on_line)
                            .positional(words)
                            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                            .run();
    append(parsed, options, spec, spec.name);
  } catch (const po::unknown_option& e) {
    std::string word = e.get_option_name();
    word.erase(0, word.find_first_not_of('-'));
    word.erase(std::min(word.find('='), word.size()));
    fail("hesse {}: there is no option --{}{}; 'hesse {} --help' shows all", command, printable(word),
         suggestion(word, names_on_line), command);
  } catch (const po::too_many_positional_options_error&) {
    fail("hesse {}: a word too many; 'hesse {} --help' shows what it takes", command, command);
  } catch (const po::error& e) {
    fail("hesse {}: {}; 'hesse {} --help' shows what it takes", command, printable(e.what()), command);
  }

  std::vector<std::string> files;
  std::erase_if(spec.arguments, [&](const auto& argument) {
    if (argument.first == "help") throw HelpRequested{syntax};
    if (argument.first == "quiet") asked_for_quiet = true;
    if (argument.first == "config") files.push_back(argument.second);
    return argument.first == "config" || (argument.first == "quiet" && !has_quiet(options));
  });
  for (const std::string& file : files) {
    // What is said of a value later on names the file that it may be from.
    spec.name += fmt::format(" --config {}", file);
    if (!std::filesystem::is_regular_file(file)) fail("{}: there is no such specification file", file);
    std::ifstream stream(file);
    if (!stream) fail("{}: cannot be opened for reading; check its permissions", file);
    // Some editors begin a text with a byte order mark.
    if (std::array<char, 3> mark{}; !stream.read(mark.data(), 3) || mark != std::array{'\xEF', '\xBB', '\xBF'}) {
      stream.clear();
      stream.seekg(0);
    }
    try {
      append(po::parse_config_file(stream, in_file), options, spec, file);
    } catch (const po::unknown_option& e) {
      fail("{}: there is no option '{}'{}; 'hesse {} --help' shows all", file, printable(e.get_option_name()),
           suggestion(e.get_option_name(), names), command);
    } catch (const po::invalid_config_file_syntax& e) {
      // Its what() replaces %invalid_line% by the line for as long as it occurs, which is for ever in a line that holds
      // it.
      fail("{}: '{}' is not of the form 'option = value'; write it so, or begin it with '#'", file,
           printable(e.tokens()));
    } catch (const po::error& e) {
      fail("{}: {}; write lines of the form 'option = value'", file, printable(e.what()));
    }
  }
  return spec;
}

}  // namespace hesse::app
