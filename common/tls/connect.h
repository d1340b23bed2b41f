// The handshake over a socket: drives a Handshake until the connection is secured or refused. On
// the socket's loop.
#pragma once

#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/socket.h"
#include "common/tls/handshake.h"

#include <memory>
#include <string>
#include <vector>

namespace aquifer::tls {

/// What follows a handshake: the peer, its record layer, and what arrived behind the handshake and
/// must be opened before anything else is received.
struct SecuredConnection {
  PeerInfo peer;
  std::unique_ptr<RecordLayer> records;
  io::Buffer unread;
};

/// Dials the TLS side of a connected socket. The server must prove one of `expected`. On failure an
/// alert has been sent and `reason`, if not null, says why for people (it must outlive the task);
/// the caller only closes. Note that in TLS 1.3 the server judges our certificate after we are
/// done: its refusal comes as an error of the first open().
[[nodiscard]] coro::Task<Result<SecuredConnection>> handshake_client(
    io::Socket& socket, std::shared_ptr<const ClientContext> context,
    std::vector<SpiffeId> expected, Deadline deadline, coro::CancelSource* cancel = nullptr,
    std::string* reason = nullptr);

/// Accepts the TLS side of an accepted socket.
[[nodiscard]] coro::Task<Result<SecuredConnection>> handshake_server(
    io::Socket& socket, std::shared_ptr<const ServerContext> context, Deadline deadline,
    coro::CancelSource* cancel = nullptr, std::string* reason = nullptr);

}  // namespace aquifer::tls
