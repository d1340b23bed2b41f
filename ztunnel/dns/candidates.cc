#include "ztunnel/dns/candidates.h"

#include "ztunnel/dns/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace aquifer::ztunnel::dns {
namespace {

// Each wildcard is a look-up. Hosts have a dozen labels at most; a name of 127 labels is somebody
// trying how long we search.
constexpr std::size_t kWildcardsMax = 16;

void add(std::vector<Candidate>& out, std::string host, std::string_view stripped) {
  const bool known =
      std::ranges::any_of(out, [&host](const Candidate& other) { return other.host == host; });
  if (!known) out.push_back({std::move(host), std::string(stripped)});
}

// `name`, and what Kubernetes' names of its form are short for.
void add_expansions(std::vector<Candidate>& out, std::string_view name, const SearchPlace& place,
                    std::string_view stripped) {
  add(out, std::string(name), stripped);
  const std::string_view domain = place.cluster_domain;
  switch (std::ranges::count(name, '.') + 1) {
    case 1:  // SERVICE
      add(out, fmt::format("{}.{}.svc.{}", name, place.ns, domain), stripped);
      break;
    case 2:  // SERVICE.NS, or two labels of one name
      add(out, fmt::format("{}.svc.{}", name, domain), stripped);
      add(out, fmt::format("{}.{}.svc.{}", name, place.ns, domain), stripped);
      break;
    case 3:  // SERVICE.NS.svc, or POD.SERVICE.NS
      if (name.ends_with(".svc")) add(out, fmt::format("{}.{}", name, domain), stripped);
      add(out, fmt::format("{}.svc.{}", name, domain), stripped);
      break;
    case 4:  // POD.SERVICE.NS.svc
      if (name.ends_with(".svc")) add(out, fmt::format("{}.{}", name, domain), stripped);
      break;
    default: break;
  }
}

}  // namespace

std::vector<Candidate> candidates(std::string_view name, const SearchPlace& place) {
  std::vector<Candidate> out;
  // A dot behind a backslash stands inside a label, where no domain may be taken off; and no host
  // has such a name.
  if (name.empty() || name.contains('\\')) return out;
  add_expansions(out, name, place, {});
  const std::array<std::string, 3> search{fmt::format("{}.svc.{}", place.ns, place.cluster_domain),
                                          fmt::format("svc.{}", place.cluster_domain),
                                          std::string(place.cluster_domain)};
  for (const std::string& domain : search) {
    const std::string_view stripped = strip_domain(name, domain);
    if (!stripped.empty()) add_expansions(out, stripped, place, stripped);
  }
  return out;
}

std::vector<std::string> wildcards_of(std::string_view host) {
  std::vector<std::string> out;
  std::size_t dot = host.find('.');
  while (dot != std::string_view::npos && out.size() < kWildcardsMax) {
    out.push_back(fmt::format("*{}", host.substr(dot)));
    dot = host.find('.', dot + 1);
  }
  return out;
}

}  // namespace aquifer::ztunnel::dns
