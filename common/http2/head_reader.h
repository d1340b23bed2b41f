// HeadReader: the fields of one header block, as the decoder gives them, become a head. What HTTP/2
// demands of a message beyond what nghttp2 looks at is judged here (RFC 9113 sections 8.2 and 8.3).
// Pure: no connection, any thread.
#pragma once

#include "common/base/header_fields.h"
#include "common/http/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::http2 {

struct HeadLimits {
  std::size_t bytes_max = 0;
  std::size_t fields_max = 0;
};

enum class HeadVerdict : std::uint8_t { good, too_large, malformed };

/// One block at a time: begin(), each field, then one of the ends. Pseudo header fields come at
/// most once each, names are in lower case and values without CR, LF and NUL: nghttp2 sees to that.
class HeadReader {
 public:
  explicit HeadReader(HeadLimits limits) noexcept : limits_(limits) {}

  void begin() noexcept;
  void request_field(http::RequestHead& head, std::string_view name, std::string_view value);
  void response_field(http::ResponseHead& head, std::string_view name, std::string_view value);
  void trailer_field(HeaderFields& trailers, std::string_view name, std::string_view value);

  /// Completes the head: authority from Host, cookies in one field (section 8.2.3), the GET that an
  /// extended CONNECT stands for.
  [[nodiscard]] HeadVerdict end_request(http::RequestHead& head);
  [[nodiscard]] HeadVerdict end_response(http::ResponseHead& head);
  /// So far beyond the limits that the rest is not worth being looked at: a few bytes of HPACK can
  /// stand for thousands.
  [[nodiscard]] bool is_hopeless() const noexcept {
    return bytes_ > kHopelessTimes * limits_.bytes_max;
  }
  [[nodiscard]] HeadVerdict end_trailers() const noexcept { return verdict_; }

 private:
  [[nodiscard]] bool admit(std::string_view name, std::string_view value) noexcept;

  // A head up to this much larger than allowed is read to its end, to be answered.
  static constexpr std::size_t kHopelessTimes = 4;

  HeadLimits limits_;
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  HeadVerdict verdict_ = HeadVerdict::good;
  std::string host_;
  std::string cookies_;
};

}  // namespace aquifer::http2
