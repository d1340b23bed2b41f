// The values of authorization policies: lists of texts with Istio's wildcards, of service accounts,
// networks and ports. What is wrong with one is reported at its line.
#pragma once

#include "config/manifests/fields.h"
#include "config/model/authorization_policy.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

enum class Text : std::uint8_t { plain, principal };

void read_texts(Fields& fields, std::string_view name, Text text,
                std::vector<model::StringMatch>& out);
/// "NAMESPACE/NAME", or a NAME in the policy's own namespace.
void read_accounts(Fields& fields, std::string_view name, const std::string& own_namespace,
                   std::vector<model::ServiceAccountMatch>& out);
void read_networks(Fields& fields, std::string_view name, std::vector<Cidr>& out);
void read_ports(Fields& fields, std::string_view name, std::vector<std::uint16_t>& out);

/// `selector.matchLabels`; empty when there is none.
[[nodiscard]] StringMap read_selector(Fields& spec);

}  // namespace aquifer::manifests
