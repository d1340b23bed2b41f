// What a CONNECT says and what its answer says, as values; strict validation of received header
// lists (RFC 9113 sections 8.1.1, 8.2, 8.3, 8.5). Pure; any thread.
#pragma once

#include "common/base/address.h"
#include "common/base/header_fields.h"
#include "common/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aquifer::hbone {

/// The head of a CONNECT. Empty strings are fields that are absent. Written in the order of the
/// members.
struct ConnectRequest {
  /// IP:PORT or HOST:PORT, see parse_authority()
  std::string authority{};
  /// Of the source workload, see baggage.h. Several lines are joined by a comma.
  std::string baggage{};
  /// See forwarded.h.
  std::string forwarded{};
  /// See traceparent.h.
  std::string traceparent{};
  /// Only on the inner CONNECT of a double tunnel.
  std::string x_forwarded_network{};
  friend bool operator==(const ConnectRequest&, const ConnectRequest&) noexcept = default;
};

/// The head of the answer. 200 opens the tunnel; anything else refuses it.
struct ConnectResponse {
  int status = 200;
  std::string baggage{};  ///< of the destination workload
  [[nodiscard]] bool ok() const noexcept { return status == 200; }
  friend bool operator==(const ConnectResponse&, const ConnectResponse&) noexcept = default;
};

/// A destination named by host: to be looked up.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) noexcept = default;
};
/// `:authority` of a CONNECT: an address, or a host and a port (both needed).
using Authority = std::variant<HboneTarget, HostPort>;
/// Errc::invalid for anything else; the answer to that is 400.
[[nodiscard]] Result<Authority> parse_authority(std::string_view text);

/// Up to this many fields are written: pseudo headers and the members above.
inline constexpr std::size_t kHeaderFieldsMax = 8;
/// Header list for sending; the views point into `request` and static text. Returns the number of
/// fields.
[[nodiscard]] std::size_t build_request(const ConnectRequest& request,
                                        std::span<HeaderField, kHeaderFieldsMax> out);
std::size_t build_request(const ConnectRequest&&,
                          std::span<HeaderField, kHeaderFieldsMax>) = delete;
/// The same for an answer. `status_text` must outlive the views: it receives the three digits.
[[nodiscard]] std::size_t build_response(const ConnectResponse& response,
                                         std::span<char, 3> status_text,
                                         std::span<HeaderField, kHeaderFieldsMax> out);
std::size_t build_response(const ConnectResponse&&, std::span<char, 3>,
                           std::span<HeaderField, kHeaderFieldsMax>) = delete;

/// What a received header list amounts to.
enum class Verdict : std::uint8_t {
  ok,     ///< a CONNECT, or a final answer
  other,  ///< a valid request that is no CONNECT (answer 400); for answers: informational (1xx), to
          ///< be ignored
  malformed,  ///< stream error PROTOCOL_ERROR
};

/// Checks fields one by one in the order of arrival and keeps what we use. One object per header
/// list.
class HeaderValidator {
 public:
  enum class Kind : std::uint8_t { request, response, trailers };
  explicit HeaderValidator(Kind kind) noexcept : kind_(kind) {}

  /// Never fails early: a header block has to be read to its end anyway.
  void add(std::string_view name, std::string_view value);
  [[nodiscard]] Verdict finish() noexcept;

  [[nodiscard]] ConnectRequest& request() noexcept { return request_; }
  [[nodiscard]] ConnectResponse& response() noexcept { return response_; }
  /// Declared content length, or -1 when there is none. Only meaningful for requests that are no
  /// CONNECT.
  [[nodiscard]] std::int64_t content_length() const noexcept { return content_length_; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void add_regular(std::string_view name, std::string_view value);

  Kind kind_;
  bool malformed_ = false;
  bool regular_seen_ = false;
  std::uint8_t pseudo_seen_ = 0;
  bool connect_ = false;
  bool path_empty_ = false;
  std::int64_t content_length_ = -1;
  ConnectRequest request_;
  ConnectResponse response_;
};

}  // namespace aquifer::hbone
