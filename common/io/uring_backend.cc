// Completions of io_uring. Receives take a buffer from a ring that the kernel fills, so an idle
// connection holds none; accepts are multishot; sends are plain non-blocking system calls by the
// sockets themselves (measured: the copy and the protocol dominate, not the call), so nothing but
// receives has memory inside the kernel. One ring per loop, SINGLE_ISSUER and DEFER_TASKRUN: made,
// submitted and reaped by the loop's thread alone.
#include "common/base/assert.h"
#include "common/io/accept.h"
#include "common/io/backend.h"
#include "common/io/buffer_sizes.h"

#include <liburing.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace aquifer::io {
namespace {

// Submissions are flushed once a round; 1024 is more than a round makes, and a full queue only
// costs an extra call.
constexpr unsigned kSubmissionEntries = 1024;
// Room for what completes between two rounds; beyond it the kernel keeps a list of its own and
// loses nothing.
constexpr unsigned kCompletionEntries = 4096;

/// Free buffers of one size that the kernel owns.
class ProvidedBuffers {
 public:
  ProvidedBuffers(std::uint16_t group, std::size_t bytes, std::uint32_t count)
      : pool_(bytes, count), group_(group) {}
  ~ProvidedBuffers() {
    if (ring_memory_ != nullptr) std::free(ring_memory_);
  }
  ProvidedBuffers(const ProvidedBuffers&) = delete;
  ProvidedBuffers& operator=(const ProvidedBuffers&) = delete;

  Status register_with(io_uring& ring) {
    const std::size_t bytes = pool_.count() * sizeof(io_uring_buf);
    void* memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    AQUIFER_ASSERT(memory != nullptr);
    ring_memory_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_ring_init(ring_memory_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = pool_.count();
    registration.bgid = group_;
    if (const int rc = io_uring_register_buf_ring(&ring, &registration, 0); rc != 0) {
      return std::unexpected(error_from_errno(-rc, "registering a buffer ring"));
    }
    pool_.set_owner(&ProvidedBuffers::on_free, this);
    for (std::uint32_t slot = 0; slot < pool_.count(); ++slot) provide(slot);
    return {};
  }

  [[nodiscard]] std::uint16_t group() const noexcept { return group_; }
  [[nodiscard]] Buffer lease(std::uint32_t slot, std::size_t bytes) noexcept {
    return pool_.lease(slot, bytes);
  }
  [[nodiscard]] std::size_t payload_bytes() const noexcept { return pool_.payload_bytes(); }
  void trim() noexcept { pool_.trim(); }

  /// Receives that found no free buffer, oldest first.
  std::vector<Operation*> starved;
  bool returned = false;

 private:
  static void on_free(void* context, std::uint32_t slot) {
    auto& self = *static_cast<ProvidedBuffers*>(context);
    self.provide(slot);
    self.returned = true;
  }
  void provide(std::uint32_t slot) noexcept {
    const MutableBytes memory = pool_.payload(slot);
    io_uring_buf_ring_add(ring_memory_, memory.data(), static_cast<unsigned>(memory.size()),
                          static_cast<unsigned short>(slot), io_uring_buf_ring_mask(pool_.count()),
                          0);
    io_uring_buf_ring_advance(ring_memory_, 1);
  }

  BufferPool pool_;
  io_uring_buf_ring* ring_memory_ = nullptr;
  std::uint16_t group_;
};

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
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
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
      case OperationKind::recv: submit_recv(operation); return;
      case OperationKind::readable: submit_poll(operation, POLLIN); return;
      case OperationKind::writable: submit_poll(operation, POLLOUT); return;
      case OperationKind::connect: start_connect(operation); return;
    }
  }

  void cancel(Operation& operation) noexcept override {
    for (ProvidedBuffers* buffers : {&small_, &large_}) {
      if (std::erase(buffers->starved, &operation) > 0) {
        finish(operation, -ECANCELED);
        return;
      }
    }
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

  void wait(MonoTime until, MonoTime now) noexcept override {
    ++counters_.waits;
    feed_starved(small_);
    feed_starved(large_);
    if (until <= now) {
      io_uring_submit_and_get_events(&ring_);
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

  void trim() noexcept override {
    small_.trim();
    large_.trim();
  }

 private:
  static constexpr std::uint64_t kAcceptTag = 1;

  static Operation*& slot_of(Operation& operation) noexcept {
    Channel& channel = operation.channel();
    const bool reads =
        operation.kind() == OperationKind::recv || operation.kind() == OperationKind::readable;
    return reads ? channel.reading : channel.writing;
  }

  io_uring_sqe* next_entry() noexcept {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }

  void submit_recv(Operation& operation) noexcept {
    ProvidedBuffers& buffers = operation.channel().hot ? large_ : small_;
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

  void submit_cancel(std::uint64_t user_data) noexcept {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_cancel64(entry, user_data, 0);
    // The cancellation's own completion says nothing that the operation's does not.
    io_uring_sqe_set_data64(entry, 0);
  }

  // connect(2) at once: the socket is non-blocking and the address need not outlive the call.
  void start_connect(Operation& operation) noexcept {
    const auto* address = static_cast<const sockaddr*>(operation.address);
    if (::connect(operation.channel().fd, address, operation.address_length) == 0) {
      finish(operation, 0);
    } else if (errno != EINPROGRESS) {
      finish(operation, -errno);
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
    int result = completion.res;
    switch (operation.kind()) {
      case OperationKind::recv: {
        Channel& channel = operation.channel();
        const bool from_large = operation.channel().hot;
        ProvidedBuffers& buffers = from_large ? large_ : small_;
        if (result == -ENOBUFS) {
          buffers.starved.push_back(&operation);
          return;
        }
        if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
          const std::uint32_t slot = completion.flags >> IORING_CQE_BUFFER_SHIFT;
          const std::size_t bytes = result > 0 ? static_cast<std::size_t>(result) : 0;
          operation.buffer = buffers.lease(slot, bytes);
          const std::size_t room =
              std::min<std::size_t>(operation.bytes_max, buffers.payload_bytes());
          channel.hot = bytes == room || (from_large && bytes >= kSmallBufferBytes);
          if (bytes == 0) operation.buffer.release();
        }
        break;
      }
      case OperationKind::connect:
        if (result >= 0) result = -socket_error(operation.channel().fd);
        break;
      default: break;
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
    // A connection accepted while the listener is being stopped is served all the same.
    if (completion.res >= 0) {
      handler.on_accept(handler.context, completion.res);
    } else if (was_active) {
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

  void feed_starved(ProvidedBuffers& buffers) noexcept {
    if (buffers.starved.empty() || !buffers.returned) return;
    buffers.returned = false;
    std::vector<Operation*> again;
    again.swap(buffers.starved);
    for (Operation* operation : again) submit_recv(*operation);
  }

  io_uring ring_{};
  bool initialised_ = false;
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
