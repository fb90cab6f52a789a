#include "hesse/distributed/distributed_objective.h"

#include "distributed/thread_ranks.h"
#include "nn/network_cases.h"

#include "hesse/core/error.h"
#include "hesse/nn/image_layers.h"
#include "hesse/nn/models.h"
#include "hesse/objective/functor_sum.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <mutex>

using namespace hesse;
using Catch::Matchers::Contains;

namespace {

constexpr Curvature kKinds[] = {Curvature::hessian, Curvature::gauss_newton, Curvature::fisher,
                                Curvature::fisher_sampled, Curvature::fisher_empirical};

struct Setting {
  Case network{{5, 7, 3}, Activation::tanh, Loss::softmax_cross_entropy};
  Index samples = 150;
  Precision precision = Precision::float64;
  Index pass_size = 2048;
  SharingOptions sharing{16, 4, 1e9};
};

MakeNetworkObjective maker(const Setting& s) {
  const auto data = make_data(s.network.sizes.front(), s.network.sizes.back(), s.samples, s.network.loss);
  return [=](double budget) {
    NetworkOptions options;
    options.precision = s.precision;
    options.pass_size = s.pass_size;
    options.memory_budget = budget;
    return make_objective(s.network, data, options);
  };
}

using Numbers = std::vector<double>;

void append(Numbers& to, const Matrix& m) { to.insert(to.end(), m.data(), m.data() + m.size()); }

void append_upper(Numbers& to, const Matrix& m) {
  for (Index j = 0; j < m.cols(); ++j) to.insert(to.end(), m.col(j).data(), m.col(j).data() + j + 1);
}

/// Everything that the objective gives, one list a kind of figure: on a part of the samples and on all of them.
std::vector<Numbers> everything(NetworkObjective& f, const std::vector<double>& shares = {1.0, 0.3}) {
  std::vector<Numbers> all;
  const Vector x = test_point(f.size());
  const Vector y = test_point(f.size(), 1);
  std::vector<Index> part;
  for (Index i = 0; i < f.sample_count(); i += 2) part.push_back((i * 7) % f.sample_count());
  for (const bool whole : {true, false}) {
    if (whole) {
      f.select_all();
    } else {
      f.select(part);
    }
    all.push_back({f.value(x), f.value(y)});
    Vector g;
    Numbers gradient = {f.value_and_gradient(x, g)};
    append(gradient, g);
    all.push_back(gradient);
    Matrix V(f.size(), 3);
    RandomStream(5, Purpose::test).fill_normal(Eigen::Map<Vector>(V.data(), V.size()));
    f.set_label_draw(4);
    for (const Curvature kind : kKinds) {
      const auto A = f.curvature(y, kind);
      // The operator stands for its point whatever is asked meanwhile.
      f.value(x);
      f.set_label_draw(9);
      Matrix wide = Matrix::Zero(f.size() + 2, 3);
      A->apply(V, wide.topRows(f.size()));
      f.set_label_draw(4);
      Matrix Y(f.size(), 1);
      A->apply(V.col(1), Y);
      Numbers products;
      append(products, Matrix(wide.topRows(f.size())));
      append(products, Y);
      all.push_back(products);
    }
    const Evaluation e = f.evaluate(y);
    all.push_back({e.value, std::isnan(e.accuracy) ? -1 : e.accuracy});
    Numbers outputs;
    append(outputs, f.outputs(x, 1));
    append(outputs, static_cast<NetworkObjective&>(f).outputs(x, f.network().layers().size()));
    all.push_back(outputs);

    f.value_and_gradient(x, g);
    for (const Curvature kind : {Curvature::fisher_sampled, Curvature::fisher_empirical}) {
      for (const double share : shares) {
        std::vector<KroneckerFactors> factors;
        FactorRequest request{.kind = kind, .seed = 2, .draw = 3, .share = share, .neighbours = share == 1};
        f.kronecker_factors(x, request, factors);
        request.decay = 0.9;
        request.draw = 4;
        f.kronecker_factors(y, request, factors);
        Numbers numbers;
        for (const KroneckerFactors& k : factors) {
          append_upper(numbers, k.A);
          append_upper(numbers, k.G);
          append(numbers, k.A_next);
          append(numbers, k.G_next);
        }
        all.push_back(numbers);
        std::vector<KroneckerBasis> bases(factors.size());
        std::vector<Matrix> moments;
        request.decay = 0;
        f.kronecker_moments(x, request, bases, moments);
        numbers.clear();
        for (const Matrix& m : moments) append(numbers, m);
        all.push_back(numbers);
      }
    }
    for (const double share : shares) {
      Matrix forms;
      f.curvature_forms(x, Curvature::gauss_newton, 1, 2, share, V, forms);
      Numbers numbers;
      append(numbers, forms);
      f.sampled_gradient(y, 1, 2, share, g);
      append(numbers, g);
      all.push_back(numbers);
    }
  }
  return all;
}

/// The same on so many ranks, of which every one must have the same bits.
std::vector<Numbers> everything_on(int size, const Setting& s, const std::vector<double>& shares = {1.0, 0.3}) {
  const MakeNetworkObjective make = maker(s);
  std::vector<std::vector<Numbers>> results(static_cast<std::size_t>(size));
  test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_network(make, ranks, s.sharing);
    results[static_cast<std::size_t>(ranks->rank())] = everything(*f, shares);
  });
  for (const auto& result : results) CHECK(result == results.front());
  return results.front();
}

