// The `forwarded` field (RFC 7239, the two parameters the mesh uses): where the application's
// connection came from and which service it meant. Pure; any thread.
#pragma once

#include "common/base/address.h"

#include <optional>
#include <string>
#include <string_view>

namespace aquifer::hbone {

struct Forwarded {
  std::optional<SocketAddress> source;  ///< `for=`, when it is an address and a port
  std::string host;  ///< `host=`: hostname of the service; empty when none was meant
  friend bool operator==(const Forwarded&, const Forwarded&) noexcept = default;
};

/// `for="10.0.0.1:80";host=NAME`; the host is left out when it is empty.
[[nodiscard]] std::string build_forwarded(const SocketAddress& source, std::string_view host);

/// Never fails: what is not understood is absent. The parameters are told apart at each ';', quotes
/// are optional, a host that is not ASCII is dropped.
[[nodiscard]] Forwarded parse_forwarded(std::string_view text);

}  // namespace aquifer::hbone
