// Heads of HTTP/1.1 messages as values, and their text. Plain functions, any thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::http1 {

struct Field {
  std::string name;
  std::string value;
};

/// Header or trailer fields in the order of the wire. Names compare without case.
class Fields {
 public:
  Fields() = default;
  Fields(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
  }
  /// The first of this name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] auto end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

enum class Version : std::uint8_t { http_1_0, http_1_1 };

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

[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b) noexcept;
/// Is `token` one of the comma-separated words of this field, without case?
[[nodiscard]] bool lists_token(const Fields& fields, std::string_view name,
                               std::string_view token) noexcept;
/// RFC 9110 section 5.6.2
[[nodiscard]] bool is_token(std::string_view text) noexcept;
/// RFC 9110 section 5.5, without obsolete line folding: no control character but the tab.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// Appends a start line and fields. Refuses (and appends nothing) what would not be read back as
/// the same message: a name that is no token, a value with a line break.
[[nodiscard]] Status append_response_head(std::string& out, int status, const Fields& fields);
[[nodiscard]] Status append_request_head(std::string& out, std::string_view method,
                                         std::string_view target, const Fields& fields);
/// One chunk of a chunked body; nothing for no bytes, as an empty chunk would be the end.
void append_chunk(std::string& out, ByteView bytes);
void append_last_chunk(std::string& out);

}  // namespace aquifer::http1
