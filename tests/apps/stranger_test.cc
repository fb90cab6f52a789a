#include "apps/program.h"

#include <catch2/catch.hpp>

#include <csignal>
#include <fstream>

using namespace hesse;
using test::hesse_signalled_when;
using test::run_hesse;
using test::ScratchFolder;

namespace {

namespace fs = std::filesystem;

/// What a shell, gnuplot or a browser would run if it came to them as more than a text.
constexpr const char* kHostile = "a'b`touch ran1`\"; system('touch ran2') # $(touch ran3) <script>alert(1)<x>";

}  // namespace

TEST_CASE("names with what shells and gnuplot and browsers run are texts") {
  const ScratchFolder folder;
  std::string table;
  for (int i = 0; i < 60; ++i) table += fmt::format("{},{},{}\n", i % 7 - 3, i * i % 11 - 5, i % 3);
  write_file(folder / fmt::format("{}.csv", kHostile), table);
  write_file(folder / "name", kHostile);
  const std::string name = "n=\"$(cat name)\"";
  const std::string problem = "--problem \"mlp:data=file:path=$n.csv,hidden=4\" --quiet";
  for (const std::string& command :
       {"train " + problem + " --optimizer adam --budget 3epochs --output \"$n/run\"",
        "compare " + problem + " --optimizer adam --optimizer sgd --budget 2epochs --plot --output \"$n/compared\"",
        "landscape " + problem + " --points 5 --output \"$n/landscape\"",
        "spectrum " + problem + " --top 1 --bottom 0 --density --probes 2 --steps 5 --output \"$n/spectrum\"",
        std::string("report \"$n/run\" \"$n/compared\" \"$n/landscape\" \"$n/spectrum\" --output \"$n/report\"")}) {
    const auto printed = run_hesse(folder, command, name);
    CAPTURE(command, printed.err);
    CHECK(printed.exit_code == 0);
  }
  int pages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    CHECK(entry.path().filename().string().rfind("ran", 0) != 0);
    const std::string kind = entry.path().extension().string();
    if (kind != ".html" && kind != ".svg") continue;
    ++pages;
    CAPTURE(entry.path().string());
    CHECK(read_file(entry.path()).find("<script>alert") == std::string::npos);
  }
  CHECK(pages >= 5);
}

TEST_CASE("links that somebody has laid into a run's folder lead no record elsewhere") {
  const ScratchFolder folder;
  const int killed =
      hesse_signalled_when(folder,
                           {"train", "--problem", "mlp:data=digits,hidden=8", "--optimizer", "adam", "--budget",
                            "15000steps", "--checkpoint-seconds", "0.05", "--quiet", "--output", "run"},
                           SIGKILL, [&] { return fs::exists(folder / "run/checkpoint.previous.safetensors"); });
  REQUIRE(killed == 128 + SIGKILL);
  for (const std::string file : {"checkpoint.safetensors", "checkpoint.previous.safetensors", "trace.csv", "run.json",
                                 "command.json", "report.html"}) {
    const fs::path at = folder / "copy" / file;
    fs::remove_all(folder / "copy");
    fs::copy(folder / "run", folder / "copy");
    // What a reader needs is there, at the link's other end.
    std::string theirs = "theirs";
    if (fs::exists(at)) theirs = read_file(at);
    write_file(folder / "theirs", theirs);
    fs::remove(at);
    fs::create_symlink(folder / "theirs", at);
    const auto printed = run_hesse(folder, "resume copy --quiet");
    CAPTURE(file, printed.err);
    CHECK(printed.exit_code == 0);
    CHECK(read_file(folder / "theirs") == theirs);
  }
}

TEST_CASE("a folder in which a run is at work takes no second one") {
  const ScratchFolder folder;
  std::string refused;
  int code = 0;
  const std::vector<std::string> first = {
      "train",    "--problem",    "mlp:data=digits,hidden=8", "--optimizer", "adam",
      "--budget", "100000epochs", "--checkpoint-seconds",     "0.05",        "--quiet",
      "--output", "run"};
  const int stopped = hesse_signalled_when(folder, first, SIGTERM, [&] {
    if (!fs::exists(folder / "run/checkpoint.safetensors")) return false;
    const auto second = run_hesse(folder, "resume run --quiet");
    code = second.exit_code;
    refused = second.err;
    return true;
  });
  CHECK(stopped == 128 + SIGTERM);
  CHECK(code == 2);
  CHECK(refused.find("is at work in this folder") != std::string::npos);
}
