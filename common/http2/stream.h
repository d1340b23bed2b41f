// Stream: what a connection knows of one request and its answer. Owned by its connection, which
// keeps it while the peer may still say something of it or somebody holds it; then it is used again
// for the next one. Internal to common/http2.
#pragma once

#include "common/base/header_fields.h"
#include "common/coro/event.h"
#include "common/http/message.h"
#include "common/io/chunk_queue.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace aquifer::http2 {

struct Stream {
  /// Decides how heads are framed: whose answer has no body, and what becomes a tunnel.
  enum class Kind : std::uint8_t { plain, head, connect, extended_connect };

  std::int32_t id = 0;
  std::size_t index = 0;  // among the connection's

  // What comes.
  http::RequestHead request;                 // server
  std::vector<http::ResponseHead> interims;  // client: not yet given
  http::ResponseHead response;               // client
  HeaderFields trailers;
  io::ChunkQueue inbox;
  std::uint32_t window = 0;       // the peer's, at its widest
  std::size_t read_at_width = 0;  // bytes that were read since the window has this width

  // What goes.
  io::ChunkQueue outbox;
  HeaderFields last_fields;               // trailers
  std::optional<std::uint64_t> promised;  // of content-length, not yet written

  std::optional<Error> failed;
  coro::Event readable;  // a head, bytes, the end, or a failure
  coro::Event writable;  // room, or a failure
  coro::Event gone;      // server: a failure

  Kind kind = Kind::plain;
  bool attached = false;      // nghttp2 has it
  bool held = false;          // somebody has its handle
  bool awaits_serve = false;  // server: its request is about to be given out
  bool head_came = false;     // the final one
  bool head_given = false;    // client: response() gave it
  bool remote_ended = false;
  bool head_sent = false;   // server: respond()
  bool bodyless = false;    // by definition: what is written goes nowhere
  bool finished = false;    // finish(), or a head that ended it
  bool end_passed = false;  // END_STREAM is framed, or follows what is
  bool deferred = false;    // nghttp2 waits for bytes

  [[nodiscard]] bool complete() const noexcept { return remote_ended && end_passed; }
  /// As new; what was allocated stays.
  void reset();
};

}  // namespace aquifer::http2
