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

std::string blocks_text(const Table& table, const TerminalStyle& style) {
  Index name_width = 0;
  for (const Column& column : table.columns) name_width = std::max(name_width, display_width(column.name));
  std::string out;
  for (const auto& row : table.rows) {
    if (!out.empty()) out += '\n';
    for (std::size_t j = 0; j < row.size(); ++j) {
      out += padded(one_line(table.columns[j].name), name_width, false) + "  " +
             bold(one_line(row[j].text), style.color && row[j].emphasised) + '\n';
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

std::string terminal_text(const Table& table, const TerminalStyle& style) {
  std::vector<Index> widths;
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    Index width = display_width(one_line(table.columns[j].name));
    for (const auto& row : table.rows) width = std::max(width, display_width(one_line(row[j].text)));
    widths.push_back(width);
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), Index{0}) +
           kGap * std::max<Index>(0, static_cast<Index>(widths.size()) - 1);
  };
  std::string out = table.title.empty() ? "" : bold(table.title, style.color) + '\n';
  if (style.width > 0) {
    // Take from the widest text until it fits.
    while (total() > style.width) {
      std::size_t widest = widths.size();
      for (std::size_t j = 0; j < widths.size(); ++j) {
        const bool may_shrink = !table.columns[j].numeric && widths[j] > kLeastTextWidth;
        if (may_shrink && (widest == widths.size() || widths[j] > widths[widest])) widest = j;
      }
      if (widest == widths.size()) return out + blocks_text(table, style);
      --widths[widest];
    }
  }
  const auto line = [&](auto cell) {
    std::string text;
    for (std::size_t j = 0; j < widths.size(); ++j) {
      if (j > 0) text.append(kGap, ' ');
      text += cell(j);
    }
    const auto last = text.find_last_not_of(' ');
    text.erase(last == std::string::npos ? 0 : last + 1);
    return text + '\n';
  };
  std::string rule;
  for (Index i = 0; i < total(); ++i) rule += style.unicode ? "─" : "-";
  rule += '\n';
  const auto place = [&](std::string_view text, std::size_t j) {
    return padded(fit(one_line(text), widths[j], style.unicode), widths[j], table.columns[j].numeric);
  };
  out += rule + line([&](std::size_t j) { return bold(place(table.columns[j].name, j), style.color); }) + rule;
  for (const auto& row : table.rows) {
    out += line([&](std::size_t j) { return bold(place(row[j].text, j), style.color && row[j].emphasised); });
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
