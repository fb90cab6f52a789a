#include "hesse/optim/globalization/model_step.h"

#include "hesse/core/vector_ops.h"

#include <algorithm>
#include <cmath>

namespace hesse {

StepJudge::StepJudge(double eta, Index memory) : eta_(eta), recent_(Vector::Zero(memory)) {}

Judgement StepJudge::judge(Objective& f, const Point& at, const Vector& s, double decrease, Trial& trial) {
  Judgement judged;
  const double rounding = 10 * f.value_noise() * std::abs(at.value);
  trial.x = at.x + s;
  trial.value = f.value_and_gradient(trial.x, trial.g);
  const double actual = at.value - trial.value;
  const double gradient_after = norm(trial.g);
  if (!std::isfinite(actual) || !std::isfinite(gradient_after)) return judged;
  judged.unresolved = std::abs(actual) <= rounding && decrease <= rounding;
  if (judged.unresolved) {
    judged.rho = trapezoid_decrease(at.g, trial.g, s) / decrease;
  } else {
    judged.rho = actual / decrease;
    // Values of another batch say nothing of this one.
    if (count_ > 0 && recent_[(count_ - 1) % recent_.size()] != at.value) count_ = 0;
    const Index known = std::min<Index>(static_cast<Index>(count_), recent_.size());
    if (recent_.size() > 1 && known > 0) {
      // Toint (1996): from the greatest of the recent values, against what the model promised; rho stays the larger.
      const double greatest = std::max(at.value, recent_.head(known).maxCoeff());
      judged.rho = std::max(judged.rho, (greatest - trial.value) / (greatest - at.value + decrease));
    }
  }
  if (!std::isfinite(judged.rho)) judged.rho = -1;
  judged.accepted = judged.rho > eta_;
  if (judged.accepted) {
    watch_.saw(judged.unresolved, at.gradient_norm, gradient_after, trial.value);
    recent_[count_ % recent_.size()] = trial.value;
    ++count_;
  }
  return judged;
}

StateView StepJudge::state() {
  StateView all = watch_.state();
  all.insert(all.end(), {{"recent_values", &recent_}, {"accepted_steps", &count_}});
  return all;
}

}  // namespace hesse
