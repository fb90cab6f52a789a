/// \file
/// Many specifications written as one: in place of a value stands what it shall go through.
///
///     lr=1e-3|1e-2|1e-1        these; texts and choices as well: activation=tanh|relu
///     lr=log(1e-4:1e-1:7)      7 values in equal ratios, both ends among them
///     momentum=linear(0:0.9:4) 4 values in equal steps, likewise
///     damping=0|log(1e-4:1:3)  a list may hold grids
///     lr=log(1e-4:1e-1)        drawn: logarithmic, between these
///     momentum=linear(0:0.9)   drawn: uniform, between these
///     lr=tuned                 drawn: from the range that 'hesse describe' gives, as 'hesse tune' does
///
/// Lists and grids combine to their product. What is drawn is drawn together, `samples` points of it for each
/// combination of the rest: the dimensions of one sequence, so that no two samples share a value (Bergstra and Bengio
/// 2012, section 1: of a grid's points most repeat the values that matter).
#pragma once

#include "hesse/core/types.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hesse {

/// How what is drawn is drawn: points of a shifted Halton sequence (experiment/tune.h), which fill the ranges evenly,
/// or independent uniform ones.
enum class Sampling { quasi_random, random };

/// How points are taken from the ranges.
struct GridOptions {
  Index samples = 0;  ///< of what is drawn; 0 refuses specifications that draw
  Sampling sampling = Sampling::quasi_random;
  std::uint64_t seed = 1;
};

/// One of the specifications.
struct GridPoint {
  std::string text;  ///< "adam:lr=0.001+clip-norm:max=1"
  /// What was varied, in the order in which it is written, with the values here: ("lr", "0.001"). A modifier's option
  /// is named behind it: "clip-norm.max".
  std::vector<std::pair<std::string, std::string>> varied;
};

/// All specifications that a method's text stands for, the last option varying fastest; one, the text itself, where
/// nothing varies. Numbers of grids are written with six significant digits, samples with three as in tuning; those of
/// whole-number options are rounded, and points that then coincide are kept once. Throws Error on bad grammar, an
/// unknown name or option, and what is drawn without samples.
std::vector<GridPoint> method_grid(const std::string& text, const GridOptions& options);

/// The same for a problem.
std::vector<GridPoint> problem_grid(const std::string& text, const GridOptions& options);

}  // namespace hesse
