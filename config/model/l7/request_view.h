// A request as routes and policies see it. Views: whoever makes one keeps what it points into.
#pragma once

#include "common/base/address.h"
#include "common/base/header_fields.h"
#include "common/base/spiffe.h"

#include <optional>
#include <string>
#include <string_view>

namespace aquifer::l7 {

struct RequestView {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  /// Origin form with the query, normalised (path.h).
  std::string_view path;
  const HeaderFields& headers;
  /// Where the client's connection came from, and what it was going to.
  SocketAddress source;
  SocketAddress destination;
  /// What mutual TLS proved; null for nobody.
  const SpiffeId* identity = nullptr;

  /// Without the query.
  [[nodiscard]] std::string_view path_only() const noexcept {
    return path.substr(0, path.find('?'));
  }
  /// A header field, or one of `:method`, `:authority`, `:path`, `:scheme`. Several of one name
  /// are joined, into `scratch` if need be.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name,
                                                       std::string& scratch) const;
  /// The first value of a query parameter, decoded into `scratch` if need be.
  [[nodiscard]] std::optional<std::string_view> query(std::string_view name,
                                                      std::string& scratch) const;
};

}  // namespace aquifer::l7
