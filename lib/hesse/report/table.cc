#include "hesse/report/table.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace hesse {

namespace {

constexpr Index kGap = 2;
constexpr Index kLeastTextWidth = 8;

std::string padded(std::string_view text, Index width, bool right) {
  const std::string space(static_cast<std::size_t>(std::max<Index>(0, width - display_width(text))), ' ');
  return right ? space + std::string(text) : std::string(text) + space;
}

std::string bold(const std::string& text, bool on) { return on ? fmt::format("\033[1m{}\033[0m", text) : text; }

/// Lines and other controls have no place in a cell.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return out;
}

/// Width of the longest word.
Index word_width(const std::string& text) {
  Index width = 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    width = std::max(width, display_width(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return width;
}

std::string blocks_text(const Table& table, const TerminalStyle& style) {
  Index name_width = 0;
  for (const Column& column : table.columns) name_width = std::max(name_width, display_width(column.name));
  const Index room = std::max(kLeastTextWidth, style.width - name_width - kGap);
  std::string out;
  for (const auto& row : table.rows) {
    if (!out.empty()) out += '\n';
    for (std::size_t j = 0; j < row.size(); ++j) {
      std::string name = one_line(table.columns[j].name);
      const std::string text = one_line(row[j].text);
      const auto lines = table.columns[j].numeric ? std::vector<std::string>{text} : wrapped_lines(text, room);
      for (const std::string& line : lines) {
        std::string whole = padded(name, name_width, false) + "  " + bold(line, style.color && row[j].emphasised);
        whole.erase(whole.find_last_not_of(' ') + 1);
        out += whole + '\n';
        name.clear();
      }
    }
  }
  return out;
}

std::string escaped(std::string_view text, std::initializer_list<std::pair<char, const char*>> rules) {
  std::string out;
  for (const char c : one_line(text)) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [c](const auto& r) { return r.first == c; });
    if (rule == rules.end()) {
      out += c;
    } else {
      out += rule->second;
    }
  }
  return out;
}

std::string markdown(std::string_view text) {
  return escaped(text, {{'\\', "\\\\"},
                        {'|', "\\|"},
                        {'<', "&lt;"},
                        {'>', "&gt;"},
                        {'&', "&amp;"},
                        {'*', "\\*"},
                        {'_', "\\_"},
                        {'`', "\\`"}});
}

std::string latex(std::string_view text) {
  return escaped(text, {{'\\', "\\textbackslash{}"},
                        {'&', "\\&"},
                        {'%', "\\%"},
                        {'$', "\\$"},
                        {'#', "\\#"},
                        {'_', "\\_"},
                        {'{', "\\{"},
                        {'}', "\\}"},
                        {'~', "\\textasciitilde{}"},
                        {'^', "\\textasciicircum{}"},
                        {'<', "\\textless{}"},
                        {'>', "\\textgreater{}"}});
}

