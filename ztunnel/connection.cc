#include "ztunnel/connection.h"

#include "common/hbone/baggage.h"
#include "config/model/labels.h"
#include "ztunnel/worker.h"

#include <utility>

namespace aquifer::ztunnel {
namespace {

telemetry::LogParty log_party(const End& end) {
  const model::WorkloadLabels labels = model::workload_labels(end.workload.get());
  telemetry::LogParty party;
  party.workload = labels.pod;
  party.workload_namespace = labels.ns;
  party.cluster = labels.cluster;
  if (end.proven == nullptr) {
    party.owner = end.workload;
    return party;
  }
  party.identity = end.proven->to_string();
  // One owner for both: the views point into the record and into the identity.
  party.owner = std::make_shared<const End>(end);
  return party;
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
  const bool mutual_tls = facts.source.proven != nullptr;
  labels.security_policy =
      mutual_tls ? telemetry::SecurityPolicy::mutual_tls : telemetry::SecurityPolicy::unknown;
  if (facts.source.workload != nullptr || facts.destination.workload != nullptr) {
    labels.locality =
        telemetry::TrafficLocality{std::string(source.region), std::string(source.zone),
                                   std::string(destination.region), std::string(destination.zone)};
  }
  return labels;
}

telemetry::ConnectionLog connection_log(const ConnectionFacts& facts) {
  telemetry::ConnectionLog log;
  log.direction = facts.direction;
  log.src_addr = facts.source_address;
  log.src = log_party(facts.source);
  log.dst_addr = facts.destination_address;
  log.dst_hbone_addr = facts.hbone_address;
  log.service_owner = facts.service;
  if (facts.service != nullptr) log.dst_service = facts.service->hostname;
  log.dst = log_party(facts.destination);
  return log;
}

}  // namespace

telemetry::ConnectionRecord open_record(Worker& worker, const ConnectionFacts& facts) {
  return telemetry::ConnectionRecord(worker.node.traffic, traffic_labels(facts),
                                     connection_log(facts), worker.loop.now());
}

void turn_record_to(telemetry::ConnectionRecord& record, telemetry::ResponseFlag flag,
                    const ConnectionFacts& facts) {
  record.turn_to(flag, traffic_labels(facts), connection_log(facts));
}

std::string baggage_of(const model::Workload& workload) {
  const model::BaggageFields from = model::baggage_fields(workload);
  hbone::BaggageFields fields;
  fields.cluster_name = from.cluster;
  fields.namespace_name = from.ns;
  fields.workload_type = from.workload_type;
  fields.workload_name = from.workload_name;
  fields.service_name = from.canonical_name;
  fields.service_version = from.canonical_revision;
  fields.region = from.region;
  fields.zone = from.zone;
  return hbone::build_baggage(fields);
}

void tune_socket(int fd, const Settings& settings) noexcept {
  std::ignore = io::set_nodelay(fd);
  if (settings.keepalive_enabled) std::ignore = io::set_keepalive(fd, settings.keepalive);
}

}  // namespace aquifer::ztunnel
