// Completions of io_uring. Receives take a buffer from a ring that the kernel fills, so an idle
// connection holds none; accepts are multishot; sends are plain non-blocking system calls by the
// sockets themselves (measured: the copy and the protocol dominate, not the call), so nothing but
// receives has memory inside the kernel. One ring per loop, SINGLE_ISSUER and DEFER_TASKRUN: made,
// submitted and reaped by the loop's thread alone.
#include "common/base/assert.h"
#include "common/io/accept.h"
#include "common/io/backend.h"
#include "common/io/buffer_sizes.h"
#include "common/io/provided_buffers.h"
#include "common/io/turns.h"

#include <liburing.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace aquifer::io {
namespace {

// Submissions are flushed once a round; 1024 is more than a round makes, and a full queue only
// costs an extra call.
constexpr unsigned kSubmissionEntries = 1024;
// Room for what completes between two rounds; beyond it the kernel keeps a list of its own and
// loses nothing.
constexpr unsigned kCompletionEntries = 4096;

class UringBackend final : public Backend {
 public:
  UringBackend() = default;
  ~UringBackend() override {
    if (initialised_) io_uring_queue_exit(&ring_);
  }
  UringBackend(const UringBackend&) = delete;
  UringBackend& operator=(const UringBackend&) = delete;

  Status initialise() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                   IORING_SETUP_CLAMP;
    params.cq_entries = kCompletionEntries;
    if (const int rc = io_uring_queue_init_params(kSubmissionEntries, &ring_, &params); rc != 0) {
      return std::unexpected(error_from_errno(-rc, "io_uring cannot be used here"));
    }
    initialised_ = true;
    TRY_VOID(small_.register_with(ring_));
    TRY_VOID(large_.register_with(ring_));
    return {};
  }

  [[nodiscard]] BackendKind kind() const noexcept override { return BackendKind::uring; }
  bool try_now(Operation&, int&) noexcept override { return false; }

  void start(Operation& operation) noexcept override {
    Operation*& slot = slot_of(operation);
    AQUIFER_ASSERT(slot == nullptr);
    slot = &operation;
    switch (operation.kind()) {
      case OperationKind::recv:
        if (turns_.apply_to(operation)) {
          turns_.push(operation.channel());
        } else {
          submit_recv(static_cast<ReceiveOperation&>(operation));
        }
        return;
      case OperationKind::readable: submit_poll(operation, POLLIN); return;
      case OperationKind::hangup: submit_poll_on(operation, 0); return;
      case OperationKind::writable: submit_poll(operation, POLLOUT); return;
      case OperationKind::connect: start_connect(static_cast<ConnectOperation&>(operation)); return;
    }
  }

  void cancel(Operation& operation) noexcept override {
    Channel& channel = operation.channel();
    if (channel.waits_turn && channel.reading == &operation) {
      turns_.forget(channel);
      finish(operation, -ECANCELED);
      return;
    }
    // The queue keeps its order: an operation started later at the same address is not meant.
    submit_cancel(reinterpret_cast<std::uintptr_t>(&operation));
  }

  void start_accept(AcceptHandler& handler) noexcept override {
    handler.active = true;
    arm_accept(handler);
  }

  void stop_accept(AcceptHandler& handler) noexcept override {
    if (!handler.active) return;
    handler.active = false;
    if (handler.armed) {
      submit_cancel(reinterpret_cast<std::uintptr_t>(&handler) | kAcceptTag);
    } else {
      handler.on_stopped(handler.context);
    }
  }

  void forget(Channel& channel) noexcept override {
    AQUIFER_ASSERT(channel.reading == nullptr && channel.writing == nullptr);
  }

  void show_courtesy(bool due) noexcept override { turns_.show_courtesy(due); }

  void wait(MonoTime until, MonoTime now) noexcept override {
    ++counters_.waits;
    turns_.begin_round(until <= now);
    turns_.serve_round([this](Channel& channel) {
      submit_recv(static_cast<ReceiveOperation&>(*channel.reading));
    });
    if (!turns_.empty()) until = now;
    if (until <= now) {
      if (kernel_has_work()) io_uring_submit_and_get_events(&ring_);
    } else if (until == MonoTime::max()) {
      io_uring_submit_and_wait(&ring_, 1);
    } else {
      const auto left = std::max(until - Clock::now(), Duration::zero());
      __kernel_timespec timeout{};
      timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
      timeout.tv_nsec = (left % std::chrono::seconds(1)).count();
      io_uring_cqe* first = nullptr;
      io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
    }
    reap();
  }

