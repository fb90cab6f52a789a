#include "hesse/nn/network_objective.h"

#include "hesse/core/blas.h"
#include "hesse/core/denormals.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"
#include "hesse/core/random.h"
#include "hesse/core/workspaces.h"
#include "hesse/nn/kronecker_sums.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace hesse {
namespace {

/// Samples of one chunk: large enough for products at full speed, small enough that the activations
/// of the chain stay in cache; a function of the pass alone.
Index chunk_size(Index samples) {
  const Index target = samples >= 1000 ? 256 : samples >= 512 ? 128 : (samples >= 128 ? 64 : 32);
  const Index chunks = std::max<Index>(1, block_count(samples, target));
  return std::max<Index>(1, block_count(samples, chunks));
}

/// Entries of one task when whole parameter vectors are converted.
constexpr Index kConversionBlock = 32768;

/// Stands at the head of whatever sweeps. In double nothing of interest is that small.
template <class T>
struct SweepMode {};
template <>
struct SweepMode<float> {
  DenormalsAsZero denormals;
};

template <class T>
using Buffer = Eigen::Matrix<T, Eigen::Dynamic, 1>;

template <class T>
const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>& inputs_in(const Dataset& data) {
  if constexpr (std::is_same_v<T, float>) {
    return data.inputs_in_float();
  } else {
    return data.inputs;
  }
}

/// Network, loss and data in one precision: what every sweep reads and nothing writes.
template <class T>
struct Model {
  Model(std::shared_ptr<const Network> network_in, Loss loss_in, std::shared_ptr<const Dataset> data_in,
        const NetworkOptions& options_in)
      : network(std::move(network_in)),
        data(std::move(data_in)),
        options(options_in),
        places(options_in.targets_are_inputs ? 1 : data->places),
        loss(make_loss_maps<T>(loss_in, places)) {
    const auto& inputs = inputs_in<T>(*data);
    input = inputs.data();
    features = inputs.rows();
    if (options.targets_are_inputs) {
      targets = {nullptr, input, features};
    } else if (!data->labels.empty()) {
      targets = {data->labels.data(), nullptr, network->output_size()};
    } else {
      typed_targets = data->targets.template cast<T>();
      targets = {nullptr, typed_targets.data(), typed_targets.rows()};
    }
    for (std::size_t l = 0; l < network->layers().size(); ++l) {
      const Layer& layer = *network->layers()[l];
      maps.push_back(&layer.maps<T>());
      sizes.push_back(layer.output_size());
      for (Index tile = 0; tile < maps.back()->tiles(); ++tile) tiles.push_back({l, tile});
    }
    wire();
    for (std::size_t l = 0; l < network->layers().size(); ++l) {
      const double count = network->layers()[l]->multiplications();
      multiplications += count;
      dropout.push_back(network->layers()[l]->dropout_rate());
      if (edges[l].input == 0) first_multiplications += count;
    }
    // A tile lies where its middle would be if all were written one after the other.
    Index before = 0;
    for (const Tile& t : tiles) {
      const Index entries = maps[t.layer]->tile(t.tile).length;
      positions.push_back((static_cast<double>(before) + 0.5 * static_cast<double>(entries)) /
                          static_cast<double>(parameters()));
      before += entries;
    }
  }

  struct Tile {
    std::size_t layer;
    Index tile;
  };
  /// What a layer reads, and whether its adjoints are the first that reach it on the way back, or are added to others.
  struct Edges {
    std::size_t input = 0;
    bool first_to_input = true;
    std::size_t addend = 0;  ///< 0: none
    bool first_to_addend = true;
  };
  /// Consecutive layers that a chunk of samples goes through at once, or a single one that wants all samples together.
  struct Segment {
    std::size_t begin;
    std::size_t end;
    bool couples;
  };

  std::size_t depth() const { return maps.size(); }
  bool couples_samples() const { return segments.size() > 1; }
  bool drops() const {
    return std::any_of(dropout.begin(), dropout.end(), [](double rate) { return rate > 0; });
  }
  /// Entries of activation i.
  Index rows(std::size_t i) const { return i == 0 ? features : sizes[i - 1]; }
  Index parameters() const { return network->layout().size(); }

  std::shared_ptr<const Network> network;
  std::shared_ptr<const Dataset> data;
  NetworkOptions options;
  Index places;  ///< targets of a sample, of whose losses its own is the mean
  std::shared_ptr<const LossMaps<T>> loss;
  const T* input = nullptr;
  Index features = 0;
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> typed_targets;
  Targets<T> targets;
  std::vector<const LayerMaps<T>*> maps;
  std::vector<Index> sizes;  ///< outputs of each layer
  std::vector<Tile> tiles;
  std::vector<double> positions;     ///< of the tiles among the parameters, in [0, 1)
  std::vector<Edges> edges;          ///< of each layer
  double multiplications = 0;        ///< of a sample, by all layers
  double first_multiplications = 0;  ///< by those that read the data
  std::vector<double> dropout;       ///< rate of each layer
  std::vector<Segment> segments;     ///< in order; the first and the last (which may be empty) couple nothing
  Index joined_rows = 0;             ///< largest activation to which several layers return adjoints; 0: none

 private:
  void wire() {
    edges.resize(depth());
    std::vector<bool> reached(depth() + 1, false);
    const auto reach = [&](std::size_t activation) {
      const bool first = !reached[activation];
      reached[activation] = true;
      if (!first) joined_rows = std::max(joined_rows, rows(activation));
      return first;
    };
    for (std::size_t l = depth(); l-- > 0;) {
      const Wiring& wiring = network->wiring(l);
      edges[l].input = static_cast<std::size_t>(wiring.input);
      edges[l].first_to_input = reach(edges[l].input);
      if (wiring.addend == Wiring::kNone) continue;
      edges[l].addend = static_cast<std::size_t>(wiring.addend);
      edges[l].first_to_addend = reach(edges[l].addend);
    }
    segments.push_back({0, 0, false});
    for (std::size_t l = 0; l < depth(); ++l) {
      if (network->layers()[l]->couples_samples()) {
        segments.push_back({l, l + 1, true});
        segments.push_back({l + 1, l + 1, false});
      } else {
        segments.back().end = l + 1;
      }
    }
  }
};

/// The samples over which means are taken.
struct Selection {
  std::vector<Index> samples;
  bool contiguous = true;  ///< samples are 0, 1, ..., N-1: the data is read in place
  std::uint64_t key = 0;   ///< of the samples in their order, from which masks are drawn; 0 without dropout
  Index count() const { return static_cast<Index>(samples.size()); }
  void draw_key() {
    key = samples.size();
    for (const Index sample : samples) {
      // Multiplication by the golden ratio and a shift: Fibonacci hashing (Knuth, volume 3, section 6.4).
      key = (key ^ static_cast<std::uint64_t>(sample)) * 0x9E3779B97F4A7C15U;
      key ^= key >> 29U;
    }
  }
};

/// What the sweeps over one pass of samples leave behind: inputs a[0] (only when gathered), outputs
/// a[l+1] and adjoints d[l+1] of each layer l, and the loss's cache.
template <class T>
struct Pass {
  std::vector<Buffer<T>> a;
  std::vector<Buffer<T>> d;
  std::vector<Buffer<T>> masks;  ///< of each layer with dropout, 0 or 1 / (1 - rate)
  Buffer<T> joined;              ///< adjoints on their way to an activation that has some already
  Buffer<T> cache;
  std::vector<double> sums;
  std::vector<Index> correct;
  Range range{0, 0};  ///< the pass's samples within the selection
  const T* input = nullptr;

  void prepare(const Model<T>& model, const Selection& selection, Range pass, bool adjoints) {
    range = pass;
    const Index n = range.size();
    a.resize(model.depth() + 1);
    d.resize(model.depth() + 1);
    masks.resize(model.depth());
    for (std::size_t l = 0; l < model.depth(); ++l) {
      grow(a[l + 1], model.sizes[l] * n);
      if (model.dropout[l] > 0) grow(masks[l], model.sizes[l] * n);
      if (adjoints) grow(d[l + 1], model.sizes[l] * n);
    }
    if (adjoints) grow(joined, model.joined_rows * n);
    grow(cache, model.sizes.back() * n);
    const auto chunks = static_cast<std::size_t>(block_count(n, chunk()));
    if (sums.size() < chunks) sums.resize(chunks);
    if (correct.size() < chunks) correct.resize(chunks);
    if (selection.contiguous) {
      input = model.input + range.begin * model.features;
    } else {
      grow(a[0], model.features * n);
      input = a[0].data();
    }
  }

