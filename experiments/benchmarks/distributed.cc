/// \file
/// What sharing a gradient among ranks costs, held against the model in distributed/cost_model.h. Start it under
/// mpirun:
///
///     mpirun -n 2 hesse_benchmark_distributed
///
/// Measured on the ranks there are: the meeting, the long sum of vectors, the gradient of a network and its parts. The
/// model gets the machine's figures from the first two and from one rank's own chunks, and predicts the third. Then the
/// same model for more ranks, on a network with figures that are assumed.
#include "hesse/core/random.h"
#include "hesse/distributed/chunk_tree.h"
#include "hesse/distributed/cost_model.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/nn/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace hesse;

std::shared_ptr<const Dataset> drawn_data(Index features, Index classes, Index samples) {
  auto data = std::make_shared<Dataset>();
  data->name = "drawn";
  data->inputs.resize(features, samples);
  const RandomStream stream(1, Purpose::synthetic_data);
  stream.fill_normal(Eigen::Map<Vector>(data->inputs.data(), data->inputs.size()));
  data->class_count = classes;
  for (Index i = 0; i < samples; ++i) {
    data->labels.push_back(
        static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(classes), static_cast<std::uint64_t>(i))));
  }
  return data;
}

/// Seconds that the processor has spent on this thread: others' work does not count, waiting in a loop does.
double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The least time of many on rank 0: the one in which it waited least for a rank that others' work had held up.
double least_seconds(Ranks& ranks, const std::function<void()>& body) {
  body();
  double least = 1e300;
  double total = 0;
  for (int i = 0; i < 200 && (total < 0.3 || i < 5); ++i) {
    ranks.wait_for_all();
    const double begin = processor_seconds();
    body();
    const double seconds = processor_seconds() - begin;
    least = std::min(least, seconds);
    total = ranks.of_first(total + seconds);
  }
  return ranks.of_first(least);
}

double sum_seconds(Ranks& ranks, Index n) {
  TreeSum mine;
  RankSum total;
  std::vector<double> out(static_cast<std::size_t>(n));
  const Index chunks = static_cast<Index>(1) << 6U;
  const std::vector<TreeNode> nodes = subtrees(chunks_of(ranks.rank(), ranks.size(), chunks));
  mine.begin(n);
  for (const TreeNode node : nodes) {
    std::fill_n(mine.next(), n, 1.0);
    mine.add(node);
  }
  return least_seconds(ranks, [&] { total.total(ranks, chunks, mine, out.data()); });
}

