#include "ztunnel/admin_client.h"

#include "common/base/fd.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace aquifer;
using namespace aquifer::ztunnel;

namespace {

/// Answers one connection with canned bytes and ends it.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), answer_(std::move(answer)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  /// After the exchange.
  [[nodiscard]] const std::string& request() const { return request_; }

 private:
  void serve() {
    Fd client(::accept(listener_.get(), nullptr, nullptr));
    if (!client) return;
    char piece[1024];
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(client.get(), piece, sizeof piece, 0);
      if (n <= 0) return;
      request_.append(piece, static_cast<std::size_t>(n));
    }
    std::string_view rest = answer_;
    while (!rest.empty()) {
      const ssize_t n = ::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    ::shutdown(client.get(), SHUT_WR);
    while (::recv(client.get(), piece, sizeof piece, 0) > 0) {
    }
  }

  Fd listener_;
  std::uint16_t port_ = 0;
  std::string answer_;
  std::string request_;
  std::thread thread_;
};

constexpr std::string_view kStream =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "6\r\none\ntw\r\n8\r\no\nthree\n\r\n0\r\n\r\n";

}  // namespace

TEST_CASE("a status and a body come back, whatever the status is") {
  OneAnswer server("HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nnot found\n");
  const auto reply = admin_get(server.url(), "/refusals?pod=a/b");
  REQUIRE(reply.has_value());
  CHECK(reply->status == 404);
  CHECK(reply->body == "not found\n");
  CHECK(server.request().starts_with("GET /refusals?pod=a/b HTTP/1.1\r\n"));
}

TEST_CASE("a stream is given line by line, and may be stopped at any of them") {
  std::vector<std::string> lines;
  OneAnswer server{std::string(kStream)};
  const auto whole = admin_follow(server.url(), "/flows?follow=1", [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  REQUIRE(whole.has_value());
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});

  lines.clear();
  OneAnswer again{std::string(kStream)};
  const auto stopped = admin_follow(again.url(), "/flows?follow=1", [&](std::string_view line) {
    lines.emplace_back(line);
    return lines.size() < 2;
  });
  CHECK(stopped.has_value());
  CHECK(lines.size() == 2);
}

TEST_CASE("a stream that is refused says the status and the first line of why") {
  OneAnswer server(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 18\r\n\r\ntoo many followers");
  const auto followed = admin_follow(server.url(), "/", [](std::string_view) { return true; });
  REQUIRE_FALSE(followed.has_value());
  CHECK(followed.error() == server.url() + ": status 503: too many followers");
}

TEST_CASE("when nobody listens one line says where and what to look at") {
  std::string url;
  {
    url = OneAnswer("").url();
  }
  const auto reply = admin_get(url, "/flows");
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().starts_with("no ztunnel answers at " + url + ": Connection refused"));
  CHECK(reply.error().find('\n') == std::string::npos);
}

TEST_CASE("an answer that is no HTTP, or that stops in the middle, is an error") {
  for (std::string_view answer :
       {"220 mail ready\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"}) {
    CAPTURE(answer);
    OneAnswer server{std::string(answer)};
    CHECK_FALSE(admin_get(server.url(), "/").has_value());
  }
}

TEST_CASE("an URL that cannot be meant is refused with what to write") {
  for (std::string_view url :
       {"https://localhost:15000", "http://", "http://a:b", "http://a:0", "http://a:70000",
        "http://a/b", "http://[::1", "http://[::1]x", "http://a b:1", "http://user@a:1"}) {
    CAPTURE(url);
    const auto reply = admin_get(url, "/");
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error() ==
          std::string(url) + ": no address of an admin port; write http://HOST:PORT");
  }
}
