#include "apps/checkpoint_bits.h"
#include "apps/program.h"

#include "hesse/core/error.h"
#include "hesse/report/json.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

using namespace hesse;
using Catch::Matchers::Contains;
using test::checkpoint_bits;
using test::hesse_signalled;
using test::run_hesse;
using test::ScratchFolder;
using test::start_hesse;

namespace {

namespace fs = std::filesystem;

Index lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

/// Every file below a folder, temporaries included.
Index files_below(const fs::path& folder) {
  Index count = 0;
  for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(folder)) ++count;
  return count;
}

/// What a run's folder holds of its results, as texts: the last checkpoint but for its clock, and the verdict.
std::string results(const fs::path& folder) {
  const std::string text = checkpoint_bits(folder);
  const Json run = read_json(folder / "run.json");
  return text + json_text(run["verdict"]["value"]) + json_text(run["verdict"]["metrics"]);
}

/// Removes every key that tells time or memory, at any depth.
void drop_machine(Json& json) {
  if (json.is_array()) {
    for (Json& entry : json) drop_machine(entry);
    return;
  }
  if (!json.is_object()) return;
  for (auto it = json.begin(); it != json.end();) {
    const bool of_the_machine = it.key().find("seconds") != std::string::npos || it.key() == "memory";
    if (!of_the_machine) drop_machine(it.value());
    it = of_the_machine ? json.erase(it) : std::next(it);
  }
}

/// Every file of numbers that an analysis has written, without time and memory, one after the other.
std::string numbers_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (entry.path().filename() == "command.json") continue;  // the command line and the machine
    if (extension == ".csv" || extension == ".json" || extension == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const fs::path& file : files) {
    all += file.filename().string() + "\n";
    if (file.extension() != ".json") {
      all += read_file(file);
      continue;
    }
    Json json = read_json(file);
    drop_machine(json);
    all += json_text(json);
  }
  return all;
}

/// The most memory that `hesse ARGUMENTS` (words without spaces) has had, in bytes.
double peak_of(const ScratchFolder& folder, const std::vector<std::string>& arguments) {
  const pid_t child = start_hesse(folder, arguments);
  int status = 0;
  rusage usage = {};
  ::wait4(child, &status, 0, &usage);
  if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
    fail("'hesse {}' ended with {}", fmt::join(arguments, " "), status);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

std::string big_endian(std::uint32_t n) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> static_cast<unsigned>(shift) & 0xFFU);
  return out;
}

/// A NPY header of version 1 with this dictionary.
std::string npy(const std::string& dictionary, const std::string& body = "") {
  std::string header = dictionary;
  header.resize((header.size() + 11) / 64 * 64 + 53, ' ');
  header += '\n';
  std::string length;
  length += static_cast<char>(header.size() & 0xFFU);
  length += static_cast<char>(header.size() >> 8U);
  return "\x93NUMPY" + std::string("\1\0", 2) + length + header + body;
}

std::string safetensors(const std::string& header, std::size_t body = 0) {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFFU);
  return length + header + std::string(body, '\0');
}

/// 4 GB of addresses; a sanitizer's shadow memory takes more.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kLessMemory = ":";
#else
constexpr const char* kLessMemory = "ulimit -v 4000000";
#endif

}  // namespace

