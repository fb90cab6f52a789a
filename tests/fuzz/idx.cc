#include "formats.h"

#include "hesse/data/idx.h"

namespace hesse::fuzz {

void read_idx_bytes(const Input& input) {
  Array all;
  const bool whole = value_or_error(input.path, [&] { all = read_idx(input.path, 1.0 / 255); });
  Array first;
  const bool limited = value_or_error(input.path, [&] { first = read_idx(input.path, 1.0 / 255, 2); });
  require(whole == limited, "a limit changes whether a file is read");
  if (whole) {
    require(first.values.cols() == std::min<Index>(2, all.values.cols()), "a limit does not keep what it says");
    value_or_error(input.path,
                   [&] { require(looks_like_idx(FileBytes(input.path)), "what is read looks like no IDX"); });
  }
  value_or_error(input.path, [&] {
    for (const auto label : read_idx_labels(input.path, 10)) require(label >= 0 && label < 10, "a label is no class");
  });
}

}  // namespace hesse::fuzz