  Index chunk() const { return chunk_size(range.size()); }
  Index chunks() const { return block_count(range.size(), chunk()); }

  ConstColumns<T> output(const Model<T>& model, std::size_t l, Range columns) const {
    const Index rows = model.rows(l);
    const T* base = l == 0 ? input : a[l].data();
    return {base + columns.begin * rows, rows, columns.size()};
  }
  ConstColumns<T> adjoint(const Model<T>& model, std::size_t l, Range columns) const {
    const Index rows = model.sizes[l - 1];
    return {d[l].data() + columns.begin * rows, rows, columns.size()};
  }
  Columns<T> at(const Model<T>& model, Buffer<T>& buffer, std::size_t l, Range columns) const {
    const Index rows = model.sizes[l - 1];
    return {buffer.data() + columns.begin * rows, rows, columns.size()};
  }
};

enum class Depth { none, forward, backward };

/// A point: its parameters in T and the passes over the selected samples at it.
template <class T>
struct Point {
  Vector x;
  Buffer<T> weights;
  Selection selection;
  std::vector<Pass<T>> passes;  ///< all of them, or one that is filled again and again
  bool kept = false;            ///< all passes are in memory
  Depth depth = Depth::none;    ///< how far the kept passes have gone
  double value = 0;
  /// The point whose parameters these are, where this one is a part of its samples; null: its own.
  const Point* whole = nullptr;

  const T* weight_data() const { return whole != nullptr ? whole->weights.data() : weights.data(); }

  void load(const Model<T>& model, const Vector& at) {
    const Index n = model.parameters();
    if (x.size() != n) x.resize(n);
    if (weights.size() != n) weights.resize(n);
    parallel_for(block_count(n, kConversionBlock), [&](Index task) {
      const Range r = block_range(n, kConversionBlock, task);
      x.segment(r.begin, r.size()) = at.segment(r.begin, r.size());
      weights.segment(r.begin, r.size()) = at.segment(r.begin, r.size()).template cast<T>();
    });
    depth = Depth::none;
  }