/// The largest difference of two lists relative to the largest entry.
double difference(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
    size = std::max(size, std::abs(b[i]));
  }
  return size > 0 ? most / size : most;
}

struct Residual {
  template <class T>
  T operator()(const T* x, Index i) const {
    const T r = x[0] * static_cast<double>(i) - x[1] * x[1] + 0.1 * static_cast<double>(i % 5);
    return r * r;
  }
};

}  // namespace

TEST_CASE("values and gradients and products and factors over ranks are those of one pass up to rounding") {
  Setting s;
  SECTION("classes") {}
  SECTION("real targets through two hidden layers") {
    s.network = {{4, 6, 5, 2}, Activation::softplus, Loss::squared_error};
  }
  SECTION("samples that no number of chunks divides") { s.samples = 149; }
  SECTION("chunks of several passes") {
    s.pass_size = 3;
    s.sharing = {2, 1, 1e9};
  }
  // Of shares every chunk draws its own samples.
  const auto one_pass = everything(*maker(s)(1e9), {1.0});
  const auto shared = everything_on(3, s, {1.0});
  REQUIRE(shared.size() == one_pass.size());
  for (std::size_t i = 0; i < shared.size(); ++i) {
    INFO("figure " << i);
    // Both sums of 150 terms carry at most about 150 eps of their largest terms, which exceed the sums by less than a
    // hundred here.
    CHECK(difference(shared[i], one_pass[i]) <= 1e-12);
  }
}

TEST_CASE("the bits are the same on one rank and on any other number of ranks") {
  Setting s;
  SECTION("in double") {}
  SECTION("in float") { s.precision = Precision::float32; }
  SECTION("more ranks than chunks") { s.sharing.chunks = 2; }
  SECTION("uneven chunks") { s.samples = 83; }
  SECTION("a single chunk") { s.sharing.least_samples = 1000; }
  const auto one = everything_on(1, s);
  for (const int size : {2, 3, 5, 16}) {
    INFO(size << " ranks");
    CHECK(everything_on(size, s) == one);
  }
}

TEST_CASE("chunks that share one workspace for want of memory give the same bits") {
  for (const Precision precision : {Precision::float64, Precision::float32}) {
    Setting s;
    s.precision = precision;
    const auto kept = everything_on(2, s);
    s.sharing.memory_budget = 1;
    for (const int size : {1, 2, 3}) CHECK(everything_on(size, s) == kept);
  }
}

