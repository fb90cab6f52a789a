#include "hesse/experiment/grid.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/core/random.h"
#include "hesse/experiment/tune.h"
#include "hesse/optim/registry.h"
#include "hesse/problems/problem.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

namespace hesse {
namespace {

constexpr std::size_t kMostPoints = 100000;

/// A range from which values are drawn, by their share u of it.
struct Drawn {
  enum class Scale { linear, logarithmic, declared };
  double low = 0;
  double high = 0;
  Scale scale = Scale::linear;
  std::optional<SearchRange> declared;

  double at(double u) const {
    switch (scale) {
      case Scale::linear: return low + u * (high - low);
      case Scale::logarithmic: return low * std::pow(high / low, u);
      case Scale::declared: return declared->at(u);
    }
    return low;
  }
};

/// One option that varies, and where it stands.
struct Axis {
  std::size_t link = 0;  ///< 0 is the method or the problem, then its modifiers
  std::size_t argument = 0;
  std::string name;
  bool whole = false;
  std::vector<std::string> values;  ///< empty where they are drawn
  std::optional<Drawn> drawn;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text = text.substr(at + 1);
  }
}

std::string number_text(double value, int digits, bool whole) {
  return whole ? fmt::format("{}", std::llround(value)) : fmt::format("{:.{}g}", value, digits);
}

/// "log(a:b:n)" and "linear(a:b:n)", or without n: a Drawn.
struct Range {
  Drawn range;
  Index points = 0;  ///< 0: drawn
};
std::optional<Range> parse_range(const std::string& what, std::string_view text) {
  const bool logarithmic = text.starts_with("log(");
  if (!logarithmic && !text.starts_with("linear(")) return std::nullopt;
  const auto open = text.find('(');
  const auto parts =
      text.ends_with(')') ? split(text.substr(open + 1, text.size() - open - 2), ':') : std::vector<std::string_view>{};
  if (parts.size() != 2 && parts.size() != 3) {
    fail("{}: '{}' is no range; write {}LOW:HIGH:POINTS), or {}LOW:HIGH) to draw from it", what, text,
         text.substr(0, open + 1), text.substr(0, open + 1));
  }
  Range out;
  out.range.low = parse_number(what, parts[0]);
  out.range.high = parse_number(what, parts[1]);
  out.range.scale = logarithmic ? Drawn::Scale::logarithmic : Drawn::Scale::linear;
  if (!(out.range.low < out.range.high)) fail("{}: '{}' does not ascend; give LOW < HIGH", what, text);
  if (logarithmic && !(out.range.low > 0)) fail("{}: '{}' has no logarithm; give LOW > 0", what, text);
  if (parts.size() == 3) {
    out.points = parse_whole_number(what, parts[2]);
    if (out.points < 2 || out.points > static_cast<Index>(kMostPoints)) {
      fail("{}: '{}' has {} points; give from 2 to {}", what, text, out.points, kMostPoints);
    }
  }
  return out;
}

/// The axis that `value` makes of an option, or nothing where it is one value.
std::optional<Axis> axis_of(const std::string& what, const std::string& value, const OptionInfo* info) {
  const bool whole = info != nullptr && info->type == "whole number";
  const bool numeric = info == nullptr || whole || info->type == "number";
  Axis axis;
  axis.whole = whole;
  if (value == "tuned" && numeric) {
    if (info == nullptr || !info->search) {
      fail("{}: no range is declared for it; write one, as in log(1e-4:1e-1)", what);
    }
    axis.drawn = Drawn{0, 0, Drawn::Scale::declared, info->search};
    return axis;
  }
  const auto parts = split(value, '|');
  for (const std::string_view part : parts) {
    if (part.empty()) fail("{}: '{}' lacks a value beside a '|'", what, value);
    const std::optional<Range> range = numeric ? parse_range(what, part) : std::nullopt;
    if (!range) {
      axis.values.emplace_back(part);
      continue;
    }
    if (range->points == 0) {
      if (parts.size() > 1) fail("{}: '{}' is drawn from, so it stands alone; give a number of points", what, part);
      axis.drawn = range->range;
      return axis;
    }
    for (Index i = 0; i < range->points; ++i) {
      const double u = static_cast<double>(i) / static_cast<double>(range->points - 1);
      axis.values.push_back(number_text(range->range.at(u), 6, whole));
    }
  }
  if (parts.size() == 1 && axis.values.size() == 1 && axis.values.front() == value) return std::nullopt;
  return axis;
}

/// A chain of specifications with the options that each link has.
struct Link {
  Spec spec;
  std::vector<OptionInfo> options;
};

std::string text_of(const std::vector<Link>& chain) {
  std::string text;
  for (const Link& link : chain) text += fmt::format("{}{}", text.empty() ? "" : "+", link.spec.text());
  return text;
}

std::vector<GridPoint> grid_of(const std::string& text, std::vector<Link> chain, const GridOptions& options) {
  std::vector<Axis> axes;
  for (std::size_t l = 0; l < chain.size(); ++l) {
    const Spec& spec = chain[l].spec;
    for (std::size_t a = 0; a < spec.arguments.size(); ++a) {
      const auto& [name, value] = spec.arguments[a];
      const auto info = std::find_if(chain[l].options.begin(), chain[l].options.end(),
                                     [&key = name](const OptionInfo& option) { return option.name == key; });
      auto axis = axis_of(fmt::format("{}: option {}", spec.name, name), value,
                          info == chain[l].options.end() ? nullptr : &*info);
      if (!axis) continue;
      axis->link = l;
      axis->argument = a;
      axis->name = l == 0 ? name : spec.name + "." + name;
      axes.push_back(std::move(*axis));
    }
  }
  const auto dimensions =
      static_cast<std::size_t>(std::count_if(axes.begin(), axes.end(), [](const Axis& a) { return a.drawn; }));
  if (dimensions > 0 && options.samples < 1) {
    fail("{}: there are ranges to draw from; say how many samples, as in --samples 20", text);
  }
  const std::size_t samples = dimensions > 0 ? static_cast<std::size_t>(options.samples) : 1;
  std::size_t combinations = 1;
  for (const Axis& axis : axes) {
    if (!axis.drawn) combinations *= axis.values.size();
    if (combinations * samples > kMostPoints) fail("{}: these are more than {} points; give fewer", text, kMostPoints);
  }

  const RandomStream stream(options.seed, Purpose::search, 1);
  std::vector<GridPoint> points;
  std::set<std::string> known;
  for (std::size_t c = 0; c < combinations; ++c) {
    for (std::size_t s = 0; s < samples; ++s) {
      std::vector<double> u;
      if (dimensions > 0 && options.sampling == Sampling::quasi_random) u = halton_point(dimensions, options.seed, s);
      for (std::size_t d = u.size(); d < dimensions; ++d) u.push_back(stream.uniform(s * dimensions + d));
      GridPoint point;
      std::size_t rest = c;
      std::size_t of = combinations;
      std::size_t d = 0;
      for (const Axis& axis : axes) {
        std::string value;
        if (axis.drawn) {
          value = number_text(axis.drawn->at(u[d++]), 3, axis.whole);
        } else {
          of /= axis.values.size();
          value = axis.values[rest / of];
          rest %= of;
        }
        chain[axis.link].spec.arguments[axis.argument].second = value;
        point.varied.emplace_back(axis.name, std::move(value));
      }
      point.text = axes.empty() ? text : text_of(chain);
      if (known.insert(point.text).second) points.push_back(std::move(point));
    }
  }
  return points;
}

}  // namespace

std::vector<GridPoint> method_grid(const std::string& text, const GridOptions& options) {
  const OptimizerSpec spec = parse_optimizer(text);
  std::vector<Link> chain = {{spec.method, optimizers().at(spec.method.name).options}};
  // What belongs to the run and not to the optimizer (experiment/run.h).
  for (const char* name : {"batch", "full_batch_at"})
    chain.front().options.push_back({name, "whole number", "", "", ""});
  for (const Spec& modifier : spec.modifiers) chain.push_back({modifier, link_options(modifier.name)});
  return grid_of(text, std::move(chain), options);
}

std::vector<GridPoint> problem_grid(const std::string& text, const GridOptions& options) {
  const Spec spec = parse_spec(text);
  return grid_of(text, {{spec, problems().at(spec.name).options}}, options);
}

}  // namespace hesse
