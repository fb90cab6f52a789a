#include "hesse/core/error.h"
#include "hesse/data/datasets.h"
#include "hesse/nn/models.h"
#include "hesse/nn/network_objective.h"
#include "hesse/objective/l2_objective.h"
#include "hesse/problems/problem.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace hesse {
namespace {

/// What every problem on data has.
struct DataOptions {
  std::string data;
  double l2 = 0;
  bool l2_biases = false;
  Initialisation init = Initialisation::glorot_uniform;
};
void visit_data(DataOptions& o, OptionVisitor& v) {
  v.option("data", o.data, "data set by name, or a file's path ('hesse list data' shows the names)");
  v.option("l2", o.l2, Interval::non_negative(), "lambda in lambda/2 |x|^2");
  v.option("l2_biases", o.l2_biases, "penalise biases too");
}
void visit_initialisation(Initialisation& init, OptionVisitor& v) {
  v.choice("init", init,
           {{"glorot-uniform", Initialisation::glorot_uniform},
            {"glorot-normal", Initialisation::glorot_normal},
            {"he-uniform", Initialisation::he_uniform},
            {"he-normal", Initialisation::he_normal},
            {"lecun-normal", Initialisation::lecun_normal},
            {"pytorch", Initialisation::pytorch},
            {"sparse", Initialisation::sparse}},
           "how weights start");
}
void visit_activation(Activation& activation, OptionVisitor& v) {
  v.choice("activation", activation,
           {{"tanh", Activation::tanh},
            {"sigmoid", Activation::sigmoid},
            {"relu", Activation::relu},
            {"gelu", Activation::gelu},
            {"softplus", Activation::softplus},
            {"identity", Activation::identity}},
           "of the hidden units");
}

/// The loss of a network of classes.
void visit_loss(Loss& loss, OptionVisitor& v) {
  v.choice("loss", loss, {{"cross-entropy", Loss::softmax_cross_entropy}, {"squared-error", Loss::squared_error}},
           "of classes: cross-entropy of the softmax, or half the squared distance to the unit vector of the class");
}

void visit_dropout(double& dropout, OptionVisitor& v) {
  v.option("dropout", dropout, Interval::half_open(0, 1), "share of units set to 0 at every step of training");
}

struct RegressionOptions : DataOptions {};
void visit_options(RegressionOptions& o, OptionVisitor& v) { visit_data(o, v); }

struct MlpOptions : DataOptions {
  std::vector<Index> hidden = {128, 64};
  Activation activation = Activation::tanh;
  Loss loss = Loss::softmax_cross_entropy;
  bool batch_norm = false;
  double dropout = 0;
};
void visit_options(MlpOptions& o, OptionVisitor& v) {
  visit_data(o, v);
  v.option("hidden", o.hidden, "units of the hidden layers");
  v.option("batch_norm", o.batch_norm, "batch normalisation before each activation");
  visit_dropout(o.dropout, v);
  visit_activation(o.activation, v);
  visit_loss(o.loss, v);
  visit_initialisation(o.init, v);
}

struct AutoencoderOptions : DataOptions {
  std::vector<Index> encoder = {1000, 500, 250, 30};
  Activation activation = Activation::tanh;
};
void visit_options(AutoencoderOptions& o, OptionVisitor& v) {
  visit_data(o, v);
  v.option("encoder", o.encoder, "units from the first hidden layer to the code, mirrored by the decoder");
  visit_activation(o.activation, v);
  visit_initialisation(o.init, v);
}

struct ConvnetOptions : DataOptions {
  std::vector<Index> channels = {16, 32};
  Index kernel = 5;
  std::vector<Index> hidden = {64};
  Activation activation = Activation::relu;
  Loss loss = Loss::softmax_cross_entropy;
  double dropout = 0;
  std::vector<Index> image;
};
void visit_image(std::vector<Index>& image, OptionVisitor& v) {
  v.option("image", image, "channels-height-width of the inputs; left out, one square channel");
}
void visit_options(ConvnetOptions& o, OptionVisitor& v) {
  visit_data(o, v);
  v.option("channels", o.channels, "of the convolutions, each followed by 2 x 2 max pooling");
  v.option("kernel", o.kernel, Interval::closed(1, 99), "extent of the convolutions, odd");
  v.option("hidden", o.hidden, "units of the dense layers behind them");
  visit_dropout(o.dropout, v);
  visit_activation(o.activation, v);
  visit_loss(o.loss, v);
  visit_initialisation(o.init, v);
  visit_image(o.image, v);
}

struct ResnetOptions : DataOptions {
  Index width = 16;
  Index stages = 3;
  Index blocks = 1;
  Loss loss = Loss::softmax_cross_entropy;
  std::vector<Index> image;
};
void visit_options(ResnetOptions& o, OptionVisitor& v) {
  visit_data(o, v);
  v.option("width", o.width, Interval::closed(1, 4096), "channels of the first stage, doubled from stage to stage");
  v.option("stages", o.stages, Interval::closed(1, 6), "each at half the extent of the one before");
  v.option("blocks", o.blocks, Interval::closed(1, 200), "residual blocks of a stage");
  visit_loss(o.loss, v);
  visit_initialisation(o.init, v);
  visit_image(o.image, v);
}

struct TransformerOptions : DataOptions {
  Index features = 64;
  Index heads = 4;
  Index blocks = 2;
  double dropout = 0;
};
void visit_options(TransformerOptions& o, OptionVisitor& v) {
  visit_data(o, v);
  v.option("features", o.features, Interval::closed(1, 65536), "width of the residual stream");
  v.option("heads", o.heads, Interval::closed(1, 1024), "of the attention; they must divide the features");
  v.option("blocks", o.blocks, Interval::closed(1, 1000), "of attention and perceptron");
  visit_dropout(o.dropout, v);
  visit_initialisation(o.init, v);
}

/// An objective that judges points on one data set; asked for several figures of one point it sweeps
/// the data once.
class Judge {
 public:
  explicit Judge(std::unique_ptr<NetworkObjective> objective, std::function<void(const Vector&)> calibrate = {})
      : objective_(std::move(objective)), calibrate_(std::move(calibrate)) {}

