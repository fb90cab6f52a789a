#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/nn/image_layers.h"
#include "hesse/nn/kronecker_sums.h"
#include "hesse/nn/models.h"
#include "hesse/nn/normalisation.h"
#include "hesse/nn/sequence_layers.h"
#include "nn/network_cases.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <string>

using namespace hesse;

namespace {

Matrix draw(Index rows, Index columns, std::uint64_t step) {
  Matrix M(rows, columns);
  RandomStream(13, Purpose::test, step).fill_normal(Eigen::Map<Vector>(M.data(), M.size()));
  return M;
}

Matrix apply(const Layer& layer, const Vector& p, const Matrix& x) {
  Matrix y(layer.output_size(), x.cols());
  layer.in_double().forward(p.data(), {x.data(), x.rows(), x.cols()}, {y.data(), y.rows(), y.cols()});
  return y;
}

Index parameter_count(const Layer& layer) {
  Index n = 0;
  for (const LayerParameter& p : layer.parameters()) {
    Index size = 1;
    for (const Index extent : p.shape) size *= extent;
    n += size;
  }
  return n;
}

ConstColumns<double> view(const Matrix& M) { return {M.data(), M.rows(), M.cols()}; }
Columns<double> view(Matrix& M) { return {M.data(), M.rows(), M.cols()}; }

/// Entry (c, r, s) of an image with zeros around it.
double pixel(const Matrix& x, const ImageShape& image, Index j, Index c, Index r, Index s) {
  if (r < 0 || s < 0 || r >= image.height || s >= image.width) return 0;
  return x((c * image.height + r) * image.width + s, j);
}

struct LayerCase {
  std::string name;
  std::function<std::unique_ptr<Layer>()> make;
};

const std::vector<LayerCase>& smooth_layers() {
  static const std::vector<LayerCase> all = {
      {"convolution",
       [] {
         return convolution_layer({2, 4, 3}, 3, {3, 2, 1, 1});
       }},
      {"convolution with stride",
       [] {
         return convolution_layer({2, 5, 4}, 3, {3, 3, 2, 1});
       }},
      {"convolution without bias",
       [] {
         return convolution_layer({3, 3, 3}, 2, {1, 1, 1, 0}, false);
       }},
      {"max pooling",
       [] {
         return max_pooling_layer({2, 4, 5}, {2, 2, 2, 0});
       }},
      {"max pooling, padded",
       [] {
         return max_pooling_layer({1, 5, 4}, {3, 3, 2, 1});
       }},
      {"average pooling",
       [] {
         return average_pooling_layer({2, 4, 5}, {2, 3, 1, 1});
       }},
      {"batch normalisation", [] { return batch_normalisation_layer(3, 4); }},
      {"layer normalisation", [] { return layer_normalisation_layer(5, 3); }},
      {"positionwise dense", [] { return positionwise_dense_layer(3, 4, 2); }},
      {"attention with one head", [] { return causal_attention_layer(3, 1, 4); }},
      {"attention with two heads", [] { return causal_attention_layer(4, 2, 3); }},
      {"attention on one position", [] { return causal_attention_layer(2, 1, 1); }},
      {"dropout", [] { return dropout_layer(9, 0.4); }},
  };
  return all;
}

/// The mean squared loss of a tanh network around the layer: everything before and behind it is smooth.
std::unique_ptr<NetworkObjective> around(std::unique_ptr<Layer> layer, Index samples, Precision precision) {
  const Index inputs = layer->input_size();
  const Index outputs = layer->output_size();
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(dense_layer(3, inputs));
  layers.push_back(activation_layer(Activation::tanh, inputs));
  layers.push_back(std::move(layer));
  layers.push_back(activation_layer(Activation::tanh, outputs));
  layers.push_back(dense_layer(outputs, 2));
  NetworkOptions options;
  options.precision = precision;
  return make_network_objective(std::make_shared<const Network>(std::move(layers)), Loss::squared_error,
                                make_data(3, 2, samples, Loss::squared_error), options);
}

}  // namespace

