/// \file
/// The rules that every file under lib/hesse keeps, as functions from the text of a file to the list of what breaks
/// them. They read text only, so a test can feed them planted violations as well as the tree.
#pragma once

#include "hesse/core/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse::architecture {

/// The layers, lowest first: a module may include itself and those before it.
inline constexpr std::array<std::string_view, 14> kModules = {
    "core",      "linalg",    "objective",  "data",        "nn",     "problems",   "optim",
    "curvature", "landscape", "validation", "distributed", "report", "experiment", "oracles"};

/// Libraries that a header may bring to those who include it; the others stay in source files, so that who uses Hesse
/// neither compiles nor has to install them.
inline constexpr std::array<std::string_view, 2> kLibrariesInHeaders = {"Eigen/", "fmt/"};

/// The exceptions: headers that exist to join Hesse to one library, which who includes them has to install. (Start of
/// the header's path, start of the include.)
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kExceptions = {
    {{"objective/adolc", "adolc/"}, {"report/json.h", "nlohmann/"}, {"validation/ceres_autodiff.h", "ceres/"}}};

/// One include directive.
struct Include {
  std::size_t line;
  bool quoted;
  std::string path;
};

inline std::vector<Include> includes_of(const std::string& text) {
  static const std::regex directive(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  std::istringstream in(text);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (std::smatch match; std::regex_search(line, match, directive)) {
      found.push_back({number, match[1] == "\"", match[2]});
    }
  }
  return found;
}

inline std::optional<std::size_t> layer_of(std::string_view module) {
  const auto at = std::find(kModules.begin(), kModules.end(), module);
  if (at == kModules.end()) return std::nullopt;
  return static_cast<std::size_t>(at - kModules.begin());
}

/// "nn" of "nn/dense.h"; the whole path when it lies in no folder.
inline std::string_view module_of(std::string_view path) { return path.substr(0, path.find('/')); }

/// What breaks the rules in the file at `path` (below lib/hesse) that holds `text`, one sentence each.
inline std::vector<std::string> violations(const std::string& path, const std::string& text) {
  std::vector<std::string> out;
  const auto report = [&](std::size_t line, const std::string& what) {
    out.push_back(fmt::format("lib/hesse/{}:{}: {}", path, line, what));
  };
  const bool header = path.ends_with(".h");
  const std::string_view module = module_of(path);
  const auto layer = layer_of(module);
  if (!layer) report(1, fmt::format("'{}' is no module", module));

  for (const Include& include : includes_of(text)) {
    if (include.path.starts_with("hesse/")) {
      const std::string_view below = std::string_view(include.path).substr(6);
      const std::string_view other = module_of(below);
      for (const auto& [excepted, library] : kExceptions) {
        if (header && below.starts_with(excepted) && !path.starts_with(excepted)) {
          report(include.line, fmt::format("'{}' would bring <{}...> to whoever includes this", include.path, library));
        }
      }
      const auto other_layer = layer_of(other);
      if (!include.quoted) report(include.line, fmt::format("<{}> wants quotes", include.path));
      if (!other_layer) {
        report(include.line, fmt::format("'{}' lies in no module", include.path));
      } else if (layer && *other_layer > *layer) {
        report(include.line, fmt::format("{} lies below {} and may not include '{}'", module, other, include.path));
      }
    } else if (include.quoted) {
      report(include.line, fmt::format("'{}' wants its full path, \"hesse/...\"", include.path));
    } else if (header) {
      // The standard library's headers are the ones without folder and ending.
      const bool standard = include.path.find_first_of("./") == std::string::npos;
      const bool allowed = std::any_of(kLibrariesInHeaders.begin(), kLibrariesInHeaders.end(),
                                       [&](std::string_view library) { return include.path.starts_with(library); }) ||
                           std::any_of(kExceptions.begin(), kExceptions.end(), [&](const auto& exception) {
                             return path.starts_with(exception.first) && include.path.starts_with(exception.second);
                           });
      if (!standard && !allowed) report(include.line, fmt::format("a header may not include <{}>", include.path));
    }
  }

  if (header) {
    if (!text.starts_with("/// \\file\n")) report(1, "a header opens with a '/// \\file' comment that says what it is");
    if (text.find("\n#pragma once\n") == std::string::npos) report(1, "a header wants '#pragma once'");
  }
  return out;
}

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail("{}: cannot be read", file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What breaks the rules in the tree at `root` (a lib/hesse), with includes of files that are not there; in the order
/// of the paths. Throws Error when there is no source file at all, which would make every rule hold.
inline std::vector<std::string> tree_violations(const std::filesystem::path& root) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && (extension == ".h" || extension == ".cc")) {
      paths.push_back(std::filesystem::relative(entry.path(), root).generic_string());
    }
  }
  if (paths.empty()) fail("{}: holds no source file", root.string());
  std::sort(paths.begin(), paths.end());

  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const std::string text = read_text(root / path);
    for (std::string& violation : violations(path, text)) out.push_back(std::move(violation));
    for (const Include& include : includes_of(text)) {
      if (include.path.starts_with("hesse/") && !std::filesystem::exists(root / include.path.substr(6))) {
        out.push_back(fmt::format("lib/hesse/{}:{}: there is no '{}'", path, include.line, include.path));
      }
    }
  }
  return out;
}

}  // namespace hesse::architecture
