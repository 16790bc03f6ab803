#include "offline/head_learning.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

#include "base/highest_values.h"
#include "base/parallel.h"
#include "litestage/error.h"
#include "model/head_rows.h"
#include "model/model_weights.h"
#include "offline/head_matrix.h"

namespace litestage {
namespace {

using LearningProgress = std::function<bool(const HeadLearningProgress&)>;

constexpr int Q4_0_BLOCK = 32;  // values that share a scale
constexpr int VOCABULARY_PART = 2048;
constexpr int STATES_AT_ONCE = 128;

/// Share of the tokens that may need the whole head for safety's sake alone: rare misses are
/// likelier among them than a few hundred states can show.
constexpr double SAFETY_SHARE = 0.02;

/// For one state: how far the best proposed row stands above the threshold, and whether it is the
/// full head's best row.
struct PreviewOutcome {
  float gap = 0;
  bool right = false;
};

/// The least margin under which no state is decided wrongly and the SAFETY_SHARE of them that stand
/// out least are not decided by the preview at all.
float margin_for(const std::vector<PreviewOutcome>& outcomes) {
  std::vector<float> gaps;
  float margin = 0;
  for (const PreviewOutcome& each : outcomes) {
    gaps.push_back(each.gap);
    if (!each.right) margin = std::max(margin, std::nextafter(each.gap, INFINITY));
  }
  const auto safe =
      gaps.begin() + static_cast<std::ptrdiff_t>(SAFETY_SHARE * static_cast<double>(gaps.size()));
  std::nth_element(gaps.begin(), safe, gaps.end());
  return std::max(margin, *safe);
}

class HeadLearning {
 public:
  HeadLearning(const Model& model, const HiddenStates& states, const HeadLearningOptions& options,
               const LearningProgress& progress)
      : model_(model), options_(options), progress_(progress), exact_(model) {
    // Every fourth state is for the margins: neighbours resemble one another.
    std::vector<std::size_t> learn;
    std::vector<std::size_t> judge;
    for (std::size_t i = 0; i < states.count(); ++i)
      (i % 4 == 3 ? judge : learn).push_back(i);
    learn_ = gather(states, learn);
    judge_ = gather(states, judge);
  }

  std::optional<LearnedHead> run() {
    if (!tell("directions of the hidden states", 0)) return std::nullopt;
    rotate();
    if (!tell("the full head's choices", 1)) return std::nullopt;
    find_best_rows();
    std::optional<LearnedHead> best;
    std::vector<int> ranks;
    for (const int rank : options_.ranks) {
      if (rank < model_.embedding_size()) ranks.push_back(rank);
    }
    ranks.push_back(0);  // all dimensions
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const std::string what =
          ranks[i] == 0 ? "all dimensions in 4 bits" : fmt::format("{} dimensions", ranks[i]);
      if (!tell(what, 2 + static_cast<int>(i))) return std::nullopt;
      LearnedHead head = ranks[i] == 0 ? copy() : rotated(ranks[i]);
      if (!judge(head, what, 2 + static_cast<int>(i))) return std::nullopt;
      if (!best || head.expected_bytes < best->expected_bytes) best = std::move(head);
    }
    return best;
  }

 private:
  static RowMatrix gather(const HiddenStates& states, const std::vector<std::size_t>& rows) {
    RowMatrix matrix(static_cast<Eigen::Index>(rows.size()),
                     static_cast<Eigen::Index>(states.width));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto from = states.row(rows[i]);
      std::copy(from.begin(), from.end(), matrix.row(static_cast<Eigen::Index>(i)).data());
    }
    return matrix;
  }

  bool tell(const std::string& what, int done) const {
    const int total = 3 + static_cast<int>(options_.ranks.size());
    return !progress_ || progress_({what, done, total});
  }

  /// Directions of y = Lᵀh by falling E[(uᵀy)²], and the ways there and back.
  void rotate() {
    const Eigen::MatrixXd gram = head_gram(model_, options_.threads);
    const Eigen::LLT<Eigen::MatrixXd> cholesky(gram);
    if (cholesky.info() != Eigen::Success) {
      throw UserError("head", "the rows of this model's head span too few dimensions",
                      "leave the preview out");
    }
    const Eigen::MatrixXd lower = cholesky.matrixL();
    const Eigen::MatrixXd y = learn_.cast<double>() * lower;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(y.transpose() * y);
    const Eigen::MatrixXd directions = solver.eigenvectors().rowwise().reverse();
    // A preview's matrix is W times the one, its input h times the other.
    to_rows_ = lower.transpose().triangularView<Eigen::Upper>().solve(directions).cast<float>();
    from_state_ = (lower * directions).transpose().cast<float>();
  }

