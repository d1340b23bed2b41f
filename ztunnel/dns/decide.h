// What the proxy answers to a name: a pure function of the mesh, the asking pod and the question.
// The semantics are those of Istio's ztunnel, so that pods see the same names under both.
#pragma once

#include "config/model/snapshot.h"
#include "ztunnel/dns/own_answer.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace aquifer::ztunnel::dns {

/// AAAA answers are withheld where the pods' IPv6 is not captured (IPV6_ENABLED=false).
enum class Ipv6Answers : std::uint8_t { off, on };

struct DecideOptions {
  std::string cluster_domain = "cluster.local";  ///< CLUSTER_DOMAIN, canonical
  /// PREFERED_SERVICE_NAMESPACE: wins among other namespaces' services of one host.
  std::string preferred_namespace;
  Ipv6Answers ipv6 = Ipv6Answers::on;
};

/// The answer, or nothing: the question is not about a host of this mesh and goes upstream.
/// `client` may be null, a pod nobody knows: SERVFAIL. `random` orders the addresses: equal
/// arguments give equal answers.
[[nodiscard]] std::optional<OwnAnswer> decide(const model::Snapshot& mesh,
                                              const model::Workload* client,
                                              const Question& question,
                                              const DecideOptions& options, std::uint64_t random);

}  // namespace aquifer::ztunnel::dns
