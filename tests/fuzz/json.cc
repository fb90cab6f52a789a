#include "formats.h"

#include "hesse/report/json.h"

namespace hesse::fuzz {

void read_json_bytes(const Input& input) {
  Json json;
  if (!value_or_error(input.path, [&] { json = read_json(input.path); })) return;
  const std::string text = json_text(json);
  require(json_text(parse_json(text, "again")) == text, "what is written does not read back to the same");
  require(json_text(parse_json(json_text(json, false), "again")) == text,
          "in one line it reads back to something else");
}

}  // namespace hesse::fuzz
