/// \file
/// Records of several lines a step, each of which begins with the step: CSV files that grow along a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace hesse {

/// Begins or goes on with such a file: `header`, which ends its line, and the lines of the steps that are to be kept,
/// of those that are there already. Without `keeps` none are, and what is there is not looked at. A last line that was
/// being written when its writer was killed goes. Throws Error naming the file where a line does not begin with a whole
/// number, and WriteError where it cannot be written.
void begin_step_lines(const std::filesystem::path& path, const std::string& header,
                      const std::function<bool(std::int64_t step)>& keeps);

/// Appends lines, which reach the operating system before this returns. Throws WriteError where they do not.
void append_step_lines(const std::filesystem::path& path, const std::string& lines);

}  // namespace hesse
