// A service with endpoints of all sorts, and what a cluster makes of it.
#pragma once

#include "common/base/assert.h"
#include "config/model/l7/routing_book.h"
#include "tests/unit/config/model/fixtures.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/random_sequence.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aquifer::waypoint::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::string_view kKey = "default/server.default.svc.cluster.local:80";

/// Any time but the clock's epoch.
inline MonoTime at(Duration since_start) {
  return MonoTime(std::chrono::hours(1000)) + since_start;
}

struct Pod {
  std::string name;
  std::uint32_t weight = 1;
  model::Health health = model::Health::healthy;
  model::Locality locality = {};
  std::string node = "node1";
  std::string network = {};
  std::string address = {};
  std::uint16_t port = 8080;
  std::string account = {};
};

inline std::vector<Pod> pods(std::size_t count) {
  std::vector<Pod> result;
  for (std::size_t i = 0; i < count; ++i) {
    std::string number = std::to_string(i);
    number.insert(0, 5 - number.size(), '0');
    result.push_back({.name = "pod" + number});
  }
  return result;
}

inline model::Workload workload_of(const Pod& pod, std::size_t index) {
  const std::string address =
      "10.0." + std::to_string(index / 250) + "." + std::to_string(index % 250 + 1);
  model::Workload workload =
      model::test::pod(pod.name, pod.address.empty() ? address : pod.address);
  workload.locality = pod.locality;
  workload.node = pod.node;
  workload.network = pod.network;
  if (!pod.account.empty())
    workload.identity = SpiffeId::make("cluster.local", "default", pod.account).value();
  return workload;
}

/// The mesh of one service, "server"; tests change pods, configuration or service and apply().
class World {
 public:
  explicit World(std::vector<Pod> members = pods(3)) : members(std::move(members)) {
    const model::ServiceRecord record = model::test::service("10.96.0.1", {});
    service = *record.service;
    config.key = kKey;
    config.service_ns = service.ns;
    config.hostname = service.hostname;
    config.port = 80;
  }

  /// The next version of the mesh.
  const model::SnapshotPtr& apply() {
    model::Changes changes;
    model::EndpointSet set;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto workload = model::test::share(workload_of(members[i], i));
      const auto& known = mesh->workload_by_uid(workload->uid);
      changes.upserted_workloads.push_back(known && *known == *workload ? known : workload);
      set.endpoints.push_back({.workload_uid = workload->uid,
                               .health = members[i].health,
                               .weight = members[i].weight,
                               .ports = {{80, members[i].port}}});
    }
    std::ranges::sort(set.endpoints, {}, &model::Endpoint::workload_uid);
    changes.upserted_services = {{std::make_shared<const model::Service>(service),
                                  std::make_shared<const model::EndpointSet>(set)}};
    mesh = mesh->apply(changes);
    return mesh;
  }
  /// A cluster that follows apply().
  std::shared_ptr<Cluster> cluster() {
    auto made = std::make_shared<Cluster>(shared_config(), circuits.of(config.key), here);
    made->update(*apply(), shared_config(), at({}));
    return made;
  }
  void update(Cluster& cluster, MonoTime now) { cluster.update(*apply(), shared_config(), now); }
  [[nodiscard]] l7::ClusterPtr shared_config() const {
    return std::make_shared<const l7::Cluster>(config);
  }

  std::vector<Pod> members;
  model::Service service;
  l7::Cluster config;
  Standpoint here;
  Circuits circuits;
  model::SnapshotPtr mesh = std::make_shared<const model::Snapshot>();
};

/// Numbers for PickRequest::random: the same in every run.
class Dice {
 public:
  std::uint64_t next() { return random_.next(); }
  PickRequest request(MonoTime now = at({})) {
    PickRequest request;
    request.now = now;
    request.random = next();
    return request;
  }

 private:
  RandomSequence random_{42};
};

using Tally = std::map<std::string, int>;

/// Who gets `count` requests, each ended before the next begins.
inline Tally tally(Cluster& cluster, int count, MonoTime now = at({})) {
  Tally tally;
  Dice dice;
  for (int i = 0; i < count; ++i) {
    auto lease = cluster.pick(dice.request(now));
    ++tally[lease ? lease->endpoint().workload->name : "nobody"];
  }
  return tally;
}

inline const Endpoint& endpoint_of(const Cluster& cluster, std::string_view name) {
  for (const EndpointPtr& each : cluster.endpoints()) {
    if (each->workload->name == name) return *each;
  }
  AQUIFER_ASSERT(false);
}

/// Sends one request to this endpoint, which ends so.
inline void report(Cluster& cluster, std::string_view name, MonoTime now, Outcome outcome,
                   int status = 0) {
  PickRequest request;
  request.now = now;
  request.preferred = endpoint_of(cluster, name).id;
  auto lease = cluster.pick(request);
  AQUIFER_ASSERT(lease && lease->endpoint().workload->name == name);
  lease->done(now, outcome, status);
}

}  // namespace aquifer::waypoint::test
