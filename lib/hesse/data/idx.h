/// \file
/// Reader of IDX files, the format of MNIST and its relatives: two zero bytes, a type code, the rank, the sizes as
/// big-endian 32-bit numbers, then the entries in row-major order, big-endian. (LeCun, Cortes and Burges, "The MNIST
/// database of handwritten digits", 1998.) Gzip-compressed files are told by their magic bytes.
#pragma once

#include "hesse/data/array.h"
#include "hesse/data/data_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace hesse {

/// Reads an array of u8, i8, i16, i32, f32 or f64 with rank 1 to 255, each entry times `scale` (1/255 for images).
/// The sizes are checked against the length of the file (or what its compressed bytes can hold) before anything is
/// allocated, and a compressed file is decompressed no further than they announce. Conversion runs in parallel.
/// `limit` > 0 keeps only the first so many along the first index; the rest is checked but takes no memory as doubles.
/// Throws Error with file and byte on any other content.
Array read_idx(const std::string& path, double scale = 1.0, Index limit = 0);
Array read_idx(const FileBytes& file, double scale = 1.0, Index limit = 0);

/// Reads class labels: an array of whole numbers of rank 1, each in [0, class_count). Throws Error otherwise.
std::vector<std::int32_t> read_idx_labels(const std::string& path, Index class_count);

/// Whether the bytes open like an IDX file (after decompression).
bool looks_like_idx(const FileBytes& file);

}  // namespace hesse
