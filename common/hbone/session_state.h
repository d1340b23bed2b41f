// A session written down as plain values, so that another process can go on with it
// (Session::export_state, restore).
#pragma once

#include "common/base/bytes.h"
#include "common/hbone/closed_streams.h"
#include "common/hbone/frame.h"
#include "common/hbone/session_config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::hbone {

/// What a stream is, without the tunnel's part of it. Streams whose `user` matters are found by id.
struct StreamState {
  std::int64_t send_window = 0;
  std::int64_t receive_open = 0;
  std::int64_t content_left = -1;
  std::uint32_t receive_target = 0;
  std::uint32_t undrained = 0;
  std::uint32_t id = 0;
  bool local_ended = false;
  bool remote_ended = false;
  bool reset = false;
  bool answered = false;
  bool internal = false;
  friend bool operator==(const StreamState&, const StreamState&) noexcept = default;
};

/// Where the parser stands between two calls of receive(): possibly in the middle of a frame.
struct ParserState {
  std::uint8_t stage = 0;
  std::uint8_t preface_size = 0;
  std::string partial;  ///< a frame header's first bytes
  FrameHeader frame;
  std::uint32_t left = 0;     ///< payload bytes of `frame` to come, padding not counted
  std::uint32_t padding = 0;  ///< padding bytes of `frame` to come
  bool data_wanted = false;   ///< the DATA under way has a stream that takes it
  std::string pending;        ///< the first part of a payload that is handled whole
  std::string header_block;   ///< fragments before the last CONTINUATION
  std::uint32_t header_stream = 0;
  std::uint32_t continuations = 0;
  bool header_ends_stream = false;
  bool header_self_dependent = false;
  friend bool operator==(const ParserState&, const ParserState&) = default;
};

struct SessionState {
  Role role = Role::client;
  Settings peer;
  std::int64_t send_window = 0;
  std::int64_t receive_open = 0;
  std::uint32_t receive_target = 0;
  std::uint32_t last_peer_id = 0;
  std::uint32_t next_local_id = 1;
  std::uint32_t goaway_sent_id = kStreamIdMax;
  std::uint32_t goaway_received_id = kStreamIdMax;
  bool peer_settings_seen = false;
  bool local_settings_acked = false;
  bool goaway_sent = false;
  bool goaway_received = false;
  bool table_update_due = false;  ///< our next header block has to begin with a table size update
  bool table_update_expected = false;  ///< the peer's next one has to
  ParserState parser;
  ClosedStreams closed;
  std::vector<StreamState> streams;
  friend bool operator==(const SessionState&, const SessionState&) = default;
};

}  // namespace aquifer::hbone