  const Evaluation& at(const Vector& x) {
    if (x_.size() != x.size() || x_ != x) {
      if (calibrate_) calibrate_(x);
      evaluation_ = objective_->evaluate(x);
      x_ = x;
    }
    return evaluation_;
  }
  Matrix outputs(const Vector& x) { return objective_->outputs(x); }

 private:
  std::unique_ptr<NetworkObjective> objective_;
  std::function<void(const Vector&)> calibrate_;
  Vector x_;
  Evaluation evaluation_;
};

/// Sum of squares between inputs and sigmoid outputs, a sample: what the autoencoder literature prints.
double reconstruction_error(const Matrix& logits, const Matrix& inputs) {
  double sum = 0;
  for (Index j = 0; j < logits.cols(); ++j) {
    sum += (1 / (1 + (-logits.col(j).array()).exp()) - inputs.col(j).array()).square().sum();
  }
  return sum / static_cast<double>(logits.cols());
}

/// Fills the statistics with which a network is judged from those of the training data at a point.
using Calibrate = std::function<void(const Vector&)>;

/// `judging` is the network that test metrics are of, where it is another, with the same parameters: one without the
/// dropout that the objective has, of which the training accuracy is too; or, with `calibration`, one with
/// statistics of the training data.
Problem problem_of(const DataOptions& o, const DataSplit& split, Network architecture, Loss loss, bool reconstruct,
                   Initialisation init, const ProblemContext& context, std::shared_ptr<const Network> judging = nullptr,
                   const std::function<Calibrate(std::shared_ptr<const Network>)>& calibration = {}) {
  const auto network = std::make_shared<const Network>(std::move(architecture));
  NetworkOptions options;
  options.precision = context.precision;
  options.targets_are_inputs = reconstruct;
  const auto objective_of = [&](const std::shared_ptr<const Network>& net, const std::shared_ptr<const Dataset>& data) {
    const auto make = [net, loss, data, options](double memory_budget) {
      NetworkOptions own = options;
      own.memory_budget = memory_budget;
      return make_network_objective(net, loss, data, own);
    };
    return context.share ? context.share(make) : make(options.memory_budget);
  };
  const auto objective_on = [&](const std::shared_ptr<const Dataset>& data) { return objective_of(network, data); };

  Problem problem;
  auto regularised = std::make_unique<L2Objective>(objective_on(split.train), o.l2, o.l2_biases);
  const L2Objective* const penalty = regularised.get();
  const auto train = std::make_shared<Judge>(objective_on(split.train));
  const auto accuracy = judging && !calibration ? std::make_shared<Judge>(objective_of(judging, split.train)) : train;
  problem.value = [train, penalty](const Vector& x) { return train->at(x).value + penalty->penalty(x); };
  problem.objective = std::move(regularised);
  const bool couples = std::any_of(network->layers().begin(), network->layers().end(),
                                   [](const auto& layer) { return layer->couples_samples(); });
  if (!couples) problem.share = context.share;
  problem.start = [network, init](std::uint64_t seed) { return network->initial_parameters(init, seed); };
  const bool classes = !split.train->labels.empty() && !reconstruct;
  if (classes) {
    problem.metrics.push_back(
        {"train_accuracy", true, [accuracy](const Vector& x) { return accuracy->at(x).accuracy; }});
  }
  if (split.test != nullptr) {
    const auto test = std::make_shared<Judge>(judging ? objective_of(judging, split.test) : objective_on(split.test),
                                              calibration ? calibration(network) : Calibrate());
    problem.metrics.push_back({"test_loss", false, [test](const Vector& x) { return test->at(x).value; }});
    if (classes) {
      problem.metrics.push_back({"test_accuracy", true, [test](const Vector& x) { return test->at(x).accuracy; }});
    }
    if (reconstruct) {
      problem.metrics.push_back({"test_squared_error", false, [test, data = split.test](const Vector& x) {
                                   return reconstruction_error(test->outputs(x), data->inputs);
                                 }});
    }
  }
  problem.description =
      fmt::format("{} on {}: {} training and {} test samples, {} parameters, {}", network->describe(),
                  split.train->name, split.train->sample_count(),
                  split.test != nullptr ? split.test->sample_count() : 0, network->layout().size(), to_string(loss));
  return problem;
}

/// The network to judge one with dropout by; null where there is none.
template <class Make>
std::shared_ptr<const Network> without_dropout(const Make& network, double dropout) {
  return dropout > 0 ? std::make_shared<const Network>(network(0)) : nullptr;
}

/// A network with batch normalisation, judged with statistics of some hundred training samples as one batch: those of
/// all hardly differ.
Problem normalised_problem(const DataOptions& o, const DataSplit& split, NormalisedNetwork net, Loss loss,
                           const ProblemContext& context) {
  NetworkOptions options;
  options.precision = context.precision;
  const auto calibration = [&, data = split.train,
                            statistics = net.statistics](std::shared_ptr<const Network> training) {
    std::shared_ptr<NetworkObjective> f = make_network_objective(std::move(training), loss, data, options);
    std::vector<Index> first(static_cast<std::size_t>(std::min<Index>(512, data->sample_count())));
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<Index>(i);
    f->select(first);
    return Calibrate([f, statistics](const Vector& x) {
      std::size_t at = 0;
      for (std::size_t l = 0; l < f->network().layers().size(); ++l) {
        const Layer& layer = *f->network().layers()[l];
        if (!layer.couples_samples()) continue;
        const auto input = static_cast<std::size_t>(f->network().wiring(l).input);
        *statistics[at++] = channel_statistics(f->outputs(x, input), layer.parameters().front().shape.front());
      }
    });
  };
  return problem_of(o, split, std::move(net.training), loss, false, o.init, context,
                    std::make_shared<const Network>(std::move(net.judging)), calibration);
}

void require_classes(const DataSplit& split, const char* what) {
  if (split.train->labels.empty()) {
    fail("{} needs class labels, and data set '{}' has none", what, split.train->name);
  }
}

Index target_count(const DataSplit& split) {
  if (split.train->targets.size() == 0) {
    fail("linear regression needs real targets, and data set '{}' has none; try data=linear-regression",
         split.train->name);
  }
  return split.train->targets.rows();
}

Network linear_model(const DataSplit& split, Index outputs) {
  const std::vector<Index> sizes = {split.train->feature_count(), outputs};
  return multilayer_perceptron(sizes, Activation::identity);
}

/// A linear model with a convex loss: all that its curvature is known to be at least is the penalty's, on all
/// parameters.
Problem convex_problem(const RegressionOptions& o, const DataSplit& split, Index outputs, Loss loss,
                       const ProblemContext& context) {
  Problem problem = problem_of(o, split, linear_model(split, outputs), loss, false, o.init, context);
  if (o.l2_biases) problem.strong_convexity = o.l2;
  return problem;
}

Problem make_linear(const RegressionOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  return convex_problem(o, split, target_count(split), Loss::squared_error, context);
}

Problem make_logistic(const RegressionOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  require_classes(split, "logistic regression");
  return convex_problem(o, split, 1, Loss::binary_cross_entropy, context);
}

Problem make_softmax(const RegressionOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  require_classes(split, "softmax regression");
  return convex_problem(o, split, split.train->class_count, Loss::softmax_cross_entropy, context);
}

Problem make_mlp(const MlpOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  const bool classes = !split.train->labels.empty();
  std::vector<Index> sizes = {split.train->feature_count()};
  sizes.insert(sizes.end(), o.hidden.begin(), o.hidden.end());
  sizes.push_back(classes ? split.train->class_count : target_count(split));
  const Loss loss = classes ? o.loss : Loss::squared_error;
  if (o.batch_norm) {
    if (o.dropout > 0) fail("mlp: options batch_norm and dropout do not go together; leave one of them out");
    return normalised_problem(o, split, normalised_perceptron(sizes, o.activation), loss, context);
  }
  const auto network = [&](double dropout) { return multilayer_perceptron(sizes, o.activation, 0, dropout); };
  return problem_of(o, split, network(o.dropout), loss, false, o.init, context, without_dropout(network, o.dropout));
}

Problem make_autoencoder(const AutoencoderOptions& o, const ProblemContext& context) {
  if (o.encoder.empty()) fail("autoencoder: option encoder is empty; give for example encoder=1000-500-250-30");
  const DataSplit split = load_data(o.data);
  std::vector<Index> sizes = {split.train->feature_count()};
  sizes.insert(sizes.end(), o.encoder.begin(), o.encoder.end());
  for (std::size_t i = o.encoder.size() - 1; i-- > 0;) sizes.push_back(o.encoder[i]);
  sizes.push_back(split.train->feature_count());
  return problem_of(o, split, multilayer_perceptron(sizes, o.activation, o.encoder.back()), Loss::binary_cross_entropy,
                    true, o.init, context);
}

/// The images of a data set: as told, or one square channel.
ImageShape image_of(const Dataset& data, const std::vector<Index>& told) {
  if (!told.empty()) {
    if (told.size() != 3)
      fail("option image: {} extents; give channels-height-width, as in image=3-32-32", told.size());
    const ImageShape shape{told[0], told[1], told[2]};
    if (shape.size() != data.feature_count()) {
      fail("option image: {} x {} x {} are {} inputs, but data set '{}' has {}", told[0], told[1], told[2],
           shape.size(), data.name, data.feature_count());
    }
    return shape;
  }
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(data.feature_count()))));
  if (side * side != data.feature_count()) {
    fail("data set '{}' has {} inputs, which make no square image; give image=channels-height-width", data.name,
         data.feature_count());
  }
  return {1, side, side};
}

