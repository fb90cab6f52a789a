#include "architecture/source_rules.h"

#include "hesse/core/error.h"
#include "hesse/optim/minimize.h"
#include "hesse/report/atomic_file.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace hesse;
using namespace hesse::architecture;

namespace {

const std::string kOpening = "/// \\file\n/// What it is.\n#pragma once\n";

/// The sentences that the rules say of a header with these lines after a proper opening; its fourth line is the first.
std::vector<std::string> of_header(const std::string& path, const std::string& lines) {
  return violations(path, kOpening + lines);
}

}  // namespace

TEST_CASE("every file of the library keeps to the layers and to the rules for headers") {
  std::string all;
  for (const std::string& violation : tree_violations(HESSE_LIBRARY_DIR)) all += violation + "\n";
  INFO(all);
  CHECK(all.empty());
}

TEST_CASE("the README's tree names every module that there is, lowest first") {
  const std::filesystem::path library = HESSE_LIBRARY_DIR;
  const std::string readme = read_file(library / "../../README.md");
  std::size_t at = readme.find("## The tree");
  REQUIRE(at != std::string::npos);
  for (const std::string_view module : kModules) {
    if (!std::filesystem::is_directory(library / module)) continue;
    const auto row = readme.find(fmt::format("&nbsp;&nbsp;`{}` |", module), at);
    INFO(module);
    REQUIRE(row != std::string::npos);
    at = row;
  }
}

TEST_CASE("the manual spells every termination as records do") {
  const std::string manual = read_file(std::filesystem::path(HESSE_LIBRARY_DIR) / "../../docs/records.md");
  for (int i = 0; i <= static_cast<int>(Termination::user); ++i) {
    const std::string name = to_string(static_cast<Termination>(i));
    INFO(name);
    CHECK(manual.find(fmt::format("`{}`", name)) != std::string::npos);
  }
}

TEST_CASE("a module may include itself and every module below it") {
  for (std::size_t i = 0; i < kModules.size(); ++i) {
    for (std::size_t j = 0; j < kModules.size(); ++j) {
      const std::string path = std::string(kModules[i]) + "/a.cc";
      const auto found = violations(path, fmt::format("#include \"hesse/{}/b.h\"\n", kModules[j]));
      INFO(kModules[i] << " includes " << kModules[j]);
      CHECK(found.empty() == (j <= i));
    }
  }
}

TEST_CASE("a planted include of a higher module is found, with its line") {
  CHECK(of_header("core/a.h", "#include \"hesse/optim/optimizer.h\"\n") ==
        std::vector<std::string>{
            "lib/hesse/core/a.h:4: core lies below optim and may not include 'hesse/optim/optimizer.h'"});
  CHECK(
      of_header("linalg/deep/a.h", "\n#  include  \"hesse/nn/b.h\"\n") ==
      std::vector<std::string>{"lib/hesse/linalg/deep/a.h:5: linalg lies below nn and may not include 'hesse/nn/b.h'"});
  CHECK(of_header("optim/a.h", "// #include \"hesse/report/b.h\"\n").empty());
}

TEST_CASE("ways around the layers are found") {
  CHECK(of_header("core/a.h", "#include <hesse/core/b.h>\n").size() == 1);
  CHECK(of_header("core/a.h", "#include <hesse/optim/b.h>\n").size() == 2);
  CHECK(of_header("core/a.h", "#include \"../optim/b.h\"\n").size() == 1);
  CHECK(of_header("core/a.h", "#include \"b.h\"\n").size() == 1);
  CHECK(of_header("core/a.h", "#include \"hesse/misc/b.h\"\n").size() == 1);
  CHECK(violations("misc/a.cc", "").size() == 1);
  CHECK(violations("a.cc", "").size() == 1);
}

TEST_CASE("a header brings the standard library, Eigen and fmt, and no other library") {
  CHECK(of_header("core/a.h", "#include <vector>\n#include <Eigen/Core>\n#include <fmt/format.h>\n").empty());
  for (const char* other :
       {"Spectra/SymEigsSolver.h", "ceres/ceres.h", "nlohmann/json.hpp", "boost/program_options.hpp", "adolc/adolc.h",
        "zlib.h", "cblas.h", "Random123/philox.h", "stdlib.h"}) {
    INFO(other);
    const std::string line = fmt::format("#include <{}>\n", other);
    CHECK(of_header("objective/a.h", line).size() == 1);
    CHECK(violations("objective/a.cc", line).empty());
  }
  CHECK(of_header("objective/adolc_objective.h", "#include <adolc/adolc.h>\n").empty());
  CHECK(of_header("objective/adolc_objective.h", "#include <ceres/ceres.h>\n").size() == 1);
  CHECK(of_header("validation/ceres_autodiff.h", "#include <ceres/jet.h>\n").empty());
  CHECK(of_header("validation/ceres_bridge.h", "#include <ceres/jet.h>\n").size() == 1);
  CHECK(of_header("nn/adolc.h", "#include <adolc/adolc.h>\n").size() == 1);
}

TEST_CASE("a header that includes an excepted one would hand its library on and is found") {
  CHECK(of_header("experiment/a.h", "#include \"hesse/report/json.h\"\n") ==
        std::vector<std::string>{
            "lib/hesse/experiment/a.h:4: 'hesse/report/json.h' would bring <nlohmann/...> to whoever includes this"});
  CHECK(of_header("validation/a.h", "#include \"hesse/objective/adolc_objective.h\"\n").size() == 1);
  CHECK(of_header("validation/a.h", "#include \"hesse/validation/ceres_autodiff.h\"\n").size() == 1);
  CHECK(violations("experiment/a.cc", "#include \"hesse/report/json.h\"\n").empty());
}

TEST_CASE("a header without its opening comment or its guard is found") {
  CHECK(violations("core/a.h", kOpening).empty());
  CHECK(violations("core/a.h", "#pragma once\n").size() == 2);  // the guard has to follow the comment
  CHECK(violations("core/a.h", "/// \\file\n/// What it is.\n").size() == 1);
  CHECK(violations("core/a.h", "// What it is.\n#pragma once\n").size() == 1);
  CHECK(violations("core/a.cc", "").empty());
}

TEST_CASE("in a planted tree, a violation, a missing file and a stray folder are found, and an empty tree is refused") {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / fmt::format("hesse-architecture-{}", ::getpid());
  fs::create_directories(root / "core");
  fs::create_directories(root / "stray");
  CHECK_THROWS_AS(tree_violations(root), Error);
  std::ofstream(root / "core" / "a.h") << kOpening << "#include \"hesse/core/gone.h\"\n#include \"hesse/optim/b.h\"\n";
  std::ofstream(root / "stray" / "c.cc") << "#include \"hesse/core/a.h\"\n";
  std::ofstream(root / "stray" / "notes.md") << "#include \"nothing.h\"\n";
  CHECK(tree_violations(root) ==
        std::vector<std::string>{"lib/hesse/core/a.h:5: core lies below optim and may not include 'hesse/optim/b.h'",
                                 "lib/hesse/core/a.h:4: there is no 'hesse/core/gone.h'",
                                 "lib/hesse/core/a.h:5: there is no 'hesse/optim/b.h'",
                                 "lib/hesse/stray/c.cc:1: 'stray' is no module"});
  fs::remove_all(root);
}
