// What a client says before its CONNECT is answered.
#include "common/hbone/early_data.h"

#include "common/io/copy.h"
#include "tests/unit/common/hbone/tunnel_fixture.h"

namespace aquifer::hbone {
namespace {

using io::Digest;
using io::Epoll;
using io::kSoon;
using io::run_on;
using io::Uring;

/// Two tunnels whose server answers when the test does, and a client's socket.
struct World {
  explicit World(io::Loop& l) : World(l, io::tcp_pair()) {}

  static coro::Task<void> serve(World& world, std::unique_ptr<TunnelStream> stream,
                                ConnectRequest /*request*/) {
    world.asked.push_back(std::move(stream));
    world.came.notify();
    co_return;
  }
  static coro::Task<void> open_stream(World& world) {
    world.opened = co_await world.client->open(request_to("10.0.0.1:80"), world.loop.after(kSoon),
                                               nullptr, &world.early);
  }
  coro::Task<void> start() {
    client_account.name = "default/client";
    server_account.name = "default/server";
    ServeConnect take = [this](std::unique_ptr<TunnelStream> stream, ConnectRequest request) {
      return serve(*this, std::move(stream), std::move(request));
    };
    TunnelPair pair = co_await make_tunnels(loop, client_account, server_account, std::move(take));
    client = std::move(pair.client);
    server = std::move(pair.server);
    running.spawn(run_and_close(client));
    running.spawn(run_and_close(server));
  }
  /// Asks, and waits until the server has heard of it.
  coro::Task<void> ask() {
    opening.spawn(open_stream(*this));
    const Status heard = co_await io::wait_event(loop, came, loop.after(kSoon));
    REQUIRE(heard.has_value());
  }
  coro::Task<void> finish() {
    co_await early.give_up();
    if (opened && *opened) opened->value().reset();
    asked.clear();
    if (client != nullptr) client->drain();
    co_await running.join();
  }

  io::Loop& loop;
  io::Account client_account;
  io::Account server_account;
  std::unique_ptr<Tunnel> client;
  std::unique_ptr<Tunnel> server;
  std::deque<std::unique_ptr<TunnelStream>> asked;
  coro::Event came;
  std::optional<Result<std::unique_ptr<TunnelStream>>> opened;
  io::Socket application;  ///< the client's own end
  io::SocketStream near;   ///< the proxy's
  EarlyData early{near};
  coro::Scope opening;
  coro::Scope running;

