/// \file
/// The processes that mpirun has started as one program. Every rank runs the same command on the same numbers; rank 0
/// alone prints and writes.
#pragma once

#include "hesse/distributed/ranks.h"
#include "hesse/problems/problem.h"

namespace hesse::app {

/// Joins the ranks where an MPI launcher has started this process; else it is alone. The others fall silent here, and
/// all go by rank 0's clock. First of all that the program does.
void join_ranks();

/// The ranks; one, where nobody has been joined.
Ranks& ranks();

/// True under an MPI launcher, of one rank also: sums over samples then run over chunks.
bool under_mpi();

/// Most chunks for as many ranks as there are, 0 when not under MPI. Up to 64 ranks their number does not depend on
/// that of the ranks, nor do the bits.
Index chunks_for_ranks();

/// How problems share samples in so many chunks; empty for 0.
ShareNetwork sharing(Index chunks);

/// How the program ends: all ranks alike, with one line where something went wrong, printed by rank 0. Returns the exit
/// code. `lost`: the other ranks cannot be asked; says so and ends all.
int leave_ranks(int code, const std::string& text, bool lost);

}  // namespace hesse::app
