// Heads of HTTP/1.1 messages as values, and their text. Plain functions, any thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/header_fields.h"
#include "common/base/result.h"
#include "common/http/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aquifer::http1 {

/// Header or trailer fields in the order of the wire.
using Fields = HeaderFields;
using Field = HeaderField;

using http::Version;

/// How the end of the body is known (RFC 9112 section 6.3).
enum class BodyFraming : std::uint8_t { none, length, chunked };

struct RequestHead {
  std::string method;
  std::string target;
  Version version = Version::http_1_1;
  Fields fields;
  BodyFraming framing = BodyFraming::none;
  std::uint64_t content_length = 0;  ///< of BodyFraming::length
  bool keep_alive = false;           ///< may another message follow on this connection?
  bool expects_continue = false;
  bool upgrade = false;  ///< CONNECT or Upgrade: what follows the message is not HTTP/1.1
};

/// Appends a start line and fields, and the empty line. Refuses (and appends nothing) what would
/// not be read back as the same message: a name that is no token, a value with a line break.
[[nodiscard]] Status append_response_head(std::string& out, int status, const Fields& fields);
[[nodiscard]] Status append_request_head(std::string& out, std::string_view method,
                                         std::string_view target, const Fields& fields);
/// The same without the empty line: further fields may follow.
[[nodiscard]] Status begin_response_head(std::string& out, int status, const Fields& fields);
[[nodiscard]] Status begin_request_head(std::string& out, std::string_view method,
                                        std::string_view target);
[[nodiscard]] Status append_field_lines(std::string& out, const Fields& fields);
/// One chunk of a chunked body; nothing for no bytes, as an empty chunk would be the end.
void append_chunk(std::string& out, ByteView bytes);
void append_last_chunk(std::string& out);

}  // namespace aquifer::http1
