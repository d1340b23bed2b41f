// Session persistence: the value by which a client names the endpoint of its session. Pure.
//
// It says who (a hash of the workload's uid and the port, the same in every replica and after every
// restart, and of a StatefulSet's pod also after the pod's), since when and until when; nothing of
// addresses or names. It is not signed: who makes one up chooses among the endpoints that any
// request may go to, or prolongs a session of its own.
#pragma once

#include "config/model/l7/request_view.h"
#include "config/model/l7/route.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

/// Seconds since 1970: replicas have no other clock in common.
using WallSeconds = std::int64_t;

struct Session {
  std::uint64_t endpoint = 0;  ///< Endpoint::stable_id
  WallSeconds began = 0;
  WallSeconds seen = 0;
  friend bool operator==(const Session&, const Session&) = default;
};

/// 32 hexadecimal digits.
[[nodiscard]] std::string encode_session(const Session& session);
/// None for anything that encode_session() does not write.
[[nodiscard]] std::optional<Session> decode_session(std::string_view text) noexcept;

/// What the request brings back, unless it is over. PickRequest::preferred is then
/// Cluster::find_stable(session->endpoint).
[[nodiscard]] std::optional<Session> find_session(const l7::Persistence& rules,
                                                  const l7::RequestView& request, WallSeconds now);

/// A field for the answer.
struct SessionField {
  std::string name;  ///< "set-cookie", or the header that the rules name
  std::string value;
};
/// What the answer tells the client; none: the client knows. `had` is what find_session() gave,
/// `endpoint` the one that answered.
[[nodiscard]] std::optional<SessionField> session_field(const l7::Persistence& rules,
                                                        const std::optional<Session>& had,
                                                        std::uint64_t endpoint, WallSeconds now);

}  // namespace aquifer::waypoint
