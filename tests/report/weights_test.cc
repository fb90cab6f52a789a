#include "hesse/report/weights.h"

#include "hesse/core/error.h"
#include "hesse/data/npy.h"
#include "hesse/nn/models.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/trajectory.h"
#include "report/scratch.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <numeric>

using namespace hesse;
using hesse::test::ScratchFolder;
using Places = std::vector<std::size_t>;
using Catch::Matchers::Contains;

namespace {

/// The layout of a perceptron.
ParameterLayout perceptron(const std::vector<Index>& sizes) {
  return multilayer_perceptron(sizes, Activation::tanh).layout();
}

/// Weight and bias of a dense layer.
void add_dense(std::vector<NamedShape>& tensors, const std::string& prefix, Index inputs, Index outputs) {
  tensors.push_back({prefix + ".weight", {outputs, inputs}});
  tensors.push_back({prefix + ".bias", {outputs}});
}

std::string refusal(const std::vector<NamedShape>& tensors, const ParameterLayout& layout) {
  try {
    match_weights(tensors, layout, "net.safetensors");
  } catch (const Error& e) {
    CHECK_THAT(e.what(), Catch::Matchers::StartsWith("net.safetensors: "));
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
  return "not refused";
}

/// A file with one tensor of a type that the writer does not know.
void write_half(const std::filesystem::path& path, const std::string& type) {
  std::string header = R"({"0.weight":{"dtype":")" + type + R"(","shape":[1],"data_offsets":[0,2]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  write_file(path, bytes + header + std::string(2, '\0'));
}

}  // namespace

TEST_CASE("numbers in names compare as numbers") {
  const char* const order[] = {"",
                               "0.bias",
                               "2",
                               "10",
                               "99999999999999999999999",
                               "100000000000000000000000",
                               "conv",
                               "conv1",
                               "conv2",
                               "net",
                               "net.2",
                               "net.02",
                               "net.10"};
  // "net.02" and "net.2" are one number and told apart by their bytes.
  for (std::size_t i = 0; i < std::size(order); ++i) {
    for (std::size_t j = 0; j < std::size(order); ++j) {
      CAPTURE(order[i], order[j]);
      const bool same_number = std::string(order[i]) == "net.2" && std::string(order[j]) == "net.02";
      const bool reversed = std::string(order[i]) == "net.02" && std::string(order[j]) == "net.2";
      CHECK(natural_less(order[i], order[j]) == ((i < j && !same_number) || reversed));
    }
  }
}

TEST_CASE("layers of a PyTorch Sequential are taken in the order of their numbers") {
  // Eleven dense layers of one shape, 0, 2, ..., 20: by bytes "10" would come before "2".
  std::vector<NamedShape> tensors;
  for (const int i : {10, 2, 20, 0, 18, 4, 16, 6, 14, 8, 12}) add_dense(tensors, fmt::format("net.{}", i), 3, 3);
  const Places places = match_weights(tensors, perceptron(std::vector<Index>(12, 3)), "f");
  REQUIRE(places.size() == 22);
  for (std::size_t l = 0; l < 11; ++l) {
    CHECK(tensors[places[2 * l]].name == fmt::format("net.{}.weight", 2 * l));
    CHECK(tensors[places[2 * l + 1]].name == fmt::format("net.{}.bias", 2 * l));
  }
}

TEST_CASE("sequences of different names are merged where their shapes leave one way") {
  std::vector<NamedShape> tensors;
  add_dense(tensors, "encoder.0", 8, 4);
  add_dense(tensors, "encoder.2", 4, 4);
  add_dense(tensors, "decoder.0", 4, 2);
  add_dense(tensors, "decoder.2", 2, 8);
  CHECK(match_weights(tensors, perceptron({8, 4, 4, 2, 8}), "f") == Places{0, 1, 2, 3, 4, 5, 6, 7});
  // A bare Linear has a weight and a bias without a prefix.
  CHECK(match_weights(std::vector<NamedShape>{{"bias", {3}}, {"weight", {3, 5}}}, perceptron({5, 3}), "f") ==
        Places{1, 0});
}

TEST_CASE("the own names decide where all are there and the state of a run is passed over") {
  std::vector<NamedShape> tensors;
  add_dense(tensors, "layer2", 3, 3);
  add_dense(tensors, "layer1", 3, 3);
  tensors.push_back({"optimizer.m", {24}});
  tensors.push_back({"progress.refuge", {24}});
  CHECK(match_weights(tensors, perceptron({3, 3, 3}), "f") == Places{2, 3, 0, 1});
  add_dense(tensors, "layer3", 3, 3);
  CHECK_THAT(refusal(tensors, perceptron({3, 3, 3})), Contains("'layer3.weight' [3, 3] is left over"));
}

TEST_CASE("convolutions and gains of normalisations have PyTorch's shapes") {
  const Index channels[] = {2};
  const Index hidden[] = {5};
  const Network net = convolutional_network({3, 4, 6}, channels, 3, hidden, 2, Activation::relu);
  std::vector<NamedShape> tensors = {{"features.0.weight", {2, 3, 3, 3}}, {"features.0.bias", {2}}};
  add_dense(tensors, "classifier.0", 2 * 2 * 3, 5);
  add_dense(tensors, "classifier.2", 5, 2);
  CHECK(match_weights(tensors, net.layout(), "f") == Places{0, 1, 2, 3, 4, 5});

  const NormalisedNetwork normalised = normalised_perceptron(std::vector<Index>{4, 3, 2}, Activation::tanh);
  tensors.clear();
  add_dense(tensors, "0", 4, 3);
  tensors.push_back({"1.weight", {3}});
  tensors.push_back({"1.bias", {3}});
  add_dense(tensors, "3", 3, 2);
  CHECK(match_weights(tensors, normalised.training.layout(), "f") == Places{0, 1, 2, 3, 4, 5});
  tensors.push_back({"1.running_var", {3}});
  CHECK_THAT(refusal(tensors, normalised.training.layout()),
             Contains("'1.running_var' [3] is a running statistic of a batch normalisation"));
}

TEST_CASE("what does not fit or fits in two ways is refused with tensor and shape and what was expected") {
  const ParameterLayout layout = perceptron({4, 3, 3});
  std::vector<NamedShape> tensors;
  add_dense(tensors, "net.0", 4, 3);
  CHECK_THAT(refusal(tensors, layout), Contains("expected 'layer2.weight' [3, 3] with 'layer2.bias' [3]") &&
                                           Contains("the next tensor by name is none"));
  tensors.push_back({"net.2.weight", {3, 3}});
  CHECK_THAT(refusal(tensors, layout), Contains("is 'net.2.weight' [3, 3]"));  // a Linear without bias
  tensors.push_back({"net.2.bias", {3}});
  CHECK(match_weights(tensors, layout, "f").size() == 4);
  CHECK_THAT(refusal(tensors, perceptron({4, 5, 3})),
             Contains("expected 'layer1.weight' [5, 4]") && Contains("'net.0.weight' [3, 4]"));
  CHECK_THAT(refusal(tensors, perceptron({3, 4, 3})), Contains("'net.0.weight' [3, 4]"));  // a transposed one
  add_dense(tensors, "net.4", 3, 3);
  CHECK_THAT(refusal(tensors, layout),
             Contains("'net.4.weight' [3, 3] with 'net.4.bias' [3] is left over") && Contains("2 layers"));

  tensors.clear();
  add_dense(tensors, "first", 4, 3);
  add_dense(tensors, "head", 3, 3);
  add_dense(tensors, "body", 3, 3);
  CHECK_THAT(refusal(tensors, perceptron({4, 3, 3, 3})),
             Contains("'body.weight' [3, 3]") && Contains("'head.weight' [3, 3]") && Contains("names give no order") &&
                 Contains("'layer2.weight' [3, 3]"));
  tensors.push_back({"rnn.weight_ih_l0", {3, 3}});
  CHECK_THAT(refusal(tensors, layout), Contains("'rnn.weight_ih_l0' [3, 3] is neither a weight nor a bias"));
  CHECK_THAT(refusal({{"weight", {2}}}, ParameterLayout(2)), Contains("block 'x' [2] has no counterpart"));
}

TEST_CASE("weights read from safetensors in either precision and from NPY files are the same numbers") {
  const ScratchFolder folder;
  const ParameterLayout layout = perceptron({2, 3, 1});
  Vector x(layout.size());
  std::iota(x.begin(), x.end(), -4.5);  // exact in float
  const Eigen::VectorXf narrow = x.cast<float>();
  const std::string names[] = {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
  std::vector<TensorToWrite> wide, half;
  std::filesystem::create_directories(folder / "npy");
  write_file(folder / "npy" / "README", "not a tensor");
  for (std::size_t b = 0; b < 4; ++b) {
    const ParameterBlock& block = layout.blocks()[b];
    const auto size = static_cast<std::size_t>(block.size);
    wide.push_back(TensorToWrite::of(names[b], block.shape, std::span<const double>(x.data() + block.offset, size)));
    half.push_back(
        TensorToWrite::of(names[b], block.shape, std::span<const float>(narrow.data() + block.offset, size)));
    Array array{block.shape, matrix_of_shape(block.shape)};
    std::copy_n(x.data() + block.offset, size, array.values.data());
    write_npy((folder / "npy" / (names[b] + ".npy")).string(), array);
  }
  write_safetensors(folder / "wide.safetensors", wide);
  write_safetensors(folder / "half.safetensors", half);
  for (const char* file : {"wide.safetensors", "half.safetensors", "npy"}) {
    CAPTURE(file);
    const Weights weights = load_weights(folder / file, layout);
    CHECK(weights.x == x);
    CHECK(weights.names == std::vector<std::string>(std::begin(names), std::end(names)));
  }
  save_parameters(folder / "own.safetensors", layout, x);
  CHECK(load_weights(folder / "own.safetensors", layout).x == x);
}

TEST_CASE("half precision and zip archives and empty folders are refused by name") {
  const ScratchFolder folder;
  const ParameterLayout layout = perceptron({1, 1});
  const auto refused = [&](const char* file, const std::string& part) {
    CAPTURE(file);
    CHECK_THROWS_WITH(load_weights(folder / file, layout), Contains(file) && Contains(part));
  };
  write_half(folder / "bf16.safetensors", "BF16");
  write_half(folder / "f16.safetensors", "F16");
  write_file(folder / "model.npz", "PK\x03\x04 and so on");
  std::filesystem::create_directories(folder / "nothing");
  refused("bf16.safetensors", "'BF16' cannot be read");
  refused("bf16.safetensors", "0.weight");
  refused("f16.safetensors", "'F16' cannot be read");
  refused("model.npz", "zip archive");
  refused("nothing", "no NPY file");
  refused("missing.safetensors", "");
  const std::int64_t whole[] = {1};
  const std::vector<TensorToWrite> tensors = {TensorToWrite::of("weight", {1, 1}, std::span<const std::int64_t>(whole)),
                                              TensorToWrite::of("bias", {1}, std::span<const std::int64_t>(whole))};
  write_safetensors(folder / "i64.safetensors", tensors);
  refused("i64.safetensors", "'weight' holds whole numbers");
}
