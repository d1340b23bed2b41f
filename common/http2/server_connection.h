// ServerConnection: one client's connection, whose requests are served as streams.
#pragma once

#include "common/http2/connection.h"

#include <functional>
#include <memory>
#include <vector>

namespace aquifer::http2 {

/// Called for each request whose head has come; runs in the connection's scope and owns the stream.
using Serve = std::function<coro::Task<void>(std::unique_ptr<http::ServerStream>)>;

class ServerConnection final : Connection {
 public:
  /// All outlive it.
  ServerConnection(io::Loop& loop, io::ByteStream& stream, Serve serve, ServerOptions options = {});

  /// The whole life: until the client has ended and every stream was given back, or `cancel`.
  /// `first`: bytes that somebody already read from the stream to look at (may be empty).
  [[nodiscard]] coro::Task<void> run(io::Buffer first, coro::CancelSource* cancel) {
    return live(std::move(first), cancel);
  }
  /// Says that no new streams are wanted, takes those that are under way, and ends with the last
  /// one (two GOAWAY frames, RFC 9113 section 6.8).
  using Connection::drain;
  /// Streams that somebody holds.
  using Connection::streams;

 private:
  friend class ServerStream;
  void request_came(Stream& stream) override;
  void received() override;

  Serve serve_;
  std::size_t held_max_;
  std::vector<Stream*> requests_;  // came, and not yet given to serve_
};

}  // namespace aquifer::http2
