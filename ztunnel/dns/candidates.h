// Which hosts a name may mean to a pod: the search that cluster DNS does for its clients, done
// here for every query, so that short names work whatever the pod's resolv.conf says. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::ztunnel::dns {

/// Where the asking pod stands.
struct SearchPlace {
  std::string_view ns;
  std::string_view cluster_domain;
};

struct Candidate {
  /// Canonical host name.
  std::string host;
  /// Not empty: found by taking a search domain off the asked name, which leaves this name.
  std::string stripped;
};

/// In the order in which they count, each host once. `name` is canonical. First the name and its
/// expansions by Kubernetes' rules, then the same for what is left when the resolver of a pod has
/// appended one of its search domains: NS.svc.DOMAIN, svc.DOMAIN, DOMAIN. None for the root, and
/// for a name with an escape, which is no host's.
[[nodiscard]] std::vector<Candidate> candidates(std::string_view name, const SearchPlace& place);

/// The hosts of wildcard services that cover `host`, the most specific first: `*.b.c` and `*.c` for
/// a.b.c.
[[nodiscard]] std::vector<std::string> wildcards_of(std::string_view host);

}  // namespace aquifer::ztunnel::dns
