#pragma once

namespace litestage::test {

/// A plain program of two stages, `think` and `answer`, that fits any question and any tiny model.
inline constexpr const char* TWO_STAGES = R"(
name = "two"
format = "plain"
preamble = "Answer the question.\n"
[[stage]]
name = "think"
prompt = "Q: {{question}}\nThink:"
max_tokens = 40
[[stage]]
name = "answer"
prompt = "\nAnswer:"
max_tokens = 8
)";

}  // namespace litestage::test