  Index pass_count(const Model<T>& model) const {
    return std::max<Index>(1, block_count(selection.count(), model.options.pass_size));
  }
  Range pass_range(const Model<T>& model, Index i) const {
    return block_range(selection.count(), model.options.pass_size, i);
  }
};

/// Calls visit(segment, columns, chunk) for the segments in order, or in the opposite one: in parallel for the chunks
/// of a pass where samples are independent, else once for all its columns.
template <class T, class Visit>
void through_segments(const Model<T>& model, const Pass<T>& pass, bool backwards, const Visit& visit) {
  const std::size_t count = model.segments.size();
  for (std::size_t i = 0; i < count; ++i) {
    const typename Model<T>::Segment& segment = model.segments[backwards ? count - 1 - i : i];
    if (segment.couples) {
      visit(segment, Range{0, pass.range.size()}, Index{0});
    } else {
      parallel_for(pass.chunks(),
                   [&](Index chunk) { visit(segment, block_range(pass.range.size(), pass.chunk(), chunk), chunk); });
    }
  }
}

/// Copies the selected samples of some columns together.
template <class T>
void gather(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Range columns) {
  if (point.selection.contiguous) return;
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  const auto row_of = [&](Index j) { return model.input + samples[j] * model.features; };
  for (Index j = 0; j < columns.size(); ++j) {
    // Samples lie anywhere in memory: the next one is fetched while this one is copied.
    if (j + 1 < columns.size()) {
      constexpr Index kLine = 64 / sizeof(T);
      for (Index i = 0; i < model.features; i += kLine) __builtin_prefetch(row_of(j + 1) + i);
    }
    std::memcpy(pass.a[0].data() + (columns.begin + j) * model.features, row_of(j),
                static_cast<std::size_t>(model.features) * sizeof(T));
  }
}

/// Draws the mask of layer l for some columns: sixteen bits an entry, by the selection, the layer and the sample.
template <class T>
void draw_mask(const Model<T>& model, const Point<T>& point, Pass<T>& pass, std::size_t l, Range columns) {
  constexpr double kCells = 65536;
  const auto threshold = static_cast<std::uint64_t>(std::lround(model.dropout[l] * kCells));
  const auto kept = static_cast<T>(kCells / (kCells - static_cast<double>(threshold)));
  const RandomStream stream(point.selection.key, Purpose::dropout, l);
  const Index* samples = point.selection.samples.data() + pass.range.begin;
  const Index rows = model.sizes[l];
  const Index words = block_count(rows, 4);
  for (Index j = columns.begin; j < columns.end; ++j) {
    T* const mask = pass.masks[l].data() + j * rows;
    const auto first = static_cast<std::uint64_t>(samples[j] * words);
    for (Index word = 0; word < words; ++word) {
      std::uint64_t bits = stream.bits(first + static_cast<std::uint64_t>(word));
      const Index end = std::min(rows, 4 * (word + 1));
      for (Index i = 4 * word; i < end; ++i, bits >>= 16U) mask[i] = (bits & 0xFFFFU) < threshold ? T(0) : kept;
    }
  }
}

/// Multiplies what goes through layer l, forward or back, by its mask.
template <class T>
void drop(const Model<T>& model, const Pass<T>& pass, std::size_t l, Range columns, Columns<T> values) {
  if (!(model.dropout[l] > 0)) return;
  const Index rows = model.sizes[l];
  values.array() *= ConstColumns<T>(pass.masks[l].data() + columns.begin * rows, rows, columns.size()).array();
}

/// The losses of a chunk, from the outputs of the last layer.
template <class T>
void losses(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Range columns, Index chunk_index,
            bool count_correct) {
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  const ConstColumns<T> z = pass.output(model, model.depth(), columns);
  const auto chunk = static_cast<std::size_t>(chunk_index);
  pass.sums[chunk] = model.loss->value(z, model.targets, samples, pass.at(model, pass.cache, model.depth(), columns));
  if (!count_correct) return;
  pass.correct[chunk] = 0;
  const Index places = model.data->places;
  const Index classes = z.rows() / places;
  for (Index j = 0; j < z.cols() * places; ++j) {
    const ConstColumns<T> logits(z.data() + j * classes, classes, 1);
    Index label = 0;
    // A single output is the logit of class 1.
    if (classes == 1) {
      label = logits(0, 0) > T(0) ? 1 : 0;
    } else {
      logits.col(0).maxCoeff(&label);
    }
    if (label == model.targets.labels[samples[j / places] * places + j % places]) ++pass.correct[chunk];
  }
}

/// One segment forward, with the samples before the first layer and the losses behind the last.
template <class T>
void forward(const Model<T>& model, const Point<T>& point, Pass<T>& pass, const typename Model<T>::Segment& segment,
             Range columns, Index chunk, bool count_correct) {
  if (segment.begin == 0 && !segment.couples) gather(model, point, pass, columns);
  for (std::size_t l = segment.begin; l < segment.end; ++l) {
    const typename Model<T>::Edges& edges = model.edges[l];
    Columns<T> y = pass.at(model, pass.a[l + 1], l + 1, columns);
    model.maps[l]->forward(point.weight_data() + model.network->offset(l), pass.output(model, edges.input, columns), y);
    if (model.dropout[l] > 0) draw_mask(model, point, pass, l, columns);
    drop(model, pass, l, columns, y);
    if (edges.addend != 0) y += pass.output(model, edges.addend, columns);
  }
  if (segment.end == model.depth() && !segment.couples) losses(model, point, pass, columns, chunk, count_correct);
}

/// Takes the adjoints d[segment.end] of a segment's outputs back to those of what its layers read. `back(l, dx)` writes
/// what layer l returns to its input.
template <class T, class Back>
void return_adjoints(const Model<T>& model, const Pass<T>& pass, const typename Model<T>::Segment& segment,
                     Range columns, std::vector<Buffer<T>>& d, Buffer<T>& joined, const Back& back) {
  for (std::size_t l = segment.end; l-- > segment.begin;) {
    const typename Model<T>::Edges& edges = model.edges[l];
    if (edges.input != 0) {
      Columns<T> dx = pass.at(model, d[edges.input], edges.input, columns);
      if (edges.first_to_input) {
        back(l, dx);
      } else {
        const Columns<T> more(joined.data() + columns.begin * model.joined_rows, dx.rows(), dx.cols());
        back(l, more);
        dx += more;
      }
    }
    if (edges.addend != 0) {
      const Columns<T> dy = pass.at(model, d[l + 1], l + 1, columns);
      Columns<T> other = pass.at(model, d[edges.addend], edges.addend, columns);
      if (edges.first_to_addend) {
        other = dy;
      } else {
        other += dy;
      }
    }
  }
}

/// One segment of a plain backward sweep.
template <class T>
void backward_chain(const Model<T>& model, const Point<T>& point, const Pass<T>& pass,
                    const typename Model<T>::Segment& segment, Range columns, std::vector<Buffer<T>>& d,
                    Buffer<T>& joined) {
  return_adjoints(model, pass, segment, columns, d, joined, [&](std::size_t l, Columns<T> dx) {
    const Columns<T> dy = pass.at(model, d[l + 1], l + 1, columns);
    model.maps[l]->backward(point.weight_data() + model.network->offset(l),
                            pass.output(model, model.edges[l].input, columns), pass.output(model, l + 1, columns),
                            ConstColumns<T>(dy.data(), dy.rows(), dy.cols()), dx);
    drop(model, pass, l, columns, dx);
  });
}

/// dL/dz of each sample of a chunk, for the Fisher matrices that are sums of outer products of gradients. Over R places
/// the loss is a mean, and the likelihood a product: 1/R of the Fisher matrix of the sum of R scores is that of the
/// loss, so that the scores of the places are summed over sqrt(R), those of drawn targets and those of the data alike.
template <class T>
void scores(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Curvature kind, std::uint64_t seed,
            std::uint64_t draw, Range columns, Buffer<T>& out) {
  const std::size_t top = model.depth();
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  const Columns<T> cache = pass.at(model, pass.cache, top, columns);
  const ConstColumns<T> mean(cache.data(), cache.rows(), cache.cols());
  if (kind == Curvature::fisher_sampled) {
    const RandomStream stream(seed, Purpose::sampled_label, draw);
    model.loss->sampled_score(mean, stream, samples, pass.at(model, out, top, columns));
  } else {
    model.loss->adjoint(mean, model.targets, samples, std::sqrt(static_cast<T>(model.places)),
                        pass.at(model, out, top, columns));
  }
}

/// One segment of the backward sweep of the mean loss.
template <class T>
void backward(const Model<T>& model, const Point<T>& point, Pass<T>& pass, const typename Model<T>::Segment& segment,
              Range columns) {
  const std::size_t top = model.depth();
  if (segment.end == top && !segment.couples) {
    const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
    const T scale = T(1) / static_cast<T>(point.selection.count());
    const Columns<T> cache = pass.at(model, pass.cache, top, columns);
    model.loss->adjoint(ConstColumns<T>(cache.data(), cache.rows(), cache.cols()), model.targets, samples, scale,
                        pass.at(model, pass.d[top], top, columns));
  }
  backward_chain(model, point, pass, segment, columns, pass.d, pass.joined);
}

template <class T>
void forward_pass(const Model<T>& model, const Point<T>& point, Pass<T>& pass, bool count_correct) {
  through_segments(model, pass, false, [&](const auto& segment, Range columns, Index chunk) {
    forward(model, point, pass, segment, columns, chunk, count_correct);
  });
}

/// Sweeps one pass forward and, if asked, backward; returns the sum of its losses.
template <class T>
double sweep(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Depth from, Depth to) {
  if (model.couples_samples()) {
    if (from == Depth::none) forward_pass(model, point, pass, false);
    if (to == Depth::backward) {
      through_segments(model, pass, true, [&](const auto& segment, Range columns, Index) {
        backward(model, point, pass, segment, columns);
      });
    }
  } else {
    // A chunk goes all the way and back while it is in cache.
    through_segments(model, pass, false, [&](const auto& segment, Range columns, Index chunk) {
      if (from == Depth::none) forward(model, point, pass, segment, columns, chunk, false);
      if (to == Depth::backward) backward(model, point, pass, segment, columns);
    });
  }
  return std::accumulate(pass.sums.begin(), pass.sums.begin() + pass.chunks(), 0.0);
}

/// out (+)= in, from the network's precision to double.
template <class T>
void store(const T* in, Index n, bool add, double* out) {
  if (add) {
    for (Index i = 0; i < n; ++i) out[i] += static_cast<double>(in[i]);
  } else {
    for (Index i = 0; i < n; ++i) out[i] = static_cast<double>(in[i]);
  }
}

/// The parameter gradients of one pass, written into or added to g (n doubles). `tile_gradient` is
/// called as (map, tile, layer, beta, out).
template <class T, class TileGradient>
void gradient_tile(const Model<T>& model, const typename Model<T>::Tile& t, T* scratch, bool add, double* g,
                   const TileGradient& tile_gradient) {
  const ParameterTile shape = model.maps[t.layer]->tile(t.tile);
  const Index begin = model.network->offset(t.layer) + shape.begin;
  if constexpr (std::is_same_v<T, double>) {
    tile_gradient(*model.maps[t.layer], t.tile, t.layer, add ? 1.0 : 0.0, g + begin);
  } else {
    tile_gradient(*model.maps[t.layer], t.tile, t.layer, T(0), scratch + begin);
    store(scratch + begin, shape.length, add, g + begin);
  }
}

template <class T>
std::size_t bytes_of_a_sample(const Model<T>& model) {
  const Index units = std::accumulate(model.sizes.begin(), model.sizes.end(), Index{0});
  Index masked = 0;
  for (std::size_t l = 0; l < model.depth(); ++l) masked += model.dropout[l] > 0 ? model.sizes[l] : 0;
  return static_cast<std::size_t>(2 * units + masked + 2 * model.sizes.back() + model.features) * sizeof(T);
}

/// As many vectors as keep the tangents within an eighth of the budget, at most 8, go through a pass together.
template <class T>
Index vectors_together(const Model<T>& model, Index samples) {
  const double each =
      static_cast<double>(bytes_of_a_sample(model)) * static_cast<double>(std::min(model.options.pass_size, samples));
  return std::clamp<Index>(static_cast<Index>(model.options.memory_budget / 8 / each), 1, 8);
}

/// Products with a curvature matrix at a point that it keeps.
template <class T>
class CurvatureOperator final : public LinearOperator {
 public:
  CurvatureOperator(std::shared_ptr<const Model<T>> model, Curvature kind) : model_(std::move(model)), kind_(kind) {}

  Curvature kind() const { return kind_; }
  /// The operator now stands for this point, whose passes, if kept, have been swept backward.
  void bind(std::shared_ptr<Point<T>> point, std::uint64_t draw) {
    point_ = std::move(point);
    draw_ = draw;
    scores_.resize(point_->passes.size());
    if (point_->kept) {
      for (std::size_t i = 0; i < scores_.size(); ++i) score(i);
    }
  }

  /// Lets go of the point, so that it can be used again, but keeps the buffers.
  void unbind() { point_.reset(); }

  Index size() const override { return model_->parameters(); }

  void apply(ConstMatrixView V, MatrixView Y) const override {
    [[maybe_unused]] const SweepMode<T> mode;
    const Model<T>& model = *model_;
    if (V.rows() != size() || Y.rows() != size() || V.cols() != Y.cols()) {
      fail("curvature product: {} x {} into {} x {}, but the operator has size {}", V.rows(), V.cols(), Y.rows(),
           Y.cols(), size());
    }
    const Index together = vectors_together(model, point_->selection.count());
    for (Index first = 0; first < V.cols(); first += together) {
      const Index k = std::min(together, V.cols() - first);
      load(V, first, k);
      for (Index i = 0; i < point_->pass_count(model); ++i) {
        const std::size_t slot = point_->kept ? static_cast<std::size_t>(i) : 0;
        Pass<T>* pass = &point_->passes[slot];
        if (!point_->kept) {
          pass->prepare(model, point_->selection, point_->pass_range(model, i), true);
          sweep(model, *point_, *pass, Depth::none, Depth::backward);
          score(slot);
        }
        through_segments(model, *pass, false, [&](const auto& segment, Range columns, Index) {
          for (Index v = 0; v < k; ++v) {
            tangents_forward(slot, segment, columns, static_cast<std::size_t>(v));
            if (!model.couples_samples()) tangents_backward(slot, segment, columns, static_cast<std::size_t>(v));
          }
        });
        if (model.couples_samples()) {
          through_segments(model, *pass, true, [&](const auto& segment, Range columns, Index) {
            for (Index v = 0; v < k; ++v) tangents_backward(slot, segment, columns, static_cast<std::size_t>(v));
          });
        }
        const auto tiles = static_cast<Index>(model.tiles.size());
        parallel_for(tiles * k, [&](Index task) {
          gradients(*pass, model.tiles[static_cast<std::size_t>(task / k)], static_cast<std::size_t>(task % k), i > 0,
                    Y.col(first + task % k).data());
        });
      }
    }
  }

