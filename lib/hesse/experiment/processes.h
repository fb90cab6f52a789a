/// \file
/// Programs run side by side, each on processors of its own.
#pragma once

#include "hesse/core/types.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace hesse {

/// How a program ended.
struct ProcessEnd {
  int exit_code = -1;     ///< -1 where a signal ended it
  int signal = 0;         ///< that signal, or 0
  std::string last_line;  ///< the last that it wrote to standard error; empty if nothing
  double seconds = 0;     ///< from start to end
  /// "ended with exit code 2: no such file" or "killed by signal 9 (Killed)".
  std::string text() const;
};

/// What is told while processes run.
struct ProcessHooks {
  /// The program of a job and its arguments, asked for when it is about to start.
  std::function<std::vector<std::string>(std::size_t job)> command;
  std::function<void(std::size_t job)> started = [](std::size_t) {};
  std::function<void(std::size_t job, const ProcessEnd& end)> ended = [](std::size_t, const ProcessEnd&) {};
  /// About every 5 ms; true sends SIGTERM to what runs, once, waits for it, and starts nothing more.
  std::function<bool()> interrupted = [] { return false; };
};

/// Processors for each of `workers`: those that this process may run on, in equal shares, or one each, in turn, where
/// there are more workers than processors.
std::vector<std::vector<int>> processor_shares(std::size_t workers);

/// Runs jobs 0, 1, ... `jobs` - 1 in this order, at most `workers` >= 1 at once, each pinned to its worker's
/// processors (sched_setaffinity(2), which also tells the program how many threads to use). They read nothing, and what
/// they write to standard output is dropped. A program whose parent is killed gets a SIGTERM. A program that cannot be
/// started has ended with exit code 127. Returns false when it was interrupted. Throws Error where no process can be
/// made.
bool run_processes(std::size_t jobs, std::size_t workers, const ProcessHooks& hooks);

}  // namespace hesse
