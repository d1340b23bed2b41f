// Readiness made to look like completions: each operation is tried at once, and again when epoll
// says so. Descriptors are registered once, edge-triggered, when an operation first has to wait.
// One per loop, on the loop's thread.
#include "common/base/assert.h"
#include "common/io/accept.h"
#include "common/io/backend.h"
#include "common/io/buffer_sizes.h"
#include "common/io/turns.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <vector>

namespace aquifer::io {
namespace {

// Events taken from the kernel per wait: more only delays the first of them.
constexpr int kEventsMax = 256;

class EpollBackend final : public Backend {
 public:
  explicit EpollBackend(Fd epoll) : epoll_(std::move(epoll)) {}

  [[nodiscard]] BackendKind kind() const noexcept override { return BackendKind::epoll; }

  bool try_now(Operation& operation, int& result) noexcept override {
    operation.backend_mark = false;
    if (turns_.apply_to(operation)) return false;
    result = attempt(operation);
    operation.backend_mark = result == -EAGAIN;
    if (operation.backend_mark) return false;
    ++counters_.completed;
    return true;
  }

  void start(Operation& operation) noexcept override {
    Channel& channel = operation.channel();
    Operation*& slot = slot_of(operation);
    AQUIFER_ASSERT(slot == nullptr);
    if (!operation.backend_mark && turns_.apply_to(operation)) {
      slot = &operation;
      turns_.push(channel);
      return;
    }
    // The attempt in await_ready may have been skipped for its budget: then it has its turn before
    // parking.
    const int result = operation.backend_mark ? -EAGAIN : attempt(operation);
    if (result != -EAGAIN) {
      finish(operation, result);
      return;
    }
    slot = &operation;
    if (!register_channel(channel)) {
      const int error = errno;
      slot = nullptr;
      finish(operation, -error);
    }
  }

  void cancel(Operation& operation) noexcept override {
    Operation*& slot = slot_of(operation);
    if (slot != &operation) return;
    slot = nullptr;
    if (operation.kind() == OperationKind::recv) turns_.forget(operation.channel());
    finish(operation, -ECANCELED);
  }

  void start_accept(AcceptHandler& handler) noexcept override {
    handler.active = true;
    accept_handlers_.push_back(&handler);
    epoll_event event{};
    // Level-triggered: what the bounded accept round leaves is reported again.
    event.events = EPOLLIN;
    event.data.u64 = reinterpret_cast<std::uintptr_t>(&handler.channel) | kAcceptTag;
    const int rc = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, handler.channel.fd, &event);
    AQUIFER_ASSERT(rc == 0);
    handler.channel.registered = true;
  }

  void stop_accept(AcceptHandler& handler) noexcept override {
    if (!handler.active) return;
    handler.active = false;
    forget(handler.channel);
    std::erase(accept_handlers_, &handler);
    handler.on_stopped(handler.context);
  }

  void forget(Channel& channel) noexcept override {
    AQUIFER_ASSERT(channel.reading == nullptr && channel.writing == nullptr);
    turns_.forget(channel);
    // Explicitly: a child process between fork and exec may hold the descriptor open, and then
    // closing it here would leave a registration that points to freed memory.
    if (channel.registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channel.fd, nullptr);
    channel.registered = false;
  }

  void show_courtesy(bool due) noexcept override { turns_.show_courtesy(due); }

  void wait(MonoTime until, MonoTime now) noexcept override {
    ++counters_.waits;
    const bool busy = until <= now;
    if (!turns_.empty()) until = now;
    timespec timeout{};
    timespec* limit = &timeout;
    if (until == MonoTime::max()) {
      limit = nullptr;
    } else if (until > now) {
      // The clock was read at the start of the round: waiting from here on would be late by the
      // round's work.
      const auto left = std::max(until - Clock::now(), Duration::zero());
      timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
      timeout.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), kEventsMax, limit, nullptr);
    if (count < 0) {
      AQUIFER_ASSERT(errno == EINTR);
      return;
    }
    turns_.begin_round(busy);
    for (int i = 0; i < count; ++i) dispatch(events_[static_cast<std::size_t>(i)]);
    turns_.serve_round([this](Channel& channel) { serve_turn(channel); });
  }

  [[nodiscard]] std::uint32_t buffers_leased() const noexcept override {
    return small_.leased() + large_.leased();
  }

  void trim() noexcept override {
    small_.trim();
    large_.trim();
  }

 private:
  static constexpr std::uint64_t kAcceptTag = 1;

  static Operation*& slot_of(Operation& operation) noexcept {
    Channel& channel = operation.channel();
    const bool writes =
        operation.kind() == OperationKind::writable || operation.kind() == OperationKind::connect;
    return writes ? channel.writing : channel.reading;
  }

  void finish(Operation& operation, int result) noexcept {
    ++counters_.completed;
    operation.complete(result);
  }

