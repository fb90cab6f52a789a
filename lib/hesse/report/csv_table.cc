#include "hesse/report/csv_table.h"

#include "hesse/core/error.h"
#include "hesse/report/atomic_file.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace hesse {
namespace {

constexpr std::size_t kLargest = std::size_t{256} << 20U;

/// A whole text as a number, whatever the locale.
std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || stop != end || error != std::errc()) return std::nullopt;
  return value;
}

const std::string& cell(const Table& table, std::size_t row, Index column) {
  return table.rows[row][static_cast<std::size_t>(column)].text;
}

Index known_column(const Table& table, std::string_view name, std::string_view file) {
  const Index at = find_column(table, name);
  if (at < 0) fail("{}: there is no column '{}'", file, name);
  return at;
}

}  // namespace

Table parse_csv_table(std::string_view text, std::string_view file) {
  Table table;
  std::vector<Cell> row;
  std::string field;
  std::size_t line = 1;
  const auto end_row = [&] {
    row.emplace_back(std::move(field));
    field.clear();
    if (table.columns.empty()) {
      for (Cell& name : row) table.columns.push_back({std::move(name.text), true});
    } else if (row.size() != table.columns.size()) {
      fail("{}: line {}: {} cells, and the header has {}", file, line, row.size(), table.columns.size());
    } else {
      table.rows.push_back(std::move(row));
    }
    row.clear();
  };
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.emplace_back(std::move(field));
      field.clear();
    } else if (c == '\n') {
      end_row();
      ++line;
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted) fail("{}: a quote is not closed", file);
  if (!field.empty() || !row.empty()) end_row();
  if (table.columns.empty()) fail("{}: there is no header", file);
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    table.columns[j].numeric = std::all_of(table.rows.begin(), table.rows.end(), [j](const std::vector<Cell>& cells) {
      return cells[j].text.empty() || number_in(cells[j].text);
    });
  }
  return table;
}

Table read_csv_table(const std::filesystem::path& path) {
  return parse_csv_table(read_file(path, kLargest), path.string());
}

Index find_column(const Table& table, std::string_view name) {
  const auto at = std::find_if(table.columns.begin(), table.columns.end(),
                               [name](const Column& column) { return column.name == name; });
  return at == table.columns.end() ? -1 : static_cast<Index>(at - table.columns.begin());
}

std::vector<double> numbers_of(const Table& table, std::string_view column, std::string_view file) {
  const Index at = known_column(table, column, file);
  std::vector<double> out;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    out.push_back(number_in(cell(table, i, at)).value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return out;
}

std::vector<std::string> texts_of(const Table& table, std::string_view column, std::string_view file) {
  const Index at = known_column(table, column, file);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < table.rows.size(); ++i) out.push_back(cell(table, i, at));
  return out;
}

void shorten_numbers(Table& table) {
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    if (!table.columns[j].numeric) continue;
    for (auto& row : table.rows) {
      const std::optional<double> number = number_in(row[j].text);
      if (number && row[j].text.size() > 9) row[j].text = significant(*number, 6);
    }
  }
}

}  // namespace hesse
