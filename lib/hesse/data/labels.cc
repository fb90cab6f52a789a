#include "hesse/data/labels.h"

#include "hesse/core/error.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void assign_labels(const std::string& path, const std::vector<double>& values, LabelKind kind, Dataset& dataset) {
  constexpr std::size_t kMostClasses = std::size_t{1} << 16U;
  std::vector<double> classes = values;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  if (kind == LabelKind::automatic) {
    const bool whole = std::all_of(classes.begin(), classes.end(), [](double x) { return x == std::floor(x); });
    const bool few = classes.size() <= 100 && 2 * classes.size() <= values.size();
    kind = whole && few ? LabelKind::classes : LabelKind::real;
  }
  if (kind == LabelKind::real) {
    dataset.targets = Eigen::Map<const Matrix>(values.data(), 1, static_cast<Index>(values.size()));
    return;
  }
  if (classes.size() > kMostClasses) {
    fail("{}: the labels have {} different values, more than 65536 classes; read them as real targets", path,
         classes.size());
  }
  dataset.class_count = static_cast<Index>(classes.size());
  dataset.labels.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = std::lower_bound(classes.begin(), classes.end(), values[i]);
    dataset.labels[i] = static_cast<std::int32_t>(at - classes.begin());
  }
}

}  // namespace hesse
