#include "formats.h"

#include "hesse/report/trace.h"

namespace hesse::fuzz {

void read_trace_bytes(const Input& input) {
  Trace trace;
  if (!value_or_error("trace.csv", [&] { trace = parse_trace(input.bytes, "trace.csv"); })) return;
  const std::string text = trace_text(trace);
  require(trace_text(parse_trace(text, "again")) == text, "a trace that was written reads back to another");
}

}  // namespace hesse::fuzz
