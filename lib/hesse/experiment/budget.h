/// \file
/// Budgets as they are written: a number and its unit, several joined by commas, the first to be
/// spent ending the run.
///
///     10epochs      passes over the data by batches drawn
///     100gradients  gradient equivalents: full-data gradients' worth of work, whatever was evaluated
///     500steps      steps of the method
///     30s           seconds of optimization, evaluation of metrics excluded
///     500values, 500evaluations, 500products
///                   calls of a kind: values alone, values with gradients, products with a curvature matrix
#pragma once

#include "hesse/optim/minimize.h"

#include <string>
#include <string_view>

namespace hesse {

/// Adds the limits of `text` to `stopping`. Throws Error on an unknown unit or a number that is not
/// finite and positive.
void apply_budget(std::string_view text, Stopping& stopping);

}  // namespace hesse
