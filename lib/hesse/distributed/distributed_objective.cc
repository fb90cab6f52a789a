#include "hesse/distributed/distributed_objective.h"

#include "hesse/core/error.h"
#include "hesse/distributed/chunk_tree.h"
#include "hesse/distributed/work_split.h"
#include "hesse/nn/kronecker_sums.h"
#include "hesse/objective/recycled.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace hesse {
namespace {

using Samples = std::shared_ptr<const std::vector<Index>>;

/// One chunk of the selected samples.
struct Chunk {
  Index index = 0;
  Index samples = 0;
};

/// How far the chunks' objectives have come at a point, as NetworkObjective keeps it for a single pass.
enum class Depth { none, forward, backward };

/// The objectives of this rank's chunks, and the sums over all ranks. Shared by the objective and its operators.
class SharedSum {
 public:
  using Make = std::function<std::unique_ptr<Objective>(double memory_budget)>;

  SharedSum(Make make, std::shared_ptr<Ranks> ranks, const SharingOptions& options)
      : make_(std::move(make)), ranks_(std::move(ranks)), options_(options), whole_(make_(options.memory_budget)) {
    if (options.chunks < 1 || !std::has_single_bit(static_cast<std::uint64_t>(options.chunks))) {
      fail("sharing: {} chunks are not possible; give a power of two", options.chunks);
    }
    if (options.least_samples < 1 || !(options.memory_budget > 0)) {
      fail("sharing: least_samples {} and memory_budget {}; both have to be positive", options.least_samples,
           options.memory_budget);
    }
    if (!(options.split_above >= 0)) fail("sharing: split_above {}; it has to be at least 0", options.split_above);
    whole_sum_ = dynamic_cast<FiniteSum*>(whole_.get());
    if (whole_sum_ == nullptr) fail("sharing: the objective is no mean over samples that could be selected");
    whole_network_ = dynamic_cast<NetworkObjective*>(whole_.get());
    reselected();
  }

  /// On all samples or the selected ones, and never evaluated: for what does not depend on x.
  Objective& whole() { return *whole_; }
  FiniteSum& whole_sum() { return *whole_sum_; }
  NetworkObjective& whole_network() { return *whole_network_; }
  Ranks& ranks() { return *ranks_; }
  Index size() const { return whole_->size(); }
  Index selected() const { return std::ssize(*samples_); }
  const Samples& samples() const { return samples_; }
  /// How far value and gradient are known at x.
  bool known(const Vector& x) const { return depth_ == Depth::backward && is_at(x); }

  void select(std::span<const Index> samples) {
    whole_sum_->select(samples);
    reselected();
  }
  void select_all() {
    const std::uint64_t before = whole_->revision();
    whole_sum_->select_all();
    if (whole_->revision() != before) reselected();
  }
  void set_label_draw(std::uint64_t draw) {
    draw_ = draw;
    whole_network_->set_label_draw(draw);
  }
  std::uint64_t label_draw() const { return draw_; }

  void check(const Vector& x) const {
    if (x.size() != size()) fail("objective: a point of {} parameters, but there are {}", x.size(), size());
  }

  /// Calls visit(f, chunk) for this rank's chunks with an objective on each, on all ranks together, for work that finds
  /// the chunks known at x as far as `needs` where they have been before, and leaves them so as far as `leaves`.
  template <class Visit>
  void visit_chunks(const char* what, const Vector& x, Depth leaves, const Visit& visit) {
    check(x);
    const Depth known = arrive(x);
    ranks_->together(what, fingerprint(x.data(), x.size(), turn_++), [&] {
      const Range mine = own_chunks();
      for (Index c = mine.begin; c < mine.end; ++c) {
        const Chunk chunk{c, chunk_size(selected(), chunks_, c)};
        Objective& f = on_chunk(kept_ ? c - mine.begin : 0, chunk, samples_, version_);
        if (!kept_) bring(f, x, known);
        visit(f, chunk);
      }
    });
    depth_ = std::max(known, leaves);
  }

  /// The same with one more objective for chunk after chunk, for figures that nobody asks for twice: what the others
  /// remember stays.
  template <class Visit>
  void visit_apart(const char* what, const Vector& x, const Visit& visit) {
    check(x);
    ranks_->together(what, fingerprint(x.data(), x.size(), turn_++), [&] {
      const Range mine = own_chunks();
      for (Index c = mine.begin; c < mine.end; ++c) {
        const Chunk chunk{c, chunk_size(selected(), chunks_, c)};
        if (!apart_) apart_ = make_slot();
        visit(selected_in(*apart_, chunk, samples_, version_), chunk);
      }
    });
  }

