/// \file
/// The data sets that come from files: the fetched ones and those of the user.
#pragma once

#include "hesse/core/options.h"
#include "hesse/data/datasets.h"
#include "hesse/data/labels.h"

#include <string>

namespace hesse {

/// What is done to the inputs, fitted on the training samples.
enum class Scaling {
  none,
  unit,      ///< divided by the largest possible value: 255 for images of bytes, 16 for digits
  standard,  ///< zero mean and unit variance of each feature; constant features become 0
};

/// MNIST (LeCun, Bottou, Bengio and Haffner 1998) and Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 28 x 28 images in
/// 10 classes, 60000 training and 10000 test samples, split as published.
struct ImageSetOptions {
  Index samples = 0;  ///< only the first so many training samples; 0 for all
  Index test = 0;     ///< only the first so many test samples; 0 for all
  Scaling scaling = Scaling::unit;
};
void visit_options(ImageSetOptions& options, OptionVisitor& visitor);
DataSplit fashion_mnist(const ImageSetOptions& options, const DataContext& context);
DataSplit mnist(const ImageSetOptions& options, const DataContext& context);

/// Digits (Alpaydin and Kaynak 1998): 1797 images of 8 x 8 with values 0 to 16, 10 classes.
struct DigitsOptions {
  double test_fraction = 0.2;  ///< of each class, in [0, 1)
  Index seed = 0;              ///< of the split
  Scaling scaling = Scaling::unit;
};
void visit_options(DigitsOptions& options, OptionVisitor& visitor);
DataSplit digits(const DigitsOptions& options, const DataContext& context);

/// Breast Cancer Wisconsin, diagnostic (Street, Wolberg and Mangasarian 1993): 569 samples, 30 features, class 0
/// malignant and class 1 benign.
struct BreastCancerOptions {
  double test_fraction = 0.2;
  Index seed = 0;
  bool standardise = true;
};
void visit_options(BreastCancerOptions& options, OptionVisitor& visitor);
DataSplit breast_cancer(const BreastCancerOptions& options, const DataContext& context);

/// Any file in CSV, LIBSVM, IDX or NPY, told by its content and, between the two text formats, by its first line. For
/// IDX and NPY the labels are a file of their own; for IDX images named like MNIST's, the labels beside them are found.
struct FileOptions {
  std::string path;
  std::string labels;          ///< file of labels for IDX and NPY; empty: none, or the one beside the images
  std::string label = "last";  ///< label column of CSV: "last", "none", a name or a number from 0
  LabelKind label_kind = LabelKind::automatic;
  double test_fraction = 0.2;
  Index seed = 0;
  bool standardise = true;
};
void visit_options(FileOptions& options, OptionVisitor& visitor);
DataSplit data_file(const FileOptions& options, const DataContext& context);

}  // namespace hesse
