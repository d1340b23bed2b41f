// What a choice among a cluster's endpoints costs, balancer by balancer, and what it costs to
// follow a change of the mesh. Prints figures; judges nothing.
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/random_sequence.h"
#include "waypoint/upstream/request_hash.h"
#include "waypoint/upstream/session.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::waypoint;

constexpr int kPicks = 1'000'000;
constexpr std::size_t kUnderWay = 64;
constexpr int kUpdates = 50;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

enum class Weights : std::uint8_t { even, uneven };

model::Workload workload_of(std::uint32_t index) {
  model::Workload workload;
  workload.uid = fmt::format("Kubernetes//Pod/default/pod-{:06}", index);
  workload.name = fmt::format("pod-{:06}", index);
  workload.addresses = {
      IpAddress::v4({10, static_cast<std::uint8_t>(index >> 16),
                     static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)})};
  return workload;
}

// Versions of a mesh in which one endpoint of `count` comes and goes.
class Mesh {
 public:
  Mesh(std::uint32_t count, Weights weights) : weights_(weights) {
    model::Changes changes;
    for (std::uint32_t i = 0; i < count; ++i)
      changes.upserted_workloads.push_back(std::make_shared<const model::Workload>(workload_of(i)));
    changes.upserted_services = {record(count)};
    full = model::Snapshot().apply(changes);
    model::Changes fewer;
    fewer.upserted_services = {record(count - 1)};
    without_one = full->apply(fewer);
  }
  model::SnapshotPtr full;
  model::SnapshotPtr without_one;

 private:
  [[nodiscard]] model::ServiceRecord record(std::uint32_t members) const {
    model::Service service;
    service.ns = "default";
    service.hostname = "server.default.svc.cluster.local";
    model::EndpointSet set;
    for (std::uint32_t i = 0; i < members; ++i) {
      model::Endpoint endpoint;
      endpoint.workload_uid = workload_of(i).uid;
      endpoint.weight = weights_ == Weights::uneven ? 1 + i % 7 : 1;
      endpoint.ports = {{80, 8080}};
      set.endpoints.push_back(std::move(endpoint));
    }
    return {std::make_shared<const model::Service>(std::move(service)),
            std::make_shared<const model::EndpointSet>(std::move(set))};
  }
  Weights weights_;
};

l7::ClusterPtr config_of(l7::BalancerKind kind) {
  auto config = std::make_shared<l7::Cluster>();
  config->key = "default/server.default.svc.cluster.local:80";
  config->service_ns = "default";
  config->hostname = "server.default.svc.cluster.local";
  config->port = 80;
  config->balancing.kind = kind;
  config->outlier.emplace();
  config->outlier->consecutive_5xx = 5;
  return config;
}

// A request begins and the oldest of those under way ends, as on a busy loop.
double pick_ns(Cluster& cluster) {
  RandomSequence random(1);
  std::deque<Lease> under_way;
  MonoTime now = MonoTime(std::chrono::hours(1));
  const double began = cpu_seconds();
  for (int i = 0; i < kPicks; ++i) {
    now += std::chrono::microseconds(10);
    PickRequest request;
    request.now = now;
    request.random = random.next();
    request.hash = random.next();
    under_way.push_back(std::move(*cluster.pick(request)));
    if (under_way.size() <= kUnderWay) continue;
    under_way.front().done(now, Outcome::answered, 200);
    under_way.pop_front();
  }
  return (cpu_seconds() - began) * 1e9 / kPicks;
}

void bench(std::string_view name, l7::BalancerKind kind, std::uint32_t count, Weights weights) {
  const Mesh mesh(count, weights);
  Circuits circuits;
  const auto config = config_of(kind);
  const MonoTime now = MonoTime(std::chrono::hours(1));
  const double began = cpu_seconds();
  const auto cluster = std::make_shared<Cluster>(config, circuits.of(config->key), Standpoint());
  cluster->update(*mesh.full, config, now);
  const double built = (cpu_seconds() - began) * 1e6;
  const double picked = pick_ns(*cluster);
  const double first = cpu_seconds();
  for (int i = 0; i < kUpdates; ++i) {
    cluster->update(*mesh.without_one, config, now);
    cluster->update(*mesh.full, config, now);
  }
  const double changed = (cpu_seconds() - first) * 1e6 / (2 * kUpdates);
  const double second = cpu_seconds();
  for (int i = 0; i < kUpdates; ++i) cluster->update(*mesh.full, config, now);
  const double same = (cpu_seconds() - second) * 1e6 / kUpdates;
  fmt::print(
      "{:14} {:6} endpoints, {:6} weights: pick and end {:5.0f} ns, first build {:7.0f} us, "
      "one comes or goes {:6.0f} us, nothing changed {:5.0f} us\n",
      name, count, weights == Weights::even ? "even" : "uneven", picked, built, changed, same);
}

void bench_helpers() {
  HeaderFields headers{{"user-agent", "curl/8.5.0"},
                       {"accept", "*/*"},
                       {"cookie", "theme=dark; lang=de; session=0123456789abcdef"},
                       {"x-user", "4f3c2a10-8d1b-4d53-9ad4-0f5f1f4c8a11"}};
  const l7::RequestView request{.method = "GET",
                                .scheme = "http",
                                .authority = "server",
                                .path = "/",
                                .headers = headers,
                                .source = {},
                                .destination = {},
                                .identity = nullptr};
  l7::HashSource by_header;
  by_header.name = "x-user";
  l7::HashSource by_cookie;
  by_cookie.kind = l7::HashSource::Kind::cookie;
  by_cookie.name = "session";
  std::uint64_t sum = 0;
  const auto time = [&](std::string_view name, auto&& work) {
    const double began = cpu_seconds();
    for (int i = 0; i < kPicks; ++i) sum += work(static_cast<std::uint64_t>(i));
    fmt::print("{:32} {:5.0f} ns\n", name, (cpu_seconds() - began) * 1e9 / kPicks);
  };
  time("hash of a header", [&](std::uint64_t i) {
    return hash_of(std::span(&by_header, 1), request, i).hash.value_or(0);
  });
  time("hash of a cookie", [&](std::uint64_t i) {
    return hash_of(std::span(&by_cookie, 1), request, i).hash.value_or(0);
  });
  time("a session's value, both ways", [&](std::uint64_t i) {
    return decode_session(encode_session({i, 1'700'000'000, 1'700'000'000}))->endpoint;
  });
  if (sum == 1) fmt::print("\n");
}

}  // namespace

int main() {
  using Kind = l7::BalancerKind;
  const std::pair<std::string_view, Kind> kinds[] = {{"least request", Kind::least_request},
                                                     {"round robin", Kind::round_robin},
                                                     {"random", Kind::random},
                                                     {"ewma", Kind::ewma},
                                                     {"ring hash", Kind::ring_hash},
                                                     {"maglev", Kind::maglev}};
  for (const auto& [name, kind] : kinds) {
    for (const std::uint32_t count : {10U, 1000U}) {
      for (const Weights weights : {Weights::even, Weights::uneven})
        bench(name, kind, count, weights);
    }
  }
  bench_helpers();
}
