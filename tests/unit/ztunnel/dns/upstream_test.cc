// Asking servers outside: which, how often, and whom to believe.
#include "ztunnel/dns/upstream.h"

#include "tests/unit/ztunnel/dns/fake_server.h"
#include "ztunnel/dns/upstream_answer.h"

#include <set>

namespace aquifer::ztunnel::dns {
namespace {

using namespace test;
using io::Epoll;
using io::run_on;
using io::Uring;

const Message kQuery = query_bytes({.name = "www.example.com", .edns_bytes = 1232});

std::vector<Message> good(const Message& query, std::size_t) {
  return {response_bytes(query, {})};
}

Message with_rcode(const Message& query, Rcode rcode) {
  return response_bytes(query, {},
                        static_cast<std::uint16_t>(0x8180U | static_cast<unsigned>(rcode)));
}

coro::Task<Result<Message>> ask(Asking& asking, Transport transport = Transport::udp,
                                coro::CancelSource* cancel = nullptr) {
  auto response = co_await asking.upstream.ask(transport, kQuery, Deadline::never(), cancel);
  CHECK(asking.upstream.in_flight() == 0);
  co_return response;
}

coro::Task<void> bytes_unchanged(io::Loop& loop) {
  FakeServer server(loop, good);
  Asking asking(loop, {server.address()});
  const auto response = co_await ask(asking);
  CHECK(response.value() == response_bytes(kQuery, {}));
  Message seen = server.queries.at(0);
  put_word(seen, 0, 0x1234);
  CHECK(seen == kQuery);
  co_await server.end();
}

ON_BOTH_BACKENDS(
    "a query and its answer pass byte for byte but for the id, which is the client's again") {
  run_on<B>(bytes_unchanged);
}

coro::Task<void> fresh_ids(io::Loop& loop) {
  FakeServer server(loop, good);
  Asking asking(loop, {server.address()});
  constexpr std::size_t kAsked = 32;
  for (std::size_t i = 0; i < kAsked; ++i) {
    const auto response = co_await ask(asking);
    CHECK(response.has_value());
  }
  std::set<std::uint16_t> ids;
  std::set<std::uint16_t> ports;
  for (const Message& query : server.queries) ids.insert(word_at(query, 0));
  for (const SocketAddress& client : server.clients) ports.insert(client.port);
  // By chance two of 32 may be alike.
  CHECK(ids.size() >= kAsked - 2);
  CHECK(ports.size() >= kAsked - 4);
  co_await server.end();
}

ON_BOTH_BACKENDS(
    "each query has an id and a source port of its own, so that answers cannot be forged") {
  run_on<B>(fresh_ids);
}

std::vector<Message> forged_first(const Message& query, std::size_t) {
  Message other_id = response_bytes(query, {});
  put_word(other_id, 0, static_cast<std::uint16_t>(word_at(query, 0) + 1));
  Message other_question = response_bytes(query_bytes({.name = "bank.example"}), {});
  put_word(other_question, 0, word_at(query, 0));
  return {other_id, other_question, query, Message{1, 2, 3}, response_bytes(query, {})};
}

coro::Task<void> forgeries(io::Loop& loop) {
  FakeServer server(loop, forged_first);
  Asking asking(loop, {server.address()});
  const auto response = co_await ask(asking);
  CHECK(response.value() == response_bytes(kQuery, {}));
  CHECK(server.queries.size() == 1);
  co_await server.end();
}

ON_BOTH_BACKENDS("datagrams that do not answer the query are passed over") {
  run_on<B>(forgeries);
}

std::vector<Message> flood_then_good(const Message& query, std::size_t n) {
  if (n > 0) return good(query, n);
  Message wrong = response_bytes(query, {});
  put_word(wrong, 0, static_cast<std::uint16_t>(word_at(query, 0) + 1));
  return std::vector<Message>(100, wrong);
}

coro::Task<void> flood(io::Loop& loop) {
  FakeServer server(loop, flood_then_good);
  Asking asking(loop, {server.address()});
  const auto response = co_await ask(asking);
  CHECK(response.has_value());
  CHECK(server.queries.size() == 2);
  CHECK(server.clients.at(0) != server.clients.at(1));
  CHECK(word_at(server.queries.at(0), 0) != word_at(server.queries.at(1), 0));
  co_await server.end();
}

ON_BOTH_BACKENDS("somebody who floods guesses ends the try, and the next has another port and id") {
  run_on<B>(flood);
}

std::vector<Message> silent_once(const Message& query, std::size_t n) {
  return n == 0 ? std::vector<Message>() : good(query, n);
}

coro::Task<void> lost_datagram(io::Loop& loop) {
  FakeServer server(loop, silent_once);
  Asking asking(loop, {server.address()});
  const auto response = co_await ask(asking);
  CHECK(response.has_value());
  CHECK(server.queries.size() == 2);
  co_await server.end();
}

ON_BOTH_BACKENDS("a lost datagram is sent again, also to the only server") {
  run_on<B>(lost_datagram);
}

coro::Task<void> second_server(io::Loop& loop) {
  FakeServer server(loop, good);
  Asking asking(loop, {nobody(), server.address()});
  const auto response = co_await ask(asking);
  CHECK(response.has_value());
  CHECK(server.queries.size() == 1);
  co_await server.end();
}

ON_BOTH_BACKENDS("a server that is not there is passed over at once") {
  run_on<B>(second_server);
}

coro::Task<void> nobody_there(io::Loop& loop) {
  Asking asking(loop, {nobody(), nobody()});
  const auto response = co_await ask(asking);
  REQUIRE_FALSE(response.has_value());
  CHECK(response.error().code == Errc::connection_refused);
  Asking none(loop, {});
  const auto nothing = co_await ask(none);
  REQUIRE_FALSE(nothing.has_value());
  CHECK(nothing.error().code == Errc::not_found);
}

ON_BOTH_BACKENDS("when no server is there, or none is known, that is the error") {
  run_on<B>(nobody_there);
}

std::vector<Message> server_failure(const Message& query, std::size_t) {
  return {with_rcode(query, Rcode::serv_fail)};
}
std::vector<Message> refusal(const Message& query, std::size_t) {
  return {with_rcode(query, Rcode::refused)};
}
std::vector<Message> no_such_name(const Message& query, std::size_t) {
  return {with_rcode(query, Rcode::nx_domain)};
}

coro::Task<void> refusals(io::Loop& loop) {
  FakeServer failing(loop, server_failure);
  FakeServer fine(loop, good);
  Asking asking(loop, {failing.address(), fine.address()});
  const auto response = co_await ask(asking);
  CHECK(rcode_of(response.value()) == Rcode::no_error);
  // The one that answered is asked first from now on.
  const auto again = co_await ask(asking);
  CHECK(again.has_value());
  CHECK(failing.queries.size() == 1);
  CHECK(fine.queries.size() == 2);
  FakeServer refusing(loop, refusal);
  Asking hopeless(loop, {failing.address(), refusing.address(), nobody()});
  const auto refused = co_await ask(hopeless);
  CHECK(rcode_of(refused.value()) == Rcode::refused);
  CHECK(refusing.queries.size() == 1);
  co_await failing.end();
  co_await fine.end();
  co_await refusing.end();
}

ON_BOTH_BACKENDS("another server is asked before a refusal is believed, and then it is passed on") {
  run_on<B>(refusals);
}

coro::Task<void> negative(io::Loop& loop) {
  FakeServer first(loop, no_such_name);
  FakeServer second(loop, good);
  Asking asking(loop, {first.address(), second.address()});
  const auto response = co_await ask(asking);
  CHECK(rcode_of(response.value()) == Rcode::nx_domain);
  CHECK(second.queries.empty());
  co_await first.end();
  co_await second.end();
}

ON_BOTH_BACKENDS("that a name does not exist is an answer, and nobody else is asked") {
  run_on<B>(negative);
}

coro::Task<void> ask_and_keep(Asking& asking, Result<Message>& out, coro::CancelSource* cancel) {
  auto response = co_await asking.upstream.ask(Transport::udp, kQuery, Deadline::never(), cancel);
  out = std::move(response);
}

std::vector<Message> silence(const Message&, std::size_t) {
  return {};
}

coro::Task<void> cancelled(io::Loop& loop) {
  FakeServer server(loop, silence);
  Asking asking(loop, {server.address()});
  coro::CancelSource cancel;
  coro::Scope scope;
  std::vector<Result<Message>> outcomes(Upstream::kInFlightMax + 1, fail(Errc::internal));
  for (Result<Message>& outcome : outcomes) scope.spawn(ask_and_keep(asking, outcome, &cancel));
  CHECK(asking.upstream.in_flight() == Upstream::kInFlightMax);
  REQUIRE_FALSE(outcomes.back().has_value());
  CHECK(outcomes.back().error().code == Errc::limit);
  cancel.cancel();
  co_await scope.join();
  CHECK(asking.upstream.in_flight() == 0);
  REQUIRE_FALSE(outcomes.front().has_value());
  CHECK(outcomes.front().error().code == Errc::cancelled);
  co_await server.end();
}

ON_BOTH_BACKENDS("queries in flight are limited for each pod, and end when they are asked to") {
  run_on<B>(cancelled);
}

/// One connection: takes a query, answers `reply` in pieces, hangs up.
coro::Task<void> tcp_server(io::Loop& loop, io::Listener& listener, std::size_t piece,
                            bool answer) {
  auto accepted = co_await listener.accept();
  REQUIRE(accepted.has_value());
  io::Socket socket(loop, std::move(*accepted));
  FrameReader reader;
  std::optional<Message> query;
  while (!query) {
    auto received = co_await socket.recv();
    REQUIRE(received.has_value());
    reader.append(received->view());
    query = reader.next();
  }
  if (!answer) co_return;
  const Message framed = frame(response_bytes(*query, {{.type = 16, .data = Message(40'000, 7)}}));
  for (std::size_t at = 0; at < framed.size(); at += piece) {
    const ByteView part = ByteView(framed).subspan(at, std::min(piece, framed.size() - at));
    const Status sent = co_await socket.send_all(part);
    if (!sent) co_return;
    co_await io::yield();
  }
}

coro::Task<void> by_tcp(io::Loop& loop) {
  io::Listening first = io::listen_anywhere();
  io::Listening second = io::listen_anywhere();
  Asking asking(loop, {first.address, second.address});
  io::Listener hangs_up(loop, std::move(first.fd));
  io::Listener answers(loop, std::move(second.fd));
  coro::Scope scope;
  scope.spawn(tcp_server(loop, hangs_up, 1, false));
  scope.spawn(tcp_server(loop, answers, 1500, true));
  const auto response = co_await ask(asking, Transport::tcp);
  CHECK(response.value() == response_bytes(kQuery, {{.type = 16, .data = Message(40'000, 7)}}));
  co_await scope.join();
  co_await hangs_up.stop();
  co_await answers.stop();
}

ON_BOTH_BACKENDS("by TCP large answers come whole, and a server that hangs up is passed over") {
  run_on<B>(by_tcp);
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