TEST_CASE("A convolution is the sum over channels and window that defines it") {
  const ImageShape image{2, 5, 4};
  for (const Window& w :
       {Window{3, 3, 1, 1}, Window{3, 2, 2, 0}, Window{1, 1, 1, 0}, Window{5, 4, 1, 0}, Window{2, 3, 3, 2}}) {
    const auto layer = convolution_layer(image, 3, w);
    const Vector p = draw(parameter_count(*layer), 1, 1);
    const Matrix x = draw(image.size(), 2, 2);
    const Matrix y = apply(*layer, p, x);
    const Index rows = w.rows(image);
    const Index columns = w.columns(image);
    REQUIRE(y.rows() == 3 * rows * columns);
    for (Index j = 0; j < 2; ++j)
      for (Index o = 0; o < 3; ++o)
        for (Index r = 0; r < rows; ++r)
          for (Index s = 0; s < columns; ++s) {
            double sum = p[3 * 2 * w.height * w.width + o];
            for (Index c = 0; c < 2; ++c)
              for (Index a = 0; a < w.height; ++a)
                for (Index b = 0; b < w.width; ++b)
                  sum += p[((o * 2 + c) * w.height + a) * w.width + b] *
                         pixel(x, image, j, c, r * w.stride + a - w.padding, s * w.stride + b - w.padding);
            // Up to 40 products of order one.
            CHECK(std::abs(y((o * rows + r) * columns + s, j) - sum) <= 1e-13);
          }
  }
}

TEST_CASE("Attention is causal, its rows are means, and it is what its formula says") {
  const Index d = 4, heads = 2, T = 5;
  const auto layer = causal_attention_layer(d, heads, T);
  const Matrix x = draw(3 * d * T, 1, 3);
  const Matrix y = apply(*layer, {}, x);
  const auto entry = [&](Index t, Index which, Index h, Index i) { return x(t * 3 * d + which * d + h * 2 + i, 0); };
  for (Index h = 0; h < heads; ++h) {
    for (Index t = 0; t < T; ++t) {
      double total = 0;
      Vector value = Vector::Zero(2);
      for (Index s = 0; s <= t; ++s) {
        double z = 0;
        for (Index i = 0; i < 2; ++i) z += entry(t, 0, h, i) * entry(s, 1, h, i) / std::sqrt(2.0);
        total += std::exp(z);
        for (Index i = 0; i < 2; ++i) value[i] += std::exp(z) * entry(s, 2, h, i);
      }
      for (Index i = 0; i < 2; ++i) CHECK(std::abs(y(t * d + h * 2 + i, 0) - value[i] / total) <= 1e-13);
    }
  }
  // What comes later changes nothing, to the bit.
  Matrix later = x;
  later.bottomRows(3 * d).setConstant(7);
  const Matrix other = apply(*layer, {}, later);
  CHECK(other.topRows(d * (T - 1)) == y.topRows(d * (T - 1)));
  CHECK(other.bottomRows(d) != y.bottomRows(d));
}

TEST_CASE("Normalised groups have mean 0 and variance 1, and frozen statistics are taken as they are") {
  const Index channels = 3, places = 4, samples = 6;
  const auto layer = batch_normalisation_layer(channels, places);
  Vector p(2 * channels);
  p << 1, 1, 1, 0, 0, 0;
  const Matrix x = 3 * draw(channels * places, samples, 4).array() + 2;
  const Matrix y = apply(*layer, p, x);
  for (Index c = 0; c < channels; ++c) {
    const auto group = y.middleRows(c * places, places);
    CHECK(std::abs(group.mean()) <= 1e-14);
    // eps beside a variance of about 9.
    CHECK(std::abs(group.array().square().mean() - 1) <= 1e-5);
  }
  const auto statistics = std::make_shared<ChannelStatistics>(channel_statistics(x, channels));
  const auto frozen = frozen_batch_normalisation_layer(channels, places, statistics);
  CHECK(!frozen->couples_samples());
  CHECK((apply(*frozen, p, x) - y).norm() <= 1e-13 * y.norm());
  CHECK((apply(*frozen, p, x.leftCols(1)) - y.leftCols(1)).norm() <= 1e-13 * y.norm());
}

