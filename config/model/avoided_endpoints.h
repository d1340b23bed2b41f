// Endpoints that kept failing of late, to be chosen only if nothing else is left. A plain value
// with a size limit; the time is handed in. Each pod's proxy has one.
#pragma once

#include "common/base/time.h"
#include "config/model/service.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace aquifer::model {

class AvoidedEndpoints {
 public:
  /// More failing endpoints than this at once are an outage, which avoiding does not help; 64 bytes
  /// each.
  static constexpr std::size_t kEndpointsMax = 1024;
  /// One failure may be chance, and the connection that met it went elsewhere.
  static constexpr std::uint32_t kFailuresToAvoid = 2;
  /// Doubled with every further failure, up to the most.
  static constexpr Duration kFirstPause = std::chrono::seconds(1);
  static constexpr Duration kLongestPause = std::chrono::seconds(30);
  /// A failure is forgotten after this long without another.
  static constexpr Duration kMemory = std::chrono::seconds(60);

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] bool contains(EndpointId endpoint, MonoTime now) const noexcept;

  void failed(EndpointId endpoint, MonoTime now);
  /// It works again: nothing is held against it.
  void succeeded(EndpointId endpoint) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::uint32_t failures = 0;
    MonoTime last_failure;
    MonoTime avoid_until;
  };
  void make_room(MonoTime now);

  std::unordered_map<EndpointId, Entry> entries_;
};

}  // namespace aquifer::model
