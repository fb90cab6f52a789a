/// \file
/// Files that are either whole or not there: written under a temporary name in the same folder,
/// flushed to the disk, renamed over the old file, and the folder flushed, so that whoever is killed
/// or runs out of disk leaves the old file as it was.
#pragma once

#include "hesse/core/error.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace hesse {

/// A record could not be written: the disk is full, the folder is gone. Neither the input nor the work that was
/// recorded is at fault, and the work can go on once there is room.
class WriteError : public Error {
 public:
  using Error::Error;
};

/// One file being written. Until `commit` returns, nothing of it shows under its own name; the
/// destructor of an uncommitted file removes the temporary. After a SIGKILL the temporary
/// (`.NAME.PID-K.partial`) may stay behind; `remove_partial_files` clears it away.
class AtomicFile {
 public:
  /// Throws WriteError when the folder is missing or cannot be written, as all that follows does.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws WriteError naming the file and the reason (disk full, file too large).
  void write(std::string_view bytes);

  /// Flushes the bytes to the disk. Called by `commit`; call it before to have all that can fail
  /// behind you.
  void flush();

  /// Puts the file in place of any older one. Call once, as the last thing.
  void commit();

 private:
  [[noreturn]] void fail_with(const char* doing, int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

/// Throws the WriteError of a system call on `path` that left `error` in errno, with what to do about it:
/// `doing` is what could not be done ("write the file").
[[noreturn]] void fail_to_write(const std::filesystem::path& path, std::string_view doing, int error);

/// Makes `folder` and what lies above it, where missing. Throws WriteError.
void create_folders(const std::filesystem::path& folder);

/// The whole file at once.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// The whole file as bytes. Throws Error when it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 40);

/// Removes what killed writers left in this folder: files called ".*.partial". Call it only where no
/// other process writes.
void remove_partial_files(const std::filesystem::path& folder);

}  // namespace hesse
