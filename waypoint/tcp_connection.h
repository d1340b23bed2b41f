// A connection that is not HTTP: passed through, to the endpoint that its chain says.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/byte_stream.h"
#include "common/io/copy_counter.h"
#include "config/model/l7/chain.h"
#include "waypoint/downstream.h"
#include "waypoint/request_metrics.h"
#include "waypoint/request_record.h"
#include "waypoint/upstream/cluster.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace aquifer::waypoint {

struct Worker;

class TcpConnection final : io::CopyCounter {
 public:
  TcpConnection(Worker& worker, DownstreamPtr downstream, io::ByteStream& client) noexcept
      : worker_(worker), downstream_(std::move(downstream)), client_(client) {}

  /// `first` was read from the client to look at.
  [[nodiscard]] coro::Task<void> run(l7::ChainPtr chain, io::Buffer first,
                                     coro::CancelSource* cancel);

 private:
  [[nodiscard]] std::optional<std::string> refuse_by_policy(const model::Snapshot& snapshot,
                                                            std::string_view server_name);
  /// Null when nobody answers; record_ says why.
  [[nodiscard]] coro::Task<std::unique_ptr<io::ByteStream>> connect(Cluster& cluster, Lease& lease,
                                                                    coro::CancelSource* cancel);
  void from_client(std::uint64_t bytes) noexcept override {
    record_.bytes_received += bytes;
    counters_.from_client(bytes);
  }
  void to_client(std::uint64_t bytes) noexcept override {
    record_.bytes_sent += bytes;
    counters_.to_client(bytes);
  }
  void finish();

  Worker& worker_;
  const DownstreamPtr downstream_;
  io::ByteStream& client_;
  ConnectionCounters counters_;
  RequestRecord record_;
};

}  // namespace aquifer::waypoint
