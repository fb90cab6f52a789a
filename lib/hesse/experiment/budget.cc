#include "hesse/experiment/budget.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/printable.h"

#include <algorithm>
#include <cmath>

namespace hesse {

void apply_budget(std::string_view text, Stopping& stopping) {
  if (!is_printable(text)) {
    fail("budget '{}': holds a control character; write for example 10epochs or 30s", printable(text));
  }
  std::string_view rest = text;
  for (;;) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const auto unit_at = std::min(part.find_first_not_of("0123456789.+-"), part.size());
    // An exponent such as 1e3 belongs to the number.
    auto split = unit_at;
    if (unit_at < part.size() && part[unit_at] == 'e' && unit_at + 1 < part.size() &&
        part.find_first_of("0123456789+-", unit_at + 1) == unit_at + 1) {
      split = std::min(part.find_first_not_of("0123456789+-", unit_at + 1), part.size());
    }
    const std::string_view unit = part.substr(split);
    if (split == 0)
      fail("budget '{}': '{}' does not begin with a number; write for example 10epochs or 30s", text, part);
    const double amount = parse_number(fmt::format("budget '{}'", text), part.substr(0, split));
    if (!(amount > 0)) fail("budget '{}': {} is not positive; write for example 10epochs or 30s", text, amount);
    const auto calls = [&](std::int64_t& limit) {
      if (amount != std::floor(amount)) fail("budget '{}': {} is not a whole number of {}", text, amount, unit);
      if (amount > 9e18) fail("budget '{}': more {} than can be counted; give at most 9e18", text, unit);
      limit = std::min(limit, static_cast<std::int64_t>(amount));
    };
    if (unit == "epochs" || unit == "epoch") {
      stopping.max_epochs = std::min(stopping.max_epochs, amount);
    } else if (unit == "gradients" || unit == "gradient") {
      stopping.max_gradient_equivalents = std::min(stopping.max_gradient_equivalents, amount);
    } else if (unit == "steps" || unit == "step") {
      calls(stopping.max_steps);
    } else if (unit == "values" || unit == "value") {
      calls(stopping.max_values);
    } else if (unit == "evaluations" || unit == "evaluation") {
      calls(stopping.max_gradients);
    } else if (unit == "products" || unit == "product") {
      calls(stopping.max_products);
    } else if (unit == "s" || unit == "seconds") {
      stopping.max_seconds = std::min(stopping.max_seconds, amount);
    } else {
      fail(
          "budget '{}': '{}' is not a unit{}; use epochs, gradients, steps, s, values, evaluations or products, as in "
          "10epochs",
          text, unit,
          suggestion(unit, {"epochs", "gradients", "steps", "seconds", "values", "evaluations", "products"}));
    }
    if (comma == std::string_view::npos) return;
    rest = rest.substr(comma + 1);
  }
}

}  // namespace hesse
