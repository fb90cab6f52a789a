#include "formats.h"

#include "command_line.h"

#include <vector>

namespace hesse::fuzz {
namespace {

struct Settings {
  std::string problem;
  double tolerance = 1;
  Index seed = 1;
  bool json = false;
  std::vector<Index> sizes;
  std::vector<std::string> optimizer;
  int kind = 0;
};

void visit_options(Settings& s, OptionVisitor& v) {
  v.option("problem", s.problem, "a text");
  v.option("tolerance", s.tolerance, Interval::non_negative(), "a number");
  v.option("seed", s.seed, Interval::closed(0, 9e15), "a whole number");
  v.option("json", s.json, "a switch");
  v.option("sizes", s.sizes, "sizes");
  v.option("optimizer", s.optimizer, "texts");
  v.choice("kind", s.kind, {{"first", 0}, {"second", 1}}, "a choice");
}

void read(const std::vector<std::string>& arguments, std::string_view where) {
  value_or_error(where, [&] {
    try {
      const auto settings = read_options<Settings>(
          app::parse_arguments("test", "A test", arguments, list_options(Settings{}), "problem"));
      require(settings.tolerance >= 0 && settings.seed >= 0, "an option is out of its range");
    } catch (const app::HelpRequested&) {
    }
  });
}

}  // namespace

/// As a specification file, and as the words of a command line, one a line.
void read_config_bytes(const Input& input) {
  read({"--config", input.path}, "");
  std::vector<std::string> words;
  for (std::string_view rest = input.bytes; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    // What it names would be opened.
    if (words.back().find("config") != std::string::npos) words.pop_back();
  }
  read(words, "");
}

}  // namespace hesse::fuzz
