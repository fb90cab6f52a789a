/// \file
/// The readers of each format, one function in the file of its name.
#pragma once

#include "fuzz.h"

namespace hesse::fuzz {

void read_idx_bytes(const Input& input);
void read_gzip_bytes(const Input& input);
void read_csv_bytes(const Input& input);
void read_libsvm_bytes(const Input& input);
void read_npy_bytes(const Input& input);
void read_text_bytes(const Input& input);
void read_nist_bytes(const Input& input);
void read_bundle_adjustment_bytes(const Input& input);
void read_json_bytes(const Input& input);
void read_safetensors_bytes(const Input& input);
void read_checkpoint_bytes(const Input& input);
void read_run_record_bytes(const Input& input);
void read_csv_table_bytes(const Input& input);
void read_trace_bytes(const Input& input);
void read_report_bytes(const Input& input);
void read_specification_bytes(const Input& input);
void read_config_bytes(const Input& input);

}  // namespace hesse::fuzz
