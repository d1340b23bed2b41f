// Answers of a server as a client of ours decodes them: any bytes, in one piece and in small ones,
// to each kind of request. Both ways must see the same, and stay within the limits; a head that was
// taken can be written again and be taken as the same one.
#include "common/base/assert.h"
#include "common/http1/message.h"
#include "common/http1/response_decoder.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace aquifer;
using namespace aquifer::http1;

constexpr ResponseLimits kLimits{.head_bytes_max = 2048, .fields_max = 10};

void append_fields(std::string& seen, const HeaderFields& fields) {
  for (const HeaderField field : fields) {
    AQUIFER_ASSERT(is_token(field.name) && is_field_value(field.value));
    seen.append(field.name).append(":").append(field.value).append("\n");
  }
}

void check_rewritten(const http::ResponseHead& head) {
  std::string text;
  const Status written = append_response_head(text, head.status, head.fields);
  AQUIFER_ASSERT(written.has_value() || head.status > 999);
  if (!written) return;
  ResponseDecoder decoder;
  decoder.expect("HEAD");
  const auto step = decoder.next(as_bytes(text));
  // The version is ours now, which an old one's fields may not fit.
  if (!step) return;
  AQUIFER_ASSERT(step->event == Event::head && decoder.head().fields == head.fields);
}

std::string read_all(ByteView bytes, std::size_t piece, std::string_view method) {
  ResponseDecoder decoder(kLimits);
  decoder.expect(method);
  std::string seen;
  std::size_t body = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::size_t length = std::min(piece, bytes.size() - at);
    // Of exact size, so that a read past the piece is found.
    auto copy = std::make_unique<std::uint8_t[]>(length);
    std::memcpy(copy.get(), bytes.data() + at, length);
    ByteView input(copy.get(), length);
    for (std::size_t rounds = 0;; ++rounds) {
      AQUIFER_ASSERT(rounds <= 8 * length + 8);
      if (decoder.upgraded()) return seen.append("another protocol");
      const auto step = decoder.next(input);
      if (!step) {
        AQUIFER_ASSERT(step.error().source == ErrorSource::upstream);
        return seen.append("refused");
      }
      AQUIFER_ASSERT(step->consumed <= input.size());
      input = input.subspan(step->consumed);
      if (step->event == Event::need_more) break;
      if (step->event == Event::body) {
        AQUIFER_ASSERT(!step->body.empty());
        body += step->body.size();
        AQUIFER_ASSERT(body <= bytes.size());
      }
      if (step->event == Event::head) {
        const http::ResponseHead& head = decoder.head();
        AQUIFER_ASSERT(head.status >= 100);
        seen.append(std::to_string(head.status)).append("\n");
        append_fields(seen, head.fields);
        check_rewritten(head);
      }
      if (step->event == Event::end) {
        AQUIFER_ASSERT(method != "HEAD" || body == 0);
        append_fields(seen, decoder.trailers());
        AQUIFER_ASSERT(!decoder.trailers().contains("content-length"));
        AQUIFER_ASSERT(!decoder.trailers().contains("transfer-encoding"));
        seen.append("end\n");
        // Further ones are nobody's, unless this one was interim.
        if (decoder.head().status >= 200) return seen.append(std::to_string(body));
      }
    }
  }
  if (decoder.between_messages()) return seen;
  const auto whole = decoder.finish();
  return seen.append(whole ? std::to_string(body) : "broken off");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "CONNECT"};
  const std::string_view method = kMethods[data[0] % 3];
  const ByteView bytes(data + 1, size - 1);
  const std::string whole = read_all(bytes, bytes.size(), method);
  for (const std::size_t piece : {1U, 5U}) AQUIFER_ASSERT(read_all(bytes, piece, method) == whole);
  return 0;
}
