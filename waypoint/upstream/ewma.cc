// The balancer that goes by latency, and the mean it goes by.
#include "waypoint/upstream/ewma.h"

#include "waypoint/upstream/balancer.h"
#include "waypoint/upstream/lottery.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace aquifer::waypoint {
namespace {

// Linkerd's figures: how long a latency counts, and what is believed of a newcomer.
constexpr double kDecayNs = 10e9;
constexpr double kUnknownNs = 30e6;

double kept_after(const Endpoint& endpoint, MonoTime now) noexcept {
  const auto age = std::chrono::duration<double, std::nano>(now - endpoint.latency_told).count();
  return age <= 0 ? 1 : std::exp(-age / kDecayNs);
}

bool is_unknown(const Endpoint& endpoint) noexcept {
  return endpoint.latency_told == MonoTime{};
}

class Ewma final : public Balancer {
 public:
  void usable_changed(EndpointSpan usable, PickContext& /*context*/) override {
    lottery_.fill(usable);
  }
  Endpoint* pick(PickContext& context) override {
    Endpoint* first = lottery_.draw(context);
    if (first == nullptr) return nullptr;
    Endpoint* second = lottery_.draw_other(context, first);
    if (second == first) return first;
    return latency_cost(*second, context.now) < latency_cost(*first, context.now) ? second : first;
  }

 private:
  Lottery lottery_;
};

}  // namespace

void note_latency(Endpoint& endpoint, Duration latency, MonoTime now) noexcept {
  const double sample = std::max(std::chrono::duration<double, std::nano>(latency).count(), 0.0);
  const double kept = kept_after(endpoint, now);
  const double mean = endpoint.latency_ewma * kept;
  endpoint.latency_ewma =
      is_unknown(endpoint) || sample > mean ? sample : mean + sample * (1 - kept);
  endpoint.latency_told = now;
}

// Forgets towards zero: one that was slow, and therefore got nothing, is tried again in time.
double latency_of(const Endpoint& endpoint, MonoTime now) noexcept {
  return is_unknown(endpoint) ? kUnknownNs : endpoint.latency_ewma * kept_after(endpoint, now);
}

double latency_cost(const Endpoint& endpoint, MonoTime now) noexcept {
  return latency_of(endpoint, now) * (endpoint.active + 1.0);
}

std::unique_ptr<Balancer> make_ewma() {
  return std::make_unique<Ewma>();
}

}  // namespace aquifer::waypoint
