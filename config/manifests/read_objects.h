// YAML -> manifests: one reader for each kind, and the one that tells them apart. Pure: no files,
// no other objects.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/objects.h"
#include "config/manifests/yaml_tree.h"

#include <memory>
#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Reads all documents of one file's text. What is wrong stands in the report of the result.
[[nodiscard]] FileObjects read_text(const std::string& file, const std::string& text);

// The readers of the kinds: `fields` is the whole object, whose metadata was read before.
void read_pod(Fields& fields, Metadata meta, FileObjects& out);
void read_service(Fields& fields, Metadata meta, FileObjects& out);
void read_endpoint_slice(Fields& fields, Metadata meta, FileObjects& out);
void read_service_entry(Fields& fields, Metadata meta, FileObjects& out);
void read_workload_entry(Fields& fields, Metadata meta, FileObjects& out);
/// Gateways of other classes than istio-waypoint are left alone.
void read_gateway(Fields& fields, Metadata meta, FileObjects& out);
void read_authorization_policy(Fields& fields, Metadata meta, FileObjects& out);
void read_peer_authentication(Fields& fields, Metadata meta, FileObjects& out);
void read_request_authentication(Fields& fields, Metadata meta, FileObjects& out);
void read_network_policy(Fields& fields, Metadata meta, FileObjects& out);
void read_egress_policy(Fields& fields, Metadata meta, FileObjects& out);
void read_http_route(Fields& fields, Metadata meta, FileObjects& out);
void read_grpc_route(Fields& fields, Metadata meta, FileObjects& out);
void read_tcp_route(Fields& fields, Metadata meta, FileObjects& out);
void read_tls_route(Fields& fields, Metadata meta, FileObjects& out);
void read_reference_grant(Fields& fields, Metadata meta, FileObjects& out);
void read_virtual_service(Fields& fields, Metadata meta, FileObjects& out);
void read_destination_rule(Fields& fields, Metadata meta, FileObjects& out);
/// ConfigMaps other than istio-system/istio are left alone.
void read_config_map(Fields& fields, Metadata meta, FileObjects& out);

/// An address of a field, reported when it is none.
[[nodiscard]] std::optional<IpAddress> read_address(const Fields& fields, std::string_view name,
                                                    const TextItem& item);

/// "Pod default/client", or "Namespace default".
[[nodiscard]] std::string object_name(std::string_view kind, const Metadata& meta);

}  // namespace aquifer::manifests
