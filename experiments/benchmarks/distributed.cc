/// \file
/// What sharing a step among ranks costs, held against the model in distributed/cost_model.h. Start it under mpirun:
///
///     mpirun -n 2 hesse_benchmark_distributed
///
/// First the machine's figures: a meeting, long sums of vectors, additions, a decomposition; and for each network the
/// gradient of one process on as many chunks as a rank has, one after the other, of half and of twice their size: a
/// chunk's own time and its time a sample. From these the model predicts what is measured next on the ranks there are:
/// the shared gradient, and the eigenbases of Kronecker factors. Then what smaller chunks would cost, and the model for
/// more ranks, on a network with figures that are assumed.
#include "hesse/core/blas_kernels.h"
#include "hesse/core/random.h"
#include "hesse/distributed/chunk_tree.h"
#include "hesse/distributed/cost_model.h"
#include "hesse/distributed/mpi_communicator.h"
#include "hesse/distributed/work_split.h"
#include "hesse/linalg/eigen.h"
#include "hesse/nn/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
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

/// f on the samples c, c + chunks, ... from the beginning again after the last, so many of them.
std::unique_ptr<NetworkObjective> on_part(const MakeNetworkObjective& make, Index c, Index chunks, Index samples) {
  auto f = make(2e9);
  std::vector<Index> part;
  for (Index j = 0; j < samples; ++j) part.push_back((c + j * chunks) % f->sample_count());
  f->select(part);
  return f;
}

/// Of the slowest rank: the others wait for it.
double slowest(Ranks& ranks, const std::function<void()>& body) { return ranks.largest(least_seconds(ranks, body)); }

/// Seconds a gradient of the m-th part of the samples, one of `parts` in turn, by one process on every rank.
double seconds_a_chunk(Ranks& ranks, const MakeNetworkObjective& make, Index parts, Index samples) {
  std::vector<std::unique_ptr<NetworkObjective>> all;
  for (Index c = 0; c < parts; ++c) all.push_back(on_part(make, c, parts, samples));
  Vector x = all.front()->network().initial_parameters(Initialisation::glorot_uniform, 1);
  Vector g;
  Vector sum = Vector::Zero(x.size());
  return slowest(ranks,
                 [&] {
                   x[0] += 1e-9;  // another point, at which nothing is known
                   for (const auto& f : all) {
                     f->value_and_gradient(x, g);
                     sum = 0.5 * g;
                   }
                 }) /
         static_cast<double>(parts);
}

double shared_seconds(Ranks& ranks, NetworkObjective& f) {
  Vector x = f.network().initial_parameters(Initialisation::glorot_uniform, 1);
  Vector g;
  return least_seconds(ranks, [&] {
    x[0] += 1e-9;
    f.value_and_gradient(x, g);
  });
}

struct Shape {
  std::vector<Index> sizes;
  Index samples;
};

double weights_of(const std::vector<Index>& sizes) {
  double weights = 0;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) weights += static_cast<double>(sizes[l] * sizes[l + 1]);
  return weights;
}

double gradient_flops(const std::vector<Index>& sizes) {
  return 6 * weights_of(sizes) - 2 * static_cast<double>(sizes[0] * sizes[1]);
}

MakeNetworkObjective maker(const Shape& shape, Precision precision) {
  const auto network = std::make_shared<const Network>(multilayer_perceptron(shape.sizes, Activation::tanh));
  const auto data = drawn_data(shape.sizes.front(), shape.sizes.back(), shape.samples);
  return [=](double budget) {
    NetworkOptions options;
    options.precision = precision;
    options.memory_budget = budget;
    return make_network_objective(network, Loss::softmax_cross_entropy, data, options);
  };
}

/// The decompositions of the factors of a network, as shared tasks.
class Decompositions final : public SharedTasks {
 public:
  explicit Decompositions(const std::vector<Index>& sizes) {
    const RandomStream stream(2, Purpose::synthetic_data);
    for (const Index n : sizes) {
      Matrix root(n, n);
      stream.fill_normal(Eigen::Map<Vector>(root.data(), root.size()));
      factors_.push_back(root * root.transpose() / static_cast<double>(n));
      vectors_.push_back(factors_.back());
      values_.push_back(Vector::Zero(n));
    }
  }
  Index count() const override { return std::ssize(factors_); }
  double cost(Index i) const override { return cubic(factors_[static_cast<std::size_t>(i)].rows(), 10); }
  void run(Index i) override {
    const auto t = static_cast<std::size_t>(i);
    vectors_[t] = factors_[t];
    symmetric_eigen_in_place(vectors_[t], values_[t], workspace_);
  }
  void show_results(Index i, Results& results) override {
    results.add(vectors_[static_cast<std::size_t>(i)]);
    results.add(values_[static_cast<std::size_t>(i)]);
  }

 private:
  std::vector<Matrix> factors_;
  std::vector<Matrix> vectors_;
  std::vector<Vector> values_;
  SymmetricEigenWorkspace workspace_;
};

