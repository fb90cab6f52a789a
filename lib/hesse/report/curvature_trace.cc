#include "hesse/report/curvature_trace.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/curvature/subspace.h"
#include "hesse/linalg/block_lanczos.h"
#include "hesse/linalg/operators.h"
#include "hesse/report/atomic_file.h"
#include "hesse/report/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <system_error>

namespace hesse {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> columns_of(Index top) {
  std::vector<std::string> columns = {"step", "sharpness"};
  for (Index i = 2; i <= top; ++i) columns.push_back(fmt::format("eigenvalue_{}", i));
  for (const char* name :
       {"residual", "converged", "alignment", "products", "preconditioned", "preconditioned_residual"}) {
    columns.emplace_back(name);
  }
  return columns;
}

}  // namespace

CurvatureTrace::CurvatureTrace(std::filesystem::path path, std::shared_ptr<Objective> f,
                               const CurvatureTraceOptions& options)
    : path_(std::move(path)), f_(std::move(f)), options_(options) {
  if (options.every_steps < 1 || options.top < 1 || options.top > f_->size() || !(options.tolerance > 0)) {
    fail(
        "curvature trace: every {} steps, {} eigenvalues of {} parameters and a tolerance of {} are not possible; give "
        ">= "
        "1, 1 to all, and > 0",
        options.every_steps, options.top, f_->size(), options.tolerance);
  }
  trace_.columns = columns_of(options.top);
}

void CurvatureTrace::begin(const Progress& progress, const Vector& x, Optimizer& optimizer) {
  optimizer_ = &optimizer;
  trace_.rows.clear();
  std::error_code error;
  if (progress.step > 0 && std::filesystem::exists(path_, error)) {
    Trace old = read_trace(path_);
    if (old.columns != trace_.columns) {
      fail("{}: line 1: the columns are those of another run; give the resumed run the same number of eigenvalues",
           path_.string());
    }
    std::erase_if(old.rows, [&](const auto& row) { return row[0] > static_cast<double>(progress.step); });
    trace_ = std::move(old);
  }
  if (trace_.rows.empty()) record(progress.step, x, optimizer);
}

bool CurvatureTrace::after_step(const Iterate& iterate) {
  if (iterate.progress.step % options_.every_steps == 0) record(iterate.progress.step, iterate.x, iterate.optimizer);
  return false;
}

void CurvatureTrace::end(const Summary& summary, const Vector& x) {
  const bool recorded = !trace_.rows.empty() && trace_.rows.back()[0] >= static_cast<double>(summary.progress.step);
  if (!recorded && summary.termination != Termination::non_finite) record(summary.progress.step, x, *optimizer_);
}

void CurvatureTrace::record(std::int64_t step, const Vector& x, const Optimizer& optimizer) {
  BlockLanczosOptions lanczos;
  lanczos.pairs = options_.top;
  lanczos.guard = std::min<Index>(2, f_->size() - options_.top);
  lanczos.tolerance = options_.tolerance;
  lanczos.max_products = options_.max_products;
  lanczos.seed = options_.seed;
  std::vector<double> row(trace_.columns.size(), kNone);
  row[0] = static_cast<double>(step);
  const auto at = [&](const char* column) -> double& { return row[static_cast<std::size_t>(trace_.find(column))]; };
  Vector g;
  f_->value_and_gradient(x, g);
  if (all_finite(g)) {
    const OperatorPtr H = f_->curvature(x, Curvature::hessian);
    const BlockLanczosResult top = block_lanczos(*H, vectors_, lanczos);
    Index products = top.products;
    if (top.status != EigenStatus::non_finite) {
      vectors_ = top.pairs.vectors;
      for (Index i = 0; i < options_.top; ++i) row[1 + static_cast<std::size_t>(i)] = top.pairs.values[i];
      at("residual") = top.pairs.residuals.maxCoeff();
      at("converged") = top.status == EigenStatus::converged ? 1 : 0;
      at("alignment") = alignment(g, vectors_);
    }
    const Vector P = optimizer.diagonal_preconditioner();
    if (P.size() == x.size()) {
      lanczos.pairs = 1;
      lanczos.guard = std::min<Index>(2, f_->size() - 1);
      const OperatorPtr scaled = scaled_coordinates(H, P.cwiseSqrt().cwiseInverse());
      const BlockLanczosResult first = block_lanczos(*scaled, preconditioned_vectors_, lanczos);
      products += first.products;
      if (first.status != EigenStatus::non_finite) {
        preconditioned_vectors_ = first.pairs.vectors;
        at("preconditioned") = first.pairs.values[0];
        at("preconditioned_residual") = first.pairs.residuals[0];
      }
    }
    at("products") = static_cast<double>(products);
  }
  trace_.rows.push_back(std::move(row));
  write_file(path_, trace_text(trace_));
}

void write_curvature_plots(const std::filesystem::path& folder, std::span<const RecordedRun> runs, Palette& palette) {
  for (const char* column : {"sharpness", "preconditioned"}) {
    std::vector<RecordedRun> with;
    for (const RecordedRun& run : runs) {
      const std::vector<double> figures = run.trace.column(column);
      if (std::any_of(figures.begin(), figures.end(), [](double y) { return std::isfinite(y); })) with.push_back(run);
    }
    if (with.empty()) continue;
    write_plot(folder / fmt::format("{}_by_steps.svg", column), comparison_plot(with, "step", column), palette);
  }
}

}  // namespace hesse
