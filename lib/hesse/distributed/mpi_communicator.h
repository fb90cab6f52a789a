/// \file
/// The ranks of an MPI program.
#pragma once

#include "hesse/distributed/communicator.h"

#include <functional>
#include <memory>

namespace hesse {

/// True when an MPI launcher (mpirun, mpiexec, srun) has started this process, told by what Open MPI, MPICH and PMIx
/// put into the environment. MPI itself is not touched.
bool started_by_mpi();

/// True when this Hesse was built with MPI.
bool has_mpi();

/// Joins MPI_COMM_WORLD; MPI is left when the communicator is destroyed. Once in a process, from the thread that will
/// call it. `told_to_end` is asked while a message is waited for: a launcher that has lost a rank tells the others to
/// end and ends them a second later, so that one who has been told and goes on waiting for 0.5 s gives up, and throws
/// RankFailure. Throws Error where Hesse was built without MPI, or where MPI cannot begin.
std::unique_ptr<Communicator> join_mpi(std::function<bool()> told_to_end);

/// Ranks on this rank's machine, itself included. After join_mpi().
int ranks_on_this_machine();

}  // namespace hesse
