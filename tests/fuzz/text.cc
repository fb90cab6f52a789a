#include "formats.h"

#include "hesse/data/text.h"

namespace hesse::fuzz {

void read_text_bytes(const Input& input) {
  TextOptions options;
  options.path = input.path;
  options.context = 8;
  value_or_error(input.path, [&] {
    const DataSplit split = hesse::text(options, {});
    for (const auto& part : {split.train, split.test}) {
      if (part == nullptr) continue;
      for (const auto label : part->labels) require(label >= 0 && label < part->class_count, "a label is no character");
    }
  });
}

}  // namespace hesse::fuzz
