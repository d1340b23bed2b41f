// An answer that the waypoint gives itself: a refusal, a redirect, a failure. Plain values.
#pragma once

#include "common/http/message.h"
#include "waypoint/response_flag.h"

#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

struct LocalReply {
  int status = 503;
  std::string body;
  HeaderFields fields;  ///< besides content-type and content-length
  Flag flag = Flag::none;
  /// Envoy's RESPONSE_CODE_DETAILS: "route_not_found".
  std::string details;
  /// Of a gRPC request, where it is not what the status maps to.
  std::optional<int> grpc_status;
};

/// How a gRPC client is told an HTTP status (gRPC, HTTP to gRPC status code mapping).
[[nodiscard]] int grpc_status_of(int http_status) noexcept;
/// And how one of gRPC counts among HTTP statuses, for outlier detection and metrics.
[[nodiscard]] int http_status_of_grpc(int grpc_status) noexcept;

/// The head that carries it. gRPC clients get 200 with grpc-status and grpc-message, and no body.
[[nodiscard]] http::ResponseHead head_of(const LocalReply& reply, bool grpc);

/// A percent-encoded grpc-message (gRPC over HTTP/2, Responses).
[[nodiscard]] std::string encode_grpc_message(std::string_view text);

}  // namespace aquifer::waypoint
