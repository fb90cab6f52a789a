// Compiled to nothing where there is no MPI; CMake then adds a test that says so.
#ifdef HESSE_MPIRUN

#include "apps/checkpoint_bits.h"
#include "apps/program.h"

#include "hesse/report/json.h"
#include "hesse/report/safetensors.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

using namespace hesse;
using Catch::Matchers::Contains;
using test::checkpoint_bits;
using test::Printed;
using test::ScratchFolder;

namespace {

namespace fs = std::filesystem;

/// What mpirun wants as root in a container with fewer processors than ranks. Its own banner on exit codes is left out.
const std::string kEnvironment =
    "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1";

/// `hesse ARGUMENTS` on so many ranks.
Printed on_ranks(int ranks, const ScratchFolder& folder, const std::string& arguments) {
  const auto out = folder / "stdout.txt";
  const auto err = folder / "stderr.txt";
  const std::string command =
      fmt::format("cd '{}' && {} && '{}' -q -n {} '{}' {} >'{}' 2>'{}' </dev/null", folder.path().string(),
                  kEnvironment, HESSE_MPIRUN, ranks, HESSE_PROGRAM, arguments, out.string(), err.string());
  const int status = std::system(command.c_str());
  Printed printed;
  printed.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  printed.out = read_file(out);
  printed.err = read_file(err);
  fs::remove(out);
  fs::remove(err);
  return printed;
}

std::vector<double> parameters(const fs::path& folder) {
  const SafetensorsFile file(folder / "checkpoint.safetensors");
  std::vector<double> all;
  for (const auto& tensor : file.tensors()) {
    if (!tensor.name.starts_with("layer")) continue;
    const auto numbers = file.numbers(tensor);
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  return all;
}

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

const std::string kProblem = "--problem mlp:data=digits,hidden=12 --precision double --quiet ";

/// Processes of this program whose command line has `mark`, ascending.
std::vector<pid_t> processes_with(const std::string& mark) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code error;
    if (fs::read_symlink(entry.path() / "exe", error) != fs::path(HESSE_PROGRAM)) continue;
    std::ifstream in(entry.path() / "cmdline");
    std::stringstream text;
    text << in.rdbuf();
    if (text.str().find(mark) != std::string::npos) found.push_back(std::stoi(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Starts a run without end on two ranks, waits for a checkpoint, and sends a signal to the second of its processes.
Printed signalled(const ScratchFolder& folder, int signal) {
  const std::string mark = (folder / "run").string();
  std::optional<Printed> printed;
  std::jthread launcher([&] {
    printed = on_ranks(2, folder,
                       "train " + kProblem +
                           "--optimizer adam --budget 100000epochs --checkpoint-seconds 0.05 --output '" + mark + "'");
  });
  for (int wait = 0; wait < 600 && !fs::exists(folder / "run" / "checkpoint.safetensors"); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::vector<pid_t> processes = processes_with(mark);
  // Not to wait for ever below where something else went wrong.
  if (processes.size() == 2) {
    ::kill(processes.back(), signal);
  } else {
    for (const pid_t process : processes) ::kill(process, SIGKILL);
  }
  launcher.join();
  CHECK(processes.size() == 2);
  return *printed;
}

}  // namespace

TEST_CASE("training on ranks has the same bits for any number and is one process's up to rounding") {
  const ScratchFolder folder;
  for (const char* method : {"lbfgs --budget 12steps", "kfac:batch=512,stats_share=1,model_share=1 --budget 6steps"}) {
    // Of shares each chunk draws its own, so that one process has others.
    const std::string arguments = "train " + kProblem + "--optimizer " + method + " --json --output ";
    const std::string name = std::string(method).substr(0, 4);
    const auto plain = test::run_hesse(folder, arguments + name + "-plain");
    REQUIRE(plain.exit_code == 0);
    std::string first;
    for (const int ranks : {1, name == "lbfg" ? 3 : 2}) {
      const std::string run = fmt::format("{}-{}", name, ranks);
      const auto shared = on_ranks(ranks, folder, arguments + run);
      INFO(shared.err);
      REQUIRE(shared.exit_code == 0);
      if (ranks == 1) first = checkpoint_bits(folder / run);
      CHECK(checkpoint_bits(folder / run) == first);
      // One rank prints.
      CHECK(parse_json(shared.out, "stdout")["folder"] == run);
    }
    const auto x = parameters(folder / (name + "-1"));
    const auto y = parameters(folder / (name + "-plain"));
    REQUIRE(x.size() == y.size());
    double difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) difference = std::max(difference, std::abs(x[i] - y[i]));
    // Gradients differ by some 1e-16; twelve steps of a method that amplifies them less than tenfold each in this
    // smooth problem stay far below.
    CHECK(difference <= 1e-9);
  }
}

TEST_CASE("a spectrum over two ranks is that of one process to twelve digits") {
  const ScratchFolder folder;
  const std::string arguments =
      "spectrum --problem mlp:data=digits,hidden=6 --top 3 --tolerance 1e-10 --trace --json --output ";
  const auto plain = test::run_hesse(folder, arguments + "plain");
  const auto shared = on_ranks(2, folder, arguments + "shared");
  INFO(shared.err);
  REQUIRE(plain.exit_code == 0);
  REQUIRE(shared.exit_code == 0);
  const Json one = parse_json(plain.out, "one");
  const Json two = parse_json(shared.out, "two");
  const auto digits = [&](const Json& a, const Json& b) {
    return std::abs(a.get<double>() - b.get<double>()) <= 1e-12 * std::abs(a.get<double>());
  };
  CHECK(digits(one["value"], two["value"]));
  CHECK(digits(one["trace"]["value"], two["trace"]["value"]));
  // Eigenvalues are off by the square of the residual, 1e-10 of the norm, over the gap.
  for (std::size_t i = 0; i < 3; ++i) CHECK(digits(one["largest"][i]["value"], two["largest"][i]["value"]));
  for (const char* file : {"spectrum.json", "spectrum.csv"}) CHECK(fs::exists(folder / "shared" / file));
}

TEST_CASE("a comparison on two ranks writes the records of one and the same results") {
  const ScratchFolder folder;
  const std::string arguments =
      "compare " + kProblem + "--optimizer sgd --optimizer kfac-fixed --budget 1epochs --output ";
  for (const int ranks : {1, 2}) {
    const auto r = on_ranks(ranks, folder, arguments + fmt::format("on{}", ranks));
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(fs::exists(folder / fmt::format("on{}", ranks) / "table.md"));
  }
  for (const char* method : {"sgd", "kfac-fixed"}) {
    const auto run = fs::path(method) / "seed-1";
    CHECK(checkpoint_bits(folder.path() / "on1" / run) == checkpoint_bits(folder.path() / "on2" / run));
  }
}

TEST_CASE("a bad option on ranks is one line and exit code 2 without any work") {
  const ScratchFolder folder;
  for (const char* arguments : {"spectrum --topp 3", "train --problem mlp:data=file:path=missing.csv --output run"}) {
    const auto one = test::run_hesse(folder, arguments);
    const auto r = on_ranks(3, folder, arguments);
    CHECK(r.exit_code == 2);
    CHECK(r.out.empty());
    CHECK(r.err == one.err);
    CHECK(lines(r.err) == 1);
    CHECK_FALSE(fs::exists(folder / "run"));
  }
}

TEST_CASE("a problem without samples is computed by every rank and recorded once") {
  const ScratchFolder folder;
  const auto r =
      on_ranks(2, folder, "train --problem rosenbrock --optimizer lbfgs --budget 200steps --quiet --output run");
  CHECK(r.exit_code == 0);
  CHECK_THAT(r.err, Contains("warning: rosenbrock is no sum over samples"));
  CHECK(lines(r.err) == 1);
}

TEST_CASE("records that rank 0 cannot write end all ranks with its line") {
  const ScratchFolder folder;
  const auto r = on_ranks(2, folder, "train " + kProblem + "--optimizer adam --budget 3epochs --output /proc/nowhere");
  CHECK(r.exit_code == 1);
  CHECK_THAT(r.err, Contains("/proc/nowhere"));
  CHECK(lines(r.err) == 1);
}

TEST_CASE("a rank that is killed ends the run with a line and the run goes on from its checkpoint on any ranks") {
  const ScratchFolder folder;
  const auto killed = signalled(folder, SIGKILL);
  CHECK(killed.exit_code != 0);
  CHECK_THAT(killed.err, Contains("hesse: rank 0: told to end while it waited for another rank, which may be lost; "
                                  "continue with: hesse resume"));
  // The run has no end of its own: a budget that is spent already ends it where it stands.
  const std::string record = read_file(folder / "run" / "run.json");
  std::ofstream(folder / "run" / "run.json") << std::string(record).replace(record.find("100000epochs"), 12, "1steps");
  fs::copy(folder / "run", folder / "copy", fs::copy_options::recursive);
  const auto alone = test::run_hesse(folder, "resume run --quiet");
  INFO(alone.err);
  CHECK(alone.exit_code == 0);
  const auto three = on_ranks(3, folder, "resume copy --quiet");
  INFO(three.err);
  CHECK(three.exit_code == 0);
  CHECK(checkpoint_bits(folder / "run") == checkpoint_bits(folder / "copy"));
}

TEST_CASE("a rank that is asked to stop stops all of them with a checkpoint") {
  const ScratchFolder folder;
  const auto asked = signalled(folder, SIGTERM);
  CHECK(asked.exit_code == 128 + SIGTERM);
  CHECK_THAT(asked.err, Contains("interrupted; continue with: hesse resume"));
}

TEST_CASE("a run on two ranks that is interrupted goes on to the bits of one that was not") {
  const ScratchFolder folder;
  const std::string arguments = "train " + kProblem + "--optimizer adam --budget {} --output {}";
  for (const auto& [budget, name] : {std::pair{"30steps", "whole"}, std::pair{"17steps", "parts"}}) {
    const auto r = on_ranks(2, folder, fmt::format(fmt::runtime(arguments), budget, name));
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
  }
  // As if it had been interrupted: more budget and no verdict.
  Json record = read_json(folder / "parts" / "run.json");
  record["budget"] = "30steps";
  record["verdict"] = nullptr;
  std::ofstream(folder / "parts" / "run.json") << record.dump();
  const auto resumed = test::run_hesse(folder, "resume parts --quiet");
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
  CHECK(checkpoint_bits(folder / "whole") == checkpoint_bits(folder / "parts"));
}

#endif
