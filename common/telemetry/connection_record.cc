#include "common/telemetry/connection_record.h"

#include "common/base/assert.h"

#include <utility>

namespace aquifer::telemetry {

ConnectionRecord::ConnectionRecord(TrafficMetrics& metrics, TrafficCounters counters,
                                   ConnectionLogPtr log, const SocketAddress& client, MonoTime now)
    : metrics_(&metrics),
      counters_(std::move(counters)),
      opened_at_(now),
      log_(std::move(log)),
      client_(client) {
  counters_.opened();
  log_opened(log_, client_);
}

ConnectionRecord::ConnectionRecord(ConnectionRecord&& other) noexcept
    : metrics_(std::exchange(other.metrics_, nullptr)),
      counters_(std::move(other.counters_)),
      observer_(std::exchange(other.observer_, nullptr)),
      pod_(std::exchange(other.pod_, nullptr)),
      opened_at_(other.opened_at_),
      from_client_(other.from_client_),
      to_client_(other.to_client_),
      log_(std::move(other.log_)),
      client_(other.client_) {}

ConnectionRecord::~ConnectionRecord() {
  // Nobody is left to hand us the loop's time.
  if (metrics_ != nullptr) fail(Clock::now(), ResponseFlag::connect, kDrained);
}

void ConnectionRecord::turn_to(ResponseFlag flag, TrafficCounters counters, ConnectionLogPtr log) {
  AQUIFER_ASSERT(metrics_ != nullptr && from_client_ == 0 && to_client_ == 0);
  TrafficCounters flagged = metrics_->with_flag(counters_, flag);
  flagged.closed();
  flagged.failed();
  counters_ = std::move(counters);
  counters_.opened();
  log_ = std::move(log);
}

void ConnectionRecord::succeed(MonoTime now) {
  counters_.closed();
  end(now, ResponseFlag::none, {});
}

void ConnectionRecord::fail(MonoTime now, ResponseFlag flag, std::string error) {
  AQUIFER_ASSERT(metrics_ != nullptr);
  TrafficCounters flagged = metrics_->with_flag(counters_, flag);
  flagged.closed();
  flagged.failed();
  end(now, flag, std::move(error));
}

void ConnectionRecord::end(MonoTime now, ResponseFlag flag, std::string error) {
  AQUIFER_ASSERT(metrics_ != nullptr);
  metrics_ = nullptr;
  if (observer_ != nullptr) observer_->on_end(flag, error);
  ConnectionEnd end{.bytes_sent = from_client_,
                    .bytes_recv = to_client_,
                    .duration = now - opened_at_,
                    .error = std::move(error)};
  if (flag == ResponseFlag::deny) {
    end.outcome = Outcome::denied;
  } else if (!end.error.empty()) {
    end.outcome = Outcome::failed;
  }
  // The log speaks from this node's side: inbound, what the local application said back is "sent".
  if (!outbound()) std::swap(end.bytes_sent, end.bytes_recv);
  log_complete(std::move(log_), client_, std::move(end));
}

}  // namespace aquifer::telemetry
