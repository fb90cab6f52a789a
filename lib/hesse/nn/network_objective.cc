#include "hesse/nn/network_objective.h"

#include "hesse/core/blas.h"
#include "hesse/core/error.h"
#include "hesse/core/parallel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

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

template <class T>
using Buffer = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// Grows a buffer, never shrinks it, so that smaller batches allocate nothing.
template <class T>
void reserve(Buffer<T>& buffer, Index size) {
  if (buffer.size() < size) buffer.resize(size);
}

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
      : network(std::move(network_in)), data(std::move(data_in)), options(options_in), loss(loss_maps<T>(loss_in)) {
    const auto& inputs = inputs_in<T>(*data);
    input = inputs.data();
    features = inputs.rows();
    if (options.targets_are_inputs) {
      targets = {nullptr, input, features};
    } else if (!data->labels.empty()) {
      targets = {data->labels.data(), nullptr, 1};
    } else {
      typed_targets = data->targets.template cast<T>();
      targets = {nullptr, typed_targets.data(), typed_targets.rows()};
    }
    for (std::size_t l = 0; l < network->layers().size(); ++l) {
      const Layer& layer = *network->layers()[l];
      maps.push_back(&layer.maps<T>());
      sizes.push_back(layer.output_size());
      couples_samples = couples_samples || layer.couples_samples();
      for (Index tile = 0; tile < maps.back()->tiles(); ++tile) tiles.push_back({l, tile});
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
  std::size_t depth() const { return maps.size(); }
  Index parameters() const { return network->layout().size(); }

  std::shared_ptr<const Network> network;
  std::shared_ptr<const Dataset> data;
  NetworkOptions options;
  const LossMaps<T>& loss;
  const T* input = nullptr;
  Index features = 0;
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> typed_targets;
  Targets<T> targets;
  std::vector<const LayerMaps<T>*> maps;
  std::vector<Index> sizes;  ///< outputs of each layer
  std::vector<Tile> tiles;
  std::vector<double> positions;  ///< of the tiles among the parameters, in [0, 1)
  bool couples_samples = false;
};

/// The samples over which means are taken.
struct Selection {
  std::vector<Index> samples;
  bool contiguous = true;  ///< samples are 0, 1, ..., N-1: the data is read in place
  Index count() const { return static_cast<Index>(samples.size()); }
};

/// What the sweeps over one pass of samples leave behind: inputs a[0] (only when gathered), outputs
/// a[l+1] and adjoints d[l+1] of each layer l, and the loss's cache.
template <class T>
struct Pass {
  std::vector<Buffer<T>> a;
  std::vector<Buffer<T>> d;
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
    for (std::size_t l = 0; l < model.depth(); ++l) {
      reserve(a[l + 1], model.sizes[l] * n);
      if (adjoints) reserve(d[l + 1], model.sizes[l] * n);
    }
    reserve(cache, model.sizes.back() * n);
    const auto chunks = static_cast<std::size_t>(block_count(n, chunk(model)));
    if (sums.size() < chunks) sums.resize(chunks);
    if (correct.size() < chunks) correct.resize(chunks);
    if (selection.contiguous) {
      input = model.input + range.begin * model.features;
    } else {
      reserve(a[0], model.features * n);
      input = a[0].data();
    }
  }

  Index chunk(const Model<T>& model) const { return model.couples_samples ? range.size() : chunk_size(range.size()); }
  Index chunks(const Model<T>& model) const { return block_count(range.size(), chunk(model)); }

  ConstColumns<T> output(const Model<T>& model, std::size_t l, Range columns) const {
    const Index rows = l == 0 ? model.features : model.sizes[l - 1];
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
    return std::max<Index>(1, block_count(selection.count(), pass_size(model)));
  }
  Index pass_size(const Model<T>& model) const {
    return model.couples_samples ? selection.count() : model.options.pass_size;
  }
  Range pass_range(const Model<T>& model, Index i) const { return block_range(selection.count(), pass_size(model), i); }
};

