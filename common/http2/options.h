// What a connection of HTTP/2 allows its peer, with the reasons. Plain values.
#pragma once

#include "common/base/time.h"
#include "common/http2/flood_guard.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace aquifer::http2 {

/// Of both roles.
struct Options {
  /// Streams at once. Server: what clients are allowed (Envoy's and nginx's users see 100 to 128;
  /// gRPC clients queue beyond it). Client: at most this many, if the peer allows as many.
  std::uint32_t streams_max = 256;
  /// What the peer may send on a stream that nobody reads: the body's memory bound of an ordinary
  /// request.
  std::uint32_t stream_window = 64 * 1024;
  /// A stream that is read as fast as it comes gets a larger window, up to this: 1 MiB fills 8
  /// Gbit/s at a round trip of 1 ms.
  std::uint32_t stream_window_max = 1024 * 1024;
  /// What all such streams of a connection may gain together.
  std::size_t window_growth_max = std::size_t{8} << 20;
  /// Given back as bytes arrive, whoever they are for, so that a slow stream never delays another:
  /// memory is bounded by the windows of the streams. Only what is under way has to fit.
  std::uint32_t connection_window = 4 * 1024 * 1024;
  /// Names and values of a head, counted as RFC 9113 section 6.5.2 does: the usual limit of servers
  /// is 8 to 64 KiB.
  std::size_t head_bytes_max = std::size_t{64} * 1024;
  std::size_t head_fields_max = 200;
  /// Written by us and not yet framed, for each stream: two large reads' worth keep a fast peer
  /// busy, and 256 streams of a peer that stopped reading hold 16 MiB.
  std::size_t outbox_max = std::size_t{64} * 1024;
  /// From the start to the peer's SETTINGS.
  Duration settings_timeout = std::chrono::seconds(10);
  /// A silent peer is asked whether it lives after this long ...
  Duration ping_interval = std::chrono::seconds(30);
  /// ... and given up when it does not answer for that long, as the tunnels do.
  Duration ping_timeout = std::chrono::seconds(20);
  /// Without a stream. Envoy's default.
  Duration idle_timeout = std::chrono::hours(1);
  FloodLimits floods;
};

struct ServerOptions : Options {
  /// Requests that somebody still works on, also those which the client threw away already: past
  /// twice the streams that it may have, new ones are refused until the old are cleaned up.
  std::size_t held_max = std::size_t{2} * 256;
};

struct ClientOptions : Options {};

}  // namespace aquifer::http2
