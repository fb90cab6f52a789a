#include "formats.h"

#include "hesse/core/error.h"
#include "hesse/experiment/budget.h"
#include "hesse/experiment/grid.h"
#include "hesse/objective/quadratic.h"
#include "hesse/optim/registry.h"
#include "hesse/optim/schedule.h"

namespace hesse::fuzz {

void read_specification_bytes(const Input& input) {
  const std::string text(input.bytes);
  value_or_error("", [&] {
    const Spec spec = parse_spec(text);
    require(parse_spec(spec.text()).text() == spec.text(), "a specification reads back to another");
  });
  value_or_error("", [&] {
    const OptimizerSpec spec = parse_optimizer(text);
    require(parse_optimizer(spec.text()).text() == spec.text(), "a chain reads back to another");
  });
  value_or_error("", [&] {
    Quadratic f(Vector::Ones(3), Vector::Zero(3));
    make_optimizer(text, {f, 1});
  });
  value_or_error("", [&] { schedules().make(parse_spec(text), {}); });
  value_or_error("", [&] {
    Stopping stopping;
    apply_budget(text, stopping);
  });
  value_or_error("", [&] { method_grid(text, {.samples = 3}); });
  value_or_error("", [&] { problem_grid(text, {.samples = 3}); });
}

}  // namespace hesse::fuzz
