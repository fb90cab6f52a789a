/// \file
/// Which kernels OpenBLAS has chosen for this processor. It goes by the model number when it is loaded, and takes its
/// oldest kernels, those of Prescott with SSE3, for a model that is newer than itself: a third of the speed and less.
#pragma once

namespace hesse {

/// The value of OPENBLAS_CORETYPE, which OpenBLAS reads when it is loaded, that would name better kernels by what the
/// processor can do; null where it has good ones, or where the variable is set already.
const char* better_blas_kernels();

/// Starts this program again with better kernels named where there are some, and goes on as it is where there are none
/// or that cannot be done. For the first line of main, whose argv it takes.
void restart_with_better_blas_kernels(char** argv);

}  // namespace hesse
