// What `ztunnel explain` is asked, as typed by a person and as values. Pure.
#pragma once

#include "common/base/address.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {

/// Who opens the connection: a pod by name, or an address (a pod's, or one outside the mesh).
struct ExplainSource {
  std::string ns;
  std::string pod;
  std::optional<IpAddress> address;
};

/// Where to: an address, or a host name that the pod would resolve first.
struct ExplainDestination {
  std::string host;
  std::optional<IpAddress> address;
  std::uint16_t port = 0;
};

/// What only a waypoint looks at.
struct HttpAttributes {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;

  [[nodiscard]] bool empty() const noexcept {
    return method.empty() && path.empty() && headers.empty();
  }
};

/// Does the source's own proxy carry the connection, or does it leave the pod as it is?
enum class SourceCapture : std::uint8_t { as_in_the_mesh, bypassed };

struct Question {
  std::string from_text;
  std::string to_text;
  ExplainSource from;
  ExplainDestination to;
  /// --plaintext: as if the source were outside the mesh.
  SourceCapture capture = SourceCapture::as_in_the_mesh;
  /// --server-name: what the client's TLS ClientHello names; empty: not known.
  std::string server_name;
  /// --node: whose proxy is asked; empty: the pod's own.
  std::string node;
  HttpAttributes http;
};

// Each gives the value, or one line that says what is wrong and what to write.

/// "NS/POD" or an IP address.
[[nodiscard]] std::expected<ExplainSource, std::string> parse_source(std::string_view text);
/// "HOST:PORT", "IP:PORT" or "[IPV6]:PORT".
[[nodiscard]] std::expected<ExplainDestination, std::string> parse_destination(
    std::string_view text);
/// "name: value", as curl takes it.
[[nodiscard]] std::expected<std::pair<std::string, std::string>, std::string> parse_header(
    std::string_view text);

}  // namespace aquifer::ztunnel
