#include "hesse/report/step_lines.h"

#include "hesse/core/options.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/writing.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <system_error>

namespace hesse {

void begin_step_lines(const std::filesystem::path& path, const std::string& header,
                      const std::function<bool(std::int64_t)>& keeps) {
  if (!writes_records()) return;
  std::string kept = header;
  std::error_code error;
  if (keeps && std::filesystem::exists(path, error)) {
    const std::string old = read_file(path);
    std::size_t begin = std::min(old.find('\n'), old.size() - 1) + 1;
    for (std::size_t end = old.find('\n', begin); end != std::string::npos; end = old.find('\n', begin)) {
      const std::string_view line(old.data() + begin, end + 1 - begin);
      const std::string_view first = line.substr(0, line.find_first_of(",\n"));
      if (keeps(parse_whole_number(path.string(), first))) kept += line;
      begin = end + 1;
    }
  }
  write_file(path, kept);
}

void append_step_lines(const std::filesystem::path& path, const std::string& lines) {
  if (!writes_records()) return;
  std::ofstream out(path, std::ios::binary | std::ios::app);
  out << lines << std::flush;
  if (!out) fail_to_write(path, "append to the file", errno);
}

}  // namespace hesse
