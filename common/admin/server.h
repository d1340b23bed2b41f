// The HTTP/1.1 server of admin, readiness and metrics: few connections, small requests, everything
// bounded. Lives on one loop (the control loop).
#pragma once

#include "common/admin/router.h"
#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/http1/request_reader.h"
#include "common/io/listener.h"
#include "common/io/loop.h"
#include "common/io/socket.h"
#include "common/io/socket_options.h"

#include <chrono>
#include <cstddef>
#include <string>

namespace aquifer::admin {

struct ServerLimits {
  /// Probes, scrapers and a person or two; further ones are closed at once.
  std::size_t connections_max = 64;
  /// Between requests. Longer than the 15 to 30 s between two scrapes or probes.
  Duration idle_max = std::chrono::seconds(60);
  /// From the first byte of a request to its last.
  Duration request_max = std::chrono::seconds(10);
  /// For a response to be taken, whatever its size; also how long stop() may have to wait.
  Duration response_max = std::chrono::seconds(10);
  http1::Limits request = {};
};

/// A listening socket in the calling thread's network namespace.
[[nodiscard]] Result<Fd> listen_tcp(const SocketAddress& address,
                                    const io::ListenOptions& options = {});

/// `co_await server.run()` in a scope; it completes after stop() when its last connection has
/// ended.
class AdminServer {
 public:
  /// `router` outlives the server; several servers may share one. `listener` is from listen_tcp().
  AdminServer(io::Loop& loop, Fd listener, const Router& router, ServerLimits limits = {});
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  [[nodiscard]] coro::Task<void> run();
  /// No new connections; those that wait for a request end now, those with one are answered first.
  /// Once.
  [[nodiscard]] coro::Task<void> stop();

  /// Where it listens, with the port the kernel chose.
  [[nodiscard]] Result<SocketAddress> address() const;

 private:
  struct Connection;
  coro::Task<void> serve(Fd fd);
  coro::Task<Result<http1::RequestMessage>> read_request(Connection& connection);
  coro::Task<Status> write_response(Connection& connection, const Response& response,
                                    bool with_body, bool keep_alive);
  coro::Task<Status> write_stream(Connection& connection, const Response& response, bool with_body,
                                  http1::Version version);
  coro::Task<Status> send_pieces(Connection& connection, BodySource& source, bool chunked,
                                 coro::CancelSource* cancel);
  coro::Task<void> watch_for_end(Connection& connection, coro::Scope& streaming);
  coro::Task<void> refuse(Connection& connection, Error error);
  coro::Task<void> linger(Connection& connection);

  io::Loop& loop_;
  io::Listener listener_;
  const Router& router_;
  const ServerLimits limits_;
  coro::Scope scope_;
};

}  // namespace aquifer::admin
