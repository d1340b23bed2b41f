// Promises of size: what a connection costs while nothing happens on it. Raising a limit is a
// decision, not a repair.
#include "common/coro/frame_pool.h"
#include "common/io/copy.h"
#include "common/io/socket_stream.h"
#include "tests/unit/common/io/io_fixture.h"

#include <fstream>
#include <string>

namespace aquifer::io {
namespace {

static_assert(sizeof(Channel) <= 32);
static_assert(sizeof(Socket) <= 56);
static_assert(sizeof(Buffer) <= 32);
// What waits for a tunnel or a dial; a copied stream has what is told instead.
static_assert(sizeof(Writable) <= 120);
static_assert(sizeof(Socket::Recv) <= 160);
static_assert(sizeof(Told<Operation>) <= 40);
static_assert(sizeof(Told<ReceiveOperation>) <= 80);
static_assert(sizeof(SocketStream) <= 240);
static_assert(sizeof(Copy) <= 176);

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define AQUIFER_SANITIZED 1
#endif
#endif

/// Anonymous resident memory of this process, in bytes.
std::size_t resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoul(line.substr(8)) * 1024;
  }
  return 0;
}

// Connections whose other ends wait in the queues of listeners, so that each costs one descriptor.
class Connections {
 public:
  explicit Connections(int count) {
    constexpr int kEach = 1000;
    for (int i = 0; i < count; ++i) {
      if (i % kEach == 0) listeners_.push_back(listen_anywhere(kEach));
      ends.push_back(connect_now(listeners_.back().address));
    }
  }
  [[nodiscard]] Fd accept_first() {
    return Fd(::accept4(listeners_.front().fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  std::vector<Fd> ends;

 private:
  std::vector<Listening> listeners_;
};

coro::Task<void> wait_on(Loop& loop, Fd fd, coro::CancelSource& cancel, int& ended) {
  Socket socket(loop, std::move(fd));
  for (;;) {
    const auto received = co_await socket.recv(UINT32_MAX, Deadline::never(), &cancel);
    if (!received || received->empty()) break;
  }
  ++ended;
}

coro::Task<void> ten_thousand(Loop& loop) {
  constexpr int kCount = 10'000;
  Connections connections(kCount);
  coro::Scope scope;
  int ended = 0;
  const std::size_t frames_before = coro::frame_bytes_live();
  const std::size_t resident_before = resident();
  for (Fd& fd : connections.ends) {
    scope.spawn(wait_on(loop, std::move(fd), scope.cancel_source(), ended));
  }
  for (int i = 0; i < 3; ++i) co_await yield();
  CHECK(loop.backend().buffers_leased() == 0);
  const std::size_t frames = (coro::frame_bytes_live() - frames_before) / kCount;
  const std::size_t growth = (resident() - std::min(resident(), resident_before)) / kCount;
  MESSAGE(name_of(loop.backend_kind()) << ": " << frames << " bytes of frames and " << growth
                                       << " resident bytes for an idle receiving connection");
#if defined(__OPTIMIZE__) && !defined(AQUIFER_SANITIZED)
  CHECK(frames <= 448);
  CHECK(growth <= 640);
#endif
  // They are awake enough to notice their ends.
  for (int i = 0; i < 100; ++i) {
    const Fd peer = connections.accept_first();
    REQUIRE(::send(peer.get(), "x", 1, MSG_NOSIGNAL) == 1);
  }
  const Deadline deadline = loop.after(kSoon);
  while (ended < 100 && !deadline.expired(loop.now())) co_await yield();
  CHECK(ended == 100);
  scope.cancel();
  co_await scope.join();
  CHECK(ended == kCount);
}

ON_BOTH_BACKENDS("ten thousand idle connections hold no buffer and little memory") {
  run_on<B>(ten_thousand);
}

coro::Task<void> memory_comes_back(Loop& loop) {
  std::vector<std::uint8_t> block(1024 * 1024);
  ByteSource(5).fill(block);
  for (int round = 0; round < 4; ++round) {
    FdPair pair = tcp_pair();
    Socket sender(loop, std::move(pair.left));
    Socket receiver(loop, std::move(pair.right));
    coro::Scope scope;
    scope.spawn([](Socket& s, ByteView bytes) -> coro::Task<void> {
      const Status sent = co_await s.send_all(bytes, s.loop().after(kSoon));
      REQUIRE(sent.has_value());
      REQUIRE(s.shutdown_write().has_value());
    }(sender, block));
    const auto got = co_await receive_all(receiver);
    co_await scope.join();
    Digest expected;
    expected.add(block);
    // Trimmed pools give fresh pages, and the kernel still writes into the right ones.
    REQUIRE(got.value() == expected);
    loop.backend().trim();
  }
}

ON_BOTH_BACKENDS("bytes are whole after the pools gave their pages back") {
  run_on<B>(memory_comes_back);
}

}  // namespace
}  // namespace aquifer::io