TEST_CASE("a bad file of any format ends the program in one line that names it with exit code 2 and nothing written") {
  const ScratchFolder folder;
  // Where the program runs and would write; the files lie elsewhere.
  const ScratchFolder files;
  const std::string table = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n";
  const std::string images = std::string("\0\0\x08\3", 4) + big_endian(2) + big_endian(1) + big_endian(2);
  std::vector<std::pair<std::string, std::string>> data = {
      {"empty.csv", ""},
      {"hole.csv", "1,2,0\n3,,1\n"},
      {"nan.csv", "1,2,0\n3,nan,1\n"},
      {"infinite.csv", "1,2,0\n3,1e999,1\n"},
      {"word.csv", "1,2,0\n3,four,1\n"},
      {"ragged.csv", "1,2,0\n3,4\n"},
      {"quote.csv", "1,2,0\n3,\"4,1\n"},
      {"twice.csv", "a,b,a\n1,2,0\n3,4,1\n"},
      {"mark.csv", "\xef\xbb\xbf"},
      {"utf16.csv", std::string("\xff\xfe\x31\0", 4)},
      {"zero.csv", std::string("1,\0,0\n3,4,1\n", 12)},
      {"blank.csv", "\r\n\r\n"},
      {"header.csv", "a,b,c\n"},
      {"descending.libsvm", "0 2:1 1:2\n1 1:3 2:4\n"},
      {"negative.libsvm", "0 -1:1\n1 1:3\n"},
      {"colon.libsvm", "0 1:1 2\n1 1:3 2:4\n"},
      {"huge.libsvm", "0 1:1 999999999999:2\n1 1:3\n"},
      {"nan.libsvm", "0 1:nan\n1 1:3\n"},
      {"short-images-idx3-ubyte", images + "abc"},
      {"long-images-idx3-ubyte", images + "abcde"},
      {"overflow-images-idx3-ubyte",
       std::string("\0\0\x0e\3", 4) + big_endian(~0U) + big_endian(~0U) + big_endian(~0U)},
      {"type-images-idx3-ubyte", std::string("\0\0\x07\3", 4) + big_endian(1) + big_endian(1) + big_endian(1) + "a"},
      {"cut.gz", std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10) + table.substr(0, 5)},
      {"magic.gz", std::string("\x1f\x8b\x07\0\0\0\0\0\0\3", 10)},
      {"cut.npy", std::string("\x93NUMPY\1", 7)},
      {"version.npy", "\x93NUMPY" + std::string("\x09\0\0\0", 4)},
      {"negative.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }")},
      {"overflow.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }")},
      {"object.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }", std::string(16, 'x'))},
      {"short.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", std::string(31, '\0'))},
      {"long.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", std::string(33, '\0'))},
      {"python.npy", npy("__import__('os')")},
  };
  std::vector<std::pair<std::string, std::string>> cases;  // the file, and the command line
  for (const auto& [name, bytes] : data) {
    write_file(files / name, bytes);
    cases.emplace_back(
        name, fmt::format("train --problem 'mlp:data=file:path={}' --optimizer adam", (files / name).string()));
  }
  const std::string f8 = R"({"dtype":"F64","shape":[2],"data_offsets":[0,16]})";
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"empty.safetensors", ""},
           {"cut.safetensors", "1234567"},
           {"length.safetensors", std::string(8, '\xff')},
           {"header.safetensors", safetensors("{")},
           {"list.safetensors", safetensors("[]")},
           {"twice.safetensors", safetensors("{\"x\":" + f8 + ",\"x\":" + f8 + "}", 16)},
           {"negative.safetensors", safetensors(R"({"x":{"dtype":"F64","shape":[-1],"data_offsets":[0,8]}})", 8)},
           {"overflow.safetensors",
            safetensors(R"({"x":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})")},
           {"body.safetensors", safetensors("{\"x\":" + f8 + "}", 15)},
           {"shape.safetensors", safetensors(R"({"x":{"dtype":"F64","shape":[3],"data_offsets":[0,24]}})", 24)},
           {"other.safetensors", safetensors("{\"y\":" + f8 + "}", 16)}}) {
    write_file(files / name, bytes);
    cases.emplace_back(name, fmt::format("spectrum --problem rosenbrock --at '{}'", (files / name).string()));
    cases.emplace_back(name, fmt::format("classify --problem rosenbrock --at '{}'", (files / name).string()));
  }
  for (const auto& [name, bytes] :
       std::vector<std::pair<std::string, std::string>>{{"word.ini", "nonsense\n"},
                                                        {"placeholder.ini", "%invalid_line%\n"},
                                                        {"unknown.ini", "sede = 1\n"},
                                                        {"number.ini", "seed = one\n"},
                                                        {"range.ini", "seed = -1\n"},
                                                        {"twice.ini", "seed = 1\nseed = 2\n"},
                                                        {"zero.ini", std::string("se\0d", 4)}}) {
    write_file(files / name, bytes);
    cases.emplace_back(name, fmt::format("train --problem rosenbrock --config '{}'", (files / name).string()));
  }
  // Records of runs, and what a report is drawn from.
  for (const auto& [name, bytes] :
       std::vector<std::pair<std::string, std::string>>{{"none", ""},
                                                        {"text", "x"},
                                                        {"cut", "{\"format\": 1"},
                                                        {"repeated", "{\"a\": 1, \"a\": 2}"},
                                                        {"number", "3"},
                                                        {"fields", "{}"}}) {
    fs::create_directory(files / name);
    write_file(files.path() / name / "run.json", bytes);
    cases.emplace_back("run.json", fmt::format("resume '{}'", (files / name).string()));
  }
  // What is no file at all.
  fs::create_directory(files / "folder");
  REQUIRE(::mkfifo((files / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"folder", "pipe", "missing"}) {
    cases.emplace_back(name, fmt::format("train --problem 'mlp:data=file:path={}'", (files / name).string()));
    cases.emplace_back(name, fmt::format("spectrum --problem rosenbrock --weights '{}'", (files / name).string()));
  }
  const Index before = files_below(files.path());
  for (const auto& [name, line] : cases) {
    const auto r = run_hesse(folder, line);
    CAPTURE(line, r.out, r.err);
    CHECK(r.exit_code == 2);
    CHECK(r.out.empty());
    CHECK(lines(r.err) == 1);
    CHECK_THAT(r.err, Contains(name));
    CHECK(folder.count() == 0);
  }
  CHECK(files_below(files.path()) == before);
}

