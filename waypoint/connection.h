// A client's connection to a service, from the CONNECT that brought it to its end: what it speaks,
// and who serves it from then on.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "common/io/byte_stream.h"
#include "config/model/l7/chain.h"
#include "waypoint/detection.h"
#include "waypoint/downstream.h"

#include <memory>

namespace aquifer::waypoint {

struct Worker;

class Connection {
 public:
  /// `worker` and `stream` outlive it.
  Connection(Worker& worker, DownstreamPtr downstream, io::ByteStream& stream) noexcept
      : worker_(worker), downstream_(std::move(downstream)), stream_(stream) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The spine: until the client has ended, or `cancel` asks for the end.
  [[nodiscard]] coro::Task<void> run(l7::ChainPtr chain, coro::CancelSource* cancel);

 private:
  [[nodiscard]] coro::Task<Result<Spoken>> detect(Deadline deadline, coro::CancelSource* cancel);
  [[nodiscard]] coro::Task<void> serve_http1(coro::CancelSource* cancel);
  [[nodiscard]] coro::Task<void> serve_http2(coro::CancelSource* cancel);
  void tell_of_unread(const Error& error, int status);

  Worker& worker_;
  const DownstreamPtr downstream_;
  io::ByteStream& stream_;
  io::Buffer first_;  // read to look at
};

}  // namespace aquifer::waypoint
