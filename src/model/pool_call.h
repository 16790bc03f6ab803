#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "litestage/decoder.h"

namespace litestage {

/// What tokens must have in common to be computed in one batch.
struct BatchKey {
  SublayerMask mask;
  std::shared_ptr<const HeadPreview> preview;  ///< in the head's place, or null

  bool operator==(const BatchKey&) const = default;
};

/// What a pool knows of one client.
struct PoolMember {
  std::map<SequenceId, SequenceId> ids;  ///< the client's numbers of its sequences, the pool's
  std::optional<SequenceId> borrowed;    ///< holds what held_prefix found at another client
  Decoder::HeadStatistics head_statistics;
  Decoder::GraphStatistics graph_statistics;  ///< of batches it had a part in

  std::condition_variable finished;  ///< its call is done
  bool calling = false;
  bool expected = false;                         ///< it was just served and may soon call again
  bool decodes = false;                          ///< its last call was a step of decoding
  BatchKey last;                                 ///< of that call
  std::chrono::steady_clock::time_point served;  ///< when it ended
};

/// One forward call of a client, which waits until it is done.
struct PoolCall {
  /// A call of so few tokens is a step of decoding; what is longer reads, and may be cut.
  static constexpr std::size_t MOST_DECODED = 16;

  PoolMember& member;
  BatchKey key;
  std::vector<BatchToken> batch;  ///< with the pool's numbers of sequences
  std::span<const Tap> taps;
  const std::function<bool()>& interrupt;  ///< may be empty
  std::vector<float>& logits;              ///< of the client: rows are appended
  std::vector<std::vector<float>>& tap_values;
  std::span<const Token> only = {};  ///< these tokens' logits alone; empty: all

  std::vector<SequenceId> sequences = {};  ///< of the batch
  std::map<SequenceId, int> lengths = {};  ///< theirs before, once it is admitted
  bool admitted = false;                   ///< its cells are its own
  bool lacks_room = false;                 ///< it waits for cells
  std::size_t placed = 0;                  ///< tokens that have got their cells
  ForwardResult result = {};               ///< without spans
  std::exception_ptr error = nullptr;
  bool done = false;

  std::size_t left() const { return batch.size() - placed; }
  bool decodes() const { return batch.size() <= MOST_DECODED; }
  bool interrupt_asked() const { return interrupt && interrupt(); }
};

/// What a batch computes of one call: the first tokens that are not placed yet.
struct Piece {
  PoolCall* call;
  std::span<const BatchToken> batch;
};

/// The next batch: the first admitted call and, in their order, others with its key. While someone
/// decodes, a batch reads so few tokens that the next step need not wait long.
/// @param calls the longest waiting first
/// @param ubatch tokens of a batch at most
/// @param decoding whether someone decodes who does not wait at the moment
/// @return empty when no call is admitted
std::vector<Piece> choose_batch(std::span<PoolCall* const> calls, std::size_t ubatch,
                                bool decoding);

}  // namespace litestage
