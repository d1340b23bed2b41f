#include "waypoint/seen_request.h"

#include "config/model/labels.h"
#include "waypoint/request_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::waypoint {
namespace {

using nlohmann::json;

std::string cut(std::string_view text) {
  if (text.size() <= SeenRequest::kTextMax) return std::string(text);
  return std::string(text.substr(0, SeenRequest::kTextMax)) + "...";
}

json end_json(const model::Workload* workload, const SocketAddress& address) {
  const model::WorkloadLabels labels = model::workload_labels(workload);
  json result{{"address", address.to_string()}};
  if (!labels.pod.empty()) result["workload"] = labels.pod;
  if (!labels.ns.empty()) result["namespace"] = labels.ns;
  return result;
}

void add_if_any(json& object, const char* name, std::string_view value) {
  if (!value.empty()) object[name] = value;
}

}  // namespace

std::string_view name_of(RequestEvent event) noexcept {
  switch (event) {
    case RequestEvent::live: return "live";
    case RequestEvent::answered: return "answered";
    case RequestEvent::failed: return "failed";
    case RequestEvent::refused: return "refused";
  }
  return "";
}

std::string_view name_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::deciding: return "deciding";
    case Phase::connecting: return "connecting";
    case Phase::waiting: return "waiting";
    case Phase::answering: return "answering";
  }
  return "";
}

SeenRequest see(const RequestRecord& record, const http::RequestHead* head, MonoTime now) {
  SeenRequest seen;
  seen.at = std::chrono::system_clock::now();
  seen.what = record.what;
  seen.phase = record.phase;
  seen.downstream = record.downstream;
  if (head != nullptr) {
    seen.method = cut(head->method);
    seen.path = cut(record.original_path.empty() ? head->path : record.original_path);
    seen.authority = cut(head->authority);
    seen.request_id = cut(head->fields.find("x-request-id").value_or(""));
  } else {
    seen.authority = cut(record.server_name);
  }
  seen.status = record.status;
  seen.flags = record.flags;
  seen.details = record.details.empty() ? record.connection_details : record.details;
  seen.route = record.route;
  seen.cluster = record.cluster;
  seen.upstream_host = record.upstream_host;
  seen.upstream = record.upstream;
  seen.upstream_failure = cut(record.upstream_failure);
  seen.tries = record.tries;
  seen.bytes_received = record.bytes_received;
  seen.bytes_sent = record.bytes_sent;
  seen.age = now - record.started;
  seen.reason = record.refusal;
  return seen;
}

RequestEvent end_of(const RequestRecord& record) noexcept {
  switch (outcome_of(record)) {
    case telemetry::Outcome::well: return RequestEvent::answered;
    case telemetry::Outcome::failed: return RequestEvent::failed;
    case telemetry::Outcome::denied: return RequestEvent::refused;
  }
  return RequestEvent::answered;
}

std::string rfc3339(std::chrono::system_clock::time_point at) {
  const auto time = std::chrono::floor<std::chrono::milliseconds>(at);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (time - seconds).count());
}

json to_json(const SeenRequest& request) {
  json result{
      {"event", name_of(request.event)},
      {"time", rfc3339(request.at)},
      {"protocol", request.what == RecordOf::request ? "http" : "tcp"},
      {"bytesReceived", request.bytes_received},
      {"bytesSent", request.bytes_sent},
      {"ageMs", std::chrono::duration_cast<std::chrono::milliseconds>(request.age).count()},
      {"worker", request.worker},
  };
  if (request.event == RequestEvent::live) {
    result["phase"] = name_of(request.phase);
  } else {
    result["flags"] = to_string(request.flags);
  }
  if (request.status != 0) result["status"] = request.status;
  if (const Downstream* downstream = request.downstream.get(); downstream != nullptr) {
    json source = end_json(downstream->source_workload.get(), downstream->source);
    // As mutual TLS proved it; what was not proven is not claimed.
    if (downstream->proven() != nullptr) source["identity"] = downstream->identity.to_string();
    result["source"] = std::move(source);
    result["wanted"] = downstream->wanted.to_string();
    if (downstream->service != nullptr) result["service"] = downstream->service->hostname;
  }
  if (request.upstream_host.port != 0) {
    json destination = end_json(request.upstream.get(), request.upstream_host);
    if (request.upstream != nullptr && !request.upstream->identity.empty())
      destination["identity"] = request.upstream->identity.to_string();
    result["destination"] = std::move(destination);
  }
  add_if_any(result, "method", request.method);
  add_if_any(result, "path", request.path);
  add_if_any(result, "authority", request.authority);
  add_if_any(result, "requestId", request.request_id);
  add_if_any(result, "details", request.details);
  if (request.route != nullptr) {
    result["route"] = request.route->name;
    result["routeOrigin"] = request.route->origin.to_string();
  }
  if (request.cluster != nullptr) result["cluster"] = l7::display_name(*request.cluster);
  if (request.tries > 1) result["tries"] = request.tries;
  add_if_any(result, "upstreamFailure", request.upstream_failure);
  add_if_any(result, "reason", request.reason);
  return result;
}

}  // namespace aquifer::waypoint
