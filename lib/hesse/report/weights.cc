#include "hesse/report/weights.h"

#include "hesse/core/error.h"
#include "hesse/data/npy.h"
#include "hesse/report/checkpoint.h"
#include "hesse/report/safetensors.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>
#include <utility>

namespace hesse {
namespace {

/// What a checkpoint keeps beside the parameters.
bool is_state(std::string_view name) { return name.starts_with("optimizer.") || name.starts_with("progress."); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The run of equal kind, digits or not, that starts at `at`.
std::string_view run_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end]) == is_digit(text[at])) ++end;
  return text.substr(at, end - at);
}

/// "net.10.conv2" -> "net.#.conv#": prefixes with the same pattern differ in numbers alone.
std::string pattern_of(std::string_view prefix) {
  std::string pattern;
  for (std::size_t at = 0; at < prefix.size();) {
    const std::string_view run = run_at(prefix, at);
    pattern += is_digit(run.front()) ? std::string_view("#") : run;
    at += run.size();
  }
  return pattern;
}

/// "net.2.weight" -> "net.2", "weight"; the prefix of a bare "weight" is empty.
std::pair<std::string, std::string> split_name(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string text_of(const std::vector<Index>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }
std::string text_of(const NamedShape& tensor) { return fmt::format("'{}' {}", tensor.name, text_of(tensor.shape)); }

/// The tensors of a layer, here or there; there its first block is always the weight.
struct LayerTensors {
  std::string prefix;
  std::optional<std::size_t> weight;
  std::optional<std::size_t> bias;
};

/// The layers of a state_dict, each sequence of one pattern in the order of its numbers.
std::vector<std::vector<LayerTensors>> sequences_of(std::span<const NamedShape> tensors, std::string_view file) {
  const auto natural = [](const std::string& a, const std::string& b) { return natural_less(a, b); };
  std::map<std::string, LayerTensors, decltype(natural)> layers(natural);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto [prefix, kind] = split_name(tensors[i].name);
    if (kind == "running_mean" || kind == "running_var" || kind == "num_batches_tracked") {
      fail(
          "{}: tensor {} is a running statistic of a batch normalisation, which here takes the statistics of the "
          "samples; leave running_mean, running_var and num_batches_tracked out to analyse the network as it trains",
          file, text_of(tensors[i]));
    }
    if (kind != "weight" && kind != "bias") {
      fail("{}: tensor {} is neither a weight nor a bias; give all tensors the names of the problem's blocks", file,
           text_of(tensors[i]));
    }
    LayerTensors& layer = layers.try_emplace(prefix, LayerTensors{prefix, {}, {}}).first->second;
    (kind == "weight" ? layer.weight : layer.bias) = i;
  }
  std::map<std::string, std::vector<LayerTensors>> by_pattern;
  for (const auto& [prefix, layer] : layers) by_pattern[pattern_of(prefix)].push_back(layer);
  std::vector<std::vector<LayerTensors>> sequences;
  for (auto& [pattern, sequence] : by_pattern) sequences.push_back(std::move(sequence));
  return sequences;
}

/// The layers of a layout: its blocks by the prefixes of their names.
std::vector<LayerTensors> layers_of(const ParameterLayout& layout, std::string_view file) {
  std::vector<LayerTensors> layers;
  for (std::size_t b = 0; b < layout.blocks().size(); ++b) {
    const auto [prefix, kind] = split_name(layout.blocks()[b].name);
    if (layers.empty() || layers.back().prefix != prefix) layers.push_back({prefix, {}, {}});
    std::optional<std::size_t>& place = kind == "bias" ? layers.back().bias : layers.back().weight;
    if (place || (kind != "weight" && kind != "gain" && kind != "bias")) {
      fail("{}: the problem's block '{}' {} has no counterpart among layers of a weight and a bias; name its tensor so",
           file, layout.blocks()[b].name, text_of(layout.blocks()[b].shape));
    }
    place = b;
  }
  return layers;
}

/// The tensors of the layout's own names, unless one is missing; nothing else is there but the state of a run.
std::optional<std::vector<std::size_t>> by_own_names(std::span<const NamedShape> tensors, const ParameterLayout& layout,
                                                     std::string_view file) {
  std::vector<std::size_t> places;
  for (const ParameterBlock& block : layout.blocks()) {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const NamedShape& t) { return t.name == block.name; });
    if (found == tensors.end()) return std::nullopt;
    places.push_back(static_cast<std::size_t>(found - tensors.begin()));
  }
  for (std::size_t b = 0; b < places.size(); ++b) {
    const NamedShape& tensor = tensors[places[b]];
    if (tensor.shape != layout.blocks()[b].shape) {
      fail("{}: tensor {} does not fit; the problem's block of this name is {}", file, text_of(tensor),
           text_of(layout.blocks()[b].shape));
    }
  }
  for (const NamedShape& tensor : tensors) {
    if (layout.find(tensor.name) == nullptr && !is_state(tensor.name)) {
      fail("{}: tensor {} is left over; the problem has no block of this name", file, text_of(tensor));
    }
  }
  return places;
}

