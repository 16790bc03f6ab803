#include "offline/mask_growth.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace litestage {
namespace {

class Growth {
 public:
  Growth(const std::vector<GrowthItem>& items, const GrowthLimits& limits,
         const MeasureItems& measure)
      : items_(items), limits_(limits), measure_(measure) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      added_.push_back(items[i].alone_damage);
      if (items[i].saved_ms > 0 && items[i].alone_damage <= limits.most_damage)
        pool_.push_back(static_cast<int>(i));
    }
  }

  std::optional<std::vector<GrowthLink>> run(const GoesOn& goes_on) {
    std::vector<GrowthLink> links;
    for (int step = 0; step < limits_.steps && at_.saved_ms < limits_.most_saved_ms; ++step) {
      std::optional<GrowthLink> next = best_item();
      if (next && next->saved_ms - at_.saved_ms < step_ms()) next = with_more(std::move(*next));
      if (stopped_) return std::nullopt;
      if (!next) break;
      at_ = std::move(*next);
      std::erase_if(pool_, [&](int item) {
        return std::find(at_.items.begin(), at_.items.end(), item) != at_.items.end();
      });
      links.push_back(at_);
      if (goes_on && !goes_on(at_)) break;
    }
    return links;
  }

 private:
  double step_ms() const { return limits_.most_saved_ms / limits_.steps; }
  double saved(int item) const { return items_[static_cast<std::size_t>(item)].saved_ms; }

  /// Last known damage for each millisecond saved. What seems to mend the model is within the noise
  /// of nothing; among such items the one that saves most is best.
  double score(int item) const {
    return std::max(0.0, added_[static_cast<std::size_t>(item)]) / saved(item);
  }

  bool is_better(int a, int b) const {
    if (score(a) != score(b)) return score(a) < score(b);
    return saved(a) != saved(b) ? saved(a) > saved(b) : a < b;
  }

  void sort_pool() {
    std::sort(pool_.begin(), pool_.end(), [&](int a, int b) { return is_better(a, b); });
  }

  /// The link with its damage measured; nothing when measuring stopped.
  std::optional<GrowthLink> measured(GrowthLink link) {
    const std::optional<double> damage = measure_(link.items);
    stopped_ = !damage;
    if (!damage) return std::nullopt;
    // What is no number is ordered behind all numbers.
    link.damage = std::isnan(*damage) ? std::numeric_limits<double>::infinity() : *damage;
    return link;
  }

  GrowthLink with(const GrowthLink& link, int item) const {
    GrowthLink longer = link;
    longer.items.push_back(item);
    longer.saved_ms += saved(item);
    return longer;
  }

  bool is_allowed(const std::optional<GrowthLink>& link) const {
    return link && link->damage <= limits_.most_damage;
  }

  std::optional<GrowthLink> best_item() {
    sort_pool();
    const std::vector<int> candidates(
        pool_.begin(), pool_.begin() + std::min(static_cast<std::ptrdiff_t>(limits_.remeasured),
                                                std::ssize(pool_)));
    std::optional<GrowthLink> best;
    for (const int item : candidates) {
      if (best && score(best->items.back()) <= score(item)) break;
      std::optional<GrowthLink> link = measured(with(at_, item));
      if (stopped_) return std::nullopt;
      added_[static_cast<std::size_t>(item)] = link->damage - at_.damage;
      if (!is_allowed(link)) continue;
      if (!best || is_better(item, best->items.back())) best = std::move(link);
    }
    return best;
  }

  /// Adds items to a link until the step is long enough; the link itself when that does too much
  /// damage.
  std::optional<GrowthLink> with_more(GrowthLink link) {
    const int first = link.items.back();
    GrowthLink longer = link;
    sort_pool();
    for (const int item : pool_) {
      if (longer.saved_ms - at_.saved_ms >= step_ms()) break;
      if (item != first) longer = with(longer, item);
    }
    if (longer.items.size() == link.items.size()) return link;
    std::optional<GrowthLink> together = measured(std::move(longer));
    if (stopped_) return std::nullopt;
    return is_allowed(together) ? together : std::move(link);
  }

  const std::vector<GrowthItem>& items_;
  const GrowthLimits& limits_;
  const MeasureItems& measure_;
  std::vector<double> added_;  ///< damage an item added when it was last measured
  std::vector<int> pool_;      ///< items that may still be taken
  GrowthLink at_;
  bool stopped_ = false;
};

}  // namespace

std::optional<std::vector<GrowthLink>> grow(const std::vector<GrowthItem>& items,
                                            const GrowthLimits& limits, const MeasureItems& measure,
                                            const GoesOn& goes_on) {
  return Growth(items, limits, measure).run(goes_on);
}

}  // namespace litestage
