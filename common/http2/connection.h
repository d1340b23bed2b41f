// Connection: what both roles of HTTP/2 share. It moves bytes between a byte stream and nghttp2,
// keeps the streams, and watches the peer's manners. nghttp2's callbacks (events.cc) only record
// and mark ready. One loop.
//
// A stream's bytes are copied twice: from what was received into its inbox, and from its outbox
// into the frames that wait for the connection.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/event.h"
#include "common/coro/scope.h"
#include "common/coro/wait_list.h"
#include "common/http/stream.h"
#include "common/http2/closed_streams.h"
#include "common/http2/frame_walker.h"
#include "common/http2/head_reader.h"
#include "common/http2/options.h"
#include "common/http2/out_buffer.h"
#include "common/http2/stream.h"
#include "common/io/byte_stream.h"
#include "common/io/loop.h"

#include <memory>
#include <optional>
#include <vector>

struct nghttp2_session;

namespace aquifer::http2 {

enum class Role : std::uint8_t { client, server };

class Connection {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Streams that somebody holds.
  [[nodiscard]] std::size_t streams() const noexcept { return held_; }
  /// Nothing more will come of it: every stream has failed, or is complete.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// No new streams; those that are open go on; then the connection ends (RFC 9113 section 6.8).
  void drain();

 protected:
  Connection(io::Loop& loop, io::ByteStream& stream, Role role, const Options& options);
  virtual ~Connection();

  /// Until both sides have ended, or `cancel`, and every stream was given back.
  [[nodiscard]] coro::Task<void> live(io::Buffer first, coro::CancelSource* cancel);

  /// Server: a request's head is there. Inside a callback.
  virtual void request_came(Stream&) {}
  /// All that was received at once has been looked at; not inside a callback.
  virtual void received() {}

  // Streams.
  [[nodiscard]] Stream& new_stream();
  void attach(Stream& stream, std::int32_t id);
  void hold(Stream& stream) noexcept;
  void recycle(Stream& stream) noexcept;
  void reset(Stream& stream, std::uint32_t code) noexcept;
  void fail(Stream& stream, Error error) noexcept;
  [[nodiscard]] std::size_t attached() const noexcept { return attached_; }

  // Heads. These are framed before they return: the names and values stay the caller's.
  [[nodiscard]] Status send_inform(Stream& stream, const http::ResponseHead& head);
  [[nodiscard]] Status send_response(Stream& stream, const http::ResponseHead& head, http::End end);
  [[nodiscard]] Status send_request(Stream& stream, const http::RequestHead& head, http::End end);

  void flush_soon() noexcept { want_write_.notify(); }
  [[nodiscard]] std::uint32_t peers_setting(int id) const noexcept;

  io::Loop& loop_;
  Options options_;
  const Role role_;
  coro::Scope serving_;
  std::size_t awaiting_ = 0;  // server: requests about to be given out, and not reset meanwhile
  bool ended_ = false;
  bool draining_ = false;
  bool settings_came_ = false;
  coro::WaitList settings_waiters_;  // told when SETTINGS came, and at the end
  bool goaway_came_ = false;

 private:
  friend struct Events;
  template <typename Seam>
  friend class StreamHandle;

  // connection.cc
  coro::Task<void> read_loop(io::Buffer first);
  coro::Task<void> write_loop();
  coro::Task<void> watch();
  void receive(ByteView bytes);
  void look_at(const FrameHead& head);
  [[nodiscard]] coro::Task<Status> say_end();
  [[nodiscard]] Deadline next_check() const noexcept;
  /// False when the peer is late.
  [[nodiscard]] bool check_peer();
  /// Nothing more is said or heard: what is queued goes out, then our end, and the peer's is
  /// awaited for a moment.
  void part(Error why);
  void end_flood();
  void terminate(std::uint32_t code);
  void fail_streams(Error why) noexcept;
  void begin_drain();
  void end_drain();
  [[nodiscard]] ErrorSource peer_source() const noexcept {
    return role_ == Role::server ? ErrorSource::downstream : ErrorSource::upstream;
  }

