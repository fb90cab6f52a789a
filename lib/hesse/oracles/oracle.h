/// \file
/// Mathematical oracles: answers that are known without this library (a closed form, a brute-force sum, an invariance,
/// a probability), each held against what this binary computes, on this machine, with no framework of tests.
/// `hesse verify` runs them (docs/reliability.md).
///
/// An oracle that cannot fail proves nothing. So each knows a fault of its own that can be planted in what it compares
/// (a wrong exponent, a copy of an eigenvalue dropped, an optimizer's state forgotten), and has to find it.
///
/// A new oracle is one function from an OracleContext to findings, and one line in the table of its file.
#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace hesse {

/// One comparison: a figure, the range that it is held to, and why the range is what it is.
struct OracleFinding {
  std::string what;  ///< is compared
  double figure = std::numeric_limits<double>::quiet_NaN();
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::string derivation;  ///< of the range, in a formula or a few words

  /// A figure that is not a number lies in no range.
  bool passed() const { return figure >= low && figure <= high; }
  /// "1.2e-15 <= 4.5e-14", "19 not = 20", "0.951 in [0.93, 0.97]".
  std::string text() const;
};

/// figure <= bound, figure >= bound, figure == value, low <= figure <= high.
OracleFinding at_most(std::string what, double figure, double bound, std::string derivation);
OracleFinding at_least(std::string what, double figure, double bound, std::string derivation);
OracleFinding equal_to(std::string what, double figure, double value, std::string derivation);
OracleFinding between(std::string what, double figure, double low, double high, std::string derivation);

/// How an oracle is run.
struct OracleContext {
  bool planted = false;           ///< with its fault, which it has to find
  std::filesystem::path scratch;  ///< an empty folder that is removed afterwards
};

/// What is claimed of this binary, and the function that looks.
struct Oracle {
  std::string name;
  std::string claim;  ///< one clause
  std::string fault;  ///< that can be planted, one clause
  std::vector<OracleFinding> (*run)(const OracleContext& context);
};

/// All of them, those of lower modules first. Names are unique.
const std::vector<Oracle>& oracles();

/// What an oracle found.
struct OracleReport {
  std::string name;
  std::vector<OracleFinding> findings;
  std::string failure;  ///< what was thrown instead; empty if nothing
  double seconds = 0;

  /// There are findings, and all of them passed.
  bool passed() const;
};

/// Runs one in a scratch folder of its own below the system's for temporary files. What it throws is its failure. The
/// number of threads is afterwards what it was.
OracleReport consult(const Oracle& oracle, bool planted = false);

}  // namespace hesse
