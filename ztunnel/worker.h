// What one loop's proxies share: the loop's view of the mesh, its certificates, its random numbers.
// Everything here is the loop's thread's alone; the control thread posts changes to it (app.cc).
#pragma once

#include "common/io/loop.h"
#include "common/telemetry/pod_metrics.h"
#include "common/telemetry/traffic_metrics.h"
#include "config/ca/loop_certs.h"
#include "config/model/snapshot.h"
#include "ztunnel/dns/dns_metrics.h"
#include "ztunnel/dns/upstream.h"
#include "ztunnel/flow_journal.h"
#include "ztunnel/same_node/byte_reports.h"
#include "ztunnel/same_node/local_pods.h"
#include "ztunnel/settings.h"

#include <random>

namespace aquifer::ztunnel {

class PolicyDecisions;
class SameNode;

/// The same for all loops; outlives them. Its members are immutable or safe from any thread.
struct Node {
  const Settings& settings;
  telemetry::Registry& registry;
  telemetry::TrafficMetrics& traffic;
  telemetry::PodMetrics& pods;
  PolicyDecisions& policies;
  dns::Metrics& dns;
  SameNode& same_node;
};

struct Worker {
  Worker(io::Loop& l, const Node& n)
      : loop(l), node(n), random(std::random_device()()), journal(l), byte_reports(l) {}

  io::Loop& loop;
  const Node& node;
  /// Never null. A connection takes it once, decides with it, and does not mix two.
  model::SnapshotPtr snapshot = std::make_shared<const model::Snapshot>();
  ca::LoopCerts certs;
  /// Never null: whom the pods' DNS queries are forwarded to.
  dns::ServersPtr dns_servers = std::make_shared<const dns::Servers>();
  std::mt19937_64 random;
  FlowJournal journal;
  /// Never null: the pods that this process serves, on any loop. Empty while it ends.
  LocalPodsPtr local_pods = std::make_shared<const LocalPods>();
  ByteReports byte_reports;
};

}  // namespace aquifer::ztunnel
