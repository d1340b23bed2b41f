// The hand-over between two loops, on two threads and on one: who answers, who ends it, and that
// nothing is left behind whoever goes first.
#include "ztunnel/same_node/handover.h"

#include "tests/unit/common/io/io_fixture.h"

#include <fcntl.h>

#include <future>
#include <thread>

namespace aquifer::ztunnel {
namespace {

using io::Epoll;
using io::kSoon;
using io::make_loop;
using io::Uring;

struct Watcher final : Handover::OnCut {
  void cut() noexcept override {
    ++cuts;
    told.notify();
  }
  int cuts = 0;
  coro::Event told;
};

/// The destination's side: answers, hears of bytes until `cut_at`, then cuts; to the end.
coro::Task<void> destination(io::Loop& loop, HandoverPtr handover, Fd application,
                             std::uint64_t cut_at, LocalBytes& last) {
  handover->answer(200, std::move(application));
  bool cut = false;
  while (!handover->over()) {
    const Status woken = co_await io::wait_event(loop, handover->changed(), loop.after(kSoon));
    REQUIRE(woken.has_value());
    if (!cut && handover->bytes().from_client >= cut_at) {
      cut = true;
      handover->cut();
    }
  }
  last = handover->bytes();
}

coro::Task<void> source(io::Loop& loop, HandoverPtr handover, Watcher& watcher, int expected_fd) {
  auto answer = co_await handover->wait_answer(loop.after(kSoon), nullptr);
  REQUIRE(answer.has_value());
  CHECK(answer->status == 200);
  CHECK(answer->application.get() == expected_fd);
  handover->watch(&watcher);
  handover->report({10, 0});
  handover->report({100, 7});
  const Status told = co_await io::wait_event(loop, watcher.told, loop.after(kSoon));
  REQUIRE(told.has_value());
  handover->watch(nullptr);
  handover->finish({123, 45});
}

coro::Task<void> both(io::Loop& loop, LocalBytes& last, Watcher& watcher) {
  auto pair = io::unix_pair();
  const int fd = pair.left.get();
  const auto handover = std::make_shared<Handover>(LocalCall{}, loop, loop);
  coro::Scope scope;
  scope.spawn(destination(loop, handover, std::move(pair.left), 100, last));
  scope.spawn(source(loop, handover, watcher, fd));
  co_await scope.join();
}

coro::Task<void> give_up(io::Loop& loop) {
  const auto handover = std::make_shared<Handover>(LocalCall{}, loop, loop);
  const auto answer = co_await handover->wait_answer(loop.after(Duration::zero()), nullptr);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::timed_out);
  handover->finish({});
  CHECK(handover->over());
  auto pair = io::unix_pair();
  const int fd = pair.left.get();
  handover->answer(200, std::move(pair.left));
  CHECK(::fcntl(fd, F_GETFD) == -1);
}

coro::Task<void> cut_first(io::Loop& loop, Watcher& watcher) {
  const auto handover = std::make_shared<Handover>(LocalCall{}, loop, loop);
  handover->answer(200);
  handover->cut();
  auto answer = co_await handover->wait_answer(loop.after(kSoon), nullptr);
  REQUIRE(answer.has_value());
  handover->watch(&watcher);
  CHECK(watcher.cuts == 1);
  handover->watch(nullptr);
  handover->finish({});
}

}  // namespace

ON_BOTH_BACKENDS("on one loop a connection is answered, counted, cut once and finished") {
  LocalBytes last;
  Watcher watcher;
  io::run_on<B>(both, last, watcher);
  CHECK(last.from_client == 123);
  CHECK(last.to_client == 45);
  CHECK(watcher.cuts == 1);
}

ON_BOTH_BACKENDS("between two threads the same happens, and each side runs on its own") {
  LocalBytes last;
  Watcher watcher;
  std::promise<io::Loop*> started;
  std::promise<void> source_ended;
  auto source_has_ended = source_ended.get_future();
  std::promise<HandoverPtr> made;
  auto pair = io::unix_pair();
  const int fd = pair.left.get();
  std::thread there([&] {
    const auto loop = make_loop<B>();
    started.set_value(loop.get());
    const HandoverPtr handover = made.get_future().get();
    loop->run(destination(*loop, handover, std::move(pair.left), 100, last));
    // The other loop may still post: this one lives until it does not.
    source_has_ended.get();
  });
  {
    const auto loop = make_loop<B>();
    const auto handover =
        std::make_shared<Handover>(LocalCall{}, *loop, *started.get_future().get());
    made.set_value(handover);
    loop->run(source(*loop, handover, watcher, fd));
    source_ended.set_value();
    there.join();
  }
  CHECK(last.from_client == 123);
  CHECK(watcher.cuts == 1);
}

ON_BOTH_BACKENDS("who waited too long has finished, and an answer that comes later is closed") {
  io::run_on<B>(give_up);
}

ON_BOTH_BACKENDS("a connection that was cut before it is watched is cut at once") {
  Watcher watcher;
  io::run_on<B>(cut_first, watcher);
}

}  // namespace aquifer::ztunnel
