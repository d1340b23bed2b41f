// What bulk owes those who send little: turns, and nothing else than the order changes.
#include "common/io/courtesy.h"

#include "common/io/turns.h"
#include "common/io/write_sizes.h"
#include "tests/unit/common/io/io_fixture.h"

#include <algorithm>
#include <map>

namespace aquifer::io {
namespace {

using std::chrono::milliseconds;

TEST_CASE("who never wrote much sends little from the first write on") {
  WriteSizes sizes;
  CHECK(sizes.note(1));
  CHECK(sizes.note(WriteSizes::kLittle - 1));
  CHECK_FALSE(sizes.is_bulk());
}

TEST_CASE("a remainder of bulk is no small message, many small writes in a row are") {
  WriteSizes sizes;
  CHECK_FALSE(sizes.note(WriteSizes::kLittle));
  CHECK(sizes.is_bulk());
  for (int i = 0; i < 16; ++i) {
    CHECK_FALSE(sizes.note(100));
    CHECK_FALSE(sizes.is_bulk());
  }
  CHECK(sizes.note(100));
  CHECK_FALSE(sizes.note(100'000));
  CHECK_FALSE(sizes.note(100));
}

TEST_CASE("courtesy is due for half a second after a small message, and not before the first") {
  Courtesy courtesy;
  const MonoTime start = Clock::now();
  CHECK_FALSE(courtesy.is_due(start));
  courtesy.saw_little(start);
  CHECK(courtesy.is_due(start));
  CHECK(courtesy.is_due(start + milliseconds(499)));
  CHECK_FALSE(courtesy.is_due(start + milliseconds(500)));
}

constexpr std::size_t kBulkBytes = std::size_t{4} << 20;

coro::Task<void> feed(Loop& loop, Fd fd, std::uint32_t seed, Digest& sent) {
  Socket socket(loop, std::move(fd));
  std::vector<std::uint8_t> bytes(kBulkBytes);
  ByteSource(seed).fill(bytes);
  sent.add(bytes);
  const Status status = co_await socket.send_all(bytes, loop.after(kSoon));
  REQUIRE(status.has_value());
}

/// Receives to the end; `in_round` counts receives of hot channels by the round they ended in.
coro::Task<void> drain(Loop& loop, Fd fd, Digest& got, std::map<std::uint64_t, int>& in_round) {
  Socket socket(loop, std::move(fd));
  for (;;) {
    loop.courtesy().saw_little(loop.now());
    const bool hot = socket.channel().hot;
    auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(received.has_value());
    if (received->empty()) co_return;
    if (hot) ++in_round[loop.backend().counters().waits];
    got.add(received->view());
  }
}

coro::Task<void> take_turns(Loop& loop, int& most) {
  constexpr std::size_t kStreams = 6;
  loop.courtesy().saw_little(loop.now());
  co_await yield();  // the backend hears of it when it waits
  std::array<Digest, kStreams> sent;
  std::array<Digest, kStreams> got;
  std::map<std::uint64_t, int> in_round;
  coro::Scope scope;
  for (std::size_t i = 0; i < kStreams; ++i) {
    FdPair pair = tcp_pair();
    scope.spawn(drain(loop, std::move(pair.left), got[i], in_round));
    scope.spawn(feed(loop, std::move(pair.right), static_cast<std::uint32_t>(i), sent[i]));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < kStreams; ++i) CHECK(got[i] == sent[i]);
  CHECK(in_round.size() > kStreams);
  for (const auto& [round, count] : in_round) most = std::max(most, count);
}

ON_BOTH_BACKENDS(
    "beside small messages one receive of bulk is served in a round, and none is lost") {
  int most = 0;
  run_on<B>(take_turns, most);
  // Two: a receive that was under way when its turn was another's may end in the same round.
  CHECK(most <= 2);
}

coro::Task<void> receive_once(Loop& loop, Socket& socket, coro::CancelSource& cancel, Digest& got,
                              int& cancelled) {
  auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon), &cancel);
  if (!received) {
    CHECK(received.error().code == Errc::cancelled);
    ++cancelled;
    co_return;
  }
  got.add(received->view());
}

coro::Task<void> cancel_in_turn(Loop& loop, int& cancelled) {
  constexpr std::size_t kStreams = 4;
  std::array<Digest, kStreams> sent;
  std::array<Digest, kStreams> got;
  std::vector<std::unique_ptr<Socket>> readers;
  coro::Scope feeding;
  for (std::size_t i = 0; i < kStreams; ++i) {
    FdPair pair = tcp_pair();
    readers.push_back(std::make_unique<Socket>(loop, std::move(pair.left)));
    feeding.spawn(feed(loop, std::move(pair.right), static_cast<std::uint32_t>(i), sent[i]));
  }
  const auto whole = [](const Digest& digest) { return digest.size() == kBulkBytes; };
  const Deadline end = loop.after(kSoon);
  for (int round = 0; !std::ranges::all_of(got, whole) && !end.expired(loop.now()); ++round) {
    loop.courtesy().saw_little(loop.now());
    coro::CancelSource cancel;
    coro::Scope receiving;
    for (std::size_t i = 0; i < kStreams; ++i) {
      if (!whole(got[i]))
        receiving.spawn(receive_once(loop, *readers[i], cancel, got[i], cancelled));
    }
    for (int i = 0; i < round % 4; ++i) co_await yield();
    cancel.cancel();
    co_await receiving.join();
  }
  co_await feeding.join();
  for (std::size_t i = 0; i < kStreams; ++i) CHECK(got[i] == sent[i]);
}

ON_BOTH_BACKENDS("a receive that is cancelled while it waits for its turn loses nothing") {
  int cancelled = 0;
  run_on<B>(cancel_in_turn, cancelled);
  CHECK(cancelled > 0);
}

TEST_CASE("turns alternate with the work of others, and once courtesy ends nobody waits any more") {
  std::array<Channel, 4> channels;
  Turns turns;
  for (Channel& channel : channels) turns.push(channel);
  turns.push(channels[0]);  // waits already
  std::vector<Channel*> served;
  const auto serve = [&served](Channel& channel) { served.push_back(&channel); };
  turns.show_courtesy(true);
  turns.begin_round(true);
  turns.serve_round(serve);
  CHECK(served.empty());
  turns.begin_round(true);
  turns.serve_round(serve);
  CHECK(served == std::vector<Channel*>{&channels[0]});
  turns.begin_round(false);
  turns.serve_round(serve);
  CHECK(served == std::vector<Channel*>{&channels[0], &channels[1]});
  turns.forget(channels[2]);
  turns.show_courtesy(false);
  turns.begin_round(true);
  turns.serve_round(serve);
  CHECK(served == std::vector<Channel*>{&channels[0], &channels[1], &channels[3]});
  CHECK(turns.empty());
}

}  // namespace
}  // namespace aquifer::io
