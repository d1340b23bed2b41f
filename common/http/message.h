// Heads of HTTP messages as values, without anything of the version that carried them: what belongs
// to one hop (Connection, Transfer-Encoding, pseudo header fields) is taken out by the codec that
// reads a message and put in by the one that writes it (RFC 9110 section 7.6.1). Any thread.
#pragma once

#include "common/base/header_fields.h"
#include "common/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::http {

enum class Version : std::uint8_t { http_1_0, http_1_1, http_2 };
/// "HTTP/1.0", "HTTP/1.1", "HTTP/2": the access log's spelling.
[[nodiscard]] std::string_view name_of(Version version) noexcept;

/// Does a message end with its head?
enum class End : std::uint8_t { no, yes };

struct RequestHead {
  std::string method;
  std::string scheme;     ///< "http" or "https"; empty when nobody said
  std::string authority;  ///< Host, or :authority
  std::string path;       ///< origin form with the query; "*"; empty for CONNECT
  /// What the connection is to become: "websocket"; else empty. An Upgrade of HTTP/1.1, or the
  /// :protocol of an extended CONNECT (RFC 8441), which is then told as the GET that it stands for.
  std::string upgrade;
  Version version = Version::http_1_1;
  /// The body's bytes, where the message says so; none: unknown until its end.
  std::optional<std::uint64_t> content_length;
  HeaderFields fields;

  /// Without the query.
  [[nodiscard]] std::string_view path_only() const noexcept {
    return std::string_view(path).substr(0, path.find('?'));
  }
};

struct ResponseHead {
  int status = 0;
  Version version = Version::http_1_1;
  std::optional<std::uint64_t> content_length;
  HeaderFields fields;
};

/// "OK"; empty for numbers that nobody knows.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// Methods whose request may be sent again without harm (RFC 9110 section 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method) noexcept;

/// Fields that speak of one hop only (RFC 9110 section 7.6.1), besides those that Connection names.
[[nodiscard]] bool is_hop_by_hop(std::string_view name) noexcept;
/// Fields by which a message is framed and routed: trailers must not have them (RFC 9110 section
/// 6.5.1).
[[nodiscard]] bool is_decided_by_head(std::string_view name) noexcept;
/// Takes out what is hop-by-hop, and what Connection names. `te: trailers` stays (RFC 9113 section
/// 8.2.2).
void remove_hop_by_hop(HeaderFields& fields);

/// Does a response of this status to this method have no body by definition (RFC 9110 section
/// 6.4.1)?
[[nodiscard]] bool has_no_body(int status, std::string_view request_method) noexcept;

/// A plain number of octets, no sign, no list (RFC 9110 section 8.6).
[[nodiscard]] std::optional<std::uint64_t> parse_content_length(std::string_view text) noexcept;

/// Is it gRPC by its content-type?
[[nodiscard]] bool is_grpc(const HeaderFields& fields) noexcept;

}  // namespace aquifer::http
