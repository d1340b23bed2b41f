// The HTTP/2 session of a tunnel, without io: bytes in, events and bytes out (RFC 9113, CONNECT
// only). Both roles.
//
// Owned by the tunnel, used by its loop's thread alone. It never blocks, never reads a clock, and
// touches payload only to hand out views of it. Bodies are in session*.cc: session.cc (connection),
// session_recv.cc (parser), session_data.cc (DATA), session_frames.cc (control frames),
// session_headers.cc (header blocks), session_streams.cc (what the owner asks for),
// session_export.cc (state as values).
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/hbone/closed_streams.h"
#include "common/hbone/flood_guard.h"
#include "common/hbone/flow_control.h"
#include "common/hbone/frame.h"
#include "common/hbone/headers.h"
#include "common/hbone/hpack.h"
#include "common/hbone/session_config.h"
#include "common/hbone/session_events.h"
#include "common/hbone/session_state.h"
#include "common/hbone/stream_state.h"
#include "common/hbone/stream_table.h"
#include "common/io/buffer.h"
#include "common/io/chunk_queue.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::hbone {

enum class EndStream : std::uint8_t { no, yes };

class Session {
 public:
  /// `config`, `out` and `events` outlive the session. Frames are appended to `out`; the owner
  /// sends it in order.
  Session(const SessionConfig& config, io::ChunkQueue& out, SessionEvents& events) noexcept;
  /// Goes on where export_state() stopped. Streams come back with `user` null: attach by
  /// for_each_stream(). start() must not be called.
  Session(const SessionConfig& config, io::ChunkQueue& out, SessionEvents& events,
          const SessionState& state);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Queues the preface (client), SETTINGS and the connection's window. Once, before anything else
  /// is sent.
  void start();

  /// Feeds bytes of the peer, split anywhere. An error is the connection's end: GOAWAY with
  /// error_code() has been queued in `out` (flush it, then close), and every later call gives the
  /// same error. Streams are not told one by one.
  [[nodiscard]] Status receive(ByteView plaintext, MonoTime now);

  // --- streams, for the owner
  // ---------------------------------------------------------------------------------------

  /// Client: asks for a tunnel; HEADERS are queued. Errc::limit when the peer allows no more
  /// streams now or the head is too large for it, Errc::closed when the session takes no new
  /// streams any more (then another tunnel is needed).
  [[nodiscard]] Result<Stream*> open(const ConnectRequest& request, void* user);
  /// True exactly when open() would find a place.
  [[nodiscard]] bool can_open() const noexcept;
  /// Server: accepts with a 200 head (no END_STREAM). Errc::connection_reset when the stream is
  /// over already.
  [[nodiscard]] Status respond(Stream& stream, const ConnectResponse& response);
  /// Server: answers `status` with END_STREAM and no body. What the peer still sends is thrown away
  /// after release().
  [[nodiscard]] Status refuse(Stream& stream, int status);

  /// Payload bytes the next DATA frame of the stream may carry: the least of both windows and the
  /// peer's frame size.
  [[nodiscard]] std::size_t send_window(const Stream& stream) const noexcept;
  /// The same for a stream that has much to send: it leaves a part of the connection's window to
  /// those that have little.
  [[nodiscard]] std::size_t send_window_of_bulk(const Stream& stream) const noexcept;
  /// The connection's receive window does not grow past this: what the path carries needs no more.
  /// One that is larger already stays.
  void limit_connection_window(std::uint32_t bytes) noexcept { window_limit_ = bytes; }
  /// Writes a DATA header into the headroom of `payload`, so that both are one piece, and debits
  /// the windows. The caller sends the buffer behind everything that is in `out` now (append it
  /// there, or seal it directly when `out` is empty). payload.size() is at most send_window().
  /// Errc::connection_reset when the stream was reset, Errc::closed after END_STREAM or the
  /// connection's end.
  [[nodiscard]] Status write_data_header(Stream& stream, io::Buffer& payload, EndStream end);
  /// Copies as much of `payload` into `out` as the windows allow, in as many frames as it takes;
  /// returns how much. END_STREAM is set on the last frame only if all of it went. 0 bytes for a
  /// stream that cannot send any more.
  [[nodiscard]] std::size_t write_data(Stream& stream, ByteView payload, EndStream end);
  /// END_STREAM alone: closes our half. Nothing if that happened already.
  void end(Stream& stream);
  /// RST_STREAM. Nothing if the stream is closed. on_reset() is not called for it.
  void reset(Stream& stream, ErrorCode code);
  /// The owner is done with the stream; the reference is dead afterwards (inside an event: when
  /// receive() returns). A stream that is still open is reset: NO_ERROR when our answer is
  /// complete, else CANCEL. Bytes in the inbox count as drained. Every stream from open() or
  /// on_request() is released exactly once, or dies with the session.
  void release(Stream& stream);
  /// `bytes` left the inbox of the stream. May queue WINDOW_UPDATE frames.
  void drained(Stream& stream, std::size_t bytes, MonoTime now);

