/// \file
/// Tables: made once, written for the terminal, Markdown, CSV and LaTeX.
#pragma once

#include "hesse/report/statistics.h"
#include "hesse/report/terminal.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {

/// The text of a cell.
struct Cell {
  std::string text;
  bool emphasised = false;  ///< the best of its column, for example

  Cell(std::string its_text, bool emphasis = false) : text(std::move(its_text)), emphasised(emphasis) {}
  Cell(const char* its_text) : text(its_text) {}
};

/// The heading of a column.
struct Column {
  std::string name;
  bool numeric = true;  ///< aligned to the right, and never broken
};

/// Rows of cells under headings.
struct Table {
  std::string title;  ///< may be empty
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;

  /// Throws Error when the row does not have one cell for each column.
  void add(std::vector<Cell> row);
};

/// Aligned columns with rules. In a table that is wider than the terminal texts and names of columns are wrapped, down
/// to 8 columns and to their longest word; nothing is cut, and a number is never broken, since a part of it is another
/// number. Where that is not enough each row is written as a block of "name  value" lines.
std::string terminal_text(const Table& table, const TerminalStyle& style);
/// A pipe table as GitHub shows it.
std::string markdown_text(const Table& table);
/// RFC 4180, lines ended by "\n"; without the title.
std::string csv_text(const Table& table);
/// A tabular environment with the rules of the booktabs package, special characters escaped.
std::string latex_text(const Table& table);

/// A number with this many significant digits: "0.3121", "1.250e-09", "1.250e+07"; "nan", "inf".
/// Plain notation for magnitudes from 1e-4 to 1e6, and for 0.
std::string significant(double value, int digits = 4);

/// "0.3121 [0.3098, 0.3140]": median and quartiles with the same number of decimals, such that the
/// largest has `digits` significant ones. Followed by " (1 of 3 failed)" where some did.
std::string median_and_quartiles(const SampleSummary& sample, int digits = 4);

}  // namespace hesse
