#include "formats.h"

#include "hesse/data/data_file.h"

#include <vector>

namespace hesse::fuzz {

void read_gzip_bytes(const Input& input) {
  std::string text;
  value_or_error(input.path, [&] { text = read_text(input.path); });
  // In pieces of odd sizes the same bytes come out.
  value_or_error(input.path, [&] {
    GzipReader gzip(input.path, input.bytes);
    std::vector<char> piece(1237);
    std::size_t most = std::size_t{1} << 22U;
    for (std::size_t count = piece.size(); count == piece.size() && most > count; most -= count) {
      count = gzip.read(piece.data(), piece.size());
    }
  });
}

}  // namespace hesse::fuzz
