// Bytes as the start of a connection: looking for a server name ends with an answer within its
// limits, and that answer does not depend on how the bytes arrived.
#include "common/base/assert.h"
#include "common/tls/client_hello.h"

#include <cstddef>
#include <cstdint>

using namespace aquifer;
using tls::ClientHelloAnswer;
using Kind = ClientHelloAnswer::Kind;

namespace {

void check(const ClientHelloAnswer& answer, std::size_t size) {
  AQUIFER_ASSERT((answer.kind == Kind::name) != answer.name.empty());
  for (const char c : answer.name) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    AQUIFER_ASSERT(good);
  }
  if (answer.kind != Kind::need_more) return;
  AQUIFER_ASSERT(answer.bytes_needed > size);
  AQUIFER_ASSERT(answer.bytes_needed <= tls::kSniffedBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  const ClientHelloAnswer whole = tls::look_for_server_name(bytes);
  check(whole, size);
  // In the steps that the answers themselves ask for: the first answer is the whole's.
  std::size_t at = 0;
  for (;;) {
    const ClientHelloAnswer step = tls::look_for_server_name(bytes.first(at));
    check(step, at);
    if (step.kind != Kind::need_more) {
      AQUIFER_ASSERT(step.kind == whole.kind && step.name == whole.name);
      return 0;
    }
    if (step.bytes_needed > size) break;
    at = step.bytes_needed;
  }
  AQUIFER_ASSERT(whole.kind == Kind::need_more || whole.kind == Kind::not_tls ||
                 whole.kind == Kind::too_long);
  return 0;
}
