// A lease: what begins and ends with a request at an endpoint.
#include "common/base/assert.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/endpoint.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {

Lease::Lease(std::shared_ptr<Cluster> cluster, EndpointPtr endpoint, MonoTime now) noexcept
    : cluster_(std::move(cluster)), endpoint_(std::move(endpoint)), began_(now) {
  AQUIFER_DEBUG_ASSERT(cluster_ != nullptr && endpoint_ != nullptr);
  ++endpoint_->active;
}

Lease::Lease(Lease&& other) noexcept
    : cluster_(std::move(other.cluster_)),
      endpoint_(std::move(other.endpoint_)),
      began_(other.began_),
      answered_(other.answered_),
      told_(other.told_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release();
  cluster_ = std::move(other.cluster_);
  endpoint_ = std::move(other.endpoint_);
  began_ = other.began_;
  answered_ = other.answered_;
  told_ = other.told_;
  return *this;
}

Lease::~Lease() {
  release();
}

void Lease::answer_began(MonoTime now) noexcept {
  answered_ = std::min(answered_, now);
}

void Lease::done(MonoTime now, Outcome outcome, int status) {
  AQUIFER_ASSERT(endpoint_ != nullptr);
  if (std::exchange(told_, true)) return;
  Endpoint* current = endpoint_.get();
  while (current->successor != nullptr) current = current->successor.get();
  const Duration latency = std::min(answered_, now) - began_;
  cluster_->finished(*current, latency, now, outcome, status);
}

void Lease::release() noexcept {
  for (Endpoint* each = endpoint_.get(); each != nullptr; each = each->successor.get())
    --each->active;
  endpoint_.reset();
  cluster_.reset();
}

}  // namespace aquifer::waypoint
