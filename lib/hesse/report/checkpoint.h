/// \file
/// Checkpoints: one safetensors file with all that a run needs to continue to the same bits.
///
/// The parameters are tensors under their own names and shapes, so PyTorch and NumPy read the weights
/// directly; the optimizer's state follows as "optimizer.NAME", that of observers as "observer.NAME"; counters and the
/// identity of the run are metadata. A CRC-32 over the whole file (its own eight digits taken as zeros) finds every
/// change of up to 32 neighbouring bits, the header included.
///
/// A folder keeps the last two, `checkpoint.safetensors` and `checkpoint.previous.safetensors`: a
/// run that is killed while it writes, or whose newest file was damaged, continues from the older one.
#pragma once

#include "hesse/core/parameter_layout.h"
#include "hesse/core/types.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/optimizer.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace hesse {

inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kPreviousCheckpointFile = "checkpoint.previous.safetensors";

/// What a checkpoint belongs to. Restoring into anything else is refused, naming the field.
struct CheckpointIdentity {
  std::string problem;    ///< specification, as Spec::text() writes it
  std::string optimizer;  ///< likewise
  std::uint64_t seed = 0;
  std::string precision;  ///< "float32" or "float64"
};

/// Writes `folder`/checkpoint.safetensors and keeps the one before it. Either all of it is there
/// afterwards or the old files are as they were. `observers` is what observers need to go on as they would have. Throws
/// Error when it cannot be written, or when the layout has a block called "optimizer.*" or "observer.*".
void save_checkpoint(const std::filesystem::path& folder, const CheckpointIdentity& identity,
                     const ParameterLayout& layout, const Vector& x, const StateView& state, const Progress& progress,
                     const StateView& observers = {});

/// Where a run stood.
struct LoadedCheckpoint {
  Progress progress;
  std::filesystem::path file;  ///< the one that was used
  std::string warning;         ///< empty, or why the newest one was not used
};

/// Restores x, every entry of `state` and `observers` (vectors and matrices are resized) and the progress, bit for
/// bit. Nothing is changed when it throws. Throws Error when there is no readable checkpoint, or
/// when it is of another format, problem, optimizer, seed, precision, layout or state.
LoadedCheckpoint load_checkpoint(const std::filesystem::path& folder, const CheckpointIdentity& identity,
                                 const ParameterLayout& layout, Vector& x, const StateView& state,
                                 const StateView& observers = {});

/// True when `folder` holds a checkpoint or the one before it.
bool has_checkpoint(const std::filesystem::path& folder);

/// The parameters alone, from a checkpoint or from any safetensors file (F64 or F32) that holds a
/// tensor of each block's name and shape; other tensors are ignored. Throws Error naming what is missing.
Vector load_parameters(const std::filesystem::path& file, const ParameterLayout& layout);

/// When to save; each rule is off at zero.
struct CheckpointSchedule {
  std::int64_t every_steps = 0;
  double every_seconds = 0;  ///< by the clock on the wall
};

/// Saves by a schedule and at the end. A run that ended in NaN or infinity is not saved at its end: its
/// last good checkpoints are worth more than a state that has diverged.
class CheckpointObserver final : public Observer {
 public:
  /// `layout` must outlive the observer. `observers` names the state of other observers, which must come before this
  /// one in the loop's list: what they have seen and what is saved then agree.
  CheckpointObserver(std::filesystem::path folder, CheckpointIdentity identity, const ParameterLayout& layout,
                     CheckpointSchedule schedule, std::function<StateView()> observers = {});

  void begin(const Progress& progress, const Vector& x, Optimizer& optimizer) override;
  bool after_step(const Iterate& iterate) override;
  void end(const Summary& summary, const Vector& x) override;

 private:
  void save(const Vector& x, const Progress& progress);

  std::filesystem::path folder_;
  CheckpointIdentity identity_;
  const ParameterLayout& layout_;
  CheckpointSchedule schedule_;
  std::function<StateView()> observers_;
  Optimizer* optimizer_ = nullptr;
  std::int64_t saved_step_ = -1;
  std::chrono::steady_clock::time_point saved_at_;
};

}  // namespace hesse