  /// V'B V over the point's samples: tangents forward and the loss's curvature between them.
  void forms(ConstMatrixView V, Matrix& out) const {
    const Model<T>& model = *model_;
    const Index k = V.cols();
    const auto pairs = static_cast<std::size_t>(k * k);
    load(V, 0, k);
    out.setZero(k, k);
    const std::size_t top = model.depth();
    for (Index i = 0; i < point_->pass_count(model); ++i) {
      const std::size_t slot = point_->kept ? static_cast<std::size_t>(i) : 0;
      Pass<T>& pass = point_->passes[slot];
      if (!point_->kept) {
        pass.prepare(model, point_->selection, point_->pass_range(model, i), false);
        sweep(model, *point_, pass, Depth::none, Depth::forward);
        score(slot);
      }
      const Index chunks = pass.chunks();
      form_sums_.assign(std::max(form_sums_.size(), pairs * static_cast<std::size_t>(chunks)), 0.0);
      through_segments(model, pass, false, [&](const auto& segment, Range columns, Index chunk) {
        for (Index v = 0; v < k; ++v) tangents_forward(slot, segment, columns, static_cast<std::size_t>(v));
        if (segment.end != top || segment.couples) return;
        double* const sums = form_sums_.data() + pairs * static_cast<std::size_t>(chunk);
        for (Index v = 0; v < k; ++v) {
          Tangent& t = tangents_[static_cast<std::size_t>(v)];
          const ConstColumns<T> u = read(pass, t.ra, top, columns);
          const Columns<T> Hu = pass.at(model, t.rd[top], top, columns);
          output_product(slot, columns, u, Hu);
          for (Index w = 0; w < k; ++w) {
            const ConstColumns<T> other = read(pass, tangents_[static_cast<std::size_t>(w)].ra, top, columns);
            double sum = 0;
            for (Index j = 0; j < columns.size(); ++j) sum += static_cast<double>(other.col(j).dot(Hu.col(j)));
            sums[v * k + w] = sum;
          }
        }
      });
      for (Index chunk = 0; chunk < chunks; ++chunk) {
        const double* const sums = form_sums_.data() + pairs * static_cast<std::size_t>(chunk);
        out += Eigen::Map<const Matrix>(sums, k, k);
      }
    }
    for (Index v = 0; v < k; ++v) {
      for (Index w = 0; w < v; ++w) out(v, w) = out(w, v) = 0.5 * (out(v, w) + out(w, v));
    }
  }

 private:
  /// Tangents of outputs and of adjoints of each layer, and the direction, for one vector.
  struct Tangent {
    Buffer<T> direction;
    std::vector<Buffer<T>> ra;
    std::vector<Buffer<T>> rd;
    Buffer<T> joined;
    Buffer<T> scratch;
  };

  void load(ConstMatrixView V, Index first, Index k) const {
    const Model<T>& model = *model_;
    const Index n = size();
    const Index samples = std::min(model.options.pass_size, point_->selection.count());
    if (static_cast<Index>(tangents_.size()) < k) tangents_.resize(static_cast<std::size_t>(k));
    for (Index v = 0; v < k; ++v) {
      Tangent& t = tangents_[static_cast<std::size_t>(v)];
      grow(t.direction, n);
      if constexpr (!std::is_same_v<T, double>) grow(t.scratch, n);
      t.ra.resize(model.depth() + 1);
      t.rd.resize(model.depth() + 1);
      for (std::size_t l = 1; l <= model.depth(); ++l) {
        grow(t.ra[l], model.sizes[l - 1] * samples);
        grow(t.rd[l], model.sizes[l - 1] * samples);
      }
      grow(t.joined, model.joined_rows * samples);
    }
    const Index blocks = block_count(n, kConversionBlock);
    parallel_for(blocks * k, [&](Index task) {
      const Range r = block_range(n, kConversionBlock, task / k);
      tangents_[static_cast<std::size_t>(task % k)].direction.segment(r.begin, r.size()) =
          V.col(first + task % k).segment(r.begin, r.size()).template cast<T>();
    });
  }

  void score(std::size_t slot) const {
    if (kind_ != Curvature::fisher_sampled && kind_ != Curvature::fisher_empirical) return;
    Pass<T>& pass = point_->passes[slot];
    grow(scores_[slot], model_->sizes.back() * pass.range.size());
    parallel_for(pass.chunks(), [&](Index task) {
      scores(*model_, *point_, pass, kind_, model_->options.seed, draw_,
             block_range(pass.range.size(), pass.chunk(), task), scores_[slot]);
    });
  }

  ConstColumns<T> read(const Pass<T>& pass, std::vector<Buffer<T>>& buffers, std::size_t i, Range columns) const {
    const Columns<T> c = pass.at(*model_, buffers[i], i, columns);
    return {c.data(), c.rows(), c.cols()};
  }

  void tangents_forward(std::size_t slot, const typename Model<T>::Segment& segment, Range columns,
                        std::size_t v) const {
    const Model<T>& model = *model_;
    Pass<T>& pass = point_->passes[slot];
    Tangent& t = tangents_[v];
    for (std::size_t l = segment.begin; l < segment.end; ++l) {
      const Index offset = model.network->offset(l);
      const typename Model<T>::Edges& edges = model.edges[l];
      Columns<T> ry = pass.at(model, t.ra[l + 1], l + 1, columns);
      model.maps[l]->forward_tangent(point_->weight_data() + offset, t.direction.data() + offset,
                                     pass.output(model, edges.input, columns), pass.output(model, l + 1, columns),
                                     edges.input == 0 ? nullptr : read(pass, t.ra, edges.input, columns).data(), ry);
      drop(model, pass, l, columns, ry);
      if (edges.addend != 0) ry += read(pass, t.ra, edges.addend, columns);
    }
  }

  void tangents_backward(std::size_t slot, const typename Model<T>::Segment& segment, Range columns,
                         std::size_t v) const {
    const Model<T>& model = *model_;
    Pass<T>& pass = point_->passes[slot];
    Tangent& t = tangents_[v];
    const std::size_t top = model.depth();
    if (segment.end == top && !segment.couples) {
      output_product(slot, columns, read(pass, t.ra, top, columns), pass.at(model, t.rd[top], top, columns));
    }
    return_adjoints(model, pass, segment, columns, t.rd, t.joined, [&](std::size_t l, Columns<T> rdx) {
      const Index offset = model.network->offset(l);
      const std::size_t input = model.edges[l].input;
      const T* weights = point_->weight_data() + offset;
      const ConstColumns<T> x = pass.output(model, input, columns);
      const ConstColumns<T> y = pass.output(model, l + 1, columns);
      const ConstColumns<T> rdy = read(pass, t.rd, l + 1, columns);
      if (kind_ == Curvature::hessian) {
        model.maps[l]->backward_tangent(weights, t.direction.data() + offset, x, y, pass.adjoint(model, l + 1, columns),
                                        read(pass, t.ra, input, columns), rdy, rdx);
      } else {
        model.maps[l]->backward(weights, x, y, rdy, rdx);
      }
      drop(model, pass, l, columns, rdx);
    });
  }

  /// The curvature of the loss in the outputs (of the Gram matrix, the identity), times the outputs' tangents, over N.
  void output_product(std::size_t slot, Range columns, ConstColumns<T> u, Columns<T> out) const {
    const Model<T>& model = *model_;
    Pass<T>& pass = point_->passes[slot];
    const T scale = T(1) / static_cast<T>(point_->selection.count());
    const std::size_t top = model.depth();
    if (kind_ == Curvature::fisher_sampled || kind_ == Curvature::fisher_empirical) {
      const Columns<T> s = pass.at(model, scores_[slot], top, columns);
      for (Index j = 0; j < u.cols(); ++j) out.col(j) = (scale * s.col(j).dot(u.col(j))) * s.col(j);
    } else if (kind_ == Curvature::jacobian_gram) {
      out = scale * u;
    } else {
      const Columns<T> cache = pass.at(model, pass.cache, top, columns);
      model.loss->hessian_product(ConstColumns<T>(cache.data(), cache.rows(), cache.cols()), u, scale, out);
    }
  }

