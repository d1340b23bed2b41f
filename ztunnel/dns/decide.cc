#include "ztunnel/dns/decide.h"

#include "ztunnel/dns/candidates.h"
#include "ztunnel/dns/name.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>
#include <utility>

namespace aquifer::ztunnel::dns {
namespace {

using model::Service;
using model::ServiceRecord;
using model::ServiceRecordPtr;

struct Asker {
  const model::Workload& pod;
  const DecideOptions& options;
};

// Kubernetes' own names are answered here even when there is no address to give: nobody upstream
// knows more about them.
bool is_cluster_host(std::string_view host, std::string_view cluster_domain) {
  const std::string_view services = strip_domain(host, cluster_domain);
  return services.ends_with(".svc");
}

// What the pod may not see is none of its names. A service without an address of its own, of a host
// that is not the cluster's, is resolved by the world's DNS. An ExternalName is an alias into that:
// cluster DNS would answer it so, and without a cluster nobody else knows it.
bool is_ours(const Service& service, const Asker& asker) {
  if (!service.visible_to(asker.pod.ns)) return false;
  if (service.kind == model::ServiceKind::external_name) return !service.external_name.empty();
  return !service.vips.empty() || is_cluster_host(service.hostname, asker.options.cluster_domain);
}

// Of several services of one host the pod's own namespace wins, then the canonical one, then the
// namespace that the operator prefers.
int preference(const Service& service, const Asker& asker) {
  if (service.ns == asker.pod.ns) return 0;
  if (service.canonical) return 1;
  if (service.ns == asker.options.preferred_namespace) return 2;
  return 3;
}

ServiceRecordPtr best_service(const model::Snapshot& mesh, std::string_view host,
                              const Asker& asker) {
  std::vector<ServiceRecordPtr> fitting = mesh.services_of_host(host);
  std::erase_if(fitting,
                [&](const ServiceRecordPtr& record) { return !is_ours(*record->service, asker); });
  const auto best = std::ranges::min_element(fitting, {}, [&](const ServiceRecordPtr& record) {
    return std::pair(preference(*record->service, asker), std::string_view(record->service->ns));
  });
  return best == fitting.end() ? nullptr : *best;
}

bool is_of(const IpAddress& address, RecordType type) noexcept {
  return address.is_v4() == (type == RecordType::a);
}

std::vector<IpAddress> service_addresses(const Service& service, const Asker& asker,
                                         RecordType type) {
  std::vector<IpAddress> out;
  for (const model::NetworkAddress& vip : service.vips) {
    if (vip.network == asker.pod.network && is_of(vip.ip, type)) out.push_back(vip.ip);
  }
  return out;
}

// One address per endpoint.
std::vector<IpAddress> endpoint_addresses(const model::Snapshot& mesh, const ServiceRecord& record,
                                          RecordType type) {
  std::vector<IpAddress> out;
  const bool healthy_only = record.service->balancing.health == model::HealthPolicy::only_healthy;
  for (const model::Endpoint& endpoint : record.endpoints->endpoints) {
    if (healthy_only && endpoint.health != model::Health::healthy) continue;
    const model::WorkloadPtr& workload = mesh.workload_by_uid(endpoint.workload_uid);
    if (workload == nullptr) continue;
    const auto fitting = std::ranges::find_if(
        workload->addresses, [type](const IpAddress& address) { return is_of(address, type); });
    if (fitting != workload->addresses.end()) out.push_back(*fitting);
  }
  return out;
}

struct Match {
  ServiceRecordPtr record;
  const Candidate* candidate = nullptr;
  bool by_wildcard = false;
};

std::optional<Match> find(const model::Snapshot& mesh, const std::vector<Candidate>& hosts,
                          const Asker& asker) {
  for (const Candidate& candidate : hosts) {
    if (auto record = best_service(mesh, candidate.host, asker))
      return Match{std::move(record), &candidate, false};
    for (const std::string& wildcard : wildcards_of(candidate.host)) {
      if (auto record = best_service(mesh, wildcard, asker))
        return Match{std::move(record), &candidate, true};
    }
  }
  return std::nullopt;
}

// Addresses of that type are not told even where there are some.
bool withheld(RecordType type, const Service& service, const Asker& asker) noexcept {
  if (type == RecordType::a) return service.ip_families == model::IpFamilies::v6;
  return service.ip_families == model::IpFamilies::v4 || asker.options.ipv6 == Ipv6Answers::off;
}

}  // namespace

std::optional<OwnAnswer> decide(const model::Snapshot& mesh, const model::Workload* client,
                                const Question& question, const DecideOptions& options,
                                std::uint64_t random) {
  if (question.type != RecordType::a && question.type != RecordType::aaaa) return std::nullopt;
  OwnAnswer answer;
  if (client == nullptr) {
    answer.rcode = Rcode::serv_fail;
    return answer;
  }
  const Asker asker{*client, options};
  const std::vector<Candidate> hosts =
      candidates(question.name, {client->ns, options.cluster_domain});
  const auto match = find(mesh, hosts, asker);
  if (!match) return std::nullopt;

  const Service& service = *match->record->service;
  answer.service = model::service_key(service.ns, service.hostname);
  answer.host = match->candidate->host;
  if (service.kind == model::ServiceKind::external_name) {
    answer.alias_of = canonical_name(service.external_name);
    answer.leads_outside = true;
    return answer;
  }
  if (withheld(question.type, service, asker)) return answer;
  answer.addresses = service.vips.empty() ? endpoint_addresses(mesh, *match->record, question.type)
                                          : service_addresses(service, asker, question.type);
  std::mt19937_64 order(random);
  std::ranges::shuffle(answer.addresses, order);
  // Found by what is left without a search domain: the client is told that name. Not with a
  // wildcard, which would make every name of a search domain an alias.
  if (!answer.addresses.empty() && !match->by_wildcard)
    answer.alias_of = match->candidate->stripped;
  return answer;
}

}  // namespace aquifer::ztunnel::dns
