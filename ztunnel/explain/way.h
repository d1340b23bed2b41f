// One connection of one source to one address, for `explain`: asks resolve() and the judges for
// every place where it may arrive. Pure.
#pragma once

#include "config/model/snapshot.h"
#include "ztunnel/explain/explanation.h"

#include <cstdint>
#include <optional>
#include <string>

namespace aquifer::ztunnel {

/// Who connects.
struct Connecting {
  /// A record made up for an address that the mesh does not know; never null.
  model::WorkloadPtr workload;
  /// Is the record one of the mesh?
  enum class Standing : std::uint8_t { known, stranger } standing = Standing::known;
  /// Where it connects from; a workload with both families uses the destination's.
  IpAddress address;
  bool captured = false;
};

/// What the client knows of the address.
struct Destination {
  SocketAddress address;
  /// The name that it resolved to get there; empty: none.
  std::string host;
  /// What its ClientHello will name; empty: not known.
  std::string server_name;
  /// What its requests say, as far as it is known.
  HttpAttributes http;
};

/// The endpoints explained at most, each with all its policies; more are counted in a note.
inline constexpr std::size_t kEndpointsExplainedMax = 100;

[[nodiscard]] ConnectionStep explain_way(const model::Snapshot& snapshot, const Connecting& from,
                                         const Destination& to);

/// What several together come to: the same where all say the same, else undecided. Those that
/// nobody asks count for nothing; without any it is `not_asked`.
[[nodiscard]] Outcome together(Outcome a, Outcome b) noexcept;
/// Egress and inbound of one endpoint: both must allow.
[[nodiscard]] Outcome in_a_row(Outcome first, Outcome second) noexcept;

}  // namespace aquifer::ztunnel
