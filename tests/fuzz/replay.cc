/// \file
/// Replays kept inputs without libFuzzer: fuzz_replay FOLDER, which holds a folder for each format.
#include "fuzz.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"

#include <algorithm>
#include <filesystem>
#include <vector>

int main(int argc, char** argv) {
  using namespace hesse;
  if (argc != 2) {
    fmt::print(stderr, "Usage: fuzz_replay FOLDER\n");
    return 2;
  }
  std::size_t all = 0;
  for (const fuzz::Format& format : fuzz::formats()) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(argv[1]) / format.name)) {
      files.push_back(entry.path());
    }
    if (files.empty()) {
      fmt::print(stderr, "{} has no kept input\n", format.name);
      return 1;
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      // Said first, so that a crash has a name.
      fmt::print("{}\n", file.string());
      std::fflush(stdout);
      fuzz::run(format, read_file(file));
    }
    all += files.size();
  }
  fmt::print("{} inputs of {} formats: each ends in a value or in one line\n", all, fuzz::formats().size());
}
