#include "common/io/socket_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace aquifer::io {

coro::Task<Result<std::size_t>> SocketStream::writable(coro::CancelSource* cancel) {
  while (!unsent_.empty()) {
    CO_TRY(const std::size_t sent, socket_.try_send(unsent_.front()));
    unsent_.consume(sent);
    if (sent > 0) continue;
    const Status ready = co_await socket_.writable(Deadline::never(), cancel);
    if (!ready) co_return std::unexpected(ready.error());
  }
  co_return kAllowance;
}

Status SocketStream::write(Buffer bytes) {
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

coro::Task<Result<Buffer>> SocketStream::read(std::size_t bytes_max, coro::CancelSource* cancel) {
  if (put_back_ != nullptr) co_return take_put_back(bytes_max);
  const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(bytes_max, UINT32_MAX));
  auto received = co_await socket_.recv(most, Deadline::never(), cancel);
  co_return received;
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

coro::Task<Error> SocketStream::failure(coro::CancelSource* cancel) {
  Hangup wait(socket_.loop(), socket_.channel(), Deadline::never(), cancel);
  const Status hung_up = co_await wait;
  if (!hung_up) co_return hung_up.error();
  co_return Error(Errc::connection_reset, "connection reset");
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
