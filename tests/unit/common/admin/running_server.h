// An admin server on a loop of its own thread, and a plain blocking client, for tests.
#pragma once

#include "common/admin/server.h"
#include "common/coro/event.h"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace aquifer::admin {

/// Serves `router` on a loopback port until it is destroyed.
class RunningServer {
 public:
  explicit RunningServer(const Router& router, ServerLimits limits = {},
                         io::BackendChoice backend = io::BackendChoice::epoll)
      : thread_([this, &router, limits, backend] { run(router, limits, backend); }) {
    std::unique_lock lock(mutex_);
    started_.wait(lock, [this] { return loop_ != nullptr; });
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() { stop(); }

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
  /// Returns when the server's last connection has ended.
  void stop() {
    if (!thread_.joinable()) return;
    if (!asked_) ask_to_stop();
    thread_.join();
  }
  /// Once.
  void ask_to_stop() {
    asked_ = true;
    loop_->post([this] { stop_asked_.notify(); });
  }

 private:
  void run(const Router& router, const ServerLimits& limits, io::BackendChoice backend) {
    auto loop = io::Loop::create(backend);
    REQUIRE(loop.has_value());
    (*loop)->run(serve(**loop, router, limits));
  }
  coro::Task<void> serve(io::Loop& loop, const Router& router, ServerLimits limits) {
    auto listener = listen_tcp(SocketAddress{.ip = IpAddress::loopback_v4(), .port = 0});
    REQUIRE(listener.has_value());
    AdminServer server(loop, std::move(*listener), router, limits);
    coro::Scope scope;
    scope.spawn(server.run());
    {
      std::lock_guard lock(mutex_);
      address_ = *server.address();
      loop_ = &loop;
    }
    started_.notify_all();
    auto asked = co_await stop_asked_.wait();
    REQUIRE(asked.has_value());
    co_await server.stop();
    co_await scope.join();
  }

  std::mutex mutex_;
  std::condition_variable started_;
  io::Loop* loop_ = nullptr;
  SocketAddress address_;
  coro::Event stop_asked_;
  bool asked_ = false;  // by the test's thread, after which the loop may be gone
  std::thread thread_;
};

/// One connection. What takes longer than 5 s fails.
class Client {
 public:
  explicit Client(const RunningServer& server)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    SockaddrStorage to(server.address());
    REQUIRE(::connect(fd_.get(), to.get(), to.length) == 0);
  }
  void send(std::string_view bytes) {
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void end() { ::shutdown(fd_.get(), SHUT_WR); }

  /// Everything until the server ends the connection; nothing if it does not.
  std::optional<std::string> read_to_end() {
    for (;;) {
      ssize_t n = receive();
      if (n == 0) return std::exchange(received_, {});
      if (n < 0) return std::nullopt;
    }
  }
  /// One response: head and a body of its Content-Length.
  std::string read_response(bool with_body = true) {
    std::size_t head_end;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) REQUIRE(receive() > 0);
    std::size_t size = head_end + 4;
    std::size_t length = received_.find("Content-Length: ");
    if (with_body && length < head_end) size += std::stoul(received_.substr(length + 16));
    while (received_.size() < size) REQUIRE(receive() > 0);
    std::string response = received_.substr(0, size);
    received_.erase(0, size);
    return response;
  }
  std::string ask(std::string_view request) {
    send(request);
    return read_response();
  }
  [[nodiscard]] bool has_more() const noexcept { return !received_.empty(); }

 private:
  ssize_t receive() {
    char chunk[4096];
    ssize_t n = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (n > 0) received_.append(chunk, static_cast<std::size_t>(n));
    return n;
  }
  Fd fd_;
  std::string received_;
};

}  // namespace aquifer::admin
