// What the owner asks for, stream by stream.
#include "common/base/assert.h"
#include "common/hbone/session.h"

#include <algorithm>
#include <cstring>

namespace aquifer::hbone {

bool Session::can_open() const noexcept {
  return config_.role == Role::client && !failed_ && !goaway_received_ && !goaway_sent_ &&
         next_local_id_ <= kStreamIdMax && open_streams_ < streams_allowed();
}

Result<Stream*> Session::open(const ConnectRequest& request, void* user) {
  AQUIFER_ASSERT(config_.role == Role::client);
  if (failed_ || goaway_received_ || goaway_sent_ || next_local_id_ > kStreamIdMax) {
    return fail(Errc::closed, "tunnel takes no new streams");
  }
  if (!can_open()) return fail(Errc::limit, "tunnel has all the streams its peer allows");
  std::array<HeaderField, kHeaderFieldsMax> fields;
  const std::size_t count = build_request(request, fields);
  const std::uint32_t id = next_local_id_;
  TRY_VOID(write_headers(id, std::span(fields).first(count), EndStream::no));
  next_local_id_ += 2;
  closed_.opened(id);
  Stream& stream = add_stream(id);
  stream.user = user;
  return &stream;
}

Stream& Session::add_stream(std::uint32_t id) {
  Stream& stream = streams_.add(std::unique_ptr<Stream>(new Stream(id)));
  stream.send_ = SendWindow(peer_.initial_window_size);
  stream.receive_ = StreamReceiveWindow(local_settings_acked_ ? config_.local.initial_window_size
                                                              : kDefaultWindow);
  ++open_streams_;
  return stream;
}

Status Session::respond(Stream& stream, const ConnectResponse& response) {
  AQUIFER_ASSERT(config_.role == Role::server && !stream.answered_);
  return answer(stream, response, EndStream::no);
}

Status Session::refuse(Stream& stream, int status) {
  AQUIFER_ASSERT(config_.role == Role::server && !stream.answered_);
  TRY_VOID(answer(stream, {.status = status, .baggage = {}}, EndStream::yes));
  end_local(stream);
  return {};
}

Status Session::answer(Stream& stream, const ConnectResponse& response, EndStream end) {
  if (failed_) return fail(Errc::closed, "tunnel is closed");
  if (stream.closed()) return fail(Errc::connection_reset, "stream was reset before its answer");
  std::array<char, 3> status_text;
  std::array<HeaderField, kHeaderFieldsMax> fields;
  const std::size_t count = build_response(response, status_text, fields);
  TRY_VOID(write_headers(stream.id(), std::span(fields).first(count), end));
  stream.answered_ = true;
  return {};
}

std::size_t Session::send_window(const Stream& stream) const noexcept {
  if (failed_ || stream.reset_ || stream.local_ended_) return 0;
  return std::min({stream.send_.usable(), send_.usable(), std::size_t{peer_.max_frame_size}});
}

std::size_t Session::send_window_of_bulk(const Stream& stream) const noexcept {
  const std::size_t kept = kept_from_bulk();
  const std::size_t usable = send_.usable();
  return usable <= kept ? 0 : std::min(send_window(stream), usable - kept);
}

// 64 KiB, some tens of small requests, of a window that is worth dividing: a peer that gives back
// credit for halves of a small one must not wait for what nobody may use.
std::size_t Session::kept_from_bulk() const noexcept {
  return std::min<std::size_t>(send_window_seen_ / 16, 64 * 1024);
}

Status Session::can_send(const Stream& stream) const noexcept {
  if (stream.reset_) return fail(Errc::connection_reset, "stream was reset");
  if (failed_ || stream.local_ended_) return fail(Errc::closed, "stream is closed for sending");
  // Before a head of ours there is no stream to send on (RFC 9113 section 8.1).
  AQUIFER_ASSERT(config_.role == Role::client || stream.answered_);
  return {};
}

/// Writes one DATA header at `at` and accounts for `size` bytes behind it.
void Session::put_data_header(Stream& stream, std::uint8_t* at, std::size_t size, EndStream end) {
  encode_frame_header(at, {.length = static_cast<std::uint32_t>(size),
                           .type = FrameType::data,
                           .flags = end == EndStream::yes ? flag::kEndStream : std::uint8_t{0},
                           .stream_id = stream.id()});
  stream.send_.spend(size);
  send_.spend(size);
  // The peer owes us WINDOW_UPDATEs for this: two for a frame, and one for each 4 KiB of a large
  // one.
  flood_.earn(config_.flood, Flood::window_update, 2 + static_cast<std::uint32_t>(size >> 12));
  flood_.earn(config_.flood, Flood::ping, 1);
  if (end == EndStream::yes) end_local(stream);
}

Status Session::write_data_header(Stream& stream, io::Buffer& payload, EndStream end) {
  TRY_VOID(can_send(stream));
  AQUIFER_ASSERT(payload.size() <= send_window(stream) && payload.headroom() >= kFrameHeaderBytes);
  const std::size_t size = payload.size();
  put_data_header(stream, payload.prepend(kFrameHeaderBytes).data(), size, end);
  return {};
}

std::size_t Session::write_data(Stream& stream, ByteView payload, EndStream end) {
  if (!can_send(stream)) return 0;
  if (payload.empty()) {
    if (end == EndStream::yes) this->end(stream);
    return 0;
  }
  std::size_t written = 0;
  while (written < payload.size()) {
    const std::size_t size = std::min(payload.size() - written, send_window(stream));
    if (size == 0) break;
    const bool last = written + size == payload.size();
    const MutableBytes room = out_.reserve(kFrameHeaderBytes + size);
    std::memcpy(room.data() + kFrameHeaderBytes, payload.data() + written, size);
    put_data_header(stream, room.data(), size, last ? end : EndStream::no);
    out_.commit(kFrameHeaderBytes + size);
    written += size;
  }
  return written;
}

void Session::end(Stream& stream) {
  if (!can_send(stream)) return;
  (void)begin_frame(
      {.length = 0, .type = FrameType::data, .flags = flag::kEndStream, .stream_id = stream.id()});
  end_local(stream);
}

void Session::reset(Stream& stream, ErrorCode code) {
  if (failed_ || stream.closed()) return;
  write_rst(stream.id(), code);
  stream.reset_ = true;
  stream_closed(stream, ClosedHow::reset);
}

void Session::release(Stream& stream) {
  AQUIFER_ASSERT(!stream.released_ && !stream.internal_);
  // RFC 9113 section 8.1: after a complete answer the rest of a request is not needed, and that is
  // no error.
  const bool answer_complete = config_.role == Role::server && stream.local_ended_;
  reset(stream, answer_complete ? ErrorCode::no_error : ErrorCode::cancel);
  receive_.drain(stream.undrained());
  stream.receive_.restore(0, 0, 0);
  stream.released_ = true;
  stream.user = nullptr;
  if (receiving_) {
    sweep_due_ = true;
    return;
  }
  destroy(stream);
  replenish_connection();
}

void Session::drained(Stream& stream, std::size_t bytes, MonoTime now) {
  if (bytes == 0) return;
  if (!receiving_) set_now(now);
  drain_stream(stream, bytes);
  if (!receiving_) replenish_connection();
}

void Session::drain_stream(Stream& stream, std::size_t bytes) {
  const auto count = static_cast<std::uint32_t>(bytes);
  // Nobody earns a larger window while the inboxes are nearly full.
  const std::uint32_t target_max = receive_.under_pressure() ? 0 : config_.stream_window_max;
  const bool grew = stream.receive_.drain(count, now_ms_, target_max);
  receive_.drain(count);
  // Four streams at full speed keep the connection's window from being what limits them.
  if (grew) {
    const std::uint64_t wanted = std::uint64_t{stream.receive_.target()} * 4;
    const std::uint32_t most = std::min(config_.connection_window_max, window_limit_);
    receive_.grow_to(static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, most)));
  }
  credit_stream(stream);
}

void Session::credit_stream(Stream& stream) {
  if (failed_ || stream.closed() || stream.remote_ended_) return;
  if (const std::uint32_t credit = stream.receive_.take_credit(); credit > 0)
    write_window_update(stream.id(), credit);
}

Stream* Session::largest_undrained() noexcept {
  Stream* largest = nullptr;
  for (const auto& entry : streams_) {
    if (entry.stream->undrained() > (largest == nullptr ? 0 : largest->undrained()))
      largest = entry.stream.get();
  }
  return largest;
}

}  // namespace aquifer::hbone
