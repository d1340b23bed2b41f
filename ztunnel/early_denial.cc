#include "ztunnel/early_denial.h"

#include <utility>

namespace aquifer::ztunnel {

void deny_early(PodContext& pod, telemetry::Direction direction, const SocketAddress& from,
                const SocketAddress& to, std::string error) {
  ConnectionFacts facts;
  facts.direction = direction;
  facts.source_address = from;
  facts.destination_address = to;
  facts.wanted_address = to;
  End& local = direction == telemetry::Direction::outbound ? facts.source : facts.destination;
  local.workload = pod.pod;
  telemetry::log_early_denial(direction, from, to, error, pod.pod->ns);
  pod.flows.turned_away(std::move(facts), std::move(error));
}

}  // namespace aquifer::ztunnel
