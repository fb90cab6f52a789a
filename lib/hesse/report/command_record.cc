#include "hesse/report/command_record.h"

#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"

#include <algorithm>

namespace hesse {
namespace {

constexpr std::int64_t kFormat = 1;

}  // namespace

std::vector<AskedOption> asked_options(const Spec& spec, const std::vector<OptionInfo>& used) {
  std::vector<AskedOption> out;
  for (const OptionInfo& option : used) {
    const bool given = std::any_of(spec.arguments.begin(), spec.arguments.end(),
                                   [&](const auto& argument) { return argument.first == option.name; });
    out.push_back({option.name, given, option.value});
  }
  return out;
}

void write_command_record(const std::filesystem::path& path, const CommandRecord& record) {
  Json options = Json::array();
  for (const AskedOption& option : record.options) {
    options.push_back({{"name", option.name}, {"given", option.given}, {"used", option.used}});
  }
  const Software& software = record.software;
  const Json json = {{"format", kFormat},
                     {"command", record.command},
                     {"options", options},
                     {"software",
                      {{"hesse", software.hesse},
                       {"compiler", software.compiler},
                       {"build", software.build},
                       {"eigen", software.eigen},
                       {"blas", software.blas}}},
                     {"machine", {{"processor", record.machine.processor}, {"cores", record.machine.cores}}},
                     {"threads", record.threads},
                     {"started", record.started},
                     {"seconds", json_number(record.seconds)},
                     {"exit_code", record.exit_code}};
  write_file(path, json_text(json));
}

CommandRecord read_command_record(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const JsonView view(json, path.string());
  if (const std::int64_t format = view.at("format").integer(); format != kFormat) {
    view.at("format").refuse(
        fmt::format("records of format {} cannot be read, only those of format {}", format, kFormat));
  }
  CommandRecord record;
  record.command = view.at("command").text();
  for (const JsonView& option : view.at("options").elements()) {
    record.options.push_back({option.at("name").text(), option.at("given").boolean(), option.at("used").text()});
  }
  const JsonView software = view.at("software");
  record.software = {software.at("hesse").text(), software.at("compiler").text(), software.at("build").text(),
                     software.at("eigen").text(), software.at("blas").text()};
  const JsonView machine = view.at("machine");
  record.machine = {machine.at("processor").text(), static_cast<int>(machine.at("cores").integer())};
  record.threads = static_cast<int>(view.at("threads").integer());
  record.started = view.at("started").text();
  record.seconds = view.at("seconds").number();
  record.exit_code = static_cast<int>(view.at("exit_code").integer());
  return record;
}

}  // namespace hesse
