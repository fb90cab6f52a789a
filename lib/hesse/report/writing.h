/// \file
/// Whether this process writes records. Of ranks that run in step and know the same, one does.
#pragma once

namespace hesse {

/// True at first.
bool writes_records();

/// From now on nothing of this process reaches the disk or a plotter: what writes records (report/atomic_file.h, and
/// all that stands on it) returns as if it had. Not to be called while records are open.
void write_no_records();

}  // namespace hesse
