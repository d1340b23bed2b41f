// What is told about one connection: its traffic metrics and its line in the access log, from open
// to end. Owned by the connection, used on its loop.
#pragma once

#include "common/base/time.h"
#include "common/telemetry/access_log.h"
#include "common/telemetry/traffic_metrics.h"

#include <cstdint>
#include <string>

namespace aquifer::telemetry {

/// Made when the destination is known; told how it ended by succeed() or fail(), once. One that is
/// destroyed untold was cut by a drain and says so. Ends that are only rude (a reset, an unexpected
/// end of stream while copying) succeed.
class ConnectionRecord {
 public:
  /// Counts the opening and logs it. `metrics` outlives the record.
  ConnectionRecord(TrafficMetrics& metrics, const TrafficLabels& labels, ConnectionLog log,
                   MonoTime now);
  ConnectionRecord(ConnectionRecord&& other) noexcept;
  ConnectionRecord& operator=(ConnectionRecord&&) = delete;
  ConnectionRecord(const ConnectionRecord&) = delete;
  ConnectionRecord& operator=(const ConnectionRecord&) = delete;
  ~ConnectionRecord();

  /// Bytes as they pass: the metrics grow during the connection.
  void from_client(std::uint64_t bytes) noexcept {
    from_client_ += bytes;
    counters_.from_client(bytes);
  }
  void to_client(std::uint64_t bytes) noexcept {
    to_client_ += bytes;
    counters_.to_client(bytes);
  }
  [[nodiscard]] std::uint64_t bytes_from_client() const noexcept { return from_client_; }
  [[nodiscard]] std::uint64_t bytes_to_client() const noexcept { return to_client_; }
  [[nodiscard]] const ConnectionLog& log() const noexcept { return log_; }
  [[nodiscard]] MonoTime opened_at() const noexcept { return opened_at_; }

  /// Before any byte: the destination did not answer (`flag` is what the metrics say of it), and
  /// the connection goes to another. Each destination is counted for itself; the log's one line
  /// will name the last.
  void turn_to(ResponseFlag flag, const TrafficLabels& labels, ConnectionLog log);

  void succeed(MonoTime now);
  /// `error` is what the log says; the flag is what the metrics say.
  void fail(MonoTime now, ResponseFlag flag, std::string error);

 private:
  void end(MonoTime now, std::string error);

  TrafficMetrics* metrics_;  // null once it was told how it ended
  TrafficCounters counters_;
  MonoTime opened_at_;
  std::uint64_t from_client_ = 0;
  std::uint64_t to_client_ = 0;
  ConnectionLog log_;
};

}  // namespace aquifer::telemetry