std::string csv(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

/// Decimal exponent of x as `digits` significant digits show it: 9.9996 shown by four is 10.00.
int shown_exponent(double x, int digits) {
  const std::string text = fmt::format("{:.{}e}", x, digits - 1);
  return std::stoi(text.substr(text.find('e') + 1));
}

bool plain_notation(int exponent) { return exponent >= -4 && exponent < 6; }

std::string non_finite(double value) { return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"; }

}  // namespace

void Table::add(std::vector<Cell> row) {
  if (row.size() != columns.size()) {
    fail("table '{}': a row has {} cells, the table has {} columns", title, row.size(), columns.size());
  }
  rows.push_back(std::move(row));
}

namespace {

/// The widths of columns on a terminal.
class Layout {
 public:
  explicit Layout(const Table& table) {
    for (const Column& column : table.columns) {
      const std::string name = one_line(column.name);
      widths.push_back(display_width(name));
      words_.push_back(word_width(name));
      values_.push_back(0);
    }
    for (const auto& row : table.rows) {
      std::vector<Index>& lengths = lengths_.emplace_back();
      for (std::size_t j = 0; j < row.size(); ++j) {
        const std::string text = one_line(row[j].text);
        lengths.push_back(display_width(text));
        values_[j] = std::max(values_[j], lengths.back());
        words_[j] = std::max(words_[j], word_width(text));
        widths[j] = std::max(widths[j], lengths.back());
      }
    }
    for (std::size_t j = 0; j < table.columns.size(); ++j) {
      // A numeric column may wrap its name alone.
      if (table.columns[j].numeric) words_[j] = std::max(values_[j], word_width(one_line(table.columns[j].name)));
      numeric_.push_back(table.columns[j].numeric);
    }
  }

  Index total() const {
    return std::accumulate(widths.begin(), widths.end(), Index{0}) + kGap * std::max<Index>(0, std::ssize(widths) - 1);
  }

  /// Narrows columns until all fit; false where that is impossible. Words stay whole as long as that is possible, and
  /// what is taken away goes where it makes the table grow least in height.
  bool shrink_to(Index limit) {
    for (const bool whole_words : {true, false}) {
      while (total() > limit) {
        std::size_t best = widths.size();
        Index best_height = 0;
        for (std::size_t j = 0; j < widths.size(); ++j) {
          if (widths[j] <= least(j, whole_words)) continue;
          --widths[j];
          const Index lines = height();
          ++widths[j];
          const bool better =
              best == widths.size() || lines < best_height || (lines == best_height && widths[j] > widths[best]);
          if (better) {
            best = j;
            best_height = lines;
          }
        }
        if (best == widths.size()) break;
        --widths[best];
      }
    }
    return total() <= limit;
  }

  std::vector<Index> widths;

 private:
  Index least(std::size_t j, bool whole_words) const {
    if (numeric_[j]) return words_[j];
    return std::min(whole_words ? std::max(kLeastTextWidth, words_[j]) : kLeastTextWidth, widths[j]);
  }
  /// Lines of the rows, about.
  Index height() const {
    Index sum = 0;
    for (const auto& lengths : lengths_) {
      Index lines = 1;
      for (std::size_t j = 0; j < lengths.size(); ++j)
        lines = std::max(lines, (lengths[j] + widths[j] - 1) / std::max<Index>(1, widths[j]));
      sum += lines;
    }
    return sum;
  }

  std::vector<std::vector<Index>> lengths_;  ///< of each cell
  std::vector<Index> values_;                ///< the longest cell of each column
  std::vector<Index> words_;                 ///< what each column needs without breaking a word, or a number
  std::vector<bool> numeric_;
};

}  // namespace

std::string terminal_text(const Table& table, const TerminalStyle& style) {
  Layout layout(table);
  std::string out;
  if (!table.title.empty()) {
    std::string title = wrapped(one_line(table.title), style.width);
    title.pop_back();
    out = bold(title, style.color) + '\n';
  }
  if (style.width > 0 && !layout.shrink_to(style.width)) return out + blocks_text(table, style);
  const std::vector<Index>& widths = layout.widths;
  // Rows of the screen, as many as the cell of the most lines has. `text_of` and `is_bold` are of a column.
  const auto lines = [&](auto text_of, auto is_bold) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t j = 0; j < widths.size(); ++j) {
      const std::string text = one_line(text_of(j));
      cells.push_back(display_width(text) <= widths[j] ? std::vector<std::string>{text}
                                                       : wrapped_lines(text, widths[j]));
      height = std::max(height, cells.back().size());
    }
    std::string screen;
    for (std::size_t i = 0; i < height; ++i) {
      std::string line;
      for (std::size_t j = 0; j < widths.size(); ++j) {
        if (j > 0) line.append(kGap, ' ');
        const std::string part = i < cells[j].size() ? cells[j][i] : "";
        line += bold(padded(part, widths[j], table.columns[j].numeric), is_bold(j));
      }
      line.erase(line.find_last_not_of(' ') + 1);
      screen += line + '\n';
    }
    return screen;
  };
  std::string rule;
  for (Index i = 0; i < layout.total(); ++i) rule += style.unicode ? "─" : "-";
  rule += '\n';
  out += rule + lines([&](std::size_t j) { return table.columns[j].name; }, [&](std::size_t) { return style.color; });
  out += rule;
  for (const auto& row : table.rows) {
    out += lines([&](std::size_t j) { return row[j].text; },
                 [&](std::size_t j) { return style.color && row[j].emphasised; });
  }
  return out + rule;
}

