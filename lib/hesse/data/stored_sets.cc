#include "hesse/data/stored_sets.h"

#include "hesse/core/error.h"
#include "hesse/data/csv.h"
#include "hesse/data/idx.h"
#include "hesse/data/libsvm.h"
#include "hesse/data/npy.h"
#include "hesse/data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

namespace hesse {
namespace {

namespace fs = std::filesystem;

void visit_scaling(Scaling& scaling, OptionVisitor& visitor) {
  visitor.choice("scaling", scaling,
                 {{"unit", Scaling::unit}, {"standard", Scaling::standard}, {"none", Scaling::none}},
                 "inputs to [0, 1], to zero mean and unit variance, or as they are");
}

void visit_split(double& fraction, Index& seed, OptionVisitor& visitor) {
  visitor.option("test_fraction", fraction, Interval::half_open(0, 1), "share of each class in the test set");
  visitor.option("seed", seed, Interval::at_least(0), "seed of the split");
}

struct MutableSplit {
  std::shared_ptr<Dataset> train;
  std::shared_ptr<Dataset> test;

  DataSplit standardised(bool standardise) && {
    if (standardise) {
      const Standardisation fitted = fit_standardisation(train->inputs);
      apply(fitted, train->inputs);
      if (test) apply(fitted, test->inputs);
    }
    return {std::move(train), std::move(test)};
  }
};

MutableSplit split_at_random(const Dataset& all, double fraction, Index seed) {
  const SplitIndices indices = stratified_split(all, fraction, static_cast<std::uint64_t>(seed));
  return {take_samples(all, indices.train), indices.test.empty() ? nullptr : take_samples(all, indices.test)};
}

/// The first `count` images (0 for all) with their labels.
std::shared_ptr<Dataset> read_images(const std::string& name, const std::string& image_path,
                                     const std::string& label_path, double scale, Index count) {
  constexpr Index kClasses = 10;
  std::vector<std::int32_t> labels = read_idx_labels(label_path, kClasses);
  if (count > static_cast<Index>(labels.size())) {
    fail("{}: {} samples are asked for, but there are {}; ask for fewer, or 0 for all", name, count, labels.size());
  }
  Array images = read_idx(image_path, scale, count);
  if (count > 0) labels.resize(static_cast<std::size_t>(count));
  if (images.values.cols() != static_cast<Index>(labels.size())) {
    fail("{}: holds {} labels, but {} holds {} samples; give files that belong together", label_path, labels.size(),
         image_path, images.values.cols());
  }
  auto dataset = std::make_shared<Dataset>();
  dataset->name = name;
  dataset->inputs = std::move(images.values);
  dataset->labels = std::move(labels);
  dataset->class_count = kClasses;
  return dataset;
}

DataSplit image_set(const char* name, const char* ending, const ImageSetOptions& options, const DataContext& context) {
  const double scale = options.scaling == Scaling::unit ? 1.0 / 255 : 1.0;
  const auto path = [&](const char* file) {
    return fetched_file(name, fmt::format("{}{}", file, ending), context.cache);
  };
  const std::string train = path("train-images-idx3-ubyte");
  const std::string train_labels = path("train-labels-idx1-ubyte");
  const std::string test = path("t10k-images-idx3-ubyte");
  const std::string test_labels = path("t10k-labels-idx1-ubyte");
  return MutableSplit{read_images(name, train, train_labels, scale, options.samples),
                      read_images(name, test, test_labels, scale, options.test)}
      .standardised(options.scaling == Scaling::standard);
}

/// What tells LIBSVM from CSV: a second word of the form index:value, with no comma or semicolon before it.
bool looks_like_libsvm(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    line = line.substr(0, line.find('#'));
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto colon = line.find(':');
    return colon != std::string_view::npos && line.find_first_of(" \t") < colon &&
           line.substr(0, colon).find_first_of(",;\"") == std::string_view::npos;
  }
  return false;
}

/// "train-labels-idx1-ubyte.gz" of "train-images-idx3-ubyte.gz", when it exists; else empty.
std::string labels_beside(const std::string& images) {
  fs::path path(images);
  std::string name = path.filename().string();
  const auto word = name.find("images");
  if (word == std::string::npos) return {};
  name.replace(word, 6, "labels");
  if (const auto rank = name.find("idx3"); rank != std::string::npos) name.replace(rank, 4, "idx1");
  path.replace_filename(name);
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? path.string() : std::string{};
}

std::shared_ptr<Dataset> from_array(const FileBytes& file, bool idx, const FileOptions& options) {
  Array array = idx ? read_idx(file) : read_npy(file);
  if (array.shape.size() < 2) {
    fail("{}: has rank {}, but samples with features need rank 2 or more; give the file of inputs", file.path(),
         array.shape.size());
  }
  auto dataset = std::make_shared<Dataset>();
  dataset->name = file.path();
  dataset->inputs = std::move(array.values);
  const std::string labels = !options.labels.empty() ? options.labels : idx ? labels_beside(file.path()) : "";
  if (labels.empty()) return dataset;
  const FileBytes label_file(labels);
  const Array values = looks_like_npy(label_file) ? read_npy(label_file) : read_idx(label_file);
  if (values.shape.size() != 1) fail("{}: has rank {}, but labels have rank 1", labels, values.shape.size());
  if (values.values.size() != dataset->sample_count()) {
    fail("{}: holds {} labels, but {} holds {} samples; give files that belong together", labels, values.values.size(),
         file.path(), dataset->sample_count());
  }
  if (!values.values.allFinite()) fail("{}: holds NaN or infinity; give every sample a label", labels);
  const auto flat = values.flat();
  assign_labels(labels, {flat.begin(), flat.end()}, options.label_kind, *dataset);
  return dataset;
}

std::shared_ptr<Dataset> read_any(const FileOptions& options) {
  const FileBytes file(options.path);
  if (looks_like_npy(file)) return from_array(file, false, options);
  if (looks_like_idx(file)) return from_array(file, true, options);
  if (!options.labels.empty()) {
    fail("{}: holds its labels itself, so the option labels has no use; leave it out", options.path);
  }
  std::string extension = fs::path(options.path).extension().string();
  if (extension == ".gz") extension = fs::path(options.path).stem().extension().string();
  const bool named_csv = extension == ".csv" || extension == ".tsv";
  const bool named_libsvm = extension == ".libsvm" || extension == ".svm" || extension == ".svmlight";
  if (named_libsvm || (!named_csv && looks_like_libsvm(decode_text(file)))) {
    return read_libsvm(file, {.features = 0, .label_kind = options.label_kind});
  }
  CsvOptions csv;
  csv.label = options.label;
  csv.label_kind = options.label_kind;
  csv.separator = extension == ".tsv" ? '\t' : ',';
  return read_csv(file, csv);
}

}  // namespace

