// The seam between the loop and the kernel: completions of io_uring, or readiness of epoll made to
// look like them.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/io/buffer.h"
#include "common/io/operation.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace aquifer::io {

enum class BackendKind : std::uint8_t { uring, epoll };
[[nodiscard]] std::string_view name_of(BackendKind kind) noexcept;

/// One descriptor as the backend sees it: at most one operation that reads and one that writes wait
/// on it.
struct Channel {
  int fd = -1;
  // The kernel tells a connection's failure once, to whoever asks first: without this, a reader
  // would take the failure that a send was told for the end of the stream.
  int failure = 0;
  Operation* reading = nullptr;
  Operation* writing = nullptr;
  // epoll: registered once, edge-triggered; what the last events said.
  bool registered = false;
  bool readable = true;
  bool writable = true;
  bool hung_up = false;  // RDHUP, HUP or ERR seen: reads go on until they say 0 or an error
  // A read of a small block's size or more makes the next one use a large block.
  bool hot = false;
  bool waits_turn = false;  // its receive stands in Turns
};

/// Tells who accepts: one listener's stream of sockets. `on_accept` gets a descriptor, or a
/// negative errno.
struct AcceptHandler {
  Channel channel;
  void* context = nullptr;
  void (*on_accept)(void* context, int fd_or_errno) noexcept = nullptr;
  /// No further on_accept will come: the handler may be destroyed.
  void (*on_stopped)(void* context) noexcept = nullptr;
  bool active = false;  ///< the owner wants connections
  bool armed = false;   ///< io_uring: the kernel has the request
};

struct BackendCounters {
  std::uint64_t completed = 0;  ///< operations and accepts completed
  std::uint64_t waits = 0;      ///< times the kernel was asked for completions
};

/// All calls on the loop's thread.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual BackendKind kind() const noexcept = 0;

  /// Tries to complete without waiting; true: result is in `result`. epoll does, io_uring never.
  virtual bool try_now(Operation& operation, int& result) noexcept = 0;
  virtual void start(Operation& operation) noexcept = 0;
  /// Asks for the end; the operation completes later with -ECANCELED or its real result.
  virtual void cancel(Operation& operation) noexcept = 0;

  virtual void start_accept(AcceptHandler& handler) noexcept = 0;
  virtual void stop_accept(AcceptHandler& handler) noexcept = 0;

  /// Before the descriptor is closed; no operation may be in flight.
  virtual void forget(Channel& channel) noexcept = 0;

  /// Submits, waits until something completes or `until`, completes everything that is there.
  virtual void wait(MonoTime until, MonoTime now) noexcept = 0;
  /// Before wait(): whether receives of bulk are to take turns (turns.h).
  virtual void show_courtesy(bool due) noexcept = 0;
  /// Receive buffers of the pools that somebody holds now.
  [[nodiscard]] virtual std::uint32_t buffers_leased() const noexcept = 0;
  /// Frees memory that only a burst needed.
  virtual void trim() noexcept = 0;

  [[nodiscard]] const BackendCounters& counters() const noexcept { return counters_; }

 protected:
  BackendCounters counters_;
};

/// Must be made on the thread that will run the loop. io_uring fails with a clear context where it
/// is forbidden.
[[nodiscard]] Result<std::unique_ptr<Backend>> make_uring_backend();
[[nodiscard]] Result<std::unique_ptr<Backend>> make_epoll_backend();

}  // namespace aquifer::io
