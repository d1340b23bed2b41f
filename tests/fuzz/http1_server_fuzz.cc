// A whole connection of HTTP/1.1 on the server's side: a client's bytes in pieces, against handlers
// that answer in every way there is. Nothing is answered twice, and what is answered is HTTP.
#include "common/base/assert.h"
#include "common/http1/response_decoder.h"
#include "common/http1/server_connection.h"
#include "tests/fuzz/http2_peer.h"

namespace {

using namespace aquifer;
using http2::testing::MemoryStream;

constexpr http1::ServerOptions kOptions{.request = {.head_bytes_max = 2048,
                                                    .request_target_bytes_max = 512,
                                                    .fields_max = 10,
                                                    .body_bytes_max = 4096}};

coro::Task<bool> read_all(http::ServerStream& stream) {
  for (;;) {
    const auto piece = co_await stream.read(nullptr);
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
  }
}

/// The length of the path chooses.
coro::Task<void> serve(http::ServerStream& stream) {
  const http::RequestHead& request = stream.request();
  AQUIFER_ASSERT(is_token(request.method));
  AQUIFER_ASSERT(request.method == "CONNECT" || request.path == "*" ||
                 request.path.starts_with('/'));
  AQUIFER_ASSERT(!request.fields.contains("host") && !request.fields.contains("transfer-encoding"));
  http::ResponseHead head;
  head.status = !request.upgrade.empty() ? 101 : 200;
  head.fields = {{"x", "y"}};
  switch (request.path.size() % 5) {
    case 0: {
      const bool whole = co_await read_all(stream);
      head.status = whole ? 200 : 400;
      std::ignore = stream.respond(head, http::End::yes);
      co_return;
    }
    case 1: std::ignore = stream.respond(head, http::End::yes); co_return;
    case 2: stream.abort(http::Abort::cancelled); co_return;
    case 3:
      head.content_length = 3;
      if (!stream.respond(head, http::End::no)) co_return;
      std::ignore = stream.write(io::Buffer::copy_of(as_bytes("abc")));
      std::ignore = stream.finish({});
      co_return;
    default: break;
  }
  if (!stream.respond(head, http::End::no)) co_return;
  for (;;) {
    auto piece = co_await stream.read(nullptr);
    if (!piece) co_return;
    if (piece->empty()) break;
    if (!stream.write(std::move(*piece))) co_return;
  }
  std::ignore = stream.finish(stream.trailers());
}

coro::Task<void> run_connection(io::Loop& loop, std::unique_ptr<MemoryStream> stream) {
  http1::ServerConnection connection(loop, *stream, io::Buffer(), kOptions);
  for (;;) {
    auto request = co_await connection.next(nullptr);
    if (!request) {
      connection.refuse(request.error());
      co_return;
    }
    if (*request == nullptr) co_return;
    co_await serve(**request);
    request->reset();
    const bool another = co_await connection.finish_request(nullptr);
    if (!another) co_return;
  }
}

coro::Task<void> fuzz(io::Loop& loop, ByteView bytes, std::size_t piece) {
  auto [client, server] = MemoryStream::pair();
  coro::Scope scope;
  scope.spawn(run_connection(loop, std::move(server)));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const ByteView part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    if (!client->write(io::Buffer::copy_of(part))) break;
    co_await http2::let_run();
  }
  std::ignore = client->shutdown_write();
  co_await scope.join();
  const io::Buffer said = client->take_all();
  AQUIFER_ASSERT(said.empty() || as_text(said.view()).starts_with("HTTP/1.1 "));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  io::Loop& loop = http2::loop_of_thread();
  // Whole, or in pieces of some size.
  const std::size_t piece = data[0] % 4 == 0 ? size : data[0];
  loop.run(fuzz(loop, ByteView(data + 1, size - 1), std::max<std::size_t>(piece, 1)));
  return 0;
}
