#include "ztunnel/connection.h"

#include "common/hbone/baggage.h"
#include "common/io/socket_options.h"
#include "config/model/labels.h"
#include "ztunnel/settings.h"

namespace aquifer::ztunnel {
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
