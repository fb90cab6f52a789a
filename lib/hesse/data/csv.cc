#include "hesse/data/csv.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/data/text_number.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse {
namespace {

/// Splits text into records, one at a time.
class CsvRecords {
 public:
  CsvRecords(const std::string& path, std::string_view text, char separator)
      : path_(path), text_(text), separator_(separator) {}

  /// Leaves out lines as they are, whatever they hold.
  void skip_lines(Index count) {
    for (Index i = 0; i < count && at_ < text_.size(); ++i) {
      while (at_ < text_.size() && !at_line_end()) ++at_;
      take_line_end();
    }
  }

  /// Reads the next record that is not a blank line into `fields`; false at the end of the text.
  bool next(std::vector<std::string_view>& fields) {
    do {
      if (at_ >= text_.size()) return false;
      line_ = next_line_;
      unescaped_.clear();
      fields.clear();
      do fields.push_back(field(fields.size()));
      while (at_ < text_.size() && text_[at_] == separator_ && ++at_ > 0);
      take_line_end();
    } while (fields.size() == 1 && trimmed(fields[0]).empty());
    return true;
  }

  /// The line on which the last record began, from 1.
  Index line() const { return line_; }

 private:
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }

  void take_line_end() {
    if (at_ >= text_.size()) return;
    at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
    ++next_line_;
  }

  std::string_view field(std::size_t column) {
    std::size_t start = at_;
    while (start < text_.size() && text_[start] == ' ' && separator_ != ' ') ++start;
    if (start < text_.size() && text_[start] == '"') return quoted(start + 1, column);
    start = at_;
    for (; at_ < text_.size() && text_[at_] != separator_ && !at_line_end(); ++at_) {
      if (text_[at_] == '\0') {
        fail("{}: line {}, column {}: holds a NUL byte; it is no text, export it as UTF-8 CSV", path_, next_line_,
             column + 1);
      }
    }
    return text_.substr(start, at_ - start);
  }

  std::string_view quoted(std::size_t start, std::size_t column) {
    bool escapes = false;
    const Index first_line = next_line_;
    for (at_ = start;; ++at_) {
      if (at_ >= text_.size()) {
        fail("{}: line {}, column {}: the quote that opens here is never closed; close it or remove it", path_,
             first_line, column + 1);
      }
      if (text_[at_] == '\n' || (text_[at_] == '\r' && !text_.substr(at_).starts_with("\r\n"))) ++next_line_;
      if (text_[at_] != '"') continue;
      if (!text_.substr(at_ + 1).starts_with('"')) break;
      escapes = true;
      ++at_;
    }
    std::string_view inside = text_.substr(start, at_ - start);
    ++at_;
    while (at_ < text_.size() && text_[at_] == ' ' && separator_ != ' ') ++at_;
    if (at_ < text_.size() && text_[at_] != separator_ && !at_line_end()) {
      fail("{}: line {}, column {}: there is more after the closing quote; double quotes inside a field", path_,
           next_line_, column + 1);
    }
    if (!escapes) return inside;
    std::string& plain = unescaped_.emplace_back();
    for (std::size_t i = 0; i < inside.size(); ++i) {
      plain.push_back(inside[i]);
      if (inside[i] == '"') ++i;
    }
    return plain;
  }

  const std::string& path_;
  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
  Index line_ = 1;
  Index next_line_ = 1;
  std::deque<std::string> unescaped_;  // a deque, so that views into it stay valid while it grows
};

bool is_text(std::string_view field) { return read_number(field).kind == TextNumber::Kind::text; }

bool is_header(const std::vector<std::string_view>& first, const std::vector<std::string_view>& second) {
  if (std::all_of(first.begin(), first.end(), is_text)) return true;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
    if (is_text(first[i]) && read_number(second[i]).kind == TextNumber::Kind::finite) return true;
  }
  return false;
}

/// The position of the label column, or `columns` when there is none.
std::size_t label_column(const std::string& path, const std::string& label, std::size_t columns,
                         const std::vector<std::string>& names) {
  if (label == "none") return columns;
  const auto named = std::find(names.begin(), names.end(), label);
  if (named != names.end()) return static_cast<std::size_t>(named - names.begin());
  if (label == "last") return columns - 1;
  Index number = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (error != std::errc{} || end != label.data() + label.size()) {
    fail("{}: line 1: there is no column '{}'{}; give a name of the header, a number, 'last' or 'none'", path, label,
         suggestion(label, names));
  }
  const Index count = static_cast<Index>(columns);
  if (number < -count || number >= count) {
    fail("{}: line 1: label column {} is out of range; the table has {} columns, numbered from 0", path, number,
         columns);
  }
  return static_cast<std::size_t>(number < 0 ? number + count : number);
}

}  // namespace

std::shared_ptr<Dataset> read_csv(const std::string& path, const CsvOptions& options) {
  return read_csv(FileBytes(path), options);
}

