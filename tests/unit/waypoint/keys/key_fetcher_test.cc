// Keys fetched from a server on the loopback: what comes of answers of all kinds.
#include "waypoint/keys/key_fetcher.h"

#include "common/base/fd.h"
#include "waypoint/keys/fetch_keys.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <initializer_list>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace aquifer::waypoint {
namespace {

constexpr std::string_view kKeys = R"({"keys":[{"kty":"oct","k":"AA"}]})";
constexpr auto kLong = std::chrono::seconds(20);

// Answers each connection with the same bytes and closes it; with none it leaves them waiting.
class Server {
 public:
  explicit Server(std::string answer) : answer_(std::move(answer)) {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    socklen_t size = sizeof(address);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ::ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/keys", port_); }

 private:
  void serve() {
    std::vector<Fd> waiting;
    for (;;) {
      Fd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client.valid()) return;
      char request[1024];
      std::ignore = ::recv(client.get(), request, sizeof(request), 0);
      std::ignore = ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (answer_.empty()) waiting.push_back(std::move(client));
    }
  }
  const std::string answer_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string http(int status, std::string_view body) {
  return fmt::format("HTTP/1.1 {} X\r\ncontent-length: {}\r\n\r\n{}", status, body.size(), body);
}

std::expected<jwt::KeySet, std::string> fetch(const std::string& url,
                                              std::chrono::milliseconds timeout = kLong) {
  return fetch_keys(url, timeout, std::stop_token());
}

TEST_CASE("addresses of keys are read strictly") {
  const auto url = parse_key_url("https://issuer.example/a?b#c");
  REQUIRE(url);
  CHECK(url->secure);
  CHECK(url->host == "issuer.example");
  CHECK(url->port == 443);
  CHECK(url->path == "/a?b");
  CHECK(parse_key_url("http://h")->path == "/");
  CHECK(parse_key_url("http://h:81?q")->path == "/?q");
  CHECK(parse_key_url("http://h:81/")->port == 81);
  CHECK(parse_key_url("http://[::1]:81/")->host == "::1");
  CHECK(parse_key_url("http://[::1]/")->port == 80);
  for (const char* bad : {"", "ftp://x", "http://", "http:///x", "http://user@h/", "http://h:0/",
                          "http://h:x/", "http://h:70000/", "http://h/ x", "http://h/\r\nx: y"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_key_url(bad));
  }
}

TEST_CASE("a key set is fetched, and anything else is said") {
  CHECK(fetch(Server(http(200, kKeys)).url())->size() == 1);
  CHECK(fetch(Server("HTTP/1.1 200 OK\r\n\r\n" + std::string(kKeys)).url())->size() == 1);
  struct Row {
    std::string answer;
    std::string_view error;
  };
  for (const Row& row : {
           Row{http(404, "no"), "the server answers 404"},
           Row{http(301, ""), "the server answers 301"},
           Row{http(200, "hello"), "no JSON object"},
           Row{"SSH-2.0-x\r\n", "no HTTP answer"},
           Row{"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "no HTTP answer"},
           Row{http(200, std::string(jwt::kKeySetBytesMax + 1, ' ')), "the answer is too long"},
       }) {
    CAPTURE(row.error);
    const Server server(row.answer);
    const auto keys = fetch(server.url());
    REQUIRE_FALSE(keys);
    CHECK(keys.error().contains(row.error));
  }
}

TEST_CASE("a server that says nothing, or is not there, costs no more than the timeout") {
  const Server silent("");
  CHECK_FALSE(fetch(silent.url(), std::chrono::milliseconds(50)));
  std::string gone;
  {
    gone = Server("").url();
  }
  CHECK_FALSE(fetch(gone));
}

TEST_CASE("what is wanted is published when it is there, and fails closed until then") {
  std::mutex mutex;
  std::condition_variable told;
  FetchedKeysPtr last;
  const Server server(http(200, kKeys));
  const Server broken(http(500, ""));
  {
    KeyFetcher fetcher([&](FetchedKeysPtr keys) {
      const std::lock_guard lock(mutex);
      last = std::move(keys);
      told.notify_all();
    });
    const auto wait = [&](auto&& holds) {
      std::unique_lock lock(mutex);
      return told.wait_for(lock, kLong, [&] { return last != nullptr && holds(*last); });
    };
    fetcher.want({{server.url(), kLong}, {broken.url(), kLong}});
    CHECK(wait([&](const FetchedKeys& keys) {
      return keys.contains(server.url()) && keys.at(server.url()) != nullptr &&
             keys.contains(broken.url()) && keys.at(broken.url()) == nullptr;
    }));
    fetcher.want({});
    CHECK(wait([](const FetchedKeys& keys) { return keys.empty(); }));
  }
  // One that waits for a server that says nothing ends soon all the same.
  const Server silent("");
  KeyFetcher fetcher([](const FetchedKeysPtr&) {});
  fetcher.want({{silent.url(), std::chrono::hours(1)}});
}

}  // namespace
}  // namespace aquifer::waypoint
