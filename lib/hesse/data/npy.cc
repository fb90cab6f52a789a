#include "hesse/data/npy.h"

#include "hesse/core/error.h"
#include "hesse/data/text_number.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hesse {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLargestRank = 32;  // NumPy's own

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<Index> shape;
};

/// Reads the one dictionary that the header is allowed to be.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text, std::size_t offset)
      : path_(path), text_(text), offset_(offset) {}

  Header parse() {
    Header header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        skip_space();
        if (at_ < text_.size() && text_[at_] == '[') {
          refuse("structured types are not supported; save one plain array a field");
        }
        header.descr = quoted();
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = shape();
        has_shape = true;
      } else {
        refuse(
            fmt::format("the key '{}' is unknown or given twice; save the array again with numpy.save", excerpt(key)));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) refuse("there is more after the closing '}'; save the array again with numpy.save");
    if (!has_descr || !has_order || !has_shape) {
      refuse("one of descr, fortran_order and shape is missing; save the array again with numpy.save");
    }
    return header;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    fail("{}: byte {}: in NPY's header, {}", path_, offset_ + at_, what);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) refuse(fmt::format("'{}' is expected; save the array again with numpy.save", c));
  }

  std::string quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') refuse("a quoted text is expected; save the array again with numpy.save");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) refuse("a quoted text does not end; save the array again with numpy.save");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    refuse("fortran_order is neither True nor False; save the array again with numpy.save");
  }

  std::vector<Index> shape() {
    std::vector<Index> out;
    expect('(');
    while (!accept(')')) {
      skip_space();
      Index size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc{} || size < 0) {
        refuse("a size of the shape is no whole number from 0 to 2^63 - 1; save the array again with numpy.save");
      }
      at_ = static_cast<std::size_t>(end - text_.data());
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // a long of Python 2
      out.push_back(size);
      if (out.size() > kLargestRank) refuse("the rank passes 32; reshape the array before saving it");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  const std::string& path_;
  std::string_view text_;
  std::size_t offset_;
  std::size_t at_ = 0;
};

/// Entry `i` in file order goes to position `target(i)` in row-major order.
template <class Target>
struct Conversion {
  const std::string& path;
  std::string_view data;
  std::size_t offset;
  bool big_endian;
  std::size_t count;
  double* out;
  Target target;

  template <class Value, class Bits>
  void run() const {
    for (std::size_t i = 0; i < count; ++i) {
      Bits bits = 0;
      for (std::size_t b = 0; b < sizeof(Bits); ++b) {
        const auto byte = static_cast<unsigned char>(data[i * sizeof(Bits) + b]);
        const std::size_t shift = 8 * (big_endian ? sizeof(Bits) - 1 - b : b);
        bits = static_cast<Bits>(bits | static_cast<Bits>(static_cast<Bits>(byte) << shift));
      }
      const auto value = std::bit_cast<Value>(bits);
      if constexpr (std::is_integral_v<Value> && sizeof(Value) == 8) {
        constexpr auto kExact = static_cast<Value>(std::int64_t{1} << 53U);
        bool exact = value <= kExact;
        if constexpr (std::is_signed_v<Value>) exact = exact && value >= -kExact;
        if (!exact) {
          fail("{}: byte {}: the whole number {} passes 2^53 and is not exact as a double; rescale the array first",
               path, offset + i * sizeof(Bits), value);
        }
      }
      out[target(i)] = static_cast<double>(value);
    }
  }

  /// False when the type is not among the supported ones.
  bool run_type(std::string_view type) const {
    if (type == "f8") return run<double, std::uint64_t>(), true;
    if (type == "f4") return run<float, std::uint32_t>(), true;
    if (type == "i1") return run<std::int8_t, std::uint8_t>(), true;
    if (type == "i2") return run<std::int16_t, std::uint16_t>(), true;
    if (type == "i4") return run<std::int32_t, std::uint32_t>(), true;
    if (type == "i8") return run<std::int64_t, std::uint64_t>(), true;
    if (type == "u1" || type == "b1") return run<std::uint8_t, std::uint8_t>(), true;
    if (type == "u2") return run<std::uint16_t, std::uint16_t>(), true;
    if (type == "u4") return run<std::uint32_t, std::uint32_t>(), true;
    if (type == "u8") return run<std::uint64_t, std::uint64_t>(), true;
    return false;
  }
};

/// Bytes of an element of a supported type, else 0.
std::size_t size_of_type(std::string_view descr) {
  constexpr std::string_view kTypes[] = {"f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
  if (descr.size() != 3 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos) return 0;
  const std::string_view type = descr.substr(1);
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) return 0;
  const auto size = static_cast<std::size_t>(type[1] - '0');
  return descr[0] == '|' && size != 1 ? 0 : size;
}

/// Walks a shape in Fortran order and gives each entry's position in C order.
class FortranWalk {
 public:
  explicit FortranWalk(const std::vector<Index>& shape)
      : shape_(shape), at_(shape.size(), 0), stride_(shape.size(), 1) {
    for (std::size_t d = shape.size(); d-- > 1;) stride_[d - 1] = stride_[d] * shape[d];
  }

