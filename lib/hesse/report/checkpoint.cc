#include "hesse/report/checkpoint.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/printable.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/writing.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>

namespace hesse {

namespace {

constexpr std::string_view kFormat = "hesse-checkpoint-3";
constexpr std::string_view kStatePrefix = "optimizer.";
constexpr std::string_view kObserverPrefix = "observer.";
constexpr std::string_view kRefuge = "progress.refuge";
/// The checksum is the first thing in the header, so that its place is known before anything is parsed.
constexpr std::string_view kBeforeChecksum = R"({"__metadata__":{"crc32":")";
constexpr std::size_t kChecksumAt = 8 + kBeforeChecksum.size();
constexpr std::string_view kNoChecksum = "00000000";

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// CRC-32 of what came before and `bytes`; zlib would start anew at a null pointer.
std::uint32_t crc(std::uint32_t so_far, std::string_view bytes) {
  if (bytes.empty()) return so_far;
  return static_cast<std::uint32_t>(::crc32_z(so_far, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::span<const double> entries_of(const double* data, Index size) { return {data, static_cast<std::size_t>(size)}; }

/// The counters by name, for writing and for reading alike. A field that is added to Progress or Cost
/// has to be named here, or a resumed run would go another way.
static_assert(sizeof(Cost) == 8 * sizeof(double) &&
              sizeof(Progress) == sizeof(Cost) + 11 * sizeof(double) + sizeof(Vector) + 2 * sizeof(std::string));
template <class Progress, class Visit>
void visit_progress(Progress& progress, Visit visit) {
  visit("progress.step", progress.step);
  visit("progress.epochs", progress.epochs);
  visit("progress.seconds", progress.seconds);
  visit("progress.initial_value", progress.initial_value);
  visit("progress.best_value", progress.best_value);
  visit("progress.small_steps", progress.small_steps);
  visit("progress.plateau_value", progress.plateau_value);
  visit("progress.plateau_step", progress.plateau_step);
  visit("progress.last_confirmation", progress.last_confirmation);
  visit("progress.escapes", progress.escapes);
  visit("progress.refuge_value", progress.refuge_value);
  visit("progress.ended", progress.ended);
  visit("progress.end_message", progress.end_message);
  visit("progress.cost.values", progress.cost.values);
  visit("progress.cost.gradients", progress.cost.gradients);
  visit("progress.cost.linearisations", progress.cost.linearisations);
  visit("progress.cost.products", progress.cost.products);
  visit("progress.cost.value_samples", progress.cost.value_samples);
  visit("progress.cost.gradient_samples", progress.cost.gradient_samples);
  visit("progress.cost.product_samples", progress.cost.product_samples);
  visit("progress.cost.gradient_equivalents", progress.cost.gradient_equivalents);
}

/// Throws unless the checksum written in the file is that of its bytes.
void check_sum(const std::string& bytes, const std::string& file) {
  const std::string_view all(bytes);
  const std::size_t after = kChecksumAt + kNoChecksum.size();
  if (all.size() < after || all.substr(8, kBeforeChecksum.size()) != kBeforeChecksum) {
    fail("{}: byte 8: the file does not begin as a checkpoint of Hesse does", file);
  }
  const std::uint32_t computed = crc(crc(crc(0, all.substr(0, kChecksumAt)), kNoChecksum), all.substr(after));
  const std::string text = fmt::format("{:08x}", computed);
  if (all.substr(kChecksumAt, kNoChecksum.size()) != text) {
    fail("{}: byte {}: the checksum is {}, but the file's bytes give {}; the file is damaged", file, kChecksumAt,
         printable(all.substr(kChecksumAt, kNoChecksum.size())), text);
  }
}

const std::string& metadata_at(const SafetensorsFile& file, std::string_view key) {
  if (const std::string* text = file.find_metadata(key)) return *text;
  fail("{}: the checkpoint's '{}' is missing", file.file(), key);
}

std::string shape_text(const std::vector<Index>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

/// The block's entries; refuses a missing tensor and another shape.
Vector block_of(const SafetensorsFile& file, const ParameterBlock& block) {
  const StoredTensor& tensor = file.at(block.name);
  if (tensor.shape != block.shape) {
    fail("{}: the parameter block '{}' has the shape {}, the problem's has {}; the layouts differ", file.file(),
         block.name, shape_text(tensor.shape), shape_text(block.shape));
  }
  return file.numbers(tensor);
}

void check_identity(const SafetensorsFile& file, const CheckpointIdentity& identity) {
  const auto same = [&](const char* key, const std::string& wanted) {
    const std::string& found = metadata_at(file, key);
    if (found != wanted) {
      fail("{}: the checkpoint's {} is '{}', this run's is '{}'; resume it as it was started", file.file(), key,
           printable(found), wanted);
    }
  };
  same("format", std::string(kFormat));
  same("problem", identity.problem);
  same("optimizer", identity.optimizer);
  same("seed", std::to_string(identity.seed));
  same("precision", identity.precision);
}

/// Everything read and checked, and nothing yet handed out.
struct Restored {
  Vector x;
  std::vector<std::function<void()>> assign;  ///< one for each entry of the state
  Progress progress;
};

/// The state under the names of its tensors.
StateView tensors_of(const StateView& optimizer, const StateView& observers) {
  StateView all;
  for (const StateEntry& entry : optimizer) all.push_back({fmt::format("{}{}", kStatePrefix, entry.name), entry.data});
  for (const StateEntry& entry : observers)
    all.push_back({fmt::format("{}{}", kObserverPrefix, entry.name), entry.data});
  return all;
}

Restored restore(const SafetensorsFile& file, const CheckpointIdentity& identity, const ParameterLayout& layout,
                 const StateView& state) {
  check_identity(file, identity);
  Restored out;
  out.x.resize(layout.size());
  for (const ParameterBlock& block : layout.blocks()) out.x.segment(block.offset, block.size) = block_of(file, block);

  for (const StateEntry& entry : state) {
    const StoredTensor& tensor = file.at(entry.name);
    const auto rank = [&](std::size_t wanted, TensorType type) {
      if (tensor.shape.size() != wanted || tensor.type != type) {
        fail("{}: the state '{}' is {} of shape {}, this run's is {} with {} dimensions", file.file(),
             entry.name.substr(entry.name.find('.') + 1), to_string(tensor.type), shape_text(tensor.shape),
             to_string(type), wanted);
      }
    };
    if (auto* const* vector = std::get_if<Vector*>(&entry.data)) {
      rank(1, TensorType::f64);
      out.assign.emplace_back([to = *vector, value = file.numbers(tensor)] { *to = value; });
    } else if (auto* const* matrix = std::get_if<Matrix*>(&entry.data)) {
      rank(2, TensorType::f64);
      const Vector rows = file.numbers(tensor);
      Matrix value = Eigen::Map<const RowMajor>(rows.data(), tensor.shape[0], tensor.shape[1]);
      out.assign.emplace_back([to = *matrix, value = std::move(value)] { *to = value; });
    } else if (auto* const* number = std::get_if<double*>(&entry.data)) {
      rank(0, TensorType::f64);
      out.assign.emplace_back([to = *number, value = file.numbers(tensor)[0]] { *to = value; });
    } else {
      rank(0, TensorType::i64);
      out.assign.emplace_back(
          [to = std::get<std::int64_t*>(entry.data), value = file.whole_numbers(tensor)[0]] { *to = value; });
    }
  }
  if (const std::size_t known = layout.blocks().size() + state.size() + 1; file.tensors().size() != known) {
    for (const StoredTensor& tensor : file.tensors()) {
      const std::string_view name = tensor.name;
      if (name == kRefuge) continue;
      const bool is_state =
          std::any_of(state.begin(), state.end(), [&](const StateEntry& entry) { return entry.name == name; });
      if (!is_state && layout.find(name) == nullptr) {
        fail("{}: the tensor '{}' belongs neither to this problem nor to this optimizer; the layouts differ",
             file.file(), name);
      }
    }
  }
  out.progress.refuge = block_of(file, {std::string(kRefuge), {layout.size()}, 0, layout.size()});
  visit_progress(out.progress, [&](const char* key, auto& field) {
    const std::string& text = metadata_at(file, key);
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::string>) {
      field = text;
      return;
    } else {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
      if (error != std::errc{} || end != text.data() + text.size()) {
        fail("{}: the checkpoint's {} is '{}', which is not a number", file.file(), key, printable(text));
      }
    }
  });
  if (const std::string& name = out.progress.ended; !name.empty()) {
    try {
      termination_of(name);
    } catch (const Error& e) {
      fail("{}: the checkpoint's progress.ended: {}", file.file(), printable(e.what()));
    }
  }
  return out;
}

/// Reads and checks the bytes; a damaged file is an answer here, not an error.
std::unique_ptr<SafetensorsFile> read_intact(const std::filesystem::path& path, std::string& trouble) {
  try {
    std::string bytes = read_file(path);
    check_sum(bytes, path.string());
    return std::make_unique<SafetensorsFile>(std::move(bytes), path.string());
  } catch (const Error& error) {
    trouble = error.what();
    return nullptr;
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, const CheckpointIdentity& identity,
                     const ParameterLayout& layout, const Vector& x, const StateView& state, const Progress& progress,
                     const StateView& observers) {
  if (x.size() != layout.size()) {
    fail("checkpoint: the point has {} entries, its layout {}", x.size(), layout.size());
  }
  std::vector<TensorToWrite> tensors;
  for (const ParameterBlock& block : layout.blocks()) {
    if (block.name.starts_with(kStatePrefix) || block.name.starts_with(kObserverPrefix) || block.name == kRefuge) {
      fail("checkpoint: the parameter block '{}' would be taken for optimizer state; give it another name", block.name);
    }
    tensors.push_back(TensorToWrite::of(block.name, block.shape, entries_of(x.data() + block.offset, block.size)));
  }
  std::deque<RowMajor> transposed;  // keeps its elements in place while it grows
  for (const StateEntry& entry : tensors_of(state, observers)) {
    std::string name = entry.name;
    if (auto* const* vector = std::get_if<Vector*>(&entry.data)) {
      tensors.push_back(
          TensorToWrite::of(std::move(name), {(*vector)->size()}, entries_of((*vector)->data(), (*vector)->size())));
    } else if (auto* const* matrix = std::get_if<Matrix*>(&entry.data)) {
      const RowMajor& rows = transposed.emplace_back(**matrix);
      tensors.push_back(
          TensorToWrite::of(std::move(name), {rows.rows(), rows.cols()}, entries_of(rows.data(), rows.size())));
    } else if (auto* const* number = std::get_if<double*>(&entry.data)) {
      tensors.push_back(TensorToWrite::of(std::move(name), {}, std::span<const double>(*number, 1)));
    } else {
      tensors.push_back(TensorToWrite::of(std::move(name), {},
                                          std::span<const std::int64_t>(std::get<std::int64_t*>(entry.data), 1)));
    }
  }
  if (!writes_records()) return;
  // Before the first step there is no better place to fall back on than x itself.
  const Vector& refuge = progress.refuge.size() == x.size() ? progress.refuge : x;
  tensors.push_back(TensorToWrite::of(std::string(kRefuge), {x.size()}, entries_of(refuge.data(), refuge.size())));
  TensorMetadata metadata = {{"crc32", std::string(kNoChecksum)},     {"format", std::string(kFormat)},
                             {"problem", identity.problem},           {"optimizer", identity.optimizer},
                             {"seed", std::to_string(identity.seed)}, {"precision", identity.precision}};
  visit_progress(progress,
                 [&](const char* key, const auto& field) { metadata.emplace_back(key, fmt::format("{}", field)); });

  std::string header = safetensors_header(tensors, metadata);
  std::uint32_t sum = crc(0, header);
  for (const TensorToWrite& tensor : tensors) sum = crc(sum, tensor.bytes);
  header.replace(kChecksumAt, kNoChecksum.size(), fmt::format("{:08x}", sum));

  const std::filesystem::path newest = folder / kCheckpointFile;
  const std::filesystem::path previous = folder / kPreviousCheckpointFile;
  AtomicFile file(newest);
  file.write(header);
  for (const TensorToWrite& tensor : tensors) file.write(tensor.bytes);
  file.flush();
  // Only now, with all bytes on the disk, does the newest become the older one. A second name for the
  // same file keeps both names filled at every moment; where the file system has no such links, a
  // rename leaves a moment with the older name alone, which loading knows how to use.
  const std::filesystem::path link = folder / fmt::format(".{}.{}.partial", kPreviousCheckpointFile, ::getpid());
  std::error_code error;
  std::filesystem::remove(link, error);
  if (std::filesystem::exists(newest, error)) {
    std::filesystem::create_hard_link(newest, link, error);
    std::filesystem::rename(error ? newest : link, previous, error);
    if (error) fail_to_write(previous, "rename the file", error.value());
  }
  file.commit();
}

LoadedCheckpoint load_checkpoint(const std::filesystem::path& folder, const CheckpointIdentity& identity,
                                 const ParameterLayout& layout, Vector& x, const StateView& state,
                                 const StateView& observers) {
  LoadedCheckpoint out;
  std::string trouble;
  out.file = folder / kCheckpointFile;
  std::unique_ptr<SafetensorsFile> file = read_intact(out.file, trouble);
  if (!file) {
    if (!has_checkpoint(folder)) fail("{}: there is no checkpoint in this folder", folder.string());
    out.file = folder / kPreviousCheckpointFile;
    std::string older_trouble;
    file = read_intact(out.file, older_trouble);
    if (!file) fail("{}; nor can the one before it be used: {}", trouble, older_trouble);
    out.warning = fmt::format("{}; the run continues from {}", trouble, out.file.string());
  }
  Restored restored = restore(*file, identity, layout, tensors_of(state, observers));
  x = restored.x;
  for (const auto& assign : restored.assign) assign();
  out.progress = restored.progress;
  return out;
}

bool has_checkpoint(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::exists(folder / kCheckpointFile, error) ||
         std::filesystem::exists(folder / kPreviousCheckpointFile, error);
}

Vector load_parameters(const std::filesystem::path& path, const ParameterLayout& layout) {
  const SafetensorsFile file(path);
  if (const std::string* format = file.find_metadata("format"); format != nullptr && *format == kFormat) {
    check_sum(file.bytes(), file.file());
  }
  Vector x(layout.size());
  for (const ParameterBlock& block : layout.blocks()) x.segment(block.offset, block.size) = block_of(file, block);
  return x;
}

CheckpointObserver::CheckpointObserver(std::filesystem::path folder, CheckpointIdentity identity,
                                       const ParameterLayout& layout, CheckpointSchedule schedule,
                                       std::function<StateView()> observers)
    : folder_(std::move(folder)),
      identity_(std::move(identity)),
      layout_(layout),
      schedule_(schedule),
      observers_(std::move(observers)) {
  if (schedule.every_steps < 0 || !(schedule.every_seconds >= 0)) {
    fail("checkpoint: the schedule has every_steps = {} and every_seconds = {}; both must be >= 0",
         schedule.every_steps, schedule.every_seconds);
  }
}

void CheckpointObserver::begin(const Progress& progress, const Vector&, Optimizer& optimizer) {
  optimizer_ = &optimizer;
  saved_step_ = progress.step > 0 ? progress.step : -1;  // a resumed run begins with what is already saved
  saved_at_ = std::chrono::steady_clock::now();
}

bool CheckpointObserver::after_step(const Iterate& iterate) {
  // The last step is saved at the end, together with what ended the run.
  if (iterate.last || iterate.report.status == StepStatus::non_finite) return false;
  const bool by_steps = schedule_.every_steps > 0 && iterate.progress.step % schedule_.every_steps == 0;
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - saved_at_;
  const bool by_time = schedule_.every_seconds > 0 && waited.count() >= schedule_.every_seconds;
  if (by_steps || by_time) save(iterate.x, iterate.progress);
  return false;
}

void CheckpointObserver::end(const Summary& summary, const Vector& x) {
  const bool saved = summary.progress.step == saved_step_ && summary.progress.ended.empty();
  if (summary.termination == Termination::non_finite || saved) return;
  save(x, summary.progress);
}

void CheckpointObserver::save(const Vector& x, const Progress& progress) {
  save_checkpoint(folder_, identity_, layout_, x, optimizer_->state(), progress,
                  observers_ ? observers_() : StateView());
  saved_step_ = progress.step;
  saved_at_ = std::chrono::steady_clock::now();
}

}  // namespace hesse
