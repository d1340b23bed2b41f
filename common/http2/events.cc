#include "common/http2/events.h"

#include "common/http2/errors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace aquifer::http2 {
namespace {

// nghttp2's own limits that ours make needless: so high that ours are met first, which say
// ENHANCE_YOUR_CALM.
constexpr std::size_t kAcksMax = 10'000;
constexpr std::uint64_t kResetBurst = 100'000;
constexpr std::uint64_t kResetsPerSecond = 50'000;
// Of a head that we send: ours are bounded where they are read.
constexpr std::size_t kHeadBlockMax = std::size_t{1} << 20;
// Streams that a server is asked for before its SETTINGS say how many it allows (RFC 9113 section
// 6.5.2 recommends at least 100).
constexpr std::uint32_t kStreamsBeforeSettings = 100;
// Interim responses that nobody has read yet.
constexpr std::size_t kInterimsMax = 16;
// Chunks from this size on get memory of their own in the inbox; smaller ones share, or a body of
// single bytes would cost a hundred times its size.
constexpr std::size_t kOwnChunkBytes = 1024;

std::string_view text(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

constexpr Error kBadResponse =
    Error(Errc::protocol, ErrorSource::upstream, "a response that breaks a rule of HTTP/2");
constexpr Error kLargeHead = Error(Errc::limit, "a head or trailers that are too large");

}  // namespace

Stream* Events::find(nghttp2_session* session, std::int32_t id) noexcept {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

const nghttp2_session_callbacks* Events::callbacks() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* all = nullptr;
    AQUIFER_ASSERT(nghttp2_session_callbacks_new(&all) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(all, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(all, header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(all, invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(all, frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, data);
    nghttp2_session_callbacks_set_on_stream_close_callback(all, closed);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(all, not_sent);
    nghttp2_session_callbacks_set_send_data_callback(all, send_body);
    return all;
  }();
  return made;
}

const nghttp2_option* Events::option() {
  static const nghttp2_option* const made = [] {
    nghttp2_option* all = nullptr;
    AQUIFER_ASSERT(nghttp2_option_new(&all) == 0);
    nghttp2_option_set_no_auto_window_update(all, 1);
    // What the peer says of streams that have ended is judged by ClosedStreams.
    nghttp2_option_set_no_closed_streams(all, 1);
    nghttp2_option_set_peer_max_concurrent_streams(all, kStreamsBeforeSettings);
    nghttp2_option_set_max_send_header_block_length(all, kHeadBlockMax);
    nghttp2_option_set_max_outbound_ack(all, kAcksMax);
    nghttp2_option_set_stream_reset_rate_limit(all, kResetBurst, kResetsPerSecond);
    nghttp2_option_set_max_continuations(all, kContinuationsMax);
    return all;
  }();
  return made;
}

nghttp2_session* Events::make_session(Connection& connection) {
  nghttp2_session* session = nullptr;
  const auto make =
      connection.role_ == Role::server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  AQUIFER_ASSERT(make(&session, callbacks(), &connection, option()) == 0);
  submit_settings(connection, session);
  return session;
}

void Events::submit_settings(Connection& connection, nghttp2_session* session) {
  const Options& options = connection.options_;
  std::array<nghttp2_settings_entry, 6> settings{};
  std::size_t count = 0;
  const auto say = [&](int id, std::size_t value) {
    settings[count++] = {id, static_cast<std::uint32_t>(value)};
  };
  say(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window);
  say(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.head_bytes_max);
  if (connection.role_ == Role::server) {
    say(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.streams_max);
    say(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  } else {
    say(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  AQUIFER_ASSERT(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), count) == 0);
  AQUIFER_ASSERT(nghttp2_session_set_local_window_size(
                     session, NGHTTP2_FLAG_NONE, 0,
                     static_cast<std::int32_t>(options.connection_window)) == 0);
}

int Events::begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  Connection& connection = of(user);
  connection.reader_.begin();
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    Stream& stream = connection.new_stream();
    connection.attach(stream, frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, &stream);
    connection.heading_ = &stream;
  } else {
    const bool headers = frame->hd.type == NGHTTP2_HEADERS;
    connection.heading_ = headers ? find(session, frame->hd.stream_id) : nullptr;
  }
  return 0;
}

int Events::header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                   std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                   std::uint8_t, void* user) {
  Connection& connection = of(user);
  if (connection.heading_ == nullptr) return 0;
  Stream& stream = *connection.heading_;
  const std::string_view n = text(name, name_bytes);
  const std::string_view v = text(value, value_bytes);
  if (stream.head_came) {
    connection.reader_.trailer_field(stream.trailers, n, v);
  } else if (connection.role_ == Role::server) {
    connection.reader_.request_field(stream.request, n, v);
  } else {
    connection.reader_.response_field(stream.response, n, v);
  }
  if (!connection.reader_.is_hopeless()) return 0;
  connection.heading_ = nullptr;
  connection.count(Flood::early_reset);
  connection.reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
  connection.fail(stream, kLargeHead.from(connection.peer_source()));
  // The rest of the block is decoded, as it must be, and not told.
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// nghttp2 would leave a field out that breaks a rule. Whoever sends one means no good: the stream
// ends with PROTOCOL_ERROR.
int Events::invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                           const std::uint8_t*, std::size_t, std::uint8_t, void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// A whole frame that obeys the rules; of headers, with all CONTINUATION.
int Events::frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  Connection& connection = of(user);
  const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_DATA:
      if (Stream* stream = end_stream ? find(session, frame->hd.stream_id) : nullptr)
        remote_ended(*stream);
      break;
    case NGHTTP2_HEADERS:
      if (Stream* stream = std::exchange(connection.heading_, nullptr))
        head_ended(connection, *stream, end_stream);
      break;
    case NGHTTP2_SETTINGS:
      if (std::exchange(connection.settings_came_, true)) break;
      connection.recheck_.notify();
      connection.settings_waiters_.notify_all();
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        ping_answered(connection, frame->ping.opaque_data);
      break;
    case NGHTTP2_GOAWAY: connection.goaway_came_ = true; break;
    default: break;
  }
  return 0;
}

void Events::head_ended(Connection& connection, Stream& stream, bool end_stream) {
  if (stream.head_came) {
    if (connection.reader_.end_trailers() != HeadVerdict::good) {
      connection.reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
      connection.fail(stream, kLargeHead.from(connection.peer_source()));
      return;
    }
    if (end_stream) remote_ended(stream);
    return;
  }
  if (end_stream) stream.remote_ended = true;
  if (connection.role_ == Role::client) {
    response_came(connection, stream, connection.reader_.end_response(stream.response));
    return;
  }
  stream.head_came = true;
  const bool connect = stream.request.method == "CONNECT";
  const HeadVerdict verdict = connection.reader_.end_request(stream.request);
  if (verdict == HeadVerdict::malformed) {
    connection.reset(stream, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  if (connect) {
    stream.kind =
        stream.request.upgrade.empty() ? Stream::Kind::connect : Stream::Kind::extended_connect;
  } else if (stream.request.method == "HEAD") {
    stream.kind = Stream::Kind::head;
  }
  if (verdict == HeadVerdict::too_large) {
    connection.too_large_.push_back(stream.id);
  } else {
    connection.request_came(stream);
  }
}

void Events::response_came(Connection& connection, Stream& stream, HeadVerdict verdict) {
  http::ResponseHead& head = stream.response;
  const bool interim = head.status < 200;
  if (verdict != HeadVerdict::good || (interim && stream.interims.size() >= kInterimsMax)) {
    const bool large = verdict != HeadVerdict::malformed;
    connection.reset(stream, large ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    connection.fail(stream, large ? kLargeHead.from(ErrorSource::upstream) : kBadResponse);
    return;
  }
  if (interim) {
    stream.interims.push_back(std::exchange(head, http::ResponseHead()));
  } else {
    stream.head_came = true;
    // RFC 8441 section 5: what HTTP/1.1 says by 101.
    if (stream.kind == Stream::Kind::extended_connect && head.status / 100 == 2) head.status = 101;
  }
  stream.readable.notify();
}

void Events::remote_ended(Stream& stream) noexcept {
  stream.remote_ended = true;
  stream.readable.notify();
}

void Events::ping_answered(Connection& connection, const std::uint8_t* opaque) {
  std::uint64_t number = 0;
  std::memcpy(&number, opaque, sizeof number);
  if (number == 0 || number != connection.ping_awaited_) return;
  connection.ping_awaited_ = 0;
  if (number == Connection::kDrainPing) connection.end_drain();
}

int Events::data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                 std::size_t size, void* user) {
  Connection& connection = of(user);
  std::ignore = nghttp2_session_consume_connection(session, size);
  Stream* stream = find(session, id);
  if (stream == nullptr || stream->failed || !(stream->held || stream->awaits_serve)) {
    std::ignore = nghttp2_session_consume_stream(session, id, size);
    return 0;
  }
  if (size >= kOwnChunkBytes || stream->inbox.empty()) {
    stream->inbox.append(io::Buffer::copy_of({bytes, size}));
  } else {
    stream->inbox.append(ByteView(bytes, size));
  }
  stream->readable.notify();
  connection.flush_soon();
  return 0;
}

int Events::closed(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user) {
  Connection& connection = of(user);
  Stream* stream = find(session, id);
  if (stream == nullptr) return 0;
  if (connection.heading_ == stream) connection.heading_ = nullptr;
  connection.detach(*stream, code);
  return 0;
}

}  // namespace aquifer::http2