void visit_options(ImageSetOptions& options, OptionVisitor& visitor) {
  visitor.option("samples", options.samples, Interval::at_least(0),
                 "only the first so many training samples, 0 for all");
  visitor.option("test", options.test, Interval::at_least(0), "only the first so many test samples, 0 for all");
  visit_scaling(options.scaling, visitor);
}

DataSplit fashion_mnist(const ImageSetOptions& options, const DataContext& context) {
  return image_set("fashion-mnist", ".gz", options, context);
}

DataSplit mnist(const ImageSetOptions& options, const DataContext& context) {
  return image_set("mnist", "", options, context);
}

void visit_options(DigitsOptions& options, OptionVisitor& visitor) {
  visit_split(options.test_fraction, options.seed, visitor);
  visit_scaling(options.scaling, visitor);
}

DataSplit digits(const DigitsOptions& options, const DataContext& context) {
  CsvOptions csv;
  csv.label_kind = LabelKind::classes;
  csv.header = CsvHeader::absent;
  const auto all = read_csv(fetched_file("digits", "digits.csv.gz", context.cache), csv);
  all->name = "digits";
  if (options.scaling == Scaling::unit) all->inputs /= 16;
  return split_at_random(*all, options.test_fraction, options.seed).standardised(options.scaling == Scaling::standard);
}

void visit_options(BreastCancerOptions& options, OptionVisitor& visitor) {
  visit_split(options.test_fraction, options.seed, visitor);
  visitor.option("standardise", options.standardise, "zero mean and unit variance of each feature");
}

DataSplit breast_cancer(const BreastCancerOptions& options, const DataContext& context) {
  CsvOptions csv;
  csv.label_kind = LabelKind::classes;
  csv.header = CsvHeader::absent;
  csv.skip_lines = 1;  // the numbers of samples and features, and the names of the classes
  const auto all = read_csv(fetched_file("breast-cancer", "breast_cancer.csv", context.cache), csv);
  all->name = "breast-cancer";
  return split_at_random(*all, options.test_fraction, options.seed).standardised(options.standardise);
}

void visit_options(FileOptions& options, OptionVisitor& visitor) {
  visitor.option("path", options.path, "the file: CSV, LIBSVM, IDX or NPY");
  visitor.option("labels", options.labels, "file of labels, for IDX and NPY");
  visitor.option("label", options.label, "label column of CSV: last, none, a name or a number from 0");
  visitor.choice("label_kind", options.label_kind,
                 {{"automatic", LabelKind::automatic}, {"classes", LabelKind::classes}, {"real", LabelKind::real}},
                 "whether labels are classes or real targets");
  visit_split(options.test_fraction, options.seed, visitor);
  visitor.option("standardise", options.standardise, "zero mean and unit variance of each feature");
}

DataSplit data_file(const FileOptions& options, const DataContext&) {
  if (options.path.empty()) fail("file: the option path is missing; write file:path=/folder/train.csv");
  const auto all = read_any(options);
  if (all->sample_count() == 0 || all->feature_count() == 0) {
    fail("{}: holds {} samples of {} features; give a file with both", options.path, all->sample_count(),
         all->feature_count());
  }
  for (Index j = 0; j < all->sample_count(); ++j) {
    for (Index i = 0; i < all->feature_count(); ++i) {
      if (!std::isfinite(all->inputs(i, j))) {
        fail("{}: feature {} of sample {} (both from 0) is not finite; fill it in or remove it", options.path, i, j);
      }
    }
  }
  return split_at_random(*all, options.test_fraction, options.seed).standardised(options.standardise);
}

}  // namespace hesse
