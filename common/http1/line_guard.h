// Line ends. A message in which one reader sees a line and another does not is how requests are
// smuggled, so everything that is not body must be lines that end in CR LF, none of them folded
// (RFC 9112 sections 2.2 and 5.2, without the leniency these allow).
#pragma once

#include <string_view>

namespace aquifer::http1 {

/// Looks at the bytes of a message outside of its body, in pieces of any size.
class LineGuard {
 public:
  /// False at the first bare CR, bare LF or folded line; the message is lost then.
  [[nodiscard]] bool accept(std::string_view piece) noexcept {
    for (char c : piece) {
      if ((c == '\n') != (last_ == '\r')) return false;
      if (last_ == '\n' && (c == ' ' || c == '\t')) return false;
      last_ = c;
    }
    return true;
  }
  /// Body bytes follow the last piece; what comes after them starts afresh.
  void skip_body() noexcept { last_ = 0; }

 private:
  char last_ = 0;
};

}  // namespace aquifer::http1
