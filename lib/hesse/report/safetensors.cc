#include "hesse/report/safetensors.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/printable.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

namespace hesse {

namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie in memory");

constexpr std::size_t kLengthBytes = 8;
/// The format's own limit on the header.
constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr const char* kMetadataKey = "__metadata__";

/// Product of the shape times the size of an entry, or nothing when it overflows.
std::optional<std::uint64_t> byte_count(const std::vector<Index>& shape, TensorType type) {
  auto bytes = static_cast<std::uint64_t>(size_of(type));
  // A zero extent makes the product zero whatever the others are, as long as each step fits.
  for (const Index extent : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) return std::nullopt;
  }
  return bytes;
}

template <class Entry>
TensorToWrite tensor(std::string name, TensorType type, std::vector<Index> shape, std::span<const Entry> entries) {
  return {
      std::move(name), type, std::move(shape), {reinterpret_cast<const char*>(entries.data()), entries.size_bytes()}};
}

}  // namespace

const char* to_string(TensorType type) {
  switch (type) {
    case TensorType::f64: return "F64";
    case TensorType::f32: return "F32";
    case TensorType::i64: return "I64";
  }
  return "";
}

Index size_of(TensorType type) { return type == TensorType::f32 ? 4 : 8; }

TensorToWrite TensorToWrite::of(std::string name, std::vector<Index> shape, std::span<const double> entries) {
  return tensor(std::move(name), TensorType::f64, std::move(shape), entries);
}
TensorToWrite TensorToWrite::of(std::string name, std::vector<Index> shape, std::span<const float> entries) {
  return tensor(std::move(name), TensorType::f32, std::move(shape), entries);
}
TensorToWrite TensorToWrite::of(std::string name, std::vector<Index> shape, std::span<const std::int64_t> entries) {
  return tensor(std::move(name), TensorType::i64, std::move(shape), entries);
}

