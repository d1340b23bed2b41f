// LoopCerts: one loop's own copy of the node's certificates, so that a connection looks its
// identity up without a lock or an atomic. The control thread posts CertUpdates to the loop;
// everything here runs on the loop's thread.
#pragma once

#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/event.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "config/ca/workload_cert.h"

#include <expected>
#include <unordered_map>
#include <vector>

namespace aquifer::ca {

class LoopCerts {
 public:
  LoopCerts() = default;
  LoopCerts(const LoopCerts&) = delete;
  LoopCerts& operator=(const LoopCerts&) = delete;
  ~LoopCerts();

  /// A change, from a message: wakes whoever waits for this identity.
  void apply(const CertUpdate& update);

  /// The current certificate, or null.
  [[nodiscard]] WorkloadCertPtr find(const SpiffeId& identity) const;

  /// The certificate; while it is on its way, waits for it until `deadline` (Errc::timed_out, then
  /// blamed on identity by its context). A failed fetch is told at once: the peer should hear it
  /// now, not after a time-out.
  [[nodiscard]] coro::Task<Result<WorkloadCertPtr>> get(io::Loop& loop, SpiffeId identity,
                                                        Deadline deadline,
                                                        coro::CancelSource* cancel);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Waiter {
    const SpiffeId* identity;
    coro::Event* event;
  };
  std::unordered_map<SpiffeId, std::expected<WorkloadCertPtr, Error>> entries_;
  // Short and short-lived: only connections that came before their certificate.
  std::vector<Waiter> waiters_;
};

}  // namespace aquifer::ca
