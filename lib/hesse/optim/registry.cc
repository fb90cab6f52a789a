#include "hesse/optim/registry.h"

#include "hesse/core/error.h"
#include "hesse/optim/around/scheduled.h"

#include <algorithm>

namespace hesse {

// Each is defined beside its method.
OptimizerEntry gd_entry();
OptimizerEntry sgd_entry();
OptimizerEntry momentum_entry();
OptimizerEntry nesterov_entry();
OptimizerEntry adam_entry();
OptimizerEntry adamw_entry();
OptimizerEntry adagrad_entry();
OptimizerEntry rmsprop_entry();
OptimizerEntry amsgrad_entry();
OptimizerEntry nadam_entry();
OptimizerEntry adafactor_entry();
OptimizerEntry lion_entry();
OptimizerEntry lamb_entry();
OptimizerEntry schedule_free_entry();
OptimizerEntry lbfgs_entry();
OptimizerEntry newton_cg_entry();

ModifierEntry clip_norm_entry();
ModifierEntry clip_value_entry();
ModifierEntry l2_entry();
ModifierEntry noise_entry();
ModifierEntry accumulate_entry();
ModifierEntry sam_entry();
ModifierEntry asam_entry();
ModifierEntry weight_decay_entry();
ModifierEntry ema_entry();
ModifierEntry polyak_entry();

namespace {

std::vector<ModifierEntry> modifier_entries() {
  std::vector<ModifierEntry> all = {
      clip_norm_entry(), clip_value_entry(), l2_entry(),           noise_entry(), accumulate_entry(),
      sam_entry(),       asam_entry(),       weight_decay_entry(), ema_entry(),   polyak_entry(),
  };
  for (const auto& schedule : schedules().entries()) {
    all.push_back({ModifierPlace::schedule,
                   {schedule.name, schedule.summary, schedule.source, schedule.options,
                    [make = schedule.make](const Spec& spec, ModifierContext& context) -> std::unique_ptr<Optimizer> {
                      return std::make_unique<Scheduled>(spec.name, make(spec, NoContext{}), std::move(context.inner));
                    }}});
  }
  return all;
}

ModifierPlace place_of(std::string_view name) {
  static const std::vector<ModifierEntry> all = modifier_entries();
  return std::find_if(all.begin(), all.end(), [&](const ModifierEntry& e) { return e.entry.name == name; })->place;
}

}  // namespace

const ModifierRegistry& modifiers() {
  static const ModifierRegistry registry("modifier", [] {
    std::vector<ModifierRegistry::Entry> entries;
    for (ModifierEntry& each : modifier_entries()) entries.push_back(std::move(each.entry));
    return entries;
  }());
  return registry;
}

std::string OptimizerSpec::text() const {
  std::string out = method.text();
  for (const Spec& modifier : modifiers) {
    out += '+';
    out += modifier.text();
  }
  return out;
}

OptimizerSpec parse_optimizer(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::vector<Spec> links;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == '+' && (i + 1 == text.size() || is_letter(text[i + 1])))) {
      links.push_back(parse_spec(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  OptimizerSpec spec;
  spec.method = std::move(links.front());
  spec.modifiers.assign(std::make_move_iterator(links.begin() + 1), std::make_move_iterator(links.end()));
  return spec;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSpec& spec, const OptimizerContext& context) {
  std::vector<Spec> chain = spec.modifiers;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    modifiers().at(chain[i].name);
    for (std::size_t j = 0; j < i; ++j) {
      if (chain[j].name == chain[i].name) fail("{}: {} is named twice", spec.text(), chain[i].name);
    }
  }
  // The first to meet the gradient is the outermost of its place.
  std::reverse(chain.begin(), chain.end());
  std::stable_sort(chain.begin(), chain.end(),
                   [](const Spec& a, const Spec& b) { return place_of(a.name) < place_of(b.name); });
  std::unique_ptr<Optimizer> optimizer = optimizers().make(spec.method, context);
  for (const Spec& link : chain) {
    ModifierContext around{context.objective, context.seed, std::move(optimizer)};
    optimizer = modifiers().make(link, around);
  }
  return optimizer;
}

const OptimizerRegistry& optimizers() {
  static const OptimizerRegistry registry("optimizer", {
                                                           gd_entry(),
                                                           sgd_entry(),
                                                           momentum_entry(),
                                                           nesterov_entry(),
                                                           adam_entry(),
                                                           adamw_entry(),
                                                           adagrad_entry(),
                                                           rmsprop_entry(),
                                                           amsgrad_entry(),
                                                           nadam_entry(),
                                                           adafactor_entry(),
                                                           lion_entry(),
                                                           lamb_entry(),
                                                           schedule_free_entry(),
                                                           lbfgs_entry(),
                                                           newton_cg_entry(),
                                                       });
  return registry;
}

}  // namespace hesse
