// Whole requests out of bytes, for servers whose requests are small. Without io, on top of
// RequestParser.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/http1/request_parser.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace aquifer::http1 {

struct RequestMessage {
  RequestHead head;
  std::string body;
};

/// Feed it until a request is complete, take that, and go on with the bytes that were not consumed.
/// An error ends the connection; Error::detail is the status to answer with.
class RequestReader {
 public:
  enum class State : std::uint8_t {
    incomplete,      ///< all bytes were taken
    wants_continue,  ///< the client waits for `100 Continue` before it sends the body; told once
    complete,        ///< take() it
  };
  struct Progress {
    State state = State::incomplete;
    std::size_t consumed = 0;
  };

  explicit RequestReader(Limits limits = {}) : parser_(limits) {}

  [[nodiscard]] Result<Progress> feed(ByteView bytes);
  [[nodiscard]] RequestMessage take() { return std::exchange(message_, {}); }
  /// True exactly when the connection may end here without loss.
  [[nodiscard]] bool between_messages() const noexcept { return parser_.between_messages(); }

 private:
  RequestParser parser_;
  RequestMessage message_;
};

}  // namespace aquifer::http1
