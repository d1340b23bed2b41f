// Names and constants of the routing form.
#include "common/base/header_fields.h"
#include "config/model/l7/chain.h"
#include "config/model/l7/cluster.h"
#include "config/model/l7/route.h"

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::l7 {
namespace {

constexpr std::array kProtocolWords{
    std::pair{std::string_view("http"), Protocol::http1},
    std::pair{std::string_view("http2"), Protocol::http2},
    std::pair{std::string_view("h2c"), Protocol::http2},
    std::pair{std::string_view("grpc"), Protocol::http2},
    std::pair{std::string_view("grpc-web"), Protocol::http1},
    std::pair{std::string_view("ws"), Protocol::http1},
    std::pair{std::string_view("wss"), Protocol::tls},
    std::pair{std::string_view("tls"), Protocol::tls},
    std::pair{std::string_view("https"), Protocol::tls},
    std::pair{std::string_view("tcp"), Protocol::tcp},
    std::pair{std::string_view("redis"), Protocol::tcp},
    std::pair{std::string_view("mongo"), Protocol::tcp},
    std::pair{std::string_view("mysql"), Protocol::tcp},
    std::pair{std::string_view("postgres"), Protocol::tcp},
};

constexpr std::uint32_t operator|(RetryOn a, RetryOn b) noexcept {
  return static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b);
}
constexpr std::uint32_t operator|(std::uint32_t a, RetryOn b) noexcept {
  return a | static_cast<std::uint32_t>(b);
}

bool covers(std::string_view pattern, std::string_view name) noexcept {
  if (!pattern.starts_with("*.")) return equal_without_case(pattern, name);
  const std::string_view tail = pattern.substr(1);
  return name.size() > tail.size() &&
         equal_without_case(name.substr(name.size() - tail.size()), tail);
}

}  // namespace

std::string_view name_of(Protocol protocol) noexcept {
  switch (protocol) {
    case Protocol::detect: return "detected";
    case Protocol::http1: return "HTTP/1.1";
    case Protocol::http2: return "HTTP/2";
    case Protocol::tcp: return "TCP";
    case Protocol::tls: return "TLS";
  }
  return "";
}

Protocol protocol_of(std::string_view app_protocol, std::string_view port_name) noexcept {
  constexpr std::string_view kKubernetes = "kubernetes.io/";
  const auto find = [](std::string_view word) {
    return std::ranges::find_if(
        kProtocolWords, [&](const auto& row) { return equal_without_case(row.first, word); });
  };
  if (!app_protocol.empty()) {
    if (app_protocol.starts_with(kKubernetes)) app_protocol.remove_prefix(kKubernetes.size());
    const auto* known = find(app_protocol);
    return known != kProtocolWords.end() ? known->second : Protocol::detect;
  }
  // "grpc-web" is a word of its own; else what stands before the first dash counts.
  const bool web = port_name == "grpc-web" || port_name.starts_with("grpc-web-");
  const auto* known = find(web ? "grpc-web" : port_name.substr(0, port_name.find('-')));
  return known != kProtocolWords.end() ? known->second : Protocol::detect;
}

const TcpRoute* tcp_route(const Chain& chain, std::string_view server_name,
                          std::string_view client_ns) noexcept {
  // Gateway API: the most specific name wins, an exact one before any with a star.
  const TcpRoute* best = nullptr;
  std::size_t best_size = 0;
  const bool own =
      !client_ns.empty() && std::ranges::any_of(chain.tcp_routes, [&](const auto& one) {
        return one.source_namespace == client_ns;
      });
  for (const TcpRoute& route : chain.tcp_routes) {
    if (route.source_namespace != (own ? client_ns : std::string_view())) continue;
    if (route.server_names.empty()) {
      if (best == nullptr) best = &route;
      continue;
    }
    for (const std::string& pattern : route.server_names) {
      if (server_name.empty() || !covers(pattern, server_name)) continue;
      const std::size_t size = pattern.starts_with('*') ? pattern.size() : 1000 + pattern.size();
      if (size <= best_size) continue;
      best = &route;
      best_size = size;
    }
  }
  return best;
}

const RetryPolicy& default_retry_policy() noexcept {
  static const RetryPolicy kDefault = [] {
    RetryPolicy policy;
    policy.on = RetryOn::connect_failure | RetryOn::refused_stream | RetryOn::grpc_unavailable |
                RetryOn::grpc_cancelled | RetryOn::retriable_status_codes;
    policy.attempts = 2;
    return policy;
  }();
  return kDefault;
}

std::string RouteOrigin::to_string() const {
  if (kind.empty()) return "default";
  return kind + " " + ns + "/" + name + " rule " + std::to_string(rule) + " match " +
         std::to_string(match);
}

std::string cluster_key(std::string_view ns, std::string_view hostname, std::uint16_t port,
                        std::string_view subset) {
  std::string key(ns);
  key.append("/").append(hostname).append(":").append(std::to_string(port));
  if (!subset.empty()) key.append("/").append(subset);
  return key;
}

std::string display_name(const Cluster& cluster) {
  std::string name = "inbound-vip|" + std::to_string(cluster.port) + "|http";
  if (!cluster.subset.empty()) name.append("/").append(cluster.subset);
  return name.append("|").append(cluster.hostname);
}

}  // namespace aquifer::l7
