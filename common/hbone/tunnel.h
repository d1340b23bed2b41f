// Tunnel: one TLS connection that carries CONNECT streams, on its loop. Both roles. It moves bytes
// between the socket, the record layer and the session; what a stream means is its user's business
// (TunnelStream).
#pragma once

#include "common/coro/event.h"
#include "common/coro/scope.h"
#include "common/hbone/early_data.h"
#include "common/hbone/session.h"
#include "common/hbone/tunnel_stream.h"
#include "common/io/account.h"
#include "common/io/chunk_queue.h"
#include "common/io/socket.h"
#include "common/tls/connect.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace aquifer::hbone {

/// Server: called for each CONNECT. The task runs in the tunnel's scope and owns the stream.
using ServeConnect = std::function<coro::Task<void>(std::unique_ptr<TunnelStream>, ConnectRequest)>;

class Tunnel final : SessionEvents, io::QueueOwner {
 public:
  /// Takes the connection over after its handshake (`established` says who the peer is). `account`
  /// pays for what the tunnel queues and outlives it. `serve` is empty for a client.
  Tunnel(std::unique_ptr<io::Socket> socket, tls::SecuredConnection secured, Role role,
         io::Account& account, ServeConnect serve);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  /// The life of the tunnel: completes when the connection is over and every stream was given back.
  [[nodiscard]] coro::Task<void> run();

  /// Client: asks for a stream and waits for the answer: Errc::http_status for anything but 200.
  /// Errors that are Retry::yes were never looked at by the peer, or had nothing to be looked at.
  /// `early` (may be null) is sent behind the request, without waiting for the answer; the stream
  /// that is returned has all of it on its way.
  [[nodiscard]] coro::Task<Result<std::unique_ptr<TunnelStream>>> open(ConnectRequest request,
                                                                       Deadline deadline,
                                                                       coro::CancelSource* cancel,
                                                                       EarlyData* early = nullptr);
  /// Client: may open() find a place now?
  [[nodiscard]] bool can_open(std::size_t streams_max) const noexcept;
  /// Has it moved much just now? Who opens a stream for little had better take another.
  [[nodiscard]] bool carries_bulk() const noexcept { return loop_.now() < bulk_until_; }
  /// Streams that somebody holds.
  [[nodiscard]] std::size_t streams() const noexcept { return streams_; }
  [[nodiscard]] const tls::PeerInfo& peer() const noexcept { return peer_; }
  [[nodiscard]] io::Socket& socket() noexcept { return *socket_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }

  /// No new streams; those that are open go on; then the connection is closed (RFC 9113
  /// section 6.8).
  void drain();
  /// Ends now: every stream fails.
  void close();

 private:
  friend class TunnelStream;

  // SessionEvents
  void on_request(Stream& stream, ConnectRequest&& request) override;
  void on_response(Stream& stream, ConnectResponse&& response) override;
  [[nodiscard]] std::size_t on_data(Stream& stream, ByteView payload) override;
  void on_end_stream(Stream& stream) override;
  void on_reset(Stream& stream, ErrorCode code) override;
  void on_window(Stream& stream) override;
  void on_connection_window() override;
  void on_goaway(std::uint32_t last_id, ErrorCode code) override;
  void on_ping_ack(std::uint64_t opaque) override;

  // io::QueueOwner
  [[nodiscard]] std::size_t largest_queue() noexcept override;
  void shed_largest() noexcept override;

  coro::Task<void> read_loop();
  /// What the streams are told of an error in what was received.
  [[nodiscard]] Error end_of(const Error& error) const;
  coro::Task<void> say_why_and_linger(Error end);
  coro::Task<void> write_loop();
  coro::Task<void> keep_alive();
  coro::Task<void> close_later();
  /// Server: asks the peer to open no more streams.
  void begin_drain();
  /// Nothing more will be opened or said: flush, close_notify, FIN, and a bounded wait for the
  /// peer's.
  void begin_farewell();
  void farewell_if_idle();
  [[nodiscard]] Status feed(ByteView ciphertext);
  /// Learns from time to time what the path carries, and bounds what may be on its way by that.
  void measure_path(std::size_t received);
  void note_moved(std::size_t bytes) noexcept;
  void serve_requests();
  void enforce_budget();
  void fail_streams(Error end);

  // For TunnelStream.
  /// For a stream that sends little, also beyond the mark: it need not wait behind bulk.
  [[nodiscard]] bool has_room_for_little() const noexcept {
    return sealed_.size() + plain_.size() < 2 * kQueueMark;
  }
  [[nodiscard]] bool has_room() const noexcept { return room() > 0; }
  [[nodiscard]] std::size_t room() const noexcept;
  [[nodiscard]] Status send_data(Stream& stream, io::Buffer bytes);
  void wait_for_room(TunnelStream& stream);
  void forget_waiter(TunnelStream& stream) noexcept;
  void wake_waiters() noexcept;
  void wake_first_waiter() noexcept;
  void request_flush() noexcept { want_write_.notify(); }
  [[nodiscard]] Status seal_plain();
  void stream_gone() noexcept;
  void took_from_inbox(Stream& stream, std::size_t bytes);

  // Sealed bytes waiting for the socket, past which streams wait with their next chunk: two large
  // chunks keep the socket busy while the next one is read. Beside small messages it is one, so
  // that none of them waits longer than for that.
  static constexpr std::size_t kQueueMark = 256 * 1024;
  static constexpr std::size_t kQueueMarkBesideLittle = 128 * 1024;
  // The ping that ends the first step of a graceful shutdown; the others count up from 1.
  static constexpr std::uint64_t kDrainPing = ~std::uint64_t{0};
  // Frames up to this size are copied together, so that several share a TLS record; larger ones are
  // sealed in place.
  static constexpr std::size_t kPackMax = 4096;

  std::unique_ptr<io::Socket> socket_;
  io::Loop& loop_;
  io::Account& account_;
  ServeConnect serve_;
  std::unique_ptr<tls::RecordLayer> records_;
  io::Buffer unread_;  // came behind the handshake, opened first
  tls::PeerInfo peer_;
  io::ChunkQueue plain_;
  io::ChunkQueue sealed_;
  Session session_;

  struct PendingRequest {
    std::unique_ptr<TunnelStream> stream;
    ConnectRequest request;
  };
  std::vector<PendingRequest> requests_;
  std::deque<TunnelStream*> room_waiters_;
  std::size_t streams_ = 0;
  coro::Event want_write_;
  coro::Event streams_gone_;
  coro::CancelSource reading_;
  bool ended_ = false;
  bool draining_ = false;  // opens no streams (client), or asked the peer to open none (server)
  bool none_under_way_ = false;  // server: the peer has heard that it drains
  bool started_ = false;
  bool farewell_ = false;
  bool farewell_said_ = false;
  bool ping_acked_ = true;
  std::size_t received_ = 0;  // since `measured_`
  MonoTime measured_{};
  std::size_t moved_ = 0;  // both ways, since `moved_since_`
  MonoTime moved_since_{};
  MonoTime bulk_until_{};
  std::uint64_t ping_sent_ = 0;
  coro::Scope scope_;
};

}  // namespace aquifer::hbone
