// Responses: any bytes, in one piece and in small ones. Whole or refused must not depend on the
// pieces, nor the status and body of a whole one; a body is never more than what came in.
#include "common/base/assert.h"
#include "common/http1/response_parser.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace aquifer;

std::optional<std::pair<int, std::string>> read_all(const std::uint8_t* data, std::size_t size,
                                                    std::size_t piece) {
  http1::ResponseParser parser;
  std::string body;
  for (std::size_t at = 0; at < size; at += piece) {
    const std::size_t length = std::min(piece, size - at);
    // Of exact size, so that a read past the piece is found.
    auto copy = std::make_unique<std::uint8_t[]>(length);
    std::memcpy(copy.get(), data + at, length);
    if (!parser.feed(ByteView(copy.get(), length), body)) return std::nullopt;
    AQUIFER_ASSERT(body.size() <= at + length);
  }
  if (!parser.finish()) return std::nullopt;
  AQUIFER_ASSERT(parser.complete() && parser.status() >= 200);
  return std::pair{parser.status(), std::move(body)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Within the limit on lines, which counts by piece.
  if (size > 8192) return 0;
  const auto whole = read_all(data, size, size == 0 ? 1 : size);
  for (std::size_t piece : {1U, 5U}) AQUIFER_ASSERT(read_all(data, size, piece) == whole);
  return 0;
}
