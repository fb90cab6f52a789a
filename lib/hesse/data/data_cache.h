/// \file
/// The folder where fetched data sets lie, what belongs in it, and whether it is there unharmed. Hesse itself never
/// fetches anything: scripts/fetch_data.sh does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// $HESSE_DATA_DIR, else $XDG_CACHE_HOME/hesse/data, else $HOME/.cache/hesse/data, else /var/tmp/hesse-UID/data. An
/// empty variable counts as unset.
std::string data_cache_dir();

/// One file of a fetched set.
struct PinnedFile {
  std::string name;
  std::string sha256;  ///< of the genuine file, in hexadecimal
};

/// A set whose files are fetched.
struct FetchedSet {
  std::string name;
  std::vector<PinnedFile> files;
  std::string system_folder;  ///< where a Debian package installs the same files; empty if none does
};

/// All of them.
const std::vector<FetchedSet>& fetched_sets();

enum class SetState { present, missing, corrupt };

std::string_view to_string(SetState state);

/// What `hesse data` shows of a set.
struct SetStatus {
  std::string name;
  SetState state = SetState::missing;
  bool verified = false;      ///< the checksums were computed, rather than the files only found
  std::uintmax_t bytes = 0;   ///< of the files that are there
  std::string path;           ///< the folder where the set was found, or is expected
  std::string fetch_command;  ///< "scripts/fetch_data.sh digits", or by the script beside an installed program
  std::string detail;         ///< the first file that is missing or corrupt, and why; else empty
};

/// The state of each fetched set by the presence of its files, without reading them.
std::vector<SetStatus> list_fetched_sets(const std::string& cache = data_cache_dir());

/// Reads every file of a set and compares its SHA-256 with the pinned one. Throws Error on an unknown name.
SetStatus verify_fetched_set(std::string_view name, const std::string& cache = data_cache_dir());

/// The path of one file of a set: in the cache, else beside an installed program, else where its Debian package has it.
/// Throws Error, with the folders searched and the command that fetches the set, when it is in neither.
std::string fetched_file(std::string_view set, std::string_view file, const std::string& cache = data_cache_dir());

}  // namespace hesse
