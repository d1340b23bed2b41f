#include "ztunnel/pod_meter.h"

namespace aquifer::ztunnel {
namespace {

using telemetry::PodSeries;

template <typename Numbers>
void add_difference(telemetry::Series& series, Numbers& published, const Numbers& now) noexcept {
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now[i] != published[i])
      series.values[i].fetch_add(now[i] - published[i], std::memory_order_relaxed);
  }
  published = now;
}

}  // namespace

PodMeter::PodMeter(PodSeries series, const io::Account& account,
                   const LiveConnections& live) noexcept
    : WorkShare(&PodMeter::on_settled),
      series_(std::move(series)),
      account_(account),
      live_(live) {}

PodMeter::~PodMeter() {
  leave();
  Numbers traffic = traffic_now();
  Numbers cost = cost_now();
  traffic[PodSeries::kOpen] = 0;
  cost[PodSeries::kQueuedBytes] = 0;
  cost[PodSeries::kTunnels] = 0;
  publish(traffic, cost);
}

void PodMeter::on_settled(coro::WorkShare& share) noexcept {
  auto& self = static_cast<PodMeter&>(share);
  self.publish(self.traffic_now(), self.cost_now());
}

void PodMeter::publish(const Numbers& traffic, const Numbers& cost) noexcept {
  add_difference(*series_.traffic, traffic_, traffic);
  add_difference(*series_.cost, cost_, cost);
}

PodMeter::Numbers PodMeter::traffic_now() const noexcept {
  const PodFlows::Counts& counts = live_.flows().counts;
  Numbers now{};
  now[PodSeries::kOpened] = static_cast<std::int64_t>(counts.opened);
  now[PodSeries::kOpen] = static_cast<std::int64_t>(live_.size());
  now[PodSeries::kSent] = static_cast<std::int64_t>(counts.bytes.sent);
  now[PodSeries::kReceived] = static_cast<std::int64_t>(counts.bytes.received);
  now[PodSeries::kRefused] = static_cast<std::int64_t>(counts.refused);
  return now;
}

PodMeter::Numbers PodMeter::cost_now() const noexcept {
  Numbers now{};
  now[PodSeries::kCpuNanoseconds] = cpu().count();
  now[PodSeries::kQueuedBytes] = static_cast<std::int64_t>(account_.queued_bytes);
  // Every tunnel owns queues of its account.
  now[PodSeries::kTunnels] = static_cast<std::int64_t>(account_.queue_owners.size());
  return now;
}

}  // namespace aquifer::ztunnel
