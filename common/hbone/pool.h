// Pool: the tunnels that one pod has to others, shared by its connections. On the pod's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/spiffe.h"
#include "common/coro/scope.h"
#include "common/coro/wait_list.h"
#include "common/hbone/tunnel.h"

#include <chrono>
#include <map>
#include <memory>
#include <vector>

namespace aquifer::hbone {

/// Which tunnels a connection may share. The source pod and its address are the pool's, so they
/// need no member; the source identity is part of it all the same, since a pod may get another
/// service account.
struct PoolKey {
  SpiffeId source;
  std::vector<SpiffeId> expected;  ///< sorted by whoever makes the key
  TunnelAddr destination;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// Makes a tunnel: TCP, TLS, ready to run.
class TunnelDialer {
 public:
  virtual coro::Task<Result<std::unique_ptr<Tunnel>>> dial(PoolKey key, Deadline deadline,
                                                           coro::CancelSource* cancel) = 0;

 protected:
  ~TunnelDialer() = default;
};

struct PoolOptions {
  std::size_t streams_per_tunnel_max = 100;           ///< POOL_MAX_STREAMS_PER_CONNECTION
  Duration unused_release = std::chrono::minutes(5);  ///< POOL_UNUSED_RELEASE_TIMEOUT
};

/// One dial at a time per key; whoever comes meanwhile waits for it, and no lock is held across it.
class Pool {
 public:
  Pool(io::Loop& loop, TunnelDialer& dialer, PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A stream to `key.destination`, over a tunnel that is there or a new one. A request that a
  /// dying tunnel's peer never looked at is tried again on another, with what `early` has (may be
  /// null).
  [[nodiscard]] coro::Task<Result<std::unique_ptr<TunnelStream>>> open(PoolKey key,
                                                                       ConnectRequest request,
                                                                       Deadline deadline,
                                                                       coro::CancelSource* cancel,
                                                                       EarlyData* early = nullptr);

  [[nodiscard]] std::size_t tunnels() const noexcept;

  /// Lets every tunnel end with its last stream. Whoever still asks (a connection that was accepted
  /// before the listeners closed) gets a new one.
  void drain();
  /// After drain(), once nobody holds a stream: waits until the tunnels have said farewell and
  /// ended. Await it, or stop(), before the destructor.
  [[nodiscard]] coro::Task<void> finish();
  /// Ends every tunnel now.
  void cut() noexcept;
  /// cut(), and waits until they have ended.
  [[nodiscard]] coro::Task<void> stop();

 private:
  struct Held {
    std::unique_ptr<Tunnel> tunnel;
    MonoTime idle_since;
    bool idle = false;
  };
  struct Entry {
    std::vector<std::unique_ptr<Held>> tunnels;
    bool dialing = false;
    coro::WaitList changed;
    std::size_t users = 0;  // coroutines that look at the entry: it stays while there are any
  };
  class Use;

  /// The tunnel for a new stream, or null: one has to be made.
  [[nodiscard]] Held* choose(const Entry& entry) const noexcept;
  [[nodiscard]] Held* least_used(const Entry& entry) const noexcept;
  coro::Task<Result<Tunnel*>> tunnel_for(const PoolKey& key, Entry& entry, Deadline deadline,
                                         coro::CancelSource* cancel);
  coro::Task<void> run_tunnel(PoolKey key, Held* held);
  coro::Task<void> reap_idle();
  void drop_if_unused(const PoolKey& key);

  io::Loop& loop_;
  TunnelDialer& dialer_;
  PoolOptions options_;
  std::map<PoolKey, Entry> entries_;
  bool stopped_ = false;
  coro::Scope scope_;
};

}  // namespace aquifer::hbone
