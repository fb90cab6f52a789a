#include "hesse/data/nist.h"

#include "hesse/core/error.h"
#include "hesse/data/data_file.h"
#include "hesse/data/text_number.h"

#include <cmath>
#include <optional>
#include <string_view>

namespace hesse {
namespace {

/// Goes through a text line by line, each cut into words.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  bool next() {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line_ = trimmed(text_.substr(at_, end - at_));
    if (line_.ends_with('\r')) line_ = trimmed(line_.substr(0, line_.size() - 1));
    at_ = end + 1;
    ++number_;
    words_.clear();
    for (std::size_t begin = 0; begin < line_.size();) {
      begin = line_.find_first_not_of(" \t", begin);
      if (begin == std::string_view::npos) break;
      const std::size_t stop = std::min(line_.find_first_of(" \t", begin), line_.size());
      words_.push_back(line_.substr(begin, stop - begin));
      begin = stop;
    }
    return true;
  }

  std::string_view line() const { return line_; }
  const std::vector<std::string_view>& words() const { return words_; }
  Index number() const { return number_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  Index number_ = 0;
  std::string_view line_;
  std::vector<std::string_view> words_;
};

/// k of "b12" or "B0"; nothing for other words.
std::optional<Index> parameter_index(std::string_view word) {
  if (word.size() < 2 || word.size() > 4 || (word[0] != 'b' && word[0] != 'B')) return std::nullopt;
  Index k = 0;
  for (const char digit : word.substr(1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    k = 10 * k + (digit - '0');
  }
  return k;
}

/// Whether the words name columns of data: y, x, x1, ...
bool are_columns(const std::vector<std::string_view>& words) {
  if (words.size() < 3 || words[0] != "Data:" || words[1] != "y") return false;
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i][0] != 'x' || words[i].find_first_not_of("0123456789", 1) != std::string_view::npos) return false;
  }
  return true;
}

class Reader {
 public:
  Reader(const std::string& path, std::string_view text) : path_(path), lines_(text) {}

  NistReference read() && {
    if (!lines_.next() || !lines_.line().starts_with("NIST/ITL StRD")) {
      bad("does not begin with 'NIST/ITL StRD'; give a .dat file of NIST's Statistical Reference Datasets");
    }
    bool procedure = false;
    while (lines_.next()) {
      const auto& words = lines_.words();
      if (words.empty()) continue;
      if (lines_.line().starts_with("Dataset Name:") && words.size() >= 3) {
        out_.name = words[2];
      } else if (lines_.line().starts_with("Procedure:")) {
        if (procedure) bad("says a second time what the procedure is; fetch the file again");
        procedure = true;
        out_.linear = words.size() >= 2 && words[1] == "Linear";
      } else if (are_columns(words)) {
        read_data(words.size() - 1);
        break;
      } else if (const auto k = parameter_index(words[0])) {
        read_parameter(*k, words);
      } else {
        read_statistic(words);
      }
    }
    if (!procedure) bad("has no line 'Procedure:' that says whether the model is linear; fetch the file again");
    check();
    return std::move(out_);
  }

 private:
  template <class... Args>
  [[noreturn]] void bad(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: line {}: {}", path_, lines_.number(), fmt::format(format, std::forward<Args>(args)...));
  }

  double number(std::string_view word, const char* what) const {
    const TextNumber value = read_number(word);
    if (value.kind != TextNumber::Kind::finite) {
      bad("the {} '{}' is no finite number; fetch the file again", what, excerpt(word));
    }
    return value.value;
  }

  /// "b1 = start1 start2 estimate deviation", or "B0 estimate deviation".
  void read_parameter(Index k, const std::vector<std::string_view>& words) {
    // The formula of a model may go on in a line that begins with a parameter, "b3*x" is another word.
    const bool equation = words.size() >= 2 && words[1] == "=";
    const std::size_t values = out_.linear ? 2 : 4;
    const std::size_t first = equation ? 2 : 1;
    if (equation == out_.linear || words.size() != first + values) {
      bad("the line of parameter {} holds {} words where {} numbers belong; fetch the file again", excerpt(words[0]),
          words.size(), values);
    }
    const auto found = static_cast<Index>(estimates_.size());
    if (found == 0 && out_.linear) out_.intercept = k == 0;
    const Index expected = found + (out_.linear && out_.intercept ? 0 : 1);
    if (k != expected) {
      bad("parameter {} comes where number {} belongs; fetch the file again", excerpt(words[0]), expected);
    }
    if (!out_.linear) {
      far_.push_back(number(words[first], "start"));
      close_.push_back(number(words[first + 1], "start"));
    }
    estimates_.push_back(number(words[words.size() - 2], "certified value"));
    deviations_.push_back(number(words.back(), "standard deviation"));
    if (deviations_.back() < 0) bad("the standard deviation {} is negative; fetch the file again", deviations_.back());
  }