template <class T>
void forward(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Index task, bool count_correct) {
  const Range columns = block_range(pass.range.size(), pass.chunk(model), task);
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  if (!point.selection.contiguous) {
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
  for (std::size_t l = 0; l < model.depth(); ++l) {
    model.maps[l]->forward(point.weights.data() + model.network->offset(l), pass.output(model, l, columns),
                           pass.at(model, pass.a[l + 1], l + 1, columns));
  }
  const ConstColumns<T> z = pass.output(model, model.depth(), columns);
  const auto chunk = static_cast<std::size_t>(task);
  pass.sums[chunk] = model.loss.value(z, model.targets, samples, pass.at(model, pass.cache, model.depth(), columns));
  if (count_correct) {
    pass.correct[chunk] = 0;
    for (Index j = 0; j < z.cols(); ++j) {
      Index label = 0;
      // A single output is the logit of class 1.
      if (z.rows() == 1) {
        label = z(0, j) > T(0) ? 1 : 0;
      } else {
        z.col(j).maxCoeff(&label);
      }
      if (label == model.targets.labels[samples[j]]) ++pass.correct[chunk];
    }
  }
}

/// From the adjoints of the outputs, d[top], to those of every layer's outputs.
template <class T>
void backward_chain(const Model<T>& model, const Point<T>& point, const Pass<T>& pass, Range columns,
                    std::vector<Buffer<T>>& d) {
  for (std::size_t l = model.depth(); l-- > 1;) {
    const Columns<T> dy = pass.at(model, d[l + 1], l + 1, columns);
    model.maps[l]->backward(point.weights.data() + model.network->offset(l), pass.output(model, l, columns),
                            pass.output(model, l + 1, columns), ConstColumns<T>(dy.data(), dy.rows(), dy.cols()),
                            pass.at(model, d[l], l, columns));
  }
}

/// dL/dz of each sample of a chunk, for the Fisher matrices that are sums of outer products of gradients.
template <class T>
void scores(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Curvature kind, std::uint64_t draw, Index task,
            Buffer<T>& out) {
  const std::size_t top = model.depth();
  const Range columns = block_range(pass.range.size(), pass.chunk(model), task);
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  const Columns<T> cache = pass.at(model, pass.cache, top, columns);
  const ConstColumns<T> mean(cache.data(), cache.rows(), cache.cols());
  if (kind == Curvature::fisher_sampled) {
    const RandomStream stream(model.options.seed, Purpose::sampled_label, draw);
    model.loss.sampled_score(mean, stream, samples, pass.at(model, out, top, columns));
  } else {
    model.loss.adjoint(mean, model.targets, samples, T(1), pass.at(model, out, top, columns));
  }
}

template <class T>
void backward(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Index task) {
  const Range columns = block_range(pass.range.size(), pass.chunk(model), task);
  const Index* samples = point.selection.samples.data() + pass.range.begin + columns.begin;
  const T scale = T(1) / static_cast<T>(point.selection.count());
  const std::size_t top = model.depth();
  const Columns<T> cache = pass.at(model, pass.cache, top, columns);
  model.loss.adjoint(ConstColumns<T>(cache.data(), cache.rows(), cache.cols()), model.targets, samples, scale,
                     pass.at(model, pass.d[top], top, columns));
  backward_chain(model, point, pass, columns, pass.d);
}

/// Sweeps one pass forward and, if asked, backward; returns the sum of its losses.
template <class T>
double sweep(const Model<T>& model, const Point<T>& point, Pass<T>& pass, Depth from, Depth to) {
  const Index chunks = pass.chunks(model);
  parallel_for(chunks, [&](Index task) {
    if (from == Depth::none) forward(model, point, pass, task, false);
    if (to == Depth::backward) backward(model, point, pass, task);
  });
  return std::accumulate(pass.sums.begin(), pass.sums.begin() + chunks, 0.0);
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
  return static_cast<std::size_t>(2 * units + 2 * model.sizes.back() + model.features) * sizeof(T);
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
    const Model<T>& model = *model_;
    if (V.rows() != size() || Y.rows() != size() || V.cols() != Y.cols()) {
      fail("curvature product: {} x {} into {} x {}, but the operator has size {}", V.rows(), V.cols(), Y.rows(),
           Y.cols(), size());
    }
    const Index together = vectors_together();
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
        parallel_for(pass->chunks(model), [&](Index task) {
          for (Index v = 0; v < k; ++v) tangent_sweeps(slot, task, static_cast<std::size_t>(v));
        });
        const auto tiles = static_cast<Index>(model.tiles.size());
        parallel_for(tiles * k, [&](Index task) {
          gradients(*pass, model.tiles[static_cast<std::size_t>(task / k)], static_cast<std::size_t>(task % k), i > 0,
                    Y.col(first + task % k).data());
        });
      }
    }
  }

 private:
  /// Tangents of outputs and of adjoints of each layer, and the direction, for one vector.
  struct Tangent {
    Buffer<T> direction;
    std::vector<Buffer<T>> ra;
    std::vector<Buffer<T>> rd;
    Buffer<T> scratch;
  };

  /// As many vectors as keep the tangents within an eighth of the budget, at most 8.
  Index vectors_together() const {
    const double each = static_cast<double>(bytes_of_a_sample(*model_)) *
                        static_cast<double>(std::min(point_->pass_size(*model_), point_->selection.count()));
    return std::clamp<Index>(static_cast<Index>(model_->options.memory_budget / 8 / each), 1, 8);
  }

  void load(ConstMatrixView V, Index first, Index k) const {
    const Model<T>& model = *model_;
    const Index n = size();
    const Index samples = std::min(point_->pass_size(model), point_->selection.count());
    if (static_cast<Index>(tangents_.size()) < k) tangents_.resize(static_cast<std::size_t>(k));
    for (Index v = 0; v < k; ++v) {
      Tangent& t = tangents_[static_cast<std::size_t>(v)];
      reserve(t.direction, n);
      if constexpr (!std::is_same_v<T, double>) reserve(t.scratch, n);
      t.ra.resize(model.depth() + 1);
      t.rd.resize(model.depth() + 1);
      for (std::size_t l = 1; l <= model.depth(); ++l) {
        reserve(t.ra[l], model.sizes[l - 1] * samples);
        reserve(t.rd[l], model.sizes[l - 1] * samples);
      }
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
    reserve(scores_[slot], model_->sizes.back() * pass.range.size());
    parallel_for(pass.chunks(*model_),
                 [&](Index task) { scores(*model_, *point_, pass, kind_, draw_, task, scores_[slot]); });
  }

  void tangent_sweeps(std::size_t slot, Index task, std::size_t v) const {
    const Model<T>& model = *model_;
    Pass<T>& pass = point_->passes[slot];
    Tangent& t = tangents_[v];
    const Range columns = block_range(pass.range.size(), pass.chunk(model), task);
    const auto view = [&](std::vector<Buffer<T>>& buffers, std::size_t l) {
      return pass.at(model, buffers[l], l, columns);
    };
    const auto read = [&](std::vector<Buffer<T>>& buffers, std::size_t l) {
      const Columns<T> c = view(buffers, l);
      return ConstColumns<T>(c.data(), c.rows(), c.cols());
    };
    const std::size_t top = model.depth();
    for (std::size_t l = 0; l < top; ++l) {
      const Index offset = model.network->offset(l);
      model.maps[l]->forward_tangent(point_->weights.data() + offset, t.direction.data() + offset,
                                     pass.output(model, l, columns), pass.output(model, l + 1, columns),
                                     l == 0 ? nullptr : view(t.ra, l).data(), view(t.ra, l + 1));
    }
    output_product(slot, columns, read(t.ra, top), view(t.rd, top));
    for (std::size_t l = top; l-- > 1;) {
      const Index offset = model.network->offset(l);
      const T* weights = point_->weights.data() + offset;
      const ConstColumns<T> x = pass.output(model, l, columns);
      const ConstColumns<T> y = pass.output(model, l + 1, columns);
      if (kind_ == Curvature::hessian) {
        model.maps[l]->backward_tangent(weights, t.direction.data() + offset, x, y, pass.adjoint(model, l + 1, columns),
                                        read(t.ra, l), read(t.rd, l + 1), view(t.rd, l));
      } else {
        model.maps[l]->backward(weights, x, y, read(t.rd, l + 1), view(t.rd, l));
      }
    }
  }

  /// The curvature of the loss in the outputs, times the outputs' tangents, over N.
  void output_product(std::size_t slot, Range columns, ConstColumns<T> u, Columns<T> out) const {
    const Model<T>& model = *model_;
    Pass<T>& pass = point_->passes[slot];
    const T scale = T(1) / static_cast<T>(point_->selection.count());
    const std::size_t top = model.depth();
    if (kind_ == Curvature::fisher_sampled || kind_ == Curvature::fisher_empirical) {
      const Columns<T> s = pass.at(model, scores_[slot], top, columns);
      for (Index j = 0; j < u.cols(); ++j) out.col(j) = (scale * s.col(j).dot(u.col(j))) * s.col(j);
    } else {
      const Columns<T> cache = pass.at(model, pass.cache, top, columns);
      model.loss.hessian_product(ConstColumns<T>(cache.data(), cache.rows(), cache.cols()), u, scale, out);
    }
  }

  void gradients(Pass<T>& pass, const typename Model<T>::Tile& tile, std::size_t v, bool add, double* g) const {
    const Model<T>& model = *model_;
    Tangent& t = tangents_[v];
    const Range all{0, pass.range.size()};
    gradient_tile<T>(model, tile, t.scratch.data(), add, g,
                     [&](const LayerMaps<T>& maps, Index index, std::size_t l, T beta, T* out) {
                       const ConstColumns<T> x = pass.output(model, l, all);
                       const Columns<T> rd = pass.at(model, t.rd[l + 1], l + 1, all);
                       const ConstColumns<T> rdy(rd.data(), rd.rows(), rd.cols());
                       if (kind_ == Curvature::hessian) {
                         maps.gradient_tangent(index, x, pass.adjoint(model, l + 1, all),
                                               l == 0 ? nullptr : t.ra[l].data(), rdy, beta, out);
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
    selection_changed_ = true;
    ++revision_;
  }

  void select_all() override {
    if (selection_.contiguous && selection_.count() == sample_count()) return;
    selection_.samples.resize(static_cast<std::size_t>(sample_count()));
    std::iota(selection_.samples.begin(), selection_.samples.end(), Index{0});
    selection_.contiguous = true;
    selection_changed_ = true;
    ++revision_;
  }

  double value(const Vector& x) override {
    Point<T>& point = at(x);
    if (point.kept && point.depth != Depth::none) return point.value;
    return for_each_pass(point, Depth::forward, [](Pass<T>&, Index) {});
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    if (g.size() != size()) g.resize(size());
    Point<T>& point = at(x);
    if constexpr (!std::is_same_v<T, double>) reserve(scratch_, size());
    return for_each_pass(point, Depth::backward, [&](Pass<T>& pass, Index i) {
      const Range all{0, pass.range.size()};
      parallel_for(
          static_cast<Index>(model_->tiles.size()),
          [&](Index task) {
            gradient_tile<T>(*model_, model_->tiles[static_cast<std::size_t>(task)], scratch_.data(), i > 0, g.data(),
                             [&](const LayerMaps<T>& maps, Index tile, std::size_t l, T beta, T* out) {
                               maps.gradient(tile, pass.output(*model_, l, all), pass.adjoint(*model_, l + 1, all),
                                             beta, out);
                             });
          },
          model_->positions.data());
    });
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
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

  void kronecker_factors(const Vector& x, Curvature kind, std::vector<KroneckerFactors>& factors) override {
    if (kind != Curvature::fisher_sampled && kind != Curvature::fisher_empirical) {
      fail(
          "Kronecker factors: they model a Fisher matrix of single targets; ask for fisher-sampled or "
          "fisher-empirical, not {}",
          to_string(kind));
    }
    prepare_factors(factors);
    Point<T>& point = at(x);
    adjoints_.resize(model_->depth() + 1);
    for_each_pass(point, Depth::forward, [&](Pass<T>& pass, Index) {
      const Index n = pass.range.size();
      for (std::size_t l = 1; l <= model_->depth(); ++l) reserve(adjoints_[l], model_->sizes[l - 1] * n);
      parallel_for(pass.chunks(*model_), [&](Index task) {
        scores(*model_, point, pass, kind, draw_, task, adjoints_.back());
        backward_chain(*model_, point, pass, block_range(n, pass.chunk(*model_), task), adjoints_);
      });
      parallel_for(static_cast<Index>(factor_tasks_.size()), [&](Index task) {
        const FactorTask& t = factor_tasks_[static_cast<std::size_t>(task)];
        KroneckerFactors& f = factors[t.factor];
        const Range all{0, n};
        if (t.adjoints) {
          const Columns<T> g = pass.at(*model_, adjoints_[t.layer + 1], t.layer + 1, all);
          add_outer_products(ConstColumns<T>(g.data(), g.rows(), n), t.columns, f.G);
        } else {
          add_outer_products(pass.output(*model_, t.layer, all), t.columns, f.A);
        }
      });
    });
    for (KroneckerFactors& f : factors) {
      f.A.triangularView<Eigen::StrictlyLower>() = f.A.transpose();
      f.G.triangularView<Eigen::StrictlyLower>() = f.G.transpose();
    }
  }

  CostWeights cost_weights() const override {
    const double p = static_cast<double>(size());
    double p1 = 0;
    for (const LayerParameter& block : model_->network->layers().front()->parameters()) {
      double entries = 1;
      for (const Index extent : block.shape) entries *= static_cast<double>(extent);
      p1 += entries;
    }
    const double gradient = 4 * p + 2 * (p - p1);
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
    Point<T>& point = at(x);
    point.depth = Depth::none;
    const bool classes = model_->targets.labels != nullptr;
    double sum = 0;
    Index correct = 0;
    for (Index i = 0; i < point.pass_count(*model_); ++i) {
      Pass<T>& pass = point.passes[0];
      pass.prepare(*model_, point.selection, point.pass_range(*model_, i), false);
      const Index chunks = pass.chunks(*model_);
      parallel_for(chunks, [&](Index task) { forward(*model_, point, pass, task, classes); });
      for (Index c = 0; c < chunks; ++c) {
        sum += pass.sums[static_cast<std::size_t>(c)];
        if (classes) correct += pass.correct[static_cast<std::size_t>(c)];
      }
    }
    const auto n = static_cast<double>(selection_.count());
    return {sum / n, classes ? static_cast<double>(correct) / n : std::numeric_limits<double>::quiet_NaN()};
  }

  Matrix outputs(const Vector& x, std::size_t layers) override {
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

  std::string explain_non_finite(const Vector& x) override {
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

  /// A layer with factors.
  struct FactorPlace {
    Index begin;
    Index inputs;
    Index outputs;
  };
  /// Some columns of one factor.
  struct FactorTask {
    std::size_t factor;
    std::size_t layer;
    bool adjoints;
    Range columns;
  };

  void prepare_factors(std::vector<KroneckerFactors>& factors) {
    if (factor_tasks_.empty()) list_factors();
    factors.resize(factor_places_.size());
    for (std::size_t i = 0; i < factors.size(); ++i) {
      KroneckerFactors& f = factors[i];
      f.begin = factor_places_[i].begin;
      f.inputs = factor_places_[i].inputs;
      f.outputs = factor_places_[i].outputs;
      f.A.setZero(f.inputs + 1, f.inputs + 1);
      f.G.setZero(f.outputs, f.outputs);
    }
  }

  void list_factors() {
    constexpr Index kColumnsOfATask = 64;
    for (std::size_t l = 0; l < model_->depth(); ++l) {
      const std::vector<LayerParameter> own = model_->network->layers()[l]->parameters();
      if (own.size() != 2 || own[0].shape.size() != 2) continue;
      const FactorPlace place{model_->network->offset(l), own[0].shape[1], own[0].shape[0]};
      for (const bool adjoints : {false, true}) {
        const Index columns = adjoints ? place.outputs : place.inputs + 1;
        for (Index i = 0; i < block_count(columns, kColumnsOfATask); ++i) {
          factor_tasks_.push_back({factor_places_.size(), l, adjoints, block_range(columns, kColumnsOfATask, i)});
        }
      }
      factor_places_.push_back(place);
    }
  }

  /// Adds the columns of (1/N) sum_j v_j v_j', with v_j the columns of `values`; a column past the last
  /// belongs to an entry of v that is always 1.
  void add_outer_products(ConstColumns<T> values, Range columns, Matrix& factor) const {
    const Index rows = values.rows();
    const double weight = 1.0 / static_cast<double>(selection_.count());
    const Index real = std::min(columns.end, rows) - columns.begin;
    if (real > 0) {
      thread_local Buffer<T> products;
      reserve(products, rows * real);
      gemm(Transpose::no, Transpose::yes, rows, real, values.cols(), T(1), values.data(), rows,
           values.data() + columns.begin, rows, T(0), products.data(), rows);
      factor.block(0, columns.begin, rows, real) +=
          weight * ConstColumns<T>(products.data(), rows, real).template cast<double>();
    }
    if (columns.end > rows) {
      for (Index j = 0; j < values.cols(); ++j) {
        factor.col(rows).head(rows) += weight * values.col(j).template cast<double>();
      }
      factor(rows, rows) += weight * static_cast<double>(values.cols());
    }
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
  std::vector<std::shared_ptr<CurvatureOperator<T>>> operators_;
  Buffer<T> scratch_;
  std::uint64_t draw_ = 0;
  std::vector<Buffer<T>> adjoints_;  ///< of single samples, for Kronecker factors
  std::vector<FactorPlace> factor_places_;
  std::vector<FactorTask> factor_tasks_;
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
    const Index needed = loss == Loss::softmax_cross_entropy ? data.class_count : 1;
    if (outputs != needed) {
      fail("data set '{}' has {} classes, for which the {} loss needs {} outputs, but the network has {}", data.name,
           data.class_count, to_string(loss), needed, outputs);
    }
    if (loss == Loss::binary_cross_entropy && data.class_count > 2) {
      fail("binary cross-entropy needs 2 classes, but data set '{}' has {}", data.name, data.class_count);
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
