// The pool of tunnels: who dials, who waits, and when tunnels go.
#include "common/hbone/pool.h"

#include "tests/unit/common/hbone/tunnel_fixture.h"

#include <sys/socket.h>

#include <algorithm>

namespace aquifer::hbone {
namespace {

using io::Epoll;
using io::kSoon;
using io::run_on;
using io::Uring;

/// Answers the stream and keeps it until the client ends it.
coro::Task<void> serve_until_end(std::unique_ptr<TunnelStream> stream, ConnectRequest /*request*/) {
  const Status accepted = stream->accept(ConnectResponse{});
  if (!accepted) co_return;
  io::Digest got;
  const Status read = co_await read_bytes(*stream, got);
  if (read) std::ignore = stream->shutdown_write();
}

/// Dials real tunnels to servers of its own, and counts.
class CountingDialer final : public TunnelDialer {
 public:
  explicit CountingDialer(io::Loop& loop) : loop_(loop) {}

  coro::Task<Result<std::unique_ptr<Tunnel>>> dial(PoolKey key, Deadline deadline,
                                                   coro::CancelSource* cancel) override {
    CHECK_FALSE(deadline.expired(loop_.now()));
    std::ignore = cancel;
    std::ignore = key;
    ++dials;
    at_once_max = std::max(at_once_max, ++at_once_);
    if (held_for > Duration::zero()) {
      const Status slept = co_await io::sleep_until(loop_, loop_.after(held_for));
      REQUIRE(slept.has_value());
    }
    if (failures_left > 0) {
      --failures_left;
      co_await io::yield();
      --at_once_;
      co_return fail(Errc::connection_refused, "dialling");
    }
    TunnelPair pair =
        co_await make_tunnels(loop_, client_account_, server_account_, &serve_until_end);
    --at_once_;
    servers.push_back(std::make_unique<std::unique_ptr<Tunnel>>(std::move(pair.server)));
    running_.spawn(run_and_close(*servers.back()));
    co_return std::move(pair.client);
  }
  coro::Task<void> join() {
    co_await running_.join();
    CHECK(client_account_.queued_bytes == 0);
    CHECK(server_account_.queued_bytes == 0);
  }

  int dials = 0;
  int at_once_max = 0;
  int failures_left = 0;
  Duration held_for = Duration::zero();                           ///< how long each takes at least
  std::vector<std::unique_ptr<std::unique_ptr<Tunnel>>> servers;  ///< null: over

