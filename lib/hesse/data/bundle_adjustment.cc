#include "hesse/data/bundle_adjustment.h"

#include "hesse/core/error.h"
#include "hesse/data/data_file.h"
#include "hesse/data/text_number.h"

#include <algorithm>
#include <string_view>

namespace hesse {
namespace {

/// Goes through a text word by word, and knows its line.
class Words {
 public:
  Words(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  double number(const char* what) {
    const std::string_view word = next();
    if (word.empty()) fail("{}: line {}: the file ends where {} should be", path_, line_, what);
    const TextNumber number = read_number(word);
    if (number.kind != TextNumber::Kind::finite) {
      fail("{}: line {}: '{}' is no finite number, and {} should be there", path_, line_, excerpt(word), what);
    }
    return number.value;
  }

  /// A whole number in [least, end).
  Index whole(const char* what, Index least, Index end) {
    const double value = number(what);
    if (!(value >= static_cast<double>(least) && value < static_cast<double>(end)) ||
        value != static_cast<double>(static_cast<Index>(value))) {
      fail("{}: line {}: {:g} is no {}; it has to be a whole number from {} to {}", path_, line_, value, what, least,
           end - 1);
    }
    return static_cast<Index>(value);
  }

  void expect_end() {
    const std::string_view word = next();
    if (!word.empty()) fail("{}: line {}: '{}' comes after the last number", path_, line_, excerpt(word));
  }

 private:
  std::string_view next() {
    constexpr std::string_view kBlank = " \t\r\n";
    while (at_ < text_.size() && kBlank.find(text_[at_]) != std::string_view::npos) {
      if (text_[at_++] == '\n') ++line_;
    }
    const std::size_t end = std::min(text_.find_first_of(kBlank, at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    return word;
  }

  const std::string& path_;
  std::string_view text_;
  std::size_t at_ = 0;
  Index line_ = 1;
};

}  // namespace

BundleAdjustment read_bundle_adjustment(const std::string& path) {
  const std::string text = read_text(path);
  Words words(path, text);
  // Each number takes two bytes at least, so nothing larger than the file is allocated.
  const Index most = static_cast<Index>(text.size()) / 2 + 1;
  const Index cameras = words.whole("number of cameras", 1, most / 9 + 1);
  const Index points = words.whole("number of points", 1, most / 3 + 1);
  const Index observations = words.whole("number of observations", 1, most / 4 + 1);
  BundleAdjustment data;
  data.observations.resize(static_cast<std::size_t>(observations));
  for (Observation& o : data.observations) {
    o.camera = words.whole("camera of an observation", 0, cameras);
    o.point = words.whole("point of an observation", 0, points);
    o.x = words.number("a coordinate of an observation");
    o.y = words.number("a coordinate of an observation");
  }
  data.cameras.resize(9, cameras);
  data.points.resize(3, points);
  for (Index i = 0; i < data.cameras.size(); ++i) data.cameras(i) = words.number("a parameter of a camera");
  for (Index i = 0; i < data.points.size(); ++i) data.points(i) = words.number("a coordinate of a point");
  words.expect_end();
  return data;
}

}  // namespace hesse
