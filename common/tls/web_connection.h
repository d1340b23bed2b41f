// A connection to a server of the web, in the clear or by TLS with the system's roots: what key
// sets are fetched over. Blocking, with a deadline and a way to stop: for a thread of its own,
// never for a loop.
#pragma once

#include "common/base/bytes.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/tls/handles.h"

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>

struct addrinfo;

namespace aquifer::tls {

class WebConnection {
 public:
  struct Limits {
    std::chrono::steady_clock::time_point deadline;
    std::stop_token stop;
  };
  /// Looks the host up, connects, and over TLS makes sure that it is the host. Errors: not_found,
  /// unreachable and the like, tls, timed_out, cancelled; all of upstream.
  [[nodiscard]] static Result<WebConnection> connect(const std::string& host, std::uint16_t port,
                                                     bool secure, Limits limits);
  WebConnection(WebConnection&&) noexcept = default;
  WebConnection& operator=(WebConnection&&) noexcept = default;

  [[nodiscard]] Status send(ByteView bytes);
  /// 0 at the end of what the server sends.
  [[nodiscard]] Result<std::size_t> receive(MutableBytes bytes);

 private:
  WebConnection(Fd socket, Limits limits) noexcept
      : socket_(std::move(socket)), limits_(std::move(limits)) {}
  [[nodiscard]] Status dial(const addrinfo& address);
  [[nodiscard]] Status secure(const std::string& host);
  [[nodiscard]] Status wait(short events) const;
  // After an operation of TLS that did not succeed: waits for what it wants, or says what is wrong.
  [[nodiscard]] Status settle(int result);

  Fd socket_;
  Limits limits_;
  SslContextPtr context_;
  SslPtr ssl_;
};

}  // namespace aquifer::tls
