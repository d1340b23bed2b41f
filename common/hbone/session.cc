// The connection: construction, writing of frames, ends of streams and of everything.
#include "common/hbone/session.h"

#include "common/base/assert.h"

#include <algorithm>
#include <cstring>

namespace aquifer::hbone {

Session::Session(const SessionConfig& config, io::ChunkQueue& out, SessionEvents& events) noexcept
    : config_(config),
      out_(out),
      events_(events),
      decoder_(config.local.header_table_size),
      receive_(config.connection_window, config.undrained_max),
      flood_(config.flood),
      stage_(config.role == Role::server ? Stage::preface : Stage::header) {}

Session::~Session() = default;

void Session::start() {
  if (config_.role == Role::client) out_.append(as_bytes(kClientPreface));
  std::array<std::uint8_t, kSettingsBytesMax> settings;
  const std::size_t size = encode_settings(config_.local, settings.data());
  std::uint8_t* const at =
      begin_frame({.length = static_cast<std::uint32_t>(size), .type = FrameType::settings});
  std::memcpy(at, settings.data(), size);
  replenish_connection();
}

Status Session::fail_connection(ErrorCode code, const char* what) {
  AQUIFER_ASSERT(!failed_);
  failed_ = true;
  error_code_ = code;
  error_what_ = what;
  write_goaway(std::min(last_peer_id_, goaway_sent_id_), code);
  return fail(Errc::protocol, what);
}

Status Session::admit(Flood kind) {
  if (!flood_.admit(config_.flood, kind, now_ms_)) {
    return fail_connection(ErrorCode::enhance_your_calm, "too many frames of one kind");
  }
  if (out_.size() > kOutputBacklogMax) {
    return fail_connection(ErrorCode::enhance_your_calm,
                           "peer asks for answers and does not read them");
  }
  return {};
}

/// A stream error (RFC 9113 section 5.4.2). Making us reset streams is as cheap for a peer as
/// resetting them itself, so both draw on one budget.
Status Session::violation(std::uint32_t id, ErrorCode code) {
  TRY_VOID(admit(Flood::early_reset));
  write_rst(id, code);
  Stream* const stream = streams_.find(id);
  if (stream == nullptr) {
    closed_.closed(id, ClosedHow::reset);
    return {};
  }
  if (stream->closed()) return {};
  stream->reset_ = true;
  stream_closed(*stream, ClosedHow::reset);
  if (stream->internal_) {
    destroy(*stream);
  } else if (!stream->released_) {
    events_.on_reset(*stream, code);
  }
  return {};
}

/// Room for a whole frame, header written and counted; the caller fills the payload at once.
std::uint8_t* Session::begin_frame(const FrameHeader& header) {
  const std::size_t size = kFrameHeaderBytes + header.length;
  std::uint8_t* const at = out_.reserve(size).data();
  encode_frame_header(at, header);
  out_.commit(size);
  return at + kFrameHeaderBytes;
}

void Session::write_rst(std::uint32_t id, ErrorCode code) {
  store32(begin_frame({.length = 4, .type = FrameType::rst_stream, .stream_id = id}),
          static_cast<std::uint32_t>(code));
}

void Session::write_goaway(std::uint32_t last_id, ErrorCode code) {
  std::uint8_t* const at = begin_frame({.length = 8, .type = FrameType::goaway});
  store32(at, last_id);
  store32(at + 4, static_cast<std::uint32_t>(code));
  goaway_sent_ = true;
  goaway_sent_id_ = std::min(goaway_sent_id_, last_id);
}

void Session::write_window_update(std::uint32_t id, std::uint32_t credit) {
  store32(begin_frame({.length = 4, .type = FrameType::window_update, .stream_id = id}), credit);
}

Status Session::write_headers(std::uint32_t id, std::span<const HeaderField> fields,
                              EndStream end) {
  const std::size_t bound = header_block_bound(fields);
  // One frame at the smallest frame size any peer may ask for: no CONTINUATION is ever written.
  if (bound > kDefaultMaxFrameSize || header_list_size(fields) > peer_.max_header_list_size) {
    return fail(Errc::limit, "header list too large for the peer");
  }
  const MutableBytes room = out_.reserve(kFrameHeaderBytes + bound);
  const std::size_t size =
      encode_header_block(fields, table_update_due_ ? TableUpdate::to_zero : TableUpdate::none,
                          room.subspan(kFrameHeaderBytes, bound));
  table_update_due_ = false;
  const std::uint8_t flags =
      end == EndStream::yes ? flag::kEndHeaders | flag::kEndStream : flag::kEndHeaders;
  encode_frame_header(room.data(), {.length = static_cast<std::uint32_t>(size),
                                    .type = FrameType::headers,
                                    .flags = flags,
                                    .stream_id = id});
  out_.commit(kFrameHeaderBytes + size);
  return {};
}

void Session::replenish_connection() {
  if (failed_) return;
  if (const std::uint32_t credit = receive_.take_credit(); credit > 0)
    write_window_update(0, credit);
}

/// By the protocol the stream is over; called exactly once for each.
void Session::stream_closed(Stream& stream, ClosedHow how) {
  AQUIFER_ASSERT(stream.closed() && open_streams_ > 0);
  --open_streams_;
  closed_.closed(stream.id(), how);
}

void Session::end_local(Stream& stream) {
  stream.local_ended_ = true;
  if (stream.closed()) stream_closed(stream, ClosedHow::ended);
}

Status Session::end_remote(Stream& stream) {
  // RFC 9113 section 8.1.1: a request that promised more payload than it sent is malformed.
  if (stream.internal_ && stream.content_left_ > 0)
    return violation(stream.id(), ErrorCode::protocol_error);
  stream.remote_ended_ = true;
  if (stream.closed()) stream_closed(stream, ClosedHow::ended);
  if (stream.internal_) {
    if (stream.closed()) destroy(stream);
  } else if (!stream.released_) {
    events_.on_end_stream(stream);
  }
  return {};
}

void Session::destroy(Stream& stream) {
  if (data_stream_ == &stream) data_stream_ = nullptr;
  streams_.remove(stream);
}

void Session::sweep() {
  sweep_due_ = false;
  // Rare (an owner that releases inside an event), so the simplest way: from the start after each
  // removal.
  for (;;) {
    const auto at = std::find_if(streams_.begin(), streams_.end(),
                                 [](const auto& entry) { return entry.stream->released_; });
    if (at == streams_.end()) return;
    destroy(*at->stream);
  }
}

bool Session::is_local_id(std::uint32_t id) const noexcept {
  return (id % 2 == 1) == (config_.role == Role::client);
}

/// Never used so far: frames for it, but HEADERS of a new request, break the connection (RFC 9113
/// section 5.1).
bool Session::is_idle(std::uint32_t id) const noexcept {
  return is_local_id(id) ? id >= next_local_id_ : id > last_peer_id_;
}

void Session::ping(std::uint64_t opaque) {
  if (!failed_) store64(begin_frame({.length = 8, .type = FrameType::ping}), opaque);
}

void Session::announce_shutdown() {
  if (!failed_ && !goaway_sent_) write_goaway(kStreamIdMax, ErrorCode::no_error);
}

void Session::go_away(ErrorCode code) {
  if (!failed_) write_goaway(std::min(last_peer_id_, goaway_sent_id_), code);
}

bool Session::drained_out() const noexcept {
  return open_streams_ == 0 && (goaway_sent_ || goaway_received_);
}

std::uint32_t Session::streams_allowed() const noexcept {
  return peer_settings_seen_ ? peer_.max_concurrent_streams : config_.peer_streams_assumed;
}

}  // namespace aquifer::hbone