  [[nodiscard]] std::uint32_t buffers_leased() const noexcept override {
    return small_.leased() + large_.leased();
  }

  void trim() noexcept override {
    // A completion that nobody has seen yet has its bytes in a block that looks free.
    if (io_uring_cq_ready(&ring_) > 0 || io_uring_cq_has_overflow(&ring_)) return;
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

  /// False when a call would neither submit nor complete anything.
  bool kernel_has_work() const noexcept {
    const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
    return io_uring_sq_ready(&ring_) > 0 ||
           (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }

  io_uring_sqe* next_entry() noexcept {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }

  void submit_recv(ReceiveOperation& operation) noexcept {
    ProvidedBuffers& buffers = operation.channel().hot ? large_ : small_;
    turns_.note_taken(operation.channel());
    io_uring_sqe* entry = next_entry();
    const std::size_t bytes = std::min<std::size_t>(operation.bytes_max, buffers.payload_bytes());
    io_uring_prep_recv(entry, operation.channel().fd, nullptr, bytes, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = buffers.group();
    io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&operation));
  }

  void submit_poll(Operation& operation, unsigned events) noexcept {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_poll_add(entry, operation.channel().fd, events);
    io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&operation));
  }

  // A single poll completes at once with RDHUP, which the kernel adds to every mask, when the peer
  // has ended its side; only a multishot poll goes on to what comes after that.
  void submit_poll_on(Operation& operation, unsigned events) noexcept {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_poll_multishot(entry, operation.channel().fd, events);
    io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&operation));
  }

  void submit_cancel(std::uint64_t user_data) noexcept {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_cancel64(entry, user_data, 0);
    // The cancellation's own completion says nothing that the operation's does not.
    io_uring_sqe_set_data64(entry, 0);
  }

  // connect(2) at once: the socket is non-blocking and the address need not outlive the call.
  void start_connect(ConnectOperation& operation) noexcept {
    const auto* address = static_cast<const sockaddr*>(operation.address);
    if (::connect(operation.channel().fd, address, operation.address_length) == 0) {
      finish(operation, 0);
    } else if (errno != EINPROGRESS) {
      // EAGAIN from connect(2) means that local ports ran out.
      finish(operation, errno == EAGAIN ? -EADDRNOTAVAIL : -errno);
    } else {
      submit_poll(operation, POLLOUT);
    }
  }

  void arm_accept(AcceptHandler& handler) noexcept {
    handler.armed = true;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_multishot_accept(entry, handler.channel.fd, nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&handler) | kAcceptTag);
  }

  void reap() noexcept {
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++seen;
      const std::uint64_t user_data = completion->user_data;
      if (user_data == 0) continue;
      if ((user_data & kAcceptTag) != 0) {
        on_accept(*reinterpret_cast<AcceptHandler*>(user_data & ~kAcceptTag), *completion);
      } else {
        on_operation(*reinterpret_cast<Operation*>(user_data), *completion);
      }
    }
    io_uring_cq_advance(&ring_, seen);
  }

  void on_operation(Operation& operation, const io_uring_cqe& completion) noexcept {
    const int result = completion.res;
    switch (operation.kind()) {
      case OperationKind::recv:
        on_receive(static_cast<ReceiveOperation&>(operation), completion);
        break;
      case OperationKind::connect:
        finish(operation, result < 0 ? result : -socket_error(operation.channel().fd));
        break;
      case OperationKind::hangup: on_poll(operation, completion, 0, POLLHUP | POLLERR); break;
      // Otherwise a full socket whose peer has ended its side would be tried again without end.
      case OperationKind::writable:
        on_poll(operation, completion, POLLOUT, POLLOUT | POLLHUP | POLLERR);
        break;
      default: finish(operation, result); break;
    }
  }

  // A poll that may have been woken by RDHUP alone, which nobody asked for: then a multishot one
  // goes on to `wanted`. `events` is what the kernel is asked for.
  void on_poll(Operation& operation, const io_uring_cqe& completion, unsigned events,
               int wanted) noexcept {
    const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
    const bool seen = completion.res > 0 && (completion.res & wanted) != 0;
    if (seen && more && !operation.backend_mark) {
      operation.backend_mark = true;
      submit_cancel(reinterpret_cast<std::uintptr_t>(&operation));
    }
    if (more) return;
    if (seen || operation.backend_mark) {
      finish(operation, wanted);
    } else if (completion.res < 0 || operation.ending()) {
      finish(operation, completion.res < 0 ? completion.res : -ECANCELED);
    } else {
      submit_poll_on(operation, events);
    }
  }

  void on_receive(ReceiveOperation& operation, const io_uring_cqe& completion) noexcept {
    Channel& channel = operation.channel();
    const int result = completion.res;
    if (operation.backend_mark) {
      // The poll that stood in for a receive without a buffer.
      operation.backend_mark = false;
      if (operation.ending()) {
        finish(operation, -ECANCELED);
      } else if (result < 0) {
        finish(operation, result);
      } else {
        submit_recv(operation);
      }
      return;
    }
    if (result == -ENOBUFS) {
      receive_without_pool(operation);
      return;
    }
    if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
      ProvidedBuffers& buffers = channel.hot ? large_ : small_;
      const std::uint32_t slot = completion.flags >> IORING_CQE_BUFFER_SHIFT;
      const std::size_t bytes = result > 0 ? static_cast<std::size_t>(result) : 0;
      operation.buffer = buffers.lease(slot, bytes);
      channel.hot = bytes >= kSmallBufferBytes;
      if (bytes == 0) operation.buffer.release();
    }
    finish(operation, result);
  }

  /// No buffer was free, which the kernel says even when there is nothing to receive. Nobody waits
  /// for a lease: the large blocks' share falls back to small ones, the small ones' to the
  /// allocator.
  void receive_without_pool(ReceiveOperation& operation) noexcept {
    Channel& channel = operation.channel();
    if (operation.ending()) {
      // Its cancellation found nothing to cancel and would be lost if it were started over.
      finish(operation, -ECANCELED);
      return;
    }
    if (channel.hot) {
      channel.hot = false;
      submit_recv(operation);
      return;
    }
    const std::size_t most = std::min<std::size_t>(operation.bytes_max, kSmallBufferBytes);
    Buffer buffer = Buffer::allocate(most);
    const ssize_t got = ::recv(channel.fd, buffer.tail().data(), most, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      operation.backend_mark = true;
      submit_poll(operation, POLLIN);
      return;
    }
    const int result = got < 0 ? -errno : static_cast<int>(got);
    if (got > 0) {
      buffer.grow(static_cast<std::size_t>(got));
      operation.buffer = std::move(buffer);
      channel.hot = static_cast<std::size_t>(got) >= kSmallBufferBytes;
    }
    finish(operation, result);
  }

  static int socket_error(int fd) noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }

  void on_accept(AcceptHandler& handler, const io_uring_cqe& completion) noexcept {
    const bool was_active = handler.active;
    const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
    if (!more) handler.armed = false;
    ++counters_.completed;
    if (completion.res >= 0) {
      // A connection accepted while the listener is being stopped is served all the same.
      handler.on_accept(handler.context, completion.res);
    } else if (was_active && !is_passing_accept_error(-completion.res)) {
      handler.on_accept(handler.context, completion.res);
    }
    if (more) return;
    if (!was_active) {
      handler.on_stopped(handler.context);
    } else if (handler.active) {
      arm_accept(handler);
    }
  }

  void finish(Operation& operation, int result) noexcept {
    slot_of(operation) = nullptr;
    ++counters_.completed;
    operation.complete(result);
  }

  io_uring ring_{};
  bool initialised_ = false;
  Turns turns_;
  ProvidedBuffers small_{1, kSmallBufferBytes, kSmallBufferCount};
  ProvidedBuffers large_{2, kLargeBufferBytes, kLargeBufferCount};
};

}  // namespace

Result<std::unique_ptr<Backend>> make_uring_backend() {
  auto backend = std::make_unique<UringBackend>();
  TRY_VOID(backend->initialise());
  return backend;
}

}  // namespace aquifer::io
