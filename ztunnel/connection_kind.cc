#include "ztunnel/connection_kind.h"

#include "config/model/labels.h"

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel {
namespace {

telemetry::LogParty log_party(const End& end) {
  const model::WorkloadLabels labels = model::workload_labels(end.workload.get());
  telemetry::LogParty party;
  party.workload = labels.pod;
  party.workload_namespace = labels.ns;
  party.cluster = labels.cluster;
  if (end.proven != nullptr) party.identity = end.proven->to_string();
  return party;
}

telemetry::ConnectionLog connection_log(const ConnectionFacts& facts) {
  telemetry::ConnectionLog log;
  log.direction = facts.direction;
  log.transport = facts.transport;
  log.src = log_party(facts.source);
  log.dst_addr = facts.destination_address;
  log.dst_hbone_addr = facts.hbone_address;
  if (facts.service != nullptr) log.dst_service = facts.service->hostname;
  log.dst = log_party(facts.destination);
  return log;
}

telemetry::TrafficParty traffic_party(const model::WorkloadLabels& labels) {
  telemetry::TrafficParty party;
  party.workload = labels.workload;
  party.canonical_service = labels.canonical_service;
  party.canonical_revision = labels.canonical_revision;
  party.workload_namespace = labels.ns;
  party.app = labels.canonical_service;
  party.version = labels.canonical_revision;
  party.cluster = labels.cluster;
  return party;
}

telemetry::TrafficLabels traffic_labels(const ConnectionFacts& facts) {
  const model::WorkloadLabels source = model::workload_labels(facts.source.workload.get());
  const model::WorkloadLabels destination =
      model::workload_labels(facts.destination.workload.get());
  const model::ServiceLabels service = model::service_labels(facts.service.get());
  telemetry::TrafficLabels labels;
  labels.reporter = facts.direction == telemetry::Direction::outbound
                        ? telemetry::Reporter::source
                        : telemetry::Reporter::destination;
  labels.source = traffic_party(source);
  if (facts.source.proven != nullptr) labels.source.principal = facts.source.proven->to_string();
  labels.destination = traffic_party(destination);
  labels.destination.principal = destination.principal;
  labels.destination_service = service.hostname;
  labels.destination_service_name = service.name;
  labels.destination_service_namespace = service.ns;
  // What stays on the node is as proven, and passes no TLS.
  const bool mutual_tls =
      facts.source.proven != nullptr && facts.transport == telemetry::Transport::network;
  labels.security_policy =
      mutual_tls ? telemetry::SecurityPolicy::mutual_tls : telemetry::SecurityPolicy::unknown;
  if (facts.source.workload != nullptr || facts.destination.workload != nullptr) {
    labels.locality =
        telemetry::TrafficLocality{std::string(source.region), std::string(source.zone),
                                   std::string(destination.region), std::string(destination.zone)};
  }
  return labels;
}

bool alike(const End& a, const End& b) noexcept {
  if (a.workload != b.workload || (a.proven == nullptr) != (b.proven == nullptr)) return false;
  return a.proven == b.proven || *a.proven == *b.proven;
}

bool alike(const std::shared_ptr<const DestinationNames>& a,
           const std::shared_ptr<const DestinationNames>& b) noexcept {
  if (a == b) return true;
  if (a == nullptr || b == nullptr) return false;
  const auto same_text = [](const model::HostName& x, const model::HostName& y) {
    return *x == *y;
  };
  return a->server_name_state == b->server_name_state && a->server_name == b->server_name &&
         std::ranges::equal(a->hosts, b->hosts, same_text);
}

bool alike(const ConnectionFacts& a, const ConnectionFacts& b) noexcept {
  return a.direction == b.direction && a.transport == b.transport &&
         a.source_address.ip == b.source_address.ip &&
         a.destination_address == b.destination_address && a.wanted_address == b.wanted_address &&
         a.endpoint_address == b.endpoint_address && a.hbone_address == b.hbone_address &&
         alike(a.source, b.source) && alike(a.destination, b.destination) &&
         a.service == b.service && alike(a.names, b.names);
}

// Equal for what is alike; mostly different for what is not. The wanted address is a client's to
// choose, so a few kinds may meet in one bucket: kKindsMax bounds what that can cost.
std::size_t hash_of(const ConnectionFacts& facts) noexcept {
  std::size_t hash = facts.source_address.ip.hash();
  const auto add = [&hash](std::size_t part) { hash = hash * 31 + part; };
  add(facts.destination_address.hash());
  add(facts.wanted_address.hash());
  add(facts.endpoint_address.hash());
  add(std::hash<const void*>()(facts.source.workload.get()));
  add(std::hash<const void*>()(facts.destination.workload.get()));
  add(std::hash<const void*>()(facts.service.get()));
  return hash;
}

}  // namespace

ConnectionKindPtr ConnectionKinds::of(const ConnectionFacts& facts) {
  const std::size_t hash = hash_of(facts);
  const auto [first, last] = kinds_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (alike(at->second->facts, facts)) return at->second;
  }
  auto made = std::make_shared<ConnectionKind>();
  made->facts = facts;
  made->facts.source_address.port = 0;
  made->log = connection_log(made->facts);
  made->counters = traffic_.resolve(traffic_labels(made->facts));
  if (kinds_.size() < kKindsMax) {
    kinds_.emplace(hash, made);
    if (!armed()) arm(loop_.timers(), loop_.after(kForgetInterval));
  }
  return made;
}

void ConnectionKinds::forget_unused() noexcept {
  std::erase_if(kinds_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

void ConnectionKinds::on_timer(io::Timer& timer) noexcept {
  auto& self = static_cast<ConnectionKinds&>(timer);
  self.forget_unused();
  if (!self.kinds_.empty()) self.arm(self.loop_.timers(), self.loop_.after(kForgetInterval));
}

}  // namespace aquifer::ztunnel
