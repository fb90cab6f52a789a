#include "hesse/data/data_cache.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/data/data_file.h"
#include "hesse/data/sha256.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace hesse {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string fetch_command(std::string_view set) { return fmt::format("scripts/fetch_data.sh {}", set); }

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The file in the cache, else in the package's folder, else empty.
fs::path find_file(const FetchedSet& set, std::string_view file, const std::string& cache) {
  const fs::path cached = fs::path(cache) / set.name / file;
  if (is_file(cached)) return cached;
  const fs::path installed = fs::path(set.system_folder) / file;
  if (!set.system_folder.empty() && is_file(installed)) return installed;
  return {};
}

const FetchedSet& set_named(std::string_view name) {
  std::vector<std::string> names;
  for (const FetchedSet& set : fetched_sets()) {
    if (set.name == name) return set;
    names.push_back(set.name);
  }
  fail("there is no fetched data set '{}'{}; there are {}", name, suggestion(name, names), fmt::join(names, ", "));
}

SetStatus status_of(const FetchedSet& set, const std::string& cache, bool verify) {
  SetStatus status;
  status.name = set.name;
  status.state = SetState::present;
  status.verified = verify;
  status.path = (fs::path(cache) / set.name).string();
  status.fetch_command = fetch_command(set.name);
  const auto note = [&](SetState state, const std::string& detail) {
    if (status.state != SetState::present) return;
    status.state = state;
    status.detail = detail;
  };
  for (const PinnedFile& file : set.files) {
    const fs::path path = find_file(set, file.name, cache);
    if (path.empty()) {
      note(SetState::missing, fmt::format("{} is missing", file.name));
      continue;
    }
    status.path = path.parent_path().string();
    std::error_code ignored;
    const std::uintmax_t size = fs::file_size(path, ignored);
    if (!ignored) status.bytes += size;
    if (!verify) continue;
    try {
      const std::string digest = sha256(FileBytes(path.string()).view());
      if (digest != file.sha256) {
        note(SetState::corrupt, fmt::format("{} has SHA-256 {} instead of {}", path.string(), digest, file.sha256));
      }
    } catch (const Error& error) {
      note(SetState::corrupt, error.what());
    }
  }
  return status;
}

}  // namespace

std::string data_cache_dir() {
  if (const std::string own = environment("HESSE_DATA_DIR"); !own.empty()) return own;
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/hesse/data";
  if (const std::string home = environment("HOME"); !home.empty()) return home + "/.cache/hesse/data";
  return fmt::format("/var/tmp/hesse-{}/data", ::getuid());
}

const std::vector<FetchedSet>& fetched_sets() {
  // scripts/fetch_data.sh holds the same table.
  static const std::vector<FetchedSet> sets = {
      {"fashion-mnist",
       {{"train-images-idx3-ubyte.gz", "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"},
        {"train-labels-idx1-ubyte.gz", "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"},
        {"t10k-images-idx3-ubyte.gz", "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"},
        {"t10k-labels-idx1-ubyte.gz", "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"}},
       "/usr/share/datasets/fashion-mnist"},
      {"mnist",
       {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
        {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
        {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
        {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       ""},
      {"digits", {{"digits.csv.gz", "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"}}, ""},
      {"breast-cancer",
       {{"breast_cancer.csv", "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"}},
       ""},
  };
  return sets;
}

std::string_view to_string(SetState state) {
  switch (state) {
    case SetState::present: return "present";
    case SetState::missing: return "missing";
    case SetState::corrupt: return "corrupt";
  }
  return "";
}

std::vector<SetStatus> list_fetched_sets(const std::string& cache) {
  std::vector<SetStatus> out;
  for (const FetchedSet& set : fetched_sets()) out.push_back(status_of(set, cache, false));
  return out;
}

SetStatus verify_fetched_set(std::string_view name, const std::string& cache) {
  return status_of(set_named(name), cache, true);
}

std::string fetched_file(std::string_view set_name, std::string_view file, const std::string& cache) {
  const FetchedSet& set = set_named(set_name);
  const fs::path path = find_file(set, file, cache);
  if (path.empty()) {
    const std::string also = set.system_folder.empty() ? "" : fmt::format(" nor in {}", set.system_folder);
    fail("the data set '{}' is missing: there is no {} in {}/{}{}; fetch it with: {}", set.name, file, cache, set.name,
         also, fetch_command(set.name));
  }
  return path.string();
}

}  // namespace hesse
