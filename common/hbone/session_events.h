// What a session tells its owner (the tunnel). See session.h.
#pragma once

#include "common/base/bytes.h"
#include "common/hbone/frame.h"
#include "common/hbone/headers.h"

#include <cstddef>
#include <cstdint>

namespace aquifer::hbone {

class Stream;

/// Called from inside Session::receive() only, never from other members. Implementations record and
/// mark ready; they never call receive(), and never destroy the session. They may call the
/// session's other members.
class SessionEvents {
 public:
  /// Server: a peer asks for a tunnel. Answer with respond() or refuse(), now or later.
  virtual void on_request(Stream& stream, ConnectRequest&& request) = 0;
  /// Client: the answer. Not called for informational (1xx) ones.
  virtual void on_response(Stream& stream, ConnectResponse&& response) = 0;
  /// Payload, a view into what receive() was given. Returns how many of the bytes are done with
  /// already (thrown away, or passed on at once); the rest wait in the owner's inbox until
  /// Session::drained() says so.
  [[nodiscard]] virtual std::size_t on_data(Stream& stream, ByteView payload) = 0;
  /// The peer will send no more on this stream: its half is closed.
  virtual void on_end_stream(Stream& stream) = 0;
  /// The stream is over in both directions: the peer reset it, or we had to (`code` as sent), or
  /// GOAWAY refused it (refused_stream: it was never looked at and may be tried elsewhere). Bytes
  /// in the inbox stay the owner's.
  virtual void on_reset(Stream& stream, ErrorCode code) = 0;
  /// The stream's own send window became positive. send_window() also counts the connection's.
  virtual void on_window(Stream& stream) = 0;
  /// The connection's send window became positive: any stream may write again.
  virtual void on_connection_window() = 0;
  /// The peer takes no new streams. Those above `last_id` were refused: on_reset() has been called
  /// for each.
  virtual void on_goaway(std::uint32_t last_id, ErrorCode code) = 0;
  virtual void on_ping_ack(std::uint64_t opaque) = 0;
  /// The peer's SETTINGS changed (number of streams allowed, frame size).
  virtual void on_settings() {}
  /// The peer took over ours: the settings timeout may be disarmed.
  virtual void on_settings_ack() {}

 protected:
  ~SessionEvents() = default;
};

}  // namespace aquifer::hbone
