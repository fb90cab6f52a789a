/// \file
/// What a fuzzer of a format is: the readers that its bytes go through, and the rule that they are held to. A reader
/// ends in a value or in an Error of one line that says where; it neither crashes nor takes long, and takes no more
/// memory than a small multiple of what it was given.
///
/// The same formats are run by libFuzzer (preset `fuzz`, scripts/fuzz.sh) and by a program without it that replays a
/// folder of kept inputs (replay.cc), which is a test of every build.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace hesse::fuzz {

/// An input as readers want it.
struct Input {
  std::string_view bytes;
  std::string path;  ///< of a regular file in memory that holds these bytes and no others
};

/// One format.
struct Format {
  const char* name;
  void (*read)(const Input&);
  /// Bytes that its readers may take beside 64 MiB for each byte that an input of gzip decompresses to: what the type
  /// of the result asks for, an image's byte becoming a double. Of any other input it is 4 for each byte.
  std::size_t growth_of_gzip = 0;
};

/// All of them; each is a function in the file of its name and a line in fuzz.cc.
std::span<const Format> formats();

/// Runs readers of `format` on `bytes` and ends the program with a line where they break the rule.
void run(const Format& format, std::string_view bytes);

/// Runs one reader. Returns whether it gave a value; ends the program where it throws anything but Error, or an Error
/// that is not one printable line that names `where`.
bool value_or_error(std::string_view where, const std::function<void()>& read);

/// Ends the program with `what` unless `holds`.
void require(bool holds, std::string_view what);

/// A folder in memory for readers of whole folders; the same for every call, and empty again after each input.
const std::string& folder();

/// Puts a file into it, or replaces it.
void place(const std::string& name, std::string_view bytes);

}  // namespace hesse::fuzz
