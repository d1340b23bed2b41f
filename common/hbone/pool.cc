#include "common/hbone/pool.h"

#include <algorithm>
#include <utility>

namespace aquifer::hbone {
namespace {

// A stream that was refused unseen (GOAWAY, tunnel cut before its HEADERS) is tried on so many
// tunnels.
constexpr int kOpenTries = 3;

// Tunnels to one peer while each of them carries bulk; for more streams than fit there may be
// more. Each costs both ends a handshake, and requests that are spread over several share fewer
// records.
constexpr std::size_t kTunnelsBesideBulkMax = 3;
// A dial takes a round trip or two, and twice the work of a handshake. Whoever waits longer than
// this for somebody else's is better off beside bulk.
constexpr auto kWaitBesideBulk = std::chrono::milliseconds(50);

}  // namespace

/// Keeps an entry in the map while a coroutine holds a reference to it.
class Pool::Use {
 public:
  Use(Pool& pool, const PoolKey& key) : pool_(pool), key_(key), entry(pool.entries_[key]) {
    ++entry.users;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    --entry.users;
    pool_.drop_if_unused(key_);
  }

 private:
  Pool& pool_;
  const PoolKey& key_;

 public:
  Entry& entry;
};

Pool::Pool(io::Loop& loop, TunnelDialer& dialer, PoolOptions options)
    : loop_(loop), dialer_(dialer), options_(options) {
  scope_.spawn(reap_idle());
}

Pool::~Pool() {
  AQUIFER_ASSERT(entries_.empty());
}

coro::Task<Result<std::unique_ptr<TunnelStream>>> Pool::open(PoolKey key, ConnectRequest request,
                                                             Deadline deadline,
                                                             coro::CancelSource* cancel,
                                                             EarlyData* early) {
  const Use use(*this, key);
  Error last(Errc::closed, "pool");
  for (int tried = 0; tried < kOpenTries; ++tried) {
    CO_TRY(Tunnel * tunnel, co_await tunnel_for(key, use.entry, deadline, cancel));
    auto stream = co_await tunnel->open(request, deadline, cancel, early);
    if (stream || stream.error().retry == Retry::no) co_return stream;
    last = stream.error();
  }
  co_return std::unexpected(last);
}

Pool::Held* Pool::least_used(const Entry& entry) const noexcept {
  Held* best = nullptr;
  for (const auto& held : entry.tunnels) {
    if (!held->tunnel->can_open(options_.streams_per_tunnel_max)) continue;
    if (best == nullptr || held->tunnel->streams() < best->tunnel->streams()) best = held.get();
  }
  return best;
}

Pool::Held* Pool::choose(const Entry& entry) const noexcept {
  // The first that has room: streams that share a tunnel share records and system calls.
  for (const auto& held : entry.tunnels) {
    const Tunnel& tunnel = *held->tunnel;
    if (tunnel.can_open(options_.streams_per_tunnel_max) && !tunnel.carries_bulk())
      return held.get();
  }
  // All of them carry bulk. Beside it a new stream would wait behind whatever is on its way: it
  // gets a tunnel of its own.
  return entry.tunnels.size() < kTunnelsBesideBulkMax ? nullptr : least_used(entry);
}

coro::Task<Result<Tunnel*>> Pool::tunnel_for(const PoolKey& key, Entry& entry, Deadline deadline,
                                             coro::CancelSource* cancel) {
  for (;;) {
    if (stopped_) co_return fail(Errc::cancelled, "pool stopped");
    if (Held* const held = choose(entry); held != nullptr) {
      held->idle = false;
      co_return held->tunnel.get();
    }
    if (!entry.dialing) break;
    const bool there_is_one = least_used(entry) != nullptr;
    const Deadline enough = there_is_one ? loop_.after(kWaitBesideBulk) : deadline;
    coro::WaitList::Place place(entry.changed);
    const Status woken = co_await io::wait_event(loop_, place.event, enough, cancel);
    if (woken) continue;
    const bool out_of_time = woken.error().code == Errc::timed_out;
    if (Held* const busy = least_used(entry); out_of_time && busy != nullptr) {
      busy->idle = false;
      co_return busy->tunnel.get();
    }
    if (!out_of_time || deadline.expired(loop_.now())) co_return std::unexpected(woken.error());
  }
  // Ours to dial. When it fails, whoever waits tries for itself: one by one, each within its own
  // deadline.
  entry.dialing = true;
  auto dialled = co_await dialer_.dial(key, deadline, cancel);
  entry.dialing = false;
  entry.changed.notify_all();
  if (!dialled) {
    // One beside bulk is better than none.
    Held* const busy = least_used(entry);
    if (busy == nullptr) co_return std::unexpected(dialled.error());
    busy->idle = false;
    co_return busy->tunnel.get();
  }
  entry.tunnels.push_back(std::make_unique<Held>());
  Held* held = entry.tunnels.back().get();
  held->tunnel = std::move(*dialled);
  scope_.spawn(run_tunnel(key, held));
  co_return held->tunnel.get();
}

coro::Task<void> Pool::run_tunnel(PoolKey key, Held* held) {
  const Use use(*this, key);
  co_await held->tunnel->run();
  std::erase_if(use.entry.tunnels,
                [held](const auto& candidate) { return candidate.get() == held; });
}

coro::Task<void> Pool::reap_idle() {
  // A quarter of the limit: a tunnel lives at most that much longer than it should.
  const Duration interval =
      std::max<Duration>(options_.unused_release / 4, std::chrono::milliseconds(50));
  for (;;) {
    const Status slept =
        co_await io::sleep_until(loop_, loop_.after(interval), &scope_.cancel_source());
    if (!slept) co_return;
    for (auto& [key, entry] : entries_) {
      for (const auto& held : entry.tunnels) {
        const bool idle = held->tunnel->streams() == 0;
        if (idle && !held->idle) held->idle_since = loop_.now();
        held->idle = idle;
        if (idle && loop_.now() - held->idle_since >= options_.unused_release)
          held->tunnel->drain();
      }
    }
  }
}

void Pool::drop_if_unused(const PoolKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end() && found->second.users == 0) entries_.erase(found);
}

std::size_t Pool::tunnels() const noexcept {
  std::size_t count = 0;
  for (const auto& [key, entry] : entries_) count += entry.tunnels.size();
  return count;
}

void Pool::drain() {
  for (auto& [key, entry] : entries_) {
    for (const auto& held : entry.tunnels) held->tunnel->drain();
  }
}

coro::Task<void> Pool::finish() {
  // Ends the search for idle tunnels; those that are left are in their farewell.
  scope_.cancel();
  co_await scope_.join();
}

void Pool::cut() noexcept {
  for (auto& [key, entry] : entries_) {
    for (const auto& held : entry.tunnels) held->tunnel->close();
  }
}

coro::Task<void> Pool::stop() {
  stopped_ = true;
  for (auto& [key, entry] : entries_) entry.changed.notify_all();
  cut();
  co_await finish();
}

}  // namespace aquifer::hbone