TEST_CASE("in float the sums over ranks are those of one pass to the rounding of float") {
  Setting s;
  s.precision = Precision::float32;
  const auto one_pass = everything(*maker(s)(1e9), {1.0});
  const auto shared = everything_on(2, s, {1.0});
  for (std::size_t i = 0; i < shared.size(); ++i) {
    INFO("figure " << i);
    // 2^-24 times the square root of 150 terms, and the hundred of cancellation above.
    CHECK(difference(shared[i], one_pass[i]) <= 1e-4);
  }
}

TEST_CASE("convolutions with many places have the same factors over ranks") {
  const auto network = std::make_shared<const Network>(
      convolutional_network({1, 8, 8}, std::vector<Index>{3}, 3, std::vector<Index>{5}, 3, Activation::tanh));
  const auto data = make_data(64, 3, 40, Loss::softmax_cross_entropy);
  const MakeNetworkObjective make = [&](double) {
    return make_network_objective(network, Loss::softmax_cross_entropy, data);
  };
  const auto plain = make(1e9);
  const auto one_pass = everything(*plain, {1.0});
  std::vector<Numbers> shared;
  std::mutex mutex;
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto result = everything(*distributed_network(make, ranks, {8, 4, 1e9}), {1.0});
    const std::lock_guard lock(mutex);
    shared = result;
  });
  for (std::size_t i = 0; i < shared.size(); ++i) {
    INFO("figure " << i);
    CHECK(difference(shared[i], one_pass[i]) <= 1e-12);
  }
}

TEST_CASE("costs are counted as on one rank") {
  const Setting s;
  const auto plain = maker(s)(1e9);
  const Vector x = test_point(plain->size());
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_network(maker(s), ranks, s.sharing);
    const auto same = [&] {
      return f->samples() == plain->samples() && f->total_samples() == plain->total_samples() &&
             f->cost_weights().hessian_product == plain->cost_weights().hessian_product &&
             f->linearisation_cost(x, Curvature::hessian) == 1.0;
    };
    if (!same()) std::terminate();
    Vector g;
    f->value_and_gradient(x, g);
    if (f->linearisation_cost(x, Curvature::hessian) != 0) std::terminate();
  });
  // Prices of structure, which only the chunks know: a share of the samples in each.
  std::vector<KroneckerFactors> factors;
  const double price = plain->kronecker_factors(x, {.share = 0.5}, factors);
  std::vector<double> prices(3);
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    std::vector<KroneckerFactors> mine;
    const auto f = distributed_network(maker(s), ranks, s.sharing);
    prices[static_cast<std::size_t>(ranks->rank())] = f->kronecker_factors(x, {.share = 0.5}, mine);
  });
  // A chunk's share of whole samples differs from a half by less than one in its nine.
  for (const double each : prices) CHECK(each == Approx(price).epsilon(0.12));
  CHECK(prices[1] == prices[0]);
  CHECK(prices[2] == prices[0]);
}

TEST_CASE("bad calls are refused on all ranks with the words of one process") {
  const Setting s;
  const auto plain = maker(s)(1e9);
  const auto said = [](NetworkObjective& f, int call) -> std::string {
    const Vector x = test_point(f.size());
    std::vector<KroneckerFactors> factors;
    Matrix forms;
    try {
      if (call == 0) f.select(std::vector<Index>{});
      if (call == 1) f.select(std::vector<Index>{0, 5000});
      if (call == 2) f.kronecker_factors(x, {.kind = Curvature::hessian}, factors);
      if (call == 3) f.kronecker_factors(x, {.share = 0}, factors);
      if (call == 4) f.curvature_forms(x, Curvature::hessian, 1, 2, 1, x, forms);
      if (call == 5) f.outputs(x, 40);
      if (call == 6) f.curvature_forms(x, Curvature::fisher, 1, 2, 1, Matrix::Zero(f.size(), 9), forms);
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing";
  };
  for (int call = 0; call <= 6; ++call) {
    const std::string expected = said(*plain, call);
    CHECK(expected != "nothing");
    std::vector<std::string> words(3);
    test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
      words[static_cast<std::size_t>(ranks->rank())] = said(*distributed_network(maker(s), ranks, s.sharing), call);
    });
    for (const std::string& each : words) CHECK(each == expected);
  }
}

