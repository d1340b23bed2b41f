// Meshes with routes, and what becomes of a request in them.
#pragma once

#include "config/model/l7/routing_book.h"
#include "tests/unit/config/manifests/fixtures.h"

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests::test {

/// Services web (80 http, 81 tcp named "raw"), web-v1, web-v2 and shadow of namespace default.
inline std::string services_yaml() {
  const std::string_view web =
      "[{name: http, port: 80}, {name: grpc, port: 90}, {name: tcp-raw, port: 81}, {name: tls, "
      "port: 443}, {name: any, port: 82}]";
  std::string text = ns_yaml("default") + ns_yaml("shop") +
                     service_yaml("web", "10.1.0.1", "{app: web}", web) +
                     service_yaml("web-v1", "10.1.0.2", "{app: web, v: one}", web) +
                     service_yaml("web-v2", "10.1.0.3", "{app: web, v: two}", web) +
                     service_yaml("shadow", "10.1.0.4", "{app: shadow}", web);
  return text;
}

/// `spec` as lines indented by two.
inline std::string object_yaml(std::string_view api, std::string_view kind, std::string_view name,
                               std::string_view spec, std::string_view ns = "default",
                               std::string_view created = "") {
  return fmt::format(
      "---\napiVersion: {}\nkind: {}\nmetadata: {{name: {}, namespace: {}{}}}\nspec:\n{}\n", api,
      kind, name, ns, created.empty() ? "" : fmt::format(", creationTimestamp: {}", created), spec);
}

inline std::string http_route(std::string_view name, std::string_view rules,
                              std::string_view ns = "default", std::string_view created = "",
                              std::string_view parent =
                                  "{group: '', kind: Service, name: web, "
                                  "namespace: default, port: 80}") {
  return object_yaml("gateway.networking.k8s.io/v1", "HTTPRoute", name,
                     fmt::format("  parentRefs: [{}]\n  rules:\n{}", parent, rules), ns, created);
}

/// A request as it would come to the waypoint.
struct Asked {
  std::string path = "/";
  std::string method = "GET";
  HeaderFields headers = {};
  std::string client_ns = "default";
  std::string authority = "web";
};

class Routing {
 public:
  explicit Routing(const std::string& text) : loaded_(load_text(text)) {}

  [[nodiscard]] const Loaded& loaded() const noexcept { return loaded_; }
  [[nodiscard]] const l7::RoutingBook& book() const { return *loaded_.state.books.routing; }
  [[nodiscard]] l7::ChainPtr chain(std::uint16_t port = 80, std::string_view service = "web",
                                   std::string_view ns = "default") const {
    return book().chain(fmt::format("{0}/{1}.{0}.svc.cluster.local", ns, service), port);
  }
  /// Null when no route matches, or nobody wrote any.
  [[nodiscard]] l7::RoutePtr route(const Asked& asked, std::uint16_t port = 80) const {
    const l7::ChainPtr found = chain(port);
    if (found == nullptr) return nullptr;
    const SpiffeId identity = *SpiffeId::make("cluster.local", asked.client_ns, "default");
    const l7::RequestView view{.method = asked.method,
                               .scheme = "http",
                               .authority = asked.authority,
                               .path = asked.path,
                               .headers = asked.headers,
                               .source = {},
                               .destination = {},
                               .identity = &identity};
    return found->routes.find(view);
  }
  /// The name of the route that is taken; "none".
  [[nodiscard]] std::string name(const Asked& asked, std::uint16_t port = 80) const {
    const l7::RoutePtr found = route(asked, port);
    return found == nullptr ? "none" : found->name;
  }

 private:
  Loaded loaded_;
};

/// "web-v1:80*90, web-v2:80*10"; "!" for a share that is answered 500.
inline std::string backends_of(const l7::Route& route) {
  const auto* forward = std::get_if<l7::Forward>(&route.action);
  if (forward == nullptr) return "no forward";
  std::string text;
  for (const l7::WeightedCluster& cluster : forward->clusters) {
    if (!text.empty()) text += ", ";
    std::string key = cluster.cluster.empty() ? "!" : cluster.cluster;
    if (const auto slash = key.find('/'); slash != std::string::npos) key = key.substr(slash + 1);
    if (const auto tail = key.find(".default.svc.cluster.local"); tail != std::string::npos)
      key.erase(tail, std::string_view(".default.svc.cluster.local").size());
    text += fmt::format("{}*{}", key, cluster.weight);
  }
  return text;
}

}  // namespace aquifer::manifests::test
