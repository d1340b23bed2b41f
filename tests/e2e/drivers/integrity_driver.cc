// Client and server of tests/e2e/test_integrity.py: many TCP connections that write, half-close and
// reset as integrity_plan.h says, and look at every byte that arrives. One thread each, epoll.
//
//   integrity_driver server SEED PORT
//       prints "listening"; SIGTERM: waits for its connections, reports, ends
//   integrity_driver client SEED COUNT CONCURRENT PORT ADDRESS...
//
// The report on standard output is one JSON object: how many connections ended in which way, bytes,
// and `problems`, the sentences that must not be there.
#include "integrity_plan.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

namespace {

using namespace aquifer::e2e;
using Clock = std::chrono::steady_clock;

// A connection on which nothing moves for so long hangs; a loaded machine is never that slow.
constexpr auto kStuckAfter = std::chrono::seconds(30);
constexpr std::size_t kProblemsShown = 20;

struct Report {
  std::uint64_t connections = 0, whole = 0, resets_made = 0, resets_seen = 0, half_closed_long = 0;
  std::uint64_t unnamed = 0, bytes_sent = 0, bytes_received = 0;
  std::uint64_t problem_count = 0;
  std::vector<std::string> problems;

  void problem(std::uint64_t number, const std::string& what) {
    ++problem_count;
    if (problems.size() < kProblemsShown)
      problems.push_back("connection " + std::to_string(number) + ": " + what);
  }

  void print() const {
    const auto field = [](const char* name, std::uint64_t value) {
      std::printf("\"%s\": %llu, ", name, static_cast<unsigned long long>(value));
    };
    std::printf("{");
    field("connections", connections);
    field("whole", whole);
    field("resets_made", resets_made);
    field("resets_seen", resets_seen);
    field("half_closed_long", half_closed_long);
    field("unnamed", unnamed);
    field("bytes_sent", bytes_sent);
    field("bytes_received", bytes_received);
    field("problem_count", problem_count);
    std::printf("\"problems\": [");
    for (std::size_t i = 0; i < problems.size(); ++i)
      std::printf("%s\"%s\"", i == 0 ? "" : ", ", problems[i].c_str());
    std::printf("]}\n");
  }
};

/// One end of one connection. step() does what can be done now; false: it is over and reported.
class Connection {
 public:
  Connection(int fd, End self, std::uint64_t seed, Report& report) noexcept
      : fd_(fd), self_(self), seed_(seed), report_(report) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  void name(std::uint64_t number) {
    number_ = number;
    named_ = true;
    plan_ = plan_of(seed_, number);
    read_random_ = Random(mix(number ^ seed_ ^ (self_ == End::client ? 1 : 2)));
    if (self_ == End::client) {
      for (std::size_t i = 0; i < kNumberBytes; ++i)
        head_[i] = static_cast<std::uint8_t>(number >> (8 * i));
      head_left_ = kNumberBytes;
    }
  }

  bool step(std::uint32_t events) {
    if (connecting_ && !finish_connect(events)) return false;
    if (reset_is_due()) return reset();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0 && !receive()) return false;
    if (reset_is_due()) return reset();
    if (named_ && !send_some()) return false;
    if (reset_is_due()) return reset();
    if (sent_end_ && got_end_) {
      ++report_.whole;
      if (plan_.waits_for_end) ++report_.half_closed_long;
      // A reset after receiving may find both halves ended already: then there is nothing to reset.
      return false;
    }
    return true;
  }

  [[nodiscard]] std::uint32_t wanted() const noexcept {
    const std::uint32_t read = got_end_ ? 0U : static_cast<std::uint32_t>(EPOLLIN);
    const bool may_write = connecting_ || (named_ && !sent_end_ && !must_wait());
    return read | (may_write ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  }

  void give_up() {
    report_.problem(number_,
                    std::string(self_ == End::client ? "client" : "server") + " hangs: " + where());
  }
  void connecting() noexcept { connecting_ = true; }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] Clock::time_point moved() const noexcept { return moved_; }

  std::optional<std::uint32_t> watched_events;  ///< the Driver's

 private:
  [[nodiscard]] bool must_wait() const noexcept {
    return plan_.waits_for_end == self_ && !got_end_ && head_left_ == 0;
  }

  [[nodiscard]] bool reset_is_due() const noexcept {
    if (!named_ || connecting_ || head_left_ > 0 || !plan_.reset || plan_.reset->by != self_)
      return false;
    const std::uint64_t done = plan_.reset->after == ResetAfter::sending ? sent_ : received_;
    return done >= plan_.reset->bytes;
  }

