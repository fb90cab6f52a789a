/// \file
/// Data sets by name: `digits`, `fashion-mnist:samples=10000`, `two-moons:noise=0.2,samples=500`, or the path of a
/// file.
#pragma once

#include "hesse/core/registry.h"
#include "hesse/data/data_cache.h"
#include "hesse/data/dataset.h"

#include <string>
#include <string_view>

namespace hesse {

/// What building a data set needs besides its options.
struct DataContext {
  std::string cache = data_cache_dir();  ///< where fetched sets lie
};

using DataRegistry = Registry<DataSplit, const DataContext&>;
using DataEntry = DataRegistry::Entry;

/// Every data set by name. A new one is one file, or a function in an existing one, and one line in datasets.cc.
const DataRegistry& data_sets();

/// Loads `name`, `name:key=value,...` (inside a problem's specification `name:key=value:key=value`), or a file by its
/// path: any text with a '/', or one that names a file and no data set. A path is `file:path=...` with default options.
/// What is still in use somewhere is shared, not loaded again, unless its file has changed. Safe from several threads.
/// Throws Error with a suggestion on an unknown name, with the command that fetches a missing set, and with file and
/// position on malformed files.
DataSplit load_data(std::string_view text, const DataContext& context = {});

}  // namespace hesse
