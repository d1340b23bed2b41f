// Requests out of bytes, without io: bytes are fed, events come out. Strict: what could be read in
// two ways is refused. Owned by a connection, used on its loop.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/http1/line_guard.h"
#include "common/http1/message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

// llhttp's parser; its header stays in the .cc
struct llhttp__internal_s;

namespace aquifer::http1 {

/// What one request may take. Each has the status that its breach is answered with.
struct Limits {
  std::size_t head_bytes_max = 16 * 1024;  ///< 431; trailers have the same again
  std::size_t request_target_bytes_max =
      8'000;                     ///< 414; RFC 9112 section 3 wants 8,000 octets supported
  std::size_t fields_max = 100;  ///< 431
  std::uint64_t body_bytes_max = 64 * 1024;  ///< 413
};

enum class Event : std::uint8_t {
  need_more,  ///< all input was taken
  head,       ///< head() is complete
  body,       ///< some bytes of the body, which are a part of the input
  end,        ///< the message is complete; the next may follow
};

struct Step {
  Event event = Event::need_more;
  std::size_t consumed = 0;  ///< bytes of the input that are done with
  ByteView body = {};
};

/// Feed it by calling next() with what is not consumed yet, until it needs more:
///
///   for (;;) {
///     TRY(auto step, parser.next(input));
///     input = input.subspan(step.consumed);
///     if (step.event == Event::need_more) break;
///     ...
///   }
///
/// An error ends the connection; Error::detail is the status to answer with.
class RequestParser {
 public:
  explicit RequestParser(Limits limits = {});
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  [[nodiscard]] Result<Step> next(ByteView input);

  /// Of the current message, from Event::head until the next message begins.
  [[nodiscard]] const RequestHead& head() const noexcept { return head_; }
  /// The same, for whoever moves its parts out: nothing of them is needed any more.
  [[nodiscard]] RequestHead& head() noexcept { return head_; }
  /// After Event::end.
  [[nodiscard]] const Fields& trailers() const noexcept { return trailers_; }
  /// True exactly when nothing of a message is pending: the connection may end here without loss.
  [[nodiscard]] bool between_messages() const noexcept { return phase_ == Phase::between; }

 private:
  struct Callbacks;
  enum class Phase : std::uint8_t { between, head, body, upgraded };

  void begin_message();
  int refuse(int status, const char* why) noexcept;
  int count_line_bytes(std::size_t bytes) noexcept;
  int finish_field();
  int finish_head();
  int check_framing(std::size_t content_lengths) noexcept;
  Error error_of(int llhttp_error) const noexcept;
  /// Everything of the input up to `end` that was no body must be well-formed lines, and not too
  /// many.
  int check_lines(const char* end) noexcept;

  const Limits limits_;
  std::unique_ptr<llhttp__internal_s> parser_;
  Phase phase_ = Phase::between;
  std::optional<Error> refused_;
  LineGuard guard_;

  RequestHead head_;
  Fields trailers_;
  std::string field_name_;  // the field under way, both
  std::string field_value_;
  std::size_t line_bytes_ = 0;  // stored of the head, or of the trailers
  std::size_t run_bytes_ = 0;   // of lines since the last byte of body
  std::uint64_t body_bytes_ = 0;

  // Of the call to next() under way.
  const char* guarded_ = nullptr;  // the guard has seen everything before
  Event event_ = Event::need_more;
  ByteView body_;
};

}  // namespace aquifer::http1