/// The tensors of a file or folder, by name and shape, and a way to their entries.
class Store {
 public:
  explicit Store(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.path().extension() != ".npy") continue;
        arrays_.push_back(read_npy(entry.path().string()));
        shapes_.push_back({entry.path().stem().string(), arrays_.back().shape});
      }
      if (shapes_.empty()) {
        fail("{}: there is no checkpoint and no NPY file in this folder; name one with a file NAME.npy for each tensor",
             path.string());
      }
      return;
    }
    std::array<char, 4> magic{};
    // A pipe is left to the reader below, which refuses it: opening one here would wait for its writer.
    if (std::filesystem::is_regular_file(path)) {
      std::ifstream(path, std::ios::binary).read(magic.data(), magic.size());
    }
    if (std::string_view(magic.data(), magic.size()) == "PK\x03\x04") {
      fail(
          "{}: this is a zip archive, as numpy.savez and torch.save write it; unpack an .npz into a folder and name "
          "that, or export the state_dict of a .pt by docs/examples/export_pytorch.py",
          path.string());
    }
    file_.emplace(path);
    for (const StoredTensor& tensor : file_->tensors()) shapes_.push_back({tensor.name, tensor.shape});
  }

  std::span<const NamedShape> shapes() const { return shapes_; }
  Vector entries(std::size_t i) const {
    return file_ ? file_->numbers(file_->tensors()[i]) : Vector(arrays_[i].flat());
  }

 private:
  std::vector<NamedShape> shapes_;
  std::vector<Array> arrays_;            ///< of a folder
  std::optional<SafetensorsFile> file_;  ///< or the file
};

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t at_a = 0, at_b = 0;
  while (at_a < a.size() && at_b < b.size()) {
    const std::string_view run_a = run_at(a, at_a);
    const std::string_view run_b = run_at(b, at_b);
    at_a += run_a.size();
    at_b += run_b.size();
    if (is_digit(run_a.front()) && is_digit(run_b.front())) {
      const std::string_view x = run_a.substr(std::min(run_a.find_first_not_of('0'), run_a.size()));
      const std::string_view y = run_b.substr(std::min(run_b.find_first_not_of('0'), run_b.size()));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (run_a != run_b) {
      return run_a < run_b;
    }
  }
  if (at_a < a.size() || at_b < b.size()) return at_a >= a.size();
  return a < b;  // "net.01" and "net.1" are two names
}

std::vector<std::size_t> match_weights(std::span<const NamedShape> tensors, const ParameterLayout& layout,
                                       std::string_view file) {
  if (auto own = by_own_names(tensors, layout, file)) return *std::move(own);
  const std::vector<LayerTensors> wanted = layers_of(layout, file);
  const std::vector<std::vector<LayerTensors>> sequences = sequences_of(tensors, file);
  std::vector<std::size_t> next(sequences.size(), 0);
  std::vector<std::size_t> places(layout.blocks().size());

  // A tensor there and a block here: both missing, or of one shape.
  const auto agree = [&](const std::optional<std::size_t>& tensor, const std::optional<std::size_t>& block) {
    if (!tensor || !block) return !tensor && !block;
    return tensors[*tensor].shape == layout.blocks()[*block].shape;
  };
  const auto text_of_layer = [&](const LayerTensors& layer) {
    std::string text;
    for (const auto& i : {layer.weight, layer.bias}) {
      if (i) text += fmt::format("{}{}", text.empty() ? "" : " with ", text_of(tensors[*i]));
    }
    return text;
  };
  for (const LayerTensors& layer : wanted) {
    std::string expected;
    for (const auto& b : {layer.weight, layer.bias}) {
      if (!b) continue;
      const ParameterBlock& block = layout.blocks()[*b];
      expected += fmt::format("{}'{}' {}", expected.empty() ? "" : " with ", block.name, text_of(block.shape));
    }
    std::vector<std::size_t> fitting;
    std::string offered;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      if (next[s] == sequences[s].size()) continue;
      const LayerTensors& head = sequences[s][next[s]];
      if (agree(head.weight, layer.weight) && agree(head.bias, layer.bias)) fitting.push_back(s);
      offered += fmt::format("{}{}", offered.empty() ? "" : ", or ", text_of_layer(head));
    }
    if (fitting.empty()) {
      fail("{}: expected {} of the problem, but the next tensor by name is {}", file, expected,
           offered.empty() ? "none" : offered);
    }
    if (fitting.size() > 1) {
      fail("{}: tensors {} and {} could both be {}, and their names give no order; give them the problem's names", file,
           text_of_layer(sequences[fitting[0]][next[fitting[0]]]),
           text_of_layer(sequences[fitting[1]][next[fitting[1]]]), expected);
    }
    const LayerTensors& taken = sequences[fitting[0]][next[fitting[0]]++];
    if (layer.weight) places[*layer.weight] = *taken.weight;
    if (layer.bias) places[*layer.bias] = *taken.bias;
  }
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    if (next[s] == sequences[s].size()) continue;
    fail("{}: tensor {} is left over; the problem has {} layers and each has its tensors", file,
         text_of_layer(sequences[s][next[s]]), wanted.size());
  }
  return places;
}

Weights load_weights(const std::filesystem::path& path, const ParameterLayout& layout) {
  const Store store(path);
  const std::vector<std::size_t> places = match_weights(store.shapes(), layout, path.string());
  Weights weights;
  for (const std::size_t place : places) weights.names.push_back(store.shapes()[place].name);
  const bool own = std::equal(
      places.begin(), places.end(), layout.blocks().begin(),
      [&](std::size_t place, const ParameterBlock& block) { return store.shapes()[place].name == block.name; });
  if (own && !std::filesystem::is_directory(path)) {
    weights.x = load_parameters(path, layout);  // which checks the sum of a checkpoint
    return weights;
  }
  weights.x.resize(layout.size());
  for (std::size_t b = 0; b < places.size(); ++b) {
    const ParameterBlock& block = layout.blocks()[b];
    weights.x.segment(block.offset, block.size) = store.entries(places[b]);
  }
  return weights;
}

}  // namespace hesse
