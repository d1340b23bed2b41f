// Fuzzes the client's side of HTTP/2: a server's bytes, raw or as frames with right lengths,
// against requests of every kind.
#include "common/http2/client_connection.h"
#include "tests/fuzz/http2_peer.h"

namespace {

using namespace aquifer;
using namespace aquifer::http2;

coro::Task<void> receive(http::ClientStream& stream) {
  for (;;) {
    const auto head = co_await stream.response(nullptr);
    if (!head) {
      AQUIFER_ASSERT(head.error().source != ErrorSource::downstream);
      co_return;
    }
    AQUIFER_ASSERT(head->status >= 100 && head->status <= 999);
    for (const HeaderField field : head->fields)
      AQUIFER_ASSERT(is_token(field.name) &&
                     field.value.find_first_of("\r\n") == std::string::npos);
    if (head->status >= 200 || head->status == 101) break;
  }
  std::size_t bytes = 0;
  for (;;) {
    const auto piece = co_await stream.read(nullptr);
    if (!piece) co_return;
    if (piece->empty()) break;
    bytes += piece->size();
  }
  AQUIFER_ASSERT(stream.ended() && bytes < (std::size_t{1} << 24U));
}

coro::Task<void> send(http::ClientStream& stream, std::size_t chunks) {
  const std::string chunk(10'000, 'x');
  for (std::size_t i = 0; i < chunks; ++i) {
    const auto allowed = co_await stream.writable(nullptr);
    if (!allowed) co_return;
    if (!stream.write(io::Buffer::copy_of(as_bytes(chunk)))) co_return;
  }
  const auto allowed = co_await stream.writable(nullptr);
  if (allowed) std::ignore = stream.finish({{"x", "y"}});
}

coro::Task<void> exchange(std::unique_ptr<http::ClientStream> stream, std::uint8_t kind) {
  coro::Scope both;
  if (kind % 4 == 1) both.spawn(send(*stream, kind / 16U));
  if (kind % 4 != 3) both.spawn(receive(*stream));
  co_await both.join();
}

void open(ClientConnection& client, coro::Scope& scope, std::uint8_t kind) {
  http::RequestHead head;
  head.method = kind % 4 == 2 ? "HEAD" : kind % 8 == 4 ? "CONNECT" : "POST";
  head.scheme = "http";
  head.authority = "a";
  head.path = "/";
  if (kind % 16 == 5) head.upgrade = "websocket";
  const bool body = kind % 4 == 1;
  auto stream = client.open(head, body ? http::End::no : http::End::yes);
  if (stream) scope.spawn(exchange(std::move(*stream), kind));
}

coro::Task<void> fuzz(io::Loop& loop, ByteView data) {
  Input input(data);
  ClientOptions options;
  options.streams_max = 8;
  options.head_bytes_max = 2'000;
  options.head_fields_max = 20;
  for (FloodLimit& limit : options.floods.by_kind) limit = {.burst = 64, .per_second = 1};
  auto [near, far] = testing::MemoryStream::pair(std::size_t{1} << 20U);
  RawEnd peer(std::move(far), 24);
  ClientConnection client(loop, std::move(near), options);
  coro::Scope scope;
  coro::Scope requests;
  scope.spawn(client.run(nullptr));
  const std::uint8_t how = input.byte();
  if ((how & 1U) != 0) peer.send(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  open(client, requests, how);
  while (!input.empty()) {
    const std::uint8_t what = input.byte();
    if (what < 140) {
      peer.send_frame(input);
    } else if (what < 190) {
      peer.send(as_text(input.bytes(what - 139)));
    } else if (what < 254) {
      open(client, requests, input.byte());
    } else {
      client.drain();
    }
    if (what % 4 != 0) continue;
    co_await let_run();
    peer.check_answers();
  }
  co_await let_run();
  peer.check_answers();
  if ((how & 2U) != 0) {
    peer.abort();
  } else {
    peer.end();
  }
  co_await requests.join();
  co_await scope.join();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loop_of_thread().run(fuzz(loop_of_thread(), {data, size}));
  return 0;
}
