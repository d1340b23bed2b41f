// Istio's rules for one pod: is it in the mesh, what is it called, what made it. Pure functions of
// manifests.
#pragma once

#include "config/manifests/objects.h"
#include "config/model/service.h"
#include "config/model/workload.h"

#include <string>
#include <string_view>

namespace aquifer::manifests {

/// Is the pod's traffic to be captured? Never on the host's network; else the annotation
/// ambient.istio.io/redirection decides where present; else the pod's label
/// istio.io/dataplane-mode, then its namespace's. A pod with a sidecar has a proxy of its own and
/// stays out. `ns` may be null.
[[nodiscard]] model::Capture is_enrolled(const PodObject& pod, const NamespaceObject* ns);

/// The same with its reason, for people.
struct Enrolment {
  model::Capture capture = model::Capture::no;
  const char* why = "";
};
[[nodiscard]] Enrolment explain_enrolment(const PodObject& pod, const NamespaceObject* ns);

/// Enrolled pods speak HBONE, and so do those that say they do it themselves
/// (networking.istio.io/tunnel: http).
[[nodiscard]] model::TunnelProtocol tunnel_protocol(const PodObject& pod, model::Capture capture);

struct WorkloadName {
  std::string name;
  model::WorkloadType type = model::WorkloadType::pod;
};
/// From the controlling owner: a ReplicaSet's Deployment, a Job or its CronJob, else the pod
/// itself.
[[nodiscard]] WorkloadName workload_name(const Metadata& pod);

/// Labels service.istio.io/canonical-name, app.kubernetes.io/name, app, else the workload's name.
[[nodiscard]] std::string canonical_name(const Metadata& pod, std::string_view workload_name);
/// Labels service.istio.io/canonical-revision, app.kubernetes.io/version, version, else "latest".
[[nodiscard]] std::string canonical_revision(const Metadata& pod);

/// From the labels of a pod, else of its node, which may be null.
[[nodiscard]] model::Locality locality(const Metadata& pod, const NodeObject* node = nullptr);

/// From what is said of the distribution of traffic; unknown words say nothing.
[[nodiscard]] model::LoadBalancing load_balancing(std::string_view distribution);
/// The same, with spec.internalTrafficPolicy and spec.publishNotReadyAddresses.
[[nodiscard]] model::LoadBalancing load_balancing(const ServiceObject& service,
                                                  std::string_view distribution);

}  // namespace aquifer::manifests
