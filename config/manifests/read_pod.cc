// Pod -> PodObject.
#include "config/manifests/read_objects.h"

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

// The SPIFFE id is made of it, hence its own check.
bool is_service_account(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

void read_container_ports(Fields& container, PodObject& pod) {
  container.each("ports", [&](Fields& port) {
    const bool given = port.has("containerPort");
    const auto number = port.port("containerPort");
    std::string name = port.text_or("name", "");
    const std::string protocol = port.text_or("protocol", "TCP");
    if (!given) port.error("containerPort", "missing: write the port's number");
    if (number && protocol == "TCP") pod.ports.push_back(*number);
    if (number && !name.empty() && protocol == "TCP")
      pod.named_ports.push_back({std::move(name), *number});
    port.ignore({"hostIP", "hostPort"});
    port.finish();
  });
  container.ignore({"args",
                    "command",
                    "env",
                    "envFrom",
                    "image",
                    "imagePullPolicy",
                    "lifecycle",
                    "livenessProbe",
                    "name",
                    "readinessProbe",
                    "resizePolicy",
                    "resources",
                    "restartPolicy",
                    "restartPolicyRules",
                    "securityContext",
                    "startupProbe",
                    "stdin",
                    "stdinOnce",
                    "terminationMessagePath",
                    "terminationMessagePolicy",
                    "tty",
                    "volumeDevices",
                    "volumeMounts",
                    "workingDir"});
  container.finish();
}

void read_spec(Fields& spec, PodObject& pod) {
  pod.service_account = spec.text_or("serviceAccountName", "");
  // The deprecated name of the same field; dumps have both.
  if (pod.service_account.empty()) pod.service_account = spec.text_or("serviceAccount", "");
  if (pod.service_account.empty()) pod.service_account = "default";
  if (!is_service_account(pod.service_account)) {
    spec.error("serviceAccountName",
               "not a Kubernetes name: lower-case letters, digits, '-' and '.' only");
  }
  pod.node = spec.text_or("nodeName", "");
  pod.host_network = spec.boolean("hostNetwork").value_or(false);
  spec.each("containers", [&](Fields& container) { read_container_ports(container, pod); });
  // Sidecar containers are init containers that go on running.
  spec.each("initContainers", [&](Fields& container) { read_container_ports(container, pod); });
  spec.ignore({"activeDeadlineSeconds",
               "affinity",
               "automountServiceAccountToken",
               "dnsConfig",
               "dnsPolicy",
               "enableServiceLinks",
               "ephemeralContainers",
               "hostAliases",
               "hostIPC",
               "hostPID",
               "hostUsers",
               "hostname",
               "hostnameOverride",
               "imagePullSecrets",
               "nodeSelector",
               "os",
               "overhead",
               "preemptionPolicy",
               "priority",
               "priorityClassName",
               "readinessGates",
               "resourceClaims",
               "resources",
               "restartPolicy",
               "runtimeClassName",
               "schedulerName",
               "schedulingGates",
               "securityContext",
               "serviceAccount",
               "setHostnameAsFQDN",
               "shareProcessNamespace",
               "subdomain",
               "terminationGracePeriodSeconds",
               "tolerations",
               "topologySpreadConstraints",
               "volumes",
               "workloadRef"});
  spec.finish();
}

void add_address(const Fields& status, std::string_view field, const TextItem& item,
                 std::vector<IpAddress>& addresses) {
  const auto address = read_address(status, field, item);
  if (!address) return;
  if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
}

// Kubernetes writes the first address in a field of its own, and all of them in a list.
void read_addresses(Fields& status, std::string_view first, std::string_view all,
                    std::vector<IpAddress>& addresses) {
  if (const YamlNode* node = status.raw(first); node != nullptr && !node->text.empty()) {
    add_address(status, first, {node->text, node->line}, addresses);
  }
  status.each(all, [&](Fields& entry) {
    if (const auto text = entry.text("ip")) {
      add_address(entry, "ip", {*text, entry.line()}, addresses);
    }
    entry.finish();
  });
}

// Without conditions nobody checks the pod's readiness, so it is taken at its word; Kubernetes
// always writes them.
bool read_readiness(Fields& status) {
  if (!status.has("conditions")) return true;
  bool ready = false;
  status.each("conditions", [&](Fields& condition) {
    const std::string type = condition.text_or("type", "");
    const std::string value = condition.text_or("status", "");
    if (type == "Ready") ready = value == "True" || value == "true";
  });
  return ready;
}

void read_status(Fields& status, PodObject& pod) {
  read_addresses(status, "podIP", "podIPs", pod.addresses);
  read_addresses(status, "hostIP", "hostIPs", pod.host_addresses);
  pod.phase = status.text_or("phase", "");
  pod.ready = read_readiness(status);
  status.ignore({"allocatedResources", "conditions", "containerStatuses",
                 "ephemeralContainerStatuses", "extendedResourceClaimStatus",
                 "initContainerStatuses", "message", "nominatedNodeName", "observedGeneration",
                 "qosClass", "reason", "resize", "resourceClaimStatuses", "resources",
                 "startTime"});
  status.finish();
}

}  // namespace

void read_pod(Fields& fields, Metadata meta, FileObjects& out) {
  PodObject pod;
  pod.meta = std::move(meta);
  Fields spec = fields.map("spec");
  Fields status = fields.map("status");
  if (!spec.present())
    fields.error("spec", "missing: write at least nodeName and serviceAccountName there");
  const bool addressed = status.has("podIP") || status.has("podIPs");
  read_spec(spec, pod);
  read_status(status, pod);
  fields.finish();
  // Kubernetes gives the address later; where there is no Kubernetes, a pod without one is half of
  // a manifest.
  if (!addressed && pod.phase.empty()) {
    fields.error("status.podIP", "missing: write the address at which the pod is reached");
  }
  if (!pod.addresses.empty() && pod.node.empty()) {
    fields.warn("spec.nodeName",
                "missing: no node will capture this pod's traffic; write the name of its node");
  }
  if (const std::string* netns = pod.meta.annotation("aquifer.dev/netns");
      netns != nullptr && !netns->starts_with('/')) {
    fields.error("metadata.annotations",
                 "aquifer.dev/netns: must be an absolute path, such as /run/netns/NAME");
  }
  out.pods.push_back(std::move(pod));
}

}  // namespace aquifer::manifests
