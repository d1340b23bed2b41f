// Fuzzes what reads the text of headers, and header blocks: nothing crashes, and what is understood
// survives being written and read again.
#include "common/base/assert.h"
#include "common/hbone/baggage.h"
#include "common/hbone/forwarded.h"
#include "common/hbone/hpack.h"
#include "common/hbone/traceparent.h"

#include <cstdint>
#include <string>

namespace {

using namespace aquifer;
using namespace aquifer::hbone;

void fields(std::string_view text) {
  const BaggageFields baggage = parse_baggage(text);
  AQUIFER_ASSERT(parse_baggage(build_baggage(baggage)) == baggage);
  const Forwarded forwarded = parse_forwarded(text);
  if (forwarded.source) {
    const std::string written = build_forwarded(*forwarded.source, {});
    AQUIFER_ASSERT(parse_forwarded(written).source == forwarded.source);
  }
  if (const auto trace = parse_traceparent(text); trace)
    AQUIFER_ASSERT(parse_traceparent(trace->to_string()) == trace);
  if (const auto authority = parse_authority(text); authority) {
    if (const auto* host = std::get_if<HostPort>(&*authority)) {
      AQUIFER_ASSERT(!host->host.empty() && host->port != 0);
      AQUIFER_ASSERT(parse_authority(host->host + ":" + std::to_string(host->port)) == *authority);
    } else {
      AQUIFER_ASSERT(parse_authority(std::get<HboneTarget>(*authority).addr.to_string()) ==
                     *authority);
    }
  }
}

/// One block for a decoder in each of its states, then what was understood as a block of ours.
void block(ByteView bytes, HeaderValidator::Kind kind) {
  for (const bool acked : {false, true}) {
    for (const bool expected : {false, true}) {
      if (!acked && expected) continue;
      HeaderDecoder decoder = HeaderDecoder::restore(0, acked, expected);
      HeaderValidator head(kind);
      if (decoder.decode(bytes, 4096, head) != HeaderDecoder::Outcome::ok) continue;
      if (head.finish() != Verdict::ok || kind != HeaderValidator::Kind::request) continue;
      std::array<HeaderField, kHeaderFieldsMax> list;
      const std::size_t count = build_request(head.request(), list);
      std::string out(header_block_bound(std::span(list).first(count)), '\0');
      out.resize(encode_header_block(std::span(list).first(count), TableUpdate::to_zero,
                                     {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
      HeaderDecoder second(0);
      HeaderValidator again(kind);
      AQUIFER_ASSERT(second.decode(as_bytes(out), 1 << 20, again) == HeaderDecoder::Outcome::ok);
      AQUIFER_ASSERT(again.finish() == Verdict::ok && again.request() == head.request());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: fields(as_text(rest)); break;
    case 1: block(rest, HeaderValidator::Kind::request); break;
    case 2: block(rest, HeaderValidator::Kind::response); break;
    default: block(rest, HeaderValidator::Kind::trailers); break;
  }
  return 0;
}
