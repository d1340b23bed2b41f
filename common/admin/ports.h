// The HTTP ports that both programs have: admin (localhost), metrics and readiness (everywhere).
// Control loop.
#pragma once

#include "common/admin/router.h"
#include "common/admin/server.h"
#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/io/loop.h"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::admin {

struct PortNumbers {
  std::uint16_t admin = 15000;
  std::uint16_t metrics = 15020;
  std::uint16_t readiness = 15021;
  bool ipv6 = true;
};

/// What is answered on each.
struct PortRoutes {
  Router admin;
  Router metrics;
  Router readiness;
};

class Ports {
 public:
  /// `routes` outlives the ports.
  Ports(io::Loop& loop, const PortRoutes& routes) noexcept : loop_(loop), routes_(routes) {}
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  /// Opens all of them; a successor may have them open as well while we drain. Else a sentence that
  /// names the one that cannot be had.
  [[nodiscard]] std::expected<void, std::string> listen(const PortNumbers& numbers);
  /// Runs until stop().
  [[nodiscard]] coro::Task<void> serve();
  [[nodiscard]] coro::Task<void> stop();

 private:
  [[nodiscard]] std::expected<void, std::string> open(const IpAddress& address, std::uint16_t port,
                                                      const Router& router);
  struct Open {
    Fd listener;
    const Router* router;
  };
  io::Loop& loop_;
  const PortRoutes& routes_;
  std::vector<Open> open_;  // opened, served from serve() on
  std::vector<std::unique_ptr<AdminServer>> servers_;
  coro::Scope running_;
};

}  // namespace aquifer::admin
