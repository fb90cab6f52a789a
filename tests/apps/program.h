/// \file
/// Runs the program as a user does, and reads what it prints.
#pragma once

#include "report/scratch.h"

#include "hesse/report/atomic_file.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace hesse::test {

struct Printed {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Runs `hesse ARGUMENTS` in a shell inside `folder`, after the shell's command `before`.
inline Printed run_hesse(const ScratchFolder& folder, const std::string& arguments, const std::string& before = ":") {
  const auto out = folder / "stdout.txt";
  const auto err = folder / "stderr.txt";
  const std::string command = fmt::format("cd '{}' && {} && '{}' {} >'{}' 2>'{}' </dev/null", folder.path().string(),
                                          before, HESSE_PROGRAM, arguments, out.string(), err.string());
  const int status = std::system(command.c_str());
  Printed printed;
  printed.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  printed.out = read_file(out);
  printed.err = read_file(err);
  std::filesystem::remove(out);
  std::filesystem::remove(err);
  return printed;
}

/// Starts `hesse ARGUMENTS` (words without spaces) in `folder`, silently, with the signals' default actions. Returns
/// the process.
inline pid_t start_hesse(const ScratchFolder& folder, const std::vector<std::string>& arguments) {
  // Blocked until the child has no handler of this program's any more.
  sigset_t set;
  sigset_t before;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &before);
  const pid_t child = ::fork();
  if (child != 0) ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child == 0) {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    std::vector<char*> words = {const_cast<char*>(HESSE_PROGRAM)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    if (::chdir(folder.path().c_str()) != 0 || std::freopen("/dev/null", "w", stdout) == nullptr ||
        std::freopen("/dev/null", "w", stderr) == nullptr) {
      ::_exit(125);
    }
    ::execv(HESSE_PROGRAM, words.data());
    ::_exit(126);
  }
  return child;
}

/// Starts `hesse ARGUMENTS` and sends it `signal` once `ready` says so, or after a minute. Returns the exit code, 128 +
/// signal when the signal ended it.
inline int hesse_signalled_when(const ScratchFolder& folder, const std::vector<std::string>& arguments, int signal,
                                const std::function<bool()>& ready) {
  const pid_t child = start_hesse(folder, arguments);
  for (int i = 0; i < 60000 && !ready(); ++i) ::usleep(1000);
  ::kill(child, signal);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The same after some milliseconds.
inline int hesse_signalled(const ScratchFolder& folder, const std::vector<std::string>& arguments, int signal,
                           int milliseconds) {
  return hesse_signalled_when(folder, arguments, signal, [milliseconds] {
    ::usleep(static_cast<useconds_t>(milliseconds) * 1000);
    return true;
  });
}

}  // namespace hesse::test
