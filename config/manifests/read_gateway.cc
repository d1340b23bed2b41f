// Gateway -> WaypointObject, for those of class istio-waypoint. Others are gateways at the edge of
// a cluster, which are not ours.
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kWaypointClass = "istio-waypoint";

void read_listener(Fields& listener, WaypointObject& waypoint) {
  const std::string protocol = listener.text_or("protocol", "");
  const auto port = listener.port("port");
  if (protocol == "HBONE" && port) waypoint.tunnel_port = *port;
  Fields routes = listener.map("allowedRoutes");
  Fields namespaces = routes.map("namespaces");
  const std::string from = namespaces.text_or("from", "Same");
  if (from != "Same" && from != "None") waypoint.other_namespaces = true;
  namespaces.ignore({"selector"});
  namespaces.finish();
  routes.ignore({"kinds"});
  routes.finish();
  listener.ignore({"hostname", "name", "tls"});
  listener.finish();
}

// The first address counts, as for Istio: a waypoint has one service.
void read_address_of(Fields& address, WaypointObject& waypoint) {
  const std::string type = address.text_or("type", "IPAddress");
  const auto value = address.text("value");
  address.finish();
  if (!value || value->empty() || waypoint.address || !waypoint.hostname.empty()) return;
  if (type == "Hostname") {
    waypoint.hostname = *value;
  } else if (type == "IPAddress") {
    waypoint.address = read_address(address, "value", {*value, address.line()});
  } else {
    address.warn(
        "type", fmt::format("\"{}\" is not read: write IPAddress or Hostname", type.substr(0, 60)));
  }
}

}  // namespace

void read_gateway(Fields& fields, Metadata meta, FileObjects& out) {
  WaypointObject waypoint;
  waypoint.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write gatewayClassName and listeners there");
  const std::string gateway_class = spec.text_or("gatewayClassName", "");
  if (spec.present() && gateway_class.empty())
    spec.error("gatewayClassName", "missing: write istio-waypoint");
  if (gateway_class != kWaypointClass) {
    if (!gateway_class.empty()) {
      spec.warn("gatewayClassName",
                fmt::format("\"{}\" is no waypoint's class: the Gateway has no effect here",
                            gateway_class.substr(0, 60)));
    }
    return;
  }
  spec.each("listeners", [&](Fields& listener) { read_listener(listener, waypoint); });
  Fields status = fields.map("status");
  status.each("addresses", [&](Fields& address) { read_address_of(address, waypoint); });
  // Who writes a Gateway without a cluster says here where it is.
  spec.each("addresses", [&](Fields& address) { read_address_of(address, waypoint); });
  spec.ignore({"allowedListeners", "backendTLS", "infrastructure", "tls"});
  spec.finish();
  fields.finish();
  out.waypoints.push_back(std::move(waypoint));
}

}  // namespace aquifer::manifests
