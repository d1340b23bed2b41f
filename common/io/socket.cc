#include "common/io/socket.h"

#include "common/io/socket_options.h"

#include <climits>

#include <linux/netfilter_ipv4.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace aquifer::io {

Socket::Socket(Loop& loop, Fd fd) noexcept : loop_(loop), fd_(std::move(fd)) {
  AQUIFER_ASSERT(fd_.valid());
  channel_.fd = fd_.get();
}

Socket::~Socket() {
  if (fd_) loop_.backend().forget(channel_);
}

Fd Socket::take_fd() noexcept {
  loop_.backend().forget(channel_);
  return std::move(fd_);
}

Result<Buffer> Socket::Recv::await_resume() noexcept {
  return received(outcome("receiving"), buffer, channel());
}

Result<Buffer> received(const Status& outcome, Buffer& buffer, const Channel& channel) noexcept {
  if (!outcome) return std::unexpected(outcome.error());
  if (buffer.empty() && channel.failure != 0) {
    return std::unexpected(error_from_errno(channel.failure, "receiving"));
  }
  return std::move(buffer);
}

std::unexpected<Error> Socket::send_failed(int error) noexcept {
  // EPIPE is no failure of the connection: what the peer had sent before may still end well.
  if (error != EPIPE) channel_.failure = error;
  return std::unexpected(error_from_errno(error, "sending"));
}

Result<std::size_t> Socket::try_send(ByteView bytes) noexcept {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return send_failed(errno);
}

Result<std::size_t> Socket::try_send(std::span<iovec> pieces) noexcept {
  msghdr message{};
  message.msg_iov = pieces.data();
  // More pieces than the kernel takes at once are a short send, not an error.
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
  const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return send_failed(errno);
}

coro::Task<Status> Socket::send_all(ByteView bytes, Deadline deadline, coro::CancelSource* cancel) {
  while (!bytes.empty()) {
    CO_TRY(const std::size_t sent, try_send(bytes));
    bytes = bytes.subspan(sent);
    if (bytes.empty()) break;
    const Status ready = co_await writable(deadline, cancel);
    if (!ready) co_return ready;
  }
  co_return Status{};
}

namespace {

class Connect : public Awaited<ConnectOperation> {
 public:
  Connect(Socket& socket, const SockaddrStorage& to, Deadline deadline,
          coro::CancelSource* cancel) noexcept
      : Awaited(socket.loop(), deadline, cancel, socket.channel(),
                static_cast<const void*>(to.get()), to.length) {}
  [[nodiscard]] Status await_resume() noexcept { return outcome("connecting"); }
};

}  // namespace

coro::Task<Status> Socket::connect(SocketAddress address, Deadline deadline,
                                   coro::CancelSource* cancel) {
  const int family = socket_family(fd_.get());
  const SockaddrStorage to(address, family);
  Connect operation(*this, to, deadline, cancel);
  const Status connected = co_await operation;
  // Our own wish to end is nobody's fault, and nothing to try again.
  if (connected || connected.error().code == Errc::cancelled) co_return connected;
  co_return std::unexpected(connected.error().from(ErrorSource::upstream).retryable());
}

Status Socket::shutdown_write() noexcept {
  if (::shutdown(fd_.get(), SHUT_WR) != 0)
    return std::unexpected(error_from_errno(errno, "ending the stream"));
  return {};
}

void Socket::reset_on_close() noexcept {
  const linger none{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

void Socket::reset_now() noexcept {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(fd_.get(), &nowhere, sizeof nowhere);
}

Result<PeerAddr> Socket::peer_address() const noexcept {
  SockaddrStorage storage;
  storage.length = sizeof storage.storage;
  if (::getpeername(fd_.get(), storage.get(), &storage.length) != 0) {
    return std::unexpected(error_from_errno(errno, "reading the peer's address"));
  }
  const auto address = storage.to_address();
  if (!address) return fail(Errc::invalid, "not an IP socket");
  return PeerAddr(*address);
}

Result<LocalAddr> Socket::local_address() const noexcept {
  SockaddrStorage storage;
  storage.length = sizeof storage.storage;
  if (::getsockname(fd_.get(), storage.get(), &storage.length) != 0) {
    return std::unexpected(error_from_errno(errno, "reading the local address"));
  }
  const auto address = storage.to_address();
  if (!address) return fail(Errc::invalid, "not an IP socket");
  return LocalAddr(*address);
}

Result<OriginalDst> Socket::original_destination() const noexcept {
  TRY(const LocalAddr local, local_address());
  // IPv4 connections answer at SOL_IP also on an IPv6 socket; IPv6 ones have option 80
  // (IP6T_SO_ORIGINAL_DST).
  constexpr int kIpv6OriginalDst = 80;
  const bool v4 = local.addr.ip.is_v4();
  SockaddrStorage storage;
  storage.length = sizeof storage.storage;
  const int rc =
      ::getsockopt(fd_.get(), v4 ? SOL_IP : SOL_IPV6, v4 ? SO_ORIGINAL_DST : kIpv6OriginalDst,
                   storage.get(), &storage.length);
  // No entry in the translation table: nobody redirected this connection.
  if (rc != 0) return OriginalDst(local.addr);
  const auto address = storage.to_address();
  return OriginalDst(address ? *address : local.addr);
}

}  // namespace aquifer::io
