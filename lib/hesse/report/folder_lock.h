/// \file
/// A folder that one process at a time works in.
#pragma once

#include <filesystem>

namespace hesse {

/// Locks the folder itself by flock(2), which leaves nothing in it. Processes that are started while the lock is held
/// share it, so that a folder stays locked until the last of them has ended, even where their parent was killed; the
/// kernel lets go of it then, so that no stale lock can stay behind. Where the file system has no locks on folders, as
/// network file systems may not, nothing is locked, and two machines do not see each other. Of several ranks the one
/// that writes has the lock.
class FolderLock {
 public:
  /// Makes the folder where it is missing. Throws Error, with the number of the process that holds it, when it is
  /// locked; WriteError when it cannot be made.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace hesse
