// ClientConnection: one connection to a server, on which requests are streams. Owns its byte
// stream.
#pragma once

#include "common/http2/connection.h"

#include <memory>

namespace aquifer::http2 {

class ClientConnection final : Connection {
 public:
  ClientConnection(io::Loop& loop, std::unique_ptr<io::ByteStream> stream,
                   ClientOptions options = {});

  /// Until the server has ended, or a drain, or `cancel`, and every stream was given back. Spawned
  /// by the pool that owns the connection.
  [[nodiscard]] coro::Task<void> run(coro::CancelSource* cancel) {
    return live(io::Buffer(), cancel);
  }
  /// Alive, not draining, and a stream is free.
  [[nodiscard]] bool can_open() const noexcept;
  /// Waits for the server's SETTINGS: whoever wants an upgrade on a new connection has to know what
  /// it takes. Errc::closed when the connection ends before. Any number may wait; the connection
  /// outlives them.
  [[nodiscard]] coro::Task<Status> settled(coro::CancelSource* cancel);
  /// Has the server said that it takes extended CONNECT (RFC 8441)? False before its SETTINGS.
  [[nodiscard]] bool takes_upgrades() const noexcept;
  /// Frames the head of a request. Errc::limit or closed when can_open() is false: Retry::yes, as
  /// it was never looked at. Errc::invalid for an upgrade that the server does not take.
  [[nodiscard]] Result<std::unique_ptr<http::ClientStream>> open(const http::RequestHead& head,
                                                                 http::End end);
  using Connection::drain;
  using Connection::ended;
  using Connection::streams;

 private:
  friend class ClientStream;
  ClientConnection(io::Loop& loop, io::ByteStream& stream, ClientOptions options,
                   std::unique_ptr<io::ByteStream> owned);

  std::unique_ptr<io::ByteStream> owned_;
};

}  // namespace aquifer::http2
