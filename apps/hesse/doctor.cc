#include "command_line.h"
#include "commands.h"

#include "hesse/core/blas.h"
#include "hesse/core/blas_kernels.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/data/data_cache.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/optim/minimize.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"
#include "hesse/report/terminal.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace hesse::app {
namespace {

struct DoctorOptions {
  bool json = false;
};
void visit_options(DoctorOptions& o, OptionVisitor& v) { v.option("json", o.json, "print JSON"); }

struct Finding {
  std::string what;
  bool good;
  std::string detail;
  bool needed = true;  ///< by everyone; a data set is needed only by those who use it
};

/// GFLOP/s of 512^3 products on all threads at once, best of five.
template <class T>
double product_speed() {
  constexpr Index n = 512;
  const auto copies = static_cast<std::size_t>(threads());
  using M = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  std::vector<M> a(copies, M::Constant(n, n, T(0.5)));
  std::vector<M> c = a;
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(threads(), [&](Index i) {
      const auto k = static_cast<std::size_t>(i);
      gemm(Transpose::no, Transpose::no, n, n, n, T(1), a[k].data(), n, a[k].data(), n, T(0), c[k].data(), n);
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(copies) * 2.0 * n * n * n / seconds * 1e-9);
  }
  return best;
}

/// Rosenbrock's function to its known minimum, f(1, 1) = 0.
Finding solved() {
  try {
    Problem problem = problems().make(parse_spec("rosenbrock"), {});
    const auto optimizer = make_optimizer("lbfgs", {*problem.objective, 1});
    Vector x = problem.start(1);
    const Summary summary = minimize(*optimizer, *problem.objective, x, {.gradient_tolerance = 1e-8, .max_steps = 200});
    const double error = (x - problem.minimisers.at(0)).cwiseAbs().maxCoeff();
    // |x - x*| <= |g| / lambda_min there, which is 0.4.
    return {"solver", error <= 1e-7,
            fmt::format("Rosenbrock's minimum by L-BFGS: off by {:.1e} after {} steps", error, summary.progress.step)};
  } catch (const Error& e) {
    return {"solver", false, e.what()};
  }
}

bool is_on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// Several processes need the library, which this program may have been built without, and what starts them.
Finding sharing() {
  if (!has_mpi()) return {"MPI", false, "built without it; install libopenmpi-dev and build again", false};
  if (!is_on_path("mpirun")) return {"MPI", false, "mpirun is not here; install openmpi-bin", false};
  return {"MPI", true, "'mpirun -n 2 hesse ...' shares the samples of a run", false};
}

/// Each of gnuplot's terminals that figures are drawn by.
Finding drawing() {
  std::vector<std::string> drawn;
  std::vector<std::string> missing;
  std::string why;
  for (const char* terminal : {"svg", "pngcairo", "pdfcairo", "dumb"}) {
    try {
      run_gnuplot(fmt::format("set terminal {}\nset output '/dev/null'\nplot 0\n", terminal));
      drawn.emplace_back(terminal);
    } catch (const Error& e) {
      missing.emplace_back(terminal);
      why = e.what();
    }
  }
  if (drawn.empty()) return {"gnuplot", false, why};
  if (missing.empty()) return {"gnuplot", true, fmt::format("draws by {}", fmt::join(drawn, ", "))};
  return {"gnuplot", false,
          fmt::format("lacks {}; install Debian's gnuplot-nox for what a smaller build leaves out ({})",
                      fmt::join(missing, ", "), why)};
}

/// Writes a file in the folder, or in the nearest one above it that is there, and removes it again.
Finding writing(const std::string& what, const std::filesystem::path& wanted, bool needed) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path folder = fs::absolute(wanted, error);
  while (!fs::exists(folder, error) && folder.has_parent_path() && folder != folder.parent_path()) {
    folder = folder.parent_path();
  }
  const fs::path file = folder / fmt::format(".hesse-doctor-{}", ::getpid());
  try {
    write_file(file, "a line\n");
    const bool same = read_file(file) == "a line\n";
    fs::remove(file);
    if (!same) return {what, false, fmt::format("{}: what is written there is not what is read back", folder.string())};
  } catch (const Error& e) {
    return {what, false, e.what(), needed};
  }
  const bool there = fs::exists(wanted, error);
  return {what, true,
          there ? fmt::format("{}: can be written", wanted.string())
                : fmt::format("{}: not there yet, and can be made", wanted.string()),
          needed};
}

}  // namespace

int doctor_command(Arguments arguments) {
  const auto options = read_command_line<DoctorOptions>("doctor", "Check this machine and installation.", arguments);
  std::vector<Finding> findings;
  const Software software = this_software();
  const Machine machine = this_machine();
  findings.push_back(
      {"hesse", true,
       fmt::format("{} ({}, {}, Eigen {})", software.hesse, software.compiler, software.build, software.eigen)});
  findings.push_back({"processor", true, fmt::format("{}, {} usable", machine.processor, machine.cores)});
  findings.push_back({"threads", true, fmt::format("{}", threads())});
  const char* const better = better_blas_kernels();
  findings.push_back({"BLAS", better == nullptr,
                      better == nullptr ? std::string(blas_description())
                                        : fmt::format("{}: these kernels are slow here; set OPENBLAS_CORETYPE={}",
                                                      blas_description(), better)});
  findings.push_back({"products", true,
                      fmt::format("{:.0f} GFLOP/s in float, {:.0f} in double, on {} threads", product_speed<float>(),
                                  product_speed<double>(), threads())});
  findings.push_back(sharing());
  findings.push_back(solved());
  findings.push_back(drawing());
  findings.push_back(writing("records", "runs", true));
  findings.push_back(writing("data cache", data_cache_dir(), false));
  for (const SetStatus& set : list_fetched_sets()) {
    const bool present = set.state == SetState::present;
    findings.push_back(
        {"data " + set.name, present, present ? set.path : "not fetched; fetch it with " + set.fetch_command, false});
  }
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  findings.push_back(
      {"disk", !error && space.available > (std::uintmax_t{1} << 28U),
       error ? error.message() : fmt::format("{:.1f} GB free here", static_cast<double>(space.available) / 1e9)});

  const Index width = terminal_style(stdout).width;
  bool good = true;
  Json json = Json::array();
  for (const Finding& f : findings) {
    good = good && (f.good || !f.needed);
    json.push_back({{"what", f.what}, {"good", f.good}, {"needed", f.needed}, {"detail", f.detail}});
    if (options.json) continue;
    const char* const verdict = f.good ? "ok" : f.needed ? "fault" : "-";
    fmt::print("{:<7}  {:<20} {}", verdict, f.what, wrapped(f.detail, width, 30));
  }
  if (options.json) fmt::print("{}", json_text(json));
  return good ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