TEST_CASE("Gradients and Hessian products of networks with every layer agree with central differences") {
  const LayerCase& c = GENERATE(from_range(smooth_layers()));
  CAPTURE(c.name);
  for (const Index samples : {1, 2, 5}) {
    // One sample and place has no variance to normalise by.
    const auto f = around(c.make(), samples, Precision::float64);
    const Vector x = 0.5 * test_point(f->size());
    const Vector v = test_point(f->size(), 1);
    const DifferenceSweep sweep = sweep_differences(*f, x, v.normalized());
    CHECK(sweep.gradient <= 1e-8);
    CHECK(sweep.product <= 1e-6);
    CHECK(sweep.first_product > 10 * sweep.product);
    CHECK(sweep.last_product > 10 * sweep.product);
    const Matrix H = dense(*f->curvature(x, Curvature::hessian));
    CHECK((H - H.transpose()).norm() <= 1e-12 * H.norm());
    // J'J from differences of the outputs: h^2 / 6 times a third derivative along v, |v| of order 7 and derivatives of
    // order one; eps / h from rounding.
    const double h = 1e-5;
    const Matrix Jv = (f->outputs(x + h * v) - f->outputs(x - h * v)) / (2 * h);
    Vector Gv(x.size());
    f->curvature(x, Curvature::gauss_newton)->apply(v, Gv);
    CHECK(std::abs(v.dot(Gv) - Jv.squaredNorm() / static_cast<double>(samples)) <= 1e-6 * (1 + std::abs(v.dot(Gv))));
    Matrix form;
    f->curvature_forms(x, Curvature::gauss_newton, 0, 0, 1, v, form);
    CHECK(form(0, 0) == Approx(v.dot(Gv)).epsilon(1e-12));
  }
}

TEST_CASE("The error of central differences on whole models has its V shape") {
  const int which = GENERATE(0, 1, 2, 3);
  std::shared_ptr<const Dataset> data = make_data(36, 3, 6, Loss::softmax_cross_entropy);
  std::shared_ptr<const Network> network;
  if (which == 0) {
    network = std::make_shared<const Network>(
        convolutional_network({1, 6, 6}, std::vector<Index>{2, 3}, 3, std::vector<Index>{4}, 3, Activation::gelu));
  } else if (which == 1) {
    network = std::make_shared<const Network>(residual_network({1, 6, 6}, 2, 2, 1, 3).training);
  } else if (which == 2) {
    network = std::make_shared<const Network>(
        normalised_perceptron(std::vector<Index>{36, 5, 4, 3}, Activation::tanh).training);
  } else {
    auto text = std::make_shared<Dataset>();
    text->name = "text";
    text->inputs.resize(4, 2);
    text->inputs << 0, 2, 1, 1, 2, 0, 1, 2;
    text->class_count = 3;
    text->places = 4;
    text->labels = {1, 2, 1, 0, 2, 0, 1, 1};
    data = text;
    network = std::make_shared<const Network>(transformer(3, 4, 4, 2, 2));
  }
  CAPTURE(which);
  const auto f = make_network_objective(network, Loss::softmax_cross_entropy, data);
  Vector x = network->initial_parameters(Initialisation::glorot_uniform, 1);
  x += 0.3 * test_point(x.size());
  const DifferenceSweep sweep = sweep_differences(*f, x, test_point(x.size(), 1).normalized());
  CHECK(sweep.gradient <= 1e-8);
  CHECK(sweep.product <= 1e-6);
  CHECK(sweep.first_product > 10 * sweep.product);
  CHECK(sweep.last_product > 10 * sweep.product);
}

