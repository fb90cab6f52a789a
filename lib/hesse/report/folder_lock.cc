#include "hesse/report/folder_lock.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/writing.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace hesse {
namespace {

/// The number of the process that has locked what is open, by the kernel's list; "?" where it does not say.
std::string holder_of(int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return "?";
  const std::string inode = fmt::format(":{}", status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    // "7: FLOCK  ADVISORY  WRITE 4711 fe:00:123456 0 EOF"
    std::istringstream words(line);
    std::string number, kind, manner, access, process, file;
    words >> number >> kind >> manner >> access >> process >> file;
    if (kind == "FLOCK" && file.ends_with(inode)) return process;
  }
  return "?";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  if (!writes_records()) return;
  create_folders(folder);
  // Without O_CLOEXEC: child processes are to share it.
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor_ < 0) fail_to_write(folder, "open the folder", errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  const std::string holder = holder_of(descriptor_);
  ::close(descriptor_);
  fail("{}: process {}, or one that it started, is at work in this folder; wait for it, or name another folder",
       folder.string(), holder);
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace hesse
