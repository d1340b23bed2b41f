// What decisions cost with 100,000 workloads in the mesh. Prints figures; judges nothing.
#include "config/model/resolve.h"
#include "config/model/store.h"

#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::model;

constexpr int kWorkloads = 100'000;
constexpr int kServices = 5'000;
constexpr int kEndpoints = kWorkloads / kServices;
constexpr int kRounds = 1'000'000;

IpAddress address_of(int index) {
  return IpAddress::v4({10, static_cast<std::uint8_t>(index >> 16),
                        static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)});
}

WorkloadPtr workload_of(int index, Health health) {
  Workload workload;
  workload.name = fmt::format("pod-{}", index);
  workload.ns = "default";
  workload.uid = fmt::format("Kubernetes//Pod/default/{}", workload.name);
  workload.identity = SpiffeId::make("cluster.local", "default", "sa").value();
  workload.node = fmt::format("node-{}", index / 100);
  workload.addresses = {address_of(index)};
  workload.protocol = TunnelProtocol::hbone;
  workload.health = health;
  return std::make_shared<const Workload>(std::move(workload));
}

ServiceRecord service_of(int index) {
  Service service;
  service.ns = "default";
  service.name = fmt::format("service-{}", index);
  service.hostname = service.name + ".default.svc.cluster.local";
  service.vips = {{"", IpAddress::v4({172, 16, static_cast<std::uint8_t>(index >> 8),
                                      static_cast<std::uint8_t>(index)})}};
  service.ports = {
      {.port = 80, .name = "", .target_port = 8080, .target_port_name = "", .app_protocol = ""}};
  EndpointSet set;
  for (int i = 0; i < kEndpoints; ++i) {
    Endpoint endpoint;
    endpoint.workload_uid = fmt::format("Kubernetes//Pod/default/pod-{}", index * kEndpoints + i);
    endpoint.ports = {{80, 8080}};
    set.endpoints.push_back(std::move(endpoint));
  }
  return {std::make_shared<const Service>(std::move(service)),
          std::make_shared<const EndpointSet>(std::move(set))};
}

// Many services have one address, few have a range.
ServiceRecord range_of(std::uint8_t bits) {
  ServiceRecord record = service_of(0);
  Service service = *record.service;
  service.name = fmt::format("range-{}", bits);
  service.hostname = service.name + ".example.com";
  service.vips.clear();
  service.cidr_vips = {{"", Cidr(IpAddress::v4({192, 168, 7, 0}), bits)}};
  record.service = std::make_shared<const Service>(std::move(service));
  return record;
}

ServiceRecord waypointed() {
  ServiceRecord record = service_of(1);
  WaypointRef waypoint;
  waypoint.ns = "default";
  waypoint.hostname = "service-2.default.svc.cluster.local";
  Service service = *record.service;
  service.name = "behind";
  service.hostname = "behind.default.svc.cluster.local";
  service.vips = {{"", IpAddress::v4({172, 31, 0, 1})}};
  service.waypoints = {waypoint};
  record.service = std::make_shared<const Service>(std::move(service));
  return record;
}

// Processor time: the figures then mean the same on a machine that does other things, too.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

template <typename Work>
void measure(const char* what, int rounds, Work&& work) {
  const double start = cpu_ns();
  std::uint64_t kept = 0;
  for (int i = 0; i < rounds; ++i) kept += work(i);
  fmt::print("{:<44} {:>12.0f} ns  ({})\n", what, (cpu_ns() - start) / rounds, kept);
}

// Spreads indexes so that the caches see a mesh and not a neighbour.
int scattered(int round, int count) {
  return static_cast<int>(static_cast<std::uint32_t>(round) * 2654435761U %
                          static_cast<std::uint32_t>(count));
}

}  // namespace

int main() {
  Changes all;
  for (int i = 0; i < kWorkloads; ++i)
    all.upserted_workloads.push_back(workload_of(i, Health::healthy));
  for (int i = 0; i < kServices; ++i) all.upserted_services.push_back(service_of(i));
  for (const std::uint8_t bits : {8, 16, 24}) all.upserted_services.push_back(range_of(bits));
  all.upserted_services.push_back(waypointed());
  Store store;
  measure("first snapshot of 100,000 workloads", 1,
          [&](int) { return store.apply(all).after->workload_count(); });
  const Snapshot& mesh = *store.current();

  measure("workload by address", kRounds, [&](int round) {
    return mesh.workload_by_ip("", address_of(scattered(round, kWorkloads)))->addresses.size();
  });
  measure("workload by uid", kRounds, [&](int round) {
    const auto& uid =
        all.upserted_workloads[static_cast<std::size_t>(scattered(round, kWorkloads))]->uid;
    return mesh.workload_by_uid(uid)->addresses.size();
  });
  const WorkloadPtr client = all.upserted_workloads.front();
  measure("resolve, service of 20 endpoints", kRounds, [&](int round) {
    const int service = scattered(round, kServices);
    const IpAddress vip = IpAddress::v4(
        {172, 16, static_cast<std::uint8_t>(service >> 8), static_cast<std::uint8_t>(service)});
    return resolve(mesh,
                   {client, OriginalDst(SocketAddress{vip, 80}), static_cast<std::uint64_t>(round)})
        ->upstream.addr.port;
  });
  measure("resolve, service in a range, 3 lengths in use", kRounds, [&](int round) {
    const OriginalDst inside(
        SocketAddress{IpAddress::v4({192, 168, 7, static_cast<std::uint8_t>(round)}), 80});
    return resolve(mesh, {client, inside, static_cast<std::uint64_t>(round)})->upstream.addr.port;
  });
  measure("resolve, service behind a waypoint of 20", kRounds, [&](int round) {
    const OriginalDst behind(SocketAddress{IpAddress::v4({172, 31, 0, 1}), 80});
    return resolve(mesh, {client, behind, static_cast<std::uint64_t>(round)})->tunnel.addr.port;
  });
  AvoidedEndpoints avoided;
  const MonoTime now = Clock::now();
  for (EndpointId id = 1; id <= AvoidedEndpoints::kEndpointsMax; ++id) {
    avoided.failed(id, now);
    avoided.failed(id, now);
  }
  measure("resolve, 1,024 endpoints avoided", kRounds, [&](int round) {
    const int service = scattered(round, kServices);
    ResolveRequest request{
        client,
        OriginalDst(SocketAddress{IpAddress::v4({172, 16, static_cast<std::uint8_t>(service >> 8),
                                                 static_cast<std::uint8_t>(service)}),
                                  80}),
        static_cast<std::uint64_t>(round)};
    request.avoided = &avoided;
    request.now = now;
    return resolve(mesh, request)->upstream.addr.port;
  });
  measure("resolve, pod by address", kRounds, [&](int round) {
    const OriginalDst pod(SocketAddress{address_of(scattered(round, kWorkloads)), 8080});
    return resolve(mesh, {client, pod, 0})->upstream.addr.port;
  });
  measure("one changed workload, next snapshot", 2'000, [&](int round) {
    Changes one;
    one.upserted_workloads = {workload_of(scattered(round, kWorkloads),
                                          round % 2 == 0 ? Health::unhealthy : Health::healthy)};
    return store.apply(one).after->version() % 2;
  });
  return 0;
}
