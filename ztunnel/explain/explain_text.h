// An explanation as a person reads it in a terminal.
#pragma once

#include "ztunnel/explain/explanation.h"

#include <cstdint>
#include <string>

namespace aquifer::ztunnel {

enum class Colour : std::uint8_t { off, on };

/// Several lines, each with its end. Nothing of the mesh can steer the terminal.
[[nodiscard]] std::string explanation_text(const Explanation& explanation, Colour colour);

}  // namespace aquifer::ztunnel
