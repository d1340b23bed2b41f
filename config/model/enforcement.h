// Does a policy decide, or is it only tried out? The same for policies of every kind.
#pragma once

#include <cstdint>

namespace aquifer::model {

enum class Enforcement : std::uint8_t {
  enforced,
  dry_run,  ///< decides nothing; what it would have done is logged
};

}  // namespace aquifer::model
