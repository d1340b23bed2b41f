// h2_driver: the HTTP/2 codec alone behind a plain TCP port, for public clients and test suites.
//
//   h2_driver (uring|epoll) PORT [SERVER_PORT]
//
// Listens on 127.0.0.1 (port 0: one that is free), prints "listening ADDRESS", serves, and on
// SIGTERM drains every connection and ends. With a server's port it passes every request on to that
// one, by the client's half of the codec. Else it answers by path:
//   GET /            a greeting of known length
//   GET /bytes/N     N bytes
//   GET /hints       103, then 200
//   POST /upload     reads everything, then says how many bytes it was
//   CONNECT, POST    what comes goes back, with the trailers
#include "common/admin/signals.h"
#include "common/http2/server_connection.h"
#include "common/io/listener.h"
#include "common/io/socket_options.h"
#include "common/io/socket_stream.h"
#include "tests/e2e/drivers/h2_relay.h"

#include <charconv>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace aquifer;

constexpr std::string_view kGreeting = "hello over HTTP/2\n";
constexpr std::size_t kBytesMax = std::size_t{1} << 32;

http::ResponseHead ok() {
  http::ResponseHead head;
  head.status = 200;
  head.fields.add("content-type", "text/plain");
  return head;
}

void answer(http::ServerStream& stream, http::ResponseHead head, std::string_view body) {
  head.content_length = body.size();
  if (!stream.respond(head, http::End::no)) return;
  if (!stream.write(io::Buffer::copy_of(as_bytes(body)))) return;
  std::ignore = stream.finish({});
}

// How many bytes the request's body has; nothing once the stream has failed.
coro::Task<std::optional<std::size_t>> read_all(http::ServerStream& stream) {
  std::size_t bytes = 0;
  for (;;) {
    const auto piece = co_await stream.read(nullptr);
    if (!piece) co_return std::nullopt;
    if (piece->empty()) co_return bytes;
    bytes += piece->size();
  }
}

coro::Task<void> give_bytes(std::unique_ptr<http::ServerStream> stream, std::size_t left) {
  http::ResponseHead head = ok();
  head.content_length = left;
  if (!stream->respond(head, http::End::no)) co_return;
  const std::string block(64 * 1024, 'x');
  while (left > 0) {
    const auto allowed = co_await stream->writable(nullptr);
    if (!allowed) co_return;
    const std::size_t size = std::min({*allowed, left, block.size()});
    if (!stream->write(io::Buffer::copy_of(as_bytes(block).first(size)))) co_return;
    left -= size;
  }
  std::ignore = stream->finish({});
}

// Not before the request has ended, or whoever breaks a rule in its body may find the stream
// closed.
coro::Task<void> greet(std::unique_ptr<http::ServerStream> stream) {
  const auto bytes = co_await read_all(*stream);
  if (bytes) answer(*stream, ok(), kGreeting);
}

coro::Task<void> count_upload(std::unique_ptr<http::ServerStream> stream) {
  const auto bytes = co_await read_all(*stream);
  if (bytes) answer(*stream, ok(), std::to_string(*bytes));
}

coro::Task<void> echo(std::unique_ptr<http::ServerStream> stream) {
  http::ResponseHead head = ok();
  if (!stream->request().upgrade.empty()) head.status = 101;
  if (!stream->respond(head, http::End::no)) co_return;
  for (;;) {
    const auto allowed = co_await stream->writable(nullptr);
    if (!allowed) co_return;
    auto piece = co_await stream->read(nullptr);
    if (!piece) co_return;
    if (piece->empty()) break;
    if (!stream->write(std::move(*piece))) co_return;
  }
  std::ignore = stream->finish(stream->trailers());
}