/// Sides of the factors: inputs with the bias, and outputs.
std::vector<Index> factor_sizes(const std::vector<Index>& sizes) {
  std::vector<Index> all;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    all.push_back(sizes[l] + 1);
    all.push_back(sizes[l + 1]);
  }
  return all;
}

std::vector<TaskWork> factor_tasks(const std::vector<Index>& sizes, double each) {
  std::vector<TaskWork> tasks;
  for (const Index n : factor_sizes(sizes)) tasks.push_back({cubic(n, each), n * (n + 1)});
  return tasks;
}

/// A meeting, a sum and additions on these ranks.
RankMachine measured_machine(Ranks& ranks) {
  RankMachine machine;
  const Index small = 100000;
  const Index large = 2000000;
  std::vector<double> a(static_cast<std::size_t>(large), 1.0);
  std::vector<double> b = a;
  const double adding = slowest(ranks, [&] {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  });
  machine.memory_bandwidth = 24.0 * static_cast<double>(large) / adding;
  if (ranks.size() > 1) {
    // A meeting is one collective of a few bytes; overhead and latency are not told apart on so few ranks.
    machine.latency = least_seconds(ranks, [&] { ranks.together("meet", 0, [] {}); });
    machine.overhead = 0;
    const double seconds = sum_seconds(ranks, large) - sum_seconds(ranks, small);
    // The slope holds the additions of the sum across ranks.
    const double additions = adding * static_cast<double>(large - small) / static_cast<double>(large);
    machine.bandwidth = bytes_of_a_sum(large - small, 64, ranks.size()) / std::max(seconds - additions, 1e-9);
  }
  // The size of none of the factors below.
  Decompositions one({640});
  machine.task_flops_per_second = one.cost(0) / slowest(ranks, [&] { one.run(0); });
  return machine;
}

/// More ranks than there are: a network with figures that are assumed.
void predict(const std::function<void(const std::string&)>& say) {
  const std::vector<Index> sizes = {784, 1000, 500, 10};
  const double P = weights_of(sizes);
  const auto numbers = static_cast<Index>(P) + 1511;
  const RankMachine assumed;
  StepWork gradient;
  gradient.flops_a_sample = gradient_flops(sizes);
  gradient.numbers = numbers;
  gradient.replicated_seconds = 1e-3;
  gradient.chunk_seconds = 40 * P / assumed.memory_bandwidth;
  // Factors of an eighth of the batch, their targets drawn: a sweep back, and n^2 flops for each; upper triangles are
  // summed. The gradient is multiplied by both inverses of each layer.
  StepWork kfac = gradient;
  double squares = 0;
  double products = 0;
  for (const Index n : factor_sizes(sizes)) squares += static_cast<double>(n * n);
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    products += 2 * static_cast<double>((sizes[l] + sizes[l + 1]) * sizes[l] * sizes[l + 1]);
  }
  kfac.flops_a_sample += (squares + 2 * (P - static_cast<double>(sizes[0] * sizes[1]))) / 8;
  kfac.numbers += static_cast<Index>(squares / 2);
  kfac.sums = 2;
  kfac.meetings = 3;
  kfac.refreshes = 1.0 / 20;
  say("Predicted: 784-1000-500-10 (1.3 million parameters) in float; a rank has 100 GFLOP/s, 20 GFLOP/s in "
      "decompositions; 2 us, 0.5 us a message, 10 GB/s, adding at 10 GB/s, 1 ms of the optimizer's own.");
  say("");
  say("| ranks | gradient of 4096: ms | speedup | gradient of 60000: ms | speedup | K-FAC, eigenvalues, 4096, by every "
      "rank: ms | speedup | split: ms | speedup |");
  say("|---|---|---|---|---|---|---|---|---|");
  std::vector<double> first;
  for (const int r : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}) {
    SharingOptions sharing;
    sharing.chunks = std::max<Index>(64, r);
    SharingOptions by_all = sharing;
    by_all.split_above = std::numeric_limits<double>::infinity();
    std::vector<double> totals;
    for (const Index samples : {4096, 60000}) {
      gradient.samples = samples;
      totals.push_back(predict_step(gradient, assumed, r, sharing).total());
    }
    kfac.samples = 4096;
    kfac.tasks = factor_tasks(sizes, 10);
    kfac.replicated_seconds = 1e-3 + 2 * products / assumed.flops_per_second;
    for (const SharingOptions& options : {by_all, sharing}) {
      totals.push_back(predict_step(kfac, assumed, r, options).total());
    }
    if (r == 1) first = totals;
    std::string row = fmt::format("| {} |", r);
    for (std::size_t i = 0; i < totals.size(); ++i)
      row += fmt::format(" {:.1f} | {:.1f} |", 1e3 * totals[i], first[i] / totals[i]);
    say(row);
  }
}