std::string safetensors_header(std::span<const TensorToWrite> tensors, const TensorMetadata& metadata) {
  std::set<std::string_view> names;
  Json header = Json::object();
  if (!metadata.empty()) {
    Json& texts = header[kMetadataKey] = Json::object();
    for (const auto& [key, text] : metadata) {
      if (!names.insert(key).second) fail("safetensors: the metadata key '{}' is given twice", key);
      texts[key] = text;
    }
    names.clear();
  }
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    if (tensor.name == kMetadataKey) fail("safetensors: '{}' is reserved and cannot name a tensor", kMetadataKey);
    if (!names.insert(tensor.name).second) fail("safetensors: the tensor '{}' is given twice", tensor.name);
    const auto expected = byte_count(tensor.shape, tensor.type);
    const bool negative =
        std::any_of(tensor.shape.begin(), tensor.shape.end(), [](Index extent) { return extent < 0; });
    if (negative || expected != tensor.bytes.size()) {
      fail("safetensors: the tensor '{}' of shape [{}] does not fit its {} bytes", tensor.name,
           fmt::join(tensor.shape, ", "), tensor.bytes.size());
    }
    header[tensor.name] = {
        {"dtype", to_string(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + *expected}}};
    offset += *expected;
  }
  std::string text;
  try {
    text = json_text(header, false);
  } catch (const Json::exception&) {
    fail("safetensors: a name or a metadata text is not valid UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeader)
    fail("safetensors: the header would have {} bytes; {} are allowed", text.size(), kMaxHeader);
  const std::uint64_t length = text.size();
  std::string out(kLengthBytes, '\0');
  std::memcpy(out.data(), &length, kLengthBytes);
  return out + text;
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const TensorMetadata& metadata) {
  const std::string header = safetensors_header(tensors, metadata);
  AtomicFile file(path);
  file.write(header);
  for (const TensorToWrite& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : bytes_(read_file(path)), file_(path.string()) {
  parse();
}

SafetensorsFile::SafetensorsFile(std::string bytes, std::string file)
    : bytes_(std::move(bytes)), file_(std::move(file)) {
  parse();
}

void SafetensorsFile::parse() {
  if (bytes_.size() < kLengthBytes) {
    fail("{}: byte {}: the file ends inside the header's length; it is not a safetensors file, or was cut off", file_,
         bytes_.size());
  }
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes_.data(), kLengthBytes);
  if (header_size > kMaxHeader) {
    fail("{}: byte 0: the header claims {} bytes, {} are allowed; it is not a safetensors file", file_, header_size,
         kMaxHeader);
  }
  if (header_size > bytes_.size() - kLengthBytes) {
    fail("{}: byte {}: the file ends inside the header of {} bytes; it was cut off", file_, bytes_.size(), header_size);
  }
  const std::size_t data_begin = kLengthBytes + static_cast<std::size_t>(header_size);
  const std::string_view header_text(bytes_.data() + kLengthBytes, static_cast<std::size_t>(header_size));
  if (!header_text.starts_with('{')) fail("{}: byte 8: the header does not start with '{{'", file_);
  const Json header = parse_json(header_text, fmt::format("{}: header (from byte 8)", file_));
  const std::uint64_t data_size = bytes_.size() - data_begin;

  struct Placed {
    StoredTensor tensor;
    std::uint64_t begin;
    std::uint64_t end;
  };
  std::vector<Placed> placed;
  for (const auto& [name, view] : JsonView(header, file_).members()) {
    if (name == kMetadataKey) {
      for (const auto& [key, text] : view.members()) metadata_.emplace_back(key, text.text());
      continue;
    }
    if (!is_printable(name)) view.refuse("a tensor's name holds a control character; give it another");
    view.allow_only({"dtype", "shape", "data_offsets"});
    Placed next{{name, TensorType::f64, {}, 0, {}}, 0, 0};
    const std::string type = view.at("dtype").text();
    if (type == "F64") {
      next.tensor.type = TensorType::f64;
    } else if (type == "F32") {
      next.tensor.type = TensorType::f32;
    } else if (type == "I64") {
      next.tensor.type = TensorType::i64;
    } else {
      view.at("dtype").refuse(
          fmt::format("entries of type '{}' cannot be read; convert them to F64, F32 or I64", type));
    }
    for (const JsonView& extent : view.at("shape").elements()) {
      const std::int64_t value = extent.integer();
      if (value < 0) extent.refuse(fmt::format("the extent {} is negative", value));
      next.tensor.shape.push_back(value);
    }
    const auto offsets = view.at("data_offsets").elements();
    if (offsets.size() != 2) view.at("data_offsets").refuse("expected two offsets");
    next.begin = offsets[0].unsigned_integer();
    next.end = offsets[1].unsigned_integer();
    const std::optional<std::uint64_t> size = byte_count(next.tensor.shape, next.tensor.type);
    if (!size) view.at("shape").refuse("the product of the extents overflows 64 bits");
    if (next.begin > next.end || next.end - next.begin != *size) {
      view.refuse(fmt::format("byte {}: the offsets [{}, {}) do not hold the {} bytes of the shape",
                              data_begin + std::min(next.begin, data_size), next.begin, next.end, *size));
    }
    if (next.end > data_size) {
      view.refuse(fmt::format("byte {}: the file ends before the tensor, whose last byte should be {}; it was cut off",
                              bytes_.size(), data_begin + next.end));
    }
    next.tensor.size = static_cast<Index>(*size) / size_of(next.tensor.type);
    next.tensor.bytes = {bytes_.data() + data_begin + next.begin, static_cast<std::size_t>(*size)};
    placed.push_back(std::move(next));
  }

  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t reached = 0;
  for (Placed& next : placed) {
    if (next.begin != reached) {
      fail("{}: byte {}: the tensor '{}' {}", file_, data_begin + std::min(reached, next.begin), next.tensor.name,
           next.begin < reached ? "overlaps the one before it" : "leaves a gap after the one before it");
    }
    reached = next.end;
    tensors_.push_back(std::move(next.tensor));
  }
  if (reached != data_size) {
    fail("{}: byte {}: {} bytes follow the last tensor", file_, data_begin + reached, data_size - reached);
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  if (const StoredTensor* tensor = find(name)) return *tensor;
  std::vector<std::string> names;
  for (const StoredTensor& tensor : tensors_) names.push_back(tensor.name);
  fail("{}: there is no tensor called '{}'{}", file_, name, suggestion(name, names));
}

const std::string* SafetensorsFile::find_metadata(std::string_view key) const {
  const auto found = std::find_if(metadata_.begin(), metadata_.end(), [&](const auto& m) { return m.first == key; });
  return found == metadata_.end() ? nullptr : &found->second;
}

Vector SafetensorsFile::numbers(const StoredTensor& tensor) const {
  Vector out(tensor.size);
  if (tensor.type == TensorType::f64) {
    if (tensor.size > 0) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  } else if (tensor.type == TensorType::f32) {
    for (Index i = 0; i < tensor.size; ++i) {
      float entry;
      std::memcpy(&entry, tensor.bytes.data() + 4 * i, 4);
      out[i] = static_cast<double>(entry);
    }
  } else {
    fail("{}: the tensor '{}' holds whole numbers (I64), real numbers are needed", file_, tensor.name);
  }
  return out;
}

std::vector<std::int64_t> SafetensorsFile::whole_numbers(const StoredTensor& tensor) const {
  if (tensor.type != TensorType::i64) {
    fail("{}: the tensor '{}' is of type {}, whole numbers (I64) are needed", file_, tensor.name,
         to_string(tensor.type));
  }
  std::vector<std::int64_t> out(static_cast<std::size_t>(tensor.size));
  if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

}  // namespace hesse
