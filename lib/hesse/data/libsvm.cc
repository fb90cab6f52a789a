#include "hesse/data/libsvm.h"

#include "hesse/core/error.h"
#include "hesse/data/text_number.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <vector>

namespace hesse {
namespace {

/// Calls on_label(value) and on_entry(index from 0, value) for each sample in order.
template <class OnLabel, class OnEntry>
void parse(const std::string& path, std::string_view text, OnLabel on_label, OnEntry on_entry) {
  Index line_number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view whole = text.substr(at, end - at);
    std::string_view line = whole.substr(0, whole.find('#'));
    at = end + 1;
    ++line_number;

    bool first = true;
    Index previous = 0;
    for (;;) {
      const auto begin = line.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) break;
      line.remove_prefix(begin);
      const std::string_view token = line.substr(0, line.find_first_of(" \t\r"));
      const auto refuse = [&](std::string_view what) {
        fail("{}: line {}, column {}: '{}' {}", path, line_number, token.data() - whole.data() + 1, excerpt(token),
             what);
      };
      line.remove_prefix(token.size());

      if (first) {
        first = false;
        if (token.find(',') != std::string_view::npos) refuse("gives several labels; keep one label a line");
        if (token.find(':') != std::string_view::npos) refuse("stands where the label should; put the label first");
        const TextNumber label = read_number(token);
        if (label.kind != TextNumber::Kind::finite) refuse("is no finite label; give a number such as 0, +1 or 2.5");
        on_label(label.value);
        continue;
      }
      const auto colon = token.find(':');
      if (colon == std::string_view::npos) refuse("is not of the form index:value; repair the line");
      if (token.substr(0, colon) == "qid") refuse("groups queries, which are not supported; remove it");
      Index index = 0;
      const auto [stop, error] = std::from_chars(token.data(), token.data() + colon, index);
      if (error != std::errc{} || stop != token.data() + colon) {
        refuse("has no whole number before the ':'; write index:value");
      }
      if (index < 1) refuse("has an index below 1; LIBSVM counts features from 1, so shift the indices");
      if (index <= previous) refuse("repeats an index or goes back; sort the indices of each line");
      previous = index;
      const TextNumber value = read_number(token.substr(colon + 1));
      if (value.kind != TextNumber::Kind::finite)
        refuse("has no finite number after the ':'; fill it in or leave it out");
      on_entry(index - 1, value.value);
    }
  }
}

}  // namespace

std::shared_ptr<Dataset> read_libsvm(const std::string& path, const LibsvmOptions& options) {
  return read_libsvm(FileBytes(path), options);
}

std::shared_ptr<Dataset> read_libsvm(const FileBytes& file, const LibsvmOptions& options) {
  const std::string& path = file.path();
  const std::string text = decode_text(file);
  std::vector<double> labels;
  Index features = 0;
  parse(
      path, text, [&](double label) { labels.push_back(label); },
      [&](Index index, double) { features = std::max(features, index + 1); });
  if (labels.empty()) fail("{}: line 1: holds no sample; give one 'label index:value ...' a line", path);
  if (options.features != 0) {
    if (features > options.features) {
      fail("{}: has an index {} where at most {} features are asked for; raise the number of features", path, features,
           options.features);
    }
    features = options.features;
  }
  if (features < 1) fail("{}: line 1: no sample has an entry; give features as index:value", path);
  const double limit = 32.0 * 1048576 + 64 * static_cast<double>(text.size());
  const double dense = 8.0 * static_cast<double>(features) * static_cast<double>(labels.size());
  if (dense > limit) {
    fail(
        "{}: {} features for {} samples would take {:.0f} bytes, for a text of {}; check the largest index, or choose "
        "fewer features",
        path, features, labels.size(), dense, text.size());
  }

  auto dataset = std::make_shared<Dataset>();
  dataset->name = path;
  dataset->inputs.setZero(features, static_cast<Index>(labels.size()));
  Index sample = -1;
  parse(
      path, text, [&](double) { ++sample; },
      [&](Index index, double value) { dataset->inputs(index, sample) = value; });
  assign_labels(path, labels, options.label_kind, *dataset);
  return dataset;
}

}  // namespace hesse
