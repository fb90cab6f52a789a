#include "fuzz.h"

#include "formats.h"
#include "memory.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/data/data_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <utility>

namespace hesse::fuzz {
namespace {

/// Of the processor, that a reader may take: HESSE_FUZZ_SECONDS where it is set, as under valgrind.
double most_seconds() {
  static const char* const given = std::getenv("HESSE_FUZZ_SECONDS");
  if (given != nullptr) return std::atof(given);
#if defined(HESSE_FUZZ_SLOW)
  return 5;  // the sanitizers' checks cost as much again several times
#else
  return 1;
#endif
}

[[noreturn]] void end_with(std::string_view what) {
  fmt::print(stderr, "the rule is broken: {}\n", what);
  std::abort();
}

/// Of the processor, not of the clock on the wall: a loaded machine is no fault of the reader.
double seconds_used() {
  timespec time = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// A file in memory, written anew for each input.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("input", MFD_CLOEXEC)) {
    if (descriptor_ < 0) end_with("no file in memory could be made");
    path_ = fmt::format("/proc/self/fd/{}", descriptor_);
  }
  const std::string& path() const { return path_; }
  void write(std::string_view bytes) const {
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      end_with("the file in memory could not be written");
    }
  }

 private:
  int descriptor_;
  std::string path_;
};

/// What gzip's bytes become, as far as they are sound.
std::size_t decompressed_size(const Input& input) {
  std::size_t size = 0;
  try {
    GzipReader gzip(input.path, input.bytes);
    std::array<char, 1U << 16U> block;
    for (std::size_t count = block.size(); count == block.size(); size += count) {
      count = gzip.read(block.data(), block.size());
    }
  } catch (const Error&) {
    // As far as it went.
  }
  return size;
}

std::size_t memory_limit(const Format& format, const Input& input) {
  constexpr std::size_t kFree = std::size_t{64} << 20U;
  const bool gzip = format.growth_of_gzip > 0 && input.bytes.starts_with("\x1f\x8b");
  return kFree + 4 * input.bytes.size() + (gzip ? format.growth_of_gzip * decompressed_size(input) : 0);
}

}  // namespace

std::span<const Format> formats() {
  static constexpr Format kFormats[] = {
      {"idx", read_idx_bytes, 20},
      {"gzip", read_gzip_bytes, 4},
      {"csv", read_csv_bytes, 32},
      {"libsvm", read_libsvm_bytes, 160},
      {"npy", read_npy_bytes},
      {"text", read_text_bytes},
      {"nist", read_nist_bytes, 32},
      {"bundle-adjustment", read_bundle_adjustment_bytes, 16},
      {"json", read_json_bytes},
      {"safetensors", read_safetensors_bytes},
      {"checkpoint", read_checkpoint_bytes},
      {"run-record", read_run_record_bytes},
      {"csv-table", read_csv_table_bytes},
      {"trace", read_trace_bytes},
      {"report", read_report_bytes},
      {"specification", read_specification_bytes},
      {"config", read_config_bytes},
  };
  return kFormats;
}

void require(bool holds, std::string_view what) {
  if (!holds) end_with(what);
}

bool value_or_error(std::string_view where, const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    const std::string_view text = error.what();
    const bool printable = std::none_of(text.begin(), text.end(),
                                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (text.empty() || !printable) end_with(fmt::format("this is not one printable line:\n{}", text));
    if (text.find(where) == std::string_view::npos) end_with(fmt::format("'{}' does not say where: {}", text, where));
    return false;
  } catch (const std::exception& e) {
    end_with(fmt::format("an exception that is no Error: {}", e.what()));
  }
}

namespace {

bool folder_is_used = false;

void empty_folder() {
  if (!std::exchange(folder_is_used, false)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) std::filesystem::remove_all(entry.path());
}

}  // namespace

const std::string& folder() {
  folder_is_used = true;
  static const struct Folder {
    std::string path;
    Folder() {
      const bool memory = std::filesystem::is_directory("/dev/shm") && ::access("/dev/shm", W_OK) == 0;
      path = (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/hesse-fuzz-XXXXXX";
      if (::mkdtemp(path.data()) == nullptr) end_with("no folder could be made");
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } made;
  return made.path;
}

void place(const std::string& name, std::string_view bytes) {
  std::ofstream file(folder() + "/" + name, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void run(const Format& format, std::string_view bytes) {
  static const MemoryFile file;
  file.write(bytes);
  const Input input{bytes, file.path()};
  const std::size_t limit = memory_limit(format, input);
  start_counting_memory();
  const double start = seconds_used();
  format.read(input);
  const double seconds = seconds_used() - start;
  const std::size_t memory = most_memory();
  empty_folder();
  if (memory > limit) end_with(fmt::format("{} bytes were held at once, {} are allowed", memory, limit));
  if (!(seconds <= most_seconds())) end_with(fmt::format("the readers took {:.2f} s", seconds));
}

}  // namespace hesse::fuzz
