#pragma once

#include <cstdio>

namespace litestage::app {

/// Whether colours and bold type may be used on a stream: a terminal that can, and no NO_COLOR.
bool may_colour(std::FILE* stream);

/// Whether a stream is a terminal that can go back on its line and write it anew.
bool can_redraw(std::FILE* stream);

/// Columns of the stream's terminal; 80 when it is none.
int terminal_width(std::FILE* stream);

/// ANSI styles of one stream; empty where colours may not be used.
struct Style {
  explicit Style(bool coloured)
      : heading(coloured ? "\033[1m" : ""),
        stage(coloured ? "\033[36m" : ""),
        quiet(coloured ? "\033[2m" : ""),
        right(coloured ? "\033[32m" : ""),
        wrong(coloured ? "\033[31m" : ""),
        off(coloured ? "\033[0m" : "") {}
  const char* heading;
  const char* stage;
  const char* quiet;
  const char* right;
  const char* wrong;
  const char* off;
};

}  // namespace litestage::app