  /// For operators that linearise again and again: x is known from now on as if its curvature had been kept.
  void assume(const Vector& x) {
    arrive(x);
    depth_ = Depth::backward;
  }

  /// The sum over all chunks of the numbers that visit(f, chunk, out) writes, n of them, into `out`.
  template <class Visit>
  void sum(const char* what, const Vector& x, Depth leaves, Index n, double* out, const Visit& visit) {
    terms_.begin(n);
    visit_chunks(what, x, leaves, [&](Objective& f, const Chunk& chunk) {
      total_.reserve(*ranks_, chunks_, n);
      visit(f, chunk, terms_.next());
      terms_.add({0, chunk.index});
    });
    total_.total(*ranks_, chunks_, terms_, out);
  }

  template <class Visit>
  void sum_apart(const char* what, const Vector& x, Index n, double* out, const Visit& visit) {
    terms_.begin(n);
    visit_apart(what, x, [&](Objective& f, const Chunk& chunk) {
      visit(f, chunk, terms_.next());
      terms_.add({0, chunk.index});
    });
    total_.total(*ranks_, chunks_, terms_, out);
  }

  /// How many samples a share of them is. Every chunk draws its part of them among its own, so that they are others
  /// than those of one pass, which draws among all.
  Index wanted(double share) const {
    return std::max<Index>(1, static_cast<Index>(std::ceil(share * static_cast<double>(selected()))));
  }
  Index wanted_in(const Chunk& chunk, Index wanted) const { return chunk_size(wanted, chunks_, chunk.index); }
  /// A share of the chunk's samples that rounds up to so many.
  static double share_of(const Chunk& chunk, Index wanted) {
    if (wanted == chunk.samples) return 1;
    return (static_cast<double>(wanted) - 0.5) / static_cast<double>(chunk.samples);
  }

  // For operators, which have their own samples and outlive a selection.
  bool kept() const { return kept_; }
  Index chunks() const { return chunks_; }
  Range own_chunks() const { return chunks_of(ranks_->rank(), ranks_->size(), chunks_); }
  /// The i-th objective, on a chunk of these samples, which are those of this version.
  Objective& on_chunk(Index i, const Chunk& chunk, const Samples& samples, std::uint64_t version) {
    while (std::ssize(slots_) <= i) slots_.push_back(make_slot());
    return selected_in(slots_[static_cast<std::size_t>(i)], chunk, samples, version);
  }
  std::uint64_t version() const { return version_; }
  std::uint64_t next_turn() { return turn_++; }
  RankSum& rank_sum() { return total_; }

 private:
  struct Slot {
    std::unique_ptr<Objective> f;
    FiniteSum* sum;
    NetworkObjective* network;
    std::uint64_t version = 0;  ///< of the selection that its samples are of; 0: none yet
    Index chunk = -1;
  };

  Objective& selected_in(Slot& slot, const Chunk& chunk, const Samples& samples, std::uint64_t version) {
    if (slot.version != version || slot.chunk != chunk.index) {
      part_.clear();
      const Index all = std::ssize(*samples);
      const Index step = chunk_count(all, options_.chunks, options_.least_samples);
      for (Index j = chunk.index; j < all; j += step) part_.push_back((*samples)[static_cast<std::size_t>(j)]);
      slot.sum->select(part_);
      slot.version = version;
      slot.chunk = chunk.index;
    }
    if (slot.network != nullptr) slot.network->set_label_draw(draw_);
    return *slot.f;
  }

  Slot make_slot() {
    Slot slot{make_(options_.memory_budget / static_cast<double>(options_.chunks)), nullptr, nullptr};
    slot.sum = dynamic_cast<FiniteSum*>(slot.f.get());
    slot.network = dynamic_cast<NetworkObjective*>(slot.f.get());
    return slot;
  }