  bool register_channel(Channel& channel) noexcept {
    if (channel.registered) return true;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = reinterpret_cast<std::uintptr_t>(&channel);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, channel.fd, &event) != 0) return false;
    channel.registered = true;
    return true;
  }

  /// The operation's result, or -EAGAIN when it has to wait.
  int attempt(Operation& operation) noexcept {
    Channel& channel = operation.channel();
    switch (operation.kind()) {
      case OperationKind::recv:
        return attempt_recv(static_cast<ReceiveOperation&>(operation), channel);
      case OperationKind::readable: return poll_now(channel.fd, POLLIN);
      case OperationKind::hangup: return poll_now(channel.fd, 0);
      case OperationKind::writable: return poll_now(channel.fd, POLLOUT);
      case OperationKind::connect:
        return attempt_connect(static_cast<ConnectOperation&>(operation), channel);
    }
    return -EINVAL;
  }

  int attempt_recv(ReceiveOperation& operation, Channel& channel) noexcept {
    if (!channel.readable) return -EAGAIN;
    BufferPool& pool = channel.hot ? large_ : small_;
    operation.buffer = pool.take();
    const MutableBytes room = operation.buffer.tail().first(
        std::min<std::size_t>(operation.buffer.tail().size(), operation.bytes_max));
    ssize_t got = 0;
    do {
      got = ::recv(channel.fd, room.data(), room.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);  // giving up would wait for an edge that has been
    if (got <= 0) {
      // Neither waiting nor the end of the stream needs a buffer.
      const int error = got < 0 ? errno : 0;
      operation.buffer.release();
      // Before registration there is no edge to wait for; start() registers and epoll reports the
      // state then.
      if (error == EAGAIN && channel.registered) channel.readable = channel.hung_up;
      return -error;
    }
    turns_.note_taken(channel);
    operation.buffer.grow(static_cast<std::size_t>(got));
    const bool filled = static_cast<std::size_t>(got) == room.size();
    channel.hot = static_cast<std::size_t>(got) >= kSmallBufferBytes;
    // A short read emptied the socket: the next edge tells. Not after a hang-up, which came in the
    // same edge as data.
    if (!filled && channel.registered && !channel.hung_up) channel.readable = false;
    return static_cast<int>(got);
  }

  static int attempt_connect(ConnectOperation& operation, Channel& channel) noexcept {
    if (operation.address != nullptr) {
      const int rc = ::connect(channel.fd, static_cast<const sockaddr*>(operation.address),
                               operation.address_length);
      operation.address = nullptr;  // asked once; from now on the socket's error tells
      if (rc == 0) return 0;
      if (errno == EINPROGRESS) return -EAGAIN;
      // From connect(2) it means that local ports ran out, not "wait".
      return errno == EAGAIN ? -EADDRNOTAVAIL : -errno;
    }
    if (const int ready = poll_now(channel.fd, POLLOUT); ready < 0) return ready;
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(channel.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return -error;
  }

  static int poll_now(int fd, short events) noexcept {
    pollfd entry{fd, events, 0};
    const int count = ::poll(&entry, 1, 0);
    if (count < 0) return errno == EINTR ? -EAGAIN : -errno;
    return count == 0 ? -EAGAIN : entry.revents;
  }

  void dispatch(const epoll_event& event) noexcept {
    auto* channel = reinterpret_cast<Channel*>(event.data.u64 & ~kAcceptTag);
    if ((event.data.u64 & kAcceptTag) != 0) {
      accept_round(*channel);
      return;
    }
    const bool ended = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (ended) channel->hung_up = true;
    if (ended || (event.events & EPOLLIN) != 0) {
      channel->readable = true;
      Operation* const reading = channel->reading;
      if (reading != nullptr && turns_.apply_to(*reading)) {
        turns_.push(*channel);
      } else {
        retry(channel->reading);
      }
    }
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
      channel->writable = true;
      retry(channel->writing);
    }
  }

  void retry(Operation*& slot) noexcept {
    if (slot == nullptr) return;
    Operation& operation = *slot;
    const int result = attempt(operation);
    if (result == -EAGAIN) return;
    slot = nullptr;
    finish(operation, result);
  }

  void serve_turn(Channel& channel) noexcept {
    retry(channel.reading);
    // It has to wait for bytes: for the first time, perhaps.
    Operation* const reading = channel.reading;
    if (reading == nullptr || register_channel(channel)) return;
    const int error = errno;
    channel.reading = nullptr;
    finish(*reading, -error);
  }

  void accept_round(Channel& channel) noexcept {
    for (AcceptHandler* handler : accept_handlers_) {
      if (&handler->channel != &channel) continue;
      counters_.completed += accept_some(*handler);
      return;
    }
  }

  Fd epoll_;
  std::array<epoll_event, kEventsMax> events_{};
  std::vector<AcceptHandler*> accept_handlers_;
  Turns turns_;
  BufferPool small_{kSmallBufferBytes, kSmallBufferCount};
  BufferPool large_{kLargeBufferBytes, kLargeBufferCount};
};

}  // namespace

Result<std::unique_ptr<Backend>> make_epoll_backend() {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return std::unexpected(error_from_errno(errno, "epoll_create1"));
  return std::make_unique<EpollBackend>(std::move(epoll));
}

}  // namespace aquifer::io
