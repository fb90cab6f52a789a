#include "hesse/data/datasets.h"

#include "hesse/data/stored_sets.h"
#include "hesse/data/synthetic.h"
#include "hesse/data/text.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace hesse {
namespace {

template <class Options>
DataEntry entry(std::string name, std::string summary, std::string source,
                DataSplit (*make)(const Options&, const DataContext&)) {
  return registry_entry<Options, DataSplit, const DataContext&>(std::move(name), std::move(summary), std::move(source),
                                                                make);
}

template <class Options>
DataEntry entry(std::string name, std::string summary, std::string source, DataSplit (*make)(const Options&)) {
  return registry_entry<Options, DataSplit, const DataContext&>(
      std::move(name), std::move(summary), std::move(source),
      [make](const Options& options, const DataContext&) { return make(options); });
}

bool is_file(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0;
}

/// Changes whenever the file does: path, size, time of the last change.
std::string file_stamp(const std::string& path) {
  struct stat status = {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return fmt::format("|{}|{}|{}.{:09}", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// Inside a problem's specification the comma belongs to the problem, and a data set's settings are separated by
/// colons: `mlp:data=two-moons:noise=0.2:samples=500,hidden=8`. A colon that no `key=` follows is part of a value.
std::string with_commas(std::string_view text) {
  std::string out(text);
  for (auto at = out.find(':', out.find(':') + 1); at != std::string::npos; at = out.find(':', at + 1)) {
    const auto equals = out.find('=', at);
    if (equals != std::string::npos && out.find_first_of(":,/", at + 1) > equals) out[at] = ',';
  }
  return out;
}

Spec spec_of(std::string_view text) {
  const auto as_path = [&] { return Spec{"file", {{"path", std::string(text)}}}; };
  const auto colon = text.find(':');
  const bool named = data_sets().find(text.substr(0, colon)) != nullptr;
  if (named) return parse_spec(with_commas(text));
  if (text.find('/') != std::string_view::npos || is_file(std::string(text))) return as_path();
  return parse_spec(text);
}

struct Loaded {
  std::weak_ptr<const Dataset> train;
  std::weak_ptr<const Dataset> test;
  bool has_test = false;
};

}  // namespace

const DataRegistry& data_sets() {
  static const DataRegistry registry(
      "data set",
      {
          entry("fashion-mnist", "70000 images of clothing, 28 x 28, 10 classes, official split",
                "Xiao, Rasul and Vollgraf (2017)", fashion_mnist),
          entry("mnist", "70000 handwritten digits, 28 x 28, 10 classes, official split",
                "LeCun, Bottou, Bengio and Haffner (1998)", mnist),
          entry("digits", "1797 handwritten digits, 8 x 8, 10 classes", "Alpaydin and Kaynak (1998)", digits),
          entry("breast-cancer", "569 tumours, 30 features, 2 classes", "Street, Wolberg and Mangasarian (1993)",
                breast_cancer),
          entry("gaussian-blobs", "Isotropic normal classes around random centres", "synthetic", gaussian_blobs),
          entry("two-moons", "Two interleaved half circles, 2 classes", "synthetic", two_moons),
          entry("spirals", "Interleaved spirals, one for each class", "synthetic", spirals),
          entry("linear-regression", "Linear targets, inputs of exactly the chosen condition number", "synthetic",
                linear_regression),
          entry("logistic", "Two classes, separable or overlapping along a random direction", "synthetic", logistic),
          entry("curves", "Images of random curves, 28 x 28, in [0, 1]", "Hinton and Salakhutdinov (2006)", curves),
          entry("austen", "Six novels, 4.0 million characters, to be continued", "Austen (1811-1818)", austen),
          entry("text", "A text file, character by character, to be continued", "the user's", text),
          entry("file", "Any CSV, LIBSVM, IDX or NPY file; a bare path is short for it", "the user's", data_file),
      });
  return registry;
}

DataSplit load_data(std::string_view text, const DataContext& context) {
  static std::mutex mutex;
  static std::map<std::string, Loaded> loaded;

  const Spec spec = spec_of(text);
  Spec sorted = spec;
  std::sort(sorted.arguments.begin(), sorted.arguments.end());
  std::string key = context.cache + "|" + sorted.text();
  for (const auto& [name, value] : spec.arguments) {
    if (spec.name == "file" && (name == "path" || name == "labels")) key += file_stamp(value);
  }

  // Held while loading, so that two problems that ask at once load it once.
  const std::lock_guard lock(mutex);
  std::erase_if(loaded, [](const auto& item) { return item.second.train.expired(); });
  if (const auto found = loaded.find(key); found != loaded.end()) {
    DataSplit split = {found->second.train.lock(), found->second.test.lock()};
    if (split.train && (split.test || !found->second.has_test)) return split;
  }
  DataSplit split = data_sets().make(spec, context);
  loaded[key] = {split.train, split.test, split.test != nullptr};
  return split;
}

}  // namespace hesse
