#include "ztunnel/host_lookup.h"

#include "config/model/labels.h"
#include "ztunnel/dns/resolver.h"

#include <utility>
#include <vector>

namespace aquifer::ztunnel {

namespace {

// The peer's counter, with its labels; hosts come from the mesh's configuration, and so are few.
// The registry's own bound holds besides.
void count(const PodContext& pod, std::string_view host) {
  const model::WorkloadLabels source = model::workload_labels(pod.pod.get());
  const auto known = [](std::string_view text) { return text.empty() ? "unknown" : text; };
  pod.worker.node.registry
      .counter("istio_on_demand_dns", "Look-ups of workloads that have only a host name.",
               {{"source_workload", known(source.workload)},
                {"source_canonical_service", known(source.canonical_service)},
                {"source_canonical_revision", known(source.canonical_revision)},
                {"source_workload_namespace", known(source.ns)},
                {"source_principal", known(source.principal)},
                {"source_app", known(source.canonical_service)},
                {"source_version", known(source.canonical_revision)},
                {"source_cluster", known(source.cluster)},
                {"hostname", host}})
      .add();
}

}  // namespace

coro::Task<Result<IpAddress>> look_up_host(PodContext& pod, std::string host, IpAddress like,
                                           Deadline deadline) {
  count(pod, host);
  coro::CancelSource* cancel = &pod.connections.cancel_source();
  // The family that the client dialled; the other one only where that has no address. Not both at
  // once: behind a resolver that drops one kind of query every connection would wait for it.
  const dns::Families first = like.is_v4() ? dns::Families::v4 : dns::Families::v6;
  const dns::Families second = like.is_v4() ? dns::Families::v6 : dns::Families::v4;
  auto found =
      co_await dns::resolve_host(pod.upstream_dns, pod.hosts, host, first, deadline, cancel);
  if (found ? found->empty() : found.error().code == Errc::not_found) {
    auto other =
        co_await dns::resolve_host(pod.upstream_dns, pod.hosts, host, second, deadline, cancel);
    found = std::move(other);
  }
  if (!found) co_return std::unexpected(found.error());
  if (found->empty()) co_return fail(Errc::not_found, "the host name has no address");
  co_return (*found)[pod.worker.random() % found->size()];
}

}  // namespace aquifer::ztunnel
