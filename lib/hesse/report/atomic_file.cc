#include "hesse/report/atomic_file.h"

#include "hesse/core/error.h"
#include "hesse/report/writing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace hesse {

namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string reason(int error) { return std::generic_category().message(error); }

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "; free some space or choose another folder";
    case EFBIG: return "; raise the limit on file sizes (ulimit -f) or choose another folder";
    case ENOENT:
    case ENOTDIR: return "; create the folder first";
    case EACCES:
    case EPERM:
    case EROFS: return "; choose a folder that you may write to";
    default: return "";
  }
}

}  // namespace

void fail_to_write(const std::filesystem::path& path, std::string_view doing, int error) {
  throw WriteError(fmt::format("{}: cannot {}: {}{}", path.string(), doing, reason(error), advice(error)));
}

void create_folders(const std::filesystem::path& folder) {
  if (!writes_records()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return;
  throw WriteError(fmt::format("{}: cannot create the folder: {}; name a folder that can be made", folder.string(),
                               error.message()));
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  if (!writes_records()) return;
  // The rename would put a file in its place: root has lost /dev/stdout that way.
  std::error_code ignored;
  const auto there = std::filesystem::status(path_, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there) &&
      !std::filesystem::is_directory(there)) {
    throw WriteError(fmt::format("{}: is a device or a pipe, which would be replaced; name a file", path_.string()));
  }
  static std::atomic<unsigned> counter{0};
  temporary_ = folder_of(path_) / fmt::format(".{}.{}-{}.partial", path_.filename().string(), ::getpid(), counter++);
  // The counter makes the name ours among the living. What a dead process of the same number has left behind goes, and
  // so does a link that somebody has laid in the way: it must not be followed.
  ::unlink(temporary_.c_str());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with("create", errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_with(const char* doing, int error) const {
  fail_to_write(path_, fmt::format("{} the file", doing), error);
}

void AtomicFile::write(std::string_view bytes) {
  if (descriptor_ < 0) return;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with("write", errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::flush() {
  if (descriptor_ < 0) return;
  while (::fsync(descriptor_) != 0) {
    if (errno != EINTR) fail_with("flush", errno);
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) return;
  flush();
  // Some network file systems report a full disk only here.
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0 && errno != EINTR) fail_with("close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("rename", errno);
  committed_ = true;
  // The name itself must reach the disk. A file system that cannot flush folders says EINVAL, and
  // then there is nothing more to be done.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    const int flushed = ::fsync(folder);
    const int error = errno;
    ::close(folder);
    if (flushed != 0 && error != EINVAL && error != EINTR) fail_with("flush the folder of", error);
  }
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer that may never come.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) fail("{}: cannot open the file: {}", path.string(), reason(errno));
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};

  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail("{}: cannot read the file: {}", path.string(), reason(errno));
  if (S_ISDIR(status.st_mode)) fail("{}: expected a file, found a folder", path.string());
  if (S_ISFIFO(status.st_mode)) {
    fail("{}: expected a file, found a pipe; save what comes through it to a file first", path.string());
  }
  const auto too_large = [&](std::size_t size) {
    fail("{}: the file has {} bytes or more, which is above the limit of {}", path.string(), size, limit);
  };
  if (status.st_size > 0 && static_cast<std::size_t>(status.st_size) > limit) {
    too_large(static_cast<std::size_t>(status.st_size));
  }

  std::string bytes;
  // One byte more than the size, so that the end of an ordinary file is seen without growing again.
  bytes.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t used = 0;
  while (true) {
    if (used == bytes.size()) bytes.resize(2 * bytes.size());
    const ssize_t count = ::read(descriptor, bytes.data() + used, bytes.size() - used);
    if (count < 0) {
      if (errno == EINTR) continue;
      fail("{}: cannot read the file: {}", path.string(), reason(errno));
    }
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > limit) too_large(used);
  }
  bytes.resize(used);
  return bytes;
}

void remove_partial_files(const std::filesystem::path& folder) {
  if (!writes_records()) return;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.ends_with(".partial")) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace hesse
