#include "hesse/data/data_file.h"

#include "hesse/core/error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hesse {
namespace {

constexpr std::size_t kLargestPart = std::size_t{1} << 30U;  // zlib and read(2) count in 32 bits

/// A file descriptor that closes itself.
struct Descriptor {
  int number;
  explicit Descriptor(int number_in) : number(number_in) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

std::string reason() { return std::strerror(errno); }

}  // namespace

FileBytes::FileBytes(std::string path) : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer that may never come.
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file.number < 0) fail("{}: cannot be opened: {}; check the path and its permissions", path_, reason());
  struct stat status = {};
  if (::fstat(file.number, &status) != 0) fail("{}: cannot be examined: {}; check the file system", path_, reason());
  if (S_ISDIR(status.st_mode)) fail("{}: is a folder; name a file inside it", path_);
  if (!S_ISREG(status.st_mode)) fail("{}: is a pipe or a device; save the data to a regular file first", path_);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) fail("{}: is empty (0 bytes); fetch or export it again", path_);
  bytes_ = std::make_unique_for_overwrite<char[]>(size_);
  for (std::size_t at = 0; at < size_;) {
    const ssize_t count = ::read(file.number, bytes_.get() + at, std::min(size_ - at, kLargestPart));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("{}: byte {}: cannot be read: {}; check the disk", path_, at, reason());
    if (count == 0) fail("{}: byte {}: ended while it was read; let its writer finish, then try again", path_, at);
    at += static_cast<std::size_t>(count);
  }
}

bool FileBytes::is_gzip() const { return view().starts_with("\x1f\x8b"); }

struct GzipReader::State {
  std::string path;
  std::string_view compressed;
  std::size_t consumed = 0;
  bool ended = false;
  z_stream stream = {};
};

GzipReader::GzipReader(std::string path, std::string_view compressed) : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
  state_->compressed = compressed;
  // 16 added to the window's 15 bits asks for gzip's header and trailer.
  if (inflateInit2(&state_->stream, 15 + 16) != Z_OK) fail("{}: zlib could not start; free some memory", state_->path);
}

GzipReader::~GzipReader() { inflateEnd(&state_->stream); }

std::size_t GzipReader::read(char* out, std::size_t size) {
  State& s = *state_;
  std::size_t written = 0;
  while (!s.ended && written < size) {
    const std::size_t in_now = std::min(s.compressed.size() - s.consumed, kLargestPart);
    const std::size_t out_now = std::min(size - written, kLargestPart);
    s.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(s.compressed.data() + s.consumed));
    s.stream.avail_in = static_cast<uInt>(in_now);
    s.stream.next_out = reinterpret_cast<Bytef*>(out + written);
    s.stream.avail_out = static_cast<uInt>(out_now);
    const int code = inflate(&s.stream, Z_NO_FLUSH);
    s.consumed += in_now - s.stream.avail_in;
    written += out_now - s.stream.avail_out;
    if (code == Z_STREAM_END) {
      if (s.consumed == s.compressed.size()) {
        s.ended = true;
      } else if (inflateReset(&s.stream) != Z_OK) {
        fail("{}: compressed byte {}: zlib could not go on; free some memory", s.path, s.consumed);
      }
    } else if (code == Z_BUF_ERROR || (code == Z_OK && s.consumed == s.compressed.size() && s.stream.avail_out != 0)) {
      fail("{}: compressed byte {}: the gzip stream is cut short; fetch or compress it again", s.path, s.consumed);
    } else if (code != Z_OK) {
      fail("{}: compressed byte {}: the gzip stream is damaged ({}); fetch or compress it again", s.path, s.consumed,
           s.stream.msg != nullptr ? s.stream.msg : "unknown reason");
    }
  }
  return written;
}

std::string decode_text(const FileBytes& file) {
  std::string text;
  if (file.is_gzip()) {
    const std::size_t limit = (std::size_t{1} << 24U) + 32 * file.view().size();
    constexpr std::size_t kStep = std::size_t{1} << 16U;
    GzipReader gzip(file.path(), file.view());
    for (;;) {
      const std::size_t old = text.size();
      const std::size_t step = std::max(kStep, std::min(old, limit / 4));
      text.resize(old + step);
      const std::size_t count = gzip.read(text.data() + old, step);
      text.resize(old + count);
      if (text.size() > limit) {
        fail(
            "{}: decompresses to more than {} bytes, too many for {} compressed ones; if it is genuine, gunzip it "
            "first",
            file.path(), limit, file.view().size());
      }
      if (count < step) break;
    }
    if (text.empty()) fail("{}: holds no text once decompressed; fetch or export it again", file.path());
  } else {
    text = file.view();
  }
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    fail("{}: byte 0: is UTF-16 text; save it as UTF-8", file.path());
  }
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return text;
}

std::string read_text(const std::string& path) { return decode_text(FileBytes(path)); }

void write_file(const std::string& path, std::string_view bytes) {
  const std::string partial = fmt::format("{}.partial.{}", path, ::getpid());
  const auto refuse = [&](const char* what) {
    const std::string why = reason();
    ::unlink(partial.c_str());
    fail("{}: cannot be {}: {}; check the folder, its permissions and the space left", path, what, why);
  };
  {
    const Descriptor file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.number < 0) refuse("created");
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t count = ::write(file.number, bytes.data() + at, std::min(bytes.size() - at, kLargestPart));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) refuse("written");
      at += static_cast<std::size_t>(count);
    }
    if (::fsync(file.number) != 0) refuse("written");
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) refuse("renamed into place");
}

}  // namespace hesse
