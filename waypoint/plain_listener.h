// Requests in the clear on a port of their own, for one service: the waypoint as a plain reverse
// proxy, for measuring it beside others and for clients outside the mesh. Nobody's identity is
// known here, so policies see none. Only where the operator asks for it. One for each loop.
#pragma once

#include "common/base/fd.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/io/listener.h"

#include <cstdint>
#include <string>

namespace aquifer::waypoint {

struct Worker;

/// `--plain PORT=NAMESPACE/HOSTNAME:PORT`
struct PlainService {
  std::uint16_t listen_port = 0;
  std::string ns;
  std::string hostname;
  std::uint16_t port = 0;
};
/// Errc::invalid for anything else.
[[nodiscard]] Result<PlainService> parse_plain_service(std::string_view text);

class PlainListener {
 public:
  PlainListener(Worker& worker, Fd listener, PlainService service);
  PlainListener(const PlainListener&) = delete;
  PlainListener& operator=(const PlainListener&) = delete;

  /// Accepts until drain(), then waits for the last connection.
  [[nodiscard]] coro::Task<void> run();
  void drain();
  void cut();
  [[nodiscard]] std::size_t connections() const noexcept { return scope_.running(); }

 private:
  coro::Task<void> serve(Fd accepted);
  coro::Task<void> stop_listening();

  Worker& worker_;
  io::Listener listener_;
  const PlainService service_;
  bool draining_ = false;
  coro::Scope scope_;
};

}  // namespace aquifer::waypoint
