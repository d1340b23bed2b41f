#include "common/coro/event.h"
#include "tests/unit/common/admin/running_server.h"

#include <atomic>
#include <chrono>

namespace aquifer::admin {
namespace {

/// Numbers as lines, then the end; or on and on when `count` is negative.
class Numbers final : public BodySource {
 public:
  explicit Numbers(int count) : left_(count) {}
  coro::Task<std::string> next(coro::CancelSource*) override {
    if (left_ == 0) co_return std::string();
    --left_;
    co_return std::to_string(++last_) + "\n";
  }

 private:
  int left_;
  int last_ = 0;
};

/// Says one thing and then waits to be cancelled.
class Silent final : public BodySource {
 public:
  explicit Silent(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~Silent() override { --alive_; }
  coro::Task<std::string> next(coro::CancelSource* cancel) override {
    if (!std::exchange(said_, true)) co_return std::string("hello\n");
    const Status woken = co_await never_.wait(cancel);
    CHECK_FALSE(woken.has_value());
    co_return std::string();
  }

 private:
  std::atomic<int>& alive_;
  bool said_ = false;
  coro::Event never_;
};

Router numbers(int count) {
  Router router;
  router.add("/numbers", Methods::get, "", [count](const Request&) {
    return Response::stream("text/plain", std::make_unique<Numbers>(count));
  });
  return router;
}

void wait_until_none(const std::atomic<int>& alive) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (alive != 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(alive == 0);
}

}  // namespace

TEST_CASE("a streamed body comes in chunks and ends with the last one") {
  const Router router = numbers(3);
  RunningServer server(router);
  Client client(server);
  client.send("GET /numbers HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(answer->find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  CHECK(answer->ends_with("\r\n\r\n2\r\n1\n\r\n2\r\n2\n\r\n2\r\n3\n\r\n0\r\n\r\n"));
}

TEST_CASE("a client of HTTP/1.0 gets the streamed body as it is, up to the end of the connection") {
  const Router router = numbers(3);
  RunningServer server(router);
  Client client(server);
  client.send("GET /numbers HTTP/1.0\r\n\r\n");
  const auto answer = client.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(answer->find("chunked") == std::string::npos);
  CHECK(answer->ends_with("\r\n\r\n1\n2\n3\n"));
}

TEST_CASE("HEAD of a stream is its head alone") {
  const Router router = numbers(-1);
  RunningServer server(router);
  Client client(server);
  client.send("HEAD /numbers HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.read_to_end();
  REQUIRE(answer.has_value());
  CHECK(answer->ends_with("\r\n\r\n"));
}

TEST_CASE("a stream ends when its client goes, also while there is nothing to send") {
  std::atomic<int> alive = 0;
  Router router;
  router.add("/silent", Methods::get, "", [&alive](const Request&) {
    return Response::stream("text/plain", std::make_unique<Silent>(alive));
  });
  RunningServer server(router);
  {
    Client client(server);
    client.send("GET /silent HTTP/1.0\r\n\r\n");
    client.end();
    CHECK(client.read_to_end()->ends_with("hello\n"));
  }
  wait_until_none(alive);
}

TEST_CASE("a server that stops ends its streams: the quiet ones and the endless ones") {
  std::atomic<int> alive = 0;
  Router router = numbers(-1);
  router.add("/silent", Methods::get, "", [&alive](const Request&) {
    return Response::stream("text/plain", std::make_unique<Silent>(alive));
  });
  RunningServer server(router);
  Client quiet(server);
  quiet.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  Client endless(server);
  endless.send("GET /numbers HTTP/1.1\r\nHost: a\r\n\r\n");
  std::thread reader([&endless] {
    const auto answer = endless.read_to_end();
    REQUIRE(answer.has_value());
    // Cut off in the middle, and the client can tell.
    CHECK_FALSE(answer->ends_with("0\r\n\r\n"));
  });
  server.stop();
  reader.join();
  CHECK(alive == 0);
}

TEST_CASE("a client that does not read is cut off after a while") {
  const Router router = numbers(-1);
  ServerLimits limits;
  limits.response_max = std::chrono::milliseconds(200);
  RunningServer server(router, limits);
  Client client(server);
  client.send("GET /numbers HTTP/1.1\r\nHost: a\r\n\r\n");
  // Stops also in time although the client reads nothing at all.
  server.stop();
}

}  // namespace aquifer::admin
