#include "hesse/report/trajectory.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/safetensors.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace hesse {
namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kEnding = ".safetensors";

/// The step in the name of a trajectory's file.
std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kEnding)) return std::nullopt;
  const char* const first = name.data() + kPrefix.size();
  const char* const last = name.data() + name.size() - kEnding.size();
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last || step < 0) return std::nullopt;
  return step;
}

}  // namespace

TrajectoryObserver::TrajectoryObserver(std::filesystem::path folder, const ParameterLayout& layout,
                                       std::int64_t every_steps)
    : folder_(std::move(folder)), layout_(layout), every_steps_(every_steps) {
  if (every_steps < 1)
    fail("trajectory: a point every {} steps is not possible; give a whole number >= 1", every_steps);
}

void TrajectoryObserver::begin(const Progress& progress, const Vector& x, Optimizer&) {
  create_folders(folder_);
  remove_partial_files(folder_);
  if (progress.step == 0) save(0, x);
}

bool TrajectoryObserver::after_step(const Iterate& iterate) {
  if (iterate.progress.step % every_steps_ == 0) save(iterate.progress.step, iterate.x);
  return false;
}

void TrajectoryObserver::save(std::int64_t step, const Vector& x) const {
  if (!all_finite(x)) return;
  save_parameters(folder_ / fmt::format("{}{:09}{}", kPrefix, step, kEnding), layout_, x);
}

void save_parameters(const std::filesystem::path& path, const ParameterLayout& layout, ConstMatrixView columns,
                     const std::string& kind) {
  if (columns.rows() != layout.size()) {
    fail("{}: {} parameters do not fit a layout of {}", path.string(), columns.rows(), layout.size());
  }
  std::vector<TensorToWrite> tensors;
  for (Index j = 0; j < columns.cols(); ++j) {
    for (const ParameterBlock& block : layout.blocks()) {
      tensors.push_back(TensorToWrite::of(
          columns.cols() == 1 ? block.name : fmt::format("{}.{}", j + 1, block.name), block.shape,
          std::span<const double>(columns.col(j).data() + block.offset, static_cast<std::size_t>(block.size))));
    }
  }
  write_safetensors(path, tensors, kind.empty() ? TensorMetadata{} : TensorMetadata{{"kind", kind}});
}

std::vector<TrajectoryFile> trajectory_files(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  const fs::path inner = folder / kTrajectoryFolder;
  std::vector<TrajectoryFile> files;
  for (const auto& entry : fs::directory_iterator(fs::is_directory(inner) ? inner : folder)) {
    if (const auto step = step_of(entry.path().filename().string())) files.push_back({*step, entry.path()});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return files;
}

}  // namespace hesse