int run() {
  const auto ranks = std::make_shared<Ranks>(started_by_mpi() ? join_mpi({}) : single_rank());
  set_threads(1);
  const bool prints = ranks->rank() == 0;
  const auto say = [&](const std::string& line) {
    if (!prints) return;
    fmt::print("{}\n", line);
    std::fflush(stdout);
  };
  const int R = ranks->size();
  const RankMachine machine = measured_machine(*ranks);
  say(fmt::format(
      "{} ranks x 1 thread: meeting {:.1f} us, bandwidth {:.2f} GB/s, adding {:.1f} GB/s, decomposing {:.1f} "
      "GFLOP/s",
      R, R > 1 ? 1e6 * machine.latency : 0.0, R > 1 ? machine.bandwidth * 1e-9 : 0.0, machine.memory_bandwidth * 1e-9,
      machine.task_flops_per_second * 1e-9));
  say("");
  say("| ranks | network | precision | samples | chunks | one pass, ms | measured, ms | model, ms | measured / model "
      "|");
  say("|---|---|---|---|---|---|---|---|---|");
  const SharingOptions sharing;
  for (const Shape& shape : {Shape{{784, 128, 64, 10}, 256}, Shape{{784, 128, 64, 10}, 1024},
                             Shape{{784, 128, 64, 10}, 8192}, Shape{{784, 1000, 500, 10}, 1024}}) {
    for (const Precision precision : {Precision::float32, Precision::float64}) {
      const MakeNetworkObjective make = maker(shape, precision);
      const Index chunks = chunk_count(shape.samples, sharing.chunks, sharing.least_samples);
      const Index mine = ranks->size() == 1 ? chunks : chunks_of(0, R, chunks).size();
      const Index size = shape.samples / chunks;
      const double half = seconds_a_chunk(*ranks, make, mine, size / 2);
      const double twice = seconds_a_chunk(*ranks, make, mine, 2 * size);
      const double a_sample = (twice - half) / (1.5 * static_cast<double>(size));
      StepWork work;
      work.samples = shape.samples;
      work.flops_a_sample = gradient_flops(shape.sizes);
      work.chunk_seconds = half - a_sample * static_cast<double>(size) / 2;
      work.meetings = 1;
      RankMachine own = machine;
      own.flops_per_second = work.flops_a_sample / a_sample;
      const auto f = distributed_network(make, ranks);
      work.numbers = f->size() + 1;
      const double model = predict_step(work, own, R).total();
      const double one = shared_seconds(*ranks, *make(2e9));
      const double measured = shared_seconds(*ranks, *f);
      say(fmt::format("| {} | {} | {} | {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", R, fmt::join(shape.sizes, "-"),
                      to_string(precision), shape.samples, chunks, 1e3 * one, 1e3 * measured, 1e3 * model,
                      measured / model));
    }
  }
  say("");
  say("| ranks | factors of | measured, ms | model, ms | measured / model |");
  say("|---|---|---|---|---|");
  for (const std::vector<Index>& sizes : {std::vector<Index>{784, 400, 200, 10}, {300, 300, 300, 300}}) {
    Decompositions factors(factor_sizes(sizes));
    WorkSplit split(0);
    const double measured = least_seconds(*ranks, [&] { split.share(*ranks, factors); });
    StepWork work;
    work.samples = 1;
    work.numbers = 0;
    work.sums = 0;
    work.meetings = 0;
    work.tasks = factor_tasks(sizes, 10);
    work.refreshes = 1;
    const double model = predict_step(work, machine, R).tasks + predict_step(work, machine, R).volume +
                         predict_step(work, machine, R).messages;
    say(fmt::format("| {} | {} | {:.1f} | {:.1f} | {:.2f} |", R, fmt::join(sizes, "-"), 1e3 * measured, 1e3 * model,
                    measured / model));
  }
  say("");
  say("| ranks | network | precision | samples | one pass, ms | chunks of 64 | of 128 | of 256 |");
  say("|---|---|---|---|---|---|---|---|");
  for (const std::vector<Index>& sizes : {std::vector<Index>{784, 128, 64, 10}, {784, 1000, 500, 10}}) {
    for (const Precision precision : {Precision::float32, Precision::float64}) {
      const MakeNetworkObjective make = maker({sizes, 1024}, precision);
      std::string row = fmt::format("| {} | {} | {} | 1024 | {:.2f} |", R, fmt::join(sizes, "-"), to_string(precision),
                                    1e3 * shared_seconds(*ranks, *make(2e9)));
      for (const Index least : {64, 128, 256}) {
        SharingOptions options;
        options.least_samples = least;
        row += fmt::format(" {:.2f} |", 1e3 * shared_seconds(*ranks, *distributed_network(make, ranks, options)));
      }
      say(row);
    }
  }
  say("");
  predict(say);
  ranks->leave({0, {}});
  return 0;
}

}  // namespace

int main(int /*argc*/, char** argv) {
  restart_with_better_blas_kernels(argv);
  return run();
}