  // --- the connection
  // -----------------------------------------------------------------------------------------------

  void ping(std::uint64_t opaque);
  /// Graceful end, first step: tells the peer to open no more streams, while those under way are
  /// still taken.
  void announce_shutdown();
  /// Second step (a round trip later), or the end: names the last stream that was taken. Later ones
  /// are ignored.
  void go_away(ErrorCode code);
  /// True exactly when no stream is open and none will be: after GOAWAY in either direction, the
  /// connection may close.
  [[nodiscard]] bool drained_out() const noexcept;

  [[nodiscard]] Role role() const noexcept { return config_.role; }
  [[nodiscard]] const Settings& peer_settings() const noexcept { return peer_; }
  /// False until the peer has acknowledged our SETTINGS: the owner bounds that time.
  [[nodiscard]] bool settings_acked() const noexcept { return local_settings_acked_; }
  /// Its first frame has come.
  [[nodiscard]] bool peer_settings_seen() const noexcept { return peer_settings_seen_; }
  /// Streams the peer allows us at once (client).
  [[nodiscard]] std::uint32_t streams_allowed() const noexcept;
  /// Streams open by the protocol; those that wait only for release() are not counted.
  [[nodiscard]] std::uint32_t open_streams() const noexcept { return open_streams_; }
  [[nodiscard]] bool goaway_received() const noexcept { return goaway_received_; }
  [[nodiscard]] bool goaway_sent() const noexcept { return goaway_sent_; }
  /// Why receive() failed, as told to the peer; no_error while it has not.
  [[nodiscard]] ErrorCode error_code() const noexcept { return error_code_; }

  /// Bytes in all inboxes.
  [[nodiscard]] std::size_t undrained() const noexcept { return receive_.undrained(); }
  /// Inboxes hold so much that credit is withheld from everybody: reset largest_undrained() with
  /// ENHANCE_YOUR_CALM.
  [[nodiscard]] bool under_pressure() const noexcept { return receive_.under_pressure(); }
  /// The stream whose inbox is fullest; null when all are empty.
  [[nodiscard]] Stream* largest_undrained() noexcept;
  /// Every stream that is not released, in the order of ids. `f` may not open or release.
  template <typename F>
  void for_each_stream(F&& f) {
    for (const auto& entry : streams_) {
      if (!entry.stream->internal_) f(*entry.stream);
    }
  }

  /// Everything another process needs to go on, besides `out` and the inboxes. Possible between any
  /// two calls of receive(); Errc::limit only while the peer's header compression has state (before
  /// it took over our SETTINGS).
  [[nodiscard]] Result<SessionState> export_state() const;

 private:
  /// Where the parser stands. Everything but DATA is handled whole; DATA is passed on as it comes.
  enum class Stage : std::uint8_t { preface, header, payload, pad_length, data, skip };
  // session.cc
  [[nodiscard]] Status fail_connection(ErrorCode code, const char* what);
  [[nodiscard]] Status admit(Flood kind);
  [[nodiscard]] Status violation(std::uint32_t id, ErrorCode code);
  [[nodiscard]] std::uint8_t* begin_frame(const FrameHeader& header);
  void write_rst(std::uint32_t id, ErrorCode code);
  void write_goaway(std::uint32_t last_id, ErrorCode code);
  void write_window_update(std::uint32_t id, std::uint32_t credit);
  [[nodiscard]] Status write_headers(std::uint32_t id, std::span<const HeaderField> fields,
                                     EndStream end);
  void replenish_connection();
  void stream_closed(Stream& stream, ClosedHow how);
  void end_local(Stream& stream);
  [[nodiscard]] Status end_remote(Stream& stream);
  void destroy(Stream& stream);
  void sweep();
  // session_streams.cc
  Stream& add_stream(std::uint32_t id);
  [[nodiscard]] Status answer(Stream& stream, const ConnectResponse& response, EndStream end);
  [[nodiscard]] Status can_send(const Stream& stream) const noexcept;
  void put_data_header(Stream& stream, std::uint8_t* at, std::size_t size, EndStream end);
  void drain_stream(Stream& stream, std::size_t bytes);
  void credit_stream(Stream& stream);

