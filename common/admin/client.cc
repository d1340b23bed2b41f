#include "common/admin/client.h"

#include "common/base/fd.h"
#include "common/base/time.h"
#include "common/http1/message.h"
#include "common/http1/response_parser.h"

#include <fmt/format.h>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>

namespace aquifer::admin {
namespace {

// A person waits for this; a proxy answers within milliseconds.
constexpr auto kReplyTimeout = std::chrono::seconds(10);
// /config_dump of 100,000 workloads is about 80 MB.
constexpr std::size_t kReplyBytesMax = std::size_t{256} << 20;
// Longer than any event: one that does not end within it is not from a proxy of ours.
constexpr std::size_t kLineBytesMax = std::size_t{1} << 20;
constexpr std::size_t kReceiveBytes = 16 * 1024;

template <typename T>
using Expected = std::expected<T, std::string>;

struct Place {
  std::string host;
  std::string port;
};

Expected<Place> parse_url(std::string_view url) {
  const auto wrong = [url] {
    return std::unexpected(
        fmt::format("{}: no address of an admin port; write http://HOST:PORT", url));
  };
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(std::string_view("http://").size());
  } else if (rest.find("://") != std::string_view::npos) {
    return wrong();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  Place place{.host = {}, .port = "15000"};
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return wrong();
    place.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return wrong();
  } else {
    const std::size_t colon = rest.find(':');
    place.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (place.host.empty() || place.host.find_first_of("/?#@ \r\n") != std::string::npos)
    return wrong();
  if (port.empty()) return place;
  port.remove_prefix(1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65'535)
    return wrong();
  place.port = port;
  return place;
}

/// False when the deadline passed first. Without a deadline: as long as it takes.
bool wait_for(int fd, short events, std::optional<MonoTime> deadline) {
  for (;;) {
    int timeout_ms = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      timeout_ms = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    pollfd wait{fd, events, 0};
    const int ready = ::poll(&wait, 1, timeout_ms);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return true;  // the next call on the socket says what is wrong
  }
}

int connect_before(int fd, const addrinfo& address, MonoTime deadline) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

Expected<Fd> connect_to(const Asked& asked, const Place& place, MonoTime deadline) {
  const std::string_view url = asked.base_url;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found);
      error != 0) {
    return std::unexpected(fmt::format("{}: {}: {}", url, place.host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int last_error = ECONNREFUSED;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Fd fd(::socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol));
    if (!fd) continue;
    last_error = connect_before(fd.get(), *at, deadline);
    if (last_error == 0) return fd;
  }
  return std::unexpected(
      fmt::format("no {} answers at {}: {}; is it running on this node, and is this its network "
                  "namespace? --admin URL says where it is",
                  asked.program, url, std::strerror(last_error)));
}

/// One request on a connection of its own, and its answer piece by piece.
class Exchange {
 public:
  static Expected<std::unique_ptr<Exchange>> begin(const Asked& asked, std::string_view path) {
    const std::string_view base_url = asked.base_url;
    auto exchange = std::unique_ptr<Exchange>(new Exchange(base_url));
    const auto place = parse_url(base_url);
    if (!place) return std::unexpected(place.error());
    auto fd = connect_to(asked, *place, exchange->deadline_);
    if (!fd) return std::unexpected(fd.error());
    exchange->fd_ = std::move(*fd);
    const bool v6 = place->host.find(':') != std::string::npos;
    const std::string host = v6 ? fmt::format("[{}]:{}", place->host, place->port)
                                : fmt::format("{}:{}", place->host, place->port);
    std::string request;
    if (!http1::append_request_head(request, "GET", path,
                                    {{"Host", host}, {"Connection", "close"}}))
      return std::unexpected(fmt::format("{}{}: cannot be asked for", base_url, path));
    if (auto sent = exchange->send(request); !sent) return std::unexpected(sent.error());
    return exchange;
  }

  /// Takes what arrives next into body(); false at the end.
  Expected<bool> receive(std::optional<MonoTime> deadline) {
    if (parser_.complete()) return false;
    if (!wait_for(fd_.get(), POLLIN, deadline)) return failed("no answer in time");
    std::array<char, kReceiveBytes> piece;
    const ssize_t n = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n < 0) return failed(std::strerror(errno));
    const Status fed =
        n == 0 ? parser_.finish()
               : parser_.feed(as_bytes({piece.data(), static_cast<std::size_t>(n)}), body_);
    if (!fed) return failed(fed.error().context);
    return !parser_.complete();
  }
  [[nodiscard]] MonoTime deadline() const noexcept { return deadline_; }
  [[nodiscard]] const http1::ResponseParser& response() const noexcept { return parser_; }
  [[nodiscard]] std::string& body() noexcept { return body_; }
  [[nodiscard]] std::unexpected<std::string> failed(std::string_view why) const {
    return std::unexpected(fmt::format("{}: {}", url_, why));
  }

 private:
  explicit Exchange(std::string_view url) : url_(url), deadline_(Clock::now() + kReplyTimeout) {}

  Expected<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!wait_for(fd_.get(), POLLOUT, deadline_)) return failed("the request is not taken");
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return failed(std::strerror(errno));
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  std::string url_;
  MonoTime deadline_;
  Fd fd_;
  http1::ResponseParser parser_;
  std::string body_;
};

}  // namespace

std::expected<Reply, std::string> get(const Asked& asked, std::string_view path_and_query) {
  const auto begun = Exchange::begin(asked, path_and_query);
  if (!begun) return std::unexpected(begun.error());
  Exchange& exchange = **begun;
  for (;;) {
    const auto more = exchange.receive(exchange.deadline());
    if (!more) return std::unexpected(more.error());
    if (exchange.body().size() > kReplyBytesMax) return exchange.failed("the answer is too long");
    if (!*more) break;
  }
  return Reply{exchange.response().status(), std::move(exchange.body())};
}

std::expected<void, std::string> follow(const Asked& asked, std::string_view path_and_query,
                                        const std::function<bool(std::string_view line)>& on_line) {
  const auto begun = Exchange::begin(asked, path_and_query);
  if (!begun) return std::unexpected(begun.error());
  Exchange& exchange = **begun;
  std::string& body = exchange.body();
  for (;;) {
    // Only the head is waited for with a deadline: the next event comes when it comes.
    const bool headless = !exchange.response().head_complete();
    const auto more =
        exchange.receive(headless ? std::optional(exchange.deadline()) : std::nullopt);
    if (!more) return std::unexpected(more.error());
    const int status = exchange.response().status();
    const bool refused = status != 0 && status != 200;
    std::size_t begin = 0;
    while (!refused) {
      const std::size_t end = body.find('\n', begin);
      if (end == std::string::npos) break;
      if (!on_line(std::string_view(body).substr(begin, end - begin))) return {};
      begin = end + 1;
    }
    body.erase(0, begin);
    if (body.size() > kLineBytesMax) return exchange.failed("a line of the answer is too long");
    if (*more) continue;
    if (refused)
      return exchange.failed(fmt::format("status {}: {}", status, body.substr(0, body.find('\n'))));
    return {};
  }
}

}  // namespace aquifer::admin
