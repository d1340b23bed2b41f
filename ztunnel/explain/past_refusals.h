// What a running ztunnel remembers of refused connections: the answer of its admin port, read as
// the untrusted text that it is. Pure.
#pragma once

#include "ztunnel/explain/explanation.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel {

/// More are not shown: somebody who asks wants the last ones.
inline constexpr std::size_t kRefusalsShownMax = 10;

/// The body of `GET /refusals?pod=NS/NAME`, newest first. Entries without the fields that are
/// looked for are shown with what they have; text that is no such answer is an error for people.
[[nodiscard]] std::expected<std::vector<PastRefusal>, std::string> parse_refusals(
    std::string_view body);

}  // namespace aquifer::ztunnel
