#include "offline/teacher_forcing.h"

#include <algorithm>
#include <cassert>

namespace litestage {
namespace {

/// Rows of logits computed at once: enough to spread the reading of weights over many tokens, few
/// enough that a vocabulary of 150000 takes 40 MB. A group has as many rows at most unless it is
/// one longer text, so it also has no more traces.
constexpr int MOST_ROWS = 64;
/// Sequences a group works in are numbered from 0, kept ones from here.
constexpr SequenceId FIRST_KEPT = MOST_ROWS;

int size_of(const std::vector<Token>& tokens) {
  return static_cast<int>(tokens.size());
}

/// Tokens before the fresh ones. The last token of a context is always read anew: its logits are
/// the first row.
int prefix_of(const StageTrace& trace) {
  return std::max(0, size_of(trace.context) - std::max(1, trace.fresh));
}

}  // namespace

int forced_rows(const StageTrace& trace) {
  return std::max(1, size_of(trace.text));
}

/// The sequences of a group while it is run; they are gone when it is.
class TeacherForcing::OpenGroup {
 public:
  OpenGroup(TeacherForcing& owner, const std::string& stage, const Group& group)
      : owner_(owner), decoder_(owner.decoder_), stage_(stage), group_(group) {}
  ~OpenGroup() {
    for (int i = 0; i < size(); ++i)
      decoder_.remove(i);
  }
  OpenGroup(const OpenGroup&) = delete;
  OpenGroup& operator=(const OpenGroup&) = delete;

  /// The full model's KV of the contexts, without their fresh tokens or with them, from the cache
  /// where it is there. What is not is read in the calls that read it first: where calls end
  /// decides about kernels and so about rounding.
  bool open(bool with_fresh) {
    const bool whole = with_fresh && is_held();
    for (int i = 0; i < size(); ++i) {
      if (!open_one(i, whole ? trace_of(i).context : prefix(i))) return false;
    }
    if (!with_fresh || whole) return true;
    return read_fresh({}, [](std::span<const int>, const ForwardResult&) {});
  }

  /// Lets contexts for which something had to be read outlive this run, as long as every group of
  /// the stage still finds room.
  void keep() {
    const int reserve = owner_.stages_.at(stage_).cells;
    if (!is_new_) return;
    owner_.evict_other_stages(stage_, reserve);
    if (decoder_.free_cells() < reserve) return;
    for (int i = 0; i < size(); ++i) {
      if (decoder_.length(i) == 0) continue;
      const SequenceId kept = decoder_.unused_sequence(FIRST_KEPT);
      decoder_.fork(i, kept);
      owner_.kept_.push_back({kept, stage_});
    }
  }

  /// Reads the fresh tokens and hands out first rows.
  bool read_fresh(const SublayerMask& mask, const RowSink& sink) {
    is_new_ = true;
    for (int i = 0; i < size(); ++i) {
      const StageTrace& trace = trace_of(i);
      for (int at = prefix_of(trace); at < size_of(trace.context); ++at) {
        const bool last = at + 1 == size_of(trace.context);
        add({trace.context[static_cast<std::size_t>(at)], i, last}, item(i).first_row);
      }
    }
    return flush(mask, decoder_.options().ubatch, sink);
  }

  /// Forces the texts and hands out all rows but the first ones.
  bool force_text(const SublayerMask& mask, const RowSink& sink) {
    for (int i = 0; i < size(); ++i) {
      const StageTrace& trace = trace_of(i);
      for (int at = 0; at + 1 < size_of(trace.text); ++at)
        add({trace.text[static_cast<std::size_t>(at)], i, true}, item(i).first_row + at + 1);
    }
    return flush(mask, std::min(MOST_ROWS, decoder_.options().ubatch), sink);
  }

 private:
  int size() const { return static_cast<int>(group_.size()); }
  const Item& item(int index) const { return group_[static_cast<std::size_t>(index)]; }
  const StageTrace& trace_of(int index) const { return owner_.trace_of(item(index)); }

  std::span<const Token> prefix(int index) const {
    const StageTrace& trace = trace_of(index);
    return std::span(trace.context).first(static_cast<std::size_t>(prefix_of(trace)));
  }

  /// Whether the cache holds all contexts to their ends.
  bool is_held() const {
    return std::all_of(group_.begin(), group_.end(), [&](const Item& item) {
      const std::vector<Token>& context = owner_.trace_of(item).context;
      return decoder_.held_prefix(context, {}).length == size_of(context);
    });
  }

  bool open_one(SequenceId sequence, std::span<const Token> tokens) {
    const HeldPrefix held = decoder_.held_prefix(tokens, {});
    if (held.length > 0) decoder_.fork(held.sequence, sequence, held.length);
    std::vector<BatchToken> batch;
    for (const Token token : tokens.subspan(static_cast<std::size_t>(held.length)))
      batch.push_back({token, sequence, false});
    if (batch.empty()) return true;
    is_new_ = true;
    owner_.make_room(stage_, static_cast<int>(batch.size()));
    return !decoder_.forward(batch).interrupted;
  }

  void add(const BatchToken& token, int row) {
    batch_.push_back(token);
    if (token.want_logits) rows_.push_back(row);
  }

  /// Computes what was added, `most` tokens a call.
  bool flush(const SublayerMask& mask, int most, const RowSink& sink) {
    owner_.make_room(stage_, static_cast<int>(batch_.size()));
    std::span<const BatchToken> left(batch_);
    std::span<const int> rows(rows_);
    while (!left.empty()) {
      const auto part = left.first(std::min(left.size(), static_cast<std::size_t>(most)));
      const ForwardResult result = decoder_.forward(part, mask);
      if (result.interrupted) return false;
      const auto computed = static_cast<std::size_t>(result.rows);
      if (computed > 0) sink(rows.first(computed), result);
      rows = rows.subspan(computed);
      left = left.subspan(part.size());
    }
    batch_.clear();
    rows_.clear();
    return true;
  }