coro::Task<void> serve(std::unique_ptr<http::ServerStream> stream) {
  const http::RequestHead& head = stream->request();
  const std::string_view path = head.path;
  constexpr std::string_view kBytes = "/bytes/";
  if (head.method == "CONNECT" || !head.upgrade.empty()) return echo(std::move(stream));
  if (head.method == "POST" && path == "/upload") return count_upload(std::move(stream));
  if (head.method == "POST") return echo(std::move(stream));
  if (path.starts_with(kBytes)) {
    std::size_t bytes = 0;
    std::from_chars(path.data() + kBytes.size(), path.data() + path.size(), bytes);
    return give_bytes(std::move(stream), std::min(bytes, kBytesMax));
  }
  if (path == "/hints") {
    http::ResponseHead hints;
    hints.status = 103;
    hints.fields.add("link", "</style.css>; rel=preload");
    std::ignore = stream->inform(hints);
  }
  return greet(std::move(stream));
}

struct Server {
  io::Loop& loop;
  io::Listener listener;
  std::vector<http2::ServerConnection*> connections;
  http2::Serve serve_one;
  bool draining = false;
  coro::Scope scope;

  Server(io::Loop& l, Fd fd, http2::Serve how)
      : loop(l), listener(l, std::move(fd)), serve_one(std::move(how)) {}

  static coro::Task<void> serve_connection(Server& server, Fd fd) {
    std::ignore = io::set_nodelay(fd.get());
    io::SocketStream stream(server.loop, std::move(fd));
    http2::ServerConnection connection(server.loop, stream, server.serve_one);
    server.connections.push_back(&connection);
    if (server.draining) connection.drain();
    co_await connection.run(io::Buffer(), nullptr);
    std::erase(server.connections, &connection);
  }

  static coro::Task<void> accept(Server& server) {
    for (;;) {
      auto fd = co_await server.listener.accept();
      if (!fd) co_return;
      server.scope.spawn(serve_connection(server, std::move(*fd)));
    }
  }
};

coro::Task<void> run(io::Loop& loop, Fd listener, admin::Signals& signals,
                     std::uint16_t server_port) {
  http2::Serve how = serve;
  std::unique_ptr<h2_driver::Relay> relay;
  if (server_port != 0) {
    auto connected = co_await h2_driver::Relay::connect(loop, server_port);
    if (!connected) {
      std::cerr << "h2_driver: " << connected.error().message() << "\n";
      co_return;
    }
    relay = std::move(*connected);
    how = [&relay](std::unique_ptr<http::ServerStream> stream) {
      return h2_driver::Relay::serve(*relay, std::move(stream));
    };
  }
  Server server(loop, std::move(listener), std::move(how));
  server.scope.spawn(Server::accept(server));
  const auto signal = co_await signals.next(loop, nullptr);
  std::ignore = signal;
  signals.forget(loop);
  server.draining = true;
  for (http2::ServerConnection* connection : server.connections) connection->drain();
  co_await server.listener.stop();
  co_await server.scope.join();
  if (relay != nullptr) co_await relay->end();
}

Result<Fd> listen(std::uint16_t port) {
  TRY(Fd fd, io::tcp_socket(AF_INET));
  TRY_VOID(io::listen_on(fd.get(), {IpAddress::loopback_v4(), port}, {}));
  SockaddrStorage bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(fd.get(), bound.get(), &bound.length) != 0)
    return fail(Errc::io, "getsockname");
  std::cout << "listening " << bound.to_address().value().to_string() << std::endl;
  return fd;
}

}  // namespace

int main(int count, char** words) {
  const std::string_view backend = count > 2 ? words[1] : "";
  if (backend != "uring" && backend != "epoll") {
    std::cerr << "usage: h2_driver (uring|epoll) PORT [SERVER_PORT]\n";
    return 2;
  }
  auto signals = admin::Signals::open();
  const auto choice = backend == "uring" ? io::BackendChoice::uring : io::BackendChoice::epoll;
  auto loop = io::Loop::create(choice);
  auto listener = listen(static_cast<std::uint16_t>(std::atoi(words[2])));
  if (!signals || !loop || !listener) {
    std::cerr << "h2_driver: cannot start\n";
    return 1;
  }
  const int server_port = count > 3 ? std::atoi(words[3]) : 0;
  (*loop)->run(
      run(**loop, std::move(*listener), *signals, static_cast<std::uint16_t>(server_port)));
  return 0;
}