  void gradients(Pass<T>& pass, const typename Model<T>::Tile& tile, std::size_t v, bool add, double* g) const {
    const Model<T>& model = *model_;
    Tangent& t = tangents_[v];
    const Range all{0, pass.range.size()};
    gradient_tile<T>(model, tile, t.scratch.data(), add, g,
                     [&](const LayerMaps<T>& maps, Index index, std::size_t l, T beta, T* out) {
                       const std::size_t input = model.edges[l].input;
                       const ConstColumns<T> x = pass.output(model, input, all);
                       const Columns<T> rd = pass.at(model, t.rd[l + 1], l + 1, all);
                       const ConstColumns<T> rdy(rd.data(), rd.rows(), rd.cols());
                       if (kind_ == Curvature::hessian) {
                         maps.gradient_tangent(index, x, pass.adjoint(model, l + 1, all),
                                               input == 0 ? nullptr : t.ra[input].data(), rdy, beta, out);
                       } else {
                         maps.gradient(index, x, rdy, beta, out);
                       }
                     });
  }

  std::shared_ptr<const Model<T>> model_;
  Curvature kind_;
  std::shared_ptr<Point<T>> point_;
  std::uint64_t draw_ = 0;
  /// Per kept pass, outputs x samples. The operator's own: operators of other kinds or draws share its point.
  mutable std::vector<Buffer<T>> scores_;
  mutable std::vector<Tangent> tangents_;
  mutable std::vector<double> form_sums_;  ///< of each chunk
};

template <class T>
class NetworkObjectiveOf final : public NetworkObjective {
 public:
  NetworkObjectiveOf(std::shared_ptr<const Network> network, Loss loss, std::shared_ptr<const Dataset> data,
                     const NetworkOptions& options)
      : model_(std::make_shared<const Model<T>>(std::move(network), loss, std::move(data), options)),
        loss_(loss),
        point_(std::make_shared<Point<T>>()) {
    select_all();
  }

  const Network& network() const override { return *model_->network; }
  const Dataset& data() const override { return *model_->data; }
  Loss loss() const override { return loss_; }
  bool reconstructs() const override { return model_->options.targets_are_inputs; }
  const ParameterLayout& layout() const override { return model_->network->layout(); }
  Index samples() const override { return selection_.count(); }
  Index total_samples() const override { return sample_count(); }
  Index sample_count() const override { return model_->data->sample_count(); }
  std::span<const Index> selection() const override { return selection_.samples; }
  void set_label_draw(std::uint64_t draw) override { draw_ = draw; }

  void select(std::span<const Index> samples) override {
    if (samples.empty()) fail("batch: no sample is selected; select at least one");
    for (const Index sample : samples) {
      if (sample < 0 || sample >= sample_count()) {
        fail("batch: sample {} does not exist; the data set has {} (from 0)", sample, sample_count());
      }
    }
    selection_.samples.assign(samples.begin(), samples.end());
    selection_.contiguous = false;
    reselected();
  }

  void select_all() override {
    if (selection_.contiguous && selection_.count() == sample_count()) return;
    selection_.samples.resize(static_cast<std::size_t>(sample_count()));
    std::iota(selection_.samples.begin(), selection_.samples.end(), Index{0});
    selection_.contiguous = true;
    reselected();
  }

  double value(const Vector& x) override {
    [[maybe_unused]] const SweepMode<T> mode;
    Point<T>& point = at(x);
    if (point.kept && point.depth != Depth::none) return point.value;
    return for_each_pass(point, Depth::forward, [](Pass<T>&, Index) {});
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    [[maybe_unused]] const SweepMode<T> mode;
    if (g.size() != size()) g.resize(size());
    Point<T>& point = at(x);
    if constexpr (!std::is_same_v<T, double>) grow(scratch_, size());
    return for_each_pass(point, Depth::backward, [&](Pass<T>& pass, Index i) {
      const Range all{0, pass.range.size()};
      parallel_for(
          static_cast<Index>(model_->tiles.size()),
          [&](Index task) {
            gradient_tile<T>(*model_, model_->tiles[static_cast<std::size_t>(task)], scratch_.data(), i > 0, g.data(),
                             [&](const LayerMaps<T>& maps, Index tile, std::size_t l, T beta, T* out) {
                               maps.gradient(tile, pass.output(*model_, model_->edges[l].input, all),
                                             pass.adjoint(*model_, l + 1, all), beta, out);
                             });
          },
          model_->positions.data());
    });
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    [[maybe_unused]] const SweepMode<T> mode;
    std::shared_ptr<CurvatureOperator<T>> op = recycled_operator(kind);
    Point<T>& now = at(x);
    if (now.kept) {
      if (now.depth != Depth::backward) for_each_pass(now, Depth::backward, [](Pass<T>&, Index) {});
      op->bind(point_, draw_);
      return op;
    }
    // More samples than one pass: a point of its own, with all passes if they fit into the budget.
    auto own = std::make_shared<Point<T>>();
    own->selection = selection_;
    own->load(*model_, x);
    const Index passes = own->pass_count(*model_);
    own->kept = fits_budget();
    own->passes.resize(own->kept ? static_cast<std::size_t>(passes) : 1);
    if (own->kept) {
      for (Index i = 0; i < passes; ++i) {
        Pass<T>& pass = own->passes[static_cast<std::size_t>(i)];
        pass.prepare(*model_, own->selection, own->pass_range(*model_, i), true);
        sweep(*model_, *own, pass, Depth::none, Depth::backward);
      }
      own->depth = Depth::backward;
    }
    op->bind(std::move(own), draw_);
    return op;
  }

  std::vector<KroneckerFactors> kronecker_layers() const override {
    std::vector<KroneckerFactors> all;
    for (std::size_t l = 0; l < model_->depth(); ++l) {
      const std::optional<LinearMap> map = model_->network->layers()[l]->linear_map();
      if (map)
        all.push_back({model_->network->offset(l), map->inputs, map->outputs, map->places, map->bias, {}, {}, {}, {}});
    }
    return all;
  }

  double kronecker_factors(const Vector& x, const FactorRequest& request,
                           std::vector<KroneckerFactors>& factors) override {
    [[maybe_unused]] const SweepMode<T> mode;
    shape_factors(request, factors);
    const double sweeps = with_single_adjoints(
        x, request,
        [&](const Pass<T>& pass, const std::vector<Buffer<T>>& adjoints,
            const typename KroneckerSums<T>::Weights& weights) {
          for (std::size_t i = 0; i < factor_places_.size(); ++i) {
            const FactorPlace& at = factor_places_[i];
            const auto [a, g] = sides(pass, adjoints, at);
            factor_places_[i].sums.add_factors(a, g, request.sharing, weights, factors[i]);
            if (factors[i].A_next.size() == 0) continue;
            const FactorPlace& next = factor_places_[i + 1];
            const auto [a_next, g_next] = sides(pass, adjoints, next);
            factor_places_[i].sums.add_neighbours(a, g, a_next, g_next, next.sums.map(), weights, factors[i]);
          }
        });
    double products = 0;
    for (const KroneckerFactors& f : factors) {
      // Symmetric products cost half of what others do.
      const auto flops = static_cast<double>(f.A.size() + f.G.size() + 2 * (f.A_next.size() + f.G_next.size()));
      products += flops * static_cast<double>(request.sharing == WeightSharing::expand ? f.places : 1);
    }
    return sweeps + part_of_selection(request.share) * products / gradient_flops();
  }

