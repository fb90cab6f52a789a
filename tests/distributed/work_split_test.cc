#include "hesse/distributed/work_split.h"

#include "distributed/thread_ranks.h"
#include "nn/network_cases.h"

#include "hesse/distributed/distributed_objective.h"
#include "hesse/optim/registry.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

using namespace hesse;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The longest share of the best of all assignments, by trying all.
double best_longest_share(const std::vector<double>& costs, int ranks) {
  double best = kInfinity;
  std::vector<int> owner(costs.size(), 0);
  for (;;) {
    std::vector<double> loads(static_cast<std::size_t>(ranks), 0.0);
    for (std::size_t i = 0; i < costs.size(); ++i) loads[static_cast<std::size_t>(owner[i])] += costs[i];
    best = std::min(best, *std::max_element(loads.begin(), loads.end()));
    std::size_t digit = 0;
    while (digit < owner.size() && ++owner[digit] == ranks) owner[digit++] = 0;
    if (digit == owner.size()) return best;
  }
}

/// How often each task of each list has been run, over all ranks.
class Tally {
 public:
  void count(Index list, Index task) {
    const std::lock_guard lock(mutex_);
    ++times_[{list, task}];
  }
  std::size_t tasks() const { return times_.size(); }
  bool all_are(int times) const {
    return std::all_of(times_.begin(), times_.end(), [&](const auto& entry) { return entry.second == times; });
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<Index, Index>, int> times_;
};

/// An objective whose shared tasks are counted, and of which one may break.
class Watched final : public Objective, public WorkSharing {
 public:
  Watched(Objective& inner, Tally& tally, int breaks_at = -1) : inner_(inner), tally_(tally), breaks_at_(breaks_at) {}
  const ParameterLayout& layout() const override { return inner_.layout(); }
  double value(const Vector& x) override { return inner_.value(x); }
  double value_and_gradient(const Vector& x, Vector& g) override { return inner_.value_and_gradient(x, g); }
  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    return inner_.curvature(x, kind);
  }
  Index samples() const override { return inner_.samples(); }
  Precision precision() const override { return inner_.precision(); }
  Objective* decorated() override { return &inner_; }

  void share(SharedTasks& tasks) override {
    class Counted final : public SharedTasks {
     public:
      Counted(SharedTasks& inner, Watched& watched) : inner_(inner), watched_(watched) {}
      Index count() const override { return inner_.count(); }
      double cost(Index task) const override { return inner_.cost(task); }
      void run(Index task) override {
        watched_.tally_.count(watched_.list_, task);
        if (watched_.list_ == watched_.breaks_at_ && task == 1) throw std::runtime_error("the factor is broken");
        inner_.run(task);
      }
      void show_results(Index task, Results& results) override { inner_.show_results(task, results); }

     private:
      SharedTasks& inner_;
      Watched& watched_;
    };
    Counted counted(tasks, *this);
    find<WorkSharing>(inner_)->share(counted);
    ++list_;
  }

 private:
  Objective& inner_;
  Tally& tally_;
  int breaks_at_;
  Index list_ = 0;
};

using Bits = std::vector<std::uint64_t>;

void append(Bits& to, const double* numbers, Index n) {
  for (Index i = 0; i < n; ++i) to.push_back(std::bit_cast<std::uint64_t>(numbers[i]));
}

/// All that a method is and has said after some steps.
Bits path(Objective& f, const std::string& method, int steps) {
  const auto optimizer = make_optimizer(parse_optimizer(method), {f, 1});
  Vector x = test_point(f.size());
  Bits all;
  for (int i = 0; i < steps; ++i) {
    const StepReport report = optimizer->step(f, x);
    for (std::size_t k = 0; k < report.telemetry_count; ++k) append(all, &report.telemetry[k].value, 1);
  }
  append(all, x.data(), x.size());
  for (const StateEntry& entry : optimizer->state()) {
    if (const auto* const* v = std::get_if<Vector*>(&entry.data)) append(all, (*v)->data(), (*v)->size());
    if (const auto* const* m = std::get_if<Matrix*>(&entry.data)) append(all, (*m)->data(), (*m)->size());
    if (const auto* const* number = std::get_if<double*>(&entry.data)) append(all, *number, 1);
  }
  return all;
}

