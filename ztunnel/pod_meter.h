// PodMeter: publishes what one pod costs. The numbers are plain ones of the pod's loop; they are
// carried over to the metrics whenever the loop's CPU time is divided (work_meter.h), which happens
// within 100 ms of any work for the pod. On the pod's loop.
#pragma once

#include "common/coro/work_meter.h"
#include "common/io/account.h"
#include "common/telemetry/pod_metrics.h"
#include "ztunnel/live_connection.h"

#include <array>
#include <cstdint>

namespace aquifer::ztunnel {

class PodMeter : coro::WorkShare {
 public:
  /// Both outlive it.
  PodMeter(telemetry::PodSeries series, const io::Account& account,
           const LiveConnections& live) noexcept;
  /// What is open then is over: its gauges go back.
  ~PodMeter();
  PodMeter(const PodMeter&) = delete;
  PodMeter& operator=(const PodMeter&) = delete;

  [[nodiscard]] coro::WorkShare& share() noexcept { return *this; }

 private:
  using Numbers = std::array<std::int64_t, telemetry::kMetricsPerGroupMax>;
  static void on_settled(coro::WorkShare& share) noexcept;
  void publish(const Numbers& traffic, const Numbers& cost) noexcept;
  [[nodiscard]] Numbers traffic_now() const noexcept;
  [[nodiscard]] Numbers cost_now() const noexcept;

  telemetry::PodSeries series_;
  const io::Account& account_;
  const LiveConnections& live_;
  // What was published: differences are added, since a pod that comes back shares its series with
  // its former proxy for a while.
  Numbers traffic_{};
  Numbers cost_{};
};

}  // namespace aquifer::ztunnel
