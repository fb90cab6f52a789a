/// \file
/// What Hesse asks of a message-passing system: three collective operations. MPI gives them (mpi_communicator.h), and
/// so can anything else that joins processes or threads.
#pragma once

#include "hesse/core/types.h"

#include <cstddef>
#include <memory>
#include <span>

namespace hesse {

/// Ranks 0, ..., size - 1, all of which call the same operations in the same order, each from one thread. An operation
/// that fails throws RankFailure (ranks.h).
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Writes the `bytes` bytes of rank r to all + r bytes, for every r.
  virtual void all_gather(const void* mine, std::size_t bytes, void* all) = 0;

  /// The same for numbers, `counts[r]` of rank r, one after the other.
  virtual void all_gather_parts(const double* mine, std::span<const Index> counts, double* all) = 0;

  /// Rank s gets the s-th part of `send`, of send_counts[s] numbers, and finds the parts of ranks 0, 1, ... in
  /// `receive`, one after the other, receive_counts[r] from rank r.
  virtual void exchange(const double* send, std::span<const Index> send_counts, double* receive,
                        std::span<const Index> receive_counts) = 0;

  /// Ends every rank with this exit code, whatever they do, and does not return. For when the ranks can no longer
  /// agree.
  [[noreturn]] virtual void abort(int code) = 0;
};

/// One rank, alone.
std::unique_ptr<Communicator> single_rank();

}  // namespace hesse
