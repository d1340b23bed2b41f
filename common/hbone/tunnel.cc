#include "common/hbone/tunnel.h"

#include "common/base/log.h"
#include "common/io/expiry.h"
#include "common/io/round_trip.h"
#include "common/tls/tls_error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::hbone {
namespace {

// As the peer's: a ping every 10 s, and the connection is given up when one is not answered for 20
// s.
constexpr auto kPingInterval = std::chrono::seconds(10);
constexpr int kPingsUnansweredMax = 2;
// Plaintext of one receive is opened into here before it is parsed, so that a frame of several
// records reaches its application in one piece. One per loop thread: nothing in it lives across a
// suspension.
constexpr std::size_t kScratchBytes = 160 * 1024;
// The farewell of a drained connection: the peer's FIN after ours. Then it is closed all the same.
constexpr auto kFarewell = std::chrono::seconds(2);

// After a broken rule: long enough for a peer to read why, short enough not to serve a hostile one.
constexpr auto kLinger = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;

// A look at the path after so much was received: a thousand for a gigabyte, half a microsecond
// each.
constexpr std::size_t kMeasuredBytes = std::size_t{1} << 20;
// A mebibyte in less than this is bulk, 34 Mbit/s, and it counts as such for so long afterwards.
constexpr auto kBulkPace = std::chrono::milliseconds(250);
constexpr auto kBulkMemory = std::chrono::seconds(1);
// Round trips' worth of bytes that a connection's window may hold. What is more stands in queues,
// and whoever sends little stands behind it. (Two keep a path full while one window's credit is on
// its way; two more are for a receiver that is late.)
constexpr double kWindowRoundTrips = 4;

constexpr Error kTunnelEnded =
    Error(Errc::connection_reset, ErrorSource::upstream, "tunnel ended").retryable();

MutableBytes scratch() {
  thread_local const auto memory = std::make_unique<std::uint8_t[]>(kScratchBytes);
  return {memory.get(), kScratchBytes};
}

const SessionConfig& config_of(Role role) noexcept {
  return role == Role::client ? SessionConfig::client() : SessionConfig::server();
}

}  // namespace

Tunnel::Tunnel(std::unique_ptr<io::Socket> socket, tls::SecuredConnection secured, Role role,
               io::Account& account, ServeConnect serve)
    : socket_(std::move(socket)),
      loop_(socket_->loop()),
      account_(account),
      serve_(std::move(serve)),
      records_(std::move(secured.records)),
      unread_(std::move(secured.unread)),
      peer_(std::move(secured.peer)),
      session_(config_of(role), plain_, *this) {
  account_.queue_owners.push_back(this);
}

Tunnel::~Tunnel() {
  AQUIFER_ASSERT(streams_ == 0);
  std::erase(account_.queue_owners, static_cast<io::QueueOwner*>(this));
}

coro::Task<void> Tunnel::run() {
  session_.start();
  started_ = true;
  if (draining_) begin_drain();
  request_flush();
  scope_.spawn(write_loop());
  scope_.spawn(keep_alive());
  co_await read_loop();
  ended_ = true;
  fail_streams(kTunnelEnded);
  while (streams_ > 0) {
    const Status woken = co_await streams_gone_.wait();
    AQUIFER_ASSERT(woken.has_value());
  }
  scope_.cancel();
  co_await scope_.join();
}

coro::Task<void> Tunnel::read_loop() {
  io::Buffer received = std::move(unread_);
  for (;;) {
    if (!received.empty()) {
      const Status fed = feed(received.view());
      received.release();
      serve_requests();
      enforce_budget();
      if (!fed) {
        const Error end = end_of(fed.error());
        co_await say_why_and_linger(end);
        co_return;
      }
    }
    if (records_->peer_closed()) co_return;
    auto more = co_await socket_->recv(UINT32_MAX, Deadline::never(), &reading_);
    if (!more || more->empty()) co_return;
    received = std::move(*more);
  }
}

Error Tunnel::end_of(const Error& error) const {
  const bool refused =
      error.code == Errc::tls && session_.role() == Role::client && !session_.peer_settings_seen();
  if (!refused) {
    log::debug("hbone::tunnel", "tunnel ended: {}", error.message());
    return kTunnelEnded;
  }
  // With TLS 1.3 the client's handshake is over before the server has looked at its certificate: a
  // refusal comes in place of the first frame. Another dial would only be refused again.
  log::warn("hbone::tunnel", "tunnel of {}: TLS failed: {}", account_.name,
            tls::last_tls_error_text());
  return error.from(ErrorSource::upstream);
}

