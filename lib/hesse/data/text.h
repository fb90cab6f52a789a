/// \file
/// Texts as sequences of characters to be continued.
#pragma once

#include "hesse/core/options.h"
#include "hesse/data/datasets.h"

#include <string>

namespace hesse {

/// A text file, byte by byte: the vocabulary is the distinct bytes in ascending order, a sample is `context`
/// consecutive bytes as numbers of the vocabulary, and its `context` labels are the bytes that follow each. Samples do
/// not overlap. The last `test_fraction` of the text is the test set; the vocabulary is that of the whole text.
struct SequenceOptions {
  Index context = 32;          ///< characters of a sample, >= 1
  double test_fraction = 0.1;  ///< [0, 1)
  Index samples = 0;           ///< the first ones of the training set; 0 for all
};
/// How a text is cut into samples.
struct TextOptions : SequenceOptions {
  std::string path;
};
void visit_options(TextOptions& options, OptionVisitor& visitor);
DataSplit text(const TextOptions& options, const DataContext& context);

/// Jane Austen's six novels, 4.0 million characters, as Debian's r-cran-janeaustenr has them from Project Gutenberg.
struct AustenOptions : SequenceOptions {};
void visit_options(AustenOptions& options, OptionVisitor& visitor);
DataSplit austen(const AustenOptions& options, const DataContext& context);

}  // namespace hesse
