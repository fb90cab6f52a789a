/// \file
/// The trajectory of a run: its points at every so many steps, each a safetensors file of the parameters alone,
/// `trajectory/step-000000120.safetensors`, for analyses that look back on the way (hesse landscape).
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/core/types.h"
#include "hesse/optim/minimize.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hesse {

/// The folder within that of a run.
inline constexpr const char* kTrajectoryFolder = "trajectory";

/// Saves the start and then the point after every `every_steps` steps; a point that is not finite is not saved. A run
/// that is resumed writes the files that it would have written: those after its checkpoint again, to the same bits.
class TrajectoryObserver final : public Observer {
 public:
  /// `layout` must outlive the observer. Throws Error unless every_steps >= 1.
  TrajectoryObserver(std::filesystem::path folder, const ParameterLayout& layout, std::int64_t every_steps);

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;

 private:
  void save(std::int64_t step, const Vector& x) const;

  std::filesystem::path folder_;
  const ParameterLayout& layout_;
  std::int64_t every_steps_;
};

/// Parameters, or a vector alike, under the names and shapes of their blocks, as load_parameters reads them. Of several
/// columns block NAME of the j-th is "j.NAME", from 1. `kind` is metadata, left out when empty.
void save_parameters(const std::filesystem::path& path, const ParameterLayout& layout, ConstMatrixView columns,
                     const std::string& kind = {});

/// The files `step-*.safetensors` of a folder, or of the folder `trajectory` in it, by their steps. Empty where there
/// are none.
struct TrajectoryFile {
  std::int64_t step;
  std::filesystem::path path;
};
std::vector<TrajectoryFile> trajectory_files(const std::filesystem::path& folder);

}  // namespace hesse