MakeNetworkObjective maker(Precision precision = Precision::float64) {
  const Case c{{8, 14, 6}, Activation::tanh, Loss::softmax_cross_entropy};
  // Fewer samples than weights, and inputs of which two are the same: factors without full rank.
  const auto data = std::const_pointer_cast<Dataset>(make_data(8, 6, 90, c.loss));
  data->inputs.row(3) = data->inputs.row(5);
  return [=](double budget) {
    NetworkOptions options;
    options.precision = precision;
    options.memory_budget = budget;
    return make_objective(c, data, options);
  };
}

SharingOptions splitting_above(double flops) {
  return {.chunks = 16, .least_samples = 4, .memory_budget = 1e9, .split_above = flops};
}

Bits path_on_one_rank(const std::string& method, Precision precision, int steps) {
  Bits all;
  test::on_ranks(1, [&](const std::shared_ptr<Ranks>& ranks) {
    all = path(*distributed_network(maker(precision), ranks, splitting_above(kInfinity)), method, steps);
  });
  return all;
}

}  // namespace

TEST_CASE("the longest task goes first to the rank with least to do") {
  CHECK(owners_of(std::vector<double>{1, 5, 3, 3, 2}, 2) == std::vector<int>{1, 0, 1, 1, 0});
  CHECK(owners_of(std::vector<double>{7, 7, 7}, 5) == std::vector<int>{0, 1, 2});
  CHECK(owners_of(std::vector<double>{0, 0}, 1) == std::vector<int>{0, 0});
  CHECK(owners_of(std::vector<double>{}, 3).empty());
  CHECK(longest_share(std::vector<double>{1, 5, 3, 3, 2}, 2) == 7);
}

TEST_CASE("the rank with most has at most four thirds of what the best assignment leaves it") {
  const RandomStream stream(2, Purpose::test);
  std::uint64_t draw = 0;
  for (int list = 0; list < 40; ++list) {
    std::vector<double> costs(7);
    for (double& cost : costs) cost = 1 + static_cast<double>(stream.below(20, draw++));
    for (const int ranks : {2, 3}) {
      const double best = best_longest_share(costs, ranks);
      // Sums of small whole numbers are exact.
      CHECK(longest_share(costs, ranks) <= (4.0 / 3 - 1.0 / (3 * ranks)) * best + 1e-12);
      CHECK(longest_share(costs, ranks) >= best);
    }
  }
}

TEST_CASE("every task is run by one rank and its results have the bits of that rank on all") {
  for (const int size : {2, 3, 5}) {
    Tally tally;
    std::vector<std::vector<double>> results(static_cast<std::size_t>(size));
    test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
      WorkSplit split(0);
      std::vector<Vector> numbers;
      for (Index i = 0; i < 4; ++i) numbers.push_back(Vector::Constant(i, -1));
      std::vector<int> who(4, -1);
      bool odd[4] = {};
      struct Here final : WorkSharing {
        Here(WorkSplit& s, Ranks& r) : split(s), ranks(r) {}
        void share(SharedTasks& tasks) override { split.share(ranks, tasks); }
        WorkSplit& split;
        Ranks& ranks;
      } here(split, *ranks);
      for (int list = 0; list < 3; ++list) {
        share_work(
            &here, 4, [](Index i) { return static_cast<double>(i); },
            [&](Index i) {
              const auto t = static_cast<std::size_t>(i);
              tally.count(list, i);
              who[t] = ranks->rank();
              odd[t] = i % 2 == 1;
              // A task may leave its results as they are.
              if (list != 1) numbers[t].setConstant(100.0 * list + ranks->rank());
            },
            [&](Index i, Results& r) {
              const auto t = static_cast<std::size_t>(i);
              r.add(odd[t]);
              r.add(numbers[t]);
              r.add(who.data() + i, 1);
            });
      }
      const std::vector<int> owners = owners_of(std::vector<double>{0, 1, 2, 3}, size);
      if (who != owners) std::terminate();
      for (Index i = 0; i < 4; ++i) {
        const auto t = static_cast<std::size_t>(i);
        if (odd[t] != (i % 2 == 1)) std::terminate();
        if (!(numbers[t].array() == 200.0 + owners[t]).all()) std::terminate();
        auto& mine = results[static_cast<std::size_t>(ranks->rank())];
        mine.insert(mine.end(), numbers[t].data(), numbers[t].data() + i);
      }
    });
    CHECK(tally.tasks() == 12);
    CHECK(tally.all_are(1));
    for (const auto& each : results) CHECK(each == results.front());
  }
}

