#include "command_line.h"
#include "commands.h"

#include "hesse/core/blas.h"
#include "hesse/core/blas_kernels.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/data/data_cache.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/report/json.h"
#include "hesse/report/plot.h"
#include "hesse/report/run_record.h"

#include <chrono>
#include <cstdio>
#include <filesystem>

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
  try {
    run_gnuplot("set terminal dumb\nset output '/dev/null'\nplot 0\n");
    findings.push_back({"gnuplot", true, "draws"});
  } catch (const Error& e) {
    findings.push_back({"gnuplot", false, e.what()});
  }
  findings.push_back({"MPI", has_mpi(),
                      has_mpi() ? "'mpirun -n 2 hesse ...' shares the samples of a run"
                                : "built without it; install libopenmpi-dev and build again",
                      false});
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

  bool good = true;
  Json json = Json::array();
  for (const Finding& f : findings) {
    good = good && (f.good || !f.needed);
    json.push_back({{"what", f.what}, {"good", f.good}, {"needed", f.needed}, {"detail", f.detail}});
    if (!options.json) fmt::print("{:<7}  {:<20} {}\n", f.good ? "ok" : f.needed ? "missing" : "-", f.what, f.detail);
  }
  if (options.json) fmt::print("{}", json_text(json));
  return good ? kDone : kTargetNotReached;
}

}  // namespace hesse::app
