// What is known of one request, or of one connection that is passed through, for the access log,
// the metrics and pages: filled while it is served, told once at its end. Owned by its exchange;
// told, it is moved to the log's thread whole.
#pragma once

#include "common/base/time.h"
#include "common/http/message.h"
#include "config/model/l7/cluster.h"
#include "config/model/l7/route.h"
#include "config/model/workload.h"
#include "waypoint/downstream.h"
#include "waypoint/response_flag.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace aquifer::waypoint {

enum class RecordOf : std::uint8_t { request, connection };

/// Where it is, for whoever looks.
enum class Phase : std::uint8_t {
  deciding,    ///< policies, the route, its filters (an injected delay is here)
  connecting,  ///< an endpoint, and a connection to it
  waiting,     ///< the request was sent, its answer has not begun
  answering,   ///< bytes of the answer flow, or of a connection both ways
};

struct RequestRecord {
  RecordOf what = RecordOf::request;
  std::chrono::system_clock::time_point started_at;
  MonoTime started{};
  DownstreamPtr downstream;

  /// The head as it went on, or would have. Taken over from the client's stream when all is over:
  /// a request costs no copy of what the log wants of it.
  http::RequestHead head;
  std::string original_path;  ///< before a route rewrote it; empty when none did
  std::string server_name;    ///< of a connection's own TLS
  bool grpc = false;
  std::uint64_t bytes_received = 0;  ///< of bodies
  std::uint64_t bytes_sent = 0;
  std::uint64_t request_messages = 0;  ///< gRPC
  std::uint64_t response_messages = 0;

  // Of what became of it.
  Phase phase = Phase::deciding;
  int status = 0;  ///< 0: nobody was told anything
  std::optional<int> grpc_status;
  Flags flags;
  std::string details;             ///< RESPONSE_CODE_DETAILS
  std::string connection_details;  ///< CONNECTION_TERMINATION_DETAILS
  std::string upstream_failure;    ///< UPSTREAM_TRANSPORT_FAILURE_REASON
  l7::RoutePtr route;
  l7::ClusterPtr cluster;
  SocketAddress upstream_host;  ///< port 0: none
  model::WorkloadPtr upstream;  ///< the endpoint's record
  std::uint32_t tries = 0;
  std::optional<Duration> upstream_service_time;  ///< from the head sent to the head of the answer

  // What policies said, for people.
  std::string refusal;     ///< why it was refused: the policy, and what would have had to differ
  std::string dry_run;     ///< what policies on trial would have done
  std::string audited_by;  ///< NAMESPACE/NAME of an AUDIT policy that matched
};

}  // namespace aquifer::waypoint
