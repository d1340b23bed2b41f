// Handover: one connection between two pods of this node, shared by the loops of both. The source's
// loop keeps the client's socket and copies; the destination's decides, makes the application's
// socket and tells of the connection as for one that came through a tunnel. Nothing of it is
// touched by both: what one side has to say is run on the other's loop.
#pragma once

#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/base/spiffe.h"
#include "common/coro/event.h"
#include "common/io/loop.h"
#include "config/model/workload.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// What the destination would have learned from the tunnel's certificate and the CONNECT in it.
struct LocalCall {
  SocketAddress client;
  model::WorkloadPtr source;
  std::shared_ptr<const SpiffeId> identity;
  /// Who may answer.
  std::vector<SpiffeId> expected;
  /// Where the tunnel would have ended, and what it would have asked for.
  LocalAddr tunnel_end;
  std::string authority;
  std::string service_host;
};

/// Bytes since the beginning.
struct LocalBytes {
  std::uint64_t from_client = 0;
  std::uint64_t to_client = 0;
};

class Handover : public std::enable_shared_from_this<Handover> {
 public:
  /// Both loops outlive all connections. Made on the source's.
  Handover(LocalCall call, io::Loop& source, io::Loop& destination)
      : call(std::move(call)), source_(source), destination_(destination) {}
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  const LocalCall call;

  /// The application's socket with 200; else what a tunnel would have answered: 401, 503, ...
  struct Answer {
    /// The destination's proxy is about to go, or may not speak for the pod: ask by a tunnel.
    static constexpr int kNotHere = 0;
    int status = kNotHere;
    Fd application;
  };
  /// Told that the destination ends the connection.
  class OnCut {
   public:
    virtual void cut() noexcept = 0;

   protected:
    ~OnCut() = default;
  };

  // On the source's loop.
  [[nodiscard]] coro::Task<Result<Answer>> wait_answer(Deadline deadline,
                                                       coro::CancelSource* cancel);
  /// At once if it was cut before. Null takes it back.
  void watch(OnCut* watcher) noexcept;
  void report(LocalBytes bytes);
  /// Exactly once, last: the connection is over, or was given up.
  void finish(LocalBytes bytes);

  // On the destination's loop.
  void answer(int status, Fd application = {});
  void cut();
  /// Is notified of each of these.
  [[nodiscard]] coro::Event& changed() noexcept { return changed_; }
  [[nodiscard]] bool over() const noexcept { return over_; }
  [[nodiscard]] LocalBytes bytes() const noexcept { return bytes_; }

 private:
  void note(LocalBytes bytes, bool over);

  io::Loop& source_;
  io::Loop& destination_;
  // The source's loop's.
  std::optional<Answer> answer_;
  coro::Event answered_;
  OnCut* watcher_ = nullptr;
  bool cut_ = false;
  bool finished_ = false;
  // The destination's loop's.
  LocalBytes bytes_;
  coro::Event changed_;
  bool over_ = false;
};

using HandoverPtr = std::shared_ptr<Handover>;

/// Runs `message` on `loop`, which may be the caller's: then at once.
void run_there(io::Loop& loop, io::Message message);

}  // namespace aquifer::ztunnel
