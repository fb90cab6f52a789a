#include "hesse/validation/agreement.h"

#include "hesse/core/error.h"
#include "hesse/core/vector_ops.h"
#include "hesse/nn/network_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hesse {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t nearest_to(const Vector& x, const std::vector<Vector>& points) {
  std::size_t nearest = 0;
  double least = kInfinity;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double d = distance(x, points[i]);
    if (d < least) {
      least = d;
      nearest = i;
    }
  }
  return nearest;
}

/// What belongs to each hidden unit, one column each: incoming weights, bias, outgoing weights.
Matrix units_of(const Vector& x, const HiddenLayer& net) {
  Matrix units(net.inputs + 1 + net.outputs, net.hidden);
  const double* const W1 = x.data();
  const double* const b1 = W1 + net.hidden * net.inputs;
  const double* const W2 = b1 + net.hidden;
  for (Index j = 0; j < net.hidden; ++j) {
    for (Index i = 0; i < net.inputs; ++i) units(i, j) = W1[j * net.inputs + i];
    units(net.inputs, j) = b1[j];
    for (Index k = 0; k < net.outputs; ++k) units(net.inputs + 1 + k, j) = W2[k * net.hidden + j];
  }
  return units;
}

}  // namespace

double log_relative_error(double a, double b, double cap) {
  if (!std::isfinite(a) || !std::isfinite(b)) return 0;
  const double error = b != 0 ? std::abs(a - b) / std::abs(b) : std::abs(a);
  if (error == 0) return cap;
  return std::clamp(-std::log10(error), 0.0, cap);
}

double log_relative_error(ConstVectorView a, ConstVectorView b, double cap) {
  if (a.size() != b.size()) fail("log relative error: {} numbers against {}", a.size(), b.size());
  double least = cap;
  for (Index i = 0; i < a.size(); ++i) least = std::min(least, log_relative_error(a[i], b[i], cap));
  return least;
}

double distance_up_to_minimisers(const Vector& x, const Vector& y, const std::vector<Vector>& minimisers) {
  if (!all_finite(x) || !all_finite(y)) return std::nan("");
  const double plain = distance(x, y);
  if (minimisers.empty()) return plain;
  const Vector& at_x = minimisers[nearest_to(x, minimisers)];
  const Vector& at_y = minimisers[nearest_to(y, minimisers)];
  return std::min(plain, norm((x - at_x) - (y - at_y)));
}

HiddenLayer hidden_layer_of(Objective& f) {
  auto* const objective = find<NetworkObjective>(f);
  if (objective == nullptr) return {};
  const auto& layers = objective->network().layers();
  if (layers.size() != 3) return {};
  const bool dense = layers[0]->name() == "dense" && layers[2]->name() == "dense" && layers[1]->parameters().empty();
  if (!dense) return {};
  return {layers[0]->input_size(), layers[0]->output_size(), layers[2]->output_size(), layers[1]->name() == "tanh"};
}

double distance_up_to_units(const Vector& x, const Vector& y, const HiddenLayer& net) {
  const Index n = net.hidden * (net.inputs + 1 + net.outputs) + net.outputs;
  if (net.hidden < 1 || x.size() != n || y.size() != n) {
    fail("distance of networks: points of {} and {} parameters for {} -> {} -> {}, which has {}", x.size(), y.size(),
         net.inputs, net.hidden, net.outputs, n);
  }
  if (!all_finite(x) || !all_finite(y)) return std::nan("");
  const Matrix of_x = units_of(x, net);
  const Matrix of_y = units_of(y, net);
  Matrix cost(net.hidden, net.hidden);
  for (Index i = 0; i < net.hidden; ++i) {
    for (Index j = 0; j < net.hidden; ++j) {
      cost(i, j) = (of_x.col(i) - of_y.col(j)).squaredNorm();
      if (net.odd) cost(i, j) = std::min(cost(i, j), (of_x.col(i) + of_y.col(j)).squaredNorm());
    }
  }
  const std::vector<Index> column = least_cost_assignment(cost);
  double sum = (x.tail(net.outputs) - y.tail(net.outputs)).squaredNorm();
  for (Index i = 0; i < net.hidden; ++i) sum += cost(i, column[static_cast<std::size_t>(i)]);
  return std::sqrt(sum);
}

