#pragma once

#include <string>

#include "offline/importance.h"

namespace litestage::app {

/// An importance for people at a terminal: its stages, then its heat maps, one line a stage, phase
/// and kind of sublayer, one cell a layer.
/// @param coloured cells are colours (256 of them, as terminals have); else digits from 0, left out
/// last, to 9, left out first
/// @param width columns; wider maps have narrower cells
std::string format_importance(const Importance& importance, bool coloured, int width);

}  // namespace litestage::app
