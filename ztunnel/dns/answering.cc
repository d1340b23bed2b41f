#include "ztunnel/dns/answering.h"

#include "common/base/assert.h"
#include "ztunnel/dns/own_answer.h"
#include "ztunnel/dns/query_log.h"
#include "ztunnel/dns/resolver.h"
#include "ztunnel/dns/upstream_answer.h"

#include <string>
#include <utility>

namespace aquifer::ztunnel::dns {
namespace {

// A zone transfer is many messages to one query; a pod's resolver has no zones to give.
bool is_transfer(const Query& query, Transport transport) {
  return transport == Transport::tcp && query.question &&
         (query.question->type == RecordType::axfr || query.question->type == RecordType::ixfr);
}

}  // namespace

std::optional<Message> Answering::at_once(const Arrival& arrival) {
  const auto query = parse_query(arrival.bytes);
  if (!query) {
    if (query.error() == QueryFault::not_a_query) return Message();
    return encode_failure(arrival.bytes, Rcode::form_err);
  }
  metrics_of(*query, arrival.transport).requests.add();
  if (is_transfer(*query, arrival.transport))
    return refuse(arrival, *query, Rcode::refused, "zone transfers are not forwarded");
  const auto own = decide_for(*query);
  if (!own) return std::nullopt;
  if (query->edns && query->edns->version != 0)
    return refuse(arrival, *query, Rcode::bad_vers, "an unknown version of EDNS");
  if (own->leads_outside) return std::nullopt;
  return answer(arrival, *query, *own);
}

std::optional<OwnAnswer> Answering::decide_for(const Query& query) {
  if (!query.is_ordinary()) return std::nullopt;
  return decide(*parts_.mesh, parts_.pod.get(), *query.question, parts_.options, parts_.random());
}

coro::Task<Message> Answering::by_alias(Arrival arrival, OwnAnswer own,
                                        coro::CancelSource* cancel) {
  const auto query = parse_query(arrival.bytes);
  AQUIFER_ASSERT(query.has_value() && query->question.has_value());
  const RecordType type = query->question->type;
  // It may lead back into the mesh; an alias of an alias is the client's to follow.
  const Question target{.name = own.alias_of, .type = type};
  const auto inside =
      decide(*parts_.mesh, parts_.pod.get(), target, parts_.options, parts_.random());
  if (inside) {
    own.addresses = inside->addresses;
    Message response = answer(arrival, *query, own);
    co_return std::move(response);
  }
  const Families families = type == RecordType::a ? Families::v4 : Families::v6;
  auto found = co_await resolve_host(parts_.upstream, parts_.hosts, own.alias_of, families,
                                     Deadline::never(), cancel);
  if (!found && found.error().code == Errc::cancelled) co_return Message();
  const bool unknown = !found && found.error().code != Errc::not_found;
  if (unknown) {
    metrics_of(*query, arrival.transport).upstream_failures.add();
    const std::string why = found.error().message();
    Message refused = refuse(arrival, *query, Rcode::serv_fail, why);
    co_return std::move(refused);
  }
  if (found) own.addresses = std::move(*found);
  Message response = answer(arrival, *query, own);
  co_return std::move(response);
}

Message Answering::answer(const Arrival& arrival, const Query& query, const OwnAnswer& own) {
  const std::size_t bytes_max =
      arrival.transport == Transport::udp ? query.udp_bytes_max() : kMessageBytesMax;
  Message response = encode_answer(arrival.bytes, query, own, bytes_max);
  learn_own(query, own);
  log(arrival, query, response, own.service, {});
  return response;
}

Message Answering::refuse(const Arrival& arrival, const Query& query, Rcode rcode,
                          std::string_view why) {
  Message response = encode_failure(arrival.bytes, rcode);
  log(arrival, query, response, {}, why);
  return response;
}

coro::Task<Message> Answering::by_upstream(Arrival arrival, coro::CancelSource* cancel) {
  const auto query = parse_query(arrival.bytes);
  AQUIFER_ASSERT(query.has_value());  // at_once() has seen it
  QueryMetrics metrics = metrics_of(*query, arrival.transport);
  metrics.upstream_requests.add();
  if (auto own = decide_for(*query); own && own->leads_outside) {
    Message response = co_await by_alias(std::move(arrival), std::move(*own), cancel);
    co_return std::move(response);
  }
  const MonoTime begun = loop().now();
  Message bytes = arrival.bytes;
  auto response =
      co_await parts_.upstream.ask(arrival.transport, std::move(bytes), Deadline::never(), cancel);
  if (response) {
    metrics.upstream_duration.observe(loop().now() - begun);
    learn_forwarded(*query, *response);
    log(arrival, *query, *response, {}, {});
    co_return std::move(*response);
  }
  if (response.error().code == Errc::cancelled) co_return Message();
  metrics.upstream_failures.add();
  const std::string why = response.error().message();
  Message refused = refuse(arrival, *query, Rcode::serv_fail, why);
  co_return std::move(refused);
}

QueryMetrics& Answering::metrics_of(const Query& query, Transport transport) {
  const RecordType type = query.question ? query.question->type : RecordType{};
  return metrics_.of(type, transport, {parts_.pod->canonical_name, parts_.pod->canonical_revision});
}

void Answering::learn_own(const Query& query, const OwnAnswer& own) const {
  if (!parts_.learn) return;
  const Duration ttl = std::chrono::seconds(kOwnTtlSeconds);
  for (const IpAddress& address : own.addresses) {
    // Both what was asked and what it is short for: a policy says the one or the other.
    parts_.learn(query.question->name, address, ttl);
    if (own.host != query.question->name) parts_.learn(own.host, address, ttl);
  }
}

void Answering::learn_forwarded(const Query& query, ByteView response) const {
  if (!parts_.learn || !query.is_ordinary()) return;
  const bool addresses =
      query.question->type == RecordType::a || query.question->type == RecordType::aaaa;
  if (!addresses || rcode_of(response) != Rcode::no_error) return;
  const ResolvedAddresses found = resolved_addresses(response);
  const Duration ttl = std::chrono::seconds(found.ttl_seconds);
  for (const IpAddress& address : found.addresses) parts_.learn(query.question->name, address, ttl);
}

void Answering::log(const Arrival& arrival, const Query& query, ByteView response,
                    std::string_view service, std::string_view error) const {
  if (!query_log_enabled()) return;
  log_query({.client = arrival.client,
             .pod = *parts_.pod,
             .query = query,
             .transport = arrival.transport,
             .response = response,
             .service = service,
             .error = error,
             .took = loop().now() - arrival.at});
}

}  // namespace aquifer::ztunnel::dns
