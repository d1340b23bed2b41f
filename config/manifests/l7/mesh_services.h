// The services of an assembled mesh by everything that routes call them: names, host names, ports.
// Lives during one load.
#pragma once

#include "config/manifests/assembly.h"
#include "config/manifests/route_objects.h"
#include "config/model/service.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aquifer::manifests {

/// What a backend or destination leads to.
struct BackendTarget {
  const model::ServiceRecord* record = nullptr;
  std::uint16_t port = 0;
  /// Why it leads nowhere, for people, with what to write instead; empty when it does lead
  /// somewhere.
  std::string why_not;
};

class MeshServices {
 public:
  /// After settle_services(); `assembly` must outlive it.
  explicit MeshServices(const Assembly& assembly);

  /// Null when there is none. A Service, by its own name.
  [[nodiscard]] const model::ServiceRecord* service(std::string_view ns,
                                                    std::string_view name) const;
  /// By host name: of `ns` before others, then the canonical one that `ns` may see.
  [[nodiscard]] const model::ServiceRecord* host(std::string_view ns,
                                                 std::string_view hostname) const;
  /// All with this host name.
  [[nodiscard]] const std::vector<const model::ServiceRecord*>& of_host(
      std::string_view hostname) const;
  /// The services that a parentRef means.
  [[nodiscard]] std::vector<const model::ServiceRecord*> parents(const ParentObject& parent) const;
  /// `from_ns` is the route's. A backend that names no port means the only one of its service, else
  /// `usual_port`, if there is such a port.
  [[nodiscard]] BackendTarget backend(const BackendObject& backend, std::string_view from_ns,
                                      std::uint16_t usual_port = 0) const;

  /// "web" in namespace "shop" is "web.shop.svc.cluster.local"; what has a dot stays.
  [[nodiscard]] std::string full_host(std::string_view host, std::string_view ns) const;

  [[nodiscard]] const Assembly& assembly() const noexcept { return assembly_; }

 private:
  using Records = std::vector<const model::ServiceRecord*>;
  [[nodiscard]] BackendTarget with_port(const model::ServiceRecord* record,
                                        const BackendObject& backend,
                                        std::uint16_t usual_port) const;

  const Assembly& assembly_;
  std::unordered_map<std::string, const model::ServiceRecord*> by_key_;
  std::unordered_map<std::string, Records> by_host_;
  // The hosts of a ServiceEntry, by NAMESPACE/NAME.
  std::unordered_map<std::string, std::vector<std::string>> entry_hosts_;
};

}  // namespace aquifer::manifests