TEST_CASE(
    "a spectrum that is killed at any moment leaves whole files or none, and comes out the same when it is made "
    "again") {
  const ScratchFolder folder;
  const std::vector<std::string> command = {
      "spectrum", "--problem", "mlp:data=gaussian-blobs,hidden=20", "--trace", "--density", "--quiet", "--steps", "80",
      "--output", "whole"};
  REQUIRE(hesse_signalled(folder, command, 0, 0) == 0);
  const std::string whole = numbers_below(folder / "whole");
  for (int k = 0; k < 40; ++k) {
    std::vector<std::string> killed = command;
    killed.back() = fmt::format("killed-{}", k);
    // Most of a second is in starting and in drawing, where files are written.
    const int code = hesse_signalled(folder, killed, SIGKILL, 12 * k);
    CAPTURE(k, code);
    if (!fs::exists(folder / killed.back())) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder / killed.back())) {
      const fs::path& file = entry.path();
      CAPTURE(file);
      if (file.extension() == ".json") CHECK_FALSE(read_json(file).empty());
      // A file that was being written has its temporary name still, and what has its own name is whole.
      if (file.extension() == ".csv") CHECK(read_file(file) == read_file(folder / "whole" / file.filename()));
    }
  }
  std::vector<std::string> again = command;
  again.back() = "again";
  REQUIRE(hesse_signalled(folder, again, 0, 0) == 0);
  CHECK(numbers_below(folder / "again") == whole);
}

