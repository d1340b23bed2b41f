// CancelLink: passes a cancellation on to a scope inside.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/scope.h"

namespace aquifer::coro {

/// While it lives, a cancellation of `outer` cancels `scope`; at once if it already happened.
class CancelLink : CancelHook {
 public:
  CancelLink(CancelSource& outer, Scope& scope) noexcept
      : CancelHook(&CancelLink::on_cancel), scope_(scope) {
    if (outer.cancelled()) {
      scope.cancel();
    } else {
      outer.add(*this);
    }
  }

 private:
  static void on_cancel(CancelHook& hook) noexcept {
    static_cast<CancelLink&>(hook).scope_.cancel();
  }
  Scope& scope_;
};

}  // namespace aquifer::coro