 private:
  io::Loop& loop_;
  io::Account client_account_;
  io::Account server_account_;
  int at_once_ = 0;
  coro::Scope running_;
};

PoolKey key_to(std::uint16_t port) {
  PoolKey key;
  key.source = tls::testing::id_of("client");
  key.expected = {tls::testing::id_of("server")};
  key.destination = TunnelAddr{SocketAddress{IpAddress::loopback_v4(), port}};
  return key;
}

using Opened = Result<std::unique_ptr<TunnelStream>>;

coro::Task<void> open_one(io::Loop& loop, Pool& pool, std::uint16_t port,
                          std::vector<Opened>& opened) {
  PoolKey key = key_to(port);
  auto stream =
      co_await pool.open(std::move(key), request_to("10.0.0.1:80"), loop.after(kSoon), nullptr);
  opened.push_back(std::move(stream));
}

coro::Task<std::vector<Opened>> open_many(io::Loop& loop, Pool& pool, int count,
                                          std::uint16_t port = 15008) {
  std::vector<Opened> opened;
  coro::Scope scope;
  for (int i = 0; i < count; ++i) scope.spawn(open_one(loop, pool, port, opened));
  co_await scope.join();
  co_return opened;
}

std::size_t succeeded(const std::vector<Opened>& opened) {
  return static_cast<std::size_t>(
      std::ranges::count_if(opened, [](const Opened& one) { return one.has_value(); }));
}

coro::Task<void> one_dial(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    const auto first = co_await open_many(loop, pool, 50);
    CHECK(succeeded(first) == 50);
    CHECK(dialer.dials == 1);
    CHECK(pool.tunnels() == 1);
    const auto second = co_await open_many(loop, pool, 50);
    CHECK(succeeded(second) == 50);
    CHECK(dialer.dials == 1);
    // A hundred streams are all a tunnel takes.
    const auto third = co_await open_many(loop, pool, 5);
    CHECK(succeeded(third) == 5);
    CHECK(dialer.dials == 2);
    CHECK(pool.tunnels() == 2);
  }
  CHECK(dialer.at_once_max == 1);
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("fifty who come at once share one dial, and a tunnel takes a hundred streams") {
  run_on<B>(one_dial);
}

/// Sends so much that the tunnel carries bulk for a while.
coro::Task<void> send_bulk(TunnelStream& stream, std::size_t bytes) {
  const std::string chunk(64 * 1024, 'x');
  while (bytes > 0) {
    auto room = co_await stream.writable(nullptr);
    REQUIRE(room.has_value());
    const std::size_t size = std::min({*room, bytes, chunk.size()});
    REQUIRE(stream.write(io::Buffer::copy_of(as_bytes(chunk).first(size))).has_value());
    bytes -= size;
  }
}

/// However slow the machine: a fast moment comes.
coro::Task<void> make_busy(TunnelStream& stream) {
  for (int tries = 0; tries < 64 && !stream.tunnel().carries_bulk(); ++tries)
    co_await send_bulk(stream, std::size_t{2} << 20);
  CHECK(stream.tunnel().carries_bulk());
}

coro::Task<void> apart_from_bulk(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    auto opened = co_await open_many(loop, pool, 2);
    REQUIRE(succeeded(opened) == 2);
    TunnelStream& bulk = **opened.front();
    CHECK_FALSE(bulk.tunnel().carries_bulk());
    co_await make_busy(bulk);
    const auto late = co_await open_many(loop, pool, 1);
    REQUIRE(succeeded(late) == 1);
    TunnelStream& apart = **late.front();
    CHECK(&apart.tunnel() != &bulk.tunnel());
    CHECK(dialer.dials == 2);
    // A tunnel that cannot be had is no reason to fail: there is one.
    for (int tries = 0; tries < 16; ++tries) {
      co_await make_busy(bulk);
      co_await make_busy(apart);
      if (bulk.tunnel().carries_bulk() && apart.tunnel().carries_bulk()) break;
    }
    dialer.failures_left = 1;
    const auto beside = co_await open_many(loop, pool, 1);
    CHECK(succeeded(beside) == 1);
    CHECK(dialer.dials == 3);
    CHECK(pool.tunnels() == 2);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a stream that opens while its tunnel carries bulk gets another tunnel") {
  run_on<B>(apart_from_bulk);
}

coro::Task<std::unique_ptr<TunnelStream>> open_busy(io::Loop& loop, Pool& pool) {
  auto opened = co_await open_many(loop, pool, 1);
  REQUIRE(succeeded(opened) == 1);
  co_await make_busy(**opened.front());
  co_return std::move(*opened.front());
}

coro::Task<void> many_apart_from_bulk(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    const auto opened = co_await open_busy(loop, pool);
    const TunnelStream& bulk = *opened;
    const auto late = co_await open_many(loop, pool, 4);
    REQUIRE(succeeded(late) == 4);
    for (const Opened& each : late) CHECK(&(*each)->tunnel() != &bulk.tunnel());
    CHECK(dialer.dials == 2);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS(
    "streams that open at once beside bulk wait for the tunnel that one of them dials") {
  run_on<B>(many_apart_from_bulk);
}

coro::Task<void> no_wait_beside_bulk(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    const auto opened = co_await open_busy(loop, pool);
    const TunnelStream& bulk = *opened;
    dialer.held_for = std::chrono::seconds(2);
    coro::Scope first;
    std::vector<Opened> dialling;
    first.spawn(open_one(loop, pool, 15008, dialling));
    const auto meanwhile = co_await open_many(loop, pool, 3);
    REQUIRE(succeeded(meanwhile) == 3);
    CHECK(dialling.empty());
    for (const Opened& each : meanwhile) CHECK(&(*each)->tunnel() == &bulk.tunnel());
    co_await first.join();
    CHECK(succeeded(dialling) == 1);
    CHECK(dialer.dials == 2);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a dial beside bulk that takes long holds up nobody but who asked for it") {
  run_on<B>(no_wait_beside_bulk);
}

coro::Task<void> keys_apart(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    std::vector<Opened> opened;
    coro::Scope scope;
    for (const std::uint16_t port : {1, 2, 3}) scope.spawn(open_one(loop, pool, port, opened));
    co_await scope.join();
    CHECK(succeeded(opened) == 3);
  }
  CHECK(dialer.dials == 3);
  // No destination waits for another's dial.
  CHECK(dialer.at_once_max == 3);
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("different keys share no tunnel and wait for no other's dial") {
  run_on<B>(keys_apart);
}

coro::Task<void> few_per_tunnel(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{.streams_per_tunnel_max = 3});
  {
    const auto opened = co_await open_many(loop, pool, 7);
    CHECK(succeeded(opened) == 7);
    CHECK(pool.tunnels() == 3);
    CHECK(dialer.at_once_max == 1);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("when a dial is over, those who find no place on it dial one after another") {
  run_on<B>(few_per_tunnel);
}

/// Waits until the pool has only `count` tunnels left.
coro::Task<void> tunnels_left(io::Loop& loop, Pool& pool, std::size_t count) {
  const Deadline deadline = loop.after(kSoon);
  while (pool.tunnels() > count && !deadline.expired(loop.now())) {
    const Status slept = co_await io::sleep_until(loop, loop.after(std::chrono::milliseconds(10)));
    REQUIRE(slept.has_value());
  }
  CHECK(pool.tunnels() == count);
}

coro::Task<void> idle_goes(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{.unused_release = std::chrono::milliseconds(200)});
  {
    const auto used = co_await open_many(loop, pool, 1, 1);
    const auto unused = co_await open_many(loop, pool, 1, 2);
    CHECK(pool.tunnels() == 2);
  }
  const MonoTime given_back = loop.now();
  co_await tunnels_left(loop, pool, 0);
  CHECK(loop.now() - given_back >= std::chrono::milliseconds(200));
  {
    const auto again = co_await open_many(loop, pool, 1, 1);
    CHECK(succeeded(again) == 1);
    CHECK(dialer.dials == 3);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a tunnel that nobody has used for the time set is closed, and a new one made") {
  run_on<B>(idle_goes);
}

coro::Task<void> busy_stays(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{.unused_release = std::chrono::milliseconds(100)});
  {
    const auto used = co_await open_many(loop, pool, 1, 1);
    {
      const auto unused = co_await open_many(loop, pool, 1, 2);
      CHECK(pool.tunnels() == 2);
    }
    // The idle one goes first, and the other is still there.
    co_await tunnels_left(loop, pool, 1);
    CHECK(used.front()->get()->tunnel().can_open(100));
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a tunnel with a stream is not idle, however quiet the stream") {
  run_on<B>(busy_stays);
}

coro::Task<void> failed_dial(io::Loop& loop) {
  CountingDialer dialer(loop);
  dialer.failures_left = 2;
  Pool pool(loop, dialer, PoolOptions{});
  {
    const auto opened = co_await open_many(loop, pool, 5);
    // Two dialled in vain, the third dialled for all who still waited.
    CHECK(succeeded(opened) == 3);
    CHECK(dialer.dials == 3);
    CHECK(dialer.at_once_max == 1);
    for (const Opened& one : opened) {
      if (!one) CHECK(one.error().code == Errc::connection_refused);
    }
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a failed dial fails its caller only, and the next who waits dials itself") {
  run_on<B>(failed_dial);
}

coro::Task<void> dying_tunnel(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    auto first = co_await open_many(loop, pool, 1);
    REQUIRE(succeeded(first) == 1);
    first.clear();
    // The client has not heard of it yet when it asks for the next stream.
    REQUIRE(::shutdown((*dialer.servers.front())->socket().fd(), SHUT_RDWR) == 0);
    const auto second = co_await open_many(loop, pool, 1);
    CHECK(succeeded(second) == 1);
    CHECK(dialer.dials == 2);
  }
  co_await pool.stop();
  co_await dialer.join();
}

ON_BOTH_BACKENDS("a request that a dying tunnel's peer never looked at goes to a new tunnel") {
  run_on<B>(dying_tunnel);
}

coro::Task<void> after_goaway(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    auto first = co_await open_many(loop, pool, 1);
    (*dialer.servers.front())->drain();
    // Under way when the GOAWAY comes: still served by the first tunnel, which takes no more.
    const auto under_way = co_await open_many(loop, pool, 1);
    CHECK(succeeded(under_way) == 1);
    CHECK(dialer.dials == 1);
    const auto later = co_await open_many(loop, pool, 1);
    CHECK(succeeded(later) == 1);
    CHECK(dialer.dials == 2);
    CHECK(pool.tunnels() == 2);
  }
  co_await pool.stop();
  co_await dialer.join();
}

// RFC 9113 section 6.8
ON_BOTH_BACKENDS("a GOAWAY loses no request: those under way are served, later ones dial anew") {
  run_on<B>(after_goaway);
}

coro::Task<void> drained(io::Loop& loop) {
  CountingDialer dialer(loop);
  Pool pool(loop, dialer, PoolOptions{});
  {
    const auto first = co_await open_many(loop, pool, 1);
    pool.drain();
    const auto late = co_await open_many(loop, pool, 1);
    CHECK(succeeded(late) == 1);
    CHECK(dialer.dials == 2);
    CHECK(pool.tunnels() == 2);
  }
  co_await tunnels_left(loop, pool, 1);
  co_await pool.stop();
  CHECK(pool.tunnels() == 0);
  co_await dialer.join();
}

// The connection that asks was accepted before the listeners closed.
ON_BOTH_BACKENDS("a drained pool's tunnels end when idle, and who still asks gets a new one") {
  run_on<B>(drained);
}

}  // namespace
}  // namespace aquifer::hbone