  double kronecker_moments(const Vector& x, const FactorRequest& request, const std::vector<KroneckerBasis>& bases,
                           std::vector<Matrix>& moments) override {
    [[maybe_unused]] const SweepMode<T> mode;
    check_request(request);
    list_factors();
    if (bases.size() != factor_places_.size()) {
      fail("Kronecker moments: {} bases for {} layers", bases.size(), factor_places_.size());
    }
    moments.resize(factor_places_.size());
    for (std::size_t i = 0; i < moments.size(); ++i) {
      const LinearMap& map = factor_places_[i].sums.map();
      const Index columns = map.inputs + (map.bias ? 1 : 0);
      const bool plain = bases[i].A.size() == 0 && bases[i].G.size() == 0;
      const bool fits = bases[i].A.rows() == columns && bases[i].A.cols() == columns &&
                        bases[i].G.rows() == map.outputs && bases[i].G.cols() == map.outputs;
      if (!plain && !fits) {
        fail("Kronecker moments: the bases of layer {} are {} x {} and {} x {}; they must be {} and {} square", i + 1,
             bases[i].A.rows(), bases[i].A.cols(), bases[i].G.rows(), bases[i].G.cols(), columns, map.outputs);
      }
      if (moments[i].rows() != map.outputs || moments[i].cols() != columns) moments[i].setZero(map.outputs, columns);
    }
    const double sweeps =
        with_single_adjoints(x, request,
                             [&](const Pass<T>& pass, const std::vector<Buffer<T>>& adjoints,
                                 const typename KroneckerSums<T>::Weights& weights) {
                               for (std::size_t i = 0; i < factor_places_.size(); ++i) {
                                 const auto [a, g] = sides(pass, adjoints, factor_places_[i]);
                                 factor_places_[i].sums.add_moments(a, g, bases[i], weights, moments[i]);
                               }
                             });
    double products = 0;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      const auto flops = static_cast<double>(2 * (bases[i].A.size() + bases[i].G.size() + moments[i].size()));
      products += flops * static_cast<double>(factor_places_[i].sums.map().places);
    }
    return sweeps + part_of_selection(request.share) * products / gradient_flops();
  }

  double curvature_forms(const Vector& x, Curvature kind, std::uint64_t seed, std::uint64_t draw, double share,
                         ConstMatrixView V, Matrix& forms) override {
    [[maybe_unused]] const SweepMode<T> mode;
    if (kind == Curvature::hessian) fail("curvature forms: of a Gauss-Newton or Fisher matrix, not of the Hessian");
    if (!(share > 0 && share <= 1)) fail("curvature forms: share {} lies outside (0, 1]", share);
    constexpr Index kMost = 8;
    if (V.rows() != size() || V.cols() > kMost) {
      fail("curvature forms: of {} vectors of {} entries; at most {} of {} are possible", V.cols(), V.rows(), kMost,
           size());
    }
    const std::shared_ptr<CurvatureOperator<T>> op = recycled_operator(kind);
    Point<T>& point = at(x);
    const bool forward_known = point.kept && point.depth != Depth::none;
    const std::span<const Index> positions = drawn_share(share, seed, draw);
    const double part = static_cast<double>(positions.size()) / static_cast<double>(selection_.count());
    if (forward_known && part == 1) {
      op->bind(point_, draw_);
    } else {
      take_part(point, positions, false);
      op->bind(part_, draw_);
    }
    op->forms(V, forms);
    op->unbind();
    const double forward = forward_known ? 0.0 : 2 * multiplications();
    return part * (forward + static_cast<double>(V.cols()) * 4 * multiplications()) / gradient_flops();
  }

  DrawnGradient sampled_gradient(const Vector& x, std::uint64_t seed, std::uint64_t draw, double share,
                                 Vector& g) override {
    [[maybe_unused]] const SweepMode<T> mode;
    const FactorRequest request{.kind = Curvature::fisher_sampled, .seed = seed, .draw = draw, .share = share};
    check_request(request);
    if (g.size() != size()) g.resize(size());
    if constexpr (!std::is_same_v<T, double>) grow(scratch_, size());
    const double sweeps = with_single_adjoints(
        x, request,
        [&](const Pass<T>& pass, const std::vector<Buffer<T>>& adjoints,
            const typename KroneckerSums<T>::Weights& weights) {
          const Range all{0, pass.range.size()};
          parallel_for(static_cast<Index>(model_->tiles.size()), [&](Index task) {
            gradient_tile<T>(*model_, model_->tiles[static_cast<std::size_t>(task)], scratch_.data(), weights.keep != 0,
                             g.data(), [&](const LayerMaps<T>& maps, Index tile, std::size_t l, T beta, T* out) {
                               maps.gradient(tile, pass.output(*model_, model_->edges[l].input, all),
                                             ConstColumns<T>(adjoints[l + 1].data(), model_->sizes[l], all.size()),
                                             beta, out);
                             });
          });
        });
    const Index samples = samples_of(share);
    g *= 1 / static_cast<double>(samples);
    return {samples, sweeps + part_of_selection(share) * 2 * multiplications() / gradient_flops()};
  }

  Precision precision() const override { return model_->options.precision; }

  CostWeights cost_weights() const override {
    const double p = multiplications();
    const double p1 = first_multiplications();
    const double gradient = gradient_flops();
    // Beyond the memory budget every product repeats the sweeps of a gradient.
    const double repeat = selection_.count() > model_->options.pass_size && !fits_budget() ? 1.0 : 0.0;
    return {2 * p / gradient, 1.0, repeat + (4 * p + 8 * (p - p1)) / gradient,
            repeat + (4 * p + 4 * (p - p1)) / gradient};
  }

  double linearisation_cost(const Vector& x, Curvature) const override {
    const bool known = !selection_changed_ && point_->kept && point_->depth == Depth::backward && is_at(*point_, x);
    const bool repeated = selection_.count() > model_->options.pass_size && !fits_budget();
    return known || repeated ? 0.0 : 1.0;
  }

  std::uint64_t revision() const override { return revision_; }

  /// Losses of single samples carry the rounding of their precision; their mean averages it.
  double value_noise() const override { return std::is_same_v<T, float> ? 1e-7 : 1e-15; }

  Evaluation evaluate(const Vector& x) override {
    [[maybe_unused]] const SweepMode<T> mode;
    Point<T>& point = at(x);
    point.depth = Depth::none;
    const bool classes = model_->targets.labels != nullptr;
    double sum = 0;
    Index correct = 0;
    for (Index i = 0; i < point.pass_count(*model_); ++i) {
      Pass<T>& pass = point.passes[0];
      pass.prepare(*model_, point.selection, point.pass_range(*model_, i), false);
      const Index chunks = pass.chunks();
      forward_pass(*model_, point, pass, classes);
      for (Index c = 0; c < chunks; ++c) {
        sum += pass.sums[static_cast<std::size_t>(c)];
        if (classes) correct += pass.correct[static_cast<std::size_t>(c)];
      }
    }
    const auto n = static_cast<double>(selection_.count());
    const double labels = n * static_cast<double>(model_->data->places);
    return {sum / n, classes ? static_cast<double>(correct) / labels : std::numeric_limits<double>::quiet_NaN()};
  }

  Matrix outputs(const Vector& x, std::size_t layers) override {
    [[maybe_unused]] const SweepMode<T> mode;
    if (layers < 1 || layers > model_->depth()) {
      fail("outputs of the first {} layers: the network has {}", layers, model_->depth());
    }
    Point<T>& point = at(x);
    Matrix z(model_->sizes[layers - 1], selection_.count());
    point.depth = Depth::none;
    for_each_pass(point, Depth::forward, [&](Pass<T>& pass, Index) {
      z.middleCols(pass.range.begin, pass.range.size()) =
          pass.output(*model_, layers, {0, pass.range.size()}).template cast<double>();
    });
    return z;
  }

  double operator_bytes(Index vectors) const override {
    const auto sample = static_cast<double>(bytes_of_a_sample(*model_));
    const auto pass = static_cast<double>(std::min(model_->options.pass_size, selection_.count()));
    // Of several passes the objective has one of its own.
    const auto samples = static_cast<double>(selection_.count());
    const double point = sample * ((fits_budget() ? samples : pass) + (samples > pass ? pass : 0));
    const Index together = std::min(vectors, vectors_together<T>(*model_, selection_.count()));
    // Tangents have no inputs. In float a direction has scratch beside it.
    const double features = static_cast<double>(model_->features) * sizeof(T);
    const double direction = static_cast<double>(size()) * sizeof(T) * (std::is_same_v<T, double> ? 1 : 2);
    const double tangent = (sample - features) * pass + direction;
    return point + static_cast<double>(together) * tangent + static_cast<double>(size()) * (sizeof(double) + sizeof(T));
  }

