/// \file
/// Reading a file that nobody vouches for: a regular file only, never blocking, gzip told by its magic bytes, and no
/// allocation that the file merely promises to fill. The readers of all formats stand on these.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// The bytes of one regular file.
class FileBytes {
 public:
  /// Reads the whole file. Throws Error when it is missing, a folder, a FIFO or another special file, unreadable or
  /// empty. Never waits for a writer.
  explicit FileBytes(std::string path);

  const std::string& path() const { return path_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  bool is_gzip() const;

 private:
  std::string path_;
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// A forward reader of gzip-compressed bytes (RFC 1952), of one member or several. Checks the checksum of each member.
class GzipReader {
 public:
  /// `path` names the file in error texts; `compressed` must outlive the reader.
  GzipReader(std::string path, std::string_view compressed);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Decompresses up to `size` bytes into `out` and returns how many; fewer only at the end of the data. Throws Error
  /// with the compressed offset when the stream is damaged or cut short.
  std::size_t read(char* out, std::size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Contents in blocks of kContentBlock bytes (the last may be shorter), so that nothing larger than one block is
/// allocated before the bytes for it have arrived. A plain file is one block of any size.
struct Contents {
  static constexpr std::size_t kContentBlock = std::size_t{1} << 22U;
  std::vector<std::unique_ptr<char[]>> owned;
  std::vector<std::string_view> blocks;
};

/// The largest size that `compressed` bytes can decompress to: deflate cannot pass 1032 to 1.
constexpr std::size_t largest_decompressed(std::size_t compressed) { return 1032 * compressed; }

/// The text of a file, decompressed if it is gzip. Since text announces no size, at most 16 MiB + 32 times the file is
/// decompressed; throws Error beyond that, as for FileBytes, and on a byte-order mark of UTF-16. A byte-order mark of
/// UTF-8 is dropped.
std::string read_text(const std::string& path);

/// The same from the bytes at hand.
std::string decode_text(const FileBytes& file);

/// Writes to a temporary name beside `path` and renames, so that a reader finds the old file or the whole new one.
/// Throws Error when the file cannot be written.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace hesse
