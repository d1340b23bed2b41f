// One response out of bytes, without io, for a client that asks once on a connection. Strict, on
// top of llhttp. Any thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

// llhttp's parser; its header stays in the .cc
struct llhttp__internal_s;

namespace aquifer::http1 {

/// Feed it what arrives, in pieces of any size; the body's bytes come out as they come in. How much
/// of a body is kept is the caller's business, everything else is bounded here.
class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  /// Appends to `body`. An error, or bytes behind the response, ends the connection.
  [[nodiscard]] Status feed(ByteView bytes, std::string& body);
  /// The stream ended: good for a response without a length, an error in the middle of one.
  [[nodiscard]] Status finish();

  /// 0 until the status line was read.
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] bool head_complete() const noexcept { return status_ != 0; }
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  struct Callbacks;
  [[nodiscard]] Status result_of(int llhttp_error);

  std::unique_ptr<llhttp__internal_s> parser_;
  std::string* body_ = nullptr;  // of the call to feed() under way
  std::size_t line_bytes_ = 0;   // of lines since the last byte of body
  int status_ = 0;
  bool complete_ = false;
  bool failed_ = false;
};

}  // namespace aquifer::http1
