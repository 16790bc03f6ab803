#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/plan.h"
#include "offline/stage_trace.h"

namespace litestage {

/// Positions at which a trace is looked at: one for each token of its text, one without text.
int forced_rows(const StageTrace& trace);

/// Runs a decoder over contexts and texts that are already there, some sublayers left out, and
/// hands out the logits at the positions of the texts' tokens.
///
/// Contexts stay in the decoder's cache where they fit, so that the next run reads only what its
/// settings change: the text alone when nothing is left out of reading, else the stage's fresh
/// tokens and the text. Short texts of several traces share a forward call. Which ones do, and
/// where a call ends, is the same in every run, so that runs round alike. The decoder may be used
/// for something else between runs; what that leaves in the cache is removed, and contexts that it
/// removed are read again.
class TeacherForcing {
 public:
  /// Takes the logits of some rows, in the order of the result's rows.
  ///
  /// A row is the distribution a token of the text was drawn from; a trace's first row is computed
  /// by its context's last token. A stage's rows are numbered from 0, trace after trace.
  using RowSink = std::function<void(std::span<const int> rows, const ForwardResult& result)>;

  /// @param decoder must stay alive; its cache is cleared
  /// @param traces contexts of at least one token
  TeacherForcing(Decoder& decoder, std::vector<StageTrace> traces);

  /// Stages that have traces, in the order of their first ones.
  const std::vector<std::string>& stages() const { return names_; }
  /// 0 for a stage without traces.
  int row_count(const std::string& stage) const;
  /// The question each row of a stage belongs to.
  std::vector<int> questions(const std::string& stage) const;

  /// Reads contexts with nothing left out, keeps those that fit and hands out first rows.
  /// @return false when the decoder's interrupt function stopped it
  /// @throws UserError when a context with its text does not fit into the cache
  bool read(const std::string& stage, const RowSink& sink);
  /// Forces texts under settings, whose exit rule plays no part, and hands out all rows; first ones
  /// only when something is left out of reading, as they are the full model's otherwise.
  bool run(const std::string& stage, const StageSettings& settings, const RowSink& sink);

 private:
  struct Item {
    int trace;
    int first_row;
  };
  using Group = std::vector<Item>;
  struct Stage {
    std::vector<Group> groups;
    int rows = 0;
    int cells = 0;  ///< the most any of its groups can need
  };
  /// A context in the cache that outlives a run.
  struct Kept {
    SequenceId sequence;
    std::string stage;
  };
  class OpenGroup;

  const StageTrace& trace_of(const Item& item) const {
    return traces_[static_cast<std::size_t>(item.trace)];
  }
  int cells_needed(const StageTrace& trace, const StageTrace* before) const;
  void add_to_groups(Stage& stage, int trace);
  bool each_group(const std::string& stage, const std::function<bool(OpenGroup&)>& work);
  void forget_strangers();
  void evict_other_stages(const std::string& stage, int cells);
  void make_room(const std::string& stage, int cells);

  Decoder& decoder_;
  std::vector<StageTrace> traces_;
  std::vector<std::string> names_;
  std::map<std::string, Stage> stages_;
  std::vector<Kept> kept_;
};

}  // namespace litestage
