#include "formats.h"

#include "hesse/data/csv.h"

namespace hesse::fuzz {

void read_csv_bytes(const Input& input) {
  const auto read = [&](const CsvOptions& options) {
    value_or_error(input.path, [&] {
      const auto data = read_csv(input.path, options);
      require(data->inputs.allFinite(), "a feature is not finite");
      require(data->sample_count() > 0 && data->feature_count() > 0, "a table without samples or features was read");
      for (const auto label : data->labels) require(label >= 0 && label < data->class_count, "a label is no class");
    });
  };
  read({});
  read({.label = "none", .header = CsvHeader::absent, .separator = ';'});
  read({.label = "-2", .label_kind = LabelKind::real, .header = CsvHeader::present, .separator = ' ', .skip_lines = 1});
}

}  // namespace hesse::fuzz
