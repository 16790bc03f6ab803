#include "serve/served_model.h"

#include <algorithm>
#include <filesystem>

namespace litestage::serve {

const Offer* ServedModel::find(const std::string& id) const {
  const auto found = std::ranges::find(offers, id, &Offer::id);
  return found == offers.end() ? nullptr : &*found;
}

const Offer* ServedModel::find_plan(const std::string& program, const std::string& plan) const {
  for (const Offer& offer : offers) {
    if (!offer.plan || offer.program->name != program) continue;
    if (plan.empty() || plan == offer.id || program + "@" + plan == offer.id) return &offer;
  }
  return nullptr;
}

std::string plan_id(const std::string& program, const std::string& plan_file) {
  return program + "@" + std::filesystem::path(plan_file).stem().string();
}

}  // namespace litestage::serve
