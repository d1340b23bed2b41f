// One request, or connection that is passed through, as `flows` and `refusals` tell it. Values, and
// shared records only as const, so that they may cross threads.
#pragma once

#include "common/base/time.h"
#include "waypoint/request_record.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

enum class RequestEvent : std::uint8_t {
  live,      ///< nothing happened: it is there
  answered,  ///< it ended, well or with the application's own error
  failed,    ///< it ended with a flag or a 5xx
  refused,   ///< it was not allowed
};
[[nodiscard]] std::string_view name_of(RequestEvent event) noexcept;

/// Where a request is.
[[nodiscard]] std::string_view name_of(Phase phase) noexcept;

struct SeenRequest {
  RequestEvent event = RequestEvent::live;
  std::chrono::system_clock::time_point at;
  RecordOf what = RecordOf::request;
  Phase phase = Phase::deciding;
  DownstreamPtr downstream;
  // Cut to kTextMax.
  std::string method;
  std::string path;
  std::string authority;
  std::string request_id;
  int status = 0;
  Flags flags;
  std::string details;
  l7::RoutePtr route;
  l7::ClusterPtr cluster;
  SocketAddress upstream_host;
  model::WorkloadPtr upstream;
  std::string upstream_failure;
  std::uint32_t tries = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  Duration age{};
  std::string reason;  ///< why it was refused
  std::size_t worker = 0;

  /// Of one text of a client: a page of 20,000 requests stays below some 10 MiB.
  static constexpr std::size_t kTextMax = 256;
};

/// `head` may be null.
[[nodiscard]] SeenRequest see(const RequestRecord& record, const http::RequestHead* head,
                              MonoTime now);
/// The event of one that has ended.
[[nodiscard]] RequestEvent end_of(const RequestRecord& record) noexcept;

/// The names of the fields are a promise: docs/answers.md lists them.
[[nodiscard]] nlohmann::json to_json(const SeenRequest& request);
/// "2026-11-22T22:37:40.560Z"
[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point at);

}  // namespace aquifer::waypoint
