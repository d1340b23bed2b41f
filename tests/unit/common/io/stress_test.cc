// Random lives of connections through a relay: whatever is cut, what arrives is a prefix of what
// was sent, and a clean end means all of it.
#include "tests/unit/common/io/io_fixture.h"

#include <algorithm>

namespace aquifer::io {
namespace {

enum class Fate : std::uint8_t { clean, reset_by_sender, reset_by_receiver, cancelled };

struct Life {
  std::uint32_t seed;
  Fate fate;
  std::size_t total;    // bytes the client means to send
  std::size_t cut_at;   // where a fate other than clean strikes
  std::size_t got = 0;  // bytes the server received, all of them as sent
  bool intact = true;
  bool clean_end = false;
};

coro::Task<void> pump(Socket& from, Socket& to, coro::CancelSource& cancel) {
  for (;;) {
    const auto received = co_await from.recv(UINT32_MAX, from.loop().after(kSoon), &cancel);
    if (!received || received->empty()) {
      if (received) {
        (void)to.shutdown_write();
      } else {
        // As a proxy does: a failure is passed on as a failure.
        from.reset_on_close();
        to.reset_on_close();
        cancel.cancel();
      }
      co_return;
    }
    const Status sent = co_await to.send_all(received->view(), from.loop().after(kSoon), &cancel);
    if (!sent) {
      from.reset_on_close();
      to.reset_on_close();
      cancel.cancel();
      co_return;
    }
  }
}

coro::Task<void> relay(Loop& loop, Fd near, Fd far, coro::CancelSource& cut) {
  Socket left(loop, std::move(near));
  Socket right(loop, std::move(far));
  coro::Scope scope;
  scope.spawn(pump(left, right, cut));
  scope.spawn(pump(right, left, cut));
  co_await scope.join();
}

coro::Task<void> client(Loop& loop, Fd fd, Life& life, coro::CancelSource& cut) {
  Socket socket(loop, std::move(fd));
  std::mt19937 random(life.seed);
  ByteSource source(life.seed);
  std::vector<std::uint8_t> bytes;
  std::size_t sent = 0;
  while (sent < life.total) {
    const std::size_t most = 1 + random() % (1U << (random() % 18));
    bytes.resize(std::min(most, life.total - sent));
    source.fill(bytes);
    const Status status = co_await socket.send_all(bytes, loop.after(kSoon));
    if (!status) co_return;
    sent += bytes.size();
    if (sent < life.cut_at) continue;
    if (life.fate == Fate::reset_by_sender) {
      socket.reset_on_close();
      co_return;
    }
    if (life.fate == Fate::cancelled) cut.cancel();
  }
  if (!socket.shutdown_write()) co_return;
  // Until the other side has ended too.
  for (;;) {
    const auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
    if (!received || received->empty()) co_return;
  }
}

coro::Task<void> server(Loop& loop, Fd fd, Life& life) {
  Socket socket(loop, std::move(fd));
  std::mt19937 random(life.seed + 1);
  ByteSource source(life.seed);
  for (;;) {
    const std::uint32_t most = 1 + static_cast<std::uint32_t>(random() % (1U << (random() % 18)));
    const auto received = co_await socket.recv(most, loop.after(kSoon));
    if (!received) {
      life.intact = life.intact && received.error().code == Errc::connection_reset;
      co_return;
    }
    if (received->empty()) break;
    for (const std::uint8_t byte : received->view()) {
      if (byte != source.next()) life.intact = false;
    }
    life.got += received->size();
    if (life.fate == Fate::reset_by_receiver && life.got >= life.cut_at) {
      socket.reset_on_close();
      co_return;
    }
  }
  life.clean_end = true;
}

coro::Task<void> live(Loop& loop, Life& life) {
  FdPair near = tcp_pair();
  FdPair far = tcp_pair();
  coro::CancelSource cut;
  coro::Scope scope;
  scope.spawn(relay(loop, std::move(near.right), std::move(far.left), cut));
  scope.spawn(server(loop, std::move(far.right), life));
  scope.spawn(client(loop, std::move(near.left), life, cut));
  co_await scope.join();
}

coro::Task<void> many_lives(Loop& loop, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Life> lives;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const std::size_t total = 1 + random() % (1U << (8 + random() % 12));
    const auto fate = static_cast<Fate>(random() % 4);
    lives.push_back(Life{seed * 1000 + i, fate, total, random() % total});
  }
  coro::Scope scope;
  for (Life& life : lives) {
    scope.spawn(live(loop, life));
    if (random() % 4 == 0) co_await yield();
  }
  co_await scope.join();
  int clean = 0;
  for (const Life& life : lives) {
    CAPTURE(life.seed);
    CHECK(life.intact);
    CHECK(life.got <= life.total);
    if (life.clean_end) CHECK(life.got == life.total);
    if (life.fate == Fate::clean) CHECK(life.clean_end);
    if (life.clean_end) ++clean;
  }
  CHECK(clean >= 40);
  CHECK(clean < 300);
}

ON_BOTH_BACKENDS(
    "whatever is reset or cancelled, bytes arrive in order and a clean end means all") {
  for (const std::uint32_t seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    run_on<B>(many_lives, seed);
  }
}

}  // namespace
}  // namespace aquifer::io
