// Bytes as what people type behind --from, --to and -H, and as what an admin port answers: each
// ends with a value or with one line, never otherwise.
#include "common/base/assert.h"
#include "ztunnel/explain/past_refusals.h"
#include "ztunnel/explain/question.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace aquifer;

namespace {

// Nothing that was typed may end the line that complains about it, or steer a terminal.
void check_complaint(std::string_view text) {
  AQUIFER_ASSERT(!text.empty() && text.size() < 512);
  for (const char c : text) AQUIFER_ASSERT(static_cast<unsigned char>(c) >= 0x20);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto source = ztunnel::parse_source(text);
      if (!source) {
        check_complaint(source.error());
      } else {
        AQUIFER_ASSERT(source->address.has_value() ||
                       (!source->ns.empty() && !source->pod.empty()));
      }
      break;
    }
    case 1: {
      const auto destination = ztunnel::parse_destination(text);
      if (!destination) {
        check_complaint(destination.error());
      } else {
        AQUIFER_ASSERT(destination->port != 0);
        AQUIFER_ASSERT(destination->address.has_value() != !destination->host.empty());
      }
      break;
    }
    case 2: {
      const auto header = ztunnel::parse_header(text);
      if (!header) check_complaint(header.error());
      break;
    }
    default: {
      const auto refusals = ztunnel::parse_refusals(text);
      AQUIFER_ASSERT(!refusals || refusals->size() <= ztunnel::kRefusalsShownMax);
      break;
    }
  }
  return 0;
}
