// A request, or a connection that is not HTTP, as a waypoint's policies see it. Views: whoever asks
// keeps what it points into.
#pragma once

#include "common/base/address.h"
#include "common/base/claims.h"
#include "common/base/header_fields.h"
#include "common/base/spiffe.h"
#include "config/model/l7/request_view.h"

#include <optional>
#include <string>
#include <string_view>

namespace aquifer::l7 {

struct SecurityQuestion {
  /// NAMESPACE/NAME of the Gateway that asks.
  std::string_view gateway;
  /// model::service_key() of the service that is wanted; empty when it is a workload itself.
  std::string_view service;
  /// Null on a connection that is not HTTP.
  const RequestView* request = nullptr;
  /// Where the connection came from, and what it was going to.
  SocketAddress source;
  SocketAddress destination;
  /// Where the request came from in the first place: remote_address().
  IpAddress remote;
  /// What mutual TLS proved; null for nobody.
  const SpiffeId* identity = nullptr;
  /// The name that the client's TLS asked for; empty without any.
  std::string_view server_name;
  /// Of a verified token; null without any.
  const Claim* claims = nullptr;

  /// A header field, or one of `:method`, `:authority`, `:path`, `:scheme`. Several of one name are
  /// joined into `scratch` by commas, as Envoy's policies see them.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name,
                                                       std::string& scratch) const;
};

/// The question about a request; gateway, service, server name and claims remain to be said.
[[nodiscard]] SecurityQuestion question_about(const RequestView& request);

/// The last address of x-forwarded-for, which whoever sent the request to us has put there; without
/// a readable one, `source`. As Envoy with no trusted hops.
[[nodiscard]] IpAddress remote_address(const HeaderFields& headers, const IpAddress& source);

}  // namespace aquifer::l7
