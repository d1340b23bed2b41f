#include "common/admin/server.h"

#include "tests/unit/common/admin/running_server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

using namespace aquifer;
using namespace aquifer::admin;
using namespace std::chrono_literals;

namespace {

std::atomic<bool> slow_reached = false;

coro::Task<Response> slow_answer(std::string path) {
  slow_reached = true;
  slow_reached.notify_all();
  auto slept = co_await io::sleep_until(io::Loop::current(), io::Loop::current().after(50ms));
  REQUIRE(slept.has_value());
  co_return Response::text(200, "slow " + path + "\n");
}

Router make_router() {
  Router router;
  router.add("/hello", Methods::get, "greets",
             [](const Request&) { return Response::text(200, "hello\n"); });
  router.add("/echo", Methods::post, "says it back", [](const Request& request) {
    return Response::text(200,
                          std::string(request.parameter("prefix").value_or("")) + request.body);
  });
  router.add("/big", Methods::get, "is large",
             [](const Request&) { return Response::text(200, std::string(4 << 20, 'x')); });
  router.add_async("/slow", Methods::get, "takes its time",
                   [](Request request) { return slow_answer(request.path); });
  router.add_index("aquifer test");
  return router;
}

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}
bool is_status(const std::string& response, int status) {
  return response.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}
std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("a connection is asked again and again, on both backends") {
  Router router = make_router();
  for (io::BackendChoice backend : {io::BackendChoice::epoll, io::BackendChoice::automatic}) {
    RunningServer server(router, {}, backend);
    Client client(server);
    for (int i = 0; i < 3; ++i) {
      CHECK(client.ask(get("/hello")) ==
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
            "Connection: keep-alive\r\n\r\nhello\n");
    }
  }
}

TEST_CASE("a request's query and body reach its handler") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  CHECK(body_of(client.ask(
            "POST /echo?prefix=a%20b%3D HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")) ==
        "a b=body");
  CHECK(body_of(client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                           "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")) == "abc");
}

TEST_CASE("requests sent all at once are answered in order") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  client.send(get("/slow") + get("/hello") + get("/nowhere") + get("/hello"));
  CHECK(body_of(client.read_response()) == "slow /slow\n");
  CHECK(body_of(client.read_response()) == "hello\n");
  CHECK(is_status(client.read_response(), 404));
  CHECK(body_of(client.read_response()) == "hello\n");
}

TEST_CASE("a request that comes byte by byte is answered") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  for (char c : get("/hello")) client.send({&c, 1});
  CHECK(body_of(client.read_response()) == "hello\n");
}

TEST_CASE("HEAD gets the head alone, with the length the body would have") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string head = client.read_response(false);
  CHECK(is_status(head, 200));
  CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK_FALSE(client.has_more());
  CHECK(body_of(client.ask(get("/hello"))) == "hello\n");
}

TEST_CASE("an unknown path is 404, a wrong method 405 and says which are right") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  CHECK(is_status(client.ask(get("/nowhere")), 404));
  std::string refusal = client.ask(get("/echo"));
  CHECK(is_status(refusal, 405));
  CHECK(refusal.find("\r\nAllow: POST\r\n") != std::string::npos);
  CHECK(is_status(client.ask("DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n"), 405));
}

TEST_CASE("the index lists what can be asked") {
  Router router = make_router();
  RunningServer server(router);
  std::string page = Client(server).ask(get("/"));
  CHECK(page.find("Content-Type: text/html") != std::string::npos);
  CHECK(page.find("<a href=\"hello\">/hello</a>") != std::string::npos);
  CHECK(page.find("POST /echo") != std::string::npos);
}

TEST_CASE("a large response arrives whole") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  CHECK(body_of(client.ask(get("/big"))) == std::string(4 << 20, 'x'));
  CHECK(body_of(client.ask(get("/hello"))) == "hello\n");
}

TEST_CASE("who asks to close, speaks HTTP/1.0 or wants an upgrade is answered and closed") {
  Router router = make_router();
  RunningServer server(router);
  for (const char* request :
       {"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /hello HTTP/1.0\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"}) {
    Client client(server);
    client.send(request);
    client.end();
    auto answer = client.read_to_end();
    REQUIRE_MESSAGE(answer.has_value(), request);
    CHECK(is_status(*answer, 200));
    CHECK(answer->find("Connection: close\r\n") != std::string::npos);
    CHECK(body_of(*answer) == "hello\n");
  }
}