int run() {
  const auto ranks = std::make_shared<Ranks>(started_by_mpi() ? join_mpi({}) : single_rank());
  set_threads(1);
  const bool prints = ranks->rank() == 0;
  const auto say = [&](const std::string& line) {
    if (prints) fmt::print("{}\n", line);
  };
  const int R = ranks->size();
  say(fmt::format("{} ranks x 1 thread", R));

  RankMachine machine;
  if (R > 1) {
    // A meeting is one collective of a few bytes; overhead and latency are not told apart on so few ranks.
    const double meeting = least_seconds(*ranks, [&] { ranks->together("meet", 0, [] {}); });
    machine.latency = meeting;
    machine.overhead = 0;
    const Index small = 100000;
    const Index large = 2000000;
    const double seconds = sum_seconds(*ranks, large) - sum_seconds(*ranks, small);
    // The slope holds the additions of the sum across ranks, whose own speed is measured below.
    std::vector<double> a(static_cast<std::size_t>(large), 1.0);
    std::vector<double> b = a;
    const double adding = least_seconds(*ranks, [&] {
      for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    });
    machine.memory_bandwidth = 24.0 * static_cast<double>(large) / adding;
    const double additions = adding * static_cast<double>(large - small) / static_cast<double>(large);
    machine.bandwidth = bytes_of_a_sum(large - small, 64, R) / std::max(seconds - additions, 1e-9);
    say(fmt::format("meeting {:.1f} us, bandwidth {:.2f} GB/s, adding {:.1f} GB/s", 1e6 * meeting,
                    machine.bandwidth * 1e-9, machine.memory_bandwidth * 1e-9));
  }
  say("");
  say("| network | precision | samples | chunks | measured ms | one process ms | model ms | measured / model |");
  say("|---|---|---|---|---|---|---|---|");
  struct Shape {
    std::vector<Index> sizes;
    Index samples;
  };
  for (const Shape& shape :
       {Shape{{784, 128, 64, 10}, 128}, Shape{{784, 128, 64, 10}, 1024}, Shape{{784, 128, 64, 10}, 8192},
        Shape{{784, 1000, 500, 10}, 128}, Shape{{784, 1000, 500, 10}, 1024}}) {
    const auto network = std::make_shared<const Network>(multilayer_perceptron(shape.sizes, Activation::tanh));
    const auto data = drawn_data(784, 10, shape.samples);
    for (const Precision precision : {Precision::float32, Precision::float64}) {
      const auto make = [&](double budget) {
        NetworkOptions options;
        options.precision = precision;
        options.memory_budget = budget;
        return make_network_objective(network, Loss::softmax_cross_entropy, data, options);
      };
      const auto f = distributed_network(make, ranks);
      const auto plain = make(2e9);
      Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
      Vector g;
      const double measured = least_seconds(*ranks, [&] {
        x[0] += 1e-9;  // another point, at which nothing is known
        f->value_and_gradient(x, g);
      });
      const double one = least_seconds(*ranks, [&] {
        x[0] += 1e-9;
        plain->value_and_gradient(x, g);
      });
      // A chunk by itself, all ranks at once as in the shared gradient.
      const SharingOptions sharing;
      const Index chunks = chunk_count(shape.samples, sharing.chunks, sharing.least_samples);
      std::vector<Index> part;
      for (Index j = 0; j < shape.samples; j += chunks) part.push_back(j);
      const auto chunk = make(2e9);
      chunk->select(part);
      const double one_chunk = least_seconds(*ranks, [&] {
        x[0] += 1e-9;
        chunk->value_and_gradient(x, g);
      });
      StepWork work;
      work.samples = shape.samples;
      work.flops_a_sample = 1;
      work.numbers = f->size() + 1;
      work.meetings = 1;
      RankMachine own = machine;
      own.flops_per_second = static_cast<double>(part.size()) / one_chunk;
      // The scaled copy of a chunk's gradient.
      work.chunk_seconds = 16.0 * static_cast<double>(f->size()) / own.memory_bandwidth;
      const double model = predict_step(work, own, R).total();
      say(fmt::format("| {} | {} | {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", fmt::join(shape.sizes, "-"),
                      to_string(precision), shape.samples, chunks, 1e3 * measured, 1e3 * one, 1e3 * model,
                      measured / model));
    }
  }

  say("");
  say("Predicted: 784-1000-500-10 (1.3 million parameters) in float, a gradient a step; 100 GFLOP/s a rank, 2 us, 0.5 "
      "us "
      "a message, 10 GB/s, adding at 10 GB/s, 1 ms of the optimizer's own.");
  say("");
  say("| ranks | 4096 samples: ms | speedup | 60000 samples: ms | speedup |");
  say("|---|---|---|---|---|");
  const double P = 784.0 * 1000 + 1000 * 500 + 500 * 10;
  StepWork work;
  work.flops_a_sample = 6 * P - 2 * 784 * 1000;
  work.numbers = static_cast<Index>(P) + 1511;
  work.replicated_seconds = 1e-3;
  work.chunk_seconds = 16 * P / 1e10;
  std::vector<double> first;
  for (const int r : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}) {
    std::string row = fmt::format("| {} |", r);
    std::size_t column = 0;
    for (const Index samples : {4096, 60000}) {
      work.samples = samples;
      SharingOptions sharing;
      sharing.chunks = std::max<Index>(64, r);
      const double total = predict_step(work, {}, r, sharing).total();
      if (r == 1) first.push_back(total);
      row += fmt::format(" {:.2f} | {:.1f} |", 1e3 * total, first[column++] / total);
    }
    say(row);
  }
  ranks->leave({0, {}});
  return 0;
}

}  // namespace

int main() { return run(); }
