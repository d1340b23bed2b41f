// What a route does besides sending a request somewhere, in words. Pure.
#pragma once

#include "config/model/l7/route.h"

#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// One line each: time-outs, retries, faults, mirrors, header changes, CORS, persistence.
[[nodiscard]] std::vector<std::string> words_of(const l7::Route& route);

}  // namespace aquifer::ztunnel