TEST_CASE("a malformed request is told why and closed, also while its sender goes on sending") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  client.send("GET / HTTP/1.1\r\n\r\n" + std::string(100'000, 'x'));
  client.end();
  auto answer = client.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(is_status(*answer, 400));
  CHECK(answer->find("no Host field") != std::string::npos);
}

TEST_CASE("heads and bodies past their limits are refused by name") {
  Router router = make_router();
  RunningServer server(router);
  auto status = [&](const std::string& request) {
    Client client(server);
    client.send(request);
    client.end();
    return client.read_to_end().value_or("").substr(9, 3);
  };
  CHECK(status("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n") ==
        "431");
  CHECK(status("GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n") == "414");
  CHECK(status("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n") == "413");
  CHECK(status("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n" +
               std::string(65'536, 'x')) == "200");
}

TEST_CASE("a client that waits for permission to send its body gets it") {
  Router router = make_router();
  RunningServer server(router);
  Client client(server);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.read_response() == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  CHECK(body_of(client.read_response()) == "hi");
}

TEST_CASE("an idle connection is closed without a word, half a request with one") {
  Router router = make_router();
  ServerLimits limits;
  limits.idle_max = 50ms;
  limits.request_max = 100ms;
  RunningServer server(router, limits);
  Client idle(server);
  CHECK(idle.read_to_end() == "");
  Client used(server);
  CHECK(is_status(used.ask(get("/hello")), 200));
  CHECK(used.read_to_end() == "");
  Client slow(server);
  slow.send("GET /hello HTTP/1.1\r\nHo");
  auto answer = slow.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(is_status(*answer, 408));
}

TEST_CASE("a client that dribbles does not outlast the limit for a request") {
  Router router = make_router();
  ServerLimits limits;
  limits.request_max = 100ms;
  RunningServer server(router, limits);
  Client client(server);
  std::atomic<bool> done = false;
  client.send("GET /hello HTTP/1.1\r\nX: ");
  std::thread dribble([&] {
    while (!done) {
      client.send("x");
      std::this_thread::sleep_for(10ms);
    }
  });
  std::string answer = client.read_response();
  done = true;
  dribble.join();
  CHECK(is_status(answer, 408));
}

TEST_CASE("connections past the bound are closed, and there is room again when one ends") {
  Router router = make_router();
  ServerLimits limits;
  limits.connections_max = 2;
  RunningServer server(router, limits);
  auto first = std::make_unique<Client>(server);
  Client second(server);
  CHECK(is_status(first->ask(get("/hello")), 200));
  CHECK(is_status(second.ask(get("/hello")), 200));
  Client third(server);
  CHECK(third.read_to_end() == "");
  first.reset();
  // The server sees the end of the first one some time: each try is one connection, closed or
  // served.
  std::string answer;
  for (int tries = 0; tries < 500 && answer.empty(); ++tries) {
    Client again(server);
    again.send("GET /hello HTTP/1.0\r\n\r\n");
    answer = again.read_to_end().value_or("");
  }
  CHECK(is_status(answer, 200));
}

TEST_CASE("stopping ends idle connections at once and answers the request under way") {
  Router router = make_router();
  RunningServer server(router);
  Client idle(server);
  CHECK(is_status(idle.ask(get("/hello")), 200));
  Client busy(server);
  busy.send(get("/hello"));
  CHECK(is_status(busy.read_response(), 200));
  slow_reached = false;
  busy.send(get("/slow"));
  slow_reached.wait(false);
  server.ask_to_stop();
  CHECK(idle.read_to_end() == "");
  auto answer = busy.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(body_of(*answer) == "slow /slow\n");
  CHECK(answer->find("Connection: close\r\n") ==
        std::string::npos);  // promised before the stop was asked
  server.stop();
}

TEST_CASE("a client that resets its connection harms nobody") {
  Router router = make_router();
  RunningServer server(router);
  for (int i = 0; i < 20; ++i) {
    Client client(server);
    client.send(get("/big"));
  }
  CHECK(is_status(Client(server).ask(get("/hello")), 200));
}

TEST_CASE("a port in use is an error with its errno") {
  Router router;
  RunningServer server(router);
  auto listener = listen_tcp(server.address());
  REQUIRE_FALSE(listener.has_value());
  CHECK(listener.error().detail == EADDRINUSE);
}
