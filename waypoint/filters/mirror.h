// Mirrored requests: copies that are sent beside the real one and whose answers nobody waits for.
// One for each loop; they end with it.
#pragma once

#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/http/message.h"
#include "config/model/snapshot.h"

#include <cstddef>
#include <string>

namespace aquifer::waypoint {

struct Worker;

class Mirrors {
 public:
  explicit Mirrors(Worker& worker) noexcept : worker_(worker) {}
  Mirrors(const Mirrors&) = delete;
  Mirrors& operator=(const Mirrors&) = delete;

  /// Sends a copy. With too many under way it is left out: a mirror never delays a real request.
  void send(model::SnapshotPtr snapshot, std::string cluster, http::RequestHead head,
            std::string body);
  /// Ends all, and waits until they have.
  [[nodiscard]] coro::Task<void> stop();

 private:
  coro::Task<void> run(model::SnapshotPtr snapshot, std::string cluster, http::RequestHead head,
                       std::string body);

  Worker& worker_;
  coro::Scope scope_;
};

}  // namespace aquifer::waypoint