  bool reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ++report_.resets_made;
    return false;
  }

  bool finish_connect(std::uint32_t events) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return true;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    connecting_ = false;
    if (error == 0) return true;
    report_.problem(number_, std::string("connect: ") + std::strerror(error));
    return false;
  }

  bool receive() {
    if (got_end_) return check_late_error();
    // Small and large reads, so that what is pending grows sometimes.
    const std::size_t room = std::size_t{64} << read_random_.below(11);
    static std::array<std::uint8_t, 64 << 10> buffer;
    std::size_t want = std::min(room, buffer.size());
    if (!named_) want = kNumberBytes - head_got_;
    if (plan_.reset && plan_.reset->by == self_ && plan_.reset->after == ResetAfter::receiving)
      want = std::min<std::size_t>(want, plan_.reset->bytes - received_);
    if (want == 0) return true;  // the reset comes as soon as the number is sent
    const ssize_t got = ::recv(fd_, buffer.data(), want, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR || ended_by_error("recv");
    moved_ = Clock::now();
    if (got == 0) return end_of_stream();
    const auto count = static_cast<std::size_t>(got);
    if (!named_) return take_name(buffer.data(), count);
    return take(buffer.data(), count);
  }

  bool take_name(const std::uint8_t* bytes, std::size_t count) {
    std::memcpy(head_.data() + head_got_, bytes, count);
    head_got_ += count;
    if (head_got_ < kNumberBytes) return true;
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < kNumberBytes; ++i) number |= std::uint64_t{head_[i]} << (8 * i);
    name(number);
    return true;
  }

  bool take(const std::uint8_t* bytes, std::size_t count) {
    const Content content(seed_, number_, other(self_));
    if (const auto at = content.first_difference(received_, bytes, count)) {
      report_.problem(number_, "the byte at " + std::to_string(*at) + " is not what was sent");
      return false;
    }
    received_ += count;
    report_.bytes_received += count;
    if (received_ <= plan_.from(other(self_)).total) return true;
    report_.problem(number_, "more bytes than were sent: " + where());
    return false;
  }

  bool end_of_stream() {
    got_end_ = true;
    if (!named_) {
      report_.problem(0, "an end of stream before the connection's number was there");
      return false;
    }
    const bool never_said =
        plan_.reset && plan_.reset->by != self_ && plan_.reset->after == ResetAfter::sending;
    if (received_ == plan_.from(other(self_)).total && !never_said) return true;
    report_.problem(
        number_, "a clean end of stream, though bytes are missing or the peer reset: " + where());
    return false;
  }

  // The peer may still reset after its half is over.
  bool check_late_error() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return true;
    errno = error;
    return ended_by_error("after the end");
  }

  bool send_some() {
    if (connecting_ || sent_end_) return true;
    while (head_left_ > 0) {
      const ssize_t put =
          ::send(fd_, head_.data() + kNumberBytes - head_left_, head_left_, MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN || ended_by_error("send");
      head_left_ -= static_cast<std::size_t>(put);
    }
    if (must_wait() || reset_is_due()) return true;
    const Writes& writes = plan_.from(self_);
    // One write for each turn of the loop: the connections interleave.
    if (write_ < writes.sizes.size()) {
      static std::array<std::uint8_t, kWriteBytesMax> buffer;
      std::size_t want = writes.sizes[write_] - in_write_;
      if (plan_.reset && plan_.reset->by == self_ && plan_.reset->after == ResetAfter::sending)
        want = std::min<std::size_t>(want, plan_.reset->bytes - sent_);
      const Content content(seed_, number_, self_);
      content.fill(sent_, buffer.data(), want);
      const ssize_t put = ::send(fd_, buffer.data(), want, MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN || errno == EINTR || ended_by_error("send");
      moved_ = Clock::now();
      const auto count = static_cast<std::size_t>(put);
      sent_ += count;
      in_write_ += count;
      report_.bytes_sent += count;
      if (in_write_ == writes.sizes[write_]) {
        in_write_ = 0;
        ++write_;
      }
    }
    if (write_ == writes.sizes.size() && !reset_is_due()) {
      if (::shutdown(fd_, SHUT_WR) != 0) return ended_by_error("shutdown");
      sent_end_ = true;
    }
    return true;
  }

  // Always false: the connection is over.
  bool ended_by_error(const char* where_from) {
    const int error = errno;
    const bool is_reset = error == ECONNRESET || error == EPIPE || error == ENOTCONN;
    if (!named_ && is_reset) {
      ++report_.unnamed;  // reset before its number arrived
    } else if (named_ && plan_.reset && plan_.reset->by != self_ && is_reset) {
      ++report_.resets_seen;
    } else {
      report_.problem(number_,
                      std::string(where_from) + ": " + std::strerror(error) + ": " + where());
    }
    return false;
  }

  [[nodiscard]] std::string where() const {
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    std::string text = self_ == End::client ? "client" : "server";
    text += " received " + number(received_) + " of " + number(plan_.from(other(self_)).total) +
            (got_end_ ? " and the end" : "") + ", sent " + number(sent_) + " of " +
            number(plan_.from(self_).total) + (sent_end_ ? " and the end" : "");
    if (plan_.reset)
      text += std::string(", reset by the ") +
              (plan_.reset->by == End::client ? "client" : "server") + " after " +
              (plan_.reset->after == ResetAfter::sending ? "sending " : "receiving ") +
              number(plan_.reset->bytes);
    return text;
  }

  int fd_;
  End self_;
  std::uint64_t seed_;
  Report& report_;
  Plan plan_;
  Random read_random_{0};
  std::uint64_t number_ = 0;
  bool named_ = false, connecting_ = false, sent_end_ = false, got_end_ = false;
  std::array<std::uint8_t, kNumberBytes> head_{};
  std::size_t head_left_ = 0, head_got_ = 0;
  std::size_t write_ = 0, in_write_ = 0;
  std::uint64_t sent_ = 0, received_ = 0;
  Clock::time_point moved_ = Clock::now();
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// The connections that live, by descriptor, and the loop that moves them.
class Driver {
 public:
  Driver(std::uint64_t seed, End self) : seed_(seed), self_(self), epoll_(::epoll_create1(0)) {}

  Connection& add(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto made = std::make_unique<Connection>(fd, self_, seed_, report);
    Connection& connection = *made;
    live_[fd] = std::move(made);
    ++report.connections;
    return connection;
  }
  void watch_fd(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  void watch(Connection& connection) {
    epoll_event event{};
    event.events = connection.wanted();
    event.data.fd = connection.fd();
    if (connection.watched_events == event.events) return;
    ::epoll_ctl(epoll_, connection.watched_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection.fd(),
                &event);
    connection.watched_events = event.events;
  }
  /// Waits and serves once; descriptors that are no connection go to `other`.
  template <typename Other>
  void turn(Other&& other) {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const auto found = live_.find(event.data.fd);
      if (found == live_.end()) {
        other(event.data.fd);
      } else if (found->second->step(event.events)) {
        watch(*found->second);
      } else {
        live_.erase(found);
      }
    }
    drop_stuck();
  }
  [[nodiscard]] std::size_t live() const noexcept { return live_.size(); }

  Report report;

 private:
  void drop_stuck() {
    const auto now = Clock::now();
    if (now - looked_ < std::chrono::seconds(1)) return;
    looked_ = now;
    std::erase_if(live_, [now](const auto& entry) {
      if (now - entry.second->moved() < kStuckAfter) return false;
      entry.second->give_up();
      return true;
    });
  }

  std::uint64_t seed_;
  End self_;
  int epoll_;
  Clock::time_point looked_ = Clock::now();
  std::map<int, std::unique_ptr<Connection>> live_;
};

int serve(std::uint64_t seed, std::uint16_t port) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  const int signals = ::signalfd(-1, &stop, SFD_NONBLOCK);
  const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (::listen(listener, 4096) != 0) die("listen");
  Driver driver(seed, End::server);
  driver.watch_fd(listener);
  driver.watch_fd(signals);
  std::printf("listening\n");
  std::fflush(stdout);
  bool stopping = false;
  while (!stopping || driver.live() > 0) {
    driver.turn([&](int fd) {
      if (fd == signals) {
        signalfd_siginfo info;
        stopping = ::read(fd, &info, sizeof info) == sizeof info || stopping;
        return;
      }
      for (;;) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (accepted < 0) return;
        driver.watch(driver.add(accepted));
      }
    });
  }
  driver.report.print();
  return 0;
}

