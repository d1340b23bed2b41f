#include "common/io/loop.h"

#include "tests/unit/common/io/io_fixture.h"

#include <memory>
#include <string>
#include <thread>

namespace aquifer::io {
namespace {

using std::chrono::milliseconds;

coro::Task<void> do_nothing(Loop&) {
  co_return;
}

ON_BOTH_BACKENDS("run returns as soon as its task has ended, and may be called again") {
  const auto loop = make_loop<B>();
  const auto start = Clock::now();
  for (int i = 0; i < 3; ++i) loop->run(do_nothing(*loop));
  CHECK(Clock::now() - start < std::chrono::seconds(9));
}

struct Inbox {
  coro::Event complete;
  std::vector<int> next;  // per sender: the number it must send next
  int received = 0;
  int expected = 0;
  bool in_order = true;
};

void deliver(Inbox& inbox, std::size_t sender, int number) {
  if (inbox.next[sender] != number) inbox.in_order = false;
  inbox.next[sender] = number + 1;
  if (++inbox.received == inbox.expected) inbox.complete.notify();
}

coro::Task<void> wait_for_mail(Loop& loop, Inbox& inbox) {
  const Status done = co_await wait_event(loop, inbox.complete, loop.after(kSoon));
  CHECK(done.has_value());
}

ON_BOTH_BACKENDS("messages of several threads all arrive, each thread's in its order") {
  constexpr std::size_t kThreads = 4;
  constexpr int kEach = 5000;
  const auto loop = make_loop<B>();
  Inbox inbox;
  inbox.next.resize(kThreads);
  inbox.expected = static_cast<int>(kThreads) * kEach;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&loop, &inbox, t] {
      for (int i = 0; i < kEach; ++i) {
        loop->post([&inbox, t, i] { deliver(inbox, t, i); });
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  loop->run(wait_for_mail(*loop, inbox));
  for (std::thread& thread : threads) thread.join();
  CHECK(inbox.received == inbox.expected);
  CHECK(inbox.in_order);
}

// One message, one answer, many times: a wake-up lost between "read the signal" and "take the
// messages" would stop it.
ON_BOTH_BACKENDS("a lone message to a loop that is about to sleep wakes it every time") {
  constexpr int kRounds = 3000;
  Inbox inbox;
  inbox.next.resize(1);
  inbox.expected = kRounds;
  const auto loop = make_loop<B>();
  std::atomic<int> seen{-1};
  std::thread sender([&] {
    for (int i = 0; i < kRounds; ++i) {
      loop->post([&inbox, &seen, i] {
        deliver(inbox, 0, i);
        seen.store(i);
        seen.notify_one();
      });
      for (int now = seen.load(); now < i; now = seen.load()) seen.wait(now);
    }
  });
  loop->run(wait_for_mail(*loop, inbox));
  sender.join();
  CHECK(inbox.received == kRounds);
}

coro::Task<void> receive_socket(Loop& loop, Fd& inbox, coro::Event& arrived, Fd peer) {
  const Status come = co_await wait_event(loop, arrived, loop.after(kSoon));
  REQUIRE(come.has_value());
  Socket socket(loop, std::move(inbox));
  Socket other(loop, std::move(peer));
  REQUIRE(other.try_send(as_bytes("moved")).value() == 5);
  const auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
  CHECK(as_text(received.value().view()) == "moved");
}

ON_BOTH_BACKENDS("a message carries a socket from one thread to the loop that will own it") {
  const auto loop = make_loop<B>();
  FdPair pair = tcp_pair();
  Fd inbox;
  coro::Event arrived;
  std::thread sender([&] {
    loop->post([fd = std::move(pair.left), &inbox, &arrived]() mutable {
      inbox = std::move(fd);
      arrived.notify();
    });
  });
  loop->run(receive_socket(*loop, inbox, arrived, std::move(pair.right)));
  sender.join();
}

coro::Task<void> sleeper(Loop& loop, int ms, std::string& order) {
  const Status slept = co_await sleep_until(loop, loop.after(milliseconds(ms)));
  REQUIRE(slept.has_value());
  order += static_cast<char>('0' + ms / 10);
}

coro::Task<void> sleepers(Loop& loop) {
  std::string order;
  coro::Scope scope;
  const MonoTime start = loop.now();
  for (const int ms : {40, 10, 30, 20, 0}) scope.spawn(sleeper(loop, ms, order));
  co_await scope.join();
  CHECK(order == "01234");
  CHECK(loop.now() - start >= milliseconds(40));
}

ON_BOTH_BACKENDS("sleepers wake in the order of their deadlines, none too early") {
  run_on<B>(sleepers);
}

coro::Task<void> short_waits(Loop& loop) {
  for (const int us : {1, 10, 100, 1000, 5000}) {
    const MonoTime until = Clock::now() + std::chrono::microseconds(us);
    const Status slept = co_await sleep_until(loop, Deadline(until));
    REQUIRE(slept.has_value());
    REQUIRE(Clock::now() >= until);
  }
  const std::uint64_t before = loop.backend().counters().waits;
  const Status slept = co_await sleep_until(loop, loop.after(milliseconds(50)));
  REQUIRE(slept.has_value());
  // It waited in the kernel, not by asking it again and again.
  CHECK(loop.backend().counters().waits - before <= 5);
}

ON_BOTH_BACKENDS("a wait lasts until its time without spinning, below a millisecond too") {
  run_on<B>(short_waits);
}

coro::Task<void> cancel_sleep(Loop& loop) {
  coro::CancelSource cancel;
  coro::Scope scope;
  Status result;
  scope.spawn([](Loop& l, coro::CancelSource& c, Status& out) -> coro::Task<void> {
    out = co_await sleep_until(l, l.after(kSoon), &c);
  }(loop, cancel, result));
  co_await yield();
  cancel.cancel();
  co_await scope.join();
  CHECK(result.error().code == Errc::cancelled);
}

ON_BOTH_BACKENDS("a cancelled sleep ends at once") {
  run_on<B>(cancel_sleep);
}

coro::Task<void> event_or_deadline(Loop& loop) {
  coro::Event event;
  const Status late = co_await wait_event(loop, event, loop.after(milliseconds(5)));
  CHECK(late.error().code == Errc::timed_out);
  event.notify();
  const Status early = co_await wait_event(loop, event, loop.after(kSoon));
  CHECK(early.has_value());
  // Nothing is left over from either.
  const Status again = co_await wait_event(loop, event, loop.after(milliseconds(5)));
  CHECK(again.error().code == Errc::timed_out);
}

ON_BOTH_BACKENDS("waiting for an event tells a notification from a deadline") {
  run_on<B>(event_or_deadline);
}

struct NotifyAt : Timer {
  explicit NotifyAt(coro::Event& e) : Timer(&NotifyAt::fire), event(e) {}
  static void fire(Timer& timer) noexcept { static_cast<NotifyAt&>(timer).event.notify(); }
  coro::Event& event;
};

coro::Task<void> both_at_once(Loop& loop) {
  for (int i = 0; i < 20; ++i) {
    coro::Event event;
    NotifyAt notifier(event);
    const Deadline moment = loop.after(milliseconds(1));
    notifier.arm(loop.timers(), Deadline(moment.at() - std::chrono::nanoseconds(1)));
    const Status first = co_await wait_event(loop, event, moment);
    REQUIRE(first.has_value());
    const Status second = co_await wait_event(loop, event, loop.after(milliseconds(1)));
    REQUIRE(second.error().code == Errc::timed_out);
  }
}

ON_BOTH_BACKENDS("an event that came before a deadline of the same round is not called a timeout") {
  run_on<B>(both_at_once);
}

coro::Task<void> count_operations(Loop& loop) {
  FdPair pair = unix_pair();
  Socket socket(loop, std::move(pair.left));
  Socket peer(loop, std::move(pair.right));
  const std::uint64_t before = loop.backend().counters().completed;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(peer.try_send(as_bytes("n")).value() == 1);
    const auto received = co_await socket.recv(UINT32_MAX, loop.after(kSoon));
    REQUIRE(received.has_value());
  }
  CHECK(loop.backend().counters().completed - before == 100);
}

ON_BOTH_BACKENDS("each completed operation is counted once") {
  run_on<B>(count_operations);
}

coro::Task<void> check_hangup(Loop& loop) {
  FdPair pair = tcp_pair();
  Socket socket(loop, std::move(pair.left));
  auto peer = std::make_unique<Socket>(loop, std::move(pair.right));
  coro::Scope scope;
  int ended = 0;
  scope.spawn([](Socket& s, int& count) -> coro::Task<void> {
    Hangup wait(s.loop(), s.channel(), s.loop().after(kSoon), nullptr);
    const Status status = co_await wait;
    if (status) ++count;
  }(socket, ended));
  REQUIRE(peer->try_send(as_bytes("only data")).value() == 9);
  REQUIRE(peer->shutdown_write().has_value());
  for (int i = 0; i < 5; ++i) co_await yield();
  CHECK(ended == 0);
  peer->reset_on_close();
  peer.reset();
  co_await scope.join();
  CHECK(ended == 1);
}

ON_BOTH_BACKENDS("a wait for the hang-up is not ended by data or by half an end") {
  run_on<B>(check_hangup);
}

coro::Task<void> works_and_rests(Loop& loop) {
  CHECK(loop.cpu_permille() == 0);
  // Two intervals of the meter, or the end of the test's patience on a machine that is busy.
  const auto begun = Clock::now();
  while (loop.cpu_permille() == 0 && Clock::now() - begun < kSoon) {
    const auto until = Clock::now() + milliseconds(5);
    while (Clock::now() < until) {
    }
    co_await yield();
  }
  CHECK(loop.cpu_permille() > 0);
  CHECK(loop.cpu_permille() <= 1000);
  for (const auto rests = Clock::now(); loop.cpu_permille() != 0 && Clock::now() - rests < kSoon;) {
    const Status slept = co_await sleep_until(loop, loop.after(coro::WorkMeter::kInterval));
    CHECK(slept.has_value());
  }
  CHECK(loop.cpu_permille() == 0);
}

ON_BOTH_BACKENDS("a loop knows how much of a core it uses, and that it rests") {
  const auto loop = make_loop<B>();
  loop->run(works_and_rests(*loop));
}

TEST_CASE("the automatic choice runs somewhere, and says so when it had to fall back") {
  auto loop = Loop::create(BackendChoice::automatic);
  REQUIRE(loop.has_value());
  CHECK(((*loop)->backend_kind() == BackendKind::uring) != (*loop)->fallback_reason().has_value());
}

}  // namespace
}  // namespace aquifer::io