  [[nodiscard]] bool is_local_id(std::uint32_t id) const noexcept;
  [[nodiscard]] bool is_idle(std::uint32_t id) const noexcept;

  // session_recv.cc
  void set_now(MonoTime now) noexcept;
  [[nodiscard]] Status parse(ByteView& in);
  [[nodiscard]] Status parse_preface(ByteView& in);
  [[nodiscard]] Status parse_header(ByteView& in);
  [[nodiscard]] Status begin_payload();
  [[nodiscard]] Status check_stream_id();
  [[nodiscard]] Status check_length();
  [[nodiscard]] Status parse_payload(ByteView& in);
  [[nodiscard]] Status dispatch(ByteView payload);

  // session_data.cc
  [[nodiscard]] Status begin_data();
  [[nodiscard]] Status parse_pad_length(ByteView& in);
  [[nodiscard]] Status parse_data(ByteView& in);
  [[nodiscard]] Status deliver(ByteView piece);
  [[nodiscard]] Status finish_data();

  // session_frames.cc
  [[nodiscard]] Status recv_settings(ByteView payload);
  [[nodiscard]] Status recv_settings_ack();
  [[nodiscard]] Status change_initial_window(std::int64_t delta);
  [[nodiscard]] Status recv_ping(ByteView payload);
  [[nodiscard]] Status recv_goaway(ByteView payload);
  [[nodiscard]] Status recv_window_update(ByteView payload);
  [[nodiscard]] Status recv_rst_stream(ByteView payload);
  [[nodiscard]] Status recv_priority(ByteView payload);

  // session_headers.cc
  [[nodiscard]] Status recv_headers(ByteView payload);
  [[nodiscard]] Status recv_continuation(ByteView payload);
  [[nodiscard]] Status recv_block(ByteView block);
  [[nodiscard]] Status recv_request(std::uint32_t id, HeaderValidator& head,
                                    HeaderDecoder::Outcome outcome);
  [[nodiscard]] Status recv_stream_head(Stream& stream, HeaderValidator& head,
                                        HeaderDecoder::Outcome outcome);
  [[nodiscard]] Status refuse_internally(Stream& stream, int status);

  const SessionConfig& config_;
  io::ChunkQueue& out_;
  SessionEvents& events_;
  StreamTable streams_;
  HeaderDecoder decoder_;
  [[nodiscard]] std::size_t kept_from_bulk() const noexcept;

  SendWindow send_;
  std::size_t send_window_seen_ = kDefaultWindow;  // its largest size
  ConnectionReceiveWindow receive_;
  std::uint32_t window_limit_ = UINT32_MAX;
  Settings peer_;
  FloodGuard flood_;
  ClosedStreams closed_;

  // The frame under way.
  FrameHeader frame_;
  std::uint32_t left_ = 0;         // payload bytes to come, padding not counted
  std::uint32_t padding_ = 0;      // DATA: padding bytes to come behind them
  Stream* data_stream_ = nullptr;  // DATA: who gets it; null: thrown away
  std::string pending_;            // a payload that came in pieces
  std::string header_block_;       // fragments before the last CONTINUATION
  std::uint32_t header_stream_ = 0;
  std::uint32_t continuations_ = 0;
  std::array<std::uint8_t, kFrameHeaderBytes> partial_{};
  std::uint8_t partial_size_ = 0;
  Stage stage_;
  std::uint8_t preface_size_ = 0;
  bool header_ends_stream_ = false;
  bool header_self_dependent_ = false;

  std::uint32_t now_ms_ = 0;
  std::uint32_t last_peer_id_ = 0;
  std::uint32_t next_local_id_ = 1;
  std::uint32_t open_streams_ = 0;
  std::uint32_t goaway_sent_id_ = kStreamIdMax;
  std::uint32_t goaway_received_id_ = kStreamIdMax;
  ErrorCode error_code_ = ErrorCode::no_error;
  const char* error_what_ = "";
  bool failed_ = false;
  bool peer_settings_seen_ = false;
  bool local_settings_acked_ = false;
  bool goaway_sent_ = false;
  bool goaway_received_ = false;
  bool table_update_due_ = true;
  bool receiving_ = false;
  bool sweep_due_ = false;
};

}  // namespace aquifer::hbone