int dial(const std::string& host, std::uint16_t port) {
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_in);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof(sockaddr_in6);
  } else {
    die(host.c_str());
  }
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)
    die("connect");
  return fd;
}

int drive(std::uint64_t seed, std::uint64_t count, std::size_t concurrent, std::uint16_t port,
          const std::vector<std::string>& addresses) {
  Driver driver(seed, End::client);
  for (std::uint64_t number = 0; number < count || driver.live() > 0;) {
    while (number < count && driver.live() < concurrent) {
      Connection& connection = driver.add(dial(addresses[number % addresses.size()], port));
      connection.name(number++);
      connection.connecting();
      driver.watch(connection);
    }
    driver.turn([](int) {});
  }
  driver.report.print();
  return 0;
}

std::uint64_t number_of(const char* text) {
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "server")
    return serve(number_of(argv[2]), static_cast<std::uint16_t>(number_of(argv[3])));
  if (words.size() >= 6 && words[0] == "client")
    return drive(number_of(argv[2]), number_of(argv[3]), number_of(argv[4]),
                 static_cast<std::uint16_t>(number_of(argv[5])),
                 std::vector<std::string>(argv + 6, argv + argc));
  std::fprintf(stderr,
               "usage: integrity_driver server SEED PORT\n"
               "       integrity_driver client SEED COUNT CONCURRENT PORT ADDRESS...\n");
  return 2;
}