  // connection_heads.cc
  void pump();
  void pump_heads();
  void reset_half_open();
  /// Answers 431 those whose heads were too large, without anybody's help.
  void answer_too_large();

  // connection_streams.cc
  void detach(Stream& stream, std::uint32_t code) noexcept;
  void release(Stream& stream) noexcept;
  void leave_half_open(Stream& stream);
  void count(Flood kind) noexcept;
  void act_on(ClosedStreams::Verdict verdict, std::int32_t id) noexcept;

  // connection_body.cc
  [[nodiscard]] coro::Task<Result<io::Buffer>> read(Stream& stream, coro::CancelSource* cancel);
  [[nodiscard]] coro::Task<Result<std::size_t>> writable(Stream& stream,
                                                         coro::CancelSource* cancel);
  [[nodiscard]] Status write(Stream& stream, io::Buffer bytes);
  [[nodiscard]] Status finish(Stream& stream, const HeaderFields& trailers);
  void abort(Stream& stream, http::Abort why) noexcept;
  [[nodiscard]] coro::Task<Error> failure(Stream& stream, coro::CancelSource* cancel);
  void resume(Stream& stream) noexcept;
  void consumed(Stream& stream, std::size_t bytes) noexcept;
  void widen(Stream& stream, std::size_t bytes) noexcept;

  struct SessionDeleter {
    void operator()(nghttp2_session* session) const noexcept;
  };
  struct StopReading : coro::CancelHook {
    explicit StopReading(Connection& c) noexcept : CancelHook(&StopReading::stop), connection(c) {}
    static void stop(CancelHook& hook) noexcept;
    Connection& connection;
  };

  // Frames waiting for the byte stream, past which nghttp2 is not asked for more: enough for one
  // large write, and little enough that a small answer does not wait long behind bulk.
  static constexpr std::size_t kOutMark = std::size_t{64} * 1024;
  // The ping that ends the first step of a graceful shutdown; the others count up from 1.
  static constexpr std::uint64_t kDrainPing = ~std::uint64_t{0};

  io::ByteStream& stream_;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  OutBuffer out_;
  HeadReader reader_;
  Stream* heading_ = nullptr;  // whose header block is being read
  FloodGuard floods_;
  ClosedStreams closed_;
  FrameWalker walker_;
  std::optional<Flood> tripped_;
  std::uint32_t broken_ = 0;  // the error with which the connection has to end
  std::uint32_t now_ms_ = 0;

  std::vector<std::unique_ptr<Stream>> live_;
  std::vector<std::unique_ptr<Stream>> spare_;
  std::vector<std::int32_t>
      half_open_;  // answered to the end, request still coming, nobody reads it
  std::vector<std::int32_t> too_large_;    // requests
  std::vector<std::int32_t> late_frames_;  // streams for which something came after their reset
  std::size_t attached_ = 0;
  std::size_t held_ = 0;
  std::size_t widened_ = 0;      // bytes that windows of streams have gained
  std::int32_t opened_id_ = 0;   // client: the last request that was framed ...
  std::int32_t written_id_ = 0;  // ... and the last that left
  bool pushing_heads_ = false;

  coro::Event want_write_;
  coro::Event streams_gone_;
  coro::Event recheck_;
  coro::CancelSource reading_;
  coro::Scope loops_;
  MonoTime started_at_{};
  MonoTime heard_at_{};
  MonoTime idle_since_{};
  MonoTime ping_sent_at_{};
  MonoTime parted_at_{};
  std::uint64_t ping_number_ = 0;
  std::uint64_t ping_awaited_ = 0;  // 0: none
  bool started_ = false;
  bool parting_ = false;
  bool end_said_ = false;
};

}  // namespace aquifer::http2
