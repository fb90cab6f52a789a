/// \file
/// A folder that one process at a time works in.
#pragma once

#include <filesystem>

namespace hesse {

/// Holds the file FOLDER/lock by flock(2), with the number of this process in it. Processes that are started while it
/// is held share it, so that a folder stays locked until the last of them has ended, even where their parent was
/// killed; the kernel lets go of it then, so that no stale lock can stay behind. On a network file system that does not
/// pass locks on, two machines do not see each other.
class FolderLock {
 public:
  /// Makes the folder where it is missing. Throws Error, with the number of the process that holds it, when it is
  /// locked; WriteError when the file cannot be made.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace hesse
