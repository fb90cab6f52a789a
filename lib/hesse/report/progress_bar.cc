#include "hesse/report/progress_bar.h"

#include "hesse/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hesse {

namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr Index kLeastBar = 6;
constexpr Index kGreatestBar = 24;

/// "########--------", or in eighths of a character.
std::string bar(double spent, Index width, bool unicode) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(spent, 0.0, 1.0) * 8 * static_cast<double>(width));
  Index filled = eighths / 8;
  std::string out;
  for (Index i = 0; i < filled; ++i) out += unicode ? "█" : "#";
  if (unicode && eighths % 8 > 0) {
    out += kEighths[eighths % 8];
    ++filled;
  }
  for (Index i = filled; i < width; ++i) out += unicode ? "░" : "-";
  return out;
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds < 1e10)) return "?";
  seconds = std::max(seconds, 0.0);
  if (seconds > 0 && seconds < 0.09995) return fmt::format("{:.1f} ms", 1000 * seconds);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

ProgressBar::ProgressBar(std::FILE* stream, std::string label, const Stopping& stopping)
    : ProgressBar(
          [stream](std::string_view text) {
            std::fwrite(text.data(), 1, text.size(), stream);
            std::fflush(stream);
          },
          terminal_style(stream), std::move(label), stopping) {
  stream_ = stream;
}

ProgressBar::ProgressBar(Sink sink, TerminalStyle style, std::string label, const Stopping& stopping)
    : sink_(std::move(sink)), style_(style), label_(std::move(label)), stopping_(stopping) {}

ProgressBar::Share ProgressBar::share(const Progress& progress) const {
  Share nearest{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  const auto budget = [&](double now, double start, double limit) {
    if (!(limit > 0) || std::isinf(limit)) return;
    const double spent = now / limit;
    // The budget that ends the run is the one whose remainder, at the pace so far, is the shortest.
    const double left = now > start ? (limit - now) / (now - start) : std::numeric_limits<double>::infinity();
    if (std::isnan(nearest.spent) || left < nearest.left || (left == nearest.left && spent > nearest.spent)) {
      nearest = {spent, left};
    }
  };
  if (stopping_.max_steps != std::numeric_limits<std::int64_t>::max()) {
    budget(static_cast<double>(progress.step), static_cast<double>(start_.step),
           static_cast<double>(stopping_.max_steps));
  }
  budget(progress.epochs, start_.epochs, stopping_.max_epochs);
  budget(progress.cost.gradient_equivalents, start_.cost.gradient_equivalents, stopping_.max_gradient_equivalents);
  budget(progress.seconds, start_.seconds, stopping_.max_seconds);
  return nearest;
}

std::string ProgressBar::line(const Progress& progress, const StepReport& report) const {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
  const Share now = share(progress);
  const std::string name = label_.empty() ? "" : label_ + "  ";
  std::string out;
  if (!std::isnan(now.spent)) out += fmt::format("{:3.0f} %  ", std::floor(100 * std::clamp(now.spent, 0.0, 1.0)));
  out += fmt::format("step {}  epoch {:.2f}", progress.step, progress.epochs);
  if (!std::isnan(report.value)) out += "  f " + significant(report.value, 5);
  if (!std::isnan(report.gradient_norm)) out += "  |g| " + significant(report.gradient_norm, 3);
  const auto steps = static_cast<double>(progress.step - start_.step);
  if (steps > 0 && passed.count() > 0) out += fmt::format("  {}/s", significant(steps / passed.count(), 3));
  if (std::isfinite(now.left)) out += "  " + duration_text(now.left * passed.count()) + " left";
  // The bar takes what room the figures leave on the line.
  const Index taken = display_width(name) + display_width(out) + 2;
  const Index room = style_.width > 0 ? std::min(kGreatestBar, style_.width - taken) : kGreatestBar;
  if (!style_.interactive || std::isnan(now.spent) || room < kLeastBar) return name + out;
  return fmt::format("{}{} {}", name, bar(now.spent, room, style_.unicode), out);
}

void ProgressBar::show(const std::string& text, bool last) {
  if (!style_.interactive) {
    sink_(text + '\n');
    return;
  }
  // One column stays free: a full line would make some terminals wrap.
  const Index width = style_.width > 0 ? style_.width - 1 : std::numeric_limits<Index>::max();
  // Back to the start of the line and erase it. The last line may be long, and then it wraps.
  sink_("\r\033[K" + (last ? text + '\n' : fit(text, width, style_.unicode)));
}

void ProgressBar::begin(const Progress& progress, const Vector&, Optimizer&) {
  start_ = progress;
  started_ = shown_ = std::chrono::steady_clock::now();
  const double spent = share(progress).spent;
  next_tenth_ = std::isnan(spent) ? 0.1 : (std::floor(10 * spent) + 1) / 10;
  next_step_ = progress.step + 1;
  show(line(progress, {}), false);
}

bool ProgressBar::after_step(const Iterate& iterate) {
  if (style_.interactive) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < kInterval) return false;
    shown_ = now;
    if (stream_ != nullptr) style_.width = terminal_style(stream_).width;
    show(line(iterate.progress, iterate.report), false);
    return false;
  }
  const double spent = share(iterate.progress).spent;
  if (std::isnan(spent)) {
    if (iterate.progress.step < next_step_) return false;
    // 1, 2, 5, 10, ...: the next of these after the present step.
    std::int64_t next = 1;
    for (int i = 0; next <= iterate.progress.step; ++i) next = i % 3 == 1 ? next / 2 * 5 : next * 2;
    next_step_ = next;
  } else {
    // Rounding must not swallow a tenth; the last one is left to the line that says why.
    if (spent < next_tenth_ - 1e-9 || spent >= 1 - 1e-9) return false;
    next_tenth_ = (std::floor(10 * spent + 1e-8) + 1) / 10;
  }
  show(line(iterate.progress, iterate.report), false);
  return false;
}

void ProgressBar::end(const Summary& summary, const Vector&) {
  std::string text = label_.empty() ? "" : label_ + "  ";
  const char* color = converged(summary.termination)               ? "\033[32m"
                      : summary.termination == Termination::budget ? ""
                      : summary.termination == Termination::user   ? ""
                                                                   : "\033[31m";
  const bool colored = style_.color && *color != '\0';
  text += fmt::format("{}{}{}  f {}  |g| {}  in {}", colored ? color : "", summary.message, colored ? "\033[0m" : "",
                      significant(summary.value, 6), significant(summary.gradient_norm, 3),
                      duration_text(summary.progress.seconds));
  show(text, true);
}

void ProgressBar::fail(std::string_view message) {
  const std::string name = label_.empty() ? "" : label_ + "  ";
  show(fmt::format("{}{}failed: {}{}", name, style_.color ? "\033[31m" : "", message, style_.color ? "\033[0m" : ""),
       true);
}

}  // namespace hesse
