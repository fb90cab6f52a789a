/// \file
/// Reading back the CSV files of records as tables of texts.
#pragma once

#include "hesse/report/table.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hesse {

/// RFC 4180 with a header. A column is numeric where no cell of it is anything but a number, "nan", "inf", "-inf" or
/// empty. Throws Error naming file and line on a row of another length, an unclosed quote, or a missing header.
Table parse_csv_table(std::string_view text, std::string_view file);

/// The same from a file of at most 256 MiB.
Table read_csv_table(const std::filesystem::path& path);

/// Position of a column, or -1.
Index find_column(const Table& table, std::string_view name);

/// A column's numbers; NaN where a cell is no number. Throws Error, naming `file`, where there is no such column.
std::vector<double> numbers_of(const Table& table, std::string_view column, std::string_view file);

/// A column's texts. Throws Error, naming `file`, where there is no such column.
std::vector<std::string> texts_of(const Table& table, std::string_view column, std::string_view file);

/// Numbers of more than nine characters, in columns of numbers, to six significant digits: for people.
void shorten_numbers(Table& table);

}  // namespace hesse
