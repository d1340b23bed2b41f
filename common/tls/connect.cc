#include "common/tls/connect.h"

#include "common/tls/tls_error.h"

#include <algorithm>
#include <utility>

namespace aquifer::tls {
namespace {

// After an alert we read on for a moment: closing a socket with unread bytes sends a reset, which
// throws away the alert at the peer.
constexpr auto kLinger = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytesMax = 256 * 1024;

coro::Task<Status> flush(io::Socket& socket, io::ChunkQueue& out, Deadline deadline,
                         coro::CancelSource* cancel) {
  while (!out.empty()) {
    const ByteView piece = out.front();
    CO_TRY_VOID(co_await socket.send_all(piece, deadline, cancel));
    out.consume(piece.size());
  }
  co_return Status{};
}

// Best effort: the connection is refused whatever happens here.
coro::Task<void> say_why_and_linger(io::Socket& socket, io::ChunkQueue& alert, Deadline deadline,
                                    coro::CancelSource* cancel) {
  const Deadline end = socket.loop().after(kLinger).sooner(deadline);
  const Status sent = co_await flush(socket, alert, end, cancel);
  if (!sent || !socket.shutdown_write()) co_return;
  std::size_t dropped = 0;
  while (dropped < kLingerBytesMax) {
    auto received = co_await socket.recv(UINT32_MAX, end, cancel);
    if (!received || received->empty()) co_return;
    dropped += received->size();
  }
}

coro::Task<Result<SecuredConnection>> drive(io::Socket& socket, Handshake handshake,
                                            ErrorSource peer, Deadline deadline,
                                            coro::CancelSource* cancel, std::string* reason) {
  io::ChunkQueue out;
  io::Buffer received;
  ByteView input;
  while (true) {
    auto step = handshake.step(input, out);
    if (!step) {
      // Copied before anybody else on this thread can use OpenSSL.
      if (reason != nullptr) *reason = last_tls_error_text();
      const Error error = step.error();
      received.release();
      co_await say_why_and_linger(socket, out, deadline, cancel);
      co_return fail(error);
    }
    // The lease goes back before we wait for the peer.
    if (*step == HandshakeStep::needs_input) received.release();
    auto sent = co_await flush(socket, out, deadline, cancel);
    if (!sent) co_return fail(sent.error().from(peer));
    if (*step == HandshakeStep::done) break;
    auto more = co_await socket.recv(UINT32_MAX, deadline, cancel);
    if (!more) co_return fail(more.error().from(peer));
    if (more->empty()) co_return fail(Error(Errc::end_of_stream, peer, "TLS handshake"));
    received = std::move(*more);
    input = received.view();
  }
  auto established = handshake.finish();
  if (!established) co_return fail(established.error());
  received.consume(received.size() - input.size());
  if (received.empty()) received.release();
  SecuredConnection secured{std::move(established->peer), std::move(established->records),
                            std::move(received)};
  co_return secured;
}

}  // namespace

coro::Task<Result<SecuredConnection>> handshake_client(io::Socket& socket,
                                                       std::shared_ptr<const ClientContext> context,
                                                       std::vector<SpiffeId> expected,
                                                       Deadline deadline,
                                                       coro::CancelSource* cancel,
                                                       std::string* reason) {
  auto handshake = Handshake::client(std::move(context), expected);
  if (!handshake) co_return fail(handshake.error());
  co_return co_await drive(socket, std::move(*handshake), ErrorSource::upstream, deadline, cancel,
                           reason);
}

coro::Task<Result<SecuredConnection>> handshake_server(io::Socket& socket,
                                                       std::shared_ptr<const ServerContext> context,
                                                       Deadline deadline,
                                                       coro::CancelSource* cancel,
                                                       std::string* reason) {
  auto handshake = Handshake::server(std::move(context));
  if (!handshake) co_return fail(handshake.error());
  co_return co_await drive(socket, std::move(*handshake), ErrorSource::downstream, deadline, cancel,
                           reason);
}

}  // namespace aquifer::tls