coro::Task<void> Tunnel::say_why_and_linger(Error end) {
  // GOAWAY with the reason is queued: it goes out, then our end. Closing with bytes unread would
  // send a reset, which throws it away at the peer; so what still comes is read and dropped for a
  // moment.
  ended_ = true;
  fail_streams(end);
  farewell_ = true;
  request_flush();
  const Deadline deadline = loop_.after(kLinger);
  std::size_t dropped = 0;
  while (dropped < kLingerBytesMax) {
    auto more = co_await socket_->recv(UINT32_MAX, deadline, &reading_);
    if (!more || more->empty()) co_return;
    dropped += more->size();
  }
}

void Tunnel::measure_path(std::size_t received) {
  received_ += received;
  if (received_ < kMeasuredBytes) return;
  const MonoTime now = loop_.now();
  const auto took = std::chrono::duration<double>(now - measured_);
  const auto round_trip = io::shortest_round_trip(socket_->fd());
  if (round_trip && took.count() > 0) {
    const double rate = static_cast<double>(received_) / took.count();
    const double on_the_way = rate * std::chrono::duration<double>(*round_trip).count();
    const auto& config = config_of(session_.role());
    const double wanted = std::clamp<double>(
        kWindowRoundTrips * on_the_way, config.connection_window, config.connection_window_max);
    session_.limit_connection_window(static_cast<std::uint32_t>(wanted));
  }
  received_ = 0;
  measured_ = now;
}

void Tunnel::note_moved(std::size_t bytes) noexcept {
  loop_.courtesy().moved(bytes);
  moved_ += bytes;
  if (moved_ < kMeasuredBytes) return;
  const MonoTime now = loop_.now();
  if (now - moved_since_ < kBulkPace) bulk_until_ = now + kBulkMemory;
  moved_ = 0;
  moved_since_ = now;
}

Status Tunnel::feed(ByteView ciphertext) {
  measure_path(ciphertext.size());
  note_moved(ciphertext.size());
  const MutableBytes plain = scratch();
  std::size_t held = 0;
  bool more = true;
  while (more) {
    TRY(const std::size_t opened, records_->open(ciphertext, plain.subspan(held), sealed_));
    held += opened;
    more = opened > 0;
    // A record is at most 16 KiB: with less room than that the rest waits for the next turn.
    if (held > 0 && (!more || plain.size() - held < 16 * 1024 + 256)) {
      TRY_VOID(session_.receive(plain.first(held), loop_.now()));
      held = 0;
    }
  }
  if (!plain_.empty() || !sealed_.empty()) request_flush();
  return {};
}

void Tunnel::serve_requests() {
  // A handler may run up to its first wait here; requests that come meanwhile are served in the
  // next turn.
  std::vector<PendingRequest> requests;
  requests.swap(requests_);
  for (PendingRequest& pending : requests) {
    scope_.spawn(serve_(std::move(pending.stream), std::move(pending.request)));
  }
}

coro::Task<void> Tunnel::write_loop() {
  // Enough pieces for one call: the queue mark in blocks, and a margin.
  std::array<iovec, 16> pieces{};
  for (;;) {
    const Status sealed = seal_plain();
    if (sealed_.empty() || !sealed) {
      if (!sealed) close();
      if (farewell_ && !farewell_said_) {
        farewell_said_ = true;
        std::ignore = records_->close_notify(sealed_);
        continue;
      }
      if (farewell_said_) std::ignore = socket_->shutdown_write();
      const Status woken = co_await want_write_.wait(&scope_.cancel_source());
      if (!woken) co_return;
      continue;
    }
    const std::size_t count = sealed_.gather(pieces);
    const auto sent = socket_->try_send(std::span(pieces).first(count));
    if (!sent) {
      close();
      sealed_.clear();
      continue;
    }
    sealed_.consume(*sent);
    note_moved(*sent);
    if (has_room()) wake_waiters();
    if (*sent > 0) continue;
    const Status ready = co_await socket_->writable(Deadline::never(), &scope_.cancel_source());
    if (!ready) co_return;
  }
}

Status Tunnel::seal_plain() {
  while (!plain_.empty()) {
    const ByteView piece = plain_.front();
    TRY_VOID(records_->seal(std::span(&piece, 1), sealed_));
    plain_.consume(piece.size());
  }
  return {};
}