std::string markdown_text(const Table& table) {
  std::string out = table.title.empty() ? "" : fmt::format("**{}**\n\n", markdown(table.title));
  std::string rule = "|";
  out += '|';
  for (const Column& column : table.columns) {
    out += fmt::format(" {} |", markdown(column.name));
    rule += column.numeric ? " ---: |" : " --- |";
  }
  out += '\n' + rule + '\n';
  for (const auto& row : table.rows) {
    out += '|';
    for (const Cell& cell : row) {
      const char* star = cell.emphasised && !cell.text.empty() ? "**" : "";
      out += fmt::format(" {0}{1}{0} |", star, markdown(cell.text));
    }
    out += '\n';
  }
  return out;
}

std::string csv_text(const Table& table) {
  std::string out;
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    out += fmt::format("{}{}", j > 0 ? "," : "", csv(table.columns[j].name));
  out += '\n';
  for (const auto& row : table.rows) {
    for (std::size_t j = 0; j < row.size(); ++j) out += fmt::format("{}{}", j > 0 ? "," : "", csv(row[j].text));
    out += '\n';
  }
  return out;
}

std::string latex_text(const Table& table) {
  std::string out = table.title.empty() ? "" : fmt::format("% {}\n", one_line(table.title));
  out += "\\begin{tabular}{";
  for (const Column& column : table.columns) out += column.numeric ? 'r' : 'l';
  out += "}\n\\toprule\n";
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    out += fmt::format("{}{}", j > 0 ? " & " : "", latex(table.columns[j].name));
  out += " \\\\\n\\midrule\n";
  for (const auto& row : table.rows) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::string text = latex(row[j].text);
      out += j > 0 ? " & " : "";
      out += row[j].emphasised ? fmt::format("\\textbf{{{}}}", text) : text;
    }
    out += " \\\\\n";
  }
  return out + "\\bottomrule\n\\end{tabular}\n";
}

std::string significant(double value, int digits) {
  if (!std::isfinite(value)) return non_finite(value);
  if (value == 0) return "0";
  const int exponent = shown_exponent(value, digits);
  if (!plain_notation(exponent)) return fmt::format("{:.{}e}", value, digits - 1);
  return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent));
}

std::string median_and_quartiles(const SampleSummary& sample, int digits) {
  const std::array<double, 3> figures = {sample.median, sample.lower_quartile, sample.upper_quartile};
  double greatest = 0;
  for (const double figure : figures) {
    if (std::isfinite(figure)) greatest = std::max(greatest, std::abs(figure));
  }
  const int exponent = greatest == 0 ? 0 : shown_exponent(greatest, digits);
  // Quartiles that lie decades apart would lose all their digits to a common number of decimals.
  const bool wide = std::any_of(figures.begin(), figures.end(), [&](double figure) {
    return std::isfinite(figure) && figure != 0 && exponent - shown_exponent(figure, digits) >= digits - 1;
  });
  const auto show = [&](double figure) {
    if (!std::isfinite(figure) || wide || !plain_notation(exponent)) return significant(figure, digits);
    return fmt::format("{:.{}f}", figure, std::max(0, digits - 1 - exponent));
  };
  std::string out =
      fmt::format("{} [{}, {}]", show(sample.median), show(sample.lower_quartile), show(sample.upper_quartile));
  if (sample.failures > 0) out += fmt::format(" ({} of {} failed)", sample.failures, sample.n);
  return out;
}

}  // namespace hesse
