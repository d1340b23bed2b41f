// What is known of one request for the access log, the metrics and pages: filled while it is
// served, told once at its end. Owned by its exchange.
#pragma once

#include "common/base/time.h"
#include "common/http/message.h"
#include "config/model/l7/route.h"
#include "config/model/workload.h"
#include "waypoint/downstream.h"
#include "waypoint/response_flag.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace aquifer::waypoint {

struct RequestRecord {
  std::chrono::system_clock::time_point started_at;
  MonoTime started{};
  DownstreamPtr downstream;

  // Of the request as it came.
  std::string method;
  std::string path;
  std::string original_path;  ///< empty when it was not rewritten
  std::string authority;
  std::string user_agent;
  std::string forwarded_for;
  std::string request_id;
  http::Version version = http::Version::http_1_1;
  bool grpc = false;
  std::uint64_t bytes_received = 0;  ///< of bodies
  std::uint64_t bytes_sent = 0;
  std::uint64_t request_messages = 0;  ///< gRPC
  std::uint64_t response_messages = 0;

  // Of what became of it.
  int status = 0;  ///< 0: nobody was told anything
  std::optional<int> grpc_status;
  Flags flags;
  std::string details;           ///< RESPONSE_CODE_DETAILS
  std::string upstream_failure;  ///< UPSTREAM_TRANSPORT_FAILURE_REASON
  l7::RoutePtr route;
  std::string cluster;          ///< as display_name() has it
  SocketAddress upstream_host;  ///< port 0: none
  model::WorkloadPtr upstream;  ///< the endpoint's record
  std::uint32_t tries = 0;
  std::optional<Duration> upstream_service_time;  ///< from the head sent to the head of the answer
  /// What a filter decided: the policy that refused.
  std::string policy;
};

}  // namespace aquifer::waypoint