std::shared_ptr<Dataset> read_csv(const FileBytes& file, const CsvOptions& options) {
  const std::string& path = file.path();
  if (options.skip_lines < 0) fail("{}: skip_lines is {}; give a number >= 0", path, options.skip_lines);
  const std::string text = decode_text(file);
  auto dataset = std::make_shared<Dataset>();
  dataset->name = path;

  // The first two records tell whether there is a header, and how many columns.
  std::vector<std::string_view> fields;
  std::vector<std::string> names;
  CsvRecords records(path, text, options.separator);
  records.skip_lines(options.skip_lines);
  if (!records.next(fields)) fail("{}: line 1: holds no record; give a table with one sample a line", path);
  const std::size_t columns = fields.size();
  bool header = options.header == CsvHeader::present;
  {
    CsvRecords ahead = records;
    std::vector<std::string_view> second;
    if (options.header == CsvHeader::automatic && ahead.next(second)) header = is_header(fields, second);
  }
  if (header) {
    std::set<std::string> seen;
    for (const std::string_view field : fields) {
      names.emplace_back(trimmed(field));
      if (!seen.insert(names.back()).second) {
        fail("{}: line {}, column {}: the header names '{}' twice; rename one of the columns", path, records.line(),
             names.size(), excerpt(names.back()));
      }
    }
  }
  const std::size_t label = label_column(path, options.label, columns, names);
  if (columns - (label < columns ? 1 : 0) == 0) {
    fail("{}: line {}: has a label but no feature; check the separator '{}', or pass label=none", path, records.line(),
         options.separator == '\t' ? "tab" : std::string(1, options.separator));
  }

  // First pass: every record has as many fields, and is every label a number?
  const CsvRecords start = header ? records : [&] {
    CsvRecords again(path, text, options.separator);
    again.skip_lines(options.skip_lines);
    return again;
  }();
  Index samples = 0;
  bool numeric = true;
  for (CsvRecords pass = start; pass.next(fields);) {
    if (fields.size() != columns) {
      fail("{}: line {}: has {} fields where the first record has {}; repair the line", path, pass.line(),
           fields.size(), columns);
    }
    ++samples;
    if (label == columns) continue;
    const TextNumber value = read_number(fields[label]);
    if (value.kind == TextNumber::Kind::missing || value.kind == TextNumber::Kind::non_finite) {
      fail("{}: line {}, column {}: the label '{}' is {}; fill it in or remove the line", path, pass.line(), label + 1,
           excerpt(fields[label]), value.kind == TextNumber::Kind::missing ? "missing" : "not finite");
    }
    numeric = numeric && value.kind == TextNumber::Kind::finite;
  }
  if (samples == 0) fail("{}: line {}: has a header but no sample; export the table again", path, records.line());

  // Second pass: the numbers.
  dataset->inputs.resize(static_cast<Index>(columns - (label < columns ? 1 : 0)), samples);
  std::vector<double> values;
  std::map<std::string, std::int32_t, std::less<>> classes;
  double* out = dataset->inputs.data();
  for (CsvRecords pass = start; pass.next(fields);) {
    for (std::size_t i = 0; i < columns; ++i) {
      if (i == label) continue;
      const TextNumber value = read_number(fields[i]);
      if (value.kind != TextNumber::Kind::finite) {
        const char* what = value.kind == TextNumber::Kind::missing ? "a missing value"
                           : value.kind == TextNumber::Kind::text  ? "not a number"
                                                                   : "not finite";
        fail("{}: line {}, column {}{}: '{}' is {}; fill it in, or remove the line or the column", path, pass.line(),
             i + 1, names.empty() ? "" : fmt::format(" ({})", excerpt(names[i])), excerpt(fields[i]), what);
      }
      *out++ = value.value;
    }
    if (label == columns) continue;
    if (numeric) {
      values.push_back(read_number(fields[label]).value);
    } else {
      const std::string_view name = trimmed(fields[label]);
      auto at = classes.find(name);
      if (at == classes.end()) at = classes.emplace(name, static_cast<std::int32_t>(classes.size())).first;
      dataset->labels.push_back(at->second);
      if (classes.size() > 65536) {
        fail("{}: line {}, column {}: more than 65536 different class names; choose another label column", path,
             pass.line(), label + 1);
      }
    }
  }
  if (label < columns && numeric) assign_labels(path, values, options.label_kind, *dataset);
  if (!classes.empty()) {
    if (options.label_kind == LabelKind::real) {
      fail("{}: column {}: holds texts such as '{}', but real targets are asked for; choose another label column", path,
           label + 1, excerpt(classes.begin()->first));
    }
    std::vector<std::int32_t> rank(classes.size());
    std::int32_t next = 0;
    for (const auto& [name, first_seen] : classes) rank[static_cast<std::size_t>(first_seen)] = next++;
    for (std::int32_t& l : dataset->labels) l = rank[static_cast<std::size_t>(l)];
    dataset->class_count = next;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != label) dataset->feature_names.push_back(std::move(names[i]));
  }
  return dataset;
}

}  // namespace hesse
