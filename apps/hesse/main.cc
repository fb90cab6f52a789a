#include "command_line.h"
#include "commands.h"
#include "joined_ranks.h"
#include "records.h"

#include "hesse/core/blas_kernels.h"
#include "hesse/core/error.h"
#include "hesse/core/failure_text.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/terminal.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace hesse::app {
namespace {

constexpr const char* kVersion = HESSE_VERSION;

std::string overview() {
  std::string text = "hesse: second-order optimization and curvature analysis\n\nUsage: hesse <command> [options]\n\n";
  for (const Command& command : commands()) text += fmt::format("  {:<18} {}\n", command.name, command.summary);
  text += "\n'hesse <command> --help' shows a command's options; 'hesse list' shows every problem and optimizer.\n";
  return text;
}

int run(Arguments arguments) {
  if (arguments.empty()) {
    fmt::print(stderr, "{}", overview());
    return kBadInput;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    fmt::print("{}", overview());
    return kDone;
  }
  if (name == "--version") {
    fmt::print("hesse {}\n", kVersion);
    return kDone;
  }
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) {
      try {
        const int code = command.run(arguments.subspan(1));
        finish_records(code);
        return code;
      } catch (const HelpRequested& help) {
        fmt::print("{}", help_text(help.syntax, terminal_style(stdout).width));
        return kDone;
      }
    }
    names.emplace_back(command.name);
  }
  fail("there is no command '{}'{}; 'hesse --help' shows all", name, suggestion(name, names));
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"compare", "Run several optimizers on one problem under one protocol", compare_command},
      {"tune", "Tune several optimizers alike, and compare the best of each", tune_command},
      {"sweep", "Run problems x optimizers x settings x seeds, each once", sweep_command},
      {"train", "Run one optimizer on one problem", train_command},
      {"resume", "Continue an interrupted run, comparison or sweep", resume_command},
      {"spectrum", "Extreme eigenvalues of a curvature matrix, with residuals", spectrum_command},
      {"classify", "Find the critical point near a point, and tell what it is, with a certificate", classify_command},
      {"sharpness", "Sharpness of a minimum, and which measures a rescaling changes", sharpness_command},
      {"landscape", "The loss around a point, between two points, or along its gradient", landscape_command},
      {"constrained", "Solve problems with constraints, with the conditions of optimality", constrained_command},
      {"check-derivatives", "Check gradients and curvature products against differences", check_derivatives_command},
      {"validate", "Solve problems with Hesse and with Ceres, and judge both answers", validate_command},
      {"verify", "Hold this binary against answers that are known without it", verify_command},
      {"profile", "Performance profiles of optimizers and of other libraries", profile_command},
      {"diagnose", "Run the checks that a person runs when training fails", diagnose_command},
      {"find-lr", "Find a learning rate by the range test", find_lr_command},
      {"report", "Draw the records of runs and analyses as a page, together or alone", report_command},
      {"schedule", "Draw a learning-rate or momentum schedule", schedule_command},
      {"list", "List problems, optimizers, modifiers, schedules and data sets", list_command},
      {"describe", "Explain one of them with all its options", describe_command},
      {"data", "Show, verify and locate the data sets", data_command},
      {"doctor", "Check this machine and installation", doctor_command},
      {"completion", "Print a script that completes the command line", completion_command},
      {"man", "Print the manual page of a command", man_command},
  };
  return table;
}

/// An exit code, and what went wrong.
struct Ending {
  int code = kDone;
  std::string text;
  bool lost = false;  ///< other ranks with it
};

Ending end_of(Arguments arguments) {
  try {
    join_ranks();
    const int code = run(arguments);
    // What is still in the buffer may not fit where it goes.
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category());
    return {code, {}};
  } catch (const RankFailure& e) {
    return {e.code(), e.what(), e.alone()};
  } catch (const WriteError& e) {
    return {kWriteFailed, e.what()};
  } catch (const Error& e) {
    return {kBadInput, e.what()};
  } catch (const std::bad_alloc& e) {
    return {1, failure_text(e)};
  } catch (const std::exception& e) {
    const bool printing = std::ferror(stdout) != 0;
    return {1, fmt::format("{}: {}", printing ? "standard output cannot be written" : "unexpected failure", e.what())};
  }
}

/// Memory that runs out while something is taken apart, as in the destructors of JSON values, which allocate, ends the
/// program without a way back: in one line all the same. Files that were being written have their old content.
[[noreturn]] void end_at_once() {
  try {
    if (const std::exception_ptr e = std::current_exception()) std::rethrow_exception(e);
  } catch (const std::bad_alloc&) {
    // Without an allocation: there may be no memory for one.
    for (const std::string_view text : {std::string_view("hesse: "), kOutOfMemory, std::string_view("\n")}) {
      static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
    }
    ::_exit(1);
  } catch (...) {
    // Told by abort.
  }
  std::abort();
}

}  // namespace hesse::app

int main(int argc, char** argv) {
  using namespace hesse::app;
  std::set_terminate(&end_at_once);
  hesse::restart_with_better_blas_kernels(argv);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  // A limit on file sizes is then an error that names the file, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  const Ending ending = end_of(arguments);
  return leave_ranks(ending.code, ending.text, ending.lost);
}
