#include "command_line.h"
#include "commands.h"
#include "run_options.h"

#include "hesse/core/error.h"
#include "hesse/oracles/oracle.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace hesse::app {
namespace {

struct VerifyOptions {
  std::vector<std::string> oracle;
  bool list = false;
  bool planted = false;
  Index threads = 0;
  std::string output;
  bool json = false;
};
void visit_options(VerifyOptions& o, OptionVisitor& v) {
  v.option("oracle", o.oracle, "one to consult; may be given several times; all of them when left out");
  v.option("list", o.list, "say what each claims and which fault it finds, and consult none");
  v.option("planted", o.planted, "plant in each oracle the fault that it has to find: one that passes is blind");
  visit_threads(o.threads, v);
  v.option("output", o.output, "folder for verification.json and verification.csv (default: none is written)");
  v.option("json", o.json, "print JSON");
}

/// Those of these names, in the order of the table; all of them where there is none.
std::vector<Oracle> chosen(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const Oracle& oracle : oracles()) all.push_back(oracle.name);
  for (const std::string& name : names) {
    if (std::find(all.begin(), all.end(), name) == all.end()) {
      fail("hesse verify: there is no oracle '{}'{}; 'hesse verify --list' shows all", name, suggestion(name, all));
    }
  }
  std::vector<Oracle> out;
  for (const Oracle& oracle : oracles()) {
    if (names.empty() || std::find(names.begin(), names.end(), oracle.name) != names.end()) out.push_back(oracle);
  }
  return out;
}

Json json_of(const Oracle& oracle) { return {{"name", oracle.name}, {"claim", oracle.claim}, {"fault", oracle.fault}}; }

Json json_of(const Oracle& oracle, const OracleReport& report) {
  Json json = json_of(oracle);
  json["passed"] = report.passed();
  json["failure"] = report.failure;
  json["seconds"] = json_number(report.seconds);
  json["findings"] = Json::array();
  for (const OracleFinding& f : report.findings) {
    json["findings"].push_back({{"what", f.what},
                                {"figure", json_number(f.figure)},
                                {"low", json_number(f.low)},
                                {"high", json_number(f.high)},
                                {"derivation", f.derivation},
                                {"passed", f.passed()}});
  }
  return json;
}

void print_list(const std::vector<Oracle>& list) {
  Table table;
  table.columns = {{"oracle", false}, {"claims that", false}, {"finds, when it is planted", false}};
  for (const Oracle& oracle : list) table.add({Cell(oracle.name), Cell(oracle.claim), Cell(oracle.fault)});
  say("{}", terminal_text(table, terminal_style(stdout)));
}

/// A line for each finding; those that passed are left out where `only_failed`.
void print_report(const OracleReport& report, bool only_failed) {
  for (const OracleFinding& f : report.findings) {
    if (only_failed && f.passed()) continue;
    say("{:<6}  {:<20}  {}: {} ({})\n", f.passed() ? "passed" : "FAILED", report.name, f.what, f.text(), f.derivation);
  }
  if (!report.failure.empty()) say("FAILED  {:<20}  {}\n", report.name, report.failure);
  if (report.failure.empty() && report.findings.empty()) say("FAILED  {:<20}  it compared nothing\n", report.name);
  std::fflush(stdout);
}

Table csv_table(const std::vector<OracleReport>& reports) {
  Table table;
  table.columns = {{"oracle"}, {"what"}, {"figure"}, {"low"}, {"high"}, {"derivation"}, {"passed"}};
  for (const OracleReport& report : reports) {
    for (const OracleFinding& f : report.findings) {
      table.add({Cell(report.name), Cell(f.what), Cell(fmt::format("{}", f.figure)), Cell(fmt::format("{}", f.low)),
                 Cell(fmt::format("{}", f.high)), Cell(f.derivation), Cell(f.passed() ? "yes" : "no")});
    }
    if (!report.failure.empty()) {
      table.add({Cell(report.name), Cell(report.failure), Cell("nan"), Cell(""), Cell(""), Cell(""), Cell("no")});
    }
  }
  return table;
}

}  // namespace

int verify_command(Arguments arguments) {
  const auto options = read_command_line<VerifyOptions>(
      "verify", "Hold what this binary computes, on this machine, against answers that are known without it.",
      arguments, "oracle");
  const std::vector<Oracle> list = chosen(options.oracle);
  if (options.list) {
    Json json = Json::array();
    for (const Oracle& oracle : list) json.push_back(json_of(oracle));
    if (options.json) {
      fmt::print("{}", json_text(json));
    } else {
      print_list(list);
    }
    return kDone;
  }
  use_threads(options.threads);
  const std::filesystem::path folder =
      options.output.empty() ? std::filesystem::path() : output_folder(options.output, "verify");

  std::vector<OracleReport> reports;
  Json json;
  json["planted"] = options.planted;
  json["passed"] = true;
  json["oracles"] = Json::array();
  std::size_t good = 0;
  std::size_t findings = 0;
  double seconds = 0;
  for (const Oracle& oracle : list) {
    const OracleReport& report = reports.emplace_back(consult(oracle, options.planted));
    // A planted fault has to be found by a comparison, not by an exception on the way.
    const bool found = report.failure.empty() && !report.findings.empty() && !report.passed();
    good += (options.planted ? found : report.passed()) ? 1 : 0;
    findings += report.findings.size();
    seconds += report.seconds;
    json["oracles"].push_back(json_of(oracle, report));
    if (options.json) continue;
    if (!options.planted) {
      print_report(report, quiet());
    } else if (!found) {
      say("BLIND   {:<20}  does not find: {}\n", report.name, oracle.fault);
    } else if (!quiet()) {
      const auto at = std::find_if(report.findings.begin(), report.findings.end(),
                                   [](const OracleFinding& f) { return !f.passed(); });
      say("found   {:<20}  {}: {} is refused\n", report.name, oracle.fault, at->text());
    }
    std::fflush(stdout);
  }
  const bool all = good == list.size();
  json["passed"] = all;
  json["comparisons"] = findings;
  json["seconds"] = json_number(seconds);
  if (!options.output.empty()) {
    create_folders(folder);
    write_file(folder / "verification.json", json_text(json));
    write_file(folder / "verification.csv", csv_text(csv_table(reports)));
  }
  if (options.json) {
    fmt::print("{}", json_text(json));
  } else if (options.planted) {
    say("{} of {} oracles find the fault that was planted in them, in {:.1f} s\n", good, list.size(), seconds);
  } else {
    say("{} of {} oracles passed, {} comparisons in {:.1f} s: {}\n", good, list.size(), findings, seconds,
        all ? "this binary computes what it should, as far as they see" : "do not trust its results on this machine");
  }
  return all ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
