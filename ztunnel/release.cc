#include "ztunnel/release.h"

#include "config/manifests/mesh_source.h"
#include "config/model/store.h"
#include "ztunnel/capture/capture.h"

#include <fmt/format.h>

#include <cstdio>

namespace aquifer::ztunnel {
namespace {

constexpr int kUsage = 2;
constexpr int kFailure = 1;

/// Returns whether nothing of ours is left in the pod.
bool release_pod(Capture& capture, const model::Workload& pod) {
  const std::string name = pod.ns + "/" + pod.name;
  auto space = io::NetworkNamespace::open(pod.netns_path);
  if (!space) {
    fmt::print(stderr, "{}: network namespace {}: {}\n", name, pod.netns_path,
               space.error().message());
    return false;
  }
  const auto state = capture.inspect(*space);
  if (state && state->kind == CaptureState::Kind::absent) return true;
  if (const auto removed = capture.remove(*space); !removed) {
    fmt::print(stderr, "{}: {}\n", name, removed.error().reason);
    return false;
  }
  fmt::print("{}: released\n", name);
  return true;
}

}  // namespace

int release_node(const Settings& settings) {
  if (settings.mesh_path.empty() || settings.node.empty()) {
    fmt::print(stderr, "ztunnel: release needs --mesh PATH and --node NAME (or NODE_NAME)\n");
    return kUsage;
  }
  auto mesh = manifests::load(settings.mesh_path);
  if (!mesh) {
    fmt::print(stderr, "{}", manifests::render(mesh.error()));
    return kFailure;
  }
  CaptureOptions options;
  options.ipv6 = settings.ipv6 ? Ipv6Capture::on : Ipv6Capture::off;
  options.proxy_mark = settings.packet_mark;
  auto capture = Capture::create(options);
  if (!capture) {
    fmt::print(stderr, "ztunnel: {}\n", capture.error().reason);
    return kFailure;
  }
  bool all = true;
  for (const model::WorkloadPtr& pod : mesh->state.workloads) {
    if (pod->node != settings.node || pod->netns_path.empty()) continue;
    all = release_pod(*capture, *pod) && all;
  }
  return all ? 0 : kFailure;
}

}  // namespace aquifer::ztunnel
