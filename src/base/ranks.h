#pragma once

#include <optional>
#include <string>

namespace litestage {

/// The processes that share a work's questions, as each of them sees the others. Rank 0, the first
/// one, holds the files.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;  ///< of this process
  virtual int size() const = 0;
  /// Gives every rank the first one's text; all of them call it. Those that wait for it leave their
  /// processor to others.
  virtual std::string from_first(const std::string& text) = 0;
  /// Sends a text to the first rank; may return before it is there. For all ranks but the first.
  virtual void tell_first(std::string text) = 0;
  /// The next text that was sent to the first rank, which alone may call this.
  /// @param wait until there is one, leaving the processor to others
  virtual std::optional<std::string> hear(bool wait) = 0;
};

/// Whether this process holds the files and speaks to people: it is the first one, or alone.
/// @param ranks null: it is alone
inline bool is_first(const Ranks* ranks) {
  return ranks == nullptr || ranks->rank() == 0;
}

}  // namespace litestage