  std::string explain_non_finite(const Vector& x) override {
    [[maybe_unused]] const SweepMode<T> mode;
    for (Index i = 0; i < x.size(); ++i) {
      if (!std::isfinite(x[i])) return fmt::format("parameter {} is {}", layout().describe_entry(i), x[i]);
    }
    std::string found;
    Point<T>& point = at(x);
    point.depth = Depth::none;
    for_each_pass(point, Depth::forward, [&](Pass<T>& pass, Index) {
      if (found.empty()) found = find_non_finite(point, pass);
    });
    return found.empty() ? Objective::explain_non_finite(x) : found;
  }

 private:
  static bool is_at(const Point<T>& point, const Vector& x) {
    return point.x.size() == x.size() &&
           std::memcmp(point.x.data(), x.data(), static_cast<std::size_t>(x.size()) * sizeof(double)) == 0;
  }

  /// Whether all passes over the selected samples may stay in memory.
  bool fits_budget() const {
    return static_cast<double>(bytes_of_a_sample(*model_)) * static_cast<double>(selection_.count()) <=
           model_->options.memory_budget;
  }

  /// The point x on the selected samples, loaded unless it is the last one.
  Point<T>& at(const Vector& x) {
    if (x.size() != size()) fail("network: a point of {} parameters, but the network has {}", x.size(), size());
    if (!selection_changed_ && is_at(*point_, x)) return *point_;
    swept_.reset();
    for (const auto& op : operators_) {
      if (op.use_count() == 1) op->unbind();
    }
    if (point_.use_count() > 1) {
      // An operator still holds this point. Another that nobody holds any more may serve.
      if (!spare_ || spare_.use_count() > 1) spare_ = std::make_shared<Point<T>>();
      std::swap(point_, spare_);
      selection_changed_ = true;
    }
    if (selection_changed_) point_->selection = selection_;
    selection_changed_ = false;
    point_->load(*model_, x);
    point_->passes.resize(1);
    point_->kept = point_->pass_count(*model_) == 1;
    return *point_;
  }

  /// Sweeps pass after pass and calls visit(pass, i) after each; returns the mean loss.
  template <class Visit>
  double for_each_pass(Point<T>& point, Depth depth, const Visit& visit) {
    double sum = 0;
    for (Index i = 0; i < point.pass_count(*model_); ++i) {
      Pass<T>& pass = point.passes[0];
      if (!point.kept || point.depth == Depth::none) {
        pass.prepare(*model_, point.selection, point.pass_range(*model_, i), depth == Depth::backward);
        sum += sweep(*model_, point, pass, Depth::none, depth);
      } else if (point.depth < depth) {
        pass.prepare(*model_, point.selection, point.pass_range(*model_, i), true);
        sweep(*model_, point, pass, Depth::forward, depth);
      }
      visit(pass, i);
    }
    if (!point.kept || point.depth == Depth::none) point.value = sum / static_cast<double>(point.selection.count());
    if (point.kept) point.depth = std::max(point.depth, depth);
    return point.value;
  }

  /// What follows from other samples than before.
  void reselected() {
    if (model_->drops()) selection_.draw_key();
    selection_changed_ = true;
    ++revision_;
  }

  /// What a sweep back of single samples' losses was for.
  struct Sweep {
    Curvature kind;
    std::uint64_t seed;
    std::uint64_t draw;
    Index samples;
    bool operator==(const Sweep&) const = default;
  };

  /// A layer that is a linear map.
  struct FactorPlace {
    std::size_t layer;
    KroneckerSums<T> sums;
  };

  /// P, and P1: those of layers that read the data and return no adjoints.
  double multiplications() const { return model_->multiplications; }
  double first_multiplications() const { return model_->first_multiplications; }
  double gradient_flops() const { return 6 * multiplications() - 2 * first_multiplications(); }

  /// How many of the selected samples a share of them is.
  Index samples_of(double share) const {
    // Layers that couple samples take their statistics from all of a pass.
    if (model_->couples_samples()) return selection_.count();
    return std::max<Index>(1, static_cast<Index>(std::ceil(share * static_cast<double>(selection_.count()))));
  }
  double part_of_selection(double share) const {
    return static_cast<double>(samples_of(share)) / static_cast<double>(selection_.count());
  }

  /// The positions in the selection of the samples that a share of it takes, ascending.
  std::span<const Index> drawn_share(double share, std::uint64_t seed, std::uint64_t draw) {
    return sampler_.draw(selection_.count(), samples_of(share), RandomStream(seed, Purpose::curvature_samples, draw));
  }

  /// part_ becomes the point on these of its samples alone. What the point keeps of them is copied, with the adjoints
  /// of the mean loss if asked; otherwise part_ is left to be swept pass by pass.
  void take_part(const Point<T>& point, std::span<const Index> positions, bool adjoints) {
    swept_.reset();
    if (!part_) part_ = std::make_shared<Point<T>>();
    Point<T>& part = *part_;
    part.whole = &point;
    part.selection.samples.clear();
    for (const Index at : positions)
      part.selection.samples.push_back(point.selection.samples[static_cast<std::size_t>(at)]);
    part.selection.contiguous = false;
    part.selection.key = point.selection.key;  // the masks of dropout are those of the whole
    part.passes.resize(1);
    part.kept = point.kept && point.depth != Depth::none;
    part.depth = Depth::none;
    if (!part.kept) return;
    Pass<T>& to = part.passes[0];
    const Pass<T>& from = point.passes[0];
    to.prepare(*model_, part.selection, {0, part.selection.count()}, adjoints);
    const auto copy = [&](const Buffer<T>& source, Buffer<T>& target, Index rows, Range columns) {
      for (Index j = columns.begin; j < columns.end; ++j) {
        std::memcpy(target.data() + j * rows, source.data() + positions[static_cast<std::size_t>(j)] * rows,
                    static_cast<std::size_t>(rows) * sizeof(T));
      }
    };
    parallel_for(to.chunks(), [&](Index chunk) {
      const Range columns = block_range(to.range.size(), to.chunk(), chunk);
      gather(*model_, part, to, columns);
      for (std::size_t l = 0; l < model_->depth(); ++l) {
        copy(from.a[l + 1], to.a[l + 1], model_->sizes[l], columns);
        if (model_->dropout[l] > 0) copy(from.masks[l], to.masks[l], model_->sizes[l], columns);
        if (adjoints) copy(from.d[l + 1], to.d[l + 1], model_->sizes[l], columns);
      }
      copy(from.cache, to.cache, model_->sizes.back(), columns);
    });
    part.depth = adjoints ? Depth::backward : Depth::forward;
  }

  void list_factors() {
    if (!factor_places_.empty()) return;
    for (std::size_t l = 0; l < model_->depth(); ++l) {
      const std::optional<LinearMap> map = model_->network->layers()[l]->linear_map();
      if (map) factor_places_.push_back({l, KroneckerSums<T>(*model_->maps[l], *map)});
    }
  }

  void shape_factors(const FactorRequest& request, std::vector<KroneckerFactors>& factors) {
    check_request(request);
    list_factors();
    if (factors.size() != factor_places_.size()) factors = kronecker_layers();
    for (std::size_t i = 0; i < factors.size(); ++i) {
      KroneckerFactors& f = factors[i];
      const LinearMap& map = factor_places_[i].sums.map();
      const auto shape = [](Matrix& matrix, Index rows, Index columns) {
        if (matrix.rows() != rows || matrix.cols() != columns) matrix.setZero(rows, columns);
      };
      shape(f.A, f.columns(), f.columns());
      shape(f.G, f.outputs, f.outputs);
      if (request.neighbours && i + 1 < factors.size() && map.places == 1) {
        const LinearMap& next = factor_places_[i + 1].sums.map();
        if (next.places != 1) continue;
        shape(f.A_next, f.columns(), next.inputs + (next.bias ? 1 : 0));
        shape(f.G_next, f.outputs, next.outputs);
      }
    }
  }

  std::pair<ConstColumns<T>, ConstColumns<T>> sides(const Pass<T>& pass, const std::vector<Buffer<T>>& adjoints,
                                                    const FactorPlace& at) const {
    const Range all{0, pass.range.size()};
    return {pass.output(*model_, model_->edges[at.layer].input, all),
            {adjoints[at.layer + 1].data(), model_->sizes[at.layer], all.size()}};
  }

