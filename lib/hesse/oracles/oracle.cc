#include "hesse/oracles/oracle.h"

#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/oracles/tables.h"
#include "hesse/report/atomic_file.h"

#include <fmt/format.h>
#include <unistd.h>
#include <Eigen/QR>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <utility>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Whole numbers as they are, others to three digits.
std::string short_text(double value) {
  return value == std::round(value) && std::abs(value) < 1e6 ? fmt::format("{:.0f}", value)
                                                             : fmt::format("{:.3g}", value);
}

/// A folder that is there while it lives.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> counter{0};
    std::error_code error;
    const std::filesystem::path place = std::filesystem::temp_directory_path(error);
    if (error) fail("the folder for temporary files is not there: {}; set TMPDIR to one that is", error.message());
    path_ = place / fmt::format("hesse-verify-{}-{}", ::getpid(), counter++);
    create_folders(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

std::string OracleFinding::text() const {
  const std::string found = short_text(figure) + (passed() ? "" : " not");
  if (low == high) return fmt::format("{} = {}", found, short_text(low));
  if (low == -kInfinity) return fmt::format("{} <= {}", found, short_text(high));
  if (high == kInfinity) return fmt::format("{} >= {}", found, short_text(low));
  return fmt::format("{} in [{}, {}]", found, short_text(low), short_text(high));
}

OracleFinding at_most(std::string what, double figure, double bound, std::string derivation) {
  return {std::move(what), figure, -kInfinity, bound, std::move(derivation)};
}
OracleFinding at_least(std::string what, double figure, double bound, std::string derivation) {
  return {std::move(what), figure, bound, kInfinity, std::move(derivation)};
}
OracleFinding equal_to(std::string what, double figure, double value, std::string derivation) {
  return {std::move(what), figure, value, value, std::move(derivation)};
}
OracleFinding between(std::string what, double figure, double low, double high, std::string derivation) {
  return {std::move(what), figure, low, high, std::move(derivation)};
}

bool OracleReport::passed() const {
  return failure.empty() && !findings.empty() &&
         std::all_of(findings.begin(), findings.end(), [](const OracleFinding& f) { return f.passed(); });
}

const std::vector<Oracle>& oracles() {
  static const std::vector<Oracle> table = [] {
    std::vector<Oracle> all;
    for (const auto& part :
         {matrix_oracles(), derivative_oracles(), network_oracles(), curvature_oracles(), run_oracles()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return table;
}

OracleReport consult(const Oracle& oracle, bool planted) {
  OracleReport report;
  report.name = oracle.name;
  const int machine = threads();
  const auto start = std::chrono::steady_clock::now();
  try {
    const TemporaryFolder folder;
    report.findings = oracle.run({planted, folder.path()});
  } catch (const std::exception& e) {
    report.failure = e.what();
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  set_threads(machine);
  return report;
}

Matrix planted_basis(Index n, std::uint64_t seed) {
  Matrix G(n, n);
  RandomStream(seed, Purpose::test).fill_normal(G.reshaped());
  return Eigen::HouseholderQR<Matrix>(G).householderQ();
}

Matrix planted_spectrum(const Vector& values, std::uint64_t seed) {
  const Matrix Q = planted_basis(values.size(), seed);
  const Matrix A = Q * values.asDiagonal() * Q.transpose();
  return 0.5 * (A + A.transpose());
}

Vector planted_point(Index n, std::uint64_t seed) {
  Vector x(n);
  RandomStream(seed, Purpose::test, 1).fill_normal(x);
  return x;
}

std::shared_ptr<Dataset> planted_classes(Index features, Index classes, Index samples, std::uint64_t seed) {
  auto data = std::make_shared<Dataset>();
  data->name = "planted";
  data->inputs.resize(features, samples);
  const RandomStream stream(seed, Purpose::test, 2);
  stream.fill_normal(data->inputs.reshaped());
  data->class_count = classes;
  const RandomStream labels(seed, Purpose::test, 3);
  for (Index i = 0; i < samples; ++i) {
    data->labels.push_back(
        static_cast<std::int32_t>(labels.below(static_cast<std::uint64_t>(classes), static_cast<std::uint64_t>(i))));
  }
  return data;
}

std::unique_ptr<NetworkObjective> planted_perceptron(const std::vector<Index>& sizes, Activation activation,
                                                     std::shared_ptr<const Dataset> data) {
  return make_network_objective(std::make_shared<const Network>(multilayer_perceptron(sizes, activation)),
                                Loss::softmax_cross_entropy, std::move(data));
}

}  // namespace hesse
