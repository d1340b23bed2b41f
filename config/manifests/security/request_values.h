// The values of policies about requests: lists of texts with Istio's wildcards -> conditions. What
// is wrong with one is reported at its line.
#pragma once

#include "config/manifests/fields.h"
#include "config/model/l7/expression.h"

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// One list of values, each as the condition that it stands for.
using Conditions = std::vector<l7::Expression>;

[[nodiscard]] Conditions read_hosts(Fields& fields, std::string_view name);
/// `header` in lower case; also `:method`.
[[nodiscard]] Conditions read_header_values(Fields& fields, std::string_view name,
                                            const std::string& header);
[[nodiscard]] Conditions read_paths(Fields& fields, std::string_view name);
[[nodiscard]] Conditions read_ports(Fields& fields, std::string_view name);
[[nodiscard]] Conditions read_server_names(Fields& fields, std::string_view name);
[[nodiscard]] Conditions read_principals(Fields& fields, std::string_view name);
[[nodiscard]] Conditions read_namespaces(Fields& fields, std::string_view name);
/// "NAMESPACE/NAME", or a NAME in `own_namespace`.
[[nodiscard]] Conditions read_accounts(Fields& fields, std::string_view name,
                                       const std::string& own_namespace);
/// "ISSUER/SUBJECT".
[[nodiscard]] Conditions read_request_principals(Fields& fields, std::string_view name);
[[nodiscard]] Conditions read_claims(Fields& fields, std::string_view name,
                                     const std::vector<std::string>& path);
/// What network a condition is about: `Condition` is SourceIn, RemoteIn or DestinationIn.
template <typename Condition>
[[nodiscard]] Conditions read_networks(Fields& fields, std::string_view name);

}  // namespace aquifer::manifests
