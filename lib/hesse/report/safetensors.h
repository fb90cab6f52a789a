/// \file
/// The safetensors format: named tensors in one file that PyTorch and NumPy read.
///
/// Eight bytes of header length (little-endian), a JSON header padded with spaces so that the data
/// start at a multiple of 8, then the tensors, row-major and little-endian, one after the other. Source:
/// the format's description, https://github.com/huggingface/safetensors. Hesse writes F64, F32 and
/// I64, and reads these three. The reader believes nothing: every offset, shape and size is checked against
/// the file, and the tensors must tile the data without gap or overlap.
#pragma once

#include "hesse/core/types.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {

enum class TensorType { f64, f32, i64 };

/// "F64", "F32", "I64".
const char* to_string(TensorType type);
/// Bytes of one entry.
Index size_of(TensorType type);

/// Texts stored beside the tensors, in order.
using TensorMetadata = std::vector<std::pair<std::string, std::string>>;

/// A tensor to be written: its entries, row-major. A scalar has an empty shape.
struct TensorToWrite {
  std::string name;
  TensorType type = TensorType::f64;
  std::vector<Index> shape;
  std::string_view bytes;

  static TensorToWrite of(std::string name, std::vector<Index> shape, std::span<const double> entries);
  static TensorToWrite of(std::string name, std::vector<Index> shape, std::span<const float> entries);
  static TensorToWrite of(std::string name, std::vector<Index> shape, std::span<const std::int64_t> entries);
};

/// The length, the header and its padding: all of the file that comes before the tensors' bytes.
/// Metadata come first. Throws Error on a repeated or reserved name, or a shape that does not fit
/// the bytes.
std::string safetensors_header(std::span<const TensorToWrite> tensors, const TensorMetadata& metadata);

/// Writes the file whole or not at all.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const TensorMetadata& metadata = {});

/// A tensor of a file that was read.
struct StoredTensor {
  std::string name;
  TensorType type = TensorType::f64;
  std::vector<Index> shape;
  Index size = 0;          ///< entries
  std::string_view bytes;  ///< into the file's buffer
};

/// A safetensors file in memory. Throws Error on anything that breaks the format, naming the file
/// and the byte.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  /// From bytes already read; `file` is named in errors.
  SafetensorsFile(std::string bytes, std::string file);
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  /// In the order of their bytes.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const TensorMetadata& metadata() const { return metadata_; }

  /// Null when there is none of this name.
  const StoredTensor* find(std::string_view name) const;
  /// Throws Error with a suggestion when there is none of this name.
  const StoredTensor& at(std::string_view name) const;
  const std::string* find_metadata(std::string_view key) const;

  /// The entries as doubles (F64 exactly, F32 widened). Throws Error on I64.
  Vector numbers(const StoredTensor& tensor) const;
  /// The entries of an I64 tensor; throws Error on another type.
  std::vector<std::int64_t> whole_numbers(const StoredTensor& tensor) const;

  const std::string& file() const { return file_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void parse();

  std::string bytes_;
  std::string file_;
  std::vector<StoredTensor> tensors_;
  TensorMetadata metadata_;
};

}  // namespace hesse
