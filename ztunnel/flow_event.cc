#include "ztunnel/flow_event.h"

#include "config/model/labels.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

json end_json(const End& end, const SocketAddress& address) {
  const model::WorkloadLabels labels = model::workload_labels(end.workload.get());
  json result{{"address", address.to_string()}};
  if (!labels.pod.empty()) result["workload"] = labels.pod;
  if (!labels.ns.empty()) result["namespace"] = labels.ns;
  // As mutual TLS proved it; what was not proven is not claimed.
  if (end.proven != nullptr) result["identity"] = end.proven->to_string();
  return result;
}

}  // namespace

std::string_view transport_name(const ConnectionFacts& facts) noexcept {
  if (facts.transport == telemetry::Transport::same_node) return telemetry::kSameNode;
  return facts.hbone_address.empty() ? "tcp" : "hbone";
}

std::string_view name_of(FlowKind kind) noexcept {
  switch (kind) {
    case FlowKind::open: return "open";
    case FlowKind::opened: return "opened";
    case FlowKind::ended: return "ended";
    case FlowKind::failed: return "failed";
    case FlowKind::refused: return "refused";
  }
  return "";
}

std::string_view name_of(Verdict verdict) noexcept {
  return verdict == Verdict::allowed ? "allowed" : "denied";
}

std::string pod_of(const ConnectionFacts& facts) {
  const bool outbound = facts.direction == telemetry::Direction::outbound;
  const model::WorkloadPtr& pod = outbound ? facts.source.workload : facts.destination.workload;
  return pod == nullptr ? std::string() : pod->ns + "/" + pod->name;
}

bool FlowFilter::wants(const FlowEvent& event) const {
  if (verdict && event.verdict != *verdict) return false;
  return pod.empty() || pod_of(event.facts) == pod;
}

std::string rfc3339(std::chrono::system_clock::time_point at) {
  const auto micros = std::chrono::time_point_cast<std::chrono::microseconds>(at);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (micros - seconds).count());
}

json to_json(const FlowEvent& event) {
  const ConnectionFacts& facts = event.facts;
  const bool outbound = facts.direction == telemetry::Direction::outbound;
  json result{
      {"event", name_of(event.kind)},
      {"time", rfc3339(event.at)},
      {"pod", pod_of(facts)},
      {"direction", outbound ? "outbound" : "inbound"},
      {"verdict", name_of(event.verdict)},
      {"source", end_json(facts.source, facts.source_address)},
      {"destination", end_json(facts.destination, facts.destination_address)},
      {"wanted", facts.wanted_address.to_string()},
      {"bytesSent", event.bytes_sent},
      {"bytesReceived", event.bytes_received},
      {"ageMs", std::chrono::duration_cast<std::chrono::milliseconds>(event.age).count()},
      {"encrypted", facts.source.proven != nullptr && !facts.hbone_address.empty()},
      {"transport", transport_name(facts)},
  };
  if (facts.service != nullptr) result["service"] = facts.service->hostname;
  // Where the bytes end: behind the tunnel if there is one.
  if (!facts.hbone_address.empty()) {
    result["backend"] = facts.hbone_address;
  } else {
    result["backend"] = (outbound ? facts.destination_address : facts.wanted_address).to_string();
  }
  if (!event.reason.empty()) result["reason"] = event.reason;
  if (!event.policy.empty()) result["policy"] = event.policy;
  if (!event.detail.empty()) result["detail"] = event.detail;
  return result;
}

}  // namespace aquifer::ztunnel
