// The seam between a codec and whoever stands between two of them: one request and its answer, as
// the proxy sees them from the client's side and from the server's. HTTP/1.1 and HTTP/2 implement
// it, and so does an exchange whose client lives on another loop.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/message.h"
#include "common/io/buffer.h"

#include <cstddef>
#include <cstdint>

namespace aquifer::http {

/// Why a message ends in the middle, as far as the other side is told (RFC 9113 section 7).
enum class Abort : std::uint8_t {
  cancelled,       ///< nobody wants it any more
  refused,         ///< it was never looked at: it may be tried elsewhere
  internal_error,  ///< the rest cannot be had
  connect_error,   ///< of a CONNECT: the connection behind it failed
  protocol_error,  ///< the message broke a rule
  enhance_your_calm,
};

/// A message's body as it arrives.
class Incoming {
 public:
  /// The next bytes; an empty buffer at the end of the message, then and ever after. Errors: why
  /// the rest will not come.
  [[nodiscard]] virtual coro::Task<Result<io::Buffer>> read(coro::CancelSource* cancel) = 0;
  /// True once nothing is left to be read: known before read() says so for messages without a body.
  [[nodiscard]] virtual bool ended() const noexcept = 0;
  /// After the end; empty when there were none.
  [[nodiscard]] virtual const HeaderFields& trailers() const noexcept = 0;

 protected:
  ~Incoming() = default;
};

/// A message's body as it is sent, after its head.
class Outgoing {
 public:
  /// Waits until write() may be called, and returns how many bytes it may be given (at least one).
  /// This is where back-pressure acts: ask before reading what is to be written.
  [[nodiscard]] virtual coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel) = 0;
  /// Takes one chunk that read() gave, also if it is larger than writable() said; never waits.
  [[nodiscard]] virtual Status write(io::Buffer bytes) = 0;
  /// The end of the message, after writable() as for write(). Nothing follows.
  [[nodiscard]] virtual Status finish(const HeaderFields& trailers) = 0;
  /// The other side is to see a failure, not an end. Everything fails from now on.
  virtual void abort(Abort why) noexcept = 0;

 protected:
  ~Outgoing() = default;
};

/// One request of a client, and the way back for its answer. Belongs to one loop; destroying it
/// before the answer was finished aborts it.
class ServerStream : public Incoming, public Outgoing {
 public:
  ServerStream() = default;
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  virtual ~ServerStream() = default;

  [[nodiscard]] virtual RequestHead& request() noexcept = 0;
  /// An interim answer (1xx but 101); any number, before respond().
  [[nodiscard]] virtual Status inform(const ResponseHead& head) = 0;
  /// The answer's head, once. With End::yes there is no body; after 101, and after a 2xx to a
  /// CONNECT, bytes flow both ways until both sides have finished.
  [[nodiscard]] virtual Status respond(const ResponseHead& head, End end) = 0;
  /// Completes when the client has gone away or thrown this request away: with why, or cancelled.
  [[nodiscard]] virtual coro::Task<Error> failure(coro::CancelSource* cancel) = 0;
};

/// One request of ours to a server. Belongs to one loop; destroying it before both messages have
/// ended throws the rest away.
class ClientStream : public Incoming, public Outgoing {
 public:
  ClientStream() = default;
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;
  virtual ~ClientStream() = default;

  /// The next head: interim ones (1xx) as they come, then the final one. Errors say by
  /// Error::retry whether the server can have acted on the request.
  [[nodiscard]] virtual coro::Task<Result<ResponseHead>> response(coro::CancelSource* cancel) = 0;
};

}  // namespace aquifer::http
