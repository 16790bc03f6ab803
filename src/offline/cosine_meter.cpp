#include "offline/cosine_meter.h"

#include <algorithm>

namespace litestage {
namespace {

/// Tokens run at once: taps of all layers take (2 layers + 1) rows of the embedding's size a token.
constexpr std::size_t CHUNK = 64;

std::size_t common_length(std::span<const Token> left, std::span<const Token> right) {
  const std::size_t length = std::min(left.size(), right.size());
  const auto end = left.begin() + static_cast<std::ptrdiff_t>(length);
  return static_cast<std::size_t>(std::mismatch(left.begin(), end, right.begin()).first -
                                  left.begin());
}

/// The points between sublayers, from the embedding to the last FFN: sublayer i (attention of layer
/// 0, FFN of layer 0, attention of layer 1, ...) lies between points i and i + 1.
std::vector<Tap> points_between_sublayers(int layers) {
  std::vector<Tap> taps = {{TapPoint::layer_in, 0}};
  for (int layer = 0; layer < layers; ++layer) {
    taps.push_back({TapPoint::attn_out, layer});
    taps.push_back({TapPoint::ffn_out, layer});
  }
  return taps;
}

/// Sums over the tokens of one phase of one stage, a sublayer.
struct Sums {
  explicit Sums(std::size_t sublayers) : cosine(sublayers), norm_ratio(sublayers) {}

  void add(std::span<const RowChange> token) {
    for (std::size_t i = 0; i < token.size(); ++i) {
      cosine[i] += static_cast<double>(token[i].cosine);
      norm_ratio[i] += static_cast<double>(token[i].norm_ratio);
    }
    ++tokens;
  }

  std::vector<std::array<MeanChange, 2>> means() const {
    std::vector<std::array<MeanChange, 2>> means(cosine.size() / 2);
    if (tokens == 0) return means;
    const auto count = static_cast<double>(tokens);
    for (std::size_t i = 0; i < cosine.size(); ++i)
      means[i / 2][i % 2] = {cosine[i] / count, norm_ratio[i] / count};
    return means;
  }

  std::vector<double> cosine;
  std::vector<double> norm_ratio;
  std::int64_t tokens = 0;
};

/// A stage's sums, and the context that was counted last.
struct StageSums {
  StageSums(std::string name, std::size_t sublayers)
      : stage(std::move(name)), prefill(sublayers), decode(sublayers) {}

  std::string stage;
  Sums prefill;
  Sums decode;
  std::span<const Token> last_context;
};

/// Walks through traces in the order of their tokens, as through a tree: what a trace shares with
/// the one before it is in the cache already, and its changes are at hand.
class CosineWalk {
 public:
  CosineWalk(Decoder& decoder, const std::vector<StageTrace>& traces)
      : decoder_(decoder),
        taps_(points_between_sublayers(decoder.model().layer_count())),
        width_(static_cast<std::size_t>(decoder.model().embedding_size())) {
    for (const StageTrace& trace : traces) {
      if (find(trace.stage) == nullptr) stages_.emplace_back(trace.stage, sublayers());
    }
    decoder_.clear();
  }

  bool add(const StageTrace& trace, const std::function<bool(std::int64_t)>& progress) {
    std::vector<Token> tokens = trace.context;
    tokens.insert(tokens.end(), trace.text.begin(), trace.text.end());
    const std::size_t shared = common_length(path_, tokens);
    decoder_.truncate(0, static_cast<int>(shared));
    changes_.resize(shared * sublayers());
    path_ = std::move(tokens);
    for (std::size_t begin = shared; begin < path_.size(); begin += CHUNK) {
      if (!compute(std::span(path_).subspan(begin, std::min(CHUNK, path_.size() - begin))) ||
          !progress(computed_)) {
        return false;
      }
    }
    count(trace);
    return true;
  }

  std::vector<StageCosines> result() const {
    std::vector<StageCosines> result;
    for (const StageSums& sums : stages_) {
      result.push_back({sums.stage, sums.prefill.tokens, sums.decode.tokens, sums.prefill.means(),
                        sums.decode.means()});
    }
    return result;
  }

 private:
  std::size_t sublayers() const { return taps_.size() - 1; }

  StageSums* find(const std::string& stage) {
    const auto found = std::find_if(stages_.begin(), stages_.end(),
                                    [&](const StageSums& sums) { return sums.stage == stage; });
    return found == stages_.end() ? nullptr : &*found;
  }

  /// @return whether the decoder's interrupt function let it finish
  bool compute(std::span<const Token> tokens) {
    batch_.clear();
    for (const Token token : tokens)
      batch_.push_back({token, 0, false});
    const ForwardResult result = decoder_.forward(batch_, {}, taps_);
    if (result.interrupted) return false;
    for (std::size_t token = 0; token < tokens.size(); ++token) {
      for (std::size_t i = 0; i < sublayers(); ++i) {
        changes_.push_back(compare_rows(result.taps[i].subspan(token * width_, width_),
                                        result.taps[i + 1].subspan(token * width_, width_)));
      }
    }
    computed_ += static_cast<std::int64_t>(tokens.size());
    return true;
  }

  void count(const StageTrace& trace) {
    StageSums& sums = *find(trace.stage);
    const std::size_t context = trace.context.size();
    for (std::size_t i = common_length(sums.last_context, trace.context); i < context; ++i)
      sums.prefill.add(changes_of(i));
    for (std::size_t i = context; i < path_.size(); ++i)
      sums.decode.add(changes_of(i));
    sums.last_context = trace.context;
  }

  std::span<const RowChange> changes_of(std::size_t token) const {
    return std::span(changes_).subspan(token * sublayers(), sublayers());
  }

  Decoder& decoder_;
  const std::vector<Tap> taps_;
  const std::size_t width_;
  std::vector<StageSums> stages_;
  std::vector<Token> path_;         // what sequence 0 holds
  std::vector<RowChange> changes_;  // [path_][sublayers]
  std::vector<BatchToken> batch_;
  std::int64_t computed_ = 0;
};

/// Whether a trace stands before another one: by context, then by text.
bool precedes(const StageTrace* left, const StageTrace* right) {
  if (left->context != right->context) return left->context < right->context;
  return left->text < right->text;
}

/// Tokens the walk will compute.
std::int64_t tokens_to_compute(const std::vector<const StageTrace*>& ordered) {
  std::int64_t total = 0;
  std::vector<Token> before;
  for (const StageTrace* trace : ordered) {
    std::vector<Token> tokens = trace->context;
    tokens.insert(tokens.end(), trace->text.begin(), trace->text.end());
    total += static_cast<std::int64_t>(tokens.size() - common_length(before, tokens));
    before = std::move(tokens);
  }
  return total;
}

}  // namespace

std::optional<std::vector<StageCosines>> measure_cosines(Decoder& decoder,
                                                         const std::vector<StageTrace>& traces,
                                                         const CosineProgress& progress) {
  std::vector<const StageTrace*> ordered;
  ordered.reserve(traces.size());
  for (const StageTrace& trace : traces)
    ordered.push_back(&trace);
  std::stable_sort(ordered.begin(), ordered.end(), precedes);
  const std::int64_t total = tokens_to_compute(ordered);
  const auto tell = [&](std::int64_t done) { return !progress || progress(done, total); };
  CosineWalk walk(decoder, traces);
  for (const StageTrace* trace : ordered) {
    if (!walk.add(*trace, tell)) return std::nullopt;
  }
  decoder.clear();
  return walk.result();
}

}  // namespace litestage