  /// Calls visit(pass, adjoints, weights) for each pass over the request's samples, with the adjoints that its targets
  /// give in every layer. Returns the price of the sweeps in gradient equivalents.
  template <class Visit>
  double with_single_adjoints(const Vector& x, const FactorRequest& request, const Visit& visit) {
    Point<T>& point = at(x);
    const Index all = point.selection.count();
    const Index wanted = samples_of(request.share);
    typename KroneckerSums<T>::Weights weights;
    weights.keep = request.decay;
    weights.weight = (1 - request.decay) / static_cast<double>(wanted);
    // The adjoints of the mean loss serve as those of the single losses where they are known.
    const bool known = request.kind == Curvature::fisher_empirical && point.kept && point.depth == Depth::backward;
    const bool forward_known = point.kept && point.depth != Depth::none;
    const Sweep now{request.kind, request.seed, request.draw, wanted};
    if (swept_ == now) {
      visit(wanted < all ? part_->passes[0] : point.passes[0], adjoints_, weights);
      return 0;
    }
    swept_.reset();
    if (wanted < all) take_part(point, drawn_share(request.share, request.seed, request.draw), known);
    Point<T>& on = wanted < all ? *part_ : point;
    if (known) {
      weights.adjoint_scale = static_cast<double>(all) * std::sqrt(static_cast<double>(model_->places));
      visit(on.passes[0], on.passes[0].d, weights);
      return 0;
    }
    adjoints_.resize(model_->depth() + 1);
    for (Index i = 0; i < on.pass_count(*model_); ++i) {
      Pass<T>& pass = on.passes[0];
      if (!on.kept || on.depth == Depth::none) {
        pass.prepare(*model_, on.selection, on.pass_range(*model_, i), false);
        forward_pass(*model_, on, pass, false);
        if (on.kept) {
          on.value =
              std::accumulate(pass.sums.begin(), pass.sums.begin() + pass.chunks(), 0.0) / static_cast<double>(all);
          on.depth = Depth::forward;
        }
      }
      const Index n = pass.range.size();
      for (std::size_t l = 1; l <= model_->depth(); ++l) grow(adjoints_[l], model_->sizes[l - 1] * n);
      grow(joined_, model_->joined_rows * n);
      through_segments(*model_, pass, true, [&](const auto& segment, Range chunk, Index) {
        if (segment.end == model_->depth() && !segment.couples) {
          scores(*model_, on, pass, request.kind, request.seed, request.draw, chunk, adjoints_.back());
        }
        backward_chain(*model_, on, pass, segment, chunk, adjoints_, joined_);
      });
      visit(pass, adjoints_, weights);
      weights.keep = 1;
    }
    if (on.pass_count(*model_) == 1) swept_ = now;
    const double back = 2 * (multiplications() - first_multiplications());
    const double forward = forward_known ? 0.0 : 2 * multiplications();
    return static_cast<double>(wanted) / static_cast<double>(all) * (back + forward) / gradient_flops();
  }

  /// An operator of this kind that nobody holds any more, or a new one.
  std::shared_ptr<CurvatureOperator<T>> recycled_operator(Curvature kind) {
    for (const auto& op : operators_) {
      if (op.use_count() == 1 && op->kind() == kind) return op;
    }
    operators_.push_back(std::make_shared<CurvatureOperator<T>>(model_, kind));
    return operators_.back();
  }

  std::string find_non_finite(const Point<T>& point, const Pass<T>& pass) const {
    for (Index j = 0; j < pass.range.size(); ++j) {
      const Index sample = point.selection.samples[static_cast<std::size_t>(pass.range.begin + j)];
      for (std::size_t l = 0; l <= model_->depth(); ++l) {
        const ConstColumns<T> column = pass.output(*model_, l, {j, j + 1});
        for (Index i = 0; i < column.rows(); ++i) {
          if (std::isfinite(column(i, 0))) continue;
          if (l == 0) return fmt::format("input {} of sample {} is {}", i, sample, column(i, 0));
          return fmt::format("output {} of layer {} ({}) is {} for sample {}", i, l,
                             model_->network->layers()[l - 1]->name(), column(i, 0), sample);
        }
      }
    }
    return {};
  }

  std::shared_ptr<const Model<T>> model_;
  Loss loss_;
  Selection selection_{{}, false};
  bool selection_changed_ = true;
  std::uint64_t revision_ = 0;
  std::shared_ptr<Point<T>> point_;
  std::shared_ptr<Point<T>> spare_;
  std::shared_ptr<Point<T>> part_;  ///< the last point on a drawn share of its samples
  SubsetSampler sampler_;
  std::vector<std::shared_ptr<CurvatureOperator<T>>> operators_;
  Buffer<T> scratch_;
  std::uint64_t draw_ = 0;
  std::vector<Buffer<T>> adjoints_;  ///< of single samples, for Kronecker factors
  std::optional<Sweep> swept_;       ///< set while adjoints_ are those of all its samples, at the present point
  Buffer<T> joined_;
  std::vector<FactorPlace> factor_places_;
};

void check_fit(const Network& network, Loss loss, const Dataset& data, const NetworkOptions& options) {
  if (data.sample_count() < 1) fail("data set '{}' has no samples", data.name);
  if (options.pass_size < 1) fail("network: pass_size {} is not possible; give at least 1", options.pass_size);
  if (network.input_size() != data.feature_count()) {
    fail("the network takes {} inputs, but data set '{}' has {} features", network.input_size(), data.name,
         data.feature_count());
  }
  const Index outputs = network.output_size();
  if (options.targets_are_inputs) {
    if (outputs != data.feature_count()) {
      fail("an autoencoder needs as many outputs as inputs, but has {} and {}", outputs, data.feature_count());
    }
    if (loss == Loss::softmax_cross_entropy) fail("softmax cross-entropy needs classes, not reconstructed inputs");
  } else if (!data.labels.empty()) {
    if (data.places < 1 || std::ssize(data.labels) != data.places * data.sample_count()) {
      fail("data set '{}': {} labels for {} samples of {} places", data.name, data.labels.size(), data.sample_count(),
           data.places);
    }
    const bool softmax = loss == Loss::softmax_cross_entropy;
    if (outputs != data.class_count * data.places && (softmax || outputs != 1)) {
      fail("data set '{}' has {} classes, for which the {} loss needs {}{} outputs, but the network has {}", data.name,
           data.class_count, to_string(loss), softmax ? "" : "1 or ", data.class_count * data.places, outputs);
    }
    if (loss == Loss::binary_cross_entropy && outputs == 1 && data.class_count > 2) {
      fail("binary cross-entropy of one output needs 2 classes, but data set '{}' has {}", data.name, data.class_count);
    }
    for (std::size_t i = 0; i < data.labels.size(); ++i) {
      if (data.labels[i] < 0 || data.labels[i] >= data.class_count) {
        fail("data set '{}': the class {} of sample {} lies outside 0 to {}", data.name, data.labels[i], i,
             data.class_count - 1);
      }
    }
  } else {
    if (data.targets.cols() != data.sample_count()) fail("data set '{}' has neither classes nor targets", data.name);
    if (loss == Loss::softmax_cross_entropy) fail("softmax cross-entropy needs classes, and '{}' has none", data.name);
    if (outputs != data.targets.rows()) {
      fail("data set '{}' has {} targets for each sample, but the network has {} outputs", data.name,
           data.targets.rows(), outputs);
    }
  }
  if (loss == Loss::binary_cross_entropy && (options.targets_are_inputs || data.labels.empty())) {
    const Matrix& t = options.targets_are_inputs ? data.inputs : data.targets;
    if (!(t.minCoeff() >= 0 && t.maxCoeff() <= 1)) {
      fail("binary cross-entropy needs targets in [0, 1], but those of data set '{}' reach from {} to {}", data.name,
           t.minCoeff(), t.maxCoeff());
    }
  }
}

}  // namespace

std::unique_ptr<NetworkObjective> make_network_objective(std::shared_ptr<const Network> network, Loss loss,
                                                         std::shared_ptr<const Dataset> data,
                                                         const NetworkOptions& options) {
  check_fit(*network, loss, *data, options);
  if (options.precision == Precision::float32) {
    return std::make_unique<NetworkObjectiveOf<float>>(std::move(network), loss, std::move(data), options);
  }
  return std::make_unique<NetworkObjectiveOf<double>>(std::move(network), loss, std::move(data), options);
}

}  // namespace hesse