TEST_CASE("Networks with every layer agree in float and double") {
  const LayerCase& c = GENERATE(from_range(smooth_layers()));
  CAPTURE(c.name);
  const auto f = around(c.make(), 40, Precision::float64);
  const auto in_float = around(c.make(), 40, Precision::float32);
  const Vector x = 0.5 * test_point(f->size());
  const Vector v = test_point(f->size(), 1);
  Vector g, g_float, y(x.size()), y_float(x.size());
  f->value_and_gradient(x, g);
  in_float->value_and_gradient(x, g_float);
  CHECK((g - g_float).norm() <= 1e-5 * (1 + g.norm()));
  f->curvature(x, Curvature::hessian)->apply(v, y);
  in_float->curvature(x, Curvature::hessian)->apply(v, y_float);
  CHECK((y - y_float).norm() <= 1e-4 * (1 + y.norm()));
}

TEST_CASE("Inputs and adjoints at the places of a shared map make its gradient, and factors are their second moments") {
  const int which = GENERATE(0, 1, 2);
  const auto layer = which == 0   ? convolution_layer({2, 4, 3}, 3, {3, 2, 1, 1})
                     : which == 1 ? convolution_layer({2, 5, 4}, 3, {3, 3, 2, 1}, false)
                                  : positionwise_dense_layer(3, 4, 5);
  const LinearMap map = *layer->linear_map();
  const LayerMaps<double>& maps = layer->in_double();
  const Index samples = 3;
  const Matrix x = draw(layer->input_size(), samples, 5);
  const Matrix dy = draw(layer->output_size(), samples, 6);
  Matrix a(map.inputs, map.places * samples);
  Matrix g(map.outputs, map.places * samples);
  maps.inputs_at_places(view(x), view(a));
  maps.adjoints_at_places(view(dy), view(g));
  Vector gradient(parameter_count(*layer));
  for (Index t = 0; t < maps.tiles(); ++t) maps.gradient(t, view(x), view(dy), 0, gradient.data() + maps.tile(t).begin);
  const Matrix product = g * a.transpose();
  for (Index o = 0; o < map.outputs; ++o) {
    for (Index i = 0; i < map.inputs; ++i) CHECK(std::abs(gradient[o * map.inputs + i] - product(o, i)) <= 1e-12);
    if (map.bias) CHECK(std::abs(gradient[map.outputs * map.inputs + o] - g.row(o).sum()) <= 1e-12);
  }
  // Factors of both models of sharing, and moments, from their definitions.
  Matrix ones(map.inputs + (map.bias ? 1 : 0), a.cols());
  ones.topRows(map.inputs) = a;
  if (map.bias) ones.bottomRows(1).setOnes();
  KroneckerSums<double> sums(maps, map);
  const KroneckerSums<double>::Weights weights{0, 1.0 / samples, 1};
  KroneckerFactors f{0, map.inputs, map.outputs, map.places, map.bias, {}, {}, {}, {}};
  f.A.setZero(f.columns(), f.columns());
  f.G.setZero(f.outputs, f.outputs);
  sums.add_factors(view(x), view(dy), WeightSharing::expand, weights, f);
  complete(f);
  const auto R = static_cast<double>(map.places);
  CHECK((f.A - ones * ones.transpose() / (samples * R)).norm() <= 1e-12 * f.A.norm());
  CHECK((f.G - g * g.transpose() / samples).norm() <= 1e-12 * f.G.norm());
  Matrix mean_a(f.columns(), samples), sum_g(f.outputs, samples);
  Matrix moments = Matrix::Zero(f.outputs, f.columns());
  for (Index j = 0; j < samples; ++j) {
    const Matrix a_j = ones.middleCols(j * map.places, map.places);
    const Matrix g_j = g.middleCols(j * map.places, map.places);
    mean_a.col(j) = a_j.rowwise().mean();
    sum_g.col(j) = g_j.rowwise().sum();
    moments += (g_j * a_j.transpose()).cwiseAbs2() / samples;
  }
  sums.add_factors(view(x), view(dy), WeightSharing::reduce, weights, f);
  complete(f);
  CHECK((f.A - mean_a * mean_a.transpose() / samples).norm() <= 1e-12 * f.A.norm());
  CHECK((f.G - sum_g * sum_g.transpose() / samples).norm() <= 1e-12 * f.G.norm());
  Matrix found = Matrix::Zero(f.outputs, f.columns());
  sums.add_moments(view(x), view(dy), {}, weights, found);
  CHECK((found - moments).norm() <= 1e-12 * moments.norm());
}

