// Fuzzes the server's side of HTTP/2: a client's bytes, raw or as frames with right lengths,
// against handlers that answer in every way there is.
#include "common/http2/server_connection.h"
#include "tests/fuzz/http2_peer.h"

namespace {

using namespace aquifer;
using namespace aquifer::http2;

coro::Task<void> read_all(http::ServerStream& stream) {
  for (;;) {
    const auto piece = co_await stream.read(nullptr);
    if (!piece || piece->empty()) co_return;
  }
}

coro::Task<void> echo(http::ServerStream& stream) {
  for (;;) {
    const auto allowed = co_await stream.writable(nullptr);
    if (!allowed) co_return;
    AQUIFER_ASSERT(*allowed > 0);
    auto piece = co_await stream.read(nullptr);
    if (!piece) co_return;
    if (piece->empty()) break;
    if (!stream.write(std::move(*piece))) co_return;
  }
  std::ignore = stream.finish(stream.trailers());
}

void check(const http::RequestHead& head) {
  AQUIFER_ASSERT(is_token(head.method) && !head.authority.empty());
  AQUIFER_ASSERT(head.path.find_first_of(std::string_view("\0\r\n #", 5)) == std::string::npos);
  for (const HeaderField field : head.fields) {
    AQUIFER_ASSERT(is_token(field.name) && field.value.find_first_of("\r\n") == std::string::npos);
    AQUIFER_ASSERT(field.name == "te" || !http::is_hop_by_hop(field.name));
  }
}

/// The length of the path chooses.
coro::Task<void> serve(std::unique_ptr<http::ServerStream> stream) {
  check(stream->request());
  http::ResponseHead head;
  head.status = stream->request().upgrade.empty() ? 200 : 101;
  head.fields = {{"X-Name", "value"}, {"connection", "x-hop"}, {"x-hop", "1"}};
  switch (stream->request().path.size() % 8) {
    case 0: break;
    case 1:
      if (stream->respond(head, http::End::no)) co_await echo(*stream);
      break;
    case 2:
      head.content_length = 0;
      std::ignore = stream->respond(head, http::End::yes);
      break;
    case 3:
      co_await read_all(*stream);
      std::ignore = stream->respond(head, http::End::no);
      break;
    case 4: stream->abort(http::Abort::refused); break;
    case 5: {
      const Error error = co_await stream->failure(nullptr);
      AQUIFER_ASSERT(error.source == ErrorSource::downstream);
      break;
    }
    case 6: {
      http::ResponseHead hints;
      hints.status = 103;
      std::ignore = stream->inform(hints);
      if (!stream->respond(head, http::End::no)) co_return;
      const std::string large(100'000, 'x');
      if (!stream->write(io::Buffer::copy_of(as_bytes(large)))) co_return;
      std::ignore = stream->finish({{"x", "y"}});
      break;
    }
    default:
      head.content_length = 3;
      if (!stream->respond(head, http::End::no)) co_return;
      std::ignore = stream->write(io::Buffer::copy_of(as_bytes("abcd")));
  }
}

coro::Task<void> fuzz(io::Loop& loop, ByteView data) {
  Input input(data);
  ServerOptions options;
  // Small numbers, so that limits are reached by small inputs.
  options.streams_max = 8;
  options.held_max = 12;
  options.head_bytes_max = 2'000;
  options.head_fields_max = 20;
  for (FloodLimit& limit : options.floods.by_kind) limit = {.burst = 64, .per_second = 1};
  auto [near, far] = testing::MemoryStream::pair(std::size_t{1} << 20U);
  RawEnd peer(std::move(near), 0);
  ServerConnection server(loop, *far, serve, options);
  coro::Scope scope;
  scope.spawn(server.run(io::Buffer(), nullptr));
  const std::uint8_t how = input.byte();
  if ((how & 1U) != 0)
    peer.send(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  while (!input.empty()) {
    const std::uint8_t what = input.byte();
    if (what < 160) {
      peer.send_frame(input);
    } else if (what < 224) {
      peer.send(as_text(input.bytes(what - 159)));
    } else if (what == 255) {
      server.drain();
    }
    if (what % 4 != 0) continue;
    co_await let_run();
    peer.check_answers();
    AQUIFER_ASSERT(server.streams() <= options.held_max);
  }
  co_await let_run();
  peer.check_answers();
  if ((how & 2U) != 0) {
    peer.abort();
  } else {
    peer.end();
  }
  co_await scope.join();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loop_of_thread().run(fuzz(loop_of_thread(), {data, size}));
  return 0;
}