  void reselected() {
    const std::span<const Index> now = whole_sum_->selection();
    samples_ = std::make_shared<const std::vector<Index>>(now.begin(), now.end());
    chunks_ = chunk_count(selected(), options_.chunks, options_.least_samples);
    ++version_;
    depth_ = Depth::none;
    const auto mine = static_cast<double>(own_chunks().size());
    const double share = mine / static_cast<double>(chunks_);
    kept_ = mine <= 1 || mine * bytes_of_weights() + share * static_cast<double>(selected()) * bytes_of_a_sample() <=
                             options_.memory_budget;
  }

  /// A point, and its copy in the precision of the products.
  double bytes_of_weights() const { return static_cast<double>(size()) * 16; }
  /// Activations and adjoints, with the inputs.
  double bytes_of_a_sample() const {
    if (whole_network_ == nullptr) return 0;
    Index units = whole_network_->data().feature_count();
    for (const auto& layer : whole_network_->network().layers()) units += 2 * layer->output_size();
    return static_cast<double>(units) * (whole_->precision() == Precision::float32 ? 4 : 8);
  }

  bool is_at(const Vector& x) const {
    return x_.size() == x.size() &&
           std::memcmp(x_.data(), x.data(), static_cast<std::size_t>(x.size()) * sizeof(double)) == 0;
  }

  /// How far the chunks know x.
  Depth arrive(const Vector& x) {
    if (is_at(x)) return depth_;
    x_ = x;
    return depth_ = Depth::none;
  }

  /// An objective that serves chunk after chunk is brought to where one of the chunk's own would be, since its bits may
  /// depend on what it knows.
  void bring(Objective& f, const Vector& x, Depth depth) {
    if (depth == Depth::backward) f.value_and_gradient(x, scratch_);
    if (depth == Depth::forward) f.value(x);
  }

  Make make_;
  std::shared_ptr<Ranks> ranks_;
  SharingOptions options_;
  std::unique_ptr<Objective> whole_;
  FiniteSum* whole_sum_ = nullptr;
  NetworkObjective* whole_network_ = nullptr;
  std::vector<Slot> slots_;
  std::optional<Slot> apart_;
  bool kept_ = true;  ///< every chunk of this rank has an objective of its own
  Samples samples_;
  Index chunks_ = 1;
  std::uint64_t version_ = 0;
  std::uint64_t draw_ = 0;
  std::uint64_t turn_ = 0;
  Vector x_;
  Depth depth_ = Depth::none;
  Vector scratch_;
  std::vector<Index> part_;
  TreeSum terms_;
  RankSum total_;
};

/// The sum over all chunks of their products.
class DistributedOperator final : public LinearOperator {
 public:
  explicit DistributedOperator(std::shared_ptr<SharedSum> sum) : sum_(std::move(sum)) {}

  /// Stands for the curvature at x of the samples that are selected now.
  void bind(const Vector& x, Curvature kind) {
    samples_ = sum_->samples();
    kind_ = kind;
    draw_ = sum_->label_draw();
    chunks_ = sum_->chunks();
    version_ = sum_->version();
    own_.clear();
    kept_ = sum_->kept();
    if (kept_) {
      sum_->visit_chunks("linearise", x, Depth::backward, [&](Objective& f, const Chunk& chunk) {
        own_.push_back(chunk);
        parts_.push_back(f.curvature(x, kind));
      });
      return;
    }
    // Linearised again for every product: nothing is kept but the point. An impossible kind is refused here all the
    // same.
    sum_->check(x);
    sum_->ranks().together("linearise", fingerprint(x.data(), x.size(), sum_->next_turn()), [&] {
      x_ = x;
      const Range mine = sum_->own_chunks();
      for (Index c = mine.begin; c < mine.end; ++c) {
        own_.push_back({c, chunk_size(std::ssize(*samples_), chunks_, c)});
      }
      f_of(0).curvature(x_, kind_);
    });
    sum_->assume(x);
  }
  /// Lets go of the chunks' operators, so that their objectives may recycle them.
  void release() { parts_.clear(); }

  Index size() const override { return sum_->size(); }

  void apply(ConstMatrixView X, MatrixView Y) const override {
    if (X.rows() != size() || Y.rows() != size() || X.cols() != Y.cols()) {
      fail("curvature product: {} x {} into {} x {}, but the operator has size {}", X.rows(), X.cols(), Y.rows(),
           Y.cols(), size());
    }
    // A gigabyte at a time: messages have a longest length.
    constexpr Index kMost = 134217728;
    const Index together = std::max<Index>(1, kMost / std::max<Index>(1, size()));
    for (Index first = 0; first < X.cols(); first += together) {
      const Index k = std::min(together, X.cols() - first);
      apply_block(X.middleCols(first, k), Y.middleCols(first, k));
    }
  }