 private:
  World(io::Loop& l, io::FdPair pair)
      : loop(l), application(l, std::move(pair.left)), near(l, std::move(pair.right)) {}
};

std::vector<std::uint8_t> some_bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  io::ByteSource(7).fill(bytes);
  return bytes;
}

Digest digest_of(ByteView bytes) {
  Digest digest;
  digest.add(bytes);
  return digest;
}

/// `when`: has the client spoken before the request goes out, or only after?
enum class Spoken : std::uint8_t { before, after };

coro::Task<void> arrives_unanswered(io::Loop& loop, Spoken when) {
  World world(loop);
  co_await world.start();
  const auto words = some_bytes(1000);
  if (when == Spoken::before) REQUIRE(world.application.try_send(words) == words.size());
  co_await world.ask();
  if (when == Spoken::after) REQUIRE(world.application.try_send(words) == words.size());
  Digest got;
  const Status read = co_await read_bytes(*world.asked.front(), got, words.size());
  REQUIRE(read.has_value());
  CHECK(got == digest_of(words));
  CHECK_FALSE(world.opened.has_value());
  CHECK(world.early.sent() == words.size());
  REQUIRE(world.asked.front()->accept({}).has_value());
  co_await world.opening.join();
  CHECK(world.opened->has_value());
  co_await world.finish();
}

ON_BOTH_BACKENDS("what a client says before the answer reaches the peer before it has answered") {
  run_on<B>(arrives_unanswered, Spoken::before);
  run_on<B>(arrives_unanswered, Spoken::after);
}

struct NoCounter final : io::CopyCounter {
  void from_client(std::uint64_t) noexcept override {}
  void to_client(std::uint64_t) noexcept override {}
};

coro::Task<void> copies_on(io::Loop& loop) {
  World world(loop);
  co_await world.start();
  const auto words = some_bytes(3 * EarlyData::kBytesMax);
  co_await world.ask();
  REQUIRE(world.application.try_send(words) == words.size());
  Digest got;
  const Status first = co_await read_bytes(*world.asked.front(), got, EarlyData::kBytesMax);
  REQUIRE(first.has_value());
  // The bound: nothing more comes, however long one waits for it.
  for (int turn = 0; turn < 20; ++turn) co_await io::yield();
  CHECK(world.asked.front()->queued_bytes() == 0);
  CHECK(world.early.sent() == EarlyData::kBytesMax);
  REQUIRE(world.asked.front()->accept({}).has_value());
  co_await world.opening.join();
  REQUIRE(world.opened->has_value());
  NoCounter counter;
  coro::CancelSource cancel;
  io::Copy copy(world.near, ***world.opened, counter);
  coro::Scope copying;
  copying.spawn(read_to_end(*world.asked.front(), got));
  REQUIRE(world.application.shutdown_write().has_value());
  REQUIRE(world.asked.front()->shutdown_write().has_value());
  const io::CopyEnd end = co_await copy.run(cancel);
  CHECK(end == io::CopyEnd::complete);
  co_await copying.join();
  CHECK(got == digest_of(words));
  co_await world.finish();
}

ON_BOTH_BACKENDS("past a bound the client waits for the answer, and then all of it follows") {
  run_on<B>(copies_on);
}

struct Ended final : io::CopyOwner {
  void on_copy_end(io::CopyEnd how) noexcept override {
    end = how;
    over.notify();
  }
  std::optional<io::CopyEnd> end;
  coro::Event over;
};

coro::Task<void> read_is_taken_over(io::Loop& loop, bool cut) {
  World world(loop);
  co_await world.start();
  co_await world.ask();
  REQUIRE(world.asked.front()->accept({}).has_value());
  co_await world.opening.join();
  REQUIRE(world.opened->has_value());
  // The client has said nothing, so a read for it is still under way.
  CHECK(world.early.read_under_way() > 0);
  NoCounter counter;
  coro::CancelSource cancel;
  if (cut) cancel.cancel();
  Ended owner;
  io::Copy copy(world.near, ***world.opened, counter);
  copy.start(cancel, owner, world.early.read_under_way());
  if (!cut) {
    const auto words = some_bytes(100);
    REQUIRE(world.application.try_send(words) == words.size());
    Digest got;
    const Status read = co_await read_bytes(*world.asked.front(), got, words.size());
    REQUIRE(read.has_value());
    CHECK(got == digest_of(words));
    cancel.cancel();
  }
  const Status over = co_await io::wait_event(loop, owner.over, loop.after(kSoon));
  REQUIRE(over.has_value());
  CHECK(owner.end == io::CopyEnd::cancelled);
  world.opened->value().reset();
  world.opened.reset();
  world.asked.clear();
  world.client->drain();
  co_await world.running.join();
}

ON_BOTH_BACKENDS("a read that is under way when the answer comes is the copy's, and ends with it") {
  run_on<B>(read_is_taken_over, false);
  run_on<B>(read_is_taken_over, true);
}

coro::Task<void> not_said_twice(io::Loop& loop, bool spoken) {
  World world(loop);
  co_await world.start();
  const auto words = some_bytes(10);
  if (spoken) REQUIRE(world.application.try_send(words) == words.size());
  co_await world.ask();
  world.client->close();
  co_await world.opening.join();
  REQUIRE_FALSE(world.opened->has_value());
  // Without a word of the client's the request may be made again; with it somebody may have acted.
  CHECK(world.opened->error().retry == (spoken ? Retry::no : Retry::yes));
  co_await world.finish();
}

ON_BOTH_BACKENDS("words that a peer may have acted on are not said to another") {
  run_on<B>(not_said_twice, true);
  run_on<B>(not_said_twice, false);
}

coro::Task<void> kept_for_the_next(io::Loop& loop) {
  World world(loop);
  co_await world.start();
  const auto words = some_bytes(10);
  REQUIRE(world.application.try_send(words) == words.size());
  co_await world.ask();
  world.asked.front()->refuse(503);
  world.asked.clear();
  co_await world.opening.join();
  REQUIRE_FALSE(world.opened->has_value());
  CHECK(world.opened->error().code == Errc::http_status);
  world.opened.reset();
  co_await world.ask();
  Digest got;
  const Status read = co_await read_bytes(*world.asked.front(), got, words.size());
  REQUIRE(read.has_value());
  CHECK(got == digest_of(words));
  REQUIRE(world.asked.front()->accept({}).has_value());
  co_await world.opening.join();
  CHECK(world.opened->has_value());
  co_await world.finish();
}

ON_BOTH_BACKENDS("what a stream that was refused did not get, the next one gets") {
  run_on<B>(kept_for_the_next);
}

/// A stream is refused while the client says nothing; then it says "A", and nobody asks for that.
coro::Task<void> speaks_between_streams(World& world) {
  co_await world.start();
  co_await world.ask();
  world.asked.front()->refuse(503);
  world.asked.clear();
  co_await world.opening.join();
  REQUIRE_FALSE(world.opened->has_value());
  world.opened.reset();
  REQUIRE(world.early.read_under_way() > 0);
  REQUIRE(world.application.try_send(as_bytes("A")) == 1U);
  const Deadline patience = world.loop.after(kSoon);
  while (world.early.read_under_way() > 0 && !patience.expired(world.loop.now())) {
    const Status slept =
        co_await io::sleep_until(world.loop, world.loop.after(std::chrono::milliseconds(1)));
    REQUIRE(slept.has_value());
  }
  REQUIRE(world.early.read_under_way() == 0);
}

coro::Task<void> in_order(io::Loop& loop) {
  World world(loop);
  co_await speaks_between_streams(world);
  REQUIRE(world.application.try_send(as_bytes("B")) == 1U);
  co_await world.ask();
  Digest got;
  const Status read = co_await read_bytes(*world.asked.front(), got, 2);
  REQUIRE(read.has_value());
  CHECK(got == digest_of(as_bytes("AB")));
  REQUIRE(world.asked.front()->accept({}).has_value());
  co_await world.opening.join();
  CHECK(world.opened->has_value());
  co_await world.finish();
}

ON_BOTH_BACKENDS("what was said between two streams comes before what was said after it") {
  run_on<B>(in_order);
}

coro::Task<void> gives_up_the_last_read(io::Loop& loop) {
  World world(loop);
  co_await speaks_between_streams(world);
  co_await world.ask();
  Digest got;
  const Status read = co_await read_bytes(*world.asked.front(), got, 1);
  REQUIRE(read.has_value());
  world.asked.front()->refuse(503);
  world.asked.clear();
  co_await world.opening.join();
  REQUIRE_FALSE(world.opened->has_value());
  REQUIRE(world.early.read_under_way() > 0);
  co_await world.early.give_up();
  CHECK(world.early.read_under_way() == 0);
  co_await world.finish();
}

ON_BOTH_BACKENDS("giving up waits for the read that is under way, whatever ended before") {
  run_on<B>(gives_up_the_last_read);
}

}  // namespace
}  // namespace aquifer::hbone
