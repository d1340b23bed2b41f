// A relay of requests between both roles of the HTTP/2 codec: all of them on one connection to a
// server on 127.0.0.1.
#pragma once

#include "common/http2/client_connection.h"
#include "common/io/socket_options.h"
#include "common/io/socket_stream.h"

#include <memory>
#include <utility>

namespace h2_driver {

using namespace aquifer;

/// The body and the trailers, with back-pressure.
inline coro::Task<void> copy(http::Incoming& from, http::Outgoing& to, coro::CancelSource* stop) {
  for (;;) {
    const auto allowed = co_await to.writable(stop);
    if (!allowed) co_return;
    auto piece = co_await from.read(stop);
    if (!piece) {
      if (piece.error().code != Errc::cancelled) to.abort(http::Abort::internal_error);
      co_return;
    }
    if (piece->empty()) break;
    if (!to.write(std::move(*piece))) co_return;
  }
  std::ignore = to.finish(from.trailers());
}

class Relay {
 public:
  static coro::Task<Result<std::unique_ptr<Relay>>> connect(io::Loop& loop, std::uint16_t port) {
    CO_TRY(Fd fd, io::tcp_socket(AF_INET));
    std::ignore = io::set_nodelay(fd.get());
    auto stream = std::make_unique<io::SocketStream>(loop, std::move(fd));
    const SocketAddress address{IpAddress::loopback_v4(), port};
    const Deadline deadline = loop.after(std::chrono::seconds(10));
    CO_TRY_VOID(co_await stream->socket().connect(address, deadline));
    co_return std::make_unique<Relay>(loop, std::move(stream));
  }
  Relay(io::Loop& loop, std::unique_ptr<io::ByteStream> stream) : client_(loop, std::move(stream)) {
    scope_.spawn(client_.run(nullptr));
  }

  coro::Task<void> end() {
    client_.drain();
    co_await scope_.join();
  }

  static coro::Task<void> serve(Relay& relay, std::unique_ptr<http::ServerStream> stream) {
    auto opened =
        relay.client_.open(stream->request(), stream->ended() ? http::End::yes : http::End::no);
    if (!opened) {
      http::ResponseHead head;
      head.status = 503;
      std::ignore = stream->respond(head, http::End::yes);
      co_return;
    }
    http::ClientStream& upstream = **opened;
    coro::Scope upload;
    if (!stream->ended()) upload.spawn(copy(*stream, upstream, &upload.cancel_source()));
    co_await answer(*stream, upstream);
    // Nobody wants the rest of a request that is answered; of a tunnel, both halves are.
    const http::RequestHead& head = stream->request();
    if (head.method != "CONNECT" && head.upgrade.empty()) upload.cancel();
    co_await upload.join();
  }

 private:
  static coro::Task<void> answer(http::ServerStream& stream, http::ClientStream& upstream) {
    for (;;) {
      const auto head = co_await upstream.response(nullptr);
      if (!head) {
        stream.abort(head.error().retry == Retry::yes ? http::Abort::refused
                                                      : http::Abort::internal_error);
        co_return;
      }
      if (head->status < 200 && head->status != 101) {
        std::ignore = stream.inform(*head);
        continue;
      }
      if (!stream.respond(*head, upstream.ended() ? http::End::yes : http::End::no)) co_return;
      break;
    }
    if (!upstream.ended()) co_await copy(upstream, stream, nullptr);
  }

  http2::ClientConnection client_;
  coro::Scope scope_;
};

}  // namespace h2_driver
