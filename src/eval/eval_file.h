#pragma once

#include <string>

#include "eval/eval_record.h"

namespace litestage {

/// A records file that grows by a line for each answer. A line is on the disk when `append`
/// returns; what a killed process left of its last one is cut off when the file is opened again.
/// One process at a time may hold it.
class EvalFile {
 public:
  /// Goes on with a file, or begins it when there is none or it is empty.
  /// @throws UserError when it cannot be written to, another process holds it, it is no records
  /// file, or its header is another one than this (`created` aside): what differs is named
  EvalFile(std::string path, const EvalHeader& header);
  ~EvalFile();
  EvalFile(const EvalFile&) = delete;
  EvalFile& operator=(const EvalFile&) = delete;

  /// All that is in the file, with what was appended.
  const EvalRun& run() const { return run_; }

  /// @throws UserError when it cannot be written
  void append(EvalRecord record);

 private:
  [[noreturn]] void fail(const std::string& doing) const;

  std::string path_;
  int descriptor_ = -1;
  EvalRun run_;
};

/// In words, what makes two headers those of different evaluations; empty when nothing does.
std::string header_difference(const EvalHeader& there, const EvalHeader& here);

}  // namespace litestage
