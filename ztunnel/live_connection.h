// One connection whose context is known, from there to its end: its record, and what others may do
// with it: look (the dump, `flows`) and end it (a policy that changed). While its upstream is being
// found the function that serves it owns it; once bytes flow nobody waits for it, and it owns
// itself and its streams, in the scope of its pod's connections. On the pod's loop.
#pragma once

#include "common/base/time.h"
#include "common/coro/scope.h"
#include "common/io/copy.h"
#include "common/telemetry/connection_record.h"
#include "ztunnel/connection_kind.h"
#include "ztunnel/judge.h"
#include "ztunnel/pod_flows.h"

#include <cstddef>
#include <memory>
#include <optional>

namespace aquifer::ztunnel {

class LiveConnection;

/// The open connections of one pod, newest first.
class LiveConnections {
 public:
  /// All outlive it. `flows` hears of each connection; `scope` is cancelled to cut them, and joined
  /// to wait for them.
  LiveConnections(io::Loop& loop, telemetry::TrafficMetrics& traffic, PodFlows& flows,
                  coro::Scope& scope) noexcept
      : loop_(loop), traffic_(traffic), flows_(flows), scope_(scope) {}
  LiveConnections(const LiveConnections&) = delete;
  LiveConnections& operator=(const LiveConnections&) = delete;
  ~LiveConnections() { AQUIFER_ASSERT(first_ == nullptr); }

  /// `use(LiveConnection&)` may cut connections; none goes away before the loop's next turn.
  template <typename Use>
  void for_each(Use&& use);
  template <typename Use>
  void for_each(Use&& use) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const PodFlows& flows() const noexcept { return flows_; }

 private:
  friend class LiveConnection;
  io::Loop& loop_;
  telemetry::TrafficMetrics& traffic_;
  PodFlows& flows_;
  coro::Scope& scope_;
  LiveConnection* first_ = nullptr;
  std::size_t size_ = 0;
};

class LiveConnection final : telemetry::EndObserver, io::CopyOwner {
 public:
  /// Opens its record. `list` outlives it.
  LiveConnection(LiveConnections& list, ConnectionKindPtr kind, const SocketAddress& client);
  ~LiveConnection();
  LiveConnection(const LiveConnection&) = delete;
  LiveConnection& operator=(const LiveConnection&) = delete;

  /// Its destination's addresses became known.
  void set_kind(ConnectionKindPtr kind) noexcept;
  /// Its destination failed with `flag`, before any byte: it goes to that of `kind`.
  void turn_to(telemetry::ResponseFlag flag, ConnectionKindPtr kind);

  /// It may not be served: told to the record, and remembered with all that is known of why.
  void refuse(const Refusal& refusal);
  /// It cannot be served: told to the record.
  void fail(telemetry::ResponseFlag flag, std::string error);
  /// It ended well before there was anything to copy.
  void succeed();

  /// The bytes begin to flow: from now on it owns itself, until both directions have ended. One
  /// that was cut before ends at once. `socket` counts the client's; `read_under_way` is
  /// Copy::start()'s.
  static void run(std::unique_ptr<LiveConnection> connection,
                  std::unique_ptr<io::ByteStream> client, std::unique_ptr<io::ByteStream> server,
                  telemetry::GaugeHold socket = {}, std::size_t read_under_way = 0);

  /// The same where another loop copies and has the streams: cancelling `ending`, which outlives
  /// this, asks for the end, and finish() tells it.
  void run_elsewhere(coro::CancelSource& ending);
  void finish(io::CopyEnd end);

  /// Ends it, soon; `reason` (a literal) is what its log line says, `refusal` who is to blame. The
  /// first reason counts.
  void cut(const char* reason, const Refusal& refusal);

  /// What it has in common with others; the client's port is the record's.
  [[nodiscard]] const ConnectionFacts& facts() const noexcept { return kind_->facts; }
  [[nodiscard]] const telemetry::ConnectionRecord& record() const noexcept { return record_; }
  [[nodiscard]] telemetry::ConnectionRecord& record() noexcept { return record_; }

  /// Do bytes flow?
  [[nodiscard]] bool is_open() const noexcept { return copy_.has_value() || elsewhere_ != nullptr; }

 private:
  friend class LiveConnections;
  void on_end(telemetry::ResponseFlag flag, const std::string& error) noexcept override;
  void on_copy_end(io::CopyEnd end) noexcept override;

  LiveConnections& list_;
  LiveConnection* next_ = nullptr;
  LiveConnection* previous_ = nullptr;
  const coro::Scope::Member member_;
  ConnectionKindPtr kind_;
  // Null for nearly all.
  std::unique_ptr<const Refusal> refusal_;
  const char* cut_reason_ = nullptr;
  coro::CancelSource* elsewhere_ = nullptr;
  bool ended_ = false;
  telemetry::GaugeHold socket_;
  telemetry::ConnectionRecord record_;
  std::unique_ptr<io::ByteStream> client_;
  std::unique_ptr<io::ByteStream> server_;
  std::optional<io::Copy> copy_;
};

template <typename Use>
void LiveConnections::for_each(Use&& use) {
  for (LiveConnection* at = first_; at != nullptr; at = at->next_) use(*at);
}

template <typename Use>
void LiveConnections::for_each(Use&& use) const {
  for (const LiveConnection* at = first_; at != nullptr; at = at->next_) use(*at);
}

}  // namespace aquifer::ztunnel
