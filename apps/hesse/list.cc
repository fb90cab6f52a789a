#include "command_line.h"
#include "commands.h"

#include "hesse/core/error.h"
#include "hesse/data/datasets.h"
#include "hesse/optim/globalization/globalization.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"
#include "hesse/problems/constrained_problems.h"
#include "hesse/problems/problem.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace hesse::app {
namespace {

/// What list and describe need of an entry, whatever it builds.
struct Listed {
  std::string kind;  ///< "problem", "optimizer", "globalization", "modifier", "schedule", "data set"
  std::string name;
  std::string summary;
  std::string source;
  std::vector<OptionInfo> options;
};

template <class Product, class Context>
void append(const Registry<Product, Context>& registry, std::vector<Listed>& all) {
  for (const auto& entry : registry.entries()) {
    all.push_back({registry.kind(), entry.name, entry.summary, entry.source, entry.options});
  }
}

std::vector<Listed> everything() {
  std::vector<Listed> all;
  append(problems(), all);
  append(optimizers(), all);
  // Schedules are modifiers too; they are listed as what they are.
  for (const auto& entry : modifiers().entries()) {
    if (schedules().find(entry.name) != nullptr) continue;
    all.push_back({modifiers().kind(), entry.name, entry.summary, entry.source, entry.options});
  }
  append(globalizations(), all);
  append(schedules(), all);
  append(constrained_problems(), all);
  append(data_sets(), all);
  return all;
}

Json json_of(const Listed& entry, bool options) {
  Json json;
  json["kind"] = entry.kind;
  json["name"] = entry.name;
  json["summary"] = entry.summary;
  json["source"] = entry.source;
  if (options) {
    json["options"] = Json::array();
    for (const OptionInfo& option : entry.options) {
      json["options"].push_back({{"name", option.name},
                                 {"type", option.type},
                                 {"default", option.value},
                                 {"range", option.range},
                                 {"meaning", option.meaning}});
      if (option.search) json["options"].back()["tuned"] = option.search->text();
    }
  }
  return json;
}

/// What list shows; `all` first, then the kinds in the order of `kKinds`.
enum class Kind { all, problems, optimizers, globalizations, modifiers, schedules, constrained, data };
constexpr std::array<std::pair<const char*, const char*>, 7> kKinds = {{{"problems", "problem"},
                                                                        {"optimizers", "optimizer"},
                                                                        {"globalizations", "globalization"},
                                                                        {"modifiers", "modifier"},
                                                                        {"schedules", "schedule"},
                                                                        {"constrained", "constrained problem"},
                                                                        {"data", "data set"}}};

struct ListOptions {
  Kind kind = Kind::all;
  bool json = false;
};
void visit_options(ListOptions& o, OptionVisitor& v) {
  v.choice("kind", o.kind,
           {{"all", Kind::all},
            {"problems", Kind::problems},
            {"optimizers", Kind::optimizers},
            {"globalizations", Kind::globalizations},
            {"modifiers", Kind::modifiers},
            {"schedules", Kind::schedules},
            {"constrained", Kind::constrained},
            {"data", Kind::data}},
           "what is listed");
  v.option("json", o.json, "print JSON");
}

struct DescribeOptions {
  std::string name;
  bool json = false;
};
void visit_options(DescribeOptions& o, OptionVisitor& v) {
  v.option("name", o.name, "a problem, an optimizer, a globalization, a modifier, a schedule or a data set");
  v.option("json", o.json, "print JSON");
}

}  // namespace

int list_command(Arguments arguments) {
  const auto options = read_command_line<ListOptions>(
      "list", "List problems, optimizers, modifiers, schedules and data sets.", arguments, "kind");
  const std::string wanted = options.kind == Kind::all ? "" : kKinds[static_cast<std::size_t>(options.kind) - 1].second;
  const std::vector<Listed> all = everything();
  if (options.json) {
    Json json = Json::array();
    for (const Listed& entry : all) {
      if (wanted.empty() || entry.kind == wanted) json.push_back(json_of(entry, false));
    }
    fmt::print("{}", json_text(json));
    return kDone;
  }
  for (const auto& [plural, kind] : kKinds) {
    if (!wanted.empty() && kind != wanted) continue;
    Table table;
    table.title = plural;
    table.columns = {{"name", false}, {"what", false}, {"source", false}};
    for (const Listed& entry : all) {
      if (entry.kind == kind) table.add({Cell(entry.name), Cell(entry.summary), Cell(entry.source)});
    }
    say("{}\n", terminal_text(table, terminal_style(stdout)));
  }
  say("'hesse describe NAME' explains one of them with all its options.\n");
  return kDone;
}

int describe_command(Arguments arguments) {
  const auto options = read_command_line<DescribeOptions>(
      "describe", "Explain a problem, an optimizer, a modifier, a schedule or a data set with all its options.",
      arguments, "name");
  if (options.name.empty())
    fail("describe: name a problem, an optimizer, a modifier, a schedule or a data set, as in 'hesse describe adam'");
  const std::vector<Listed> all = everything();
  std::vector<std::string> names;
  bool found = false;
  Json json = Json::array();
  for (const Listed& entry : all) {
    names.push_back(entry.name);
    if (entry.name != options.name) continue;
    found = true;
    if (options.json) {
      json.push_back(json_of(entry, true));
      continue;
    }
    const Index width = terminal_style(stdout).width;
    say("{} ({})\n  {}  {}", entry.name, entry.kind, wrapped(entry.summary, width, 2),
        wrapped("source: " + entry.source, width, 2));
    if (entry.kind == optimizers().kind() && directions().find(entry.name) != nullptr) {
      say("  {}", wrapped(fmt::format("a direction: by itself it is {}+{}; any globalization that fits may stand "
                                      "in its place",
                                      entry.name, default_globalization(entry.name)),
                          width, 2));
    }
    if (entry.options.empty()) {
      say("  no options\n\n");
      continue;
    }
    Table table;
    const bool any_tuned = std::any_of(entry.options.begin(), entry.options.end(),
                                       [](const OptionInfo& o) { return o.search.has_value(); });
    table.columns = {{"option", false}, {"default", false}, {"values", false}, {"meaning", false}};
    if (any_tuned) table.columns.push_back({"tuned over", false});
    for (const OptionInfo& option : entry.options) {
      std::vector<Cell> row = {Cell(option.name), Cell(option.value),
                               Cell(option.range.empty() ? option.type : option.range), Cell(option.meaning)};
      if (any_tuned) row.emplace_back(option.search ? option.search->text() : "");
      table.add(std::move(row));
    }
    say("{}\n", terminal_text(table, terminal_style(stdout)));
  }
  if (!found) {
    fail("describe: there is nothing called '{}'{}; 'hesse list' shows all", options.name,
         suggestion(options.name, names));
  }
  if (options.json) fmt::print("{}", json_text(json));
  return kDone;
}

}  // namespace hesse::app
