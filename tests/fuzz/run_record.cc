#include "formats.h"

#include "hesse/experiment/compare.h"
#include "hesse/experiment/sweep.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/command_record.h"
#include "hesse/report/run_record.h"

namespace hesse::fuzz {
namespace {

/// What is read, written, and read again is written to the same bytes.
template <class Read, class Write>
void read_twice(const Input& input, Read read, Write write) {
  const std::string file = folder() + "/again.json";
  value_or_error(input.path, [&] {
    write(file, read(input.path));
    const std::string first = read_file(file);
    write(file, read(file));
    require(read_file(file) == first, "a record that was written reads back to another");
  });
}

}  // namespace

/// The records from which a run, a comparison, a tuning and a sweep go on.
void read_run_record_bytes(const Input& input) {
  read_twice(input, read_run_record, write_run_record);
  read_twice(input, read_command_record, write_command_record);
  place(kComparisonFile, input.bytes);
  value_or_error(folder(), [] { read_comparison(folder()); });
  place(kTunedFile, input.bytes);
  value_or_error(folder(), [] { read_tuned(folder(), {}); });
  place(kSweepFile, input.bytes);
  value_or_error(folder(), [] { read_sweep(folder()); });
}

}  // namespace hesse::fuzz
