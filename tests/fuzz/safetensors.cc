#include "formats.h"

#include "hesse/report/checkpoint.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/weights.h"

namespace hesse::fuzz {

void read_safetensors_bytes(const Input& input) {
  value_or_error(input.path, [&] {
    const SafetensorsFile file(std::string(input.bytes), input.path);
    std::vector<TensorToWrite> again;
    for (const StoredTensor& tensor : file.tensors()) {
      if (tensor.type == TensorType::i64) {
        require(file.whole_numbers(tensor).size() == static_cast<std::size_t>(tensor.size), "entries are missing");
      } else {
        require(file.numbers(tensor).size() == tensor.size, "entries are missing");
      }
      again.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
    }
    std::string bytes = safetensors_header(again, file.metadata());
    for (const TensorToWrite& tensor : again) bytes += tensor.bytes;
    const SafetensorsFile second(std::move(bytes), "again");
    require(second.tensors().size() == file.tensors().size(), "written and read again a tensor is missing");
    for (std::size_t i = 0; i < again.size(); ++i) {
      require(second.tensors()[i].bytes == file.tensors()[i].bytes, "written and read again a tensor is another");
    }
  });
  ParameterLayout layout;
  layout.add("layer1.weight", {3, 2});
  layout.add("layer1.bias", {3});
  layout.add("layer2.weight", {2, 3});
  layout.add("layer2.bias", {2});
  value_or_error(input.path, [&] { require(load_parameters(input.path, layout).size() == layout.size(), "size"); });
  value_or_error(input.path, [&] { require(load_weights(input.path, layout).x.size() == layout.size(), "size"); });
}

}  // namespace hesse::fuzz
