#include "config/ca/loop_certs.h"

#include "common/base/assert.h"

#include <algorithm>
#include <utility>

namespace aquifer::ca {

LoopCerts::~LoopCerts() {
  AQUIFER_ASSERT(waiters_.empty());
}

void LoopCerts::apply(const CertUpdate& update) {
  const bool forgotten = update.state && *update.state == nullptr;
  if (forgotten) {
    entries_.erase(update.identity);
    return;
  }
  entries_.insert_or_assign(update.identity, update.state);
  for (const Waiter& waiter : waiters_) {
    if (*waiter.identity == update.identity) waiter.event->notify();
  }
}

WorkloadCertPtr LoopCerts::find(const SpiffeId& identity) const {
  const auto found = entries_.find(identity);
  return found != entries_.end() && found->second ? *found->second : nullptr;
}

coro::Task<Result<WorkloadCertPtr>> LoopCerts::get(io::Loop& loop, SpiffeId identity,
                                                   Deadline deadline, coro::CancelSource* cancel) {
  while (true) {
    if (const auto found = entries_.find(identity); found != entries_.end())
      co_return found->second;
    coro::Event arrived;
    waiters_.push_back({&identity, &arrived});
    const Status woken = co_await io::wait_event(loop, arrived, deadline, cancel);
    std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.event == &arrived; });
    if (!woken) co_return fail(woken.error().in("waiting for a certificate"));
  }
}

}  // namespace aquifer::ca
