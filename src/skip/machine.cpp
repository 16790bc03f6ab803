#include <ggml-backend.h>

#include "litestage/plan.h"
#include "model/backend.h"

namespace litestage {

std::string machine_name() {
  std::string name = ggml_backend_dev_description(cpu_device());
  std::string features;
  for (const auto& [feature, value] : cpu_features()) {
    if (value == "0") continue;
    features += (features.empty() ? "" : " ") + feature + (value == "1" ? "" : "=" + value);
  }
  return features.empty() ? name : name + " (" + features + ")";
}

}  // namespace litestage
