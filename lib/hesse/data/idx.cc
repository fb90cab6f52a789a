#include "hesse/data/idx.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

namespace hesse {
namespace {

/// The bytes of a file, decompressed or not, from the front.
class Source {
 public:
  explicit Source(const FileBytes& file) : file_(file) {
    if (file.is_gzip()) gzip_ = std::make_unique<GzipReader>(file.path(), file.view());
  }

  std::size_t read(char* out, std::size_t size) {
    std::size_t count = 0;
    if (gzip_) {
      count = gzip_->read(out, size);
    } else {
      count = std::min(size, file_.view().size() - at_);
      std::memcpy(out, file_.view().data() + at_, count);
    }
    at_ += count;
    return count;
  }

  /// All of the next `size` bytes; throws Error when there are fewer, or more after them.
  Contents rest(std::size_t size, const std::string& shape) {
    const std::size_t start = at_;
    const auto mismatch = [&](std::size_t found, const char* more) {
      fail("{}: byte {}: the header announces {} ({} bytes), but {}{} follow it; fetch or write the file again",
           file_.path(), start, shape, size, more, found);
    };
    Contents contents;
    if (!gzip_) {
      const std::string_view left = file_.view().substr(at_);
      if (left.size() != size) mismatch(left.size(), "");
      if (size > 0) contents.blocks.push_back(left);
      return contents;
    }
    const std::size_t possible = largest_decompressed(file_.view().size());
    if (size > possible) mismatch(possible, "at most ");
    for (std::size_t left = size; left > 0;) {
      const std::size_t want = std::min(left, Contents::kContentBlock);
      contents.owned.push_back(std::make_unique_for_overwrite<char[]>(want));
      const std::size_t count = read(contents.owned.back().get(), want);
      if (count < want) mismatch(size - left + count, "");
      contents.blocks.emplace_back(contents.owned.back().get(), want);
      left -= want;
    }
    char extra = 0;
    if (gzip_->read(&extra, 1) != 0) mismatch(size, "more than ");
    return contents;
  }

 private:
  const FileBytes& file_;
  std::unique_ptr<GzipReader> gzip_;
  std::size_t at_ = 0;
};

template <class Bits, class Value>
double big_endian(const char* bytes) {
  Bits bits = 0;
  for (std::size_t i = 0; i < sizeof(Bits); ++i) {
    bits = static_cast<Bits>((static_cast<std::uint64_t>(bits) << 8U) | static_cast<unsigned char>(bytes[i]));
  }
  return static_cast<double>(std::bit_cast<Value>(bits));
}

template <class Bits, class Value>
void convert(const Contents& contents, double scale, VectorView out) {
  constexpr Index kTaskEntries = Index{1} << 18U;
  auto* to = out.data();
  auto left = static_cast<std::size_t>(out.size());
  for (const std::string_view block : contents.blocks) {
    const std::size_t entries = std::min(left, block.size() / sizeof(Bits));
    parallel_for(block_count(static_cast<Index>(entries), kTaskEntries), [&](Index task) {
      const Range range = block_range(static_cast<Index>(entries), kTaskEntries, task);
      for (Index i = range.begin; i < range.end; ++i) {
        to[i] = scale * big_endian<Bits, Value>(block.data() + static_cast<std::size_t>(i) * sizeof(Bits));
      }
    });
    to += entries;
    left -= entries;
  }
}

std::size_t element_size(unsigned char code) {
  switch (code) {
    case 0x08:
    case 0x09: return 1;
    case 0x0B: return 2;
    case 0x0C:
    case 0x0D: return 4;
    case 0x0E: return 8;
    default: return 0;
  }
}

}  // namespace

Array read_idx(const std::string& path, double scale, Index limit) { return read_idx(FileBytes(path), scale, limit); }

Array read_idx(const FileBytes& file, double scale, Index limit) {
  const std::string& path = file.path();
  Source source(file);
  unsigned char magic[4] = {};
  const std::size_t found = source.read(reinterpret_cast<char*>(magic), 4);
  if (found < 4) fail("{}: byte {}: ends inside the magic number of IDX; fetch or write the file again", path, found);
  if (magic[0] != 0 || magic[1] != 0) {
    fail("{}: byte 0: is {:#04x} {:#04x} where IDX has two zero bytes; it is no IDX file, give one", path, magic[0],
         magic[1]);
  }
  const std::size_t size_of_element = element_size(magic[2]);
  if (size_of_element == 0) {
    fail("{}: byte 2: type code {:#04x} is none of IDX's (0x08, 0x09, 0x0b to 0x0e); write the file again", path,
         magic[2]);
  }
  const std::size_t rank = magic[3];
  if (rank == 0) fail("{}: byte 3: the rank is 0; an IDX file has at least one dimension, write it again", path);

  Array array;
  std::string shape_text;
  for (std::size_t i = 0; i < rank; ++i) {
    char size[4] = {};
    const std::size_t count = source.read(size, 4);
    if (count < 4) {
      fail("{}: byte {}: ends inside size {} of {}; fetch or write the file again", path, 4 + 4 * i + count, i + 1,
           rank);
    }
    array.shape.push_back(static_cast<Index>(big_endian<std::uint32_t, std::uint32_t>(size)));
    shape_text += fmt::format("{}{}", i == 0 ? "" : " x ", array.shape.back());
  }
  const std::size_t bytes = checked_bytes(fmt::format("{}: byte 4", path), array.shape, size_of_element);
  const Contents contents = source.rest(bytes, shape_text);

  if (limit > 0) array.shape[0] = std::min(array.shape[0], limit);
  array.values = matrix_of_shape(array.shape);
  const VectorView out = array.values.reshaped();
  switch (magic[2]) {
    case 0x08: convert<std::uint8_t, std::uint8_t>(contents, scale, out); break;
    case 0x09: convert<std::uint8_t, std::int8_t>(contents, scale, out); break;
    case 0x0B: convert<std::uint16_t, std::int16_t>(contents, scale, out); break;
    case 0x0C: convert<std::uint32_t, std::int32_t>(contents, scale, out); break;
    case 0x0D: convert<std::uint32_t, float>(contents, scale, out); break;
    default: convert<std::uint64_t, double>(contents, scale, out); break;
  }
  return array;
}

std::vector<std::int32_t> read_idx_labels(const std::string& path, Index class_count) {
  const Array array = read_idx(path);
  if (array.shape.size() != 1) {
    fail("{}: byte 3: has rank {}, but labels have rank 1; give the file of labels", path, array.shape.size());
  }
  std::vector<std::int32_t> labels(static_cast<std::size_t>(array.values.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double label = array.values.data()[i];
    if (!(label >= 0 && label < static_cast<double>(class_count) && label == std::floor(label))) {
      fail("{}: label {} of sample {} is no class in 0..{}; check that images and labels belong together", path, label,
           i, class_count - 1);
    }
    labels[i] = static_cast<std::int32_t>(label);
  }
  return labels;
}

bool looks_like_idx(const FileBytes& file) {
  unsigned char magic[4] = {};
  try {
    if (Source(file).read(reinterpret_cast<char*>(magic), 4) < 4) return false;
  } catch (const Error&) {
    return false;  // a damaged gzip stream opens like nothing
  }
  return magic[0] == 0 && magic[1] == 0 && element_size(magic[2]) > 0 && magic[3] > 0;
}

}  // namespace hesse
