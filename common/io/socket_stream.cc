#include "common/io/socket_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace aquifer::io {

Result<std::size_t> SocketStream::poll_writable(coro::Wakeup& wakeup) {
  if (writing_.take_completed()) TRY_VOID(writing_.outcome("waiting to write"));
  while (!unsent_.empty()) {
    TRY(const std::size_t sent, socket_.try_send(unsent_.front()));
    unsent_.consume(sent);
    if (sent > 0) continue;
    if (!writing_.begin(socket_.loop(), OperationKind::writable, wakeup)) return 0;
    TRY_VOID(writing_.outcome("waiting to write"));
  }
  Loop& loop = socket_.loop();
  return loop.courtesy().is_due(loop.now()) ? kAllowanceBesideLittle : kAllowance;
}

Status SocketStream::write(Buffer bytes) {
  Loop& loop = socket_.loop();
  if (sizes_.note(bytes.size())) loop.courtesy().saw_little(loop.now());
  if (unsent_.empty()) {
    TRY(const std::size_t sent, socket_.try_send(bytes.view()));
    bytes.consume(sent);
  }
  // A copy just large enough: a lease of the pool must not wait for a slow peer.
  if (!bytes.empty()) unsent_.append(Buffer::copy_of(bytes.view()));
  return {};
}

std::size_t SocketStream::deliver(ByteView bytes) noexcept {
  if (!unsent_.empty()) return 0;
  // A failure shows again in the next write(), where it can be told.
  return socket_.try_send(bytes).value_or(0);
}

Result<std::optional<Buffer>> SocketStream::poll_read(std::size_t bytes_max, coro::Wakeup& wakeup) {
  if (put_back_ != nullptr) return take_put_back(bytes_max);
  if (!reading_.take_completed()) {
    reading_.bytes_max = static_cast<std::uint32_t>(std::min<std::size_t>(bytes_max, UINT32_MAX));
    if (!reading_.begin(socket_.loop(), OperationKind::recv, wakeup)) return std::nullopt;
  }
  const Status outcome = reading_.outcome("receiving");
  // The kernel says it once; whoever reads after this one is to hear it too.
  if (!outcome && outcome.error().detail != 0) socket_.channel().failure = outcome.error().detail;
  return received(outcome, reading_.buffer, socket_.channel());
}

std::size_t SocketStream::read_now(MutableBytes room) noexcept {
  if (put_back_ != nullptr) {
    const Buffer bytes = take_put_back(room.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    return bytes.size();
  }
  const ssize_t got = ::recv(socket_.fd(), room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0 && errno != EAGAIN && errno != EINTR) socket_.channel().failure = errno;
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void SocketStream::put_back(Buffer bytes) {
  AQUIFER_ASSERT(put_back_ == nullptr && !bytes.empty());
  put_back_ = std::make_unique<Buffer>(std::move(bytes));
}

Buffer SocketStream::take_put_back(std::size_t bytes_max) {
  if (put_back_->size() <= bytes_max) return std::move(*std::exchange(put_back_, nullptr));
  Buffer part = Buffer::copy_of(put_back_->view().first(bytes_max));
  put_back_->consume(bytes_max);
  return part;
}

Status SocketStream::shutdown_write() {
  AQUIFER_ASSERT(unsent_.empty());
  return socket_.shutdown_write();
}

std::optional<Error> SocketStream::poll_failure(coro::Wakeup& wakeup) {
  if (!reading_.take_completed() &&
      !reading_.begin(socket_.loop(), OperationKind::hangup, wakeup)) {
    return std::nullopt;
  }
  const Status hung_up = reading_.outcome("waiting for the end");
  return hung_up ? Error(Errc::connection_reset, "connection reset") : hung_up.error();
}

bool SocketStream::is_quiet() noexcept {
  std::uint8_t byte = 0;
  const ssize_t peeked = ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return put_back_ == nullptr && peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void SocketStream::abort() noexcept {
  socket_.reset_on_close();
}

}  // namespace aquifer::io
