// HeadWriter: a head as the list of fields that nghttp2 encodes. Names and values stay where they
// are, so the list is good as long as the head is; what HTTP/2 spells otherwise is kept here.
// Internal to common/http2.
#pragma once

#include "common/http/message.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::http2 {

/// Reused for one head after the other: a thread needs one.
class HeadWriter {
 public:
  /// A head with `upgrade` becomes an extended CONNECT (RFC 8441).
  [[nodiscard]] std::span<const nghttp2_nv> request(const http::RequestHead& head);
  enum class Length : std::uint8_t { leave_out, say };
  /// With `status` in place of the head's.
  [[nodiscard]] std::span<const nghttp2_nv> response(const http::ResponseHead& head, int status,
                                                     Length length);
  [[nodiscard]] std::span<const nghttp2_nv> trailers(const HeaderFields& fields);

 private:
  void begin(std::size_t text_bytes);
  void add(std::string_view name, std::string_view value);
  void add_length(std::uint64_t length);
  /// All that may cross a hop, names in lower case (RFC 9113 sections 8.2.1 and 8.2.2).
  void add_fields(const HeaderFields& fields);
  [[nodiscard]] std::string_view in_lower_case(std::string_view name);

  std::vector<nghttp2_nv> list_;
  std::string lowered_;   // names that had capitals; never moves while a list is made
  HeaderFields cleaned_;  // a copy without what Connection names
  std::array<char, 20> length_{};
  std::array<char, 3> status_{};
};

}  // namespace aquifer::http2
