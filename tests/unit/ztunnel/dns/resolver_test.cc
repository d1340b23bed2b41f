// What the proxy asks for itself.
#include "ztunnel/dns/resolver.h"

#include "tests/unit/ztunnel/dns/fake_server.h"
#include "ztunnel/dns/host_cache.h"
#include "ztunnel/dns/query.h"

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;
using io::Epoll;
using io::run_on;
using io::Uring;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

// The question alone: the records go behind it, and the OPT would be in their way.
Message question_of(const Message& query) {
  Message plain(query.begin(),
                query.begin() + static_cast<std::ptrdiff_t>(parse_query(query)->question_end));
  put_word(plain, 10, 0);
  return plain;
}

std::vector<Message> dual(const Message& query, std::size_t) {
  const auto parsed = parse_query(query);
  const bool four = parsed->question->type == RecordType::a;
  const Answered a{.ttl = 60, .data = {192, 0, 2, 1}};
  Message six(16, 0);
  six[0] = 0xfd;
  six[15] = 1;
  const Answered aaaa{.type = 28, .ttl = 60, .data = six};
  return {response_bytes(question_of(query), {four ? a : aaaa})};
}

coro::Task<Result<std::vector<IpAddress>>> resolve(Asking& asking, HostCache& cache,
                                                   std::string host, Families families) {
  auto found = co_await resolve_host(asking.upstream, cache, std::move(host), families,
                                     Deadline::never(), nullptr);
  co_return found;
}

coro::Task<void> kept(io::Loop& loop) {
  FakeServer server(loop, dual);
  Asking asking(loop, {server.address()});
  HostCache cache;
  const auto both = co_await resolve(asking, cache, "API.example.com.", Families::both);
  CHECK(both.value() == std::vector<IpAddress>{ip("192.0.2.1"), ip("fd00::1")});
  CHECK(server.queries.size() == 2);
  const auto parsed = parse_query(server.queries.at(0));
  CHECK(parsed->question->name == "api.example.com");
  CHECK(parsed->flags == 0x0100);
  CHECK(parsed->edns->udp_bytes == 1232);
  const auto four = co_await resolve(asking, cache, "api.example.com", Families::v4);
  CHECK(four.value() == std::vector<IpAddress>{ip("192.0.2.1")});
  const auto six = co_await resolve(asking, cache, "api.example.com", Families::v6);
  CHECK(six.value() == std::vector<IpAddress>{ip("fd00::1")});
  CHECK(server.queries.size() == 2);
  co_await server.end();
}

ON_BOTH_BACKENDS("a host is asked for once and kept for its TTL, each family for itself") {
  run_on<B>(kept);
}

std::vector<Message> nothing(const Message& query, std::size_t) {
  return {response_bytes(question_of(query), {}, 0x8183)};
}
std::vector<Message> broken(const Message& query, std::size_t) {
  return {response_bytes(question_of(query), {}, 0x8182)};
}

coro::Task<void> failures(io::Loop& loop) {
  FakeServer empty(loop, nothing);
  FakeServer failing(loop, broken);
  HostCache cache;
  Asking asking(loop, {empty.address()});
  for (int i = 0; i < 2; ++i) {
    const auto found = co_await resolve(asking, cache, "no.example", Families::v4);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Errc::not_found);
  }
  CHECK(empty.queries.size() == 1);
  Asking other(loop, {failing.address()});
  for (int i = 0; i < 2; ++i) {
    const auto found = co_await resolve(other, cache, "bad.example", Families::v4);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Errc::io);
  }
  CHECK(failing.queries.size() == 2);
  const auto invalid = co_await resolve(asking, cache, "not..a.name", Families::both);
  REQUIRE_FALSE(invalid.has_value());
  CHECK(invalid.error().code == Errc::invalid);
  co_await empty.end();
  co_await failing.end();
}

ON_BOTH_BACKENDS("that there is no address is kept, that nobody could say is not") {
  run_on<B>(failures);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
