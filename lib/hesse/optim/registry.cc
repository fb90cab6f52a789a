#include "hesse/optim/registry.h"

namespace hesse {

// Each is defined beside its method.
OptimizerEntry gd_entry();
OptimizerEntry sgd_entry();
OptimizerEntry momentum_entry();
OptimizerEntry nesterov_entry();
OptimizerEntry adam_entry();
OptimizerEntry adamw_entry();
OptimizerEntry lbfgs_entry();
OptimizerEntry newton_cg_entry();

const OptimizerRegistry& optimizers() {
  static const OptimizerRegistry registry("optimizer", {
                                                           gd_entry(),
                                                           sgd_entry(),
                                                           momentum_entry(),
                                                           nesterov_entry(),
                                                           adam_entry(),
                                                           adamw_entry(),
                                                           lbfgs_entry(),
                                                           newton_cg_entry(),
                                                       });
  return registry;
}

}  // namespace hesse
