// Two tunnels that talk over a TCP connection on loopback, with real TLS between them.
#pragma once

#include "common/hbone/tunnel.h"
#include "common/tls/connect.h"
#include "tests/unit/common/io/io_fixture.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::hbone {

/// One identity for each side; made once, since keys and certificates take their time.
struct TestMesh {
  tls::Signer root = tls::testing::make_root();
  std::shared_ptr<const tls::ClientContext> client =
      tls::ClientContext::create(tls::testing::bundle_of(root, tls::testing::id_of("client")))
          .value();
  std::shared_ptr<const tls::ServerContext> server =
      tls::ServerContext::create(tls::testing::bundle_of(root, tls::testing::id_of("server")))
          .value();

  static const TestMesh& get() {
    static const TestMesh mesh;
    return mesh;
  }
};

inline coro::Task<void> secure_server(io::Socket& socket,
                                      std::optional<tls::SecuredConnection>& out) {
  const Deadline deadline = socket.loop().after(io::kSoon);
  auto secured = co_await tls::handshake_server(socket, TestMesh::get().server, deadline);
  if (secured) out.emplace(std::move(*secured));
}

inline coro::Task<void> secure_client(io::Socket& socket,
                                      std::optional<tls::SecuredConnection>& out) {
  const Deadline deadline = socket.loop().after(io::kSoon);
  std::vector<SpiffeId> expected{tls::testing::id_of("server")};
  auto secured =
      co_await tls::handshake_client(socket, TestMesh::get().client, std::move(expected), deadline);
  if (secured) out.emplace(std::move(*secured));
}

struct TunnelPair {
  std::unique_ptr<Tunnel> client;
  std::unique_ptr<Tunnel> server;
};

/// Connected and secured, not yet running.
inline coro::Task<TunnelPair> make_tunnels(io::Loop& loop, io::Account& client_account,
                                           io::Account& server_account, ServeConnect serve) {
  io::FdPair fds = io::tcp_pair();
  auto left = std::make_unique<io::Socket>(loop, std::move(fds.left));
  auto right = std::make_unique<io::Socket>(loop, std::move(fds.right));
  std::optional<tls::SecuredConnection> near;
  std::optional<tls::SecuredConnection> far;
  coro::Scope handshakes;
  handshakes.spawn(secure_server(*right, far));
  handshakes.spawn(secure_client(*left, near));
  co_await handshakes.join();
  REQUIRE(near.has_value());
  REQUIRE(far.has_value());
  TunnelPair pair;
  pair.client = std::make_unique<Tunnel>(std::move(left), std::move(*near), Role::client,
                                         client_account, ServeConnect());
  pair.server = std::make_unique<Tunnel>(std::move(right), std::move(*far), Role::server,
                                         server_account, std::move(serve));
  co_return pair;
}

/// As a proxy does: the socket is closed once the tunnel's life is over.
inline coro::Task<void> run_and_close(std::unique_ptr<Tunnel>& tunnel) {
  co_await tunnel->run();
  tunnel.reset();
}

inline ConnectRequest request_to(std::string authority) {
  ConnectRequest request;
  request.authority = std::move(authority);
  return request;
}

/// Both ends of one stream.
struct StreamPair {
  std::unique_ptr<TunnelStream> near;  ///< the client's
  std::unique_ptr<TunnelStream> far;   ///< the server's
};

/// Both tunnels, running; what the server accepts waits in `incoming`.
struct Link {
  io::Account client_account;
  io::Account server_account;
  std::unique_ptr<Tunnel> client;
  std::unique_ptr<Tunnel> server;
  int status = 200;  ///< what the server answers
  std::deque<std::unique_ptr<TunnelStream>> incoming;
  std::string authority;  ///< of the newest request
  coro::Scope running;

