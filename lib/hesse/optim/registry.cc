#include "hesse/optim/registry.h"

#include "hesse/core/error.h"
#include "hesse/optim/around/scheduled.h"
#include "hesse/optim/second_order/globalized.h"

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
OptimizerEntry kfac_entry();
OptimizerEntry kfac_fixed_entry();
OptimizerEntry ekfac_entry();
OptimizerEntry shampoo_entry();
OptimizerEntry soap_entry();
OptimizerEntry muon_entry();
OptimizerEntry psgd_entry();
OptimizerEntry sophia_h_entry();
OptimizerEntry sophia_g_entry();
OptimizerEntry adahessian_entry();
OptimizerEntry natural_gradient_entry();
OptimizerEntry hessian_free_entry();
OptimizerEntry online_lbfgs_entry();
OptimizerEntry multi_batch_lbfgs_entry();
OptimizerEntry stochastic_lbfgs_entry();

DirectionEntry steepest_descent_entry();
DirectionEntry newton_entry();
DirectionEntry newton_cg_entry();
DirectionEntry newton_minres_entry();
DirectionEntry subsampled_newton_entry();
DirectionEntry saddle_free_entry();
DirectionEntry gauss_newton_entry();
DirectionEntry bfgs_entry();
DirectionEntry lbfgs_entry();
DirectionEntry sr1_entry();
DirectionEntry limited_sr1_entry();
DirectionEntry nonlinear_cg_entry();
DirectionEntry barzilai_borwein_entry();

GlobalizationEntry undamped_entry();
GlobalizationEntry backtracking_entry();
GlobalizationEntry more_thuente_entry();
GlobalizationEntry hager_zhang_entry();
GlobalizationEntry trust_region_entry();
GlobalizationEntry cubic_entry();
GlobalizationEntry levenberg_marquardt_entry();

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

const std::vector<DirectionEntry>& direction_entries() {
  static const std::vector<DirectionEntry> all = {
      steepest_descent_entry(),
      newton_entry(),
      newton_cg_entry(),
      newton_minres_entry(),
      subsampled_newton_entry(),
      saddle_free_entry(),
      gauss_newton_entry(),
      bfgs_entry(),
      lbfgs_entry(),
      sr1_entry(),
      limited_sr1_entry(),
      nonlinear_cg_entry(),
      barzilai_borwein_entry(),
  };
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
  std::vector<Spec> chain;
  const Spec* globalization = nullptr;
  for (std::size_t i = 0; i < spec.modifiers.size(); ++i) {
    const Spec& link = spec.modifiers[i];
    for (std::size_t j = 0; j < i; ++j) {
      if (spec.modifiers[j].name == link.name) fail("{}: {} is named twice", spec.text(), link.name);
    }
    if (globalizations().find(link.name) == nullptr) {
      link_options(link.name);
      chain.push_back(link);
    } else if (globalization != nullptr) {
      fail("{}: a method has one globalization, and {} and {} are two", spec.text(), globalization->name, link.name);
    } else {
      globalization = &link;
    }
  }
  std::unique_ptr<Optimizer> optimizer;
  if (globalization == nullptr) {
    optimizer = optimizers().make(spec.method, context);
  } else {
    optimizers().at(spec.method.name);
    if (directions().find(spec.method.name) == nullptr) {
      fail("{}: {} makes steps of its own; {} goes with a direction, as in newton+{}", spec.text(), spec.method.name,
           globalization->name, globalization->name);
    }
    optimizer =
        std::make_unique<Globalized>(directions().make(spec.method, DirectionContext{context.objective, context.seed}),
                                     globalizations().make(*globalization, NoContext{}));
  }
  // The first to meet the gradient is the outermost of its place.
  std::reverse(chain.begin(), chain.end());
  std::stable_sort(chain.begin(), chain.end(),
                   [](const Spec& a, const Spec& b) { return place_of(a.name) < place_of(b.name); });
  for (const Spec& link : chain) {
    ModifierContext around{context.objective, context.seed, std::move(optimizer)};
    optimizer = modifiers().make(link, around);
  }
  return optimizer;
}

const std::vector<OptionInfo>& link_options(std::string_view name) {
  if (const auto* entry = globalizations().find(name)) return entry->options;
  if (const auto* entry = modifiers().find(name)) return entry->options;
  std::vector<std::string> names = globalizations().names();
  for (const std::string& modifier : modifiers().names()) names.push_back(modifier);
  fail("there is no modifier, schedule or globalization called '{}'{}; 'hesse list' shows all", name,
       suggestion(name, names));
}

const std::string& default_globalization(std::string_view direction) {
  directions().at(direction);
  const auto& all = direction_entries();
  return std::find_if(all.begin(), all.end(), [&](const DirectionEntry& e) { return e.entry.name == direction; })
      ->globalization;
}

const DirectionRegistry& directions() {
  static const DirectionRegistry registry = [] {
    std::vector<DirectionRegistry::Entry> entries;
    for (const DirectionEntry& entry : direction_entries()) entries.push_back(entry.entry);
    return DirectionRegistry("direction", std::move(entries));
  }();
  return registry;
}

const GlobalizationRegistry& globalizations() {
  static const GlobalizationRegistry registry("globalization", {
                                                                   undamped_entry(),
                                                                   backtracking_entry(),
                                                                   more_thuente_entry(),
                                                                   hager_zhang_entry(),
                                                                   trust_region_entry(),
                                                                   cubic_entry(),
                                                                   levenberg_marquardt_entry(),
                                                               });
  return registry;
}

const OptimizerRegistry& optimizers() {
  static const OptimizerRegistry registry = [] {
    std::vector<OptimizerEntry> entries = {
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
        kfac_entry(),
        kfac_fixed_entry(),
        ekfac_entry(),
        shampoo_entry(),
        soap_entry(),
        muon_entry(),
        sophia_h_entry(),
        sophia_g_entry(),
        adahessian_entry(),
        natural_gradient_entry(),
        hessian_free_entry(),
        psgd_entry(),
        online_lbfgs_entry(),
        multi_batch_lbfgs_entry(),
        stochastic_lbfgs_entry(),
    };
    // A direction alone is an optimizer with its own globalisation.
    for (const DirectionEntry& d : direction_entries()) {
      entries.push_back({d.entry.name, d.entry.summary, d.entry.source, d.entry.options,
                         [&d](const Spec& spec, const OptimizerContext& context) -> std::unique_ptr<Optimizer> {
                           return std::make_unique<Globalized>(
                               d.entry.make(spec, DirectionContext{context.objective, context.seed}),
                               globalizations().make(parse_spec(d.globalization), NoContext{}));
                         }});
    }
    return OptimizerRegistry("optimizer", std::move(entries));
  }();
  return registry;
}

}  // namespace hesse
