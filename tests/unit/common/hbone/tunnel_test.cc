// Tunnels between two proxies: streams, their ends, and the ends of the tunnel.
#include "common/hbone/tunnel.h"

#include "tests/unit/common/hbone/tunnel_fixture.h"

#include <sys/socket.h>

namespace aquifer::hbone {
namespace {

using io::Digest;
using io::Epoll;
using io::kSoon;
using io::run_on;
using io::Uring;

coro::Task<void> both_ways(io::Loop& loop) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair pair = co_await link.open_pair(loop);
    CHECK(link.authority == "10.0.0.1:80");
    CHECK(link.client->peer().identity == tls::testing::id_of("server"));
    CHECK(link.server->peer().identity == tls::testing::id_of("client"));
    Digest sent_up;
    Digest sent_down;
    Digest got_up;
    Digest got_down;
    coro::Scope scope;
    scope.spawn(send_and_end(*pair.near, 1, 3'000'000, sent_up));
    scope.spawn(send_and_end(*pair.far, 2, 3'000'000, sent_down));
    scope.spawn(read_to_end(*pair.far, got_up));
    scope.spawn(read_to_end(*pair.near, got_down));
    co_await scope.join();
    CHECK(got_up == sent_up);
    CHECK(got_down == sent_down);
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("a stream carries bytes of any write size both ways at once, in order, and ends") {
  run_on<B>(both_ways);
}

coro::Task<void> halves(io::Loop& loop, bool client_first) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair pair = co_await link.open_pair(loop);
    io::ByteStream& first = client_first ? *pair.near : *pair.far;
    io::ByteStream& second = client_first ? *pair.far : *pair.near;
    Digest sent;
    Digest got;
    co_await send_and_end(first, 3, 10, sent);
    co_await read_to_end(second, got);
    CHECK(got == sent);
    // The other half goes on.
    Digest answer;
    Digest heard;
    coro::Scope scope;
    scope.spawn(send_and_end(second, 4, 500'000, answer));
    scope.spawn(read_to_end(first, heard));
    co_await scope.join();
    CHECK(heard == answer);
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("after either side ended its half, the other half still carries everything") {
  run_on<B>(halves, true);
  run_on<B>(halves, false);
}

coro::Task<void> resets(io::Loop& loop, bool by_client) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair pair = co_await link.open_pair(loop);
    io::ByteStream& resetting = by_client ? *pair.near : *pair.far;
    io::ByteStream& told = by_client ? *pair.far : *pair.near;
    resetting.abort();
    Digest got;
    const Status heard = co_await read_bytes(told, got);
    REQUIRE_FALSE(heard.has_value());
    CHECK(heard.error().code == Errc::connection_reset);
    const Error failure = co_await told.failure(nullptr);
    CHECK(failure.code == Errc::connection_reset);
    const auto room = co_await told.writable(nullptr);
    CHECK_FALSE(room.has_value());
    // The tunnel is none the worse for it.
    StreamPair next = co_await link.open_pair(loop);
    Digest sent;
    co_await send_and_end(*next.near, 5, 1000, sent);
    Digest after;
    co_await read_to_end(*next.far, after);
    CHECK(after == sent);
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("a reset is told to the other side, and only to that stream") {
  run_on<B>(resets, true);
  run_on<B>(resets, false);
}

coro::Task<void> refused(io::Loop& loop) {
  Link link;
  link.status = 503;
  co_await link.start(loop);
  {
    const auto stream = co_await link.open(loop);
    REQUIRE_FALSE(stream.has_value());
    CHECK(stream.error().code == Errc::http_status);
    CHECK(stream.error().detail == 503);
    CHECK(stream.error().source == ErrorSource::upstream);
    CHECK(stream.error().retry == Retry::no);
  }
  CHECK(link.client->streams() == 0);
  co_await link.finish();
}

ON_BOTH_BACKENDS("a refusal is the error of open(), with its status") {
  run_on<B>(refused);
}

coro::Task<void> stalled(io::Loop& loop) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair idle = co_await link.open_pair(loop);
    StreamPair busy = co_await link.open_pair(loop);
    Digest idle_sent;
    Digest idle_got;
    coro::Scope scope;
    // More than the stream's first window: its sender waits.
    scope.spawn(send_and_end(*idle.near, 6, 400'000, idle_sent));
    Digest busy_sent;
    Digest busy_got;
    scope.spawn(send_and_end(*busy.near, 7, 4'000'000, busy_sent));
    co_await read_to_end(*busy.far, busy_got);
    CHECK(busy_got == busy_sent);
    // What nobody read is what one window let through.
    CHECK(idle_sent.size() < 400'000);
    CHECK(idle.far->queued_bytes() <= 64 * 1024);
    co_await read_to_end(*idle.far, idle_got);
    co_await scope.join();
    CHECK(idle_got == idle_sent);
    CHECK(idle_got.size() == 400'000);
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("a reader that stalls holds its own stream up and no other") {
  run_on<B>(stalled);
}

coro::Task<void> over_budget(io::Loop& loop) {
  Link link;
  link.server_account.queued_bytes_max = 100'000;
  co_await link.start(loop);
  {
    StreamPair large = co_await link.open_pair(loop);
    StreamPair small = co_await link.open_pair(loop);
    Digest large_sent;
    Digest small_sent;
    const Status first = co_await send_bytes(*large.near, 8, 60'000, large_sent);
    REQUIRE(first.has_value());
    co_await send_and_end(*small.near, 9, 50'000, small_sent);
    const Error told = co_await large.near->failure(nullptr);
    CHECK(told.code == Errc::connection_reset);
    const Error why = co_await large.far->failure(nullptr);
    CHECK(why.code == Errc::limit);
    CHECK(large.far->queued_bytes() == 0);
    Digest small_got;
    co_await read_to_end(*small.far, small_got);
    CHECK(small_got == small_sent);
    CHECK(link.server_account.queued_bytes == 0);
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("past an account's budget its largest stalled stream is reset, and no other") {
  run_on<B>(over_budget);
}

coro::Task<void> idle_drain(io::Loop& loop, bool by_client) {
  Link link;
  co_await link.start(loop);
  const MonoTime begun = loop.now();
  (by_client ? *link.client : *link.server).drain();
  co_await link.running.join();
  // Not by the farewell's limit of 2 s: each side hears the other's end.
  CHECK(loop.now() - begun < std::chrono::milliseconds(1900));
  CHECK(link.client == nullptr);
  CHECK(link.server == nullptr);
}

ON_BOTH_BACKENDS("an idle tunnel that either side drains ends at once for both") {
  run_on<B>(idle_drain, true);
  run_on<B>(idle_drain, false);
}

coro::Task<void> drain_unstarted(io::Loop& loop) {
  Link link;
  TunnelPair pair =
      co_await make_tunnels(loop, link.client_account, link.server_account, ServeConnect());
  link.client = std::move(pair.client);
  link.server = std::move(pair.server);
  link.server->drain();
  link.running.spawn(run_and_close(link.client));
  link.running.spawn(run_and_close(link.server));
  co_await link.running.join();
}

// RFC 9113 section 3.4: SETTINGS come first, or the peer ends the connection for it.
ON_BOTH_BACKENDS("a tunnel that is drained before it runs says its SETTINGS first, and ends") {
  run_on<B>(drain_unstarted);
}

coro::Task<void> busy_drain(io::Loop& loop, bool by_client) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair pair = co_await link.open_pair(loop);
    (by_client ? *link.client : *link.server).drain();
    Digest sent_up;
    Digest sent_down;
    Digest got_up;
    Digest got_down;
    coro::Scope scope;
    scope.spawn(send_and_end(*pair.near, 10, 1'000'000, sent_up));
    scope.spawn(send_and_end(*pair.far, 11, 1'000'000, sent_down));
    scope.spawn(read_to_end(*pair.far, got_up));
    scope.spawn(read_to_end(*pair.near, got_down));
    co_await scope.join();
    CHECK(got_up == sent_up);
    CHECK(got_down == sent_down);
    CHECK(link.running.running() == 2);
    // By now the client knows: it asks for no more here.
    CHECK_FALSE(link.client->can_open(100));
    const auto late = co_await link.open(loop);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().retry == Retry::yes);
  }
  co_await link.running.join();
}

ON_BOTH_BACKENDS(
    "a drained tunnel carries its open streams to their ends, takes no more, and ends") {
  run_on<B>(busy_drain, true);
  run_on<B>(busy_drain, false);
}

coro::Task<void> drain_after_goaway(io::Loop& loop) {
  Link link;
  co_await link.start(loop);
  {
    StreamPair pair = co_await link.open_pair(loop);
    link.client->drain();
    link.server->drain();
    Digest sent;
    Digest got;
    co_await send_and_end(*pair.near, 12, 1000, sent);
    co_await read_to_end(*pair.far, got);
    CHECK(got == sent);
  }
  co_await link.running.join();
}

ON_BOTH_BACKENDS("both sides may drain at once") {
  run_on<B>(drain_after_goaway);
}

coro::Task<void> peer_vanishes(io::Loop& loop) {
  Link link;
  co_await link.start(loop);
  StreamPair pair = co_await link.open_pair(loop);
  // Neither a GOAWAY nor a close_notify.
  REQUIRE(::shutdown(link.server->socket().fd(), SHUT_RDWR) == 0);
  Digest got;
  for (io::ByteStream* stream : {static_cast<io::ByteStream*>(pair.near.get()),
                                 static_cast<io::ByteStream*>(pair.far.get())}) {
    const Status heard = co_await read_bytes(*stream, got);
    REQUIRE_FALSE(heard.has_value());
    CHECK(heard.error().code == Errc::connection_reset);
    const auto room = co_await stream->writable(nullptr);
    CHECK_FALSE(room.has_value());
  }
  // A tunnel waits for its streams also when its connection is gone.
  CHECK(link.client->ended());
  CHECK(link.running.running() == 2);
  const auto late = co_await link.open(loop);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().retry == Retry::yes);
  pair = StreamPair();
  co_await link.running.join();
}

ON_BOTH_BACKENDS(
    "when the peer vanishes every stream fails, and the tunnel ends with the last one") {
  run_on<B>(peer_vanishes);
}

coro::Task<void> wait_for_answer(Link& link, io::Loop& loop, coro::CancelSource& cancel,
                                 std::optional<Error>& outcome) {
  const auto stream =
      co_await link.client->open(request_to("10.0.0.1:80"), loop.after(kSoon), &cancel);
  if (!stream) outcome = stream.error();
}

coro::Task<void> open_cancelled(io::Loop& loop) {
  Link link;
  co_await link.start(loop);
  coro::CancelSource cancel;
  std::optional<Error> outcome;
  coro::Scope scope;
  scope.spawn(wait_for_answer(link, loop, cancel, outcome));
  cancel.cancel();
  co_await scope.join();
  REQUIRE(outcome.has_value());
  CHECK(outcome->code == Errc::cancelled);
  CHECK(link.client->streams() == 0);
  // The tunnel goes on.
  auto next = co_await link.open(loop);
  CHECK(next.has_value());
  next = fail(Errc::closed);
  link.incoming.clear();
  co_await link.finish();
}

ON_BOTH_BACKENDS("an open() that is cancelled gives its stream back at once") {
  run_on<B>(open_cancelled);
}

coro::Task<void> window_used_up(io::Loop& loop) {
  // More streams than the connection's first window has stream windows.
  constexpr std::size_t kStreams = 40;
  Link link;
  co_await link.start(loop);
  {
    std::vector<StreamPair> pairs;
    std::vector<std::size_t> allowed;
    for (std::size_t i = 0; i < kStreams; ++i) {
      StreamPair pair = co_await link.open_pair(loop);
      pairs.push_back(std::move(pair));
    }
    for (const StreamPair& pair : pairs) {
      const auto bytes = co_await pair.near->writable(nullptr);
      REQUIRE(bytes.has_value());
      allowed.push_back(*bytes);
    }
    // All ask first, then all write what they were allowed, and nothing is sent in between.
    std::vector<Digest> sent(kStreams);
    for (std::size_t i = 0; i < kStreams; ++i) {
      std::vector<std::uint8_t> bytes(allowed[i]);
      io::ByteSource(static_cast<std::uint32_t>(i)).fill(bytes);
      REQUIRE(pairs[i].near->write(io::Buffer::copy_of(bytes)).has_value());
      sent[i].add(bytes);
    }
    for (std::size_t i = 0; i < kStreams; ++i) {
      coro::Scope scope;
      Digest got;
      scope.spawn(read_to_end(*pairs[i].far, got));
      const Status ended = co_await end_half(*pairs[i].near);
      REQUIRE(ended.has_value());
      co_await scope.join();
      CHECK(got == sent[i]);
    }
  }
  co_await link.finish();
}

ON_BOTH_BACKENDS("bytes that were allowed are kept when others used the connection's window up") {
  run_on<B>(window_used_up);
}

}  // namespace
}  // namespace aquifer::hbone