  static coro::Task<void> serve(Link& link, std::unique_ptr<TunnelStream> stream,
                                ConnectRequest request) {
    link.authority = request.authority;
    if (link.status != 200) {
      stream->refuse(link.status);
      co_return;
    }
    const Status accepted = stream->accept(ConnectResponse{});
    if (!accepted) co_return;  // the client went away first
    link.incoming.push_back(std::move(stream));
  }

  coro::Task<void> start(io::Loop& loop) {
    client_account.name = "default/client";
    server_account.name = "default/server";
    ServeConnect take = [this](std::unique_ptr<TunnelStream> stream, ConnectRequest request) {
      return serve(*this, std::move(stream), std::move(request));
    };
    TunnelPair pair = co_await make_tunnels(loop, client_account, server_account, std::move(take));
    client = std::move(pair.client);
    server = std::move(pair.server);
    running.spawn(run_and_close(client));
    running.spawn(run_and_close(server));
  }

  coro::Task<Result<std::unique_ptr<TunnelStream>>> open(io::Loop& loop) {
    auto stream = co_await client->open(request_to("10.0.0.1:80"), loop.after(io::kSoon), nullptr);
    co_return stream;
  }

  coro::Task<StreamPair> open_pair(io::Loop& loop) {
    auto near = co_await open(loop);
    REQUIRE(near.has_value());
    REQUIRE(incoming.size() == 1);
    StreamPair pair;
    pair.near = std::move(*near);
    pair.far = std::move(incoming.front());
    incoming.pop_front();
    co_return pair;
  }

  /// Every stream was given back: ends both tunnels.
  coro::Task<void> finish() {
    if (client != nullptr) client->drain();
    co_await running.join();
    CHECK(client_account.queued_bytes == 0);
    CHECK(server_account.queued_bytes == 0);
    CHECK(server_account.queue_owners.empty());
  }
};

/// Writes `total` bytes of the stream of numbers of `seed`; leaves the half open.
inline coro::Task<Status> send_bytes(io::ByteStream& stream, std::uint32_t seed, std::size_t total,
                                     io::Digest& sent, coro::CancelSource* cancel = nullptr) {
  io::ByteSource source(seed);
  std::mt19937 sizes(seed);
  std::vector<std::uint8_t> bytes;
  while (sent.size() < total) {
    CO_TRY(const std::size_t allowed, co_await stream.writable(cancel));
    REQUIRE(allowed > 0);
    bytes.resize(
        std::min({allowed, total - sent.size(), 1 + sizes() % (std::size_t{1} << (sizes() % 18))}));
    source.fill(bytes);
    CO_TRY_VOID(stream.write(io::Buffer::copy_of(bytes)));
    sent.add(bytes);
  }
  co_return Status{};
}

/// After what was sent: ends the half.
inline coro::Task<Status> end_half(io::ByteStream& stream) {
  CO_TRY([[maybe_unused]] const std::size_t allowed, co_await stream.writable(nullptr));
  co_return stream.shutdown_write();
}

inline coro::Task<void> send_and_end(io::ByteStream& stream, std::uint32_t seed, std::size_t total,
                                     io::Digest& sent) {
  const Status all = co_await send_bytes(stream, seed, total, sent);
  REQUIRE(all.has_value());
  const Status ended = co_await end_half(stream);
  REQUIRE(ended.has_value());
}

/// Reads to the end of the half, at most `total` bytes.
inline coro::Task<Status> read_bytes(io::ByteStream& stream, io::Digest& got,
                                     std::size_t total = SIZE_MAX) {
  while (got.size() < total) {
    auto piece =
        co_await stream.read(std::min<std::size_t>(total - got.size(), 128 * 1024), nullptr);
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    got.add(piece->view());
  }
  co_return Status{};
}

inline coro::Task<void> read_to_end(io::ByteStream& stream, io::Digest& got) {
  const Status all = co_await read_bytes(stream, got);
  REQUIRE(all.has_value());
}

}  // namespace aquifer::hbone
