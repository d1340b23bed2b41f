// Reads a ClientHello and puts it back.
#include "ztunnel/sniff.h"

#include "common/tls/client_hello.h"

#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

using End = SniffedName::End;
using Kind = tls::ClientHelloAnswer::Kind;

SniffedName found(tls::ClientHelloAnswer answer) {
  if (answer.kind == Kind::name) return {End::name, std::move(answer.name)};
  // A name that is there and was not read is not "no name": a rule against it would be evaded.
  if (answer.kind == Kind::too_long) return {End::no_hello, {}};
  return {End::no_name, {}};
}

}  // namespace

coro::Task<SniffedName> sniff_server_name(io::SocketStream& client, Deadline deadline,
                                          coro::CancelSource* cancel) {
  std::vector<std::uint8_t> bytes;
  std::size_t bytes_needed = 1;
  SniffedName result;
  for (;;) {
    // An answer that needs more never needs more than the limit.
    const auto most = static_cast<std::uint32_t>(tls::kSniffedBytesMax - bytes.size());
    auto chunk = co_await client.socket().recv(most, deadline, cancel);
    if (!chunk) {
      result.end = chunk.error().code == Errc::timed_out ? End::no_hello : End::failed;
      break;
    }
    if (chunk->empty()) {
      result.end = End::no_hello;
      break;
    }
    const ByteView more = chunk->view();
    bytes.insert(bytes.end(), more.begin(), more.end());
    chunk->release();
    // A client that sends byte by byte is not parsed byte by byte.
    if (bytes.size() < bytes_needed) continue;
    tls::ClientHelloAnswer answer = tls::look_for_server_name(bytes);
    if (answer.kind == Kind::need_more) {
      bytes_needed = answer.bytes_needed;
      continue;
    }
    result = found(std::move(answer));
    break;
  }
  if (!bytes.empty()) client.put_back(io::Buffer::copy_of(bytes));
  co_return result;
}

}  // namespace aquifer::ztunnel