 private:
  Objective& f_of(std::size_t i) const { return sum_->on_chunk(0, own_[i], samples_, version_); }

  void apply_block(ConstMatrixView X, MatrixView Y) const {
    const Index n = size();
    const Index k = X.cols();
    terms_.begin(n * k);
    const std::uint64_t print = k > 0 ? fingerprint(X.col(0).data(), n, sum_->next_turn()) : 0;
    sum_->ranks().together("product", print, [&] {
      total_.reserve(sum_->ranks(), chunks_, n * k);
      for (std::size_t i = 0; i < own_.size(); ++i) {
        Eigen::Map<Matrix> part(terms_.next(), n, k);
        if (kept_) {
          parts_[i]->apply(X, part);
        } else {
          const std::uint64_t now = sum_->label_draw();
          if (kind_ == Curvature::fisher_sampled) sum_->set_label_draw(draw_);
          f_of(i).curvature(x_, kind_)->apply(X, part);
          if (kind_ == Curvature::fisher_sampled) sum_->set_label_draw(now);
        }
        part *= static_cast<double>(own_[i].samples) / static_cast<double>(samples_->size());
        terms_.add({0, own_[i].index});
      }
      if (Y.outerStride() != n) gathered_.resize(n, k);
    });
    const bool gaps = Y.outerStride() != n && k > 1;
    total_.total(sum_->ranks(), chunks_, terms_, gaps ? gathered_.data() : Y.data());
    if (gaps) Y = gathered_;
  }

  std::shared_ptr<SharedSum> sum_;
  Samples samples_;
  Index chunks_ = 1;
  Curvature kind_ = Curvature::hessian;
  std::uint64_t version_ = 0;
  std::uint64_t draw_ = 0;
  bool kept_ = true;
  std::vector<Chunk> own_;
  std::vector<std::shared_ptr<const LinearOperator>> parts_;
  Vector x_;
  mutable TreeSum terms_;
  mutable RankSum total_;
  mutable Matrix gathered_;
};

/// What every finite sum has, for objectives that differ in what else they have.
template <class Base>
class DistributedOf : public Base, public WorkSharing {
 public:
  DistributedOf(SharedSum::Make make, std::shared_ptr<Ranks> ranks, const SharingOptions& options)
      : sum_(std::make_shared<SharedSum>(std::move(make), std::move(ranks), options)), split_(options.split_above) {}

  void share(SharedTasks& tasks) override { split_.share(sum_->ranks(), tasks); }

  const ParameterLayout& layout() const override { return sum_->whole().layout(); }
  Index samples() const override { return sum_->whole().samples(); }
  Index total_samples() const override { return sum_->whole().total_samples(); }
  // Costs are counted as one rank would count them, so that a budget lasts as long on any number of ranks.
  CostWeights cost_weights() const override { return sum_->whole().cost_weights(); }
  double linearisation_cost(const Vector& x, Curvature kind) const override {
    return sum_->known(x) ? 0.0 : sum_->whole().linearisation_cost(x, kind);
  }
  std::uint64_t revision() const override { return sum_->whole().revision(); }
  Precision precision() const override { return sum_->whole().precision(); }
  double value_noise() const override { return sum_->whole().value_noise(); }

  Index sample_count() const override { return sum_->whole_sum().sample_count(); }
  std::span<const Index> selection() const override { return sum_->whole_sum().selection(); }
  void select(std::span<const Index> samples) override { sum_->select(samples); }
  void select_all() override { sum_->select_all(); }

  double value(const Vector& x) override {
    double out = 0;
    sum_->sum("value", x, Depth::forward, 1, &out,
              [&](Objective& f, const Chunk& chunk, double* term) { *term = weight(chunk) * f.value(x); });
    return out;
  }

  double value_and_gradient(const Vector& x, Vector& g) override {
    const Index n = this->size();
    result_.resize(static_cast<std::size_t>(n + 1));
    sum_->sum("gradient", x, Depth::backward, n + 1, result_.data(),
              [&](Objective& f, const Chunk& chunk, double* term) {
                const double w = weight(chunk);
                term[n] = w * f.value_and_gradient(x, part_);
                Eigen::Map<Vector>(term, n) = w * part_;
              });
    if (g.size() != n) g.resize(n);
    std::copy_n(result_.data(), n, g.data());
    return result_.back();
  }

