#include "config/manifests/enrolment.h"

#include <algorithm>
#include <initializer_list>

namespace aquifer::manifests {
namespace {

using model::RoutingScope;

constexpr std::string_view kDataplaneMode = "istio.io/dataplane-mode";

// The first of these labels that is there and not empty.
std::string first_label(const Metadata& meta, std::initializer_list<std::string_view> names,
                        std::string_view fallback) {
  for (const std::string_view name : names) {
    const std::string* value = meta.label(name);
    if (value != nullptr && !value->empty()) return *value;
  }
  return std::string(fallback);
}

bool is_label(const Metadata& meta, std::string_view name, std::string_view value) {
  const std::string* found = meta.label(name);
  return found != nullptr && *found == value;
}

// NAME-28512345: a job that a cron job made ends with its time in minutes since 1970 (older ones:
// seconds).
std::string_view without_schedule(std::string_view job) {
  const std::size_t dash = job.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return {};
  const std::string_view time = job.substr(dash + 1);
  const bool digits = std::ranges::all_of(time, [](char c) { return c >= '0' && c <= '9'; });
  return digits && time.size() >= 8 && time.size() <= 10 ? job.substr(0, dash) : std::string_view{};
}

}  // namespace

model::Capture is_enrolled(const PodObject& pod, const NamespaceObject* ns) {
  return explain_enrolment(pod, ns).capture;
}

Enrolment explain_enrolment(const PodObject& pod, const NamespaceObject* ns) {
  using enum model::Capture;
  if (pod.host_network) return {no, "it is on the host's network"};
  if (const std::string* redirection = pod.meta.annotation("ambient.istio.io/redirection")) {
    if (*redirection == "enabled")
      return {yes, "its annotation ambient.istio.io/redirection is enabled"};
    return {no, "its annotation ambient.istio.io/redirection is not enabled"};
  }
  if (pod.meta.annotation("sidecar.istio.io/status") != nullptr) return {no, "it has a sidecar"};
  if (is_label(pod.meta, kDataplaneMode, "none"))
    return {no, "it is labelled istio.io/dataplane-mode: none"};
  if (is_label(pod.meta, kDataplaneMode, "ambient"))
    return {yes, "it is labelled istio.io/dataplane-mode: ambient"};
  if (ns != nullptr && is_label(ns->meta, kDataplaneMode, "ambient"))
    return {yes, "its namespace is labelled istio.io/dataplane-mode: ambient"};
  return {no, "neither it nor its namespace is labelled istio.io/dataplane-mode: ambient"};
}

model::TunnelProtocol tunnel_protocol(const PodObject& pod, model::Capture capture) {
  const bool native = is_label(pod.meta, "networking.istio.io/tunnel", "http") && !pod.host_network;
  return capture == model::Capture::yes || native ? model::TunnelProtocol::hbone
                                                  : model::TunnelProtocol::tcp;
}

WorkloadName workload_name(const Metadata& pod) {
  if (pod.owner_kind == "ReplicaSet") {
    const std::string* hash = pod.label("pod-template-hash");
    const std::string suffix = hash != nullptr ? "-" + *hash : "";
    const bool of_deployment = suffix.size() > 1 && pod.owner_name.size() > suffix.size() &&
                               pod.owner_name.ends_with(suffix);
    if (of_deployment) {
      return {pod.owner_name.substr(0, pod.owner_name.size() - suffix.size()),
              model::WorkloadType::deployment};
    }
  }
  if (pod.owner_kind == "Job") {
    const std::string_view cron_job = without_schedule(pod.owner_name);
    if (!cron_job.empty()) return {std::string(cron_job), model::WorkloadType::cronjob};
    return {pod.owner_name, model::WorkloadType::job};
  }
  return {pod.name, model::WorkloadType::pod};
}

std::string canonical_name(const Metadata& pod, std::string_view workload_name) {
  return first_label(pod, {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"},
                     workload_name);
}

std::string canonical_revision(const Metadata& pod) {
  return first_label(
      pod, {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"},
      "latest");
}

model::Locality locality(const Metadata& pod, const NodeObject* node) {
  const auto label = [&](std::string_view name) {
    return first_label(pod, {name}, node != nullptr ? first_label(node->meta, {name}, "") : "");
  };
  return {.region = label("topology.kubernetes.io/region"),
          .zone = label("topology.kubernetes.io/zone"),
          .subzone = label("topology.istio.io/subzone")};
}

model::LoadBalancing load_balancing(const ServiceObject& service, std::string_view distribution) {
  model::LoadBalancing balancing =
      service.internal_traffic_policy == "Local"
          ? model::LoadBalancing{model::BalancingMode::strict, {RoutingScope::node}, {}}
          : load_balancing(distribution);
  if (service.publish_not_ready) balancing.health = model::HealthPolicy::allow_all;
  return balancing;
}

model::LoadBalancing load_balancing(std::string_view distribution) {
  if (distribution == "PreferClose" || distribution == "PreferSameZone") {
    return {model::BalancingMode::failover,
            {RoutingScope::network, RoutingScope::region, RoutingScope::zone},
            {}};
  }
  if (distribution == "PreferSameNode") {
    return {model::BalancingMode::failover,
            {RoutingScope::network, RoutingScope::region, RoutingScope::zone, RoutingScope::subzone,
             RoutingScope::node},
            {}};
  }
  return {};
}

}  // namespace aquifer::manifests
