// The part that WorkloadEntry and the endpoints of ServiceEntry have in common.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/service_entry_objects.h"

#include <optional>
#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Reads the fields; the caller finishes them. None when there is no address that counts, which has
/// been reported.
[[nodiscard]] std::optional<EntrySpec> read_entry_spec(Fields& fields);

/// Could it be looked up in DNS? At least two characters of letters, digits, '-', '_' and '.'; a
/// last label of digits alone would be a mistyped IP address.
[[nodiscard]] bool is_host_name(std::string_view text);

[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace aquifer::manifests
