#include "command_syntax.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct ManOptions {
  std::string name;
  std::string output;
  bool json = false;
};
void visit_options(ManOptions& o, OptionVisitor& v) {
  v.option("name", o.name, "a command; the page of hesse itself when left out");
  v.option("output", o.output, "folder to write all pages into, as hesse.1, hesse-train.1, ...");
  v.option("json", o.json, "print the command's options as JSON instead of a page");
}

/// Text as troff prints it: a hyphen is a minus that can be copied, and no line is a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && out.empty()) {
      out += fmt::format("\\&{}", c);
    } else {
      // Long lists have no blanks to be broken at.
      if (!out.empty() && out.back() == ',' && c != ' ') out += "\\:";
      out += c;
    }
  }
  return out;
}

std::string page_name(const std::string& command) { return command.empty() ? "hesse" : "hesse-" + command; }

std::string head(const std::string& command, const std::string& summary) {
  const std::string name = page_name(command);
  std::string title = name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  // "Run one optimizer." reads "run one optimizer" behind the name.
  std::string phrase = summary;
  if (phrase.ends_with('.')) phrase.pop_back();
  if (phrase.size() > 1 && std::islower(static_cast<unsigned char>(phrase[1])) != 0) {
    phrase[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(phrase[0])));
  }
  return fmt::format(".TH {} 1 \"\" \"hesse {}\" \"Hesse\"\n.nh\n.ad l\n.SH NAME\n{} \\- {}\n", roff(title),
                     HESSE_VERSION, roff(name), roff(phrase));
}

constexpr const char* kExitStatus =
    ".SH EXIT STATUS\n"
    ".TP\n0\nthe work is done\n"
    ".TP\n1\na target was not reached, a check found something bad, a cell of a sweep failed, or records could not be "
    "written\n"
    ".TP\n2\nbad input; nothing was done\n"
    ".TP\n3\nthe run diverged, or what was to be analysed is not finite\n"
    ".TP\n130, 143\ninterrupted by SIGINT or SIGTERM; what was begun can be resumed\n";

std::string command_page(const CommandSyntax& syntax) {
  std::string page = head(syntax.command, syntax.summary);
  page += fmt::format(".SH SYNOPSIS\n.B hesse {}\n", roff(syntax.command));
  if (!syntax.positional.empty()) page += fmt::format("[\\fI{}\\fR]\n", roff(syntax.positional));
  page += "[\\fIoptions\\fR]\n";
  page += fmt::format(".SH DESCRIPTION\n{}\n", roff(syntax.summary));
  if (!syntax.positional.empty()) {
    page += fmt::format(".PP\nA word without a name is the value of \\fB\\-\\-{}\\fR.\n", roff(syntax.positional));
  }
  page += ".SH OPTIONS\n";
  for (const OptionInfo& option : syntax.options) {
    const bool takes_value = option.type != "switch";
    const char letter = short_name(option.name);
    page += ".TP\n";
    if (letter != 0) page += fmt::format("\\fB\\-{}\\fR, ", letter);
    page += fmt::format("\\fB\\-\\-{}\\fR", roff(option.name));
    if (takes_value) page += fmt::format(" \\fI{}\\fR", roff(option.type));
    page += fmt::format("\n{}", roff(option.meaning));
    if (takes_value && !option.range.empty()) page += fmt::format(" [{}]", roff(option.range));
    if (takes_value && !option.value.empty()) page += fmt::format(" (default {})", roff(option.value));
    page += '\n';
  }
  page += kExitStatus;
  return page + ".SH SEE ALSO\n.BR hesse (1)\n";
}

std::string main_page() {
  std::string page = head("", "Second-order optimization and curvature analysis");
  page += ".SH SYNOPSIS\n.B hesse\n\\fIcommand\\fR [\\fIoptions\\fR]\n";
  page +=
      ".SH DESCRIPTION\nRuns optimizers on problems under one protocol, and analyses the curvature of losses. "
      "Every figure is recorded in open formats.\n.PP\n"
      "Problems and optimizers are named in one grammar, on the command line, in files of options and in records: "
      "\\fIname\\fR, or \\fIname\\fR:\\fIkey\\fR=\\fIvalue\\fR,\\fIkey\\fR=\\fIvalue\\fR, with sizes joined by "
      "\\(lq\\-\\(rq. What goes around an optimizer's step stands behind it, joined by \\(lq+\\(rq, as in\n.PP\n.RS\n"
      "hesse train \\-\\-problem mlp:data=digits,hidden=128\\-64 \\-\\-optimizer adam:lr=1e\\-3+cosine\n.RE\n.PP\n"
      "\\fBhesse list\\fR shows all of them and \\fBhesse describe\\fR \\fIname\\fR their settings.\n";
  page += ".SH COMMANDS\n";
  for (const Command& command : commands()) {
    page += fmt::format(".TP\n.BR {} (1)\n{}\n", roff(page_name(command.name)), roff(command.summary));
  }
  page +=
      ".SH ENVIRONMENT\n"
      ".TP\n.B HESSE_DATA_DIR\nfolder of fetched data sets; else $XDG_CACHE_HOME/hesse/data, else "
      "$HOME/.cache/hesse/data\n"
      ".TP\n.B NO_COLOR\nwhere it is set and not empty, nothing is coloured\n"
      ".TP\n.B COLUMNS\nwidth of the terminal, where the terminal itself does not tell\n"
      ".TP\n.B OPENBLAS_CORETYPE\nkernels of OpenBLAS; set by the program itself where it knows better ones\n";
  page += ".SH FILES\n.TP\n.I runs/\nrecords, where no folder is named by \\fB\\-\\-output\\fR\n";
  return page + kExitStatus;
}

Json json_of(const CommandSyntax& syntax) {
  Json json = {{"command", syntax.command}, {"summary", syntax.summary}, {"positional", syntax.positional}};
  json["options"] = Json::array();
  for (const OptionInfo& option : syntax.options) {
    json["options"].push_back({{"name", option.name},
                               {"type", option.type},
                               {"default", option.value},
                               {"range", option.range},
                               {"meaning", option.meaning}});
  }
  return json;
}

}  // namespace

int man_command(Arguments arguments) {
  const auto options =
      read_command_line<ManOptions>("man", "Print the manual page of a command, for man(1).", arguments, "name");
  std::vector<std::string> names = {"hesse"};
  const Command* wanted = nullptr;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    if (options.name == command.name || options.name == page_name(command.name)) wanted = &command;
  }
  if (wanted == nullptr && !options.name.empty() && options.name != "hesse") {
    fail("man: there is no command '{}'{}; 'hesse --help' shows all", options.name, suggestion(options.name, names));
  }
  if (!options.output.empty()) {
    const std::filesystem::path folder = options.output;
    create_folders(folder);
    write_file(folder / "hesse.1", main_page());
    for (const Command& command : commands()) {
      write_file(folder / fmt::format("{}.1", page_name(command.name)), command_page(syntax_of(command)));
    }
    return kDone;
  }
  if (options.json) {
    Json json = Json::array();
    for (const Command& command : commands()) {
      if (wanted == nullptr || wanted == &command) json.push_back(json_of(syntax_of(command)));
    }
    fmt::print("{}", json_text(json));
    return kDone;
  }
  fmt::print("{}", wanted == nullptr ? main_page() : command_page(syntax_of(*wanted)));
  return kDone;
}

}  // namespace hesse::app
