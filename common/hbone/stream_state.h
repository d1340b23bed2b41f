// One stream of a session: the protocol's view of it. The tunnel's view hangs on `user`.
#pragma once

#include "common/hbone/flow_control.h"
#include "common/hbone/frame.h"

#include <cstdint>

namespace aquifer::hbone {

/// Owned by its Session; the address is stable until Session::release(). Belongs to the session's
/// thread.
class Stream {
 public:
  /// The owner's; the session never reads it. Null after a restore.
  void* user = nullptr;

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  /// We sent END_STREAM.
  [[nodiscard]] bool local_ended() const noexcept { return local_ended_; }
  /// The peer sent END_STREAM.
  [[nodiscard]] bool remote_ended() const noexcept { return remote_ended_; }
  /// RST_STREAM went one way or the other, or GOAWAY refused it.
  [[nodiscard]] bool is_reset() const noexcept { return reset_; }
  /// Neither side will send any more (the closed state of RFC 9113 section 5.1).
  [[nodiscard]] bool closed() const noexcept { return reset_ || (local_ended_ && remote_ended_); }
  /// Server: respond() or refuse() was called. Client: the final answer is there.
  [[nodiscard]] bool answered() const noexcept { return answered_; }
  /// Bytes in the owner's inbox.
  [[nodiscard]] std::uint32_t undrained() const noexcept { return receive_.undrained(); }
  /// What we let the peer have under way at most, grown by use.
  [[nodiscard]] std::uint32_t receive_target() const noexcept { return receive_.target(); }

 private:
  friend class Session;
  explicit Stream(std::uint32_t id) noexcept : id_(id) {}

  SendWindow send_;
  StreamReceiveWindow receive_;
  // Of a request that is no CONNECT: payload bytes it still owes (-1: it did not say).
  std::int64_t content_left_ = -1;
  std::uint32_t id_;
  bool local_ended_ : 1 = false;
  bool remote_ended_ : 1 = false;
  bool reset_ : 1 = false;
  bool answered_ : 1 = false;
  // Answered 400 by the session itself; the owner never saw it.
  bool internal_ : 1 = false;
  // The owner called release() from inside an event; gone when receive() returns.
  bool released_ : 1 = false;
};

}  // namespace aquifer::hbone
