#include "ztunnel/dns/udp_socket.h"

#include <sys/socket.h>

#include <cerrno>

namespace aquifer::ztunnel::dns {
namespace {

bool is_nothing(int error) noexcept {
  return error == EAGAIN || error == EINTR;
}

}  // namespace

UdpSocket::UdpSocket(io::Loop& loop, Fd fd) noexcept : loop_(loop), fd_(std::move(fd)) {
  channel_.fd = fd_.get();
}

UdpSocket::~UdpSocket() {
  close();
}

void UdpSocket::close() noexcept {
  if (!fd_) return;
  loop_.backend().forget(channel_);
  channel_.fd = -1;
  fd_ = Fd();
}

Result<std::optional<Message>> UdpSocket::receive() {
  // The size first, so that the buffer is as large as the answer and not as large as any could be.
  std::uint8_t none = 0;
  const ssize_t size = ::recv(fd_.get(), &none, 0, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
  if (size < 0) {
    if (is_nothing(errno)) return std::nullopt;
    return std::unexpected(error_from_errno(errno, "receiving").from(ErrorSource::upstream));
  }
  Message message(static_cast<std::size_t>(size));
  const ssize_t got = ::recv(fd_.get(), message.data(), message.size(), MSG_DONTWAIT);
  if (got < 0) {
    // A wrong checksum is found only now, and then there is nothing.
    if (is_nothing(errno)) return std::nullopt;
    return std::unexpected(error_from_errno(errno, "receiving").from(ErrorSource::upstream));
  }
  message.resize(static_cast<std::size_t>(got));
  return message;
}

}  // namespace aquifer::ztunnel::dns
