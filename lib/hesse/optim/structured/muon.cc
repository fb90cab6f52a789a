#include "hesse/optim/structured/muon.h"

#include "hesse/core/multiversion.h"
#include "hesse/optim/first_order/elementwise.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/structured/tensor_modes.h"

#include <algorithm>
#include <limits>

namespace hesse {
namespace {

/// m <- mu m + (1 - mu) g, and g <- the matrix whose polar factor is the step.
HESSE_MULTIVERSION void momentum_update(Index n, double* __restrict g, double* __restrict m, double mu, bool nesterov) {
  const double own = nesterov ? 1 - mu : 0;
  const double past = nesterov ? mu : 1;
  for (Index i = 0; i < n; ++i) {
    m[i] = mu * m[i] + (1 - mu) * g[i];
    g[i] = own * g[i] + past * m[i];
  }
}

struct AdamCoefficients {
  double beta1;
  double beta2;
  double mean_factor;  // 1 / (1 - beta1^t)
  double root_factor;  // 1 / sqrt(1 - beta2^t)
  double eps;
};

HESSE_MULTIVERSION void adam_direction(Index n, double* __restrict g, double* __restrict m, double* __restrict v,
                                       const AdamCoefficients& coefficients) {
  const AdamCoefficients c = coefficients;
  for (Index i = 0; i < n; ++i) {
    m[i] = c.beta1 * m[i] + (1 - c.beta1) * g[i];
    v[i] = c.beta2 * v[i] + (1 - c.beta2) * g[i] * g[i];
    g[i] = c.mean_factor * m[i] / (std::sqrt(v[i]) * c.root_factor + c.eps);
  }
}

/// x <- x - rate d - shrink x; returns the square of the step.
HESSE_MULTIVERSION double descend(Index n, const double* __restrict d, double* __restrict x, double rate,
                                  double shrink) {
  return update_entries(n, x, [&](Index i) { return -rate * d[i] - shrink * x[i]; });
}
HESSE_MULTIVERSION double descend(Index n, const float* __restrict d, double* __restrict x, double rate,
                                  double shrink) {
  return update_entries(n, x, [&](Index i) { return -rate * static_cast<double>(d[i]) - shrink * x[i]; });
}

double scale_of(MuonScale scale, Index rows, Index columns) {
  const auto r = static_cast<double>(rows);
  const auto c = static_cast<double>(columns);
  switch (scale) {
    case MuonScale::original: return std::sqrt(std::max(1.0, r / c));
    case MuonScale::rms: return 0.2 * std::sqrt(std::max(r, c));
    case MuonScale::none: break;
  }
  return 1;
}

}  // namespace

void visit_options(MuonOptions& o, OptionVisitor& v) {
  v.option("lr", o.lr, Interval::positive().searched_around(o.lr), "learning rate");
  v.option("momentum", o.momentum, Interval::half_open(0, 1).searched_below_one(0.5, 0.995),
           "mu, decay of the mean of gradients");
  v.option("nesterov", o.nesterov, "the mean as it will be after the same gradient once more");
  v.choice("schedule", o.newton_schulz.schedule,
           {{"muon", PolarSchedule::muon},
            {"modular", PolarSchedule::modular},
            {"classical", PolarSchedule::classical},
            {"dion", PolarSchedule::dion},
            {"polar-express", PolarSchedule::polar_express}},
           "coefficients of Newton-Schulz");
  v.option("steps", o.newton_schulz.steps, Interval::closed(1, 100), "iterations of Newton-Schulz");
  v.option("eps", o.newton_schulz.eps, Interval::non_negative(), "added to the norm of a matrix");
  v.choice("scale", o.scale, {{"original", MuonScale::original}, {"rms", MuonScale::rms}, {"none", MuonScale::none}},
           "factor of a block's step: sqrt(max(1, rows/columns)), 0.2 sqrt(max(rows, columns)) or 1");
  v.option("weight_decay", o.weight_decay, Interval::non_negative(), "lambda, decoupled");
  v.option("aux_ratio", o.aux_ratio, Interval::positive(), "rate of AdamW, for what is no matrix, over lr");
  v.option("aux_beta1", o.aux_beta1, Interval::half_open(0, 1), "of AdamW");
  v.option("aux_beta2", o.aux_beta2, Interval::half_open(0, 1), "of AdamW");
  v.option("aux_eps", o.aux_eps, Interval::positive(), "of AdamW");
  v.option("hidden_only", o.hidden_only, "the first and the last matrix by AdamW too");
}

void Muon::plan(const Objective& f) {
  planned_for_ = f.layout().blocks();
  precision_ = f.precision();
  blocks_.clear();
  work_.clear();
  v_size_ = 0;
  for (const ParameterBlock& from : planned_for_) {
    if (from.size == 0) continue;
    Block block;
    block.offset = from.offset;
    block.size = from.size;
    block.rows = from.shape.empty() ? 1 : from.shape.front();
    block.columns = from.size / block.rows;
    const bool embedding = from.name.find("embedding") != std::string::npos;
    block.matrix = from.shape.size() >= 2 && block.rows > 1 && block.columns > 1 && !embedding;
    blocks_.push_back(std::move(block));
  }
  if (options_.hidden_only) {
    const auto is_matrix = [](const Block& b) { return b.matrix; };
    const auto first = std::find_if(blocks_.begin(), blocks_.end(), is_matrix);
    const auto last = std::find_if(blocks_.rbegin(), blocks_.rend(), is_matrix);
    // The two may be one.
    if (first != blocks_.end()) {
      Block& end = *last;
      first->matrix = false;
      end.matrix = false;
    }
  }
  for (Block& block : blocks_) {
    if (block.matrix) {
      block.scale = scale_of(options_.scale, block.rows, block.columns);
      if (precision_ == Precision::float32) block.polar.emplace<Polar<float>>();
      std::visit(
          [&](auto& polar) {
            polar.workspace.reserve(block.rows, block.columns);
            polar.X.resize(static_cast<std::size_t>(block.size));
          },
          block.polar);
      const auto r = static_cast<double>(std::min(block.rows, block.columns));
      work_.push_back(static_cast<double>(options_.newton_schulz.steps) * 3 * r * static_cast<double>(block.size));
    } else {
      block.v_offset = v_size_;
      v_size_ += block.size;
      work_.push_back(20 * static_cast<double>(block.size));
    }
  }
}

template <class T>
void Muon::step_matrix(Block& block, Polar<T>& polar, Vector& x) {
  double* g = gradient_.data() + block.offset;
  double* m = m_.data() + block.offset;
  parallel_for(block_count(block.size, kUpdateBlock), [&](Index task) {
    const Range r = block_range(block.size, kUpdateBlock, task);
    momentum_update(r.size(), g + r.begin, m + r.begin, options_.momentum, options_.nesterov);
  });
  // Row-major, the block is its transpose in columns, and the polar factor of that is the transpose of its own.
  if (!newton_schulz(block.columns, block.rows, g, polar.X.data(), options_.newton_schulz, polar.workspace)) {
    std::fill(polar.X.begin(), polar.X.end(), std::numeric_limits<T>::quiet_NaN());
  }
  const double squares = blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index n) {
    return static_cast<double>(Eigen::Map<const Eigen::VectorX<T>>(polar.X.data() + begin, n).squaredNorm());
  });
  block.rms = std::sqrt(squares / static_cast<double>(std::min(block.rows, block.columns)));
  const double rate = options_.lr * block.scale;
  const double shrink = options_.weight_decay * options_.lr;
  block.squares = blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index n) {
    return descend(n, polar.X.data() + begin, x.data() + block.offset + begin, rate, shrink);
  });
}

