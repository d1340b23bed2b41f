// The body of a message we send: framed by length, by chunks, or not at all. Owned by the message's
// stream, on its loop.
#pragma once

#include "common/base/header_fields.h"
#include "common/base/result.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/byte_stream.h"

#include <cstdint>
#include <optional>

namespace aquifer::http1 {

class BodyWriter {
 public:
  enum class Framing : std::uint8_t {
    none,    ///< no byte of it
    length,  ///< exactly as many as were promised
    chunked,
    raw,  ///< until the connection ends, or bytes of another protocol
  };

  explicit BodyWriter(io::ByteStream& stream) noexcept : stream_(stream) {}
  /// The head was written.
  void begin(Framing framing, std::uint64_t length = 0) noexcept;

  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel);
  /// More than was promised is Errc::protocol.
  [[nodiscard]] Status write(io::Buffer bytes);
  /// Fewer than was promised is Errc::protocol. Trailers need chunks, and are dropped without.
  [[nodiscard]] Status finish(const HeaderFields& trailers);
  [[nodiscard]] bool finished() const noexcept { return finished_; }
  [[nodiscard]] Framing framing() const noexcept { return framing_; }

 private:
  [[nodiscard]] Status write_chunk(io::Buffer bytes);

  io::ByteStream& stream_;
  std::uint64_t left_ = 0;
  Framing framing_ = Framing::none;
  bool finished_ = false;
};

}  // namespace aquifer::http1
