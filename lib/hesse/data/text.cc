#include "hesse/data/text.h"

#include "hesse/core/error.h"
#include "hesse/data/data_file.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace hesse {
namespace {

std::shared_ptr<Dataset> sequences(std::string_view text, const std::array<int, 256>& number, Index vocabulary,
                                   Index context, Index most) {
  auto dataset = std::make_shared<Dataset>();
  dataset->name = "text";
  dataset->class_count = vocabulary;
  dataset->places = context;
  Index count = std::max<Index>(0, (static_cast<Index>(text.size()) - 1) / context);
  if (most > 0) count = std::min(count, most);
  dataset->inputs.resize(context, count);
  dataset->labels.resize(static_cast<std::size_t>(context * count));
  const auto at = [&](Index i) { return number[static_cast<unsigned char>(text[static_cast<std::size_t>(i)])]; };
  for (Index i = 0; i < context * count; ++i) {
    dataset->inputs.data()[i] = at(i);
    dataset->labels[static_cast<std::size_t>(i)] = at(i + 1);
  }
  return dataset;
}

void visit_sequences(SequenceOptions& options, OptionVisitor& visitor) {
  visitor.option("context", options.context, Interval::closed(1, 65536), "characters of a sample");
  visitor.option("test_fraction", options.test_fraction, Interval::half_open(0, 1),
                 "share at the end for the test set");
  visitor.option("samples", options.samples, Interval::at_least(0), "the first training samples alone, 0 for all");
}

DataSplit read_text(const std::string& path, const SequenceOptions& options) {
  const FileBytes file(path);
  const std::string_view all = file.view();
  std::array<int, 256> number{};
  number.fill(-1);
  for (const char c : all) number[static_cast<unsigned char>(c)] = 0;
  Index vocabulary = 0;
  for (int& n : number) {
    if (n == 0) n = static_cast<int>(vocabulary++);
  }
  if (vocabulary < 2) fail("{}: holds one character alone, so there is nothing to tell; give a text", path);
  const auto train_size = static_cast<std::size_t>((1 - options.test_fraction) * static_cast<double>(all.size()));
  DataSplit split;
  const auto train = sequences(all.substr(0, train_size), number, vocabulary, options.context, options.samples);
  if (train->sample_count() == 0) {
    fail("{}: {} characters to train on make no sample of {}; give a longer text or a smaller context", path,
         train_size, options.context);
  }
  split.train = train;
  const auto test = sequences(all.substr(train_size), number, vocabulary, options.context, 0);
  if (test->sample_count() > 0) split.test = test;
  return split;
}

}  // namespace

void visit_options(TextOptions& options, OptionVisitor& visitor) {
  visitor.option("path", options.path, "the text file");
  visit_sequences(options, visitor);
}

DataSplit text(const TextOptions& options, const DataContext&) {
  if (options.path.empty()) fail("text: the option path is missing; write text:path=/folder/book.txt");
  return read_text(options.path, options);
}

void visit_options(AustenOptions& options, OptionVisitor& visitor) { visit_sequences(options, visitor); }

DataSplit austen(const AustenOptions& options, const DataContext& context) {
  return read_text(fetched_file("austen", "austen.txt", context.cache), options);
}

}  // namespace hesse