StepReport Muon::step(Objective& f, Vector& x) {
  StepReport report;
  if (!evaluate_gradient(f, x, gradient_, report)) return report;
  if (!same_blocks(planned_for_, f.layout()) || precision_ != f.precision()) plan(f);
  if (m_.size() != x.size()) m_ = Vector::Zero(x.size());
  if (v_.size() != v_size_) v_ = Vector::Zero(v_size_);
  ++t_;
  const auto t = static_cast<double>(t_);
  AdamCoefficients adam{};
  adam.beta1 = options_.aux_beta1;
  adam.beta2 = options_.aux_beta2;
  adam.mean_factor = 1 / (1 - std::pow(options_.aux_beta1, t));
  adam.root_factor = 1 / std::sqrt(1 - std::pow(options_.aux_beta2, t));
  adam.eps = options_.aux_eps;
  for_each_item(work_, [&](Index which) {
    Block& block = blocks_[static_cast<std::size_t>(which)];
    if (block.matrix) {
      std::visit([&](auto& polar) { step_matrix(block, polar, x); }, block.polar);
      return;
    }
    double* g = gradient_.data() + block.offset;
    double* m = m_.data() + block.offset;
    double* v = v_.data() + block.v_offset;
    const double rate = options_.lr * options_.aux_ratio;
    block.squares = blocked_sum(block.size, kUpdateBlock, [&](Index begin, Index n) {
      adam_direction(n, g + begin, m + begin, v + begin, adam);
      return descend(n, g + begin, x.data() + block.offset + begin, rate, options_.weight_decay * rate);
    });
  });
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  double by_polar = 0;
  double by_adam = 0;
  Index matrices = 0;
  for (const Block& block : blocks_) {
    (block.matrix ? by_polar : by_adam) += block.squares;
    if (!block.matrix) continue;
    ++matrices;
    least = std::min(least, block.rms);
    greatest = std::max(greatest, block.rms);
  }
  report.step_size = options_.lr;
  report.step_norm = std::sqrt(by_polar + by_adam);
  report.tell("singular_value_min", matrices > 0 ? least : StepReport::kUnknown);
  report.tell("singular_value_max", matrices > 0 ? greatest : StepReport::kUnknown);
  report.tell("polar_step", std::sqrt(by_polar));
  report.tell("adam_step", std::sqrt(by_adam));
  report.tell("matrices", static_cast<double>(matrices));
  return report;
}

OptimizerEntry muon_entry() {
  return optimizer_entry<Muon, MuonOptions>("muon", "Momentum with matrices replaced by their polar factors",
                                            "K. Jordan (2024); Bernstein and Newhouse (2024); Liu et al. (2025)");
}

}  // namespace hesse
