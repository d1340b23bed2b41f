// UdpSocket: a datagram socket of one loop. Nothing is received ahead: a buffer exists only between
// the kernel's word that something is there and the reading of it.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/io/backend.h"
#include "common/io/loop.h"
#include "ztunnel/dns/message.h"

#include <optional>

namespace aquifer::ztunnel::dns {

class UdpSocket {
 public:
  /// `fd` is non-blocking.
  UdpSocket(io::Loop& loop, Fd fd) noexcept;
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  /// -1 once it is closed.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Nothing waits on it any more.
  void close() noexcept;
  [[nodiscard]] io::Channel& channel() noexcept { return channel_; }

  /// The next datagram, of any size, or nothing when none is there now. An error that the network
  /// reported (nobody listens there) is an error.
  [[nodiscard]] Result<std::optional<Message>> receive();

 private:
  io::Loop& loop_;
  Fd fd_;
  io::Channel channel_;
};

}  // namespace aquifer::ztunnel::dns
