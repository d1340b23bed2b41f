#include "ztunnel/host_lookup.h"

#include "ztunnel/dns/resolver.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {

coro::Task<Result<IpAddress>> look_up_host(PodContext& pod, std::string host, IpAddress like,
                                           Deadline deadline) {
  auto found = co_await dns::resolve_host(pod.upstream_dns, pod.hosts, std::move(host),
                                          dns::Families::both, deadline);
  if (!found) co_return std::unexpected(found.error());
  const auto rest = std::ranges::partition(
      *found, [&](const IpAddress& ip) { return ip.is_v4() == like.is_v4(); });
  const std::size_t matching = found->size() - rest.size();
  const std::size_t choices = matching > 0 ? matching : found->size();
  if (choices == 0) co_return fail(Errc::not_found, "the host name has no address");
  co_return (*found)[pod.worker.random() % choices];
}

}  // namespace aquifer::ztunnel
