// WorkerThread: one loop on a thread of its own, with its listener and everything that comes by it.
// The control thread talks to it by messages.
#pragma once

#include "common/base/fd.h"
#include "common/io/loop.h"
#include "config/ca/workload_cert.h"
#include "config/model/snapshot.h"
#include "waypoint/worker.h"

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace aquifer::waypoint {

class WorkerThread {
 public:
  /// Starts the thread and waits until its loop runs; it listens only after listen().
  [[nodiscard]] static Result<std::unique_ptr<WorkerThread>> start(const Node& node,
                                                                   std::size_t index);
  /// After stop(): joins the thread.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // From the control thread; each takes effect soon, in the order of the calls.
  void listen(Fd listener);
  void listen_plain(Fd listener, PlainService service);
  void set_snapshot(model::SnapshotPtr snapshot, SelfPtr self);
  void apply(ca::CertUpdate update);
  void drain();
  /// Ends everything that is still open. `ended` is called on the loop's thread when nothing is:
  /// the loop then only waits for the destructor, for others may still post to it.
  void stop(std::function<void()> ended);
  /// Looks at everything on the loop's thread, soon.
  void look(std::function<void(Worker&)> look);

  /// `tell` is called on the loop's thread with how many tunnels and requests are open.
  void count(std::function<void(std::size_t)> tell);
  [[nodiscard]] Worker& worker() noexcept;
  [[nodiscard]] io::Loop& loop() noexcept { return *loop_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  struct Loopside;
  WorkerThread(const Node& node, std::size_t index);
  void main(std::promise<Status>& started);
  static coro::Task<void> serve(WorkerThread& self, io::Loop& loop, std::promise<Status>& started);
  static coro::Task<void> sweep(Loopside& side);

  const Node& node_;
  const std::size_t index_;
  const std::string name_;
  io::Loop* loop_ = nullptr;
  Loopside* side_ = nullptr;
  std::thread thread_;
};

}  // namespace aquifer::waypoint
