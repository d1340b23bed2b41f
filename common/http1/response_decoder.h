// Responses out of bytes, one event at a time and one after the other on a connection, without io.
// Strict: what could be read in two ways is refused, for the next reader may read it the other way.
// Owned by a connection, used on its loop.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/http/message.h"
#include "common/http1/line_guard.h"
#include "common/http1/request_parser.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

// llhttp's parser; its header stays in the .cc
struct llhttp__internal_s;

namespace aquifer::http1 {

/// What one response may take, besides its body, which is passed on as it comes.
struct ResponseLimits {
  std::size_t head_bytes_max = 64 * 1024;  ///< cookies of large applications; trailers the same
  std::size_t fields_max = 200;
};

/// Used as RequestParser is: next() with what is not consumed yet, until it needs more. Before each
/// response expect() says what was asked.
class ResponseDecoder {
 public:
  explicit ResponseDecoder(ResponseLimits limits = {});
  ~ResponseDecoder();
  ResponseDecoder(const ResponseDecoder&) = delete;
  ResponseDecoder& operator=(const ResponseDecoder&) = delete;

  /// The next response answers a request of this method: whether it has a body depends on it.
  void expect(std::string_view method);
  /// After Event::head of an interim response (1xx but 101) Event::end follows, and then the next
  /// head. Errors are the server's (ErrorSource::upstream) and end the connection.
  [[nodiscard]] Result<Step> next(ByteView input);
  /// The stream ended. True: that was the end of a body without a length. Else an error, for it
  /// ended in the middle.
  [[nodiscard]] Result<bool> finish();

  [[nodiscard]] http::ResponseHead& head() noexcept { return head_; }
  [[nodiscard]] const HeaderFields& trailers() const noexcept { return trailers_; }
  /// The body ends with the connection.
  [[nodiscard]] bool until_close() const noexcept { return until_close_; }
  /// The response whose head came has no body, not even an empty one in chunks.
  [[nodiscard]] bool bodyless() const noexcept {
    return head_request_ || head_.content_length == 0U || http::has_no_body(head_.status, "GET");
  }
  /// What follows its head is not HTTP/1.1: after 101, or a 2xx to CONNECT.
  [[nodiscard]] bool switches() const noexcept { return switches_; }
  /// May another response follow on this connection?
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// After 101, or a 2xx to CONNECT: what follows is not HTTP/1.1.
  [[nodiscard]] bool upgraded() const noexcept { return phase_ == Phase::upgraded; }
  [[nodiscard]] bool between_messages() const noexcept { return phase_ == Phase::between; }

 private:
  struct Callbacks;
  enum class Phase : std::uint8_t { between, head, body, upgraded };
  void begin_message();
  int refuse(const char* why) noexcept;
  int count_line_bytes(std::size_t bytes) noexcept;
  int finish_field();
  int finish_head();
  int check_framing();
  int check_lines(const char* end) noexcept;

  const ResponseLimits limits_;
  std::unique_ptr<llhttp__internal_s> parser_;
  Phase phase_ = Phase::between;
  std::optional<Error> refused_;
  LineGuard guard_;
  bool head_request_ = false;
  bool connect_request_ = false;
  bool until_close_ = false;
  bool keep_alive_ = false;
  bool switches_ = false;

  http::ResponseHead head_;
  HeaderFields trailers_;
  std::string field_name_;
  std::string field_value_;
  std::size_t line_bytes_ = 0;
  std::size_t run_bytes_ = 0;

  // Of the call to next() under way.
  const char* guarded_ = nullptr;
  Event event_ = Event::need_more;
  ByteView body_;
};

}  // namespace aquifer::http1
