#include "hesse/experiment/processes.h"

#include "hesse/core/error.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

namespace hesse {
namespace {

using Clock = std::chrono::steady_clock;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

/// One that runs.
struct Running {
  std::size_t job;
  pid_t process;
  File errors;
  Clock::time_point start;
};

std::string last_line(std::FILE* file) {
  std::rewind(file);
  std::string last;
  std::string line;
  const auto keep = [&] {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    line.clear();
  };
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    if (c == '\n') {
      keep();
    } else if (line.size() < 1000) {
      line += static_cast<char>(c);
    }
  }
  keep();
  return last;
}

Running start(std::size_t job, const std::vector<std::string>& command, const std::vector<int>& processors) {
  File errors(std::tmpfile());
  if (!errors) fail("cannot create a temporary file: {}", std::generic_category().message(errno));
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int processor : processors) CPU_SET(static_cast<std::size_t>(processor), &set);
  const pid_t parent = ::getpid();
  const auto now = Clock::now();
  // A signal that comes between fork and exec must not meet a handler of this program, which would swallow it.
  sigset_t ending;
  sigset_t before;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, &before);
  const pid_t child = ::fork();
  if (child != 0) ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) fail("cannot start a process: {}", std::generic_category().message(errno));
  if (child == 0) {
    // Between fork and exec only what is safe in a signal handler. A group of its own, so that the terminal's
    // interrupt reaches the parent alone, which passes it on once.
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGINT, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(143);
    ::setpgid(0, 0);
    ::sched_setaffinity(0, sizeof set, &set);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, 0);
    ::dup2(nothing, 1);
    ::dup2(::fileno(errors.get()), 2);
    ::execv(words.front(), words.data());
    ::_exit(127);
  }
  return {job, child, std::move(errors), now};
}

}  // namespace

std::string ProcessEnd::text() const {
  std::string out = signal != 0 ? fmt::format("killed by signal {} ({})", signal, ::strsignal(signal))
                                : fmt::format("ended with exit code {}", exit_code);
  if (!last_line.empty()) out += ": " + last_line;
  return out;
}

std::vector<std::vector<int>> processor_shares(std::size_t workers) {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> all;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(static_cast<std::size_t>(i), &set)) all.push_back(i);
    }
  }
  if (all.empty()) all.push_back(0);
  std::vector<std::vector<int>> shares(workers);
  for (std::size_t w = 0; w < workers; ++w) {
    if (workers > all.size()) {
      shares[w] = {all[w % all.size()]};
    } else {
      shares[w].assign(all.begin() + static_cast<std::ptrdiff_t>(w * all.size() / workers),
                       all.begin() + static_cast<std::ptrdiff_t>((w + 1) * all.size() / workers));
    }
  }
  return shares;
}

bool run_processes(std::size_t jobs, std::size_t workers, const ProcessHooks& hooks) {
  const auto shares = processor_shares(workers);
  std::vector<std::optional<Running>> running(workers);
  std::size_t next = 0;
  bool stopping = false;
  for (;;) {
    bool any = false;
    bool changed = false;
    for (std::size_t w = 0; w < workers; ++w) {
      if (running[w]) {
        int status = 0;
        const pid_t ended = ::waitpid(running[w]->process, &status, WNOHANG);
        if (ended == running[w]->process) {
          ProcessEnd end;
          if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
          if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
          end.last_line = last_line(running[w]->errors.get());
          end.seconds = std::chrono::duration<double>(Clock::now() - running[w]->start).count();
          const std::size_t job = running[w]->job;
          running[w].reset();
          changed = true;
          hooks.ended(job, end);
        } else if (ended < 0 && errno != EINTR) {
          fail("cannot wait for process {}: {}", running[w]->process, std::generic_category().message(errno));
        }
      }
      if (!running[w] && !stopping && next < jobs) {
        const std::size_t job = next++;
        running[w] = start(job, hooks.command(job), shares[w]);
        hooks.started(job);
        changed = true;
      }
      any = any || running[w].has_value();
    }
    if (!any && (stopping || next == jobs)) return !stopping;
    if (!stopping && hooks.interrupted()) {
      stopping = true;
      for (const auto& one : running) {
        if (one) ::kill(one->process, SIGTERM);
      }
    }
    if (!changed) ::usleep(5000);
  }
}

}  // namespace hesse
