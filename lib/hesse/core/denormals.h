/// \file
/// Denormal numbers taken for zero, where they carry nothing but the time that they take.
///
/// A product that meets a denormal operand or result costs some hundred cycles on current processors. Saturated units
/// of a network in single precision have adjoints of that size by the million: on a deep autoencoder that had diverged
/// into saturation a training step took three times as long as before.
#pragma once

#include <cstdint>

namespace hesse {

/// What the processor does with denormals and how it rounds, on the calling thread: the control register of its vector
/// unit (MXCSR on x86-64, FPCR on AArch64). 0 where Hesse does not know it.
std::uint64_t floating_point_mode();
/// Takes what floating_point_mode() gave, of this or another thread. Some ten cycles.
void set_floating_point_mode(std::uint64_t mode);

/// While it lives, the calling thread, and the tasks of the parallel loops that it starts, read and write denormal
/// numbers as zero. Does nothing on processors that Hesse does not know.
class DenormalsAsZero {
 public:
  DenormalsAsZero();
  ~DenormalsAsZero() { set_floating_point_mode(before_); }
  DenormalsAsZero(const DenormalsAsZero&) = delete;
  DenormalsAsZero& operator=(const DenormalsAsZero&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace hesse
