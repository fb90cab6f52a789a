#include "command_line.h"
#include "commands.h"

#include "hesse/core/error.h"
#include "hesse/data/data_cache.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"

#include <cstdio>

namespace hesse::app {
namespace {

enum class Action { list, verify };

struct DataCommandOptions {
  Action action = Action::list;
  std::string name;
  bool json = false;
};
void visit_options(DataCommandOptions& o, OptionVisitor& v) {
  v.choice("action", o.action, {{"list", Action::list}, {"verify", Action::verify}},
           "verify reads every file and compares its checksum");
  v.option("name", o.name, "one data set; all when left out");
  v.option("json", o.json, "print JSON");
}

}  // namespace

int data_command(Arguments arguments) {
  const auto options =
      read_command_line<DataCommandOptions>("data", "Show, verify and locate the data sets.", arguments, "action");
  std::vector<SetStatus> sets;
  std::vector<std::string> names;
  for (SetStatus& status : list_fetched_sets()) {
    names.push_back(status.name);
    if (!options.name.empty() && status.name != options.name) continue;
    sets.push_back(options.action == Action::verify ? verify_fetched_set(status.name) : std::move(status));
  }
  if (sets.empty()) {
    fail("data: there is no fetched set '{}'{}; there are {}", options.name, suggestion(options.name, names),
         fmt::join(names, ", "));
  }
  bool sound = true;
  Json json = Json::array();
  Table table;
  table.title = fmt::format("data sets in {}", data_cache_dir());
  table.columns = {{"set", false},    {"state", false},      {"MB"},
                   {"folder", false}, {"fetch with", false}, {"detail", false}};
  for (const SetStatus& s : sets) {
    // What nobody has fetched is no fault of the cache, unless it was asked for by name.
    const bool harmless = s.state == SetState::missing && options.name.empty();
    sound = sound && (s.state == SetState::present || harmless || options.action == Action::list);
    const std::string state = fmt::format("{}{}", to_string(s.state), s.verified ? ", verified" : "");
    json.push_back({{"name", s.name},
                    {"state", std::string(to_string(s.state))},
                    {"verified", s.verified},
                    {"bytes", s.bytes},
                    {"path", s.path},
                    {"fetch_command", s.fetch_command},
                    {"detail", s.detail}});
    table.add({Cell(s.name), Cell(state), Cell(fmt::format("{:.1f}", static_cast<double>(s.bytes) / 1e6)), Cell(s.path),
               Cell(s.fetch_command), Cell(s.detail)});
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else {
    fmt::print("{}", terminal_text(table, terminal_style(stdout)));
  }
  return sound ? kDone : kBadInput;
}

}  // namespace hesse::app