Status Tunnel::send_data(Stream& stream, io::Buffer bytes) {
  TRY_VOID(session_.write_data_header(stream, bytes, EndStream::no));
  request_flush();
  if (bytes.size() <= kPackMax) {
    plain_.append(bytes.view());
    return {};
  }
  TRY_VOID(seal_plain());
  const ByteView piece = bytes.view();
  return records_->seal(std::span(&piece, 1), sealed_);
}

coro::Task<void> Tunnel::keep_alive() {
  int unanswered = 0;
  for (;;) {
    const Status slept =
        co_await io::sleep_until(loop_, loop_.after(kPingInterval), &scope_.cancel_source());
    if (!slept) co_return;
    unanswered = ping_acked_ && session_.settings_acked() ? 0 : unanswered + 1;
    if (unanswered >= kPingsUnansweredMax) {
      log::warn("hbone::tunnel", "HBONE ping timeout");
      close();
      co_return;
    }
    ping_acked_ = false;
    session_.ping(++ping_sent_);
    request_flush();
  }
}

void Tunnel::drain() {
  if (draining_) return;
  draining_ = true;
  // Before run() nothing may be said: SETTINGS come first (RFC 9113 section 3.4).
  if (started_) begin_drain();
}

void Tunnel::begin_drain() {
  if (session_.role() == Role::server) {
    // Two steps (RFC 9113 section 6.8): streams that are under way when the peer hears the first
    // are still taken; the answer to this ping says that none is under way any more.
    session_.announce_shutdown();
    session_.ping(kDrainPing);
    request_flush();
  }
  farewell_if_idle();
}

void Tunnel::farewell_if_idle() {
  // The first GOAWAY is only the announcement: a request that is under way is still taken.
  const bool nothing_comes = session_.role() == Role::client || none_under_way_;
  if (draining_ && nothing_comes && streams_ == 0 && !ended_) begin_farewell();
}

void Tunnel::begin_farewell() {
  if (farewell_) return;
  farewell_ = true;
  request_flush();
  scope_.spawn(close_later());
}

coro::Task<void> Tunnel::close_later() {
  // What is queued goes out first, however slow the link: a peer that takes nothing more is found
  // by its unanswered pings.
  do {
    const Status slept =
        co_await io::sleep_until(loop_, loop_.after(kFarewell), &scope_.cancel_source());
    if (!slept) co_return;
  } while (!plain_.empty() || !sealed_.empty());
  close();
}

void Tunnel::close() {
  reading_.cancel();
}

bool Tunnel::can_open(std::size_t streams_max) const noexcept {
  return !ended_ && !draining_ && session_.open_streams() < streams_max && session_.can_open();
}

coro::Task<Result<std::unique_ptr<TunnelStream>>> Tunnel::open(ConnectRequest request,
                                                               Deadline deadline,
                                                               coro::CancelSource* cancel,
                                                               EarlyData* early) {
  if (ended_ || draining_)
    co_return std::unexpected(Error(Errc::closed, "tunnel ended").retryable());
  auto stream = std::unique_ptr<TunnelStream>(new TunnelStream(*this, nullptr));
  CO_TRY(stream->stream_, session_.open(request, stream.get()));
  request_flush();
  if (early != nullptr) early->begin(*stream);
  Status woken;
  while (woken && stream->response_ == nullptr && !stream->failed_) {
    if (early != nullptr) early->pass_on();
    woken = co_await io::wait_event(loop_, stream->readable_, deadline, cancel);
  }
  if (early != nullptr) early->end();
  if (!woken) co_return std::unexpected(woken.error());
  const auto response = std::move(stream->response_);
  if (response == nullptr) {
    Error error = *stream->failed_;
    // Who has seen the client's bytes may have acted on them: they are not said twice.
    const bool said = early != nullptr && early->sent() > 0;
    if (said && !stream->refused_unseen_) error.retry = Retry::no;
    co_return std::unexpected(error);
  }
  if (!response->ok()) {
    co_return std::unexpected(Error(Errc::http_status, ErrorSource::upstream, "opening the stream")
                                  .with_detail(response->status));
  }
  if (!stream->unsent_.empty()) {
    // First bytes that found the window shut: they leave only when somebody asks for more room, and
    // a copy that takes over the read from the client asks no sooner than that gives something.
    io::Expiry expiry(loop_, deadline, cancel);
    const auto room = co_await stream->writable(expiry.source());
    if (!room && room.error().code == Errc::cancelled)
      co_return std::unexpected(expiry.why(room.error()));
  }
  co_return std::move(stream);
}

}  // namespace aquifer::hbone