Problem make_convnet(const ConvnetOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  require_classes(split, "convnet");
  const auto network = [&](double dropout) {
    return convolutional_network(image_of(*split.train, o.image), o.channels, o.kernel, o.hidden,
                                 split.train->class_count, o.activation, dropout);
  };
  return problem_of(o, split, network(o.dropout), o.loss, false, o.init, context, without_dropout(network, o.dropout));
}

Problem make_resnet(const ResnetOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  require_classes(split, "resnet-mini");
  return normalised_problem(
      o, split,
      residual_network(image_of(*split.train, o.image), o.width, o.stages, o.blocks, split.train->class_count), o.loss,
      context);
}

Problem make_transformer(const TransformerOptions& o, const ProblemContext& context) {
  const DataSplit split = load_data(o.data);
  if (split.train->places != split.train->feature_count()) {
    fail("char-transformer: data set '{}' is no text; give data=text:path=/folder/book.txt", split.train->name);
  }
  const auto network = [&](double dropout) {
    return transformer(split.train->class_count, split.train->places, o.features, o.heads, o.blocks, dropout);
  };
  return problem_of(o, split, network(o.dropout), Loss::softmax_cross_entropy, false, o.init, context,
                    without_dropout(network, o.dropout));
}

/// A problem whose data is `data` unless told otherwise.
template <class Options>
ProblemEntry entry(std::string name, std::string summary, std::string source, std::string data,
                   Problem (*make)(const Options&, const ProblemContext&)) {
  Options defaults;
  defaults.data = std::move(data);
  return registry_entry<Options, Problem, const ProblemContext&>(std::move(name), std::move(summary), std::move(source),
                                                                 make, defaults);
}

}  // namespace

std::vector<ProblemEntry> network_entries() {
  return {
      entry("linear-regression", "Least squares with a linear model", "Gauss (1809)", "linear-regression", make_linear),
      entry("logistic-regression", "Binary cross-entropy with a linear model", "Berkson (1944)", "breast-cancer",
            make_logistic),
      entry("softmax-regression", "Softmax cross-entropy with a linear model", "Cox (1966)", "digits", make_softmax),
      entry("mlp", "Multilayer perceptron: cross-entropy or squared error on classes, squared error on real targets",
            "Rumelhart, Hinton and Williams (1986)", "digits", make_mlp),
      entry("autoencoder", "Deep autoencoder with a linear code and binary cross-entropy",
            "Hinton and Salakhutdinov (2006); Martens (2010)", "mnist", make_autoencoder),
      entry("convnet", "Convolutions with max pooling and dense layers behind them", "LeCun et al. (1998)",
            "fashion-mnist", make_convnet),
      entry("resnet-mini", "Residual network with batch normalisation, for small images",
            "He et al. (2016), section 4.2", "fashion-mnist", make_resnet),
      entry("char-transformer", "Decoder-only transformer that continues a text character by character",
            "Radford et al. (2019)", "austen", make_transformer),
  };
}

}  // namespace hesse