std::vector<Index> least_cost_assignment(const Matrix& cost) {
  const Index n = cost.rows();
  if (cost.cols() != n) fail("assignment: a matrix of {} x {} is not square", n, cost.cols());
  if (!cost.allFinite()) fail("assignment: a cost is not finite");
  // Dual variables u of rows and v of columns with u_i + v_j <= c_ij, tight on the assignment; column 0 is a root that
  // holds the row being assigned, so that rows and columns count from 1.
  const auto count = static_cast<std::size_t>(n) + 1;
  std::vector<double> u(count, 0.0), v(count, 0.0);
  std::vector<std::size_t> row_of(count, 0), before(count, 0);
  for (std::size_t row = 1; row < count; ++row) {
    row_of[0] = row;
    std::vector<double> slack(count, kInfinity);
    std::vector<bool> reached(count, false);
    std::size_t column = 0;
    do {
      reached[column] = true;
      const std::size_t i = row_of[column];
      double step = kInfinity;
      std::size_t next = 0;
      for (std::size_t j = 1; j < count; ++j) {
        if (reached[j]) continue;
        const double reduced = cost(static_cast<Index>(i) - 1, static_cast<Index>(j) - 1) - u[i] - v[j];
        if (reduced < slack[j]) {
          slack[j] = reduced;
          before[j] = column;
        }
        if (slack[j] < step) {
          step = slack[j];
          next = j;
        }
      }
      for (std::size_t j = 0; j < count; ++j) {
        if (reached[j]) {
          u[row_of[j]] += step;
          v[j] -= step;
        } else {
          slack[j] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = before[column]) row_of[column] = row_of[before[column]];
  }
  std::vector<Index> column_of(static_cast<std::size_t>(n));
  for (std::size_t j = 1; j < count; ++j) column_of[row_of[j] - 1] = static_cast<Index>(j) - 1;
  return column_of;
}

const char* to_string(Agreement agreement) {
  switch (agreement) {
    case Agreement::agree: return "agree";
    case Agreement::agree_in_value: return "agree in value";
    case Agreement::hesse_better: return "hesse better";
    case Agreement::ceres_better: return "ceres better";
    case Agreement::both_failed: return "both failed";
  }
  return "unknown";
}

AgreementVerdict judge(const Answer& hesse, const Answer& ceres, double distance, const AgreementOptions& options) {
  AgreementVerdict verdict;
  const double gap = std::abs(hesse.value - ceres.value);
  verdict.digits = gap <= options.value_floor ? kMostDigits : log_relative_error(hesse.value, ceres.value);
  for (const double minimum : options.documented) {
    verdict.digits = std::max(
        verdict.digits, std::min(log_relative_error(hesse.value, minimum), log_relative_error(ceres.value, minimum)));
  }
  if (!hesse.arrived && !ceres.arrived) {
    verdict.agreement = Agreement::both_failed;
    verdict.message = fmt::format("neither arrived: Hesse's point is {}, Ceres' is {}", hesse.kind, ceres.kind);
  } else if (!ceres.arrived) {
    verdict.agreement = Agreement::hesse_better;
    verdict.message = fmt::format("only Hesse arrived: Ceres' point is {}", ceres.kind);
  } else if (!hesse.arrived) {
    verdict.agreement = Agreement::ceres_better;
    verdict.message = fmt::format("only Ceres arrived: Hesse's point is {}", hesse.kind);
  } else if (!(verdict.digits >= options.digits)) {
    const bool lower = hesse.value < ceres.value;
    verdict.agreement = lower ? Agreement::hesse_better : Agreement::ceres_better;
    verdict.message = fmt::format("{} arrived at a lower minimum: {:.10g} against {:.10g}", lower ? "Hesse" : "Ceres",
                                  std::min(hesse.value, ceres.value), std::max(hesse.value, ceres.value));
  } else if (distance <= options.distance) {
    verdict.agreement = Agreement::agree;
    verdict.message =
        fmt::format("one minimum: {:.1f} digits of its value, points {:.1e} apart", verdict.digits, distance);
  } else {
    verdict.agreement = Agreement::agree_in_value;
    verdict.message =
        fmt::format("one value to {:.1f} digits at points {:.1e} apart: a valley, or minima that are equal",
                    verdict.digits, distance);
  }
  return verdict;
}

}  // namespace hesse