TEST_CASE("Dropout keeps each entry with its probability, scaled so that the mean stays, by the samples selected") {
  constexpr Index kUnits = 37;
  constexpr Index kSamples = 400;
  const double rate = GENERATE(0.1, 0.5);
  const auto f = around(dropout_layer(kUnits, rate), kSamples, Precision::float64);
  const Vector x = test_point(f->size());
  const auto mask = [&] { return Matrix(f->outputs(x, 3).cwiseQuotient(f->outputs(x, 2))); };
  const Matrix all = mask();
  REQUIRE(all.rows() == kUnits);
  // The rate to sixteen bits.
  const double kept = 1 / (1 - std::round(rate * 65536) / 65536);
  const auto zeros = static_cast<double>((all.array().abs() < 0.5).count());
  CHECK(((all.array().abs() < 0.5) || ((all.array() - kept).abs() < 1e-12)).all());
  const double entries = static_cast<double>(all.size());
  CHECK(std::abs(zeros / entries - rate) <= 5 * std::sqrt(rate * (1 - rate) / entries));
  // No unit and no sample is favoured: chi-squared over rows has variance 2 each.
  const Vector by_unit = (all.array().abs() < 0.5).cast<double>().rowwise().sum();
  const double chi = (by_unit.array() - rate * kSamples).square().sum() / (kSamples * rate * (1 - rate));
  CHECK(std::abs(chi - kUnits) <= 5 * std::sqrt(2.0 * kUnits));

  // The same selection, the same mask, whatever came between, and another for another.
  std::vector<Index> some = {3, 7, 1, 250};
  f->select(some);
  const Matrix first = mask();
  some[0] = 4;
  f->select(some);
  const Matrix second = mask();
  CHECK((first - second).norm() > 0);
  some[0] = 3;
  f->select(some);
  CHECK((mask() - first).norm() == 0);
  f->select_all();
  CHECK((mask() - all).norm() == 0);
  const int machine = threads();
  set_threads(machine == 1 ? 2 : 1);
  f->select(some);
  CHECK((mask() - first).norm() == 0);
  set_threads(machine);

  CHECK_THROWS_AS(dropout_layer(3, 1), Error);
  CHECK_THROWS_AS(dropout_layer(3, -0.1), Error);
}

TEST_CASE("Kronecker factors and single samples' gradients see the mask of dropout") {
  const auto f = around(dropout_layer(6, 0.5), 12, Precision::float64);
  const Vector x = test_point(f->size());
  Vector g;
  f->value_and_gradient(x, g);
  std::vector<KroneckerFactors> factors;
  f->kronecker_factors(x, {.kind = Curvature::fisher_empirical}, factors);
  const Matrix inputs = f->outputs(x, 4);
  const Matrix expected = inputs * inputs.transpose() / 12;
  const Matrix found = factors[1].A.selfadjointView<Eigen::Upper>();
  CHECK((found.topLeftCorner(6, 6) - expected).norm() <= 1e-13 * expected.norm());
}

