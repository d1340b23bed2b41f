// The handshake over real sockets on loopback.
#include "common/tls/connect.h"

#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

#include <sys/socket.h>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

namespace {

struct Ends {
  explicit Ends(io::Loop& loop) : Ends(loop, make_pair()) {}
  io::Socket client;
  io::Socket server;

 private:
  static std::array<int, 2> make_pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return fds;
  }
  Ends(io::Loop& loop, std::array<int, 2> fds)
      : client(loop, Fd(fds[0])), server(loop, Fd(fds[1])) {}
};

struct Outcome {
  std::optional<Result<SecuredConnection>> result;
  std::string reason;
};

struct Mesh {
  Signer root = make_root();
  std::shared_ptr<const ClientContext> client =
      ClientContext::create(bundle_of(root, id_of("client"))).value();
  std::shared_ptr<const ServerContext> server =
      ServerContext::create(bundle_of(root, id_of("server"))).value();
};

coro::Task<void> dial(Ends& ends, const Mesh& mesh, SpiffeId expected, Outcome& outcome) {
  std::vector<SpiffeId> all = {std::move(expected)};
  const Deadline deadline = ends.client.loop().after(std::chrono::seconds(10));
  auto result = co_await handshake_client(ends.client, mesh.client, std::move(all), deadline,
                                          nullptr, &outcome.reason);
  outcome.result.emplace(std::move(result));
}

coro::Task<void> accept(Ends& ends, const Mesh& mesh, Deadline deadline, coro::CancelSource* cancel,
                        Outcome& outcome) {
  auto result =
      co_await handshake_server(ends.server, mesh.server, deadline, cancel, &outcome.reason);
  outcome.result.emplace(std::move(result));
}

coro::Task<void> both(io::Loop& loop, Ends& ends, const Mesh& mesh, SpiffeId expected,
                      Outcome& client, Outcome& server) {
  coro::Scope scope;
  scope.spawn(accept(ends, mesh, loop.after(std::chrono::seconds(10)), nullptr, server));
  scope.spawn(dial(ends, mesh, std::move(expected), client));
  co_await scope.join();
}

}  // namespace

TEST_CASE("a client and a server secure their connection on either backend") {
  for (const auto backend : {io::BackendChoice::epoll, io::BackendChoice::automatic}) {
    auto loop = io::Loop::create(backend).value();
    const Mesh mesh;
    Ends ends(*loop);
    Outcome client;
    Outcome server;
    loop->run(both(*loop, ends, mesh, id_of("server"), client, server));
    REQUIRE(client.result);
    REQUIRE_MESSAGE(*client.result, client.reason);
    REQUIRE(server.result);
    REQUIRE_MESSAGE(*server.result, server.reason);
    CHECK((*client.result)->peer.identity == id_of("server"));
    CHECK((*server.result)->peer.identity == id_of("client"));
    CHECK((*server.result)->unread.empty());
  }
}

TEST_CASE("a refusal reaches the other side as an alert, not as a reset") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  const Mesh mesh;
  Ends ends(*loop);
  Outcome client;
  Outcome server;
  loop->run(both(*loop, ends, mesh, id_of("somebody-else"), client, server));
  REQUIRE(client.result);
  REQUIRE_FALSE(*client.result);
  CHECK(client.result->error().code == Errc::identity);
  CHECK(client.result->error().source == ErrorSource::upstream);
  CHECK(client.reason.find("the server is spiffe://cluster.local/ns/default/sa/server") !=
        std::string::npos);
  REQUIRE(server.result);
  REQUIRE_FALSE(*server.result);
  CHECK(server.result->error().code == Errc::tls);
  CHECK(server.reason.find("alert") != std::string::npos);
}

TEST_CASE("a peer that says nothing is given up at the deadline") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  const Mesh mesh;
  Ends ends(*loop);
  Outcome server;
  loop->run(accept(ends, mesh, loop->after(std::chrono::milliseconds(20)), nullptr, server));
  REQUIRE(server.result);
  REQUIRE_FALSE(*server.result);
  CHECK(server.result->error().code == Errc::timed_out);
}

TEST_CASE("a handshake that is cancelled ends at once") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  const Mesh mesh;
  Ends ends(*loop);
  Outcome server;
  coro::CancelSource cancel;
  cancel.cancel();
  loop->run(accept(ends, mesh, Deadline::never(), &cancel, server));
  REQUIRE(server.result);
  REQUIRE_FALSE(*server.result);
  CHECK(server.result->error().code == Errc::cancelled);
}

TEST_CASE("a peer that goes away in the middle is an end of stream") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  const Mesh mesh;
  Ends ends(*loop);
  REQUIRE(::send(ends.client.fd(), "\x16\x03\x01", 3, 0) == 3);
  REQUIRE(::shutdown(ends.client.fd(), SHUT_WR) == 0);
  Outcome server;
  loop->run(accept(ends, mesh, loop->after(std::chrono::seconds(10)), nullptr, server));
  REQUIRE(server.result);
  REQUIRE_FALSE(*server.result);
  CHECK(server.result->error().code == Errc::end_of_stream);
}
