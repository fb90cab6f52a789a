/// \file
/// Reader of the sparse text format of LIBSVM (Chang and Lin 2011): `label index:value index:value ...`, indices from 1
/// and ascending, what is left out is 0, comments after '#'.
#pragma once

#include "hesse/data/data_file.h"
#include "hesse/data/dataset.h"
#include "hesse/data/labels.h"

#include <memory>
#include <string>

namespace hesse {

/// How a LIBSVM file is read.
struct LibsvmOptions {
  Index features = 0;  ///< number of features, >= the largest index; 0: the largest index of the file
  LabelKind label_kind = LabelKind::automatic;
};

/// Reads into dense inputs, gzip-compressed or not; labels of -1/+1, several classes or real targets. Since an index
/// may promise any number of features, the dense inputs may take at most 32 MiB + 64 bytes for each byte of text.
/// Throws Error with file, line and column on anything else, also on several labels a sample and on `qid:`.
std::shared_ptr<Dataset> read_libsvm(const std::string& path, const LibsvmOptions& options = {});
std::shared_ptr<Dataset> read_libsvm(const FileBytes& file, const LibsvmOptions& options = {});

}  // namespace hesse
