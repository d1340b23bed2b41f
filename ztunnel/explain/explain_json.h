// An explanation for programs. docs/answers.md lists the fields; they are added to, never renamed.
#pragma once

#include "ztunnel/explain/explanation.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace aquifer::ztunnel {

/// Everything the explanation holds; what is empty is left out, except for lists.
[[nodiscard]] nlohmann::json explanation_json(const Explanation& explanation);

}  // namespace aquifer::ztunnel
