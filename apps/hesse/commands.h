/// \file
/// The subcommands. Each is one file: parse, call the library, write records.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace hesse::app {

using Arguments = std::span<const std::string>;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(Arguments);  ///< returns the exit code; throws Error on bad input
};

int compare_command(Arguments);
int tune_command(Arguments);
int sweep_command(Arguments);
int train_command(Arguments);
int resume_command(Arguments);
int spectrum_command(Arguments);
int classify_command(Arguments);
int sharpness_command(Arguments);
int landscape_command(Arguments);
int check_derivatives_command(Arguments);
int constrained_command(Arguments);
int validate_command(Arguments);
int verify_command(Arguments);
int profile_command(Arguments);
int diagnose_command(Arguments);
int find_lr_command(Arguments);
int report_command(Arguments);
int schedule_command(Arguments);
int list_command(Arguments);
int describe_command(Arguments);
int data_command(Arguments);
int doctor_command(Arguments);
int completion_command(Arguments);
int man_command(Arguments);

/// All of them, in the order in which help shows them.
const std::vector<Command>& commands();

}  // namespace hesse::app
