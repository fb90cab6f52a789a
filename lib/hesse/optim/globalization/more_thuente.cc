/// \file
/// The strong Wolfe search of More and Thuente (line_search.h) as a globalisation.
#include "hesse/core/options.h"
#include "hesse/optim/globalization/along_line.h"
#include "hesse/optim/globalization/globalizations.h"

#include <algorithm>

namespace hesse {

void visit_options(MoreThuenteOptions& o, OptionVisitor& v) {
  v.option("ftol", o.ftol, Interval::open(0, 0.5), "c1, sufficient decrease");
  v.option("gtol", o.gtol, Interval::open(0, 1), "c2, curvature condition");
  v.option("max_evaluations", o.max_evaluations, Interval::closed(1, 1000), "trial steps of one line search");
}

namespace {

class MoreThuente final : public Globalization {
 public:
  explicit MoreThuente(const MoreThuenteOptions& options) {
    search_.ftol = options.ftol;
    search_.gtol = std::max(options.gtol, options.ftol);
    search_.max_evaluations = options.max_evaluations;
  }

  std::string misfit(const Direction& direction) const override { return line_search_misfit(direction); }

  StateView state() override { return watch_.state(); }

  StepStatus advance(Objective& f, Direction& direction, const Point& at, Trial& trial, StepReport& report) override {
    return advance_along_line(
        f, direction, at, d_, watch_, trial, report,
        [&](Objective& on, const Point& p, const Vector& d, double slope, double first, Trial& t) {
          return line_search(on, p.x, d, p.value, slope, first, search_, t.x, t.g);
        });
  }

 private:
  LineSearchOptions search_;
  RoundingWatch watch_;
  Vector d_;
};

}  // namespace

std::unique_ptr<Globalization> make_more_thuente(const MoreThuenteOptions& options) {
  return std::make_unique<MoreThuente>(options);
}

GlobalizationEntry more_thuente_entry() {
  return globalization_entry<MoreThuente, MoreThuenteOptions>(
      "more-thuente", "Line search for the strong Wolfe conditions, by a safeguarded bracket",
      "More and Thuente (1994)");
}

}  // namespace hesse
