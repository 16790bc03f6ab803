#pragma once

#include <string>
#include <vector>

#include "litestage/dataset.h"

namespace litestage {

/// Reads several sets as one: the first question of each, the second of each, and so on, so that
/// any number of them is taken evenly; a set that is through leaves its turns to the others.
///
/// Where two sets have a question of the same id, every id gets its set's name in front, as
/// "train/17": the file's name without folder and ending, or its path without the ending where two
/// files share their name.
/// @param paths at least one; "-": standard input
/// @param options the limit counts in all, the offset in each set; each set is checked up to the
/// limit
/// @throws UserError as load_questions does, and when a set is named twice
std::vector<Question> load_question_sets(const std::vector<std::string>& paths,
                                         const DatasetOptions& options = {});

/// What a record calls sets: their file names without folders, "a.jsonl, b.jsonl".
std::string question_set_names(const std::vector<std::string>& paths);

}  // namespace litestage