  std::shared_ptr<const LinearOperator> curvature(const Vector& x, Curvature kind) override {
    for (const auto& op : operators_) {
      if (op.use_count() == 1) op->release();
    }
    const auto op = recycled(operators_, [&] { return std::make_shared<DistributedOperator>(sum_); });
    op->bind(x, kind);
    return op;
  }

  std::string explain_non_finite(const Vector& x) override {
    std::string mine;
    sum_->visit_apart("explain", x, [&](Objective& f, const Chunk&) {
      if (mine.empty()) mine = f.explain_non_finite(x);
    });
    if (sum_->ranks().size() == 1) return mine;
    for (const std::string& text : sum_->ranks().all_texts(mine)) {
      if (!text.empty()) return text;
    }
    return {};
  }

 protected:
  /// Of a chunk's mean in the mean over all.
  double weight(const Chunk& chunk) const {
    return static_cast<double>(chunk.samples) / static_cast<double>(sum_->selected());
  }

  std::shared_ptr<SharedSum> sum_;

 private:
  WorkSplit split_;
  std::vector<std::shared_ptr<DistributedOperator>> operators_;
  std::vector<double> result_;
  Vector part_;
};

class SumObjective : public Objective, public FiniteSum {};
using DistributedObjective = DistributedOf<SumObjective>;

/// The upper triangle of a symmetric matrix, or all of another, from and to consecutive numbers.
double* pack(const Matrix& matrix, bool symmetric, double weight, double* to) {
  for (Index j = 0; j < matrix.cols(); ++j) {
    const Index rows = symmetric ? j + 1 : matrix.rows();
    for (Index i = 0; i < rows; ++i) *to++ = weight * matrix(i, j);
  }
  return to;
}
const double* unpack(const double* from, bool symmetric, double decay, Matrix& matrix) {
  for (Index j = 0; j < matrix.cols(); ++j) {
    const Index rows = symmetric ? j + 1 : matrix.rows();
    for (Index i = 0; i < rows; ++i) matrix(i, j) = (decay == 0 ? 0 : decay * matrix(i, j)) + (1 - decay) * *from++;
  }
  return from;
}
Index packed_size(Index rows, bool symmetric, Index columns) {
  return symmetric ? rows * (rows + 1) / 2 : rows * columns;
}

void shape(Matrix& matrix, Index rows, Index columns) {
  if (matrix.rows() != rows || matrix.cols() != columns) matrix.setZero(rows, columns);
}

class DistributedNetwork final : public DistributedOf<NetworkObjective> {
 public:
  using DistributedOf::DistributedOf;

  const Network& network() const override { return sum_->whole_network().network(); }
  const Dataset& data() const override { return sum_->whole_network().data(); }
  Loss loss() const override { return sum_->whole_network().loss(); }
  bool reconstructs() const override { return sum_->whole_network().reconstructs(); }
  void set_label_draw(std::uint64_t draw) override { sum_->set_label_draw(draw); }
  /// Of all ranks together.
  double operator_bytes(Index vectors) const override { return sum_->whole_network().operator_bytes(vectors); }

  Evaluation evaluate(const Vector& x) override {
    std::array<double, 2> out{};
    const auto places = static_cast<double>(data().places);
    sum_->sum_apart("evaluate", x, 2, out.data(), [&](Objective& f, const Chunk& chunk, double* term) {
      const Evaluation e = network_of(f).evaluate(x);
      term[0] = weight(chunk) * e.value;
      // Counts, so that the share is rounded once, as in one pass. NaN without classes.
      term[1] = std::round(e.accuracy * static_cast<double>(chunk.samples) * places);
    });
    return {out[0], out[1] / (static_cast<double>(sum_->selected()) * places)};
  }