TEST_CASE("The loss of a text is the mean over its positions, and drawn scores have the Hessian as second moment") {
  const Index V = 3, T = 4;
  auto data = std::make_shared<Dataset>();
  data->name = "text";
  data->inputs.resize(T, 2);
  data->inputs << 0, 2, 1, 1, 2, 0, 1, 2;
  data->class_count = V;
  data->places = T;
  data->labels = {1, 2, 1, 0, 2, 0, 1, 1};
  const auto f = make_network_objective(std::make_shared<const Network>(transformer(V, T, 4, 2, 1)),
                                        Loss::softmax_cross_entropy, data);
  Vector x = f->network().initial_parameters(Initialisation::glorot_uniform, 1);
  x += 0.3 * test_point(x.size());
  const Matrix z = f->outputs(x);
  double loss = 0;
  Index right = 0;
  for (Index j = 0; j < 2; ++j) {
    for (Index t = 0; t < T; ++t) {
      const Vector logits = z.col(j).segment(t * V, V);
      const Index label = data->labels[static_cast<std::size_t>(j * T + t)];
      loss += (std::log(logits.array().exp().sum()) - logits[label]) / (2 * T);
      Index best = 0;
      logits.maxCoeff(&best);
      right += best == label ? 1 : 0;
    }
  }
  CHECK(f->value(x) == Approx(loss).epsilon(1e-13));
  CHECK(f->evaluate(x).accuracy == Approx(static_cast<double>(right) / (2 * T)));
  Vector g;
  // N g o g over draws estimates the diagonal of the Gauss-Newton matrix: its sum, within four standard errors.
  const Matrix G = dense(*f->curvature(x, Curvature::gauss_newton));
  double sum = 0, squares = 0;
  const Index draws = 4000;
  for (Index i = 0; i < draws; ++i) {
    f->sampled_gradient(x, 3, static_cast<std::uint64_t>(i), 1, g);
    sum += 2 * g.squaredNorm();
    squares += 4 * g.squaredNorm() * g.squaredNorm();
  }
  const double mean = sum / draws;
  const double error = std::sqrt((squares / draws - mean * mean) / draws);
  CHECK(std::abs(mean - G.trace()) <= 4 * error);
}

TEST_CASE("A normalised network and its twin for judging have the same parameters and, with its statistics, outputs") {
  const bool residual = GENERATE(true, false);
  NormalisedNetwork net = residual ? residual_network({1, 6, 6}, 2, 2, 1, 3)
                                   : normalised_perceptron(std::vector<Index>{36, 7, 5, 3}, Activation::tanh);
  CHECK(net.statistics.size() == (residual ? 6 : 2));
  CHECK(net.training.layout().size() == net.judging.layout().size());
  const auto data = make_data(36, 3, 8, Loss::softmax_cross_entropy);
  const auto training = std::make_shared<const Network>(std::move(net.training));
  const auto f = make_network_objective(training, Loss::softmax_cross_entropy, data);
  const auto twin = make_network_objective(std::make_shared<const Network>(std::move(net.judging)),
                                           Loss::softmax_cross_entropy, data);
  const Vector x = training->initial_parameters(Initialisation::he_normal, 1);
  std::size_t at = 0;
  for (std::size_t l = 0; l < training->layers().size(); ++l) {
    const Layer& layer = *training->layers()[l];
    if (!layer.couples_samples()) continue;
    *net.statistics[at++] = channel_statistics(f->outputs(x, static_cast<std::size_t>(training->wiring(l).input)),
                                               layer.parameters().front().shape.front());
  }
  CHECK(at == net.statistics.size());
  CHECK((f->outputs(x) - twin->outputs(x)).norm() <= 1e-11 * f->outputs(x).norm());
  // Coupled samples: the gradient is that of the batch as a whole.
  const Vector v = test_point(x.size(), 1);
  Vector g;
  f->value_and_gradient(x, g);
  const double h = 1e-6;
  CHECK((f->value(x + h * v) - f->value(x - h * v)) / (2 * h) == Approx(g.dot(v)).epsilon(1e-4).margin(1e-5));
}

TEST_CASE("Impossible layers are refused in a line") {
  CHECK_THROWS_AS(convolution_layer({1, 2, 2}, 1, {3, 3, 1, 0}), Error);
  CHECK_THROWS_AS(convolution_layer({1, 2, 2}, 0, {1, 1, 1, 0}), Error);
  CHECK_THROWS_AS(max_pooling_layer({1, 4, 4}, {2, 2, 1, 2}), Error);
  CHECK_THROWS_AS(batch_normalisation_layer(0, 3), Error);
  CHECK_THROWS_AS(layer_normalisation_layer(3, 1, 0), Error);
  CHECK_THROWS_AS(causal_attention_layer(5, 2, 3), Error);
  CHECK_THROWS_AS(embedding_layer(0, 2, 3), Error);
  CHECK_THROWS_AS(convolutional_network({1, 8, 8}, std::vector<Index>{4}, 4, std::vector<Index>{}, 2, Activation::relu),
                  Error);
}