  template <typename Work>
  void each_vocabulary_part(const Work& work) const {
    const int rows = model_.vocabulary_size();
    for_each_index((rows + VOCABULARY_PART - 1) / VOCABULARY_PART, options_.threads, [&](int part) {
      const int begin = part * VOCABULARY_PART;
      work(begin, std::min(VOCABULARY_PART, rows - begin));
    });
  }

  LearnedHead quantised(int rank, const std::function<RowMatrix(int, int)>& rows) const {
    LearnedHead head;
    head.info.rank = rank;
    head.info.proposals = options_.proposals;
    head.info.learned_tokens = learn_.rows() + judge_.rows();
    const std::size_t row_bytes = ggml_row_size(GGML_TYPE_Q4_0, rank);
    head.matrix.resize(row_bytes * static_cast<std::size_t>(model_.vocabulary_size()));
    each_vocabulary_part([&](int begin, int count) {
      quantise_rows(rows(begin, count), std::span(head.matrix)
                                            .subspan(static_cast<std::size_t>(begin) * row_bytes,
                                                     static_cast<std::size_t>(count) * row_bytes));
    });
    return head;
  }

  LearnedHead rotated(int rank) const {
    const Eigen::MatrixXf to_rows = to_rows_.leftCols(rank);
    LearnedHead head = quantised(rank, [&](int begin, int count) {
      return RowMatrix(head_block(model_, begin, count) * to_rows);
    });
    head.info.rotated = true;
    const RowMatrix projection = from_state_.topRows(rank);
    head.projection.assign(projection.data(), projection.data() + projection.size());
    return head;
  }

  LearnedHead copy() const {
    return quantised(model_.embedding_size(),
                     [&](int begin, int count) { return head_block(model_, begin, count); });
  }

  void find_best_rows() {
    std::vector<float> logits(static_cast<std::size_t>(model_.vocabulary_size()));
    for (Eigen::Index i = 0; i < judge_.rows(); ++i) {
      exact_.compute_all(state(i), logits, options_.threads);
      best_rows_.push_back(
          static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    }
  }

  std::span<const float> state(Eigen::Index index) const {
    return {judge_.row(index).data(), static_cast<std::size_t>(judge_.cols())};
  }

  /// Finds the margin of a preview and what it costs.
  bool judge(LearnedHead& head, const std::string& what, int done) {
    std::vector<PreviewOutcome> outcomes;
    for (Eigen::Index begin = 0; begin < judge_.rows(); begin += STATES_AT_ONCE) {
      if (!tell(what, done)) return false;
      const Eigen::Index count = std::min<Eigen::Index>(STATES_AT_ONCE, judge_.rows() - begin);
      const RowMatrix scores = previewed(head, begin, count);
      for (Eigen::Index i = 0; i < count; ++i)
        outcomes.push_back(outcome(scores, i, begin + i));
    }
    head.info.margin = margin_for(outcomes);
    const float margin = head.info.margin;
    const auto whole = std::count_if(outcomes.begin(), outcomes.end(),
                                     [&](const PreviewOutcome& each) { return each.gap < margin; });
    const auto row =
        static_cast<double>(ggml_row_size(model_.weights().output->type, model_.embedding_size()));
    head.expected_bytes =
        static_cast<double>(head.matrix.size() + head.projection.size() * sizeof(float)) +
        row * head.info.proposals +
        row * model_.vocabulary_size() * static_cast<double>(whole) /
            static_cast<double>(outcomes.size());
    return true;
  }

  /// Preview's logits of some of the states: [count][n_vocab].
  RowMatrix previewed(const LearnedHead& head, Eigen::Index begin, Eigen::Index count) const {
    RowMatrix z = judge_.middleRows(begin, count);
    if (head.info.rotated) {
      const Eigen::Map<const RowMatrix> projection(head.projection.data(), head.info.rank,
                                                   judge_.cols());
      z = (z * projection.transpose()).eval();
    }
    RowMatrix scores(count, model_.vocabulary_size());
    const std::size_t row_bytes = ggml_row_size(GGML_TYPE_Q4_0, head.info.rank);
    each_vocabulary_part([&](int first, int rows) {
      const auto part = std::span(head.matrix)
                            .subspan(static_cast<std::size_t>(first) * row_bytes,
                                     static_cast<std::size_t>(rows) * row_bytes);
      scores.middleCols(first, rows) = z * dequantise_rows(part, rows, head.info.rank).transpose();
    });
    return scores;
  }

  PreviewOutcome outcome(const RowMatrix& scores, Eigen::Index row, Eigen::Index judged) {
    const auto n_vocab = static_cast<std::size_t>(scores.cols());
    proposals_.find(std::span(scores.row(row).data(), n_vocab), options_.proposals);
    const std::span<const int> rows = proposals_.indices();
    logits_.resize(n_vocab);
    exact_.compute(state(judged), rows, logits_);
    const auto best = std::max_element(rows.begin(), rows.end(), [&](int a, int b) {
      return logits_[static_cast<std::size_t>(a)] < logits_[static_cast<std::size_t>(b)];
    });
    return {logits_[static_cast<std::size_t>(*best)] - proposals_.threshold(),
            *best == best_rows_[static_cast<std::size_t>(judged)]};
  }

  const Model& model_;
  const HeadLearningOptions& options_;
  const LearningProgress& progress_;
  HeadRows exact_;
  RowMatrix learn_;             // [states][n_embd]
  RowMatrix judge_;             // [states][n_embd]
  Eigen::MatrixXf to_rows_;     // [n_embd][n_embd]: L⁻ᵀU
  RowMatrix from_state_;        // [n_embd][n_embd]: UᵀLᵀ
  std::vector<int> best_rows_;  // of judge_, by the full head
  HighestValues proposals_;     // reused
  std::vector<float> logits_;   // reused
};

}  // namespace

