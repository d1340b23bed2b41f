#include "ztunnel/dns/resolver.h"

#include "ztunnel/dns/host_cache.h"
#include "ztunnel/dns/name.h"
#include "ztunnel/dns/upstream.h"
#include "ztunnel/dns/upstream_answer.h"

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel::dns {
namespace {

// A TTL of 0 would ask the server for every connection; a day's would outlive any reason for it.
constexpr auto kTtlLeast = std::chrono::seconds(1);
constexpr auto kTtlMost = std::chrono::hours(1);
// That there is no address is believed for so long at most: hosts appear.
constexpr auto kNegativeTtlMost = std::chrono::seconds(30);
// What passes any path without fragments (DNS flag day 2020).
constexpr std::uint16_t kUdpBytes = 1232;

/// Nothing when `host` is no name.
std::optional<Message> query_for(std::string_view host, RecordType type) {
  Message out;
  append_word(out, 0);  // the id is chosen for each try
  append_word(out, kFlagRecursionDesired);
  append_word(out, 1);
  append_long(out, 0);
  append_word(out, 1);
  if (!append_name(out, host)) return std::nullopt;
  append_word(out, static_cast<std::uint16_t>(type));
  append_word(out, kClassIn);
  out.push_back(0);
  append_word(out, static_cast<std::uint16_t>(RecordType::opt));
  append_word(out, kUdpBytes);
  append_long(out, 0);
  append_word(out, 0);
  return out;
}

Duration time_to_keep(const ResolvedAddresses& found) {
  const Duration ttl = std::chrono::seconds(found.ttl_seconds);
  const Duration most = found.addresses.empty() ? Duration(kNegativeTtlMost) : Duration(kTtlMost);
  return std::clamp(ttl, Duration(kTtlLeast), most);
}

coro::Task<Result<std::vector<IpAddress>>> resolve_family(Upstream& upstream, HostCache& cache,
                                                          std::string host, RecordType type,
                                                          Deadline deadline,
                                                          coro::CancelSource* cancel) {
  std::string key = host;
  key.append(type == RecordType::a ? "/4" : "/6");
  if (const auto* kept = cache.find(key, upstream.loop().now())) co_return *kept;
  const auto query = query_for(host, type);
  if (!query) co_return fail(Errc::invalid, "not a host name");
  auto response = co_await upstream.ask(Transport::udp, *query, deadline, cancel);
  if (response && is_truncated(*response)) {
    auto whole = co_await upstream.ask(Transport::tcp, *query, deadline, cancel);
    response = std::move(whole);
  }
  if (!response) co_return std::unexpected(response.error());
  const Rcode rcode = rcode_of(*response);
  if (rcode != Rcode::no_error && rcode != Rcode::nx_domain)
    co_return fail(
        Error(Errc::io, ErrorSource::upstream, "the DNS server could not resolve a host"));
  ResolvedAddresses found = resolved_addresses(*response);
  const MonoTime until = upstream.loop().now() + time_to_keep(found);
  cache.put(std::move(key), found.addresses, until);
  co_return std::move(found.addresses);
}

}  // namespace

coro::Task<Result<std::vector<IpAddress>>> resolve_host(Upstream& upstream, HostCache& cache,
                                                        std::string host, Families families,
                                                        Deadline deadline,
                                                        coro::CancelSource* cancel) {
  const std::string name = canonical_name(host);
  std::vector<IpAddress> addresses;
  if (families != Families::v6) {
    CO_TRY(addresses,
           co_await resolve_family(upstream, cache, name, RecordType::a, deadline, cancel));
  }
  if (families != Families::v4) {
    auto six = co_await resolve_family(upstream, cache, name, RecordType::aaaa, deadline, cancel);
    // Half an answer is one.
    if (!six && addresses.empty()) co_return std::unexpected(six.error());
    if (six) addresses.insert(addresses.end(), six->begin(), six->end());
  }
  if (addresses.empty())
    co_return fail(Error(Errc::not_found, ErrorSource::upstream, "a host without an address"));
  co_return addresses;
}

}  // namespace aquifer::ztunnel::dns
