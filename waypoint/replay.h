// The beginning of a request's body, kept so that another try can send it again. Owned by the
// exchange.
#pragma once

#include "common/base/bytes.h"
#include "common/io/chunk_queue.h"

#include <cstddef>
#include <string>

namespace aquifer::waypoint {

class Replay {
 public:
  // What Envoy buffers for retries by default is 1 MiB; requests worth a retry are small, and a
  // thousand of them at once must not cost a GiB.
  static constexpr std::size_t kBytesMax = 64 * 1024;

  /// Keeps a copy of what goes out. Once more came than is kept, nothing is, and no other try can
  /// be made.
  void add(ByteView bytes) {
    if (overflowed_) return;
    if (kept_.size() + bytes.size() > kBytesMax) {
      overflowed_ = true;
      kept_ = std::string();
      return;
    }
    kept_.append(as_text(bytes));
  }
  /// The answer has begun, or no retry is wanted: nothing more need be kept.
  void give_up() {
    overflowed_ = true;
    kept_ = std::string();
  }
  [[nodiscard]] bool can_replay() const noexcept { return !overflowed_; }
  [[nodiscard]] ByteView bytes() const noexcept { return as_bytes(kept_); }

 private:
  std::string kept_;
  bool overflowed_ = false;
};

}  // namespace aquifer::waypoint
