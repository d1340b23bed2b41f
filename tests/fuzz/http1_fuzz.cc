// Requests: any bytes, in one piece and in small ones. Both ways must see the same messages, the
// same refusal, and stay within the limits; a head that was taken must be writable and be taken
// again as the same one.
#include "common/base/assert.h"
#include "common/http1/request_parser.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace aquifer;
using namespace aquifer::http1;

constexpr Limits kLimits{.head_bytes_max = 2048,
                         .request_target_bytes_max = 512,
                         .fields_max = 10,
                         .body_bytes_max = 1024};

void append_head(std::string& seen, const RequestHead& head) {
  seen.append(head.method).append(" ").append(head.target).append("\n");
  for (const Field field : head.fields)
    seen.append(field.name).append(":").append(field.value).append("\n");
}

void check_rewritten(const RequestHead& head) {
  std::string text;
  if (!append_request_head(text, head.method, head.target, head.fields)) {
    // The one thing that is read and not written: a target with bytes above ASCII.
    AQUIFER_ASSERT(std::ranges::any_of(head.target, [](char c) { return c < 0x20; }));
    return;
  }
  if (head.version == Version::http_1_0) return;
  // Spaces around values and the leniency of whoever reads next can no longer matter.
  RequestParser parser(Limits{.head_bytes_max = 64 * 1024});
  auto step = parser.next(as_bytes(text));
  AQUIFER_ASSERT(step.has_value());
  AQUIFER_ASSERT(step->event == Event::head);
  std::string before;
  std::string after;
  append_head(before, head);
  append_head(after, parser.head());
  AQUIFER_ASSERT(before == after);
}

// What a reader sees, as text. Not which of several reasons a refusal names, nor how much it saw of
// a body that never ended: both depend on the pieces, and nobody may act on either.
std::string read_all(const std::uint8_t* data, std::size_t size, std::size_t piece) {
  RequestParser parser(kLimits);
  std::string seen;
  std::string body;
  for (std::size_t at = 0; at < size; at += piece) {
    std::size_t length = std::min(piece, size - at);
    // Of exact size, so that a read past the piece is found.
    auto copy = std::make_unique<std::uint8_t[]>(length);
    std::memcpy(copy.get(), data + at, length);
    ByteView input(copy.get(), length);
    for (std::size_t rounds = 0;; ++rounds) {
      AQUIFER_ASSERT(rounds <= 8 * length + 8);
      auto step = parser.next(input);
      if (!step) return seen.append("refused");
      AQUIFER_ASSERT(step->consumed <= input.size());
      input = input.subspan(step->consumed);
      if (step->event == Event::need_more) break;
      if (step->event == Event::body) body.append(as_text(step->body));
      if (step->event == Event::head) {
        append_head(seen, parser.head());
        check_rewritten(parser.head());
      }
      if (step->event == Event::end) {
        AQUIFER_ASSERT(body.size() <= kLimits.body_bytes_max);
        seen.append(std::exchange(body, {}));
        for (const Field field : parser.trailers()) seen.append(field.name).append("\n");
        seen.append("end\n");
        if (parser.head().upgrade) return seen;
      }
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  std::string whole = read_all(data, size, size == 0 ? 1 : size);
  for (std::size_t piece : {1U, 5U}) AQUIFER_ASSERT(read_all(data, size, piece) == whole);
  return 0;
}
