#include "hesse/report/folder_lock.h"

#include "hesse/report/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace hesse {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  create_folders(folder);
  const std::filesystem::path path = folder / "lock";
  // Without O_CLOEXEC: child processes are to share it.
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT, 0644);
  if (descriptor_ < 0) fail_to_write(path, "open the file", errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    std::array<char, 32> text{};
    const ssize_t count = ::pread(descriptor_, text.data(), text.size(), 0);
    ::close(descriptor_);
    if (error != EWOULDBLOCK) fail_to_write(path, "lock the file", error);
    std::string holder(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    holder.erase(holder.find_last_not_of(" \n") + 1);
    fail("{}: process {}, or one that it started, is at work in this folder; wait for it, or name another folder",
         folder.string(), holder.empty() ? "?" : holder);
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const int error = errno;
    ::close(descriptor_);
    fail_to_write(path, "write the file", error);
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace hesse