std::string no_preview_helps(const Model& model) {
  if (model.weights().head_rows == nullptr) return "its head lies on a device";
  if (model.embedding_size() % Q4_0_BLOCK != 0)
    return fmt::format("its width, {}, is no multiple of {}", model.embedding_size(), Q4_0_BLOCK);
  if (model.vocabulary_size() <= HeadLearningOptions{}.proposals) {
    return fmt::format("its vocabulary, {}, is no larger than what would be proposed",
                       model.vocabulary_size());
  }
  return "";
}

std::optional<HiddenStates> hidden_states(Decoder& decoder,
                                          const std::vector<std::vector<Token>>& texts,
                                          const std::function<bool(int, int)>& progress) {
  HiddenStates states;
  states.width = static_cast<std::size_t>(decoder.model().embedding_size());
  const std::array<Tap, 1> taps = {Tap{TapPoint::final_norm, 0}};
  decoder.clear();
  int done = 0;
  for (const std::vector<Token>& text : texts) {
    if (progress && !progress(done, static_cast<int>(texts.size()))) return std::nullopt;
    std::vector<BatchToken> batch;
    batch.reserve(text.size());
    for (const Token token : text)
      batch.push_back({token, 0, false});
    const ForwardResult result = decoder.forward(batch, {}, taps);
    if (result.interrupted) return std::nullopt;
    states.values.insert(states.values.end(), result.taps[0].begin(), result.taps[0].end());
    decoder.clear();
    ++done;
  }
  return states;
}

std::optional<LearnedHead> learn_head(
    const Model& model, const HiddenStates& states, const HeadLearningOptions& options,
    const std::function<bool(const HeadLearningProgress&)>& progress) {
  if (model.weights().head_rows == nullptr) {
    throw UserError("head", "lies on a device, where a preview does not help",
                    "keep it on the CPU: a smaller -ngl");
  }
  if (states.count() < FEWEST_HEAD_STATES) {
    throw UserError("head", fmt::format("{} tokens are too few to learn from", states.count()),
                    fmt::format("give texts of at least {}", FEWEST_HEAD_STATES));
  }
  if (model.embedding_size() % Q4_0_BLOCK != 0) {
    throw UserError("head", fmt::format("a width of {} is no multiple of {}",
                                        model.embedding_size(), Q4_0_BLOCK));
  }
  return HeadLearning(model, states, options, progress).run();
}

}  // namespace litestage
