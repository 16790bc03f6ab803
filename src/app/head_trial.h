#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/progress.h"
#include "base/file_beside.h"
#include "litestage/dataset.h"
#include "litestage/decoder.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/head_learning.h"
#include "offline/stage_trace.h"

namespace litestage::app {

inline constexpr std::size_t HEAD_QUESTIONS = 24;  ///< answered to learn from, unless asked
inline constexpr long HEAD_CHECK_TOKENS = 50'000;  ///< read to check on, unless asked
/// Most tokens that are learned from: the hidden states of all of them are held at once, n_embd
/// floats each, three quarters of them twice in double besides.
inline constexpr long MOST_LEARNED_TOKENS = 50'000;

using HeadTexts = std::vector<std::vector<Token>>;

long token_count(const HeadTexts& texts);

/// What a preview is learned from and what it is checked on.
struct HeadQuestions {
  std::vector<Question> answered;  ///< the first ones
  HeadTexts check;                 ///< further ones' own texts, those that fit the context
};

/// Reads sets whole.
/// @param dataset its limit is of those that are answered
/// @param check_tokens texts are taken until there are so many tokens
/// @throws UserError as load_question_sets does
HeadQuestions head_questions(const std::vector<std::string>& sets, const DatasetOptions& dataset,
                             const Decoder& decoder, long check_tokens);

/// What the full model reads and writes for some questions: each one's longest contexts with what
/// was written behind them.
/// @param most_tokens no further text is taken once there are so many tokens
/// @return nothing when it was stopped
std::optional<HeadTexts> head_learning_texts(Decoder& decoder, const Program& program,
                                             std::span<const Question> questions,
                                             const TraceMemo& memo, long most_tokens,
                                             ProgressBar& bar, const std::atomic<bool>& stop);

/// A preview of the head, and how it did.
struct HeadTrial {
  std::unique_ptr<FileBeside> file;  ///< gone with it unless it takes its place
  HeadPreviewInfo info;
  HeadCheck check;
  HeadTiming timing;
  std::size_t bytes = 0;  ///< read for each token
};

/// Learns a preview, writes it, checks it and times it against the full head.
/// @param decoder has the preview afterwards
/// @param check texts; none: it is not checked
/// @param output the preview's place; what lies there stays
/// @return nothing when it was stopped before there was a preview; stopped later it is checked on
/// fewer tokens, and not timed
std::optional<HeadTrial> try_head(Decoder& decoder, const HeadTexts& learn, const HeadTexts& check,
                                  const std::string& output, ProgressBar& bar,
                                  const std::atomic<bool>& stop);

}  // namespace litestage::app