TEST_CASE("what a dry run tells of memory is within a fifth of the peak") {
  const ScratchFolder folder;
  const std::string problem = "mlp:data=gaussian-blobs:samples=2500:features=100,hidden=300-150,activation=tanh";
  const std::vector<std::vector<std::string>> commands = {
      {"train", "--optimizer", "kfac", "--batch-size", "500", "--budget", "2epochs"},
      {"train", "--optimizer", "lbfgs", "--budget", "8steps"},
      {"compare", "--optimizer", "adam", "--optimizer", "soap", "--repetitions", "1", "--budget", "2epochs"},
      {"sharpness", "--samples", "4", "--iterations", "1", "--products", "20", "--measures", "trace,keskar,expected"},
      {"classify", "--max-steps", "1", "--no-higher-order", "--eigen-tolerance", "0.5", "--negative-directions", "1"},
      {"landscape", "--points", "3"},
      {"spectrum", "--top", "4", "--bottom", "0", "--trace", "--products", "30", "--tolerance", "0.3"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--problem", problem, "--threads", "1"});
    const auto dry = run_hesse(folder, fmt::format("{} --dry-run --json", fmt::join(command, " ")));
    CAPTURE(command, dry.err);
    REQUIRE(dry.exit_code == 0);
    const double told = parse_json(dry.out, "stdout")["memory_bytes"].get<double>();
    const double peak = peak_of(folder, command);
    CAPTURE(told / 1e6, peak / 1e6);
    CHECK(std::abs(told / peak - 1) <= 0.2);
  }
}

TEST_CASE("every analysis has the same bits for any number of threads and when it is repeated") {
  const ScratchFolder folder;
  const std::string problem = "--problem mlp:data=gaussian-blobs,hidden=20,activation=tanh ";
  for (const char* run : {"a --seed 1", "b --seed 2"}) {
    const auto trained =
        run_hesse(folder, fmt::format("train {} --optimizer adam:lr=0.01 --budget 5epochs --batch-size 50 "
                                      "--save-every 20 --output {}",
                                      problem, run));
    CAPTURE(trained.err);
    REQUIRE(trained.exit_code == 0);
  }
  const std::pair<const char*, const char*> analyses[] = {
      {"spectrum",
       "--at a --top 3 --bottom 2 --trace --diagonal --density --per-layer --classes --against b --certify"},
      {"spectrum-float",
       "--at a --precision float --top 2 --trace --trace-method xtrace --density "
       "--density-method kernel-polynomial"},
      {"spectrum-kfac", "--at a --curvature ekfac --top 2"},
      {"classify", "--at a"},
      {"sharpness", "--at a --against b --samples 20 --iterations 5"},
      {"landscape", "--at a --points 5"},
      {"landscape-trajectory", "--trajectory a --points 5"},
      {"landscape-path", "--at a --to b --match --connect bezier --budget 2epochs --points 5"},
      {"landscape-smoothness", "--trajectory a --smoothness --points 3"}};
  for (const auto& [name, options] : analyses) {
    const std::string command(std::string_view(name).substr(0, std::string_view(name).find('-')));
    std::string first;
    int repetition = 0;
    for (const int n : {1, 1, 2, 3, 4, 8}) {
      const std::string output = fmt::format("{}-{}-{}", name, n, ++repetition);
      const auto r = run_hesse(folder, fmt::format("{} {} --threads {} --output {}", command, options, n, output));
      CAPTURE(name, n, r.err);
      // Where classify and a landscape end is a verdict of its own.
      CHECK(r.exit_code <= 1);
      const std::string now = numbers_below(folder / output);
      REQUIRE_FALSE(now.empty());
      if (first.empty()) first = now;
      CHECK(now == first);
    }
  }
}

TEST_CASE("a run and a spectrum have the same bits whatever the environment is") {
  const ScratchFolder folder;
  // A locale with a decimal comma, made here where the system has its sources.
  const std::string comma = (folder / "locales" / "de_DE.UTF-8").string();
  fs::create_directory(folder / "locales");
  const bool made = std::system(fmt::format("localedef -i de_DE -f UTF-8 '{}' > /dev/null 2>&1", comma).c_str()) == 0;
  const std::string decimal_comma =
      fmt::format("export LC_ALL=de_DE.UTF-8 LOCPATH='{}'", (folder / "locales").string());
  if (made) {
    CHECK(std::system(fmt::format("LC_ALL=de_DE.UTF-8 LOCPATH='{}' env printf '%.1f' 1,5 > '{}' 2>&1",
                                  (folder / "locales").string(), (folder / "one").string())
                          .c_str()) == 0);
  }
  const std::string train =
      "train --problem mlp:data=gaussian-blobs,hidden=20 --optimizer kfac --budget 2epochs --batch-size 100 --quiet "
      "--output ";
  const std::string spectrum = "spectrum --problem mlp:data=gaussian-blobs,hidden=8 --top 3 --json --quiet --output ";
  const auto figures = [](const std::string& out) {
    Json json = parse_json(out, "stdout");
    json.erase("seconds");
    json.erase("memory");
    return json_text(json);
  };
  std::string run;
  std::string eigenvalues;
  int number = 0;
  for (const std::string& environment :
       {std::string(":"), std::string("unset HOME"), std::string("export HOME=/nowhere TMPDIR=/nowhere"), decimal_comma,
        std::string("ulimit -n 32"), std::string(kLessMemory), std::string("unset LANG LC_ALL TERM PATH"),
        std::string("export OPENBLAS_NUM_THREADS=4 OMP_NUM_THREADS=4 COLUMNS=1"), std::string("umask 077")}) {
    const std::string name = fmt::format("run-{}", number++);
    const auto trained = run_hesse(folder, train + name, environment);
    const auto analysed = run_hesse(folder, spectrum + name + "-spectrum", environment);
    CAPTURE(environment, trained.err, analysed.err);
    REQUIRE(trained.exit_code == 0);
    REQUIRE(analysed.exit_code == 0);
    if (number == 1) {
      run = results(folder / name);
      eigenvalues = figures(analysed.out);
    }
    CHECK(results(folder / name) == run);
    CHECK(figures(analysed.out) == eigenvalues);
    // Numbers in the records have points, whatever the locale.
    CHECK(read_file(folder / name / "trace.csv").find(",5,") == read_file(folder / "run-0" / "trace.csv").find(",5,"));
  }
}

TEST_CASE("where nothing can be written every command says so and leaves nothing") {
  const ScratchFolder folder;
  CHECK(run_hesse(folder, "train --problem rosenbrock --budget 5steps --quiet --output run").exit_code == 0);
  const Index before = files_below(folder.path());
  // Not even root can make a folder or a file below /proc.
  for (const char* command :
       {"train --problem rosenbrock", "compare --problem rosenbrock --optimizer gd",
        "tune --problem rosenbrock --optimizer gd", "sweep --problem rosenbrock --optimizer gd",
        "spectrum --problem rosenbrock", "classify --problem rosenbrock", "sharpness --problem rosenbrock",
        "landscape --problem rosenbrock --directions random", "validate --problem rosenbrock", "verify trust-region",
        "profile --problem rosenbrock --optimizer lbfgs", "diagnose --problem rosenbrock --optimizer gd",
        "find-lr --problem rosenbrock --optimizer gd", "report run", "completion bash", "man"}) {
    const auto r = run_hesse(folder, fmt::format("{} --output /proc/nothing/here", command));
    CAPTURE(command, r.out, r.err);
    CHECK((r.exit_code == 1 || r.exit_code == 2));
    // Its last line, behind what some say before they begin.
    const std::string last = r.err.substr(r.err.rfind('\n', r.err.size() - 2) + 1);
    CHECK_THAT(last, Catch::Matchers::StartsWith("hesse: ") && Contains("/proc/nothing"));
    CHECK_THAT(last, !Contains("unexpected"));
    CHECK(files_below(folder.path()) == before);
  }
  // A pipe or a device is not replaced.
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const char* command :
       {"completion bash --output pipe", "report run --output pipe", "validate --problem rosenbrock --csv pipe",
        "validate --problem rosenbrock --csv /dev/full"}) {
    const auto r = run_hesse(folder, command);
    CAPTURE(command, r.out, r.err);
    CHECK((r.exit_code == 1 || r.exit_code == 2));
    CHECK(lines(r.err) == 1);
    CHECK(fs::is_fifo(folder / "pipe"));
    CHECK(fs::is_character_file("/dev/full"));
    CHECK(files_below(folder.path()) == before + 1);
  }
}

TEST_CASE("with too few addresses for its work the program ends and leaves no half of a file") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;
#endif
  const ScratchFolder folder;
  // From too few to load the libraries to enough for some of the work: OpenBLAS waits for ever for a buffer that it
  // cannot have, unless it is asked only where there is room.
  for (const int kilobytes : {60000, 100000, 120000, 160000, 220000, 300000}) {
    const std::string name = fmt::format("run-{}", kilobytes);
    const auto r = run_hesse(folder,
                             "train --problem mlp:data=gaussian-blobs:samples=20000:features=50,hidden=300-300 "
                             "--optimizer kfac --budget 2steps "
                             "--batch-size 2000 --quiet --threads 2 --output " +
                                 name,
                             fmt::format("ulimit -v {}", kilobytes));
    CAPTURE(kilobytes, r.exit_code, r.out, r.err);
    if (r.exit_code != 0) CHECK_FALSE(fs::exists(folder.path() / name / "checkpoint.safetensors"));
    if (fs::exists(folder.path() / name / "run.json")) {
      CHECK_NOTHROW(read_json(folder.path() / name / "run.json"));
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
      CHECK(entry.path().extension() != ".partial");
    }
  }
}
