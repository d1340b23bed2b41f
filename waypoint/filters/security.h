// What a waypoint asks before a request or a connection goes on: whose token is it, and do the
// policies let it pass? Plain functions on a worker's loop: nothing waits. Keys that are fetched
// are fetched elsewhere; a token whose keys are not there is refused.
#pragma once

#include "common/base/address.h"
#include "common/base/header_fields.h"
#include "common/base/spiffe.h"
#include "common/http/message.h"
#include "common/jwt/token.h"
#include "config/model/l7/security_book.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

class TokenKeys;

/// What the client is answered instead.
struct Refusal {
  int status = 403;
  /// text/plain
  std::string body;
  /// Besides what every answer has.
  HeaderFields fields;
  /// Envoy's response flags for the access log.
  std::string_view flags = "-";
  /// Envoy's response code details for the access log.
  std::string details;
  /// For people: which policy, which rule, what would have had to be different.
  std::string reason;
};

/// Of one request or connection: what is asked of whom, and then what was found. Views: the caller
/// keeps what they point into.
struct SecurityContext {
  const l7::SecurityBook& book;
  /// The worker's.
  TokenKeys& keys;
  /// NAMESPACE/NAME of the waypoint's Gateway.
  std::string_view gateway;
  /// model::service_key(); empty when a workload itself is wanted.
  std::string_view service;
  /// The client, and what it wanted: the service's address and port, not the pod's.
  SocketAddress source;
  SocketAddress destination;
  /// What the tunnel's mutual TLS proved; null for nobody.
  const SpiffeId* identity = nullptr;
  /// Of the client's own TLS inside the tunnel; empty without any.
  std::string_view server_name = {};
  std::chrono::sys_seconds now{};

  // What was found, when the request may pass.

  /// The token that was believed; null without one.
  std::shared_ptr<const jwt::Token> token = nullptr;
  /// ISSUER/SUBJECT of it, as Istio names whoever sent it; empty without one.
  std::string request_principal = {};
  /// Did an AUDIT policy match? NAMESPACE/NAME of the first; empty: none did.
  std::string audited_by = {};
  /// What policies on trial would have done differently, for the access log; empty: nothing.
  std::string dry_run = {};
};

/// None: it may pass. `head.path` must be normalised already (l7/path.h). Takes out and puts in
/// what RequestAuthentications say of header fields and parameters.
[[nodiscard]] std::optional<Refusal> secure(SecurityContext& context, http::RequestHead& head);

/// The same for a connection that is not HTTP. None: it may pass; else why not, for the log.
[[nodiscard]] std::optional<std::string> secure_connection(SecurityContext& context);

}  // namespace aquifer::waypoint
