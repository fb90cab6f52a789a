#include "formats.h"

#include "hesse/report/atomic_file.h"
#include "hesse/report/checkpoint.h"

#include <zlib.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace hesse::fuzz {
namespace {

/// Puts the right checksum into what begins as a checkpoint, or none but unchanged files would get past it.
std::string with_checksum(std::string_view bytes) {
  constexpr std::string_view kBefore = R"({"__metadata__":{"crc32":")";
  std::string out(bytes);
  if (!bytes.substr(std::min<std::size_t>(8, bytes.size())).starts_with(kBefore)) return out;
  const std::size_t at = 8 + kBefore.size();
  if (out.size() < at + 8) return out;
  out.replace(at, 8, "00000000");
  const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
  out.replace(at, 8, fmt::format("{:08x}", static_cast<std::uint32_t>(sum)));
  return out;
}

/// Written and read again, a checkpoint is written to the same bytes.
void write_again(const CheckpointIdentity& identity, const ParameterLayout& layout, Vector& x, const StateView& state,
                 const Progress& progress) {
  const std::string other = folder() + "/again";
  std::filesystem::create_directory(other);
  value_or_error(other, [&] {
    save_checkpoint(other, identity, layout, x, state, progress);
    const std::string first = read_file(other + "/" + kCheckpointFile);
    const LoadedCheckpoint loaded = load_checkpoint(other, identity, layout, x, state);
    require(loaded.warning.empty(), "a checkpoint that was written is damaged");
    save_checkpoint(other, identity, layout, x, state, loaded.progress);
    require(read_file(other + "/" + kCheckpointFile) == first, "a checkpoint that was written reads back to another");
  });
}

void read_from_folder() {
  ParameterLayout layout;
  layout.add("layer1.weight", {3, 2});
  layout.add("scale", {});
  const CheckpointIdentity identity = {"mlp:data=digits", "adam:lr=0.1", 7, "float64"};
  Vector x = Vector::Constant(7, 0.5);
  Vector momentum = Vector::Constant(2, 0.25);
  Matrix factor;
  double damping = 1;
  std::int64_t count = 3;
  const StateView state = {{"momentum", &momentum}, {"factor", &factor}, {"damping", &damping}, {"count", &count}};
  const bool loaded = value_or_error(folder(), [&] {
    const LoadedCheckpoint checkpoint = load_checkpoint(folder(), identity, layout, x, state);
    require(checkpoint.progress.refuge.size() == layout.size(), "the refuge has another size");
    write_again(identity, layout, x, state, checkpoint.progress);
  });
  require(x.size() == 7, "the point has another size");
  require(
      loaded || (x.isConstant(0.5) && momentum.isConstant(0.25) && factor.size() == 0 && damping == 1 && count == 3),
      "what could not be restored changed something");
}

}  // namespace

void read_checkpoint_bytes(const Input& input) {
  place(kCheckpointFile, input.bytes);
  read_from_folder();
  place(kCheckpointFile, with_checksum(input.bytes));
  read_from_folder();
}

}  // namespace hesse::fuzz
