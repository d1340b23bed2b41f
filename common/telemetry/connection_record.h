// What is told about one connection: its traffic metrics and its line in the access log, from open
// to end. Owned by the connection, used on its loop.
#pragma once

#include "common/base/time.h"
#include "common/io/copy_counter.h"
#include "common/telemetry/access_log.h"
#include "common/telemetry/traffic_metrics.h"

#include <cstdint>
#include <string>

namespace aquifer::telemetry {

/// What the connections of one pod moved: plain numbers of its loop.
struct PodBytes {
  std::uint64_t sent = 0;  ///< by the pod
  std::uint64_t received = 0;
};

/// Told when a connection's end is told.
class EndObserver {
 public:
  /// `error` is empty when it ended well.
  virtual void on_end(ResponseFlag flag, const std::string& error) noexcept = 0;

 protected:
  ~EndObserver() = default;
};

/// Made when the destination is known; told how it ended by succeed() or fail(), once. One that is
/// destroyed untold was cut by a drain and says so. Ends that are only rude (a reset, an unexpected
/// end of stream while copying) succeed.
class ConnectionRecord final : public io::CopyCounter {
 public:
  /// What the log says of a connection that was cut by a drain.
  static constexpr const char* kDrained = "connection closed due to connection drain";

  /// Counts the opening in `counters`, which are of `metrics`, and logs it. `metrics` outlives the
  /// record.
  ConnectionRecord(TrafficMetrics& metrics, TrafficCounters counters, ConnectionLogPtr log,
                   const SocketAddress& client, MonoTime now);
  ConnectionRecord(ConnectionRecord&& other) noexcept;
  ConnectionRecord& operator=(ConnectionRecord&&) = delete;
  ConnectionRecord(const ConnectionRecord&) = delete;
  ConnectionRecord& operator=(const ConnectionRecord&) = delete;
  ~ConnectionRecord();

  /// Bytes as they pass: the metrics grow during the connection.
  void from_client(std::uint64_t bytes) noexcept override {
    from_client_ += bytes;
    if (pod_ != nullptr) (outbound() ? pod_->sent : pod_->received) += bytes;
    counters_.from_client(bytes);
  }
  void to_client(std::uint64_t bytes) noexcept override {
    to_client_ += bytes;
    if (pod_ != nullptr) (outbound() ? pod_->received : pod_->sent) += bytes;
    counters_.to_client(bytes);
  }
  [[nodiscard]] std::uint64_t bytes_from_client() const noexcept { return from_client_; }
  [[nodiscard]] std::uint64_t bytes_to_client() const noexcept { return to_client_; }
  [[nodiscard]] const ConnectionLog& log() const noexcept { return *log_; }
  [[nodiscard]] const SocketAddress& client() const noexcept { return client_; }
  [[nodiscard]] MonoTime opened_at() const noexcept { return opened_at_; }

  /// Before any byte: the destination did not answer (`flag` is what the metrics say of it), and
  /// the connection goes to another. Each destination is counted for itself; the log's one line
  /// will name the last.
  void turn_to(ResponseFlag flag, TrafficCounters counters, ConnectionLogPtr log);
  /// The same connection with more known: the destination's addresses.
  void set_log(ConnectionLogPtr log) noexcept { log_ = std::move(log); }

  /// Both may be null, and outlive the record or are taken back.
  void watch(EndObserver* observer, PodBytes* pod) noexcept {
    observer_ = observer;
    pod_ = pod;
  }
  void succeed(MonoTime now);
  /// `error` is what the log says; the flag is what the metrics say.
  void fail(MonoTime now, ResponseFlag flag, std::string error);

 private:
  void end(MonoTime now, ResponseFlag flag, std::string error);
  [[nodiscard]] bool outbound() const noexcept { return log_->direction == Direction::outbound; }

  TrafficMetrics* metrics_;  // null once it was told how it ended
  TrafficCounters counters_;
  EndObserver* observer_ = nullptr;
  PodBytes* pod_ = nullptr;
  MonoTime opened_at_;
  std::uint64_t from_client_ = 0;
  std::uint64_t to_client_ = 0;
  ConnectionLogPtr log_;
  SocketAddress client_;
};

}  // namespace aquifer::telemetry
