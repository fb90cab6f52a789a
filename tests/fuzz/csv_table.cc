#include "formats.h"

#include "hesse/report/csv_table.h"

namespace hesse::fuzz {

void read_csv_table_bytes(const Input& input) {
  Table table;
  if (!value_or_error("table.csv", [&] { table = parse_csv_table(input.bytes, "table.csv"); })) return;
  for (const Column& column : table.columns) {
    require(numbers_of(table, column.name, "table.csv").size() == table.rows.size(), "a column lost numbers");
  }
  Table again;
  require(value_or_error("again", [&] { again = parse_csv_table(csv_text(table), "again"); }),
          "a table that was written is not read");
  require(again.columns.size() == table.columns.size() && again.rows.size() == table.rows.size(),
          "a table that was written has another size");
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t j = 0; j < table.columns.size(); ++j) {
      require(again.rows[i][j].text == table.rows[i][j].text, "a table that was written has another cell");
    }
  }
  shorten_numbers(table);
  markdown_text(table);
  latex_text(table);
  terminal_text(table, {.width = 60});
}

}  // namespace hesse::fuzz
