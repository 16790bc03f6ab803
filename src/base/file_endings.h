#pragma once

namespace litestage {

/// What a head preview's file is called behind its model's name (`litestage head`): a GGUF file
/// that lies among models and is none.
inline constexpr const char* HEAD_PREVIEW_ENDING = ".head.gguf";

}  // namespace litestage
