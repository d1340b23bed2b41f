// A client and a server of ours that talk to each other over memory.
#pragma once

#include "common/http2/client_connection.h"
#include "common/http2/server_connection.h"
#include "tests/unit/common/http2/memory_stream.h"
#include "tests/unit/common/io/io_fixture.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace aquifer::http2::testing {

inline http::RequestHead get(std::string path = "/") {
  http::RequestHead head;
  head.method = "GET";
  head.scheme = "http";
  head.authority = "server.test";
  head.path = std::move(path);
  return head;
}

inline http::RequestHead post(std::string path = "/") {
  http::RequestHead head = get(std::move(path));
  head.method = "POST";
  return head;
}

inline http::ResponseHead answer(int status = 200) {
  http::ResponseHead head;
  head.status = status;
  return head;
}

/// All of the body.
inline coro::Task<Result<std::string>> read_all(http::Incoming& message) {
  std::string all;
  for (;;) {
    CO_TRY(const io::Buffer piece, co_await message.read(nullptr));
    if (piece.empty()) co_return std::move(all);
    all.append(as_text(piece.view()));
  }
}

/// `text` in pieces as they are allowed.
inline coro::Task<Status> write_all(http::Outgoing& message, std::string text) {
  std::string_view rest(text);
  while (!rest.empty()) {
    CO_TRY(const std::size_t allowed, co_await message.writable(nullptr));
    REQUIRE(allowed > 0);
    const std::string_view piece = rest.substr(0, allowed);
    CO_TRY_VOID(message.write(io::Buffer::copy_of(as_bytes(piece))));
    rest.remove_prefix(piece.size());
  }
  co_return Status{};
}

/// Answers with the request's body and trailers.
inline coro::Task<void> echo(std::unique_ptr<http::ServerStream> stream) {
  const Status responded = stream->respond(answer(), http::End::no);
  if (!responded) co_return;
  for (;;) {
    const auto allowed = co_await stream->writable(nullptr);
    if (!allowed) co_return;
    auto piece = co_await stream->read(nullptr);
    if (!piece) co_return;
    if (piece->empty()) break;
    const Status written = stream->write(std::move(*piece));
    if (!written) co_return;
  }
  std::ignore = stream->finish(stream->trailers());
}

/// Both connections, running.
struct Link {
  std::unique_ptr<ClientConnection> client;
  std::unique_ptr<ServerConnection> server;
  MemoryStream* client_end = nullptr;
  std::unique_ptr<MemoryStream> server_end;
  coro::CancelSource stop_server;
  coro::CancelSource stop_client;
  coro::Scope running;

  void start(io::Loop& loop, Serve serve, ServerOptions server_options = {},
             ClientOptions client_options = {}) {
    auto [near, far] = MemoryStream::pair();
    client_end = near.get();
    server_end = std::move(far);
    client = std::make_unique<ClientConnection>(loop, std::move(near), client_options);
    server =
        std::make_unique<ServerConnection>(loop, *server_end, std::move(serve), server_options);
    running.spawn(run_server(*this));
    running.spawn(run_client(*this));
  }
  coro::Task<void> finish() {
    client->drain();
    co_await running.join();
  }

  static coro::Task<void> run_server(Link& link) {
    co_await link.server->run(io::Buffer(), &link.stop_server);
    link.server_end.reset();
  }
  static coro::Task<void> run_client(Link& link) {
    co_await link.client->run(&link.stop_client);
    link.client.reset();
  }
};

/// Runs `test(loop, arguments...)`, a coroutine function without captures.
template <typename Test, typename... Arguments>
void run(Test test, Arguments&&... arguments) {
  io::run_on<io::Epoll>(test, std::forward<Arguments>(arguments)...);
}

}  // namespace aquifer::http2::testing