  TeacherForcing& owner_;
  Decoder& decoder_;
  const std::string& stage_;
  const Group& group_;
  bool is_new_ = false;  ///< something of the contexts had to be read
  std::vector<BatchToken> batch_;
  std::vector<int> rows_;
};

TeacherForcing::TeacherForcing(Decoder& decoder, std::vector<StageTrace> traces)
    : decoder_(decoder), traces_(std::move(traces)) {
  decoder_.clear();
  for (std::size_t i = 0; i < traces_.size(); ++i) {
    assert(!traces_[i].context.empty());
    const std::string& name = traces_[i].stage;
    if (!stages_.contains(name)) names_.push_back(name);
    add_to_groups(stages_[name], static_cast<int>(i));
  }
}

/// @param before the trace in front of it in its group, whose opened prefix it shares
int TeacherForcing::cells_needed(const StageTrace& trace, const StageTrace* before) const {
  const int own = size_of(trace.context) + size_of(trace.text);
  if (before == nullptr) return own;
  const auto differs = std::mismatch(trace.context.begin(), trace.context.end(),
                                     before->context.begin(), before->context.end());
  const int common = static_cast<int>(differs.first - trace.context.begin());
  return own - std::min({common, prefix_of(trace), prefix_of(*before)});
}

/// A group takes a trace in as long as its rows go into one call and it leaves most of the cache to
/// kept contexts.
void TeacherForcing::add_to_groups(Stage& stage, int trace) {
  const int most_cells = decoder_.options().context / 4;
  const StageTrace& added = traces_[static_cast<std::size_t>(trace)];
  int rows = forced_rows(added);
  int cells = 0;
  if (!stage.groups.empty()) {
    const StageTrace* before = nullptr;
    for (const Item& item : stage.groups.back()) {
      rows += forced_rows(trace_of(item));
      cells += cells_needed(trace_of(item), before);
      before = &trace_of(item);
    }
    cells += cells_needed(added, before);
  }
  if (stage.groups.empty() || rows > MOST_ROWS || cells > most_cells) {
    stage.groups.emplace_back();
    cells = cells_needed(added, nullptr);
  }
  stage.groups.back().push_back({trace, stage.rows});
  stage.rows += forced_rows(added);
  stage.cells = std::max(stage.cells, cells);
}

int TeacherForcing::row_count(const std::string& stage) const {
  const auto found = stages_.find(stage);
  return found == stages_.end() ? 0 : found->second.rows;
}

std::vector<int> TeacherForcing::questions(const std::string& stage) const {
  std::vector<int> questions;
  const auto found = stages_.find(stage);
  if (found == stages_.end()) return questions;
  for (const Group& group : found->second.groups) {
    for (const Item& item : group) {
      const StageTrace& trace = trace_of(item);
      questions.insert(questions.end(), static_cast<std::size_t>(forced_rows(trace)),
                       trace.question);
    }
  }
  return questions;
}

/// Removes sequences that somebody else left in the cache since the last run, and forgets those
/// that somebody removed.
void TeacherForcing::forget_strangers() {
  std::erase_if(kept_, [&](const Kept& kept) { return decoder_.length(kept.sequence) == 0; });
  for (const SequenceId sequence : decoder_.sequences()) {
    const bool ours = std::any_of(kept_.begin(), kept_.end(),
                                  [&](const Kept& kept) { return kept.sequence == sequence; });
    if (!ours) decoder_.remove(sequence);
  }
}

void TeacherForcing::evict_other_stages(const std::string& stage, int cells) {
  for (auto kept = kept_.begin(); kept != kept_.end() && decoder_.free_cells() < cells;) {
    if (kept->stage == stage) {
      ++kept;
      continue;
    }
    decoder_.remove(kept->sequence);
    kept = kept_.erase(kept);
  }
}

/// Kept contexts of other stages go first.
void TeacherForcing::make_room(const std::string& stage, int cells) {
  evict_other_stages(stage, cells);
  while (decoder_.free_cells() < cells && !kept_.empty()) {
    decoder_.remove(kept_.front().sequence);
    kept_.erase(kept_.begin());
  }
}

bool TeacherForcing::each_group(const std::string& stage,
                                const std::function<bool(OpenGroup&)>& work) {
  forget_strangers();
  const auto found = stages_.find(stage);
  if (found == stages_.end()) return true;
  const std::vector<Group>& groups = found->second.groups;
  return std::all_of(groups.begin(), groups.end(), [&](const Group& group) {
    OpenGroup open(*this, stage, group);
    return work(open);
  });
}

bool TeacherForcing::read(const std::string& stage, const RowSink& sink) {
  return each_group(stage, [&](OpenGroup& group) {
    if (!group.open(false) || !group.read_fresh({}, sink)) return false;
    group.keep();
    return true;
  });
}

bool TeacherForcing::run(const std::string& stage, const StageSettings& settings,
                         const RowSink& sink) {
  // Written tokens attend to the KV of those read.
  assert((settings.prefill.skipped_attention() & ~settings.decode.skipped_attention()).none());
  const bool reads = !settings.prefill.empty();
  return each_group(stage, [&](OpenGroup& group) {
    if (!group.open(!reads)) return false;
    group.keep();
    if (reads && !group.read_fresh(settings.prefill, sink)) return false;
    return group.force_text(settings.decode, sink);
  });
}

}  // namespace litestage
