#include "common/http2/connection.h"

#include "common/base/log.h"
#include "common/http2/events.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace aquifer::http2 {
namespace {

// One large receive.
constexpr std::size_t kReadBytes = std::size_t{128} * 1024;
// Of what a peer still sends after our end: closing with bytes unread would send a reset, which
// throws away at the peer why the connection ended.
constexpr std::size_t kFarewellBytesMax = std::size_t{1} << 20;

constexpr Error kEnded = Error(Errc::connection_reset, "the peer has ended the connection");
constexpr Error kBroken = Error(Errc::protocol, "the connection broke a rule of HTTP/2");

std::uint32_t milliseconds(MonoTime time) noexcept {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  return static_cast<std::uint32_t>(since.count());
}

}  // namespace

void Connection::SessionDeleter::operator()(nghttp2_session* session) const noexcept {
  nghttp2_session_del(session);
}

Connection::Connection(io::Loop& loop, io::ByteStream& stream, Role role, const Options& options)
    : loop_(loop),
      options_(options),
      role_(role),
      stream_(stream),
      reader_({options.head_bytes_max, options.head_fields_max}),
      floods_(options.floods),
      walker_(role == Role::server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
  session_.reset(Events::make_session(*this));
}

Connection::~Connection() {
  AQUIFER_ASSERT(held_ == 0);
}

std::uint32_t Connection::peers_setting(int id) const noexcept {
  return nghttp2_session_get_remote_settings(session_.get(), static_cast<nghttp2_settings_id>(id));
}

void Connection::StopReading::stop(CancelHook& hook) noexcept {
  static_cast<StopReading&>(hook).connection.reading_.cancel();
}

coro::Task<void> Connection::live(io::Buffer first, coro::CancelSource* cancel) {
  StopReading stop(*this);
  if (cancel != nullptr) {
    if (cancel->cancelled()) {
      reading_.cancel();
    } else {
      cancel->add(stop);
    }
  }
  started_ = true;
  started_at_ = heard_at_ = idle_since_ = loop_.now();
  now_ms_ = milliseconds(loop_.now());
  if (draining_) begin_drain();
  loops_.spawn(write_loop());
  loops_.spawn(watch());
  co_await read_loop(std::move(first));
  ended_ = true;
  settings_waiters_.notify_all();
  fail_streams(kEnded.from(peer_source()));
  while (held_ > 0) {
    const Status woken = co_await streams_gone_.wait();
    AQUIFER_ASSERT(woken.has_value());
  }
  co_await serving_.join();
  loops_.cancel();
  co_await loops_.join();
}

coro::Task<void> Connection::read_loop(io::Buffer first) {
  io::Buffer bytes = std::move(first);
  std::size_t dropped = 0;
  for (;;) {
    if (parting_) {
      dropped += bytes.size();
    } else if (!bytes.empty()) {
      receive(bytes.view());
    }
    bytes.release();
    if (!parting_) received();
    if (dropped > kFarewellBytesMax) co_return;
    auto more = co_await stream_.read(kReadBytes, &reading_);
    if (!more || more->empty()) co_return;
    bytes = std::move(*more);
  }
}