TEST_CASE("what is not finite is named as by one process") {
  Setting s;
  const auto data = std::const_pointer_cast<Dataset>(make_data(5, 3, 60, Loss::softmax_cross_entropy));
  data->inputs(2, 41) = std::numeric_limits<double>::quiet_NaN();
  const MakeNetworkObjective make = [&](double) { return make_objective(s.network, data); };
  std::vector<std::string> words(4);
  test::on_ranks(4, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_network(make, ranks, s.sharing);
    const Vector x = test_point(f->size());
    if (std::isfinite(f->value(x))) std::terminate();
    words[static_cast<std::size_t>(ranks->rank())] = f->explain_non_finite(x);
  });
  for (const std::string& each : words) CHECK(each == "input 2 of sample 41 is nan");
}

TEST_CASE("a network whose layers couple samples is left as it is") {
  const auto network = std::make_shared<const Network>(
      std::move(normalised_perceptron(std::vector<Index>{4, 5, 3}, Activation::tanh).training));
  const auto data = make_data(4, 3, 50, Loss::softmax_cross_entropy);
  const MakeNetworkObjective make = [&](double) {
    return make_network_objective(network, Loss::softmax_cross_entropy, data);
  };
  const Vector x = test_point(network->layout().size());
  const double expected = make(1e9)->value(x);
  std::vector<double> values(2);
  test::on_ranks(2, [&](const std::shared_ptr<Ranks>& ranks) {
    values[static_cast<std::size_t>(ranks->rank())] = distributed_network(make, ranks)->value(x);
  });
  CHECK(values == std::vector<double>{expected, expected});
}

TEST_CASE("dropout draws masks by chunk and so the same on any number of ranks") {
  const auto network =
      std::make_shared<const Network>(multilayer_perceptron(std::vector<Index>{4, 20, 3}, Activation::tanh, 0, 0.5));
  const auto data = make_data(4, 3, 64, Loss::softmax_cross_entropy);
  const MakeNetworkObjective make = [&](double) {
    return make_network_objective(network, Loss::softmax_cross_entropy, data);
  };
  const Vector x = test_point(network->layout().size());
  std::vector<double> values;
  for (const int size : {1, 2, 5}) {
    std::mutex mutex;
    test::on_ranks(size, [&](const std::shared_ptr<Ranks>& ranks) {
      const double value = distributed_network(make, ranks, {8, 4, 1e9})->value(x);
      const std::lock_guard lock(mutex);
      values.push_back(value);
    });
  }
  for (const double value : values) CHECK(value == values.front());
}

TEST_CASE("a formula's mean over samples is shared like a network's") {
  const MakeObjective make = [] { return std::make_unique<FunctorSum<Residual>>(Residual{}, 2, 101); };
  const auto plain = make();
  const Vector x = Vector{{0.3, -1.1}};
  Vector g;
  const double value = plain->value_and_gradient(x, g);
  const Matrix H = dense(*plain->curvature(x, Curvature::hessian));
  std::vector<Numbers> results(3);
  test::on_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    const auto f = distributed_objective(make, ranks, {8, 4, 1e9});
    Numbers& out = results[static_cast<std::size_t>(ranks->rank())];
    Vector mine;
    out.push_back(f->value_and_gradient(x, mine));
    append(out, mine);
    append(out, dense(*f->curvature(x, Curvature::hessian)));
  });
  Numbers expected = {value};
  append(expected, g);
  append(expected, H);
  for (const Numbers& each : results) {
    CHECK(each == results.front());
    CHECK(difference(each, expected) <= 1e-13);
  }
}

TEST_CASE("sharing that is not possible is refused") {
  const Setting s;
  CHECK_THROWS_WITH(distributed_network(maker(s), one_rank(), {12, 4, 1e9}), Contains("12 chunks are not possible"));
  CHECK_THROWS_AS(distributed_network(maker(s), one_rank(), {8, 0, 1e9}), Error);
  CHECK_THROWS_WITH(distributed_network(maker(s), one_rank(), {8, 4, 1e9, -1}), Contains("split_above -1"));
}
