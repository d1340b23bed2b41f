#include "config/model/workload.h"

#include <algorithm>

namespace aquifer::model {

std::string_view name_of(WorkloadType type) noexcept {
  switch (type) {
    case WorkloadType::deployment: return "deployment";
    case WorkloadType::cronjob: return "cronjob";
    case WorkloadType::pod: return "pod";
    case WorkloadType::job: return "job";
  }
  return "pod";
}

std::string_view name_of(TunnelProtocol protocol) noexcept {
  return protocol == TunnelProtocol::hbone ? "HBONE" : "TCP";
}

bool is_pod_uid(std::string_view uid) noexcept {
  return uid.contains("//Pod/");
}

const IpAddress* address_like(const Workload& workload, const IpAddress& like) noexcept {
  if (workload.addresses.empty()) return nullptr;
  const auto same_family = std::ranges::find(workload.addresses, like.is_v4(), &IpAddress::is_v4);
  return same_family == workload.addresses.end() ? &workload.addresses.front() : &*same_family;
}

}  // namespace aquifer::model