  void read_statistic(const std::vector<std::string_view>& words) {
    if (lines_.line().starts_with("Residual Sum of Squares:")) {
      sum_ = number(words.back(), "residual sum of squares");
    } else if (lines_.line().starts_with("Residual Standard Deviation:") ||
               (out_.linear && lines_.line().starts_with("Standard Deviation "))) {
      deviation_ = number(words.back(), "residual standard deviation");
    } else if (lines_.line().starts_with("Number of Observations:")) {
      observations_ = number(words.back(), "number of observations");
    } else if (out_.linear && words[0] == "Residual" && words.size() == 4) {
      // The row of the analysis of variance: degrees of freedom, sum and mean of squares.
      sum_ = number(words[2], "residual sum of squares");
    }
  }

  void read_data(std::size_t columns) {
    std::vector<double> values;
    while (lines_.next()) {
      const auto& words = lines_.words();
      if (words.empty()) continue;
      if (words.size() != columns) {
        bad("holds {} numbers where {} columns were announced; fetch the file again", words.size(), columns);
      }
      for (const std::string_view word : words) values.push_back(number(word, "observation"));
    }
    if (values.empty()) return;  // check() says so
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto width = static_cast<Index>(columns);
    const Eigen::Map<const RowMajor> table(values.data(), static_cast<Index>(values.size()) / width, width);
    out_.y = table.col(0);
    out_.x = table.rightCols(width - 1);
  }

  void check() {
    const auto n = static_cast<Index>(estimates_.size());
    const Index m = out_.y.size();
    if (out_.name.empty()) bad("no line 'Dataset Name:' was found; fetch the file again");
    if (n == 0) bad("no certified parameter was found; fetch the file again");
    if (m == 0) bad("no observation was found after a line 'Data: y x'; fetch the file again");
    if (!sum_ || !(*sum_ >= 0)) bad("no residual sum of squares >= 0 was found; fetch the file again");
    if (!deviation_) bad("no residual standard deviation was found; fetch the file again");
    if (observations_ && *observations_ != static_cast<double>(m)) {
      bad("{} observations are announced, but there are {}; fetch the file again", *observations_, m);
    }
    if (m <= n) bad("{} observations do not determine {} parameters and an error; fetch the file again", m, n);
    // Their own line of degrees of freedom is wrong in one file of NIST (Rat43: 9 instead of 11), the deviation is not.
    const double implied = *deviation_ * *deviation_ * static_cast<double>(m - n);
    if (!(std::abs(implied - *sum_) <= 1e-8 * *sum_)) {
      bad("the residual standard deviation {} does not fit the sum of squares {} of {} observations and {} parameters; "
          "fetch the file again",
          *deviation_, *sum_, m, n);
    }
    const Index predictors = out_.x.cols();
    if (out_.linear && predictors > 1 && n != predictors + (out_.intercept ? 1 : 0)) {
      bad("{} parameters do not fit {} predictors; fetch the file again", n, predictors);
    }
    const auto vector = [](const std::vector<double>& v) {
      return Vector(Eigen::Map<const Vector>(v.data(), static_cast<Index>(v.size())));
    };
    if (!out_.linear) out_.starts = {vector(far_), vector(close_)};
    out_.parameters = vector(estimates_);
    out_.standard_deviations = vector(deviations_);
    out_.residual_sum_of_squares = *sum_;
    out_.degrees_of_freedom = m - n;
  }

  const std::string& path_;
  Lines lines_;
  NistReference out_;
  std::vector<double> far_, close_, estimates_, deviations_;
  std::optional<double> sum_, deviation_, observations_;
};

}  // namespace

NistReference read_nist(const std::string& path) {
  const std::string text = read_text(path);
  return Reader(path, text).read();
}

Matrix design_matrix(const NistReference& reference) {
  const Index m = reference.y.size();
  const Index n = reference.parameters.size();
  const Index shift = reference.intercept ? 1 : 0;
  if (!reference.linear) fail("{}: its model is not linear, so it has no design matrix", reference.name);
  Matrix X(m, n);
  if (shift == 1) X.col(0).setOnes();
  for (Index j = shift; j < n; ++j) {
    if (reference.x.cols() > 1) {
      X.col(j) = reference.x.col(j - shift);
    } else if (j == shift) {
      X.col(j) = reference.x.col(0);
    } else {
      X.col(j) = X.col(j - 1).cwiseProduct(reference.x.col(0));
    }
  }
  return X;
}

}  // namespace hesse