  Matrix outputs(const Vector& x, std::size_t layers) override {
    if (layers < 1 || layers > network().layers().size()) {
      fail("outputs of the first {} layers: the network has {}", layers, network().layers().size());
    }
    const Index rows = network().layers()[layers - 1]->output_size();
    std::vector<double> mine;
    std::vector<double> all;
    sum_->visit_apart("outputs", x, [&](Objective& f, const Chunk&) {
      const Matrix z = network_of(f).outputs(x, layers);
      mine.insert(mine.end(), z.data(), z.data() + z.size());
    });
    const Index chunks = sum_->chunks();
    const int ranks = sum_->ranks().size();
    std::vector<Index> counts;
    for (int r = 0; r < ranks; ++r) {
      const Range its = chunks_of(r, ranks, chunks);
      Index columns = 0;
      for (Index c = its.begin; c < its.end; ++c) columns += chunk_size(sum_->selected(), chunks, c);
      counts.push_back(rows * columns);
    }
    all.resize(static_cast<std::size_t>(rows * sum_->selected()));
    sum_->ranks().communicator().all_gather_parts(mine.data(), counts, all.data());
    Matrix z(rows, sum_->selected());
    const double* from = all.data();
    for (Index c = 0; c < chunks; ++c) {
      for (Index j = c; j < z.cols(); j += chunks, from += rows) std::copy_n(from, rows, z.col(j).data());
    }
    return z;
  }

  std::vector<KroneckerFactors> kronecker_layers() const override { return sum_->whole_network().kronecker_layers(); }

  double kronecker_factors(const Vector& x, const FactorRequest& request,
                           std::vector<KroneckerFactors>& factors) override {
    check_request(request);
    if (layers_.empty()) layers_ = kronecker_layers();
    if (factors.size() != layers_.size()) factors = layers_;
    Index packed = 0;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      KroneckerFactors& f = factors[i];
      shape(f.A, f.columns(), f.columns());
      shape(f.G, f.outputs, f.outputs);
      if (request.neighbours && i + 1 < factors.size() && f.places == 1 && factors[i + 1].places == 1) {
        shape(f.A_next, f.columns(), factors[i + 1].columns());
        shape(f.G_next, f.outputs, factors[i + 1].outputs);
      }
      packed += packed_size(f.A.rows(), true, 0) + packed_size(f.G.rows(), true, 0) + f.A_next.size() + f.G_next.size();
    }
    return statistics(
        "factors", x, request, packed,
        [&](NetworkObjective& f, const FactorRequest& one, double w, double* term) {
          // Other entries than those that are asked for would stay as they were.
          factor_parts_.resize(factors.size());
          for (std::size_t i = 0; i < factors.size(); ++i) {
            KroneckerFactors& part = factor_parts_[i];
            if (part.A.size() == 0) part = layers_[i];
            if (part.A_next.size() != factors[i].A_next.size()) {
              part.A_next.setZero(factors[i].A_next.rows(), factors[i].A_next.cols());
              part.G_next.setZero(factors[i].G_next.rows(), factors[i].G_next.cols());
            }
          }
          const double price = f.kronecker_factors(x, one, factor_parts_);
          for (const KroneckerFactors& part : factor_parts_) {
            term = pack(part.A, true, w, term);
            term = pack(part.G, true, w, term);
            term = pack(part.A_next, false, w, term);
            term = pack(part.G_next, false, w, term);
          }
          return price;
        },
        [&](const double* from) {
          for (KroneckerFactors& f : factors) {
            from = unpack(from, true, request.decay, f.A);
            from = unpack(from, true, request.decay, f.G);
            from = unpack(from, false, request.decay, f.A_next);
            from = unpack(from, false, request.decay, f.G_next);
          }
        });
  }

