#include "command_syntax.h"

#include "hesse/core/error.h"
#include "hesse/curvature/curvature_meter.h"
#include "hesse/curvature/sharpness.h"
#include "hesse/data/datasets.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"
#include "hesse/oracles/oracle.h"
#include "hesse/problems/constrained_problems.h"
#include "hesse/problems/problem.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/validation/ceres_bridge.h"
#include "hesse/validation/peers.h"
#include "hesse/validation/validate.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace hesse::app {
namespace {

enum class Shell { bash };

struct CompletionOptions {
  Shell shell = Shell::bash;
  std::string output;
  bool json = false;
};
void visit_options(CompletionOptions& o, OptionVisitor& v) {
  v.choice("shell", o.shell, {{"bash", Shell::bash}}, "whose language the script is in");
  v.option("output", o.output, "file to write the script into, instead of printing it");
  v.option("json", o.json, "print the script as a text in JSON");
}

/// The names in the grammar of specifications: what may be typed, and behind it which keys and which of their values.
struct Words {
  std::map<std::string, std::vector<std::string>> names;   ///< by kind: "problem", "method", "link", "data", ...
  std::map<std::string, std::vector<std::string>> keys;    ///< by "KIND.NAME"
  std::map<std::string, std::vector<std::string>> values;  ///< by "KIND.NAME.KEY"
};

std::vector<std::string> choices_of(const OptionInfo& option) {
  std::vector<std::string> choices;
  if (option.type == "switch") return {"true", "false"};
  if (option.type != "choice") return choices;
  std::string_view rest = option.range;
  for (auto bar = rest.find(" | "); bar != std::string_view::npos; bar = rest.find(" | ")) {
    choices.emplace_back(rest.substr(0, bar));
    rest = rest.substr(bar + 3);
  }
  choices.emplace_back(rest);
  return choices;
}

template <class Entries>
void add(Words& words, const std::string& kind, const Entries& entries) {
  for (const auto& entry : entries) {
    auto& names = words.names[kind];
    if (std::find(names.begin(), names.end(), entry.name) != names.end()) continue;
    names.push_back(entry.name);
    const std::string name = fmt::format("{}.{}", kind, entry.name);
    for (const OptionInfo& option : entry.options) {
      words.keys[name].push_back(option.name);
      std::vector<std::string> choices = choices_of(option);
      if (option.name == "data") choices = data_sets().names();
      if (kind == "data" && (option.name == "path" || option.name == "labels")) choices = {"@file"};
      if (!choices.empty()) words.values[fmt::format("{}.{}", name, option.name)] = std::move(choices);
    }
  }
}

Words all_words() {
  Words words;
  add(words, "problem", problems().entries());
  add(words, "method", optimizers().entries());
  add(words, "link", modifiers().entries());
  add(words, "link", globalizations().entries());
  add(words, "schedule", schedules().entries());
  words.names["constrained"] = constrained_problems().names();
  add(words, "data", data_sets().entries());
  auto& solvers = words.names["solver"] = words.names["method"];
  solvers.insert(solvers.end(), peers().begin(), peers().end());
  auto& own_solver = words.names["own-solver"] = words.names["method"];
  own_solver.emplace_back("auto");
  words.names["ceres"].emplace_back("auto");
  for (const auto& [name, method] : ceres_methods()) words.names["ceres"].push_back(name);
  for (const CurvatureMeasure& measure : curvature_measures()) words.names["measure"].emplace_back(measure.name);
  words.names["sharpness"] = sharpness_measures();
  words.names["suite"] = validation_suites();
  words.names["direction"] = direction_names();
  for (const Oracle& oracle : oracles()) words.names["oracle"].push_back(oracle.name);
  for (const SetStatus& set : list_fetched_sets()) words.names["fetched"].push_back(set.name);
  std::set<std::string> all;
  for (const auto& [kind, names] : words.names) all.insert(names.begin(), names.end());
  words.names["anything"].assign(all.begin(), all.end());
  for (const Command& command : commands()) words.names["command"].emplace_back(command.name);
  return words;
}

/// How the value of an option is completed: by the names of a kind ("@problem"), by several of them joined by commas
/// ("@measure,"), by files ("@file"), by units ("@budget"), or by these words.
std::string completes(const std::string& command, const OptionInfo& option) {
  static const std::map<std::string, std::string> kBySpelling = {
      {"problem", "@problem"}, {"optimizer", "@method"},
      {"config", "@file"},     {"at", "@file"},
      {"weights", "@file"},    {"to", "@file"},
      {"against", "@file"},    {"tuned", "@file"},
      {"output", "@file"},     {"folder", "@file"},
      {"trajectory", "@file"}, {"csv", "@file"},
      {"budget", "@budget"},   {"curvature-measures", "@measure,"}};
  static const std::map<std::string, std::string> kByCommand = {{"constrained problem", "@constrained"},
                                                                {"schedule name", "@schedule"},
                                                                {"describe name", "@anything"},
                                                                {"data name", "@fetched"},
                                                                {"report run", "@file"},
                                                                {"landscape directions", "@direction"},
                                                                {"sharpness measures", "@sharpness,"},
                                                                {"validate suite", "@suite"},
                                                                {"validate ceres", "@ceres"},
                                                                {"validate optimizer", "@own-solver"},
                                                                {"profile optimizer", "@solver"},
                                                                {"man name", "@command"},
                                                                {"verify oracle", "@oracle"}};
  if (const auto at = kByCommand.find(fmt::format("{} {}", command, option.name)); at != kByCommand.end()) {
    return at->second;
  }
  if (option.type == "choice") return fmt::format("{}", fmt::join(choices_of(option), " "));
  if (const auto at = kBySpelling.find(option.name); at != kBySpelling.end()) return at->second;
  return "";
}

using Array = std::vector<std::pair<std::string, std::string>>;

/// An associative array of bash. None of the words has a quote or a blank.
std::string array_text(const std::string& name, const Array& entries) {
  // -g: the script may be read inside a function.
  std::string text = fmt::format("declare -gA {}=(\n", name);
  for (const auto& [key, value] : entries) text += fmt::format("  [{}]='{}'\n", key, value);
  return text + ")\n";
}

Array joined(const std::map<std::string, std::vector<std::string>>& lists) {
  Array out;
  for (const auto& [key, words] : lists) out.emplace_back(key, fmt::format("{}", fmt::join(words, " ")));
  return out;
}

constexpr const char* kFunctions = R"(
# Words that complete $1, a specification of the kind $2, into _hesse_found.
_hesse_specification() {
  local typed=$1 kind=$2 head='' link=$1 key value name
  if [[ $kind == @(method|solver|own-solver|schedule) && $typed =~ ^(.*\+)([A-Za-z].*)?$ ]]; then
    head=${BASH_REMATCH[1]} link=${BASH_REMATCH[2]}
    [[ $kind == schedule ]] || kind=link
  fi
  if [[ $link != *:* ]]; then
    for name in ${_hesse_names[$kind]:-}; do
      [[ $name == "$link"* ]] && _hesse_found+=("$head$name")
    done
    return
  fi
  [[ $kind == @(solver|own-solver) ]] && kind=method
  name=$kind.${link%%:*}
  local last=${link#*:}
  last=${last##*,}
  # A data set has options of its own, behind further colons.
  if [[ $last =~ ^data=([^:]*):(.*)$ ]]; then
    name=data.${BASH_REMATCH[1]} last=${BASH_REMATCH[2]##*:}
  fi
  head=${typed%"$last"}
  if [[ $last != *=* ]]; then
    for key in ${_hesse_keys[$name]:-}; do
      [[ $key == "$last"* ]] && _hesse_found+=("$head$key=")
    done
    return
  fi
  key=${last%%=*} value=${last#*=}
  if [[ ${_hesse_key_values[$name.$key]:-} == @file ]]; then
    while IFS= read -r value; do _hesse_found+=("$head$key=$value"); done < <(compgen -f -- "$value")
    return
  fi
  for name in ${_hesse_key_values[$name.$key]:-}; do
    [[ $name == "$value"* ]] && _hesse_found+=("$head$key=$name")
  done
}

# Words that complete $1, a value that $2 describes, into _hesse_found.
_hesse_value() {
  local word
  case $2 in
    @file)
      compopt -o filenames 2> /dev/null
      while IFS= read -r word; do _hesse_found+=("$word"); done < <(compgen -f -- "$1")
      ;;
    @problem | @method | @solver | @own-solver | @schedule | @link)
      compopt -o nospace 2> /dev/null
      _hesse_specification "$1" "${2#@}"
      ;;
    @budget)
      compopt -o nospace 2> /dev/null
      [[ $1 =~ ^(.*,)?[0-9]+(\.[0-9]*)?([a-z]*)$ ]] || return 0
      for word in epochs gradients steps seconds values evaluations products; do
        [[ $word == "${BASH_REMATCH[3]}"* ]] && _hesse_found+=("${1%"${BASH_REMATCH[3]}"}$word")
      done
      ;;
    @*,)
      compopt -o nospace 2> /dev/null
      local last=${1##*,} kind=${2#@}
      for word in ${_hesse_names[${kind%,}]:-}; do
        [[ $word == "$last"* ]] && _hesse_found+=("${1%"$last"}$word")
      done
      ;;
    *)
      local words=$2
      [[ $words == @* ]] && words=${_hesse_names[${words#@}]:-}
      for word in $words; do
        [[ $word == "$1"* ]] && _hesse_found+=("$word")
      done
      ;;
  esac
}

_hesse() {
  # bash has split the line at ':' and '='; specifications are put together again.
  local -a words=()
  local i part glue=''
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=${COMP_WORDS[i]}
    if ((${#words[@]} > 1)) && [[ -n $glue || $part == [:=]* ]]; then
      words[-1]+=$part
    else
      words+=("$part")
    fi
    glue=''
    [[ $part == *[:=] ]] && glue=1
  done
  local typed=${words[-1]} whole=${words[-1]} command=${words[1]:-}
  local -a _hesse_found=()
  COMPREPLY=()
  if ((${#words[@]} <= 2)); then
    _hesse_value "$typed" "@command"
    [[ --help == "$typed"* && $typed == -* ]] && _hesse_found+=(--help)
    [[ --version == "$typed"* && $typed == -* ]] && _hesse_found+=(--version)
  else
    local option=${words[-2]}
    if [[ $typed == --*=* ]]; then
      option=${typed%%=*} typed=${typed#*=}
    elif [[ $option == -j ]]; then
      option=--jobs
    fi
    local takes=" ${_hesse_with_value[$command]:-} "
    if [[ $takes == *" $option "* && $option == --* ]]; then
      _hesse_value "$typed" "${_hesse_option_values[$command$option]:-}"
      # A value behind '=' completes the whole word.
      [[ $whole == --*=* ]] && _hesse_found=("${_hesse_found[@]/#/$option=}")
    elif [[ $typed != -* && -n ${_hesse_positional[$command]:-} ]]; then
      _hesse_value "$typed" "${_hesse_positional[$command]:-}"
    else
      _hesse_value "$typed" "${_hesse_options[$command]:-}"
    fi
  fi
  # What stands before the last ':' or '=' is a word of its own to bash.
  local keep='' match
  [[ $whole =~ ^(.*[:=]) ]] && keep=${BASH_REMATCH[1]}
  for match in "${_hesse_found[@]}"; do
    COMPREPLY+=("${match#"$keep"}")
  done
}
complete -F _hesse hesse
)";

std::string bash_script() {
  const Words words = all_words();
  Array options;
  Array with_value;
  Array values;
  Array positional;
  for (const CommandSyntax& syntax : all_syntaxes()) {
    std::string names;
    std::string taking;
    for (const OptionInfo& option : syntax.options) {
      names += fmt::format("{}--{}", names.empty() ? "" : " ", option.name);
      if (option.type == "switch") continue;
      taking += fmt::format("{}--{}", taking.empty() ? "" : " ", option.name);
      const std::string completion = completes(syntax.command, option);
      if (!completion.empty()) values.emplace_back(fmt::format("{}--{}", syntax.command, option.name), completion);
      if (option.name == syntax.positional) positional.emplace_back(syntax.command, completion);
    }
    options.emplace_back(syntax.command, names);
    with_value.emplace_back(syntax.command, taking);
  }
  std::string script = fmt::format(
      "# Completion for bash of hesse {}, printed by 'hesse completion bash'. Try it by\n"
      "#     source <(hesse completion bash)\n",
      HESSE_VERSION);
  script += array_text("_hesse_names", joined(words.names));
  script += array_text("_hesse_keys", joined(words.keys));
  script += array_text("_hesse_key_values", joined(words.values));
  script += array_text("_hesse_options", options);
  script += array_text("_hesse_with_value", with_value);
  script += array_text("_hesse_option_values", values);
  script += array_text("_hesse_positional", positional);
  return script + kFunctions;
}

}  // namespace

int completion_command(Arguments arguments) {
  const auto options = read_command_line<CompletionOptions>(
      "completion", "Print a script that completes the command line.", arguments, "shell");
  const std::string script = bash_script();
  if (!options.output.empty()) {
    write_file(options.output, script);
    return kDone;
  }
  fmt::print("{}", options.json ? json_text({{"shell", "bash"}, {"script", script}}) : script);
  return kDone;
}

}  // namespace hesse::app