  std::size_t next() {
    const Index here = position_;
    for (std::size_t d = 0; d < shape_.size(); ++d) {
      position_ += stride_[d];
      if (++at_[d] < shape_[d]) break;
      position_ -= stride_[d] * shape_[d];
      at_[d] = 0;
    }
    return static_cast<std::size_t>(here);
  }

 private:
  const std::vector<Index>& shape_;
  std::vector<Index> at_;
  std::vector<Index> stride_;
  Index position_ = 0;
};

template <class Bits>
void append_little_endian(std::string& out, Bits bits) {
  for (std::size_t b = 0; b < sizeof(Bits); ++b) out.push_back(static_cast<char>((bits >> (8 * b)) & 0xFFU));
}

std::string encode(const std::vector<Index>& shape, bool fortran_order, NpyType type,
                   Eigen::Map<const Vector> entries) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}{}), }}", type == NpyType::f8 ? "<f8" : "<f4",
                  fortran_order ? "True" : "False", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  // The data starts at a multiple of 64 bytes, and the header ends in a newline.
  constexpr std::size_t kFront = 10;
  header.append(63 - (kFront + header.size()) % 64, ' ');
  header.push_back('\n');
  std::string out(kMagic);
  out.append({'\x01', '\x00'});
  append_little_endian(out, static_cast<std::uint16_t>(header.size()));
  out += header;
  out.reserve(out.size() + static_cast<std::size_t>(entries.size()) * (type == NpyType::f8 ? 8 : 4));
  for (const double x : entries) {
    if (type == NpyType::f8) {
      append_little_endian(out, std::bit_cast<std::uint64_t>(x));
    } else {
      append_little_endian(out, std::bit_cast<std::uint32_t>(static_cast<float>(x)));
    }
  }
  return out;
}

}  // namespace

Array read_npy(const std::string& path) { return read_npy(FileBytes(path)); }

Array read_npy(const FileBytes& file) {
  const std::string& path = file.path();
  const std::string_view bytes = file.view();
  if (!looks_like_npy(file))
    fail("{}: byte 0: does not open with NPY's magic string; it is no NPY file, give one", path);
  const auto byte_at = [&](std::size_t i) -> std::size_t {
    if (i >= bytes.size()) fail("{}: byte {}: ends inside NPY's header; save the array again", path, bytes.size());
    return static_cast<unsigned char>(bytes[i]);
  };
  const std::size_t version = byte_at(6);
  if (version < 1 || version > 3 || byte_at(7) != 0) {
    fail("{}: byte 6: NPY version {}.{} is not among 1.0, 2.0 and 3.0; save the array again", path, version,
         byte_at(7));
  }
  std::size_t start = version == 1 ? 10 : 12;
  std::size_t length = 0;
  for (std::size_t i = start; i-- > 8;) length = (length << 8U) | byte_at(i);
  if (length > bytes.size() - start) {
    fail("{}: byte 8: the header announces {} bytes, but only {} follow; save the array again", path, length,
         bytes.size() - start);
  }
  const Header header = HeaderParser(path, bytes.substr(start, length), start).parse();
  start += length;

  const std::size_t element = size_of_type(header.descr);
  if (element == 0) {
    fail("{}: byte 8: the type '{}' is not among f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 and b1; convert it with astype",
         path, excerpt(header.descr));
  }
  Array array;
  array.shape = header.shape;
  const std::size_t announced = checked_bytes(fmt::format("{}: byte 8", path), array.shape, element);
  if (announced != bytes.size() - start) {
    fail("{}: byte {}: the shape ({}) of '{}' announces {} bytes, but {} follow; save the array again", path, start,
         fmt::join(array.shape, ", "), header.descr, announced, bytes.size() - start);
  }
  array.values = matrix_of_shape(array.shape);
  const bool big_endian = header.descr[0] == '>';
  const std::string_view type = std::string_view(header.descr).substr(1);
  const std::size_t count = announced / element;
  const auto convert = [&](auto target) {
    Conversion<decltype(target)>{path, bytes.substr(start), start, big_endian, count, array.values.data(), target}
        .run_type(type);
  };
  if (header.fortran_order) {
    FortranWalk walk(array.shape);
    convert([&walk](std::size_t) { return walk.next(); });
  } else {
    convert([](std::size_t i) { return i; });
  }
  return array;
}

void write_npy(const std::string& path, const Array& array, NpyType type) {
  write_file(path, encode(array.shape, false, type, array.flat()));
}

void write_npy(const std::string& path, ConstMatrixView a, NpyType type) {
  const Matrix plain = a;
  write_file(path, encode({a.rows(), a.cols()}, true, type, {plain.data(), plain.size()}));
}

bool looks_like_npy(const FileBytes& file) { return file.view().starts_with(kMagic); }

}  // namespace hesse