  double kronecker_moments(const Vector& x, const FactorRequest& request, const std::vector<KroneckerBasis>& bases,
                           std::vector<Matrix>& moments) override {
    check_request(request);
    if (layers_.empty()) layers_ = kronecker_layers();
    if (bases.size() != layers_.size()) {
      fail("Kronecker moments: {} bases for {} layers", bases.size(), layers_.size());
    }
    moments.resize(layers_.size());
    Index packed = 0;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      shape(moments[i], layers_[i].outputs, layers_[i].columns());
      packed += moments[i].size();
    }
    return statistics(
        "moments", x, request, packed,
        [&](NetworkObjective& f, const FactorRequest& one, double w, double* term) {
          const double price = f.kronecker_moments(x, one, bases, moment_parts_);
          for (const Matrix& part : moment_parts_) term = pack(part, false, w, term);
          return price;
        },
        [&](const double* from) {
          for (Matrix& m : moments) from = unpack(from, false, request.decay, m);
        });
  }

  double curvature_forms(const Vector& x, Curvature kind, std::uint64_t seed, std::uint64_t draw, double share,
                         ConstMatrixView V, Matrix& forms) override {
    if (kind == Curvature::hessian) fail("curvature forms: of a Gauss-Newton or Fisher matrix, not of the Hessian");
    if (!(share > 0 && share <= 1)) fail("curvature forms: share {} lies outside (0, 1]", share);
    const Index k = V.cols();
    FactorRequest request;
    request.share = share;
    request.seed = seed;
    request.draw = draw;
    // The price counts the linearisation, which the chunks know of as one pass would.
    return statistics(
        "forms", x, request, k * k,
        [&](NetworkObjective& f, const FactorRequest& one, double w, double* term) {
          const double price = f.curvature_forms(x, kind, one.seed, one.draw, one.share, V, form_part_);
          pack(form_part_, false, w, term);
          return price;
        },
        [&](const double* from) {
          forms.resize(k, k);
          unpack(from, false, 0, forms);
        },
        Depth::backward);
  }

  DrawnGradient sampled_gradient(const Vector& x, std::uint64_t seed, std::uint64_t draw, double share,
                                 Vector& g) override {
    const FactorRequest request{.kind = Curvature::fisher_sampled, .seed = seed, .draw = draw, .share = share};
    check_request(request);
    const double cost = statistics(
        "sampled gradient", x, request, size(),
        [&](NetworkObjective& f, const FactorRequest& one, double w, double* term) {
          const double price = f.sampled_gradient(x, one.seed, one.draw, one.share, sampled_part_).cost;
          Eigen::Map<Vector>(term, size()) = w * sampled_part_;
          return price;
        },
        [&](const double* from) {
          if (g.size() != size()) g.resize(size());
          std::copy_n(from, size(), g.data());
        });
    return {sum_->wanted(share), cost};
  }

 private:
  static NetworkObjective& network_of(Objective& f) { return static_cast<NetworkObjective&>(f); }

  /// The mean of what `compute(f, request, weight, out)` writes, n numbers, over the samples of the request, which
  /// `use` then reads; compute returns the price, and so does this.
  template <class Compute, class Use>
  double statistics(const char* what, const Vector& x, const FactorRequest& request, Index n, const Compute& compute,
                    const Use& use, Depth leaves = Depth::forward) {
    const Index wanted = sum_->wanted(request.share);
    statistics_.resize(static_cast<std::size_t>(n + 1));
    sum_->sum(what, x, leaves, n + 1, statistics_.data(), [&](Objective& f, const Chunk& chunk, double* term) {
      const Index here = sum_->wanted_in(chunk, wanted);
      term[n] = 0;
      if (here == 0) {
        std::fill_n(term, n, 0.0);
        return;
      }
      FactorRequest one = request;
      one.share = SharedSum::share_of(chunk, here);
      one.decay = 0;
      const double price = compute(network_of(f), one, static_cast<double>(here) / static_cast<double>(wanted), term);
      // All chunks cost the same for their samples. The first has some always.
      if (chunk.index == 0) term[n] = price;
    });
    use(statistics_.data());
    return statistics_.back();
  }

  std::vector<KroneckerFactors> layers_;  ///< without factors
  std::vector<KroneckerFactors> factor_parts_;
  std::vector<Matrix> moment_parts_;
  Matrix form_part_;
  Vector sampled_part_;
  std::vector<double> statistics_;
};

}  // namespace

std::unique_ptr<Objective> distributed_objective(const MakeObjective& make, std::shared_ptr<Ranks> ranks,
                                                 const SharingOptions& options) {
  return std::make_unique<DistributedObjective>([make](double) { return make(); }, std::move(ranks), options);
}

std::unique_ptr<NetworkObjective> distributed_network(const MakeNetworkObjective& make, std::shared_ptr<Ranks> ranks,
                                                      const SharingOptions& options) {
  std::unique_ptr<NetworkObjective> whole = make(options.memory_budget);
  const auto& layers = whole->network().layers();
  if (std::any_of(layers.begin(), layers.end(), [](const auto& layer) { return layer->couples_samples(); })) {
    return whole;
  }
  return std::make_unique<DistributedNetwork>([make](double budget) { return make(budget); }, std::move(ranks),
                                              options);
}

}  // namespace hesse