TEST_CASE("K-FAC's inverses and Shampoo's roots and SOAP's bases have the bits of one rank however many share them") {
  const std::string method =
      GENERATE("kfac:gamma_period=4,inverse_period=3", "kfac:form=tridiagonal", "kfac-fixed:damping=1e-40",
               "kfac-fixed:form=eigenvalues", "ekfac:inverse_period=2", "shampoo:period=2,block=8",
               "shampoo:period=1,staleness=0.2", "shampoo:period=3,root=newton,tolerance=1e-14", "soap:period=2",
               "soap:period=1,staleness=0.1");
  const Precision precision = GENERATE(Precision::float64, Precision::float32);
  CAPTURE(method, to_string(precision));
  constexpr int kSteps = 6;
  const Bits alone = path_on_one_rank(method, precision, kSteps);
  for (const int size : {1, 2, 3, 5}) {
    Tally tally;
    std::vector<Bits> paths(static_cast<std::size_t>(size));
    test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
      const auto f = distributed_network(maker(precision), ranks, splitting_above(0));
      Watched watched(*f, tally);
      paths[static_cast<std::size_t>(ranks->rank())] = path(watched, method, kSteps);
    });
    INFO(size << " ranks");
    // Two layers have four factors, and no method here renews them less than twice in six steps.
    CHECK(tally.tasks() >= 8);
    CHECK(tally.all_are(1));
    for (const Bits& each : paths) CHECK(each == alone);
  }
}

TEST_CASE("a factor that one rank inverts by its eigenvalues is reported by all") {
  std::vector<double> told(3, -1);
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_network(maker(), ranks, splitting_above(0));
    const auto optimizer = make_optimizer(parse_optimizer("kfac-fixed:damping=1e-40"), {*f, 1});
    Vector x = test_point(f->size());
    const StepReport report = optimizer->step(*f, x);
    for (std::size_t k = 0; k < report.telemetry_count; ++k) {
      if (std::string(report.telemetry[k].name) == "by_eigenvalues") {
        told[static_cast<std::size_t>(ranks->rank())] = report.telemetry[k].value;
      }
    }
  });
  CHECK(told[0] > 0);
  CHECK(told[1] == told[0]);
  CHECK(told[2] == told[0]);
}

TEST_CASE("an error in the task of one rank is thrown on all with the rank named") {
  for (const char* method : {"kfac-fixed", "ekfac", "shampoo:period=1", "soap:period=1"}) {
    for (const int size : {1, 3}) {
      Tally tally;
      std::vector<std::string> words(static_cast<std::size_t>(size));
      test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
        const auto f = distributed_network(maker(), ranks, splitting_above(0));
        Watched watched(*f, tally, 1);
        std::string& mine = words[static_cast<std::size_t>(ranks->rank())];
        try {
          path(watched, method, 6);
        } catch (const std::exception& e) {
          mine = e.what();
        }
        // All are at the same place still.
        if (f->value(test_point(f->size())) <= 0) std::terminate();
      });
      INFO(method);
      for (const std::string& each : words) {
        CHECK(each.substr(each.size() - std::min<std::size_t>(each.size(), 20)) == "the factor is broken");
        CHECK(each == words.front());
        CHECK((each.substr(0, 5) == "rank ") == (size > 1));
      }
    }
  }
}

TEST_CASE("work of fewer flops than the bound is done by every rank") {
  Tally tally;
  std::vector<Bits> paths(3);
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_network(maker(), ranks, splitting_above(1e9));
    Watched watched(*f, tally);
    paths[static_cast<std::size_t>(ranks->rank())] = path(watched, "kfac-fixed", 4);
  });
  CHECK(tally.tasks() > 0);
  CHECK(tally.all_are(3));
  CHECK(paths[1] == paths[0]);
  CHECK(paths[2] == paths[0]);
}
