// Host names from DNS answers, the server name from the ClientHello.
#include "ztunnel/destination_names.h"

#include "ztunnel/sniff.h"

#include <utility>

namespace aquifer::ztunnel {

std::shared_ptr<const DestinationNames> resolved_names(const PodContext& pod,
                                                       const IpAddress& address) {
  if (pod.resolved_names.size() == 0) return nullptr;
  auto hosts = pod.resolved_names.names_of(address, pod.worker.loop.now());
  if (hosts.empty()) return nullptr;
  DestinationNames names;
  names.hosts = std::move(hosts);
  return std::make_shared<const DestinationNames>(std::move(names));
}

coro::Task<bool> learn_server_name(PodContext& pod, io::SocketStream& client,
                                   ConnectionFacts& facts) {
  using State = model::ServerName::State;
  const Deadline deadline = pod.worker.loop.after(kServerNameTimeout);
  SniffedName sniffed =
      co_await sniff_server_name(client, deadline, &pod.connections.cancel_source());
  if (sniffed.end == SniffedName::End::failed) co_return false;
  if (sniffed.end == SniffedName::End::no_hello) co_return true;
  DestinationNames names;
  if (facts.names != nullptr) names = *facts.names;
  const bool known = sniffed.end == SniffedName::End::name;
  names.server_name_state = known ? State::known : State::absent;
  names.server_name = std::move(sniffed.name);
  facts.names = std::make_shared<const DestinationNames>(std::move(names));
  co_return true;
}

}  // namespace aquifer::ztunnel
