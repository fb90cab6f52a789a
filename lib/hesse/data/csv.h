/// \file
/// Reader of tables in comma-separated text (RFC 4180): one sample a record, one column the label.
#pragma once

#include "hesse/data/data_file.h"
#include "hesse/data/dataset.h"
#include "hesse/data/labels.h"

#include <memory>
#include <string>

namespace hesse {

/// Whether the first line names the columns.
enum class CsvHeader {
  automatic,  ///< the first record is a header when it has a text where the second record has a number, or only texts
  present,
  absent,
};

/// How a CSV file is read.
struct CsvOptions {
  /// The label column: "last", "none", a name of the header, or a number from 0 (negative: from the end).
  std::string label = "last";
  LabelKind label_kind = LabelKind::automatic;  ///< texts are always classes
  CsvHeader header = CsvHeader::automatic;
  char separator = ',';
  Index skip_lines = 0;  ///< lines before the header or the first record, >= 0
};

/// Reads a table, gzip-compressed or not, with LF, CRLF or CR line ends, quoted fields (a quote inside is doubled) and
/// an optional UTF-8 byte-order mark. Blank lines are skipped. All features must be finite numbers; text classes are
/// numbered alphabetically. Two passes over the text, so that memory is the text and the result.
/// Throws Error with file, line and column on missing values, texts among the features, unequal records, unclosed
/// quotes, NUL bytes, a header that names a column twice, and a table without samples or features.
std::shared_ptr<Dataset> read_csv(const std::string& path, const CsvOptions& options = {});
std::shared_ptr<Dataset> read_csv(const FileBytes& file, const CsvOptions& options = {});

}  // namespace hesse
