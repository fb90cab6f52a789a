#include "records.h"

#include "objectives.h"

#include "hesse/report/checkpoint.h"
#include "hesse/report/run_record.h"
#include "hesse/report/safetensors.h"
#include "hesse/report/trace.h"
#include "hesse/report/weights.h"

#include <cstring>
#include <filesystem>

namespace hesse::python {
namespace {

namespace fs = std::filesystem;

const char* dtype_of(TensorType type) {
  switch (type) {
    case TensorType::f64: return "<f8";
    case TensorType::f32: return "<f4";
    case TensorType::i64: return "<i8";
  }
  return "";
}

py::array array_of(const StoredTensor& tensor) {
  py::array array(py::dtype(dtype_of(tensor.type)), tensor.shape);
  std::memcpy(array.mutable_data(), tensor.bytes.data(), tensor.bytes.size());
  return array;
}

/// ({name: array}, {key: text}).
py::tuple load_safetensors(const std::string& path) {
  const SafetensorsFile file{fs::path(path)};
  py::dict arrays;
  for (const StoredTensor& tensor : file.tensors()) arrays[py::str(tensor.name)] = array_of(tensor);
  py::dict metadata;
  for (const auto& [key, text] : file.metadata()) metadata[py::str(key)] = text;
  return py::make_tuple(arrays, metadata);
}

TensorType type_of(const py::array& array, const std::string& name) {
  const py::dtype type = array.dtype();
  if (type.kind() == 'f' && type.itemsize() == 8) return TensorType::f64;
  if (type.kind() == 'f' && type.itemsize() == 4) return TensorType::f32;
  if (type.kind() == 'i' && type.itemsize() == 8) return TensorType::i64;
  fail("save_safetensors: the array '{}' is of type '{}'; float64, float32 and int64 can be written", name,
       py::str(type.attr("name")).cast<std::string>());
}

void save_safetensors(const std::string& path, const py::dict& arrays, const py::dict& metadata) {
  std::vector<TensorToWrite> tensors;
  std::vector<py::array> held;  // for as long as their bytes are read
  for (const auto& [key, value] : arrays) {
    const std::string name = py::str(key);
    py::array array = py::array::ensure(value, py::array::c_style);
    if (!array) fail("save_safetensors: '{}' is no array", name);
    const TensorType type = type_of(array, name);
    if (array.dtype().attr("isnative").cast<bool>() == false) {
      fail("save_safetensors: the array '{}' has the byte order of another machine; give array.astype('f8')", name);
    }
    tensors.push_back({name,
                       type,
                       {array.shape(), array.shape() + array.ndim()},
                       {static_cast<const char*>(array.data()), static_cast<std::size_t>(array.nbytes())}});
    held.push_back(std::move(array));
  }
  TensorMetadata texts;
  for (const auto& [key, value] : metadata) texts.emplace_back(py::str(key), py::str(value));
  write_safetensors(fs::path(path), tensors, texts);
}

/// (columns, rows (m, k)).
py::tuple read_trace_table(const std::string& path) {
  const Trace trace = read_trace(path);
  const auto rows = static_cast<Index>(trace.rows.size());
  const auto columns = static_cast<Index>(trace.columns.size());
  py::array_t<double> table({rows, columns});
  auto entries = table.mutable_unchecked<2>();
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      entries(i, j) = trace.rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    }
  }
  return py::make_tuple(trace.columns, table);
}

/// The parameters of a checkpoint, whose sum is checked, as {name: array}.
py::dict checkpoint_parameters(const std::string& path) {
  ParameterLayout layout;
  {
    const SafetensorsFile file{fs::path(path)};
    for (const StoredTensor& tensor : file.tensors()) {
      const bool state = tensor.name.starts_with("optimizer.") || tensor.name.starts_with("progress.");
      if (!state) layout.add(tensor.name, tensor.shape);
    }
  }
  const Vector x = load_parameters(path, layout);
  py::dict arrays;
  for (const ParameterBlock& block : layout.blocks()) {
    const py::array_t<double> entries(block.size, x.data() + block.offset);
    arrays[py::str(block.name)] = entries.attr("reshape")(py::cast(block.shape));
  }
  return arrays;
}

/// x (n,) from a checkpoint or from weights of a network trained elsewhere.
Vector load_point(const PythonObjective& self, const std::string& path) {
  return load_weights(path, self.f->layout()).x;
}

}  // namespace

void add_records(py::module_& module) {
  module.def("_load_safetensors", &load_safetensors, "path"_a);
  module.def("_save_safetensors", &save_safetensors, "path"_a, "arrays"_a, "metadata"_a);
  module.def("_read_trace", &read_trace_table, "path"_a);
  module.def("_checkpoint_parameters", &checkpoint_parameters, "path"_a);
  module.def("_load_point", &load_point, "f"_a, "path"_a);
  module.attr("_run_file") = kRunFile;
  module.attr("_trace_file") = kTraceFile;
  module.attr("_checkpoint_files") = py::make_tuple(kCheckpointFile, kPreviousCheckpointFile);
}

}  // namespace hesse::python
