/// \file
/// Reader and writer of NumPy's NPY format, versions 1.0 to 3.0 (numpy.lib.format; Kern 2007, NEP 1): a magic string,
/// a header that is a Python dictionary with the keys descr, fortran_order and shape, then the raw entries.
#pragma once

#include "hesse/data/array.h"
#include "hesse/data/data_file.h"

#include <string>

namespace hesse {

/// Reads an array of f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 or b1, little- or big-endian, in C or Fortran order.
/// Whole numbers that a double cannot hold exactly are refused. NaN and infinity are read as they are. Throws Error
/// with file and byte on any other content; nothing is allocated before the shape fits the length of the file, and
/// pickled objects are never loaded.
Array read_npy(const std::string& path);
Array read_npy(const FileBytes& file);

enum class NpyType { f8, f4 };

/// Writes version 1.0 in C order, little-endian. Round trip in f8 is exact.
void write_npy(const std::string& path, const Array& array, NpyType type = NpyType::f8);
/// Writes a matrix with shape (rows, columns): what numpy.load then indexes as a[i, j] is a(i, j).
void write_npy(const std::string& path, ConstMatrixView a, NpyType type = NpyType::f8);

/// Whether the bytes open with NPY's magic string.
bool looks_like_npy(const FileBytes& file);

}  // namespace hesse
