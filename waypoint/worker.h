// What one loop's connections and exchanges share. Everything here is the loop's thread's alone;
// the control thread posts changes to it.
#pragma once

#include "common/admin/journal.h"
#include "common/hbone/pool.h"
#include "common/io/account.h"
#include "common/io/loop.h"
#include "config/ca/loop_certs.h"
#include "config/model/snapshot.h"
#include "waypoint/chain_cache.h"
#include "waypoint/drain_hook.h"
#include "waypoint/filters/mirror.h"
#include "waypoint/filters/token_keys.h"
#include "waypoint/live_requests.h"
#include "waypoint/refusals.h"
#include "waypoint/series_cache.h"
#include "waypoint/settings.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/connector.h"
#include "waypoint/upstream/pool.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace aquifer::waypoint {

class RequestMetrics;
struct Worker;

/// Who this waypoint is. Immutable; replaced as a whole when the mesh changes it.
struct Self {
  std::string gateway;  ///< NAMESPACE/NAME
  SpiffeId identity;
  /// Its own record; may be null while the mesh does not know it.
  model::WorkloadPtr workload;
  /// As far as that is known.
  Standpoint standpoint;
};
using SelfPtr = std::shared_ptr<const Self>;

/// The same for all loops; outlives them. Its members are immutable or safe from any thread.
struct Node {
  const Settings& settings;
  Circuits& circuits;
  RequestMetrics& metrics;
  /// All loops, filled before the first connection is accepted and not changed after.
  std::vector<Worker*> workers;
};

struct Worker {
  Worker(io::Loop& l, const Node& n, std::size_t i);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  io::Loop& loop;
  const Node& node;
  const std::size_t index;
  /// Never null. A request takes it once, decides with it, and does not mix two.
  model::SnapshotPtr snapshot = std::make_shared<const model::Snapshot>();
  /// Never null.
  SelfPtr self = std::make_shared<const Self>();
  ca::LoopCerts certs;
  std::mt19937_64 random;
  io::Account account;
  Clusters clusters;
  Connector connector;
  UpstreamPool upstreams;
  ChainCache chains;
  TokenKeys token_keys;
  Mirrors mirrors;
  LiveRequests live;
  SeriesCache series;
  Refusals refusals;
  /// What has ended, for those who follow.
  admin::Journal<SeenRequest> journal;
  /// Connections that want to hear of its end.
  Drains drains;
  /// Requests whose clients live on other loops.
  coro::Scope guests;
  /// Exchanges under way on this loop, whoever's client it is: read by the other loops, too.
  std::atomic<std::uint32_t> exchanges{0};
  /// It ends: connections say so to their clients.
  bool draining = false;
};

}  // namespace aquifer::waypoint