void Connection::receive(ByteView bytes) {
  heard_at_ = loop_.now();
  now_ms_ = milliseconds(heard_at_);
  walker_.walk(bytes, [this](const FrameHead& head) { look_at(head); });
  const bool refused = tripped_ || broken_ != NGHTTP2_NO_ERROR;
  const ssize_t taken =
      refused ? 0 : nghttp2_session_mem_recv(session_.get(), bytes.data(), bytes.size());
  if (nghttp2_session_get_outbound_queue_size(session_.get()) > kBacklogFramesMax) {
    log::debug("http2", "connection ended: its peer makes us answer and does not read");
    terminate(NGHTTP2_ENHANCE_YOUR_CALM);
  } else if (tripped_) {
    end_flood();
  } else if (broken_ != NGHTTP2_NO_ERROR) {
    log::debug("http2", "connection ended: a frame that may not come");
    terminate(broken_);
  } else if (taken < 0) {
    const auto error = static_cast<int>(taken);
    log::debug("http2", "connection ended: {}", nghttp2_strerror(error));
    // All others are limits of nghttp2's.
    terminate(error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                    : NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    answer_too_large();
    for (const std::int32_t id : late_frames_) {
      std::ignore =
          nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
    }
    late_frames_.clear();
  }
  flush_soon();
}

// Every frame, before anything is made of it.
void Connection::look_at(const FrameHead& head) {
  const bool server = role_ == Role::server;
  switch (head.type) {
    case NGHTTP2_DATA:
      if (head.length == 0 && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0) count(Flood::empty_data);
      if (server) act_on(closed_.judge(head.stream), head.stream);
      return;
    case NGHTTP2_HEADERS:
      if (server) act_on(closed_.headers(head.stream), head.stream);
      return;
    case NGHTTP2_RST_STREAM: closed_.close(head.stream, ClosedStreams::How::reset_by_peer); return;
    case NGHTTP2_SETTINGS:
      if ((head.flags & NGHTTP2_FLAG_ACK) == 0) count(Flood::settings);
      return;
    case NGHTTP2_PING:
      if ((head.flags & NGHTTP2_FLAG_ACK) == 0) count(Flood::ping);
      return;
    case NGHTTP2_WINDOW_UPDATE: count(Flood::window_update); return;
    case NGHTTP2_PUSH_PROMISE:
      // We said that we want none, and nobody pushes before he has heard that.
      broken_ = NGHTTP2_PROTOCOL_ERROR;
      return;
    case NGHTTP2_GOAWAY:
    case NGHTTP2_CONTINUATION: return;
    default: count(Flood::other);
  }
}

void Connection::end_flood() {
  log::debug("http2", "connection ended: too many {}", name_of(*tripped_));
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

// By hand: after a fatal error nghttp2 is not to be used any more, and after a flood it need not
// be.
void Connection::terminate(std::uint32_t code) {
  const auto last = static_cast<std::uint32_t>(
      std::max(0, nghttp2_session_get_last_proc_stream_id(session_.get())));
  const std::uint8_t frame[] = {0,
                                0,
                                8,
                                NGHTTP2_GOAWAY,
                                0,
                                0,
                                0,
                                0,
                                0,
                                static_cast<std::uint8_t>(last >> 24U),
                                static_cast<std::uint8_t>(last >> 16U),
                                static_cast<std::uint8_t>(last >> 8U),
                                static_cast<std::uint8_t>(last),
                                0,
                                0,
                                0,
                                static_cast<std::uint8_t>(code)};
  out_.append(frame);
  part(kBroken.from(peer_source()));
}

coro::Task<void> Connection::write_loop() {
  for (;;) {
    pump();
    // Streams that we had to reset are counted as they close.
    if (tripped_ && !parting_) end_flood();
    if (out_.empty()) {
      const bool over = nghttp2_session_want_read(session_.get()) == 0 &&
                        nghttp2_session_want_write(session_.get()) == 0;
      if (over && !parting_) part(kBroken.from(peer_source()));
      if (parting_ && !end_said_) {
        const Status said = co_await say_end();
        if (!said) break;
        continue;
      }
      const Status woken = co_await want_write_.wait(&loops_.cancel_source());
      if (!woken) co_return;
      continue;
    }
    const auto allowed = co_await stream_.writable(&loops_.cancel_source());
    if (!allowed) break;
    pump();
    io::Buffer piece = out_.take(*allowed);
    const Status written = stream_.write(std::move(piece));
    if (!written) break;
    if (out_.empty()) written_id_ = opened_id_;
  }
  reading_.cancel();
}

coro::Task<Status> Connection::say_end() {
  // All has left once the byte stream asks for more.
  const auto allowed = co_await stream_.writable(&loops_.cancel_source());
  if (!allowed) co_return std::unexpected(allowed.error());
  if (!out_.empty()) co_return Status{};
  end_said_ = true;
  co_return stream_.shutdown_write();
}

void Connection::part(Error why) {
  if (parting_) return;
  parting_ = true;
  ended_ = true;
  parted_at_ = loop_.now();
  settings_waiters_.notify_all();
  fail_streams(why);
  recheck_.notify();
  flush_soon();
}

void Connection::fail_streams(Error why) noexcept {
  // Streams leave the list on the way: each at its turn is replaced by the last.
  for (std::size_t i = live_.size(); i > 0; --i) {
    Stream& stream = *live_[i - 1];
    if (!stream.attached) continue;
    // A request that was never written was never looked at.
    const bool unseen = role_ == Role::client && stream.id > written_id_;
    fail(stream, unseen ? why.retryable() : why);
    nghttp2_session_set_stream_user_data(session_.get(), stream.id, nullptr);
    stream.attached = false;
    --attached_;
    if (!stream.held && !stream.awaits_serve) recycle(stream);
  }
}

}  // namespace aquifer::http2
