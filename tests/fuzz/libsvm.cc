#include "formats.h"

#include "hesse/data/libsvm.h"

namespace hesse::fuzz {

void read_libsvm_bytes(const Input& input) {
  for (const LibsvmOptions& options : {LibsvmOptions{}, {.features = 8, .label_kind = LabelKind::classes}}) {
    value_or_error(input.path, [&] {
      const auto data = read_libsvm(input.path, options);
      require(data->inputs.allFinite(), "a feature is not finite");
      for (const auto label : data->labels) require(label >= 0 && label < data->class_count, "a label is no class");
    });
  }
}

}  // namespace hesse::fuzz
