// Upstream: asks the servers outside on behalf of one pod, from inside the pod's namespace, so that
// network policies see the pod and not the node. Bytes go out and come back as they are; only the
// transaction id differs on the way. On the pod's loop.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "common/io/netns.h"
#include "ztunnel/dns/message.h"
#include "ztunnel/dns/resolv_conf.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace aquifer::ztunnel::dns {

enum class Transport : std::uint8_t { udp, tcp };
/// "udp", "tcp".
[[nodiscard]] std::string_view name_of(Transport transport) noexcept;

/// Never null; replaced when resolv.conf changes.
using ServersPtr = std::shared_ptr<const Servers>;

class Upstream {
 public:
  struct Parts {
    io::Loop& loop;
    const io::NetworkNamespace& space;
    /// SO_MARK, by which our own queries are not captured again; 0: none.
    std::uint32_t mark;
    /// Where the newest list stands.
    const ServersPtr& servers;
  };

  /// Queries of one pod that wait for an answer at once. Each holds a socket. At 1 ms each they are
  /// 256,000 a second, so the limit is met only when nobody answers; then it keeps one pod from
  /// using up the node's descriptors.
  static constexpr std::size_t kInFlightMax = 256;
  /// Applications give up after 5 s (glibc, musl, Go). They shall hear that it failed rather than
  /// nothing.
  static constexpr auto kQueryTimeout = std::chrono::milliseconds(4500);

  explicit Upstream(Parts parts) noexcept : parts_(parts) {}
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  /// The response to `query` (at least a header), with the query's id. Any result code is an answer
  /// and none an error, but another server is asked before one's SERVFAIL, REFUSED or NOTIMP is
  /// believed. limit: too many at once; not_found: no server is known; else why the last one could
  /// not be asked.
  [[nodiscard]] coro::Task<Result<Message>> ask(Transport transport, Message query,
                                                Deadline deadline, coro::CancelSource* cancel);

  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] io::Loop& loop() const noexcept { return parts_.loop; }

 private:
  [[nodiscard]] Servers servers_in_order() const;
  [[nodiscard]] Result<Fd> socket_to(const SocketAddress& server, Transport transport) const;
  coro::Task<Result<Message>> exchange(Transport transport, SocketAddress server, ByteView query,
                                       Deadline deadline, coro::CancelSource* cancel);

  Parts parts_;
  std::size_t in_flight_ = 0;
  // The server that answered last is asked first: one that is gone delays one query, not all.
  std::optional<SocketAddress> answered_last_;
};

}  // namespace aquifer::ztunnel::dns
